import type { CpuData, TraceBuffer, TraceDat } from './container';
import type { EventFormat } from './eventFormat';
import { renderRecord } from './render';
import { type RawEvent, type RingItem, readCpu } from './ringBuffer';

/** Clocks whose stamps are no nanoseconds. */
const orderClocks = new Set(['counter', 'uptime', 'x86-tsc', 'ppc-tb']);

interface Lane {
  readonly cpu: CpuData;
  readonly items: Generator<RingItem, void>;
  /** Types of events to take; null for all. */
  readonly takes: ReadonlySet<number> | null;
  next: RawEvent | null;
}

/**
 * The records of a trace.dat as the lines `trace` would have printed, nanoseconds instead of microseconds, all CPUs
 * merged by time. Binary traces are read through their text, so that both give the same analysis line by line.
 */
export function* textLines(
  dat: TraceDat,
  { shares, clock }: Plan,
  onDamage: (text: string) => void,
): Generator<string, void> {
  yield '# tracer: nop';
  const common = new CommonFields(dat);
  const lanes: Lane[] = shares.flatMap(({ buffer, takes }) =>
    buffer.cpus.map((cpu) => ({ cpu, items: readCpu(dat, cpu, onDamage), takes, next: null })),
  );
  for (const lane of lanes) {
    yield* advance(lane, common);
  }
  for (;;) {
    let first: Lane | null = null;
    for (const lane of lanes) {
      if (lane.next !== null && (first === null || first.next === null || lane.next.stamp < first.next.stamp)) {
        first = lane;
      }
    }
    if (first === null || first.next === null) {
      return;
    }
    yield line(dat, clock, common, first.cpu.cpu, first.next);
    yield* advance(first, common);
  }
}

/** Which buffer gives which events. */
interface Plan {
  readonly shares: readonly Share[];
  /** Of all events. */
  readonly clock: string;
}

interface Share {
  readonly buffer: TraceBuffer;
  readonly takes: ReadonlySet<number> | null;
}

/**
 * Trace instances record for themselves: one event may be in several buffers, at slightly different times.
 * Each type of event is taken from the first buffer that has it, so that nothing happens twice.
 */
export function shareOut(dat: TraceDat, onLeftOut: (text: string) => void): Plan {
  if (dat.buffers.length < 2) {
    return {
      shares: dat.buffers.map((buffer) => ({ buffer, takes: null })),
      clock: dat.buffers[0]?.clock ?? dat.clock,
    };
  }
  const common = new CommonFields(dat);
  const taken = new Set<number>();
  let clock = '';
  const shares: Share[] = [];
  for (const buffer of dat.buffers) {
    const { types, events } = typesOf(dat, buffer, common);
    if (types.size === 0) {
      continue;
    }
    const takes = new Set([...types].filter((type) => !taken.has(type)));
    if (clock !== '' && buffer.clock !== clock) {
      onLeftOut(
        `The ${events} events of the trace instance '${buffer.name}' were left out: its clock is ${buffer.clock}, not ${clock}.`,
      );
      continue;
    }
    clock = buffer.clock;
    if (takes.size < types.size) {
      const names = [...types].filter((type) => taken.has(type)).map((type) => dat.formats.get(type)?.name ?? type);
      onLeftOut(
        `Of the trace instance '${buffer.name}' these were left out, an earlier buffer has them: ${names.join(', ')}.`,
      );
    }
    for (const type of takes) {
      taken.add(type);
    }
    if (takes.size > 0) {
      shares.push({ buffer, takes });
    }
  }
  return { shares, clock: clock === '' ? dat.clock : clock };
}

function typesOf(
  dat: TraceDat,
  buffer: TraceBuffer,
  common: CommonFields,
): { readonly types: ReadonlySet<number>; readonly events: number } {
  const types = new Set<number>();
  let events = 0;
  for (const cpu of buffer.cpus) {
    for (const item of readCpu(dat, cpu, ignore)) {
      if (item.kind === 'event') {
        types.add(common.type(item.event.data));
        events++;
      }
    }
  }
  return { types, events };
}

function ignore(): void {}

/** Moves a lane to its next event; losses on the way are lines of their own. */
function* advance(lane: Lane, common: CommonFields): Generator<string, void> {
  for (;;) {
    const item = lane.items.next();
    if (item.done === true) {
      lane.next = null;
      return;
    }
    if (item.value.kind === 'event') {
      if (lane.takes !== null && !lane.takes.has(common.type(item.value.event.data))) {
        continue;
      }
      lane.next = item.value.event;
      return;
    }
    const { count } = item.value;
    yield count < 0 ? `CPU:${lane.cpu.cpu} [LOST EVENTS]` : `CPU:${lane.cpu.cpu} [LOST ${count} EVENTS]`;
  }
}

function line(dat: TraceDat, clock: string, common: CommonFields, cpu: number, event: RawEvent): string {
  const { data } = event;
  const format = dat.formats.get(common.type(data));
  const pid = common.pid(data);
  const comm = pid === 0 ? '<idle>' : (dat.comms.get(pid) ?? '<...>');
  const time = orderClocks.has(clock)
    ? event.stamp.toString().padStart(12)
    : `${event.stamp / 1000000000n}.${(event.stamp % 1000000000n).toString().padStart(9, '0')}`.padStart(16);
  const head = `${comm.padStart(16)}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, '0')}] ${common.flags(data)} ${time}: `;
  return head + (format === undefined ? `event_${common.type(data)}:` : renderRecord(dat, format, data));
}

/** The fields every record begins with; their offsets come from any format file. */
class CommonFields {
  private readonly dat: TraceDat;
  private readonly offsets: Readonly<Record<string, number>>;

  constructor(dat: TraceDat) {
    this.dat = dat;
    const [format]: (EventFormat | undefined)[] = [...dat.formats.values()];
    const offset = (name: string, otherwise: number) =>
      format?.fields.find((field) => field.name === name)?.offset ?? otherwise;
    this.offsets = {
      type: offset('common_type', 0),
      flags: offset('common_flags', 2),
      preempt: offset('common_preempt_count', 3),
      pid: offset('common_pid', 4),
    };
  }

  type(data: DataView): number {
    const { type = 0 } = this.offsets;
    return data.byteLength < type + 2 ? -1 : data.getUint16(type, this.dat.littleEndian);
  }

  pid(data: DataView): number {
    const { pid = 4 } = this.offsets;
    return data.byteLength < pid + 4 ? -1 : data.getInt32(pid, this.dat.littleEndian);
  }

  /** The flags column (trace_print_lat_fmt of 6.12). */
  flags(data: DataView): string {
    const { flags: flagsAt = 2, preempt: preemptAt = 3 } = this.offsets;
    if (data.byteLength <= Math.max(flagsAt, preemptAt)) {
      return '.....';
    }
    const flags = data.getUint8(flagsAt);
    const preempt = data.getUint8(preemptAt);
    const off = (flags & 1) !== 0;
    const bhOff = (flags & 128) !== 0;
    const irqs = off && bhOff ? 'D' : off ? 'd' : bhOff ? 'b' : '.';
    const resched = (flags & 4) !== 0 ? ((flags & 32) !== 0 ? 'N' : 'n') : (flags & 32) !== 0 ? 'p' : '.';
    const hard = (flags & 8) !== 0;
    const soft = (flags & 16) !== 0;
    const nmi = (flags & 64) !== 0;
    const context = nmi ? (hard ? 'Z' : 'z') : hard ? (soft ? 'H' : 'h') : soft ? 's' : '.';
    return irqs + resched + context + depth(preempt & 15) + depth(preempt >> 4);
  }
}

function depth(value: number): string {
  return value === 0 ? '.' : value.toString(16);
}
