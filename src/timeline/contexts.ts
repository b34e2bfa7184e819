import { ContextBit, type TraceEvent } from '../model/events';
import { ContextLevel, contextLevel } from '../model/tables';

/** One attempt to map of which not everything was seen yet. */
export interface Attempt {
  row: number;
  device: number;
  original: number;
  sizeBytes: number;
  /** EvidenceBit set of what was seen so far. */
  seen: number;
  /** A printed result (probe return, console line) said it failed. */
  failed: boolean;
}

/**
 * One thread of execution of the traced machine: a task at process level, or an interrupt level of a CPU.
 * Events of one call come in order inside a context; an interrupt is a context of its own, so nesting needs no care
 * when the flags column says which level an event ran at.
 */
export interface Context {
  readonly id: number;
  /** False: the trace has no flags (or no CPU and task), events of nested interrupts may be mixed in. */
  isExact: boolean;
  cpu: number;
  /** Attempts without their final event, oldest first: the elements of a scatterlist being mapped, or nested calls. */
  readonly attempts: Attempt[];
  /** Rows whose unmap probe was entered and has not returned, innermost last. */
  readonly unmapping: number[];
  /** Row of the pool table allocated by the growth worker that runs here, -1 none. */
  workerPool: number;
}

const LEVELS = 4;

/** Finds the context of an event: by task at process level, by CPU and level in interrupts. */
export class Contexts {
  private readonly byPid = new Map<number, Context>();
  private readonly byCpu: (Context | undefined)[] = [];
  private readonly all: Context[] = [];
  private readonly lastOfCpu: (Context | undefined)[] = [];
  private readonly lastPidOfCpu: number[] = [];
  private readonly free: Attempt[] = [];

  of(event: TraceEvent): Context {
    return this.find(event.cpu, event.pid, contextLevel(event.context), (event.context & ContextBit.known) !== 0);
  }

  /** The context of a record that does not say its level, when events of it were seen; undefined otherwise. */
  peek(cpu: number, pid: number, level: number): Context | undefined {
    return level !== ContextLevel.process || pid <= 0 ? this.byCpu[slotOf(cpu, level)] : this.byPid.get(pid);
  }

  private find(cpu: number, pid: number, level: number, isKnown: boolean): Context {
    if (level !== ContextLevel.process || pid <= 0) {
      return this.ofCpu(cpu, level, isKnown && cpu >= 0);
    }
    if (cpu >= 0 && this.lastPidOfCpu[cpu] === pid) {
      const context = this.lastOfCpu[cpu] as Context;
      context.cpu = cpu;
      return context;
    }
    let context = this.byPid.get(pid);
    if (context === undefined) {
      context = this.create(cpu, isKnown);
      this.byPid.set(pid, context);
    }
    if (cpu >= 0) {
      this.lastPidOfCpu[cpu] = pid;
      this.lastOfCpu[cpu] = context;
    }
    context.cpu = cpu;
    return context;
  }

  /** Every context that ran last on this CPU (-1: all). */
  *onCpu(cpu: number): Iterable<Context> {
    for (const context of this.all) {
      if (cpu < 0 || context.cpu === cpu || context.cpu < 0) yield context;
    }
  }

  push(context: Context, row: number, device: number, original: number, sizeBytes: number, seen: number): Attempt {
    const attempt = this.free.pop() ?? { row: 0, device: 0, original: 0, sizeBytes: 0, seen: 0, failed: false };
    attempt.row = row;
    attempt.device = device;
    attempt.original = original;
    attempt.sizeBytes = sizeBytes;
    attempt.seen = seen;
    attempt.failed = false;
    context.attempts.push(attempt);
    return attempt;
  }

  /** Takes one attempt out of its context; the object is used again. */
  drop(context: Context, index: number): void {
    const attempts = context.attempts;
    this.free.push(attempts[index]);
    if (index === attempts.length - 1) {
      attempts.pop();
    } else {
      attempts.splice(index, 1);
    }
  }

  /** Takes the attempts [from, to) out. */
  dropRange(context: Context, from: number, to: number): void {
    for (const attempt of context.attempts.splice(from, to - from)) {
      this.free.push(attempt);
    }
  }

  private ofCpu(cpu: number, level: number, isExact: boolean): Context {
    const slot = slotOf(cpu, level);
    let context = this.byCpu[slot];
    if (context === undefined) {
      context = this.create(cpu, isExact);
      this.byCpu[slot] = context;
    }
    return context;
  }

  private create(cpu: number, isExact: boolean): Context {
    const context: Context = {
      id: this.all.length,
      isExact,
      cpu,
      attempts: [],
      unmapping: [],
      workerPool: -1,
    };
    this.all.push(context);
    return context;
  }
}

function slotOf(cpu: number, level: number): number {
  return (cpu + 1) * LEVELS + level;
}
