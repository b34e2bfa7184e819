import { lowerBound } from '../../base/bisect';
import { contextLevel, type RequestTable, unmapCpuOf, unmapLevelOf } from '../../model/tables';

/** Task of an event whose task is not recorded. */
const ANY_TASK = -1;

const TASK_UNIT = 2 ** 22;
const LEVEL_UNIT = 4;
const LINE_UNIT = TASK_UNIT * LEVEL_UNIT;

/**
 * The lines of the requests by CPU. Where a probe on the entry or the return is missing, a call began after the last
 * event, and ended before the next event, that this CPU printed from a context the call cannot have interrupted.
 */
export class CpuOrder {
  /** Per CPU, sorted: line, context level and task packed into one number. */
  private readonly cpus: Float64Array[] = [];

  constructor(requests: RequestTable, source: number, from: number, to: number) {
    const columns = requests.columns;
    const counts: number[] = [];
    const each = (visit: (cpu: number, line: number, level: number, task: number) => void): void => {
      for (let row = from; row < to; row++) {
        if (columns.source[row] !== source) {
          continue;
        }
        const cpu = columns.cpu[row];
        if (cpu >= 0) {
          const level = contextLevel(columns.context[row]);
          const task = columns.pid[row];
          visit(cpu, columns.enterLine[row], level, task);
          visit(cpu, columns.mapLine[row], level, task);
        }
        const where = columns.unmapWhere[row];
        if (where !== 0) {
          const level = unmapLevelOf(where);
          visit(unmapCpuOf(where), columns.unmapLine[row], level, ANY_TASK);
          visit(unmapCpuOf(where), columns.unmapExitLine[row], level, ANY_TASK);
        }
      }
    };
    each((cpu, line) => {
      counts[cpu] = (counts[cpu] ?? 0) + (line > 0 ? 1 : 0);
    });
    for (const [cpu, count] of counts.entries()) {
      this.cpus[cpu] = new Float64Array(count ?? 0);
      counts[cpu] = 0;
    }
    each((cpu, line, level, task) => {
      if (line > 0) {
        this.cpus[cpu][counts[cpu]++] =
          line * LINE_UNIT + level * TASK_UNIT + (task < 0 ? TASK_UNIT - 1 : task % (TASK_UNIT - 1));
      }
    });
    for (const events of this.cpus) {
      events.sort();
    }
  }

  /** Line of the last event before `line` that the call did not interrupt; 0 when there is none. */
  before(cpu: number, line: number, level: number, task: number): number {
    const events = this.cpus[cpu];
    if (events === undefined) {
      return 0;
    }
    for (let at = lowerBound(events, line * LINE_UNIT) - 1; at >= 0; at--) {
      if (bounds(events[at], level, task)) {
        return Math.floor(events[at] / LINE_UNIT);
      }
    }
    return 0;
  }

  /** Line of the next event after `line` that cannot have interrupted the call; Infinity when there is none. */
  after(cpu: number, line: number, level: number, task: number): number {
    const events = this.cpus[cpu];
    if (events === undefined) {
      return Number.POSITIVE_INFINITY;
    }
    for (let at = lowerBound(events, (line + 1) * LINE_UNIT); at < events.length; at++) {
      if (bounds(events[at], level, task)) {
        return Math.floor(events[at] / LINE_UNIT);
      }
    }
    return Number.POSITIVE_INFINITY;
  }
}

/** A lower context, or the same one; at process level the same task, as tasks may preempt one another. */
function bounds(event: number, level: number, task: number): boolean {
  const inLine = event % LINE_UNIT;
  const other = Math.floor(inLine / TASK_UNIT);
  if (other !== level) {
    return other < level;
  }
  const otherTask = inLine % TASK_UNIT;
  return level !== 0 || task < 0 || otherTask === TASK_UNIT - 1 || otherTask === task % (TASK_UNIT - 1);
}
