import { EventKind } from '../model/events';
import { asciiBytes, decodeUtf8, startsWithAt } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';

/** The writer's own limit for a line of events. */
const maxEventBytes = 1 << 16;
/** A record of a session holds evidence and a device catalogue. */
const maxSessionBytes = 1 << 20;
/** Attempts that wait for their result; results of older ones are counted only. */
const maxOpenOperations = 1 << 14;
const slotBytes = 2048;

type JsonObject = Readonly<Record<string, unknown>>;

interface Operation {
  readonly device: number;
  readonly sizeBytes: number;
}

/**
 * Captures of memveil: one JSON object per line (`events.ndjson`), with `kind`, `ts_ns` and `data`, numbers of 64 bits
 * as decimal strings; and the line of `session.json`, which gives devices their names.
 * Its events carry no address, so attempts and failures are events, samples are samples, the rest is counted by kind.
 */
export class Memveil {
  private readonly context: ReaderContext;
  private readonly operations = new Map<string, Operation>();
  private defaultPool = '';
  private lines = 0;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  parse(buffer: Uint8Array, first: number, end: number): VerdictCode {
    if (end - first > maxSessionBytes || !this.mayBeMine(buffer, first, end)) {
      return Verdict.notMine;
    }
    let value: unknown;
    try {
      value = JSON.parse(decodeUtf8(buffer, first, end));
    } catch {
      // Cut off, or text around it; only lines that begin as ours do are damaged ones.
      return this.lines > 0 && startsWithAt(buffer, first, end, usualStart) ? Verdict.bad : Verdict.notMine;
    }
    if (!isObject(value)) {
      return Verdict.notMine;
    }
    if (isObject(value['device_catalog'])) {
      this.lines++;
      return this.session(value, value['device_catalog']);
    }
    const kind = textOf(value['kind']) || textOf(value['event']);
    const isMine = attemptKinds.has(kind) || typeof value['session_id'] === 'string';
    if (kind === '' || !isMine || end - first > maxEventBytes) {
      return Verdict.notMine;
    }
    this.lines++;
    return this.record(kind, value, isObject(value['data']) ? value['data'] : value);
  }

  /** `"ts_ns"` or the device catalogue within the line, after an opening brace. */
  private mayBeMine(buffer: Uint8Array, first: number, end: number): boolean {
    if (buffer[first] !== 0x7b) {
      return false;
    }
    if (this.lines > 0) {
      return true;
    }
    for (let i = first + 1; i < end; i++) {
      if (buffer[i] === 34 && (startsWithAt(buffer, i, end, wordTime) || startsWithAt(buffer, i, end, wordCatalog))) {
        return true;
      }
    }
    return false;
  }

  private session(value: JsonObject, catalog: JsonObject): VerdictCode {
    const { context } = this;
    for (const device of listOf(catalog['devices'])) {
      const id = textOf(device['device_id']);
      const name = textOf(device['name']);
      if (id !== '' && name !== '' && context.deviceNames.size < maxOpenOperations) {
        context.deviceNames.set(id, name);
        const driver = textOf(device['driver']);
        if (driver !== '') {
          const place = { source: context.source, line: context.line };
          context.sink.bundleFact?.({ kind: 'device-driver', device: name, driver, dmaMaskBits: -1, ...place });
        }
      }
    }
    const environment = isObject(value['environment']) ? value['environment'] : {};
    for (const item of listOf(environment['evidence'])) {
      if (item['source'] === 'kernel.release') {
        context.release = textOf(item['interpretation']);
      }
    }
    const quality = isObject(value['quality']) ? value['quality'] : {};
    const lost = isObject(quality['detail']) ? decimal(quality['detail']['loss_count']) : -1;
    if (lost > 0) {
      context.lostEvents(-1, lost);
    }
    context.clock = 'mono';
    context.name('memveil session').understood++;
    return Verdict.understood;
  }

  private record(kind: string, value: JsonObject, data: JsonObject): VerdictCode {
    const { context } = this;
    const { header } = context;
    const place = isObject(value['observer_context']) ? value['observer_context'] : value;
    header.cpu = boundedNumber(place['cpu']);
    header.pid = boundedNumber(place['pid']);
    header.context = 0;
    header.commStart = 0;
    header.commEnd = 0;
    const counter = context.name(`memveil ${kind.slice(0, 64)}`);
    // Readings of counters are written after the events, with the times of start and end.
    const isEvent = kind !== 'counter_snapshot';
    header.timeNs = isEvent ? this.time(value) : Number.NaN;
    if (isEvent) {
      context.noteTime(header.timeNs, 'trace');
    }
    let understood: boolean | null;
    switch (kind) {
      case 'bounce_attempt':
      case 'swiotlb_bounced':
      case 'swiotlb:swiotlb_bounced':
        understood = this.attempt(place, data);
        break;
      case 'map_result':
        understood = this.result(place, data);
        break;
      case 'pool_sample':
        understood = this.sample(data);
        break;
      case 'gap':
        understood = this.gap(data);
        break;
      case 'marker': {
        const event = context.beginEvent(EventKind.marker, noBytes);
        event.text = textOf(data['text']);
        context.sink.event(event);
        understood = true;
        break;
      }
      default:
        understood = null;
    }
    if (understood === null) {
      counter.counted++;
      context.hasField = true;
      return Verdict.counted;
    }
    if (understood) {
      counter.understood++;
    }
    return understood ? Verdict.understood : Verdict.bad;
  }

  /** A request reached swiotlb_bounced; printed before the allocation, like the trace point. */
  private attempt(place: JsonObject, data: JsonObject): boolean {
    const { context } = this;
    const id = textOf(data['device_id']) || textOf(data['device']) || textOf(data['dev_name']);
    const sizeBytes = decimal(data['requested_bytes'] ?? data['size']);
    if (id === '' || sizeBytes < 0) {
      return false;
    }
    const event = context.beginEvent(EventKind.bounced, noBytes);
    event.device = context.strings.intern(context.deviceNames.get(id) ?? id);
    event.comm = context.strings.intern(textOf(place['comm']));
    event.sizeBytes = Math.min(sizeBytes, 0xffffffff);
    event.forced = data['forced'] === true;
    const operation = textOf(data['operation_id']);
    if (operation !== '') {
      if (this.operations.size >= maxOpenOperations) {
        const [oldest] = this.operations.keys();
        this.operations.delete(oldest ?? '');
      }
      this.operations.set(operation, { device: event.device, sizeBytes: event.sizeBytes });
    }
    context.emit(event);
    return true;
  }

  /** A failure is the result of its attempt; a success has no address to be placed at and is counted. */
  private result(place: JsonObject, data: JsonObject): boolean | null {
    const { context } = this;
    if (typeof data['success'] !== 'boolean') {
      return false;
    }
    const id = textOf(data['operation_id']);
    const operation = this.operations.get(id);
    this.operations.delete(id);
    if (data['success'] || operation === undefined) {
      return null;
    }
    const event = context.beginEvent(EventKind.probeMapReturn, noBytes);
    event.device = operation.device;
    event.comm = context.strings.intern(textOf(place['comm']));
    event.sizeBytes = operation.sizeBytes;
    event.failed = true;
    context.emit(event);
    return true;
  }

  /** Bytes become slots; the first pool that is named is taken for the default one. */
  private sample(data: JsonObject): boolean | null {
    const { context } = this;
    const used = decimal(data['used_bytes']);
    const capacity = decimal(data['capacity_bytes']);
    if (data['unit'] !== 'bytes' || (used < 0 && capacity < 0)) {
      return null;
    }
    const id = textOf(data['pool_id']);
    this.defaultPool ||= id;
    context.hasField = true;
    context.sink.sample({
      source: context.source,
      line: context.line,
      timeNs: context.header.timeNs,
      pool: id === this.defaultPool ? '' : id,
      nslabs: slotsOf(capacity),
      used: slotsOf(used),
      hiwater: slotsOf(decimal(data['hiwater_bytes'])),
      transient: -1,
    });
    return true;
  }

  /** Only lost detail is lost events; the other channels are about aggregates. */
  private gap(data: JsonObject): boolean | null {
    if (data['channel'] !== 'detail') {
      return null;
    }
    this.context.lostEvents(-1, decimal(data['lost_count']));
    return true;
  }

  /** `ts_ns`: nanoseconds of CLOCK_MONOTONIC as a decimal string. */
  private time(value: JsonObject): number {
    const digits = String(value['ts_ns'] ?? '');
    if (!/^\d{1,20}$/.test(digits)) {
      return Number.NaN;
    }
    const whole = digits.padStart(10, '0');
    return this.context.relativeNs(Number(whole.slice(0, -9)), Number(whole.slice(-9)), 'boot');
  }
}

/** Understood without the frame of a session too. */
const attemptKinds: ReadonlySet<string> = new Set(['bounce_attempt', 'swiotlb_bounced', 'swiotlb:swiotlb_bounced']);

const noBytes = new Uint8Array(0);
const usualStart = asciiBytes('{"');
const wordTime = asciiBytes('"ts_ns"');
const wordCatalog = asciiBytes('"device_catalog"');

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A text of bounded length, '' for everything else. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 256) : '';
}

/** Numbers of 64 bits are decimal strings; -1 when absent or no number. */
function decimal(value: unknown): number {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && value >= 0 ? value : -1;
  }
  return typeof value === 'string' && /^\d{1,20}$/.test(value) ? Number(value) : -1;
}

function boundedNumber(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31 ? value : -1;
}

function slotsOf(bytes: number): number {
  return bytes < 0 ? -1 : Math.ceil(bytes / slotBytes);
}
