import type { LogSummary } from '../analysis/compareLogs';
import { describeCauseCounts } from '../analysis/verdict';
import { formatBytes, formatCount } from '../base/format';
import type { Cause } from '../model/cause';
import { table } from './table';
import { printable, type Terminal } from './terminal';

const orNone = (value: number | null, format: (value: number) => string): string =>
  value === null ? '–' : format(value);

/** Logs side by side: before and after a change. */
export function compareLogsText(logs: readonly LogSummary[], terminal: Terminal): string {
  const rows = logs.map((log) => [
    printable(log.file),
    formatCount(log.failures),
    formatCount(log.suppressed),
    describeCauseCounts(new Map(Object.entries(log.failuresByCause) as [Cause, number][])) || '–',
    orNone(log.totalSlots, formatCount),
    orNone(log.peakUsedSlots, formatCount),
    orNone(log.largestBytes, formatBytes),
  ]);
  const header = ['log', '>failures', '>suppressed', 'causes', '>pool', '>most used', '>largest request'];
  return `These are logs without requests: what they prove, side by side.\n\n${table(header, rows, terminal)}\n`;
}
