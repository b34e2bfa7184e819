import { StringTable } from '../../src/base/stringTable';
import {
  ContextBit,
  createTraceEvent,
  Direction,
  EventKind,
  resetTraceEvent,
  type TraceEvent,
} from '../../src/model/events';
import type { LogRecord } from '../../src/model/log';
import type { Source, TraceTables } from '../../src/model/tables';
import { createTimeline, type Timeline } from '../../src/timeline/timeline';

/**
 * Feeds ftrace text to a timeline through a small line-by-line regular-expression parser.
 * Tests of the timeline stay readable (real trace lines) and do not depend on src/trace.
 */
export interface TraceFeeder {
  readonly timeline: Timeline;
  readonly strings: StringTable;
  /** Feeds lines to one source; the line numbers go on where the last call stopped. */
  feed(source: number, text: string): void;
  open(path?: string, meta?: Partial<Source>): number;
  tables(): TraceTables;
  /** Events handed over so far, by kind. */
  readonly counts: Map<number, number>;
}

const header = /^\s*(.*?)-(\d+)\s+\[(\d+)\]\s+(?:([^\s\d]\S{3,5}|[^\s]{4,6})\s+)?(\d+)(?:\.(\d+))?: (\S+?): ?(.*)$/;
const directions: Record<string, number> = {
  TO_DEVICE: Direction.toDevice,
  FROM_DEVICE: Direction.fromDevice,
  BIDIRECTIONAL: Direction.bidirectional,
  NONE: Direction.none,
};
const allOnes = 'ffffffffffffffff';

const dmaKinds: Record<string, number> = {
  dma_map_page: EventKind.mapPage,
  dma_map_phys: EventKind.mapPage,
  dma_map_resource: EventKind.mapPage,
  dma_unmap_page: EventKind.unmapPage,
  dma_unmap_phys: EventKind.unmapPage,
  dma_unmap_resource: EventKind.unmapPage,
  dma_map_sg: EventKind.mapSg,
  dma_unmap_sg: EventKind.unmapSg,
  dma_map_sg_err: EventKind.mapSgError,
  dma_sync_single_for_cpu: EventKind.sync,
  dma_sync_single_for_device: EventKind.sync,
  dma_sync_sg_for_cpu: EventKind.syncSg,
  dma_sync_sg_for_device: EventKind.syncSg,
  dma_alloc: EventKind.coherentAlloc,
  dma_free: EventKind.coherentFree,
};

export function createFeeder(): TraceFeeder {
  const strings = new StringTable();
  const timeline = createTimeline(strings);
  const event = createTraceEvent();
  const counts = new Map<number, number>();
  const lines: number[] = [];
  const origins: (number | null)[] = [];
  return {
    timeline,
    strings,
    counts,
    open(path = 'trace.txt', meta = {}) {
      const id = timeline.openSource(path);
      lines[id] = 0;
      origins[id] = null;
      timeline.closeSource(id, {
        format: 'ftrace',
        clock: '',
        timeUnit: 'ns',
        origin: { seconds: 0, nanoseconds: 0 },
        ...meta,
      });
      return id;
    },
    feed(source, text) {
      for (const line of text.split('\n')) {
        lines[source]++;
        if (line.trim() === '' || line.startsWith('#')) {
          continue;
        }
        feedLine(source, lines[source], line);
      }
    },
    tables: () => timeline.snapshot(),
  };

  function feedLine(source: number, lineNumber: number, line: string): void {
    const lost = /^CPU:(\d+) \[LOST (\d+ )?EVENTS\]/.exec(line);
    if (lost !== null) {
      timeline.lost({ source, line: lineNumber, cpu: Number(lost[1]), count: lost[2] ? Number(lost[2]) : -1 });
      return;
    }
    const plain = /^\[\s*(\d+)\.(\d+)\] (.*)$/.exec(line);
    if (plain !== null) {
      feedMessage(source, lineNumber, toNs(plain[1], plain[2]), plain[3], false, -1, -1);
      return;
    }
    const match = header.exec(line);
    if (match === null) {
      return;
    }
    const [, comm, pid, cpu, flags, seconds, fraction, name, rest] = match;
    const timeNs = fraction === undefined ? Number.NaN : toNs(seconds, fraction);
    if (name === 'console') {
      feedMessage(source, lineNumber, timeNs, rest, true, Number(cpu), Number(pid));
      return;
    }
    resetTraceEvent(event);
    event.source = source;
    event.line = lineNumber;
    event.timeNs = timeNs;
    event.cpu = Number(cpu);
    event.pid = Number(pid);
    event.comm = strings.intern(comm);
    event.context = contextOf(flags ?? '');
    if (!fillEvent(event, name, rest)) {
      return;
    }
    counts.set(event.kind, (counts.get(event.kind) ?? 0) + 1);
    timeline.event(event);
  }

  function fillEvent(target: TraceEvent, name: string, rest: string): boolean {
    const fields = new Map<string, string>();
    for (const [, key, value] of rest.matchAll(/(\w+)[=:] ?(\{[^}]*\}|"[^"]*"|\S+)/g)) {
      fields.set(key, value.replaceAll('"', ''));
    }
    const probe = /^\((?:\S+ (?:\[\S+\] )?<- )?([\w.]+)(?:\+0x\S+)?\)/.exec(rest);
    if (name === 'swiotlb_bounced') {
      target.kind = EventKind.bounced;
      target.device = strings.intern(fields.get('dev_name') ?? '');
      target.original = hex(fields.get('dev_addr'));
      target.sizeBytes = Number(fields.get('size'));
      target.forced = rest.endsWith('FORCE');
      target.dmaMaskBits = BigInt(`0x${fields.get('dma_mask')}`)
        .toString(2)
        .replace(/^0$/, '').length;
      return true;
    }
    if (name === 'tracing_mark_write') {
      target.kind = EventKind.marker;
      target.text = rest;
      return true;
    }
    const kind = dmaKinds[name];
    if (kind !== undefined) {
      target.kind = kind as TraceEvent['kind'];
      target.device = strings.intern(rest.split(' ')[0]);
      target.direction = (directions[fields.get('dir') ?? 'NONE'] ?? 0) as TraceEvent['direction'];
      target.failed = fields.get('dma_addr') === allOnes;
      target.dma = target.failed ? Number.NaN : hex(fields.get('dma_addr'));
      target.original = hex(fields.get('phys_addr'));
      target.sizeBytes = fields.has('size') ? Number(fields.get('size')) : -1;
      target.toDevice = name.endsWith('for_device');
      fill(target.sgDma, fields.get('dma_addrs'));
      fill(target.sgSizes, fields.get('sizes'));
      fill(target.sgOriginal, fields.get('phys_addrs'));
      target.sgCount = Math.max(target.sgDma.length, target.sgOriginal.length);
      target.sgTruncated = rest.includes('[TRUNCATED]');
      target.sgTotal = fields.has('nents') ? Number((fields.get('nents') as string).split('/')[1]) : -1;
      return true;
    }
    if (probe === null) {
      return false;
    }
    return fillProbe(target, rest.includes('<-'), probe[1], fields);
  }

  function fillProbe(target: TraceEvent, isReturn: boolean, symbol: string, fields: Map<string, string>): boolean {
    const base = symbol.replace(/\..*$/, '');
    target.device = strings.intern(fields.get('dev') ?? '');
    target.sizeBytes = fields.has('size') ? Number(fields.get('size')) : -1;
    target.original = hex(fields.get('orig'));
    target.poolStart = hex(fields.get('start') ?? fields.get('pool_start'));
    target.poolEnd = hex(fields.get('end') ?? fields.get('pool_end'));
    target.poolSlots = Number(fields.get('nslabs') ?? -1);
    target.poolAreas = Number(fields.get('nareas') ?? -1);
    target.transient = Number(fields.get('transient') ?? -1);
    target.allocAlignMask = Number(fields.get('amask') ?? -1);
    target.failed = fields.get('tlb') === `0x${allOnes}`;
    target.dma = target.failed ? Number.NaN : hex(fields.get('tlb'));
    switch (base) {
      case 'swiotlb_tbl_map_single':
        target.kind = isReturn ? EventKind.probeMapReturn : EventKind.probeMapEnter;
        return true;
      case 'swiotlb_tbl_unmap_single':
      case '__swiotlb_tbl_unmap_single':
        target.kind = isReturn ? EventKind.probeUnmapReturn : EventKind.probeUnmapEnter;
        return true;
      case 'swiotlb_alloc_pool':
        target.kind = isReturn ? EventKind.probePoolAllocReturn : EventKind.probePoolAllocEnter;
        target.failed = isReturn && fields.get('pool') === '0x0';
        return true;
      case 'swiotlb_dyn_alloc':
        target.kind = isReturn ? EventKind.probeWorkerReturn : EventKind.probeWorkerEnter;
        return true;
      case 'swiotlb_dyn_free':
        target.kind = EventKind.probePoolFree;
        return true;
      default:
        target.kind = EventKind.probeOther;
        return true;
    }
  }

  function feedMessage(
    source: number,
    line: number,
    timeNs: number,
    text: string,
    viaTrace: boolean,
    cpu: number,
    pid: number,
  ): void {
    const full =
      /^(\S+) (\S+): swiotlb buffer is full \(sz: (\d+) bytes\)(?:, total (\d+) \(slots\), used (\d+) \(slots\))?/.exec(
        text,
      );
    const space = /^DMA: Out of SW-IOMMU space for (\d+) bytes at device (\S+)/.exec(text);
    const suppressed = /(\d+) callbacks suppressed/.exec(text);
    const mapped = /mapped \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]/.exec(text);
    const areas = /area num (\d+)/.exec(text);
    const kind: LogRecord['kind'] | undefined = full
      ? 'buffer-full'
      : space
        ? 'out-of-space'
        : suppressed
          ? 'suppressed'
          : mapped
            ? 'pool-mapped'
            : areas
              ? 'area-num'
              : undefined;
    if (kind === undefined) {
      return;
    }
    timeline.log({
      kind,
      source,
      line,
      byteOffset: 0,
      startColumn: 0,
      endColumn: text.length,
      timeNs,
      viaTrace,
      cpu,
      pid,
      device: full?.[2] ?? space?.[2] ?? '',
      driver: full?.[1] ?? '',
      text,
      sizeBytes: Number(full?.[3] ?? space?.[1] ?? -1),
      totalSlots: Number(full?.[4] ?? -1),
      usedSlots: Number(full?.[5] ?? -1),
      count: Number(suppressed?.[1] ?? areas?.[1] ?? -1),
      start: mapped ? Number.parseInt(mapped[1], 16) : Number.NaN,
      end: mapped ? Number.parseInt(mapped[2], 16) : Number.NaN,
      maskBits: -1,
      busLimit: Number.NaN,
      value: '',
    });
  }
}

function toNs(seconds: string, fraction: string): number {
  return Number(seconds) * 1e9 + Number(fraction.padEnd(9, '0'));
}

function hex(text: string | undefined): number {
  return text === undefined ? Number.NaN : Number.parseInt(text.replace(/^0x/, ''), 16);
}

function fill(target: number[], list: string | undefined): void {
  target.length = 0;
  for (const item of (list ?? '{}').slice(1, -1).split(',')) {
    if (item !== '') {
      target.push(Number.parseInt(item, 16));
    }
  }
}

function contextOf(flags: string): number {
  if (flags === '') {
    return 0;
  }
  let context = ContextBit.known as number;
  context |= flags[0] === 'd' ? ContextBit.irqsOff : flags[0] === 'D' ? ContextBit.irqsOff | ContextBit.bhOff : 0;
  context |= flags[0] === 'b' ? ContextBit.bhOff : 0;
  context |= flags[2] === 'h' ? ContextBit.hardIrq : flags[2] === 'H' ? ContextBit.hardIrq | ContextBit.softIrq : 0;
  context |= flags[2] === 's' ? ContextBit.softIrq : 0;
  context |= flags[3] !== '.' && flags[3] !== '0' ? ContextBit.preemptOff : 0;
  return context;
}
