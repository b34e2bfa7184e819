import type { Cause } from '../model/cause';
import { causes } from '../model/cause';
import type { DiagnoseReport } from '../model/reports';

/**
 * One SARIF 2.1.0 run over all inputs: an episode is one result, so that a flood is one finding.
 * `unreadable`: inputs without results, told so that nobody takes them for clean.
 */
export function sarifOf(reports: readonly DiagnoseReport[], unreadable: readonly string[], version: string): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'swiotlb-lens',
            version,
            rules: [...causes.map(ruleOf), ...warningRules(reports)],
          },
        },
        invocations: [
          {
            executionSuccessful: unreadable.length === 0,
            toolExecutionNotifications: unreadable.map((text) => ({ level: 'error', message: { text } })),
          },
        ],
        columnKind: 'utf16CodeUnits',
        results: reports.flatMap(resultsOf),
      },
    ],
  };
}

function ruleOf(cause: Cause): object {
  return { id: cause, shortDescription: { text: `A DMA mapping failed: ${cause}` } };
}

function warningRules(reports: readonly DiagnoseReport[]): object[] {
  const codes = new Set(reports.flatMap((report) => report.warnings.map((warning) => warning.code)));
  return [...codes]
    .filter((code) => !(causes as readonly string[]).includes(code))
    .map((code) => ({ id: code, shortDescription: { text: `Warning: ${code}` } }));
}

function resultsOf(report: DiagnoseReport): object[] {
  const firstOf = new Map<number, DiagnoseReport['failures'][number]>();
  for (const failure of report.failures) {
    if (!firstOf.has(failure.episode)) {
      firstOf.set(failure.episode, failure);
    }
  }
  const failures = report.episodes.flatMap((episode, index) => {
    const first = firstOf.get(index);
    if (first === undefined) {
      return [];
    }
    const more = episode.message === '' ? '' : ` ${episode.message}`;
    return [
      {
        ruleId: episode.cause,
        level: 'error',
        message: { text: `${first.message}${more}\n${first.advice.join('\n')}` },
        locations: [location(first.file, first.line, first.startColumn, first.endColumn)],
        relatedLocations: first.related.map((place, id) => ({
          id,
          message: { text: place.message },
          ...location(place.file, place.line, 0, 0),
        })),
        occurrenceCount: episode.count,
      },
    ];
  });
  const warnings = report.warnings.map((warning) => ({
    ruleId: warning.code,
    level: 'warning',
    message: { text: warning.message },
    locations: [location(warning.file, warning.line, warning.startColumn, warning.endColumn)],
  }));
  return [...failures, ...warnings];
}

/** SARIF counts lines and columns from one; without columns the whole line is meant. */
function location(file: string, line: number, startColumn: number, endColumn: number): object {
  const columns = endColumn > startColumn ? { startColumn: startColumn + 1, endColumn: endColumn + 1 } : {};
  return {
    physicalLocation: {
      artifactLocation: { uri: file === '-' || file === '' ? 'stdin' : uriOf(file) },
      region: { startLine: Math.max(1, line), ...columns },
    },
  };
}

/** A relative reference: a colon in its first part would be taken for a scheme, such as that of a device's name. */
function uriOf(file: string): string {
  const path = file.split('/').map(encodeURIComponent).join('/');
  return /^[^/]*%3A/.test(path) ? `./${path}` : path;
}
