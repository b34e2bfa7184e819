import { formatCount, formatPercent, plural } from '../base/format';
import type { Evidence } from '../model/evidence';
import type { CompletenessPart, CompletenessReport } from '../model/reports';
import { EvidenceBit, Outcome, Pairing } from '../model/tables';
import type { Analysis } from './analysis';

/** What of the ledger the score needs. */
export interface LedgerSums {
  readonly understood: number;
  readonly counted: number;
  readonly notUnderstood: number;
  readonly lost: number;
}

/** Lost events weigh so much more than their share: one lost unmap makes a mapping last for ever. */
const lossFactor = 10;

/**
 * How much of what a trace can tell this input tells, 0 to 100: the sum of its parts, each with what would raise it.
 * It rates the input, not the kernel; 100 means that every request has its result, its end and its place.
 */
export function completenessOf(analysis: Analysis, ledger: LedgerSums): CompletenessReport {
  const parts = [
    results(analysis),
    ends(analysis),
    losses(analysis, ledger),
    poolPlace(analysis),
    kernel(analysis),
    timeAndContext(analysis),
    lines(ledger),
  ];
  const score = Math.floor(parts.reduce((sum, { got }) => sum + got, 0) + 1e-9);
  return { score, parts };
}

const recordAll =
  'Record the probes of the capture script (swiotlb-lens capture --kernel X.Y), or the dma:* events of 6.12 and later.';

function results(analysis: Analysis): CompletenessPart {
  const { columns, length } = analysis.tables.requests;
  let known = 0;
  let recorded = 0;
  for (let row = 0; row < length; row++) {
    const isTold = columns.outcome[row] !== Outcome.unknown;
    const isInferred = (columns.evidence[row] & EvidenceBit.inferredOutcome) !== 0;
    // An attempt without result still has its size and place in time.
    known += !isTold ? 0.25 : isInferred ? 0.5 : 1;
    recorded += isTold && !isInferred ? 1 : 0;
  }
  if (length === 0) {
    const failures = analysis.tables.logFailures.length;
    const text =
      failures === 0
        ? 'No request is in the input.'
        : `${plural(failures, 'failure message')}, but no request that was served.`;
    return part('results', 25, failures === 0 ? 0 : 0.2, text, recordAll);
  }
  const share = known / length;
  return part(
    'results',
    25,
    share,
    `${formatPercent(recorded / length)} of ${plural(length, 'request')} have a recorded result.`,
    recordAll,
  );
}

function ends(analysis: Analysis): CompletenessPart {
  const { columns, length } = analysis.tables.requests;
  let mappings = 0;
  let recorded = 0;
  let known = 0;
  for (let row = 0; row < length; row++) {
    if (columns.outcome[row] === Outcome.failed || columns.outcome[row] === Outcome.rolledBack) {
      continue;
    }
    mappings++;
    const pairing = columns.pairing[row];
    const isInferred =
      pairing === Pairing.reused ||
      pairing === Pairing.sizeMismatch ||
      (columns.evidence[row] & EvidenceBit.inferredUnmap) !== 0;
    known += pairing === Pairing.assumed ? 0 : isInferred ? 0.5 : 1;
    recorded += pairing === Pairing.assumed || isInferred ? 0 : 1;
  }
  const share = mappings === 0 ? (length > 0 ? 1 : 0) : known / mappings;
  const text =
    length === 0
      ? 'No mapping is in the input.'
      : mappings === 0
        ? 'No mapping was served.'
        : `The end of ${formatPercent(recorded / mappings)} of ${plural(mappings, 'mapping')} is known from the trace.`;
  return part('ends', 20, share, text, `${recordAll} Unmaps are part of both.`);
}

function losses(analysis: Analysis, ledger: LedgerSums): CompletenessPart {
  const events = analysis.tables.counts.requests;
  const seen = ledger.understood + ledger.counted;
  if (events === 0) {
    return part('losses', 25, 0, 'Without events nothing can be said about lost ones.', recordAll);
  }
  const lostShare = ledger.lost === 0 ? 0 : ledger.lost / (seen + ledger.lost);
  const text =
    ledger.lost === 0
      ? 'The input names no lost event.'
      : `${formatCount(ledger.lost)} events or lines are missing, ${formatPercent(lostShare)} of all.`;
  return part(
    'losses',
    25,
    1 - Math.min(1, lossFactor * lostShare),
    text,
    'Enlarge buffer_size_kb, record for a shorter time, or use fprobes instead of kprobes.',
  );
}

function poolPlace(analysis: Analysis): CompletenessPart {
  const pool = analysis.geometry.pools[0];
  const fields =
    pool === undefined
      ? []
      : ([
          ['start', pool.start.evidence],
          ['size', pool.slots.evidence],
          ['areas', pool.areas.evidence],
        ] as const);
  return told(
    'pool',
    12,
    'The pool',
    fields,
    3,
    'Add the kernel log from boot: its "software IO TLB" lines name the pool.',
  );
}

function kernel(analysis: Analysis): CompletenessPart {
  const { generation, dynamic, cpus } = analysis.geometry;
  return told(
    'kernel',
    8,
    'The kernel',
    [
      ['version', generation.evidence],
      ['dynamic pools', dynamic.evidence],
      ['CPUs', cpus.evidence],
    ],
    3,
    'Add the kernel log from boot, uname -r and the kernel config beside the trace.',
  );
}

function told(
  name: string,
  weight: number,
  subject: string,
  fields: readonly (readonly [string, Evidence])[],
  count: number,
  howToImprove: string,
): CompletenessPart {
  const isTold = ({ level }: Evidence) => level !== 'default' && level !== 'assumed';
  const missing = fields.filter(([, evidence]) => !isTold(evidence)).map(([field]) => field);
  const text =
    fields.length === 0
      ? `${subject} is not known.`
      : missing.length === 0
        ? `${subject}: ${fields.map(([field]) => field).join(', ')} are known.`
        : `${subject}: nothing tells ${missing.join(', ')}.`;
  return part(name, weight, (fields.length - missing.length) / count, text, howToImprove);
}

function timeAndContext(analysis: Analysis): CompletenessPart {
  const { columns, length } = analysis.tables.requests;
  const { sources } = analysis.tables;
  let withContext = 0;
  let withTime = 0;
  for (let row = 0; row < length; row++) {
    withContext += (columns.evidence[row] & EvidenceBit.contextAssumed) === 0 ? 1 : 0;
    withTime += sources[columns.source[row]]?.timeUnit === 'ns' ? 1 : 0;
  }
  if (length === 0) {
    return part('time and context', 5, 0, 'No request has a time or a context.', recordAll);
  }
  const missing = [...(withTime < length ? ['time'] : []), ...(withContext < length ? ['whether it could sleep'] : [])];
  return part(
    'time and context',
    5,
    (withTime + withContext) / (2 * length),
    missing.length === 0 ? 'Every request has a time and a context.' : `Requests lack: ${missing.join(', ')}.`,
    'Use the default trace clock, and leave the options irq-info and context-info on.',
  );
}

function lines(ledger: LedgerSums): CompletenessPart {
  const all = ledger.understood + ledger.counted + ledger.notUnderstood;
  const share = all === 0 ? 0 : 1 - ledger.notUnderstood / all;
  const text =
    all === 0
      ? 'The input is empty.'
      : ledger.notUnderstood === 0
        ? 'Every line was understood or counted.'
        : `${plural(ledger.notUnderstood, 'line')} of ${formatCount(all)} could not be understood.`;
  return part(
    'lines',
    5,
    share,
    text,
    'Look at the examples: cut or glued lines come from reading trace_pipe under load.',
  );
}

function part(name: string, weight: number, share: number, text: string, howToImprove: string): CompletenessPart {
  // One decimal; rounded down, so that only a whole part reads as whole.
  const got = Math.floor(weight * share * 10 + 1e-9) / 10;
  return { name, weight, got, text, howToImprove: got < weight ? howToImprove : null };
}
