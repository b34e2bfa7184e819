import { formatHex } from '../../base/address';
import { formatCount, plural } from '../../base/format';
import type { EvidenceLevel } from '../../model/evidence';
import type { EvidenceView, RunView, TraceView, VerifyView } from '../../protocol/views';
import { h } from '../dom';
import { levelWords, lineWords } from '../words';
import type { Reveal } from './why';

/** What the result rests on: recorded, derived, assumed, lost; then the lines, the geometry and the check against the record. */
export function ledgerSection(trace: TraceView, runs: readonly RunView[], reveal: Reveal): (HTMLElement | null)[] {
  const { ledger } = trace;
  return [
    h(
      'dl',
      { class: 'ledger-counts' },
      ledgerCount('recorded', ledger.exact, 'requests whose facts the trace itself states'),
      ledgerCount('derived', ledger.derived, 'requests with a fact that follows from recorded ones'),
      ledgerCount('assumed', ledger.assumed, 'requests with a fact that neither says'),
      ledgerCount('lost', ledger.lost, 'events, lines or messages that never reached the file'),
    ),
    ledger.notes.length === 0
      ? null
      : h(
          'ul',
          { class: 'notes' },
          ledger.notes.map((note) =>
            h(
              'li',
              null,
              h('span', { class: `level level-${note.level}` }, levelWords[note.level]),
              h('span', null, note.text, adjust(note.level)),
              h('span', { class: 'muted number' }, formatCount(note.count)),
            ),
          ),
        ),
    assumptions(runs),
    h(
      'p',
      { class: 'muted' },
      `Of ${plural(trace.lines, 'line')}, ${formatCount(ledger.understood)} were understood, ${formatCount(ledger.counted)} counted by event name only, ${formatCount(ledger.notUnderstood)} not understood.`,
    ),
    disclosure('Where each fact about pool, kernel and devices comes from', evidenceTable(trace, reveal)),
    0 < Object.keys(ledger.countedByName).length
      ? disclosure('Events that were only counted', countedTable(ledger.countedByName))
      : null,
    0 < ledger.notUnderstoodExamples.length
      ? disclosure(
          'Lines that were not understood',
          h(
            'ul',
            { class: 'plain' },
            ledger.notUnderstoodExamples.map((example) =>
              h(
                'li',
                null,
                h(
                  'button',
                  { class: 'link', type: 'button', click: () => reveal(example) },
                  `line ${formatCount(example.line)}`,
                ),
                ' ',
                h('code', null, example.text),
              ),
            ),
          ),
        )
      : null,
    0 < trace.problems.length
      ? disclosure(
          'Problems of the input',
          h(
            'ul',
            { class: 'plain' },
            trace.problems.map((problem) => h('li', null, problem)),
          ),
        )
      : null,
  ];
}

function ledgerCount(level: string, count: number, hint: string): HTMLElement {
  return h(
    'div',
    { class: `ledger-count level-${level} ${count === 0 ? 'none' : ''}`, title: hint },
    h('dt', null, level),
    h('dd', null, formatCount(count)),
  );
}

/** What is assumed can be changed: to where that is. */
function adjust(level: EvidenceLevel | 'lost'): (HTMLElement | string)[] {
  const go = () => {
    const block = document.getElementById('assumptions');
    block?.querySelector('details')?.setAttribute('open', '');
    block?.scrollIntoView();
    block?.querySelector<HTMLElement>('input, select')?.focus({ preventScroll: true });
  };
  return level === 'assumed' ? [' ', h('button', { type: 'button', class: 'link', click: go }, 'Adjust')] : [];
}

/** What the replays assume on top; the same note of several replays is one line. */
function assumptions(runs: readonly RunView[]): HTMLElement | null {
  const lines = new Map<string, { level: EvidenceLevel | 'lost'; text: string; titles: string[] }>();
  const add = (level: EvidenceLevel | 'lost', text: string, title: string) => {
    const known = lines.get(level + text);
    if (known === undefined) {
      lines.set(level + text, { level, text, titles: [title] });
    } else {
      known.titles.push(title);
    }
  };
  for (const run of runs) {
    const title = run.basis === 'recorded' ? 'Recorded' : run.title;
    for (const note of run.notes) {
      add(note.level, note.count === 0 ? note.text : `${note.text} (${formatCount(note.count)})`, title);
    }
    for (const [name, param] of Object.entries(run.params)) {
      if (run.basis === 'modelled' && (param.level === 'assumed' || param.level === 'user')) {
        add(param.level, `${name} = ${paramWords(param)}. ${param.source}`, title);
      }
    }
  }
  if (lines.size === 0) {
    return null;
  }
  return h(
    'ul',
    { class: 'notes', 'aria-label': 'Assumptions of the replays' },
    [...lines.values()].map(({ level, text, titles }) =>
      h(
        'li',
        null,
        h('span', { class: `level level-${level}` }, levelWords[level]),
        h('span', null, `${titles.join(', ')}: ${text}`, adjust(level)),
      ),
    ),
  );
}

function paramWords({ value, unit }: RunView['params'][string]): string {
  if (unit === 'address' && typeof value === 'number') {
    return formatHex(value);
  }
  const words = typeof value === 'number' ? formatCount(value) : String(value);
  return unit === '' ? words : `${words} ${unit}`;
}

function evidenceTable(trace: TraceView, reveal: Reveal): HTMLElement {
  const entries = Object.entries(trace.geometry.evidence);
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { class: 'evidence', 'aria-label': 'Where each fact comes from' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          ['Fact', 'How', 'Evidence', 'Line'].map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h(
        'tbody',
        null,
        entries.map(([name, evidence]) =>
          h(
            'tr',
            null,
            h('th', { scope: 'row' }, name),
            h('td', null, h('span', { class: `level level-${evidence.level}` }, levelWords[evidence.level])),
            h('td', null, evidence.text),
            h('td', null, evidenceLine(evidence, trace, reveal)),
          ),
        ),
        trace.geometry.devices
          .slice(0, MASKED_DEVICES)
          .map(({ name, dmaMaskBits, minAlignMask, evidence }) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, name),
              h('td', null, dmaMaskBits === null ? 'mask unknown' : `${dmaMaskBits}-bit mask`),
              h('td', null, `min_align_mask ${minAlignMask ?? 'undetermined'}: ${evidence}`),
              h('td', null),
            ),
          ),
      ),
    ),
  );
}

/** Devices listed with their masks; the command line lists the rest. */
const MASKED_DEVICES = 16;

function evidenceLine(evidence: EvidenceView, trace: TraceView, reveal: Reveal): HTMLElement | null {
  const { file, line } = evidence;
  if (file === null || line === null || line === 0) {
    return null;
  }
  return h(
    'button',
    { class: 'link', type: 'button', click: () => reveal({ file, line }) },
    lineWords(trace, { file, line }, ''),
  );
}

function countedTable(counted: Readonly<Record<string, number>>): HTMLElement {
  const rows = Object.entries(counted).sort(([, a], [, b]) => b - a);
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { 'aria-label': 'Events that were only counted' },
      h(
        'tbody',
        null,
        rows.map(([name, count]) =>
          h('tr', null, h('th', { scope: 'row' }, name), h('td', { class: 'number' }, formatCount(count))),
        ),
      ),
    ),
  );
}

/** The result of verify, in words first. */
export function fidelity(view: VerifyView, reveal: Reveal): (HTMLElement | null)[] {
  const skipped = Object.entries(view.skipped).filter(([, count]) => 0 < count);
  return [
    h(
      'p',
      null,
      `The model (generation ${view.generation}) checked ${formatCount(view.checked)} of ${plural(view.requests, 'bounced request')}: `,
      h('strong', null, `${formatCount(view.exact)} exact`),
      view.learned === 0 ? '' : `, ${formatCount(view.learned)} explained by state from before the trace`,
      view.undecided === 0 ? '' : `, ${formatCount(view.undecided)} undecided`,
      `, ${formatCount(view.mismatchedCount)} different.`,
      view.givenBase === 0
        ? ''
        : ` For ${formatCount(view.givenBase)} of them the base of a grown or transient pool was taken from the record.`,
    ),
    skipped.length === 0
      ? null
      : h(
          'ul',
          { class: 'plain' },
          skipped.map(([reason, count]) => h('li', null, `${formatCount(count)} not checked: ${reason}`)),
        ),
    view.mismatched.length === 0
      ? null
      : disclosure(
          'Requests that came out differently',
          h(
            'div',
            { class: 'scroll' },
            h(
              'table',
              { 'aria-label': 'Requests that came out differently' },
              h(
                'thead',
                null,
                h(
                  'tr',
                  null,
                  ['Line', 'Recorded', 'Modelled', 'Why'].map((title) => h('th', { scope: 'col' }, title)),
                ),
              ),
              h(
                'tbody',
                null,
                view.mismatched.map((row) =>
                  h(
                    'tr',
                    null,
                    h(
                      'td',
                      null,
                      h(
                        'button',
                        { class: 'link', type: 'button', click: () => reveal({ file: view.file, line: row.line }) },
                        formatCount(row.line),
                      ),
                    ),
                    h('td', null, h('code', null, row.recorded)),
                    h('td', null, h('code', null, row.modelled)),
                    h('td', null, row.why),
                  ),
                ),
              ),
            ),
          ),
        ),
  ];
}

export function disclosure(title: string, ...content: (HTMLElement | null)[]): HTMLElement {
  return h('details', null, h('summary', null, title), content);
}
