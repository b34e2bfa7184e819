import { lowerBound } from '../../base/bisect';
import { contextLevel, type RequestTable, unmapCpuOf, unmapLevelOf } from '../../model/tables';

/** Task of an event whose task is not recorded. */
const ANY_TASK = -1;

interface CpuEvents {
  readonly lines: Float64Array;
  readonly levels: Uint8Array;
  readonly tasks: Int32Array;
}

/**
 * The lines of the requests by CPU. Where a probe on the entry or the return is missing, a call began after the last
 * event, and ended before the next event, that this CPU printed from a context the call cannot have interrupted.
 */
export class CpuOrder {
  private readonly cpus = new Map<number, CpuEvents>();

  constructor(requests: RequestTable, source: number) {
    const columns = requests.columns;
    const events = new Map<number, { line: number; level: number; task: number }[]>();
    const add = (cpu: number, line: number, level: number, task: number): void => {
      if (cpu < 0 || line === 0) {
        return;
      }
      const list = events.get(cpu);
      const event = { line, level, task };
      if (list === undefined) {
        events.set(cpu, [event]);
      } else {
        list.push(event);
      }
    };
    for (let row = 0; row < requests.length; row++) {
      if (columns.source[row] !== source) {
        continue;
      }
      const level = contextLevel(columns.context[row]);
      const cpu = columns.cpu[row];
      add(cpu, columns.enterLine[row], level, columns.pid[row]);
      if (columns.mapLine[row] !== columns.enterLine[row]) {
        add(cpu, columns.mapLine[row], level, columns.pid[row]);
      }
      const where = columns.unmapWhere[row];
      const unmapCpu = unmapCpuOf(where);
      add(unmapCpu, columns.unmapLine[row], unmapLevelOf(where), ANY_TASK);
      if (columns.unmapExitLine[row] !== columns.unmapLine[row]) {
        add(unmapCpu, columns.unmapExitLine[row], unmapLevelOf(where), ANY_TASK);
      }
    }
    for (const [cpu, list] of events) {
      list.sort((a, b) => a.line - b.line);
      this.cpus.set(cpu, {
        lines: Float64Array.from(list, (event) => event.line),
        levels: Uint8Array.from(list, (event) => event.level),
        tasks: Int32Array.from(list, (event) => event.task),
      });
    }
  }

  /** Line of the last event before `line` that the call did not interrupt; 0 when there is none. */
  before(cpu: number, line: number, level: number, task: number): number {
    const events = this.cpus.get(cpu);
    if (events === undefined) {
      return 0;
    }
    for (let at = lowerBound(events.lines, line) - 1; at >= 0; at--) {
      if (bounds(events, at, level, task)) {
        return events.lines[at];
      }
    }
    return 0;
  }

  /** Line of the next event after `line` that cannot have interrupted the call; Infinity when there is none. */
  after(cpu: number, line: number, level: number, task: number): number {
    const events = this.cpus.get(cpu);
    if (events === undefined) {
      return Number.POSITIVE_INFINITY;
    }
    for (let at = lowerBound(events.lines, line + 1); at < events.lines.length; at++) {
      if (bounds(events, at, level, task)) {
        return events.lines[at];
      }
    }
    return Number.POSITIVE_INFINITY;
  }
}

/** A lower context, or the same one; at process level the same task, as tasks may preempt one another. */
function bounds(events: CpuEvents, at: number, level: number, task: number): boolean {
  const other = events.levels[at];
  if (other !== level) {
    return other < level;
  }
  return level !== 0 || events.tasks[at] === task || events.tasks[at] === ANY_TASK || task === ANY_TASK;
}
