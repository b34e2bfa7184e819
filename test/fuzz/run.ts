import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { info } from '../../src/analysis/info';
import { verifyReport } from '../../src/analysis/verify';
import { StringTable } from '../../src/base/stringTable';
import { createTraceReader, type ReaderSummary } from '../../src/trace/reader';
import { type Collected, collect, lineCountOf } from '../trace/collect';
import { type FuzzInput, inputOf } from './inputs';

export interface Finding {
  readonly run: number;
  readonly kind: string;
  readonly what: string;
}

export interface FuzzOptions {
  /** First run of the sequence. */
  readonly from?: number;
  /** Every so many inputs go through the whole analysis, which takes as long as hundreds of readings. */
  readonly analysedEvery?: number;
}

/** Every so many inputs are also cut into chunks. */
const chunkedEvery = 32;
/** An input of a few lines that takes more time of a processor hangs, or nearly. */
const slowMs = 5000;
const maxFindings = 20;

/** Reads so many inputs of a seed and collects everything that is not as promised. */
export function fuzz(seed: number, runs: number, { from = 0, analysedEvery = 50 }: FuzzOptions = {}): Finding[] {
  const findings: Finding[] = [];
  for (let run = from; run < from + runs && findings.length < maxFindings; run++) {
    const input = inputOf(seed, run);
    const start = process.cpuUsage();
    const what = tryInput(input, run % chunkedEvery === 0, run % analysedEvery === 1);
    const { user, system } = process.cpuUsage(start);
    const tookMs = (user + system) / 1000;
    if (what !== null) {
      findings.push({ run, kind: input.kind, what });
    } else if (tookMs > slowMs) {
      findings.push({ run, kind: input.kind, what: `took ${Math.round(tookMs)} ms` });
    }
  }
  return findings;
}

function tryInput(input: FuzzInput, chunked: boolean, analysed: boolean): string | null {
  try {
    return checkInput(input, { chunked, analysed });
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** What is wrong with the reading of an input; null when nothing is. Throws what the reader throws. */
export function checkInput(
  { bytes, path }: Pick<FuzzInput, 'bytes' | 'path'>,
  { chunked = true, analysed = true }: { readonly chunked?: boolean; readonly analysed?: boolean } = {},
): string | null {
  const summary = chunked ? null : readOnly(bytes, path);
  const whole = summary === null ? collect(bytes, { path }) : null;
  const wrong = checkLedger(bytes, summary ?? (whole as Collected).summary);
  if (wrong !== null) {
    return wrong;
  }
  if (whole !== null) {
    const cuts = [1, 2, 3, 7, 50, Math.floor(bytes.length / 2), bytes.length - 1].filter(
      (cut, index, all) => cut > 0 && cut < bytes.length && (index === 0 || cut > (all[index - 1] as number)),
    );
    if (essence(collect(bytes, { path, cuts })) !== essence(whole)) {
      return 'chunks give another result';
    }
  }
  if (analysed) {
    const builder = createAnalysis();
    const source = builder.openSource({ path });
    source.push(bytes);
    source.end();
    const analysis = builder.snapshot();
    JSON.stringify([info(analysis), diagnose(analysis), verifyReport(analysis)]);
  }
  return null;
}

/** Without keeping the events: most inputs only have to be survived. */
function readOnly(bytes: Uint8Array, path: string): ReaderSummary {
  const ignore = () => undefined;
  const reader = createTraceReader({
    source: 0,
    path,
    strings: new StringTable(),
    sink: { event: ignore, log: ignore, sample: ignore, lost: ignore },
  });
  reader.push(bytes);
  reader.end();
  return reader.summary();
}

function checkLedger(bytes: Uint8Array, { ledger }: ReaderSummary): string | null {
  const { lines, understood, counted, notUnderstood } = ledger;
  if (understood + counted + notUnderstood !== lines) {
    return `the ledger does not add up: ${understood} + ${counted} + ${notUnderstood} != ${lines}`;
  }
  const isText = bytes[0] !== 0xff && bytes[0] !== 0xfe && bytes[0] !== 0x17;
  const expected = lineCountOf(bytes);
  return isText && lines !== expected ? `${lines} lines counted, ${expected} are there` : null;
}

function essence({ events, logs, samples, lost, summary }: Collected): string {
  return JSON.stringify([events, logs, samples, lost, summary]);
}
