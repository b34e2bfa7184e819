import { writeFile } from 'node:fs/promises';
import type { Analysis } from '../analysis/analysis';
import type { BootSizeRequest } from '../analysis/bootSize';
import { bootSize } from '../analysis/bootSize';
import { compareReport, compareTraces } from '../analysis/compare';
import { compareLogs } from '../analysis/compareLogs';
import { devicesReport } from '../analysis/devices';
import { diagnose } from '../analysis/diagnose';
import { guidanceFor, isRecognised } from '../analysis/guidance';
import { info } from '../analysis/info';
import { recordedReplay } from '../analysis/recorded';
import { policiesReport, replayReport, requestsCsv, seriesCsv } from '../analysis/replay';
import { uncertaintyReport } from '../analysis/uncertainty';
import { VectorsRun } from '../analysis/vectors';
import { verifyReport } from '../analysis/verify';
import type { GeometryOverrides } from '../model/geometry';
import type { DiagnoseReport, LedgerReport, ReplayReport } from '../model/reports';
import { parseFailOn } from './failOn';
import { listVectorFiles, loadAnalysis, readTextFile } from './load';
import { sarifOf } from './sarif';
import { sizeWithThreads } from './sizing';
import type { Terminal } from './terminal';
import { diagnoseText } from './textDiagnose';
import { compareLogsText } from './textLogs';
import { bootText, devicesText, infoText, policiesText, vectorsText, verifyText } from './textOther';
import { compareText, replayText } from './textReplay';
import { sizeText } from './textSize';
import { uncertaintyText } from './textUncertainty';

/** Exit codes of the command line; 70 is a bug of this program. */
export const Exit = { done: 0, gateFailed: 1, usage: 2, unreadable: 3, lossy: 4, bug: 70 } as const;

/** Wrong usage that the option parser cannot see. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Options every command has. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly failOn?: string;
  readonly strict?: boolean;
}

export interface Context {
  readonly terminal: Terminal;
  readonly overrides: GeometryOverrides;
  /** Devices that the options name. */
  readonly namedDevices?: readonly string[];
  readonly flags: CommonFlags;
}

/** What a finished command means for the exit code. */
export class Ending {
  private unreadable = false;
  private gateFailed = false;
  private lossy = false;
  private hasPrinted = false;
  private readonly gate: ReturnType<typeof parseFailOn> | null;
  private readonly context: Context;

  constructor(context: Context) {
    this.context = context;
    this.gate = context.flags.failOn === undefined ? null : parseFailOn(context.flags.failOn);
  }

  /** The text about one input, apart from that of the one before. */
  print(text: string): void {
    this.context.terminal.out(this.hasPrinted ? `\n${text}` : text);
    this.hasPrinted = true;
  }

  markUnreadable(): void {
    this.unreadable = true;
  }

  /** A part of the input could not be read: lost, though no ledger counts it. */
  markDamaged(): void {
    this.lossy ||= this.context.flags.strict === true;
  }

  /** Applies the gate and `--strict` to the object of a command. */
  check(object: object, ledger: LedgerReport): void {
    this.checkGate(object);
    this.checkLosses(ledger);
  }

  checkGate(object: object): void {
    if (this.gate !== null) {
      const { failed, unknown } = this.gate(object);
      if (failed) {
        this.gateFailed = true;
        const why = unknown.length > 0 ? ` (unknown: ${unknown.join(', ')})` : '';
        this.context.terminal.note(`gate failed: ${this.context.flags.failOn}${why}`);
      }
    }
  }

  checkLosses(ledger: LedgerReport): void {
    if (this.context.flags.strict === true && ledger.lost + ledger.notUnderstood > 0) {
      this.lossy = true;
      this.context.terminal.note(
        `strict: ${ledger.lost} lost, ${ledger.notUnderstood} lines not understood (swiotlb-lens info tells more)`,
      );
    }
  }

  code(): number {
    if (this.unreadable) {
      return Exit.unreadable;
    }
    if (this.gateFailed) {
      return Exit.gateFailed;
    }
    return this.lossy ? Exit.lossy : Exit.done;
  }
}

export function printJson(context: Context, report: object): void {
  context.terminal.out(`${JSON.stringify(report)}\n`);
}

/** An option for a device that the trace does not have would silently do nothing. */
function checkDeviceNames(analysis: Analysis, names: readonly string[]): void {
  const { devices } = analysis.tables;
  for (const name of names) {
    if (devices.length > 0 && !devices.some((device) => device.name === name)) {
      const known = devices.map((device) => device.name).filter((known) => known !== '');
      throw new UsageError(
        `there is no device '${name}' in ${analysis.file}; there are ${known.slice(0, 20).join(', ')}`,
      );
    }
  }
}

/**
 * Runs `use` for every input that can be read; the others are told on standard error and to `unreadable`, which by
 * default gives each its line of `--json`.
 */
export async function forEachInput(
  files: readonly string[],
  context: Context,
  ending: Ending,
  use: (analysis: Analysis) => void | Promise<void>,
  unreadable: (object: { readonly file: string; readonly error: string }) => void = (object) => {
    if (context.flags.json === true) {
      printJson(context, object);
    }
  },
): Promise<void> {
  for (const file of files) {
    const loaded = await loadAnalysis(file, context.overrides, context.terminal);
    if (!loaded.ok) {
      ending.markUnreadable();
      context.terminal.note(`swiotlb-lens: ${loaded.error}`);
      unreadable({ file, error: loaded.error });
      continue;
    }
    for (const note of loaded.notes) {
      context.terminal.note(`swiotlb-lens: ${note}`);
    }
    if (loaded.notes.length > 0) {
      ending.markDamaged();
    }
    if (!isRecognised(loaded.analysis)) {
      ending.markUnreadable();
      const found = guidanceFor(loaded.analysis)?.found ?? 'Nothing in the input is of a trace or log.';
      context.terminal.note(`swiotlb-lens: ${file}: ${found}`);
    }
    checkDeviceNames(loaded.analysis, context.namedDevices ?? []);
    await use(loaded.analysis);
  }
}

export async function runInfo(files: readonly string[], context: Context): Promise<number> {
  const ending = new Ending(context);
  await forEachInput(files, context, ending, (analysis) => {
    const report = info(analysis);
    if (context.flags.json === true) {
      printJson(context, report);
    } else {
      ending.print(infoText(report, context.terminal));
    }
    ending.check(report, report.ledger);
  });
  return ending.code();
}

export async function runDiagnose(
  files: readonly string[],
  context: Context,
  options: { readonly sarif: boolean; readonly version: string },
): Promise<number> {
  const ending = new Ending(context);
  const reports: DiagnoseReport[] = [];
  const unreadable: string[] = [];
  const use = (analysis: Analysis) => {
    const recorded = analysis.tables.counts.failed === 0 ? null : recordedReplay(analysis);
    const report = diagnose(analysis, { recorded });
    if (options.sarif) {
      reports.push(report);
      if (!isRecognised(analysis)) {
        unreadable.push(`${report.file}: ${report.guidance?.title ?? 'not a trace'}`);
      }
    } else if (context.flags.json === true) {
      printJson(context, report);
    } else {
      ending.print(diagnoseText(report, context.terminal));
    }
    ending.check(report, report.ledger);
  };
  await forEachInput(files, context, ending, use, options.sarif ? ({ error }) => unreadable.push(error) : undefined);
  if (options.sarif) {
    context.terminal.out(`${JSON.stringify(sarifOf(reports, unreadable, options.version), null, 2)}\n`);
  }
  return ending.code();
}

export async function runDevices(files: readonly string[], context: Context): Promise<number> {
  const ending = new Ending(context);
  await forEachInput(files, context, ending, (analysis) => {
    const report = devicesReport(analysis);
    if (context.flags.json === true) {
      printJson(context, report);
    } else {
      ending.print(devicesText(report, guidanceFor(analysis), context.terminal));
    }
    ending.check(report, info(analysis).ledger);
  });
  return ending.code();
}

export async function runVerify(files: readonly string[], context: Context): Promise<number> {
  const ending = new Ending(context);
  await forEachInput(files, context, ending, (analysis) => {
    const report = verifyReport(analysis);
    if (context.flags.json === true) {
      printJson(context, report);
    } else {
      ending.print(verifyText(report, context.terminal));
    }
    ending.check(report, info(analysis).ledger);
  });
  return ending.code();
}

/** What was not replayed has no levels, memory or costs: unknown, so that no gate takes them for 0. */
function replayObject<R extends ReplayReport>(report: R): object {
  return report.replayable
    ? report
    : {
        ...report,
        usedHighWaterSlots: null,
        capacityPeakSlots: null,
        transient: nulls(report.transient),
        pools: [],
        memory: nulls(report.memory),
        copiedBytes: null,
        stalls: nulls(report.stalls),
        workerRuns: null,
        cost: nulls(report.cost),
      };
}

function nulls(object: object): object {
  return Object.fromEntries(Object.keys(object).map((name) => [name, null]));
}

export interface ReplayFlags {
  readonly policy: string;
  readonly set: Readonly<Record<string, string>>;
  readonly bounceAll: boolean;
  readonly series: string | undefined;
  readonly requests: string | undefined;
}

/** The geometry options describe the replayed kernel; the recorded one stays as found. */
export async function runReplay(files: readonly string[], context: Context, flags: ReplayFlags): Promise<number> {
  const ending = new Ending(context);
  if (files.length > 1 && (flags.series !== undefined || flags.requests !== undefined)) {
    throw new UsageError('--series and --requests take one input');
  }
  const writes: Promise<void>[] = [];
  await forEachInput(files, { ...context, overrides: {} }, ending, (analysis) => {
    const { policy, set, bounceAll } = flags;
    const request = { policy, set, bounceAll, overrides: context.overrides };
    const { report, result } = replayReport(analysis, request);
    const uncertainty = uncertaintyReport(analysis, request);
    const object = replayObject({ ...report, ...uncertainty });
    if (context.flags.json === true) {
      printJson(context, object);
    } else {
      const series = result.hasTime ? result.series : null;
      const text = replayText(report, series, guidanceFor(analysis), context.terminal);
      ending.print(`${text}${uncertaintyText(uncertainty, context.terminal)}`);
    }
    if (flags.series !== undefined) {
      writes.push(writeFile(flags.series, seriesCsv(result)));
    }
    if (flags.requests !== undefined) {
      writes.push(writeFile(flags.requests, requestsCsv(analysis, result)));
    }
    ending.check(object, report.ledger);
  });
  await Promise.all(writes);
  return ending.code();
}

export interface CompareFlags {
  readonly policies: readonly string[];
  readonly set: Readonly<Record<string, string>>;
  readonly bounceAll: boolean;
  readonly series: string | undefined;
}

/** One trace under several policies, or several traces under one. */
export async function runCompare(files: readonly string[], context: Context, flags: CompareFlags): Promise<number> {
  const ending = new Ending(context);
  if (files.length > 1 && flags.policies.length > 1) {
    throw new UsageError('compare takes several policies on one input, or several inputs under one policy');
  }
  const analyses: Analysis[] = [];
  await forEachInput(files, { ...context, overrides: {} }, ending, (analysis) => {
    analyses.push(analysis);
  });
  const first = analyses[0];
  if (first === undefined || (files.length > 1 && analyses.length < files.length)) {
    return ending.code();
  }
  const common = { set: flags.set, bounceAll: flags.bounceAll, overrides: context.overrides };
  const { report, results } =
    files.length > 1
      ? compareTraces(analyses, { ...common, policy: flags.policies[0] ?? '' })
      : compareReport(first, { ...common, policies: flags.policies });
  const logs = files.length > 1 ? compareLogs(analyses) : null;
  const object = { ...report, results: report.results.map(replayObject), logs };
  if (context.flags.json === true) {
    printJson(context, object);
  } else if (logs !== null) {
    context.terminal.out(compareLogsText(logs, context.terminal));
  } else {
    context.terminal.out(compareText(report, guidanceFor(first), context.terminal));
  }
  if (flags.series !== undefined) {
    await writeFile(flags.series, seriesCsv(results));
  }
  ending.checkGate(object);
  for (const analysis of analyses) {
    ending.checkLosses(info(analysis).ledger);
  }
  return ending.code();
}

export interface SizeFlags {
  readonly policies: readonly string[] | undefined;
  readonly headroom: number;
  readonly set: Readonly<Record<string, string>>;
  readonly bounceAll: boolean;
}

/** Which pool size a trace needs; `--cpus` is the machine that will run the load. */
export async function runSize(files: readonly string[], context: Context, flags: SizeFlags): Promise<number> {
  const ending = new Ending(context);
  const { cpus, ...overrides } = context.overrides;
  await forEachInput(files, { ...context, overrides: {} }, ending, async (analysis) => {
    const report = await sizeWithThreads(analysis, {
      headroom: flags.headroom,
      set: flags.set,
      bounceAll: flags.bounceAll,
      overrides,
      ...(flags.policies === undefined ? {} : { policies: flags.policies }),
      ...(cpus === undefined ? {} : { cpus }),
    });
    if (context.flags.json === true) {
      printJson(context, report);
    } else {
      ending.print(sizeText(report, guidanceFor(analysis), context.terminal));
    }
    ending.check(report, info(analysis).ledger);
  });
  return ending.code();
}

export async function runVectorFiles(paths: readonly string[], context: Context): Promise<number> {
  const ending = new Ending(context);
  const run = new VectorsRun();
  for (const path of paths) {
    const listed = await listVectorFiles(path);
    if (!listed.ok) {
      ending.markUnreadable();
      context.terminal.note(`swiotlb-lens: ${listed.error}`);
      continue;
    }
    for (const file of listed.files) {
      context.terminal.progress(file);
      const text = await readTextFile(file);
      const error = !text.ok ? text.error : run.add(file, text.text) ? null : `${file}: not a vector file (JSON lines)`;
      if (error !== null) {
        ending.markUnreadable();
        context.terminal.note(`swiotlb-lens: ${error}`);
      }
    }
  }
  context.terminal.progress('');
  const report = run.report();
  if (report.files === 0 && context.flags.json !== true) {
    return ending.code();
  }
  if (context.flags.json === true) {
    printJson(context, report);
  } else {
    context.terminal.out(vectorsText(report, context.terminal));
  }
  ending.checkGate(report);
  return ending.code();
}

export function runPolicies(context: Context): number {
  const ending = new Ending(context);
  const report = policiesReport();
  if (context.flags.json === true) {
    printJson(context, report);
  } else {
    context.terminal.out(policiesText(report, context.terminal));
  }
  ending.checkGate(report);
  return ending.code();
}

export function runBoot(request: BootSizeRequest, context: Context): number {
  const ending = new Ending(context);
  const report = bootSize(request);
  if (context.flags.json === true) {
    printJson(context, report);
  } else {
    context.terminal.out(bootText(report, context.terminal));
  }
  ending.checkGate(report);
  return ending.code();
}
