import type { CpuData, TraceDat } from './container';

/** One event of a ring buffer; the object is reused, the bytes are valid until the next. */
export interface RawEvent {
  /** Nanoseconds (or ticks) of the trace clock, exact. */
  stamp: bigint;
  data: DataView;
}

/** Events lost before the next one; -1 when the page does not say how many. */
export type RingItem =
  | { readonly kind: 'event'; readonly event: RawEvent }
  | { readonly kind: 'lost'; readonly count: number };

/** Pages are 4 KiB to 64 KiB; sub-buffers (6.8) may be larger. */
const minPageBytes = 64;
const maxPageBytes = 1 << 26;
const typePadding = 29;
const typeTimeExtend = 30;
const typeTimeStamp = 31;
/** Flags in the commit word: events were missed before this page, and their number stands behind the data. */
const missedEvents = 2 ** 31;
const missedStored = 2 ** 30;

/** The events of one CPU in order (kernel/trace/ring_buffer.c; page layout from header_page). */
export function* readCpu(dat: TraceDat, cpu: CpuData, onDamage: (text: string) => void): Generator<RingItem, void> {
  const event: RawEvent = { stamp: 0n, data: new DataView(new ArrayBuffer(0)) };
  if (dat.pageBytes < minPageBytes || dat.pageBytes > maxPageBytes || dat.dataOffset >= dat.pageBytes) {
    onDamage(`A ring buffer page of ${dat.pageBytes} bytes with data at ${dat.dataOffset} is impossible.`);
    return;
  }
  for (let index = 0; index < cpu.pieces; index++) {
    const piece = cpu.piece(index);
    if (piece === null) {
      onDamage(`Ring buffer data of CPU ${cpu.cpu} cannot be unpacked.`);
      yield { kind: 'lost', count: -1 };
      continue;
    }
    for (let start = 0; start + dat.dataOffset < piece.length; start += dat.pageBytes) {
      yield* readPage(dat, piece.subarray(start, Math.min(piece.length, start + dat.pageBytes)), event);
    }
  }
}

function* readPage(dat: TraceDat, page: Uint8Array, event: RawEvent): Generator<RingItem, void> {
  const { littleEndian, commitOffset, dataOffset } = dat;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const commitAt = dat.longBytes === 8 && !littleEndian ? commitOffset + 4 : commitOffset;
  if (page.length < 8 || commitAt + 4 > page.length) {
    return;
  }
  let stamp = view.getBigUint64(0, littleEndian);
  const commit = view.getUint32(commitAt, littleEndian);
  const end = Math.min(page.length, dataOffset + (commit & 0xfffff));
  if (commit >= missedEvents) {
    const countAt = end + (littleEndian || dat.longBytes === 4 ? 0 : 4);
    const stored = (commit & missedStored) !== 0 && countAt + 4 <= page.length;
    yield { kind: 'lost', count: stored ? view.getUint32(countAt, littleEndian) : -1 };
  }
  let position = dataOffset;
  while (position + 4 <= end) {
    const head = view.getUint32(position, littleEndian);
    // The bit field begins at the low bits on little-endian machines and at the high bits on others.
    const type = littleEndian ? head & 31 : head >>> 27;
    const delta = littleEndian ? head >>> 5 : head & 0x7ffffff;
    if (type === typePadding) {
      if (delta === 0 || position + 8 > end) {
        return;
      }
      stamp += BigInt(delta);
      position += 4 + view.getUint32(position + 4, littleEndian);
      continue;
    }
    if (type === typeTimeExtend || type === typeTimeStamp) {
      if (position + 8 > end) {
        return;
      }
      const wide = (BigInt(view.getUint32(position + 4, littleEndian)) << 27n) | BigInt(delta);
      // An absolute stamp has 59 bits; the top ones are those of the page.
      stamp = type === typeTimeExtend ? stamp + wide : ((stamp >> 59n) << 59n) | wide;
      position += 8;
      continue;
    }
    stamp += BigInt(delta);
    let length = type * 4;
    let start = position + 4;
    if (type === 0) {
      if (position + 8 > end) {
        return;
      }
      length = view.getUint32(position + 4, littleEndian) - 4;
      start = position + 8;
    }
    if (length < 0 || start + length > end) {
      return;
    }
    event.stamp = stamp;
    event.data = new DataView(page.buffer, page.byteOffset + start, length);
    yield { kind: 'event', event };
    position = start + ((length + 3) & ~3);
  }
}
