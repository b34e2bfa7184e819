import { sizeBootPool } from '../allocator/bootSizing';
import { formatHex, maskOfBits } from '../base/address';
import { formatBytes, formatCount, formatSlotsAndBytes, plural } from '../base/format';
import type { HoverCard, HoverLine } from '../model/reports';
import { bytesToSlots, SEGMENT_BYTES, SEGMENT_SLOTS, SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { isEncrypted } from './boot';
import { misreadParameter, readBootParameter } from './bootParameter';
import { lineTokens } from './lineTokens';
import { allPools } from './occupancy';

/** The word under the cursor, when it means something by itself. */
export interface Token {
  readonly kind: 'flags' | 'mask' | 'parameter' | 'address' | 'size' | 'failed';
  readonly text: string;
  /** Number it stands for; NaN when none. */
  readonly value: number;
  readonly startColumn: number;
  readonly endColumn: number;
}

/** Letters and dots by column; the verbose latency format has numbers there instead. */
const flagsPattern = /^(?=.*[A-Za-z.#*])[A-Za-z.*#\d]{4,6}$/;
const parameterPattern = /(?<![\w.])swiotlb=([^\s"']*)/g;
const maskPattern = /\bdma_mask=(?:0x)?([0-9a-f]+)/gi;
const sizePattern = /\b(?:size=|sz: )(\d+)/g;
const addressPattern =
  /\b(?:(?:dma_addr|dev_addr|phys_addr|tlb|orig|orig_addr|tlb_addr|start|end)=(?:0x)?|0x)([0-9a-f]{4,16})\b/gi;
const allOnes = /^f{16}$/i;

/** The token at a column; null when the word has no meaning of its own. */
export function tokenAt(text: string, character: number): Token | null {
  const flags = lineTokens(text).find(({ kind }) => kind === 'flags');
  if (flags !== undefined) {
    const [start, end] = [flags.start, flags.start + flags.length];
    const letters = text.slice(start, end);
    if (character >= start && character <= end && flagsPattern.test(letters)) {
      return { kind: 'flags', text: letters, value: Number.NaN, startColumn: start, endColumn: end };
    }
  }
  return (
    find(text, character, parameterPattern, 'parameter', () => Number.NaN) ??
    find(text, character, maskPattern, 'mask', (digits) => bitsOfMask(digits)) ??
    find(text, character, sizePattern, 'size', Number) ??
    find(text, character, addressPattern, 'address', (digits) => Number.parseInt(digits, 16))
  );
}

function find(
  text: string,
  character: number,
  pattern: RegExp,
  kind: Token['kind'],
  toValue: (captured: string) => number,
): Token | null {
  for (const match of text.matchAll(pattern)) {
    const start = match.index;
    const end = start + match[0].length;
    if (character >= start && character <= end) {
      const failed = kind === 'address' && allOnes.test(match[1]);
      return {
        kind: failed ? 'failed' : kind,
        text: match[1],
        value: failed ? Number.NaN : toValue(match[1]),
        startColumn: start,
        endColumn: end,
      };
    }
  }
  return null;
}

/** Set bits of a contiguous mask; 64 for all ones, 0 for none. */
function bitsOfMask(digits: string): number {
  let bits = 0;
  for (let value = BigInt(`0x${digits}`); value > 0n; value >>= 1n) {
    bits++;
  }
  return bits;
}

/** A card of the token alone. */
export function tokenCard(analysis: Analysis, token: Token | null, query: { readonly line: number }): HoverCard | null {
  if (token === null) {
    return null;
  }
  const range = { line: query.line, startColumn: token.startColumn, endColumn: token.endColumn };
  const card = (verdict: string, lines: readonly string[], badge: string | null = null): HoverCard => ({
    range,
    verdict,
    tone: token.kind === 'failed' ? 'failed' : 'info',
    badge,
    lines: lines.map((text) => ({ level: 'derived', text, links: [] })),
  });
  switch (token.kind) {
    case 'flags':
      return card(`Context: ${describeContext(token.text)}`, describeFlags(token.text), token.text);
    case 'mask':
      return maskCard(token, card);
    case 'parameter':
      return parameterCard(analysis, token.text, card);
    case 'size':
      return card(describeSize(token.value), sizeRemarks(token.value));
    case 'failed':
      return card('All ones: the mapping failed', ['This value is the failure sentinel, not an address.']);
    case 'address': {
      const place = describeAddress(analysis, token.value);
      return place === null ? null : card(place, [], formatHex(token.value));
    }
  }
}

/** What a number under the cursor adds to the card of its line. */
export function tokenLines(analysis: Analysis, token: Token | null): readonly HoverLine[] {
  if (token?.kind === 'size') {
    return [{ level: 'derived', text: describeSize(token.value), links: [] }];
  }
  if (token?.kind === 'address') {
    const place = describeAddress(analysis, token.value);
    return place === null ? [] : [{ level: 'derived', text: `${formatHex(token.value)}: ${place}`, links: [] }];
  }
  return [];
}

function maskCard(token: Token, card: (verdict: string, lines: readonly string[]) => HoverCard): HoverCard {
  if (token.value === 0) {
    return card('No DMA mask', ['The device had no mask pointer when the event fired.']);
  }
  const reach =
    token.value >= 64 ? 'the device reaches every address' : `up to ${formatBytes(maskOfBits(token.value) + 1)}`;
  return card(`${token.value}-bit DMA mask: ${reach}`, [
    token.value >= 64
      ? 'So the mapping was bounced for another reason: swiotlb=force, an encrypted guest, or alignment.'
      : 'Buffers above are bounced; a bounce buffer above is refused, whatever the size of the pool.',
  ]);
}

function parameterCard(
  analysis: Analysis,
  value: string,
  card: (verdict: string, lines: readonly string[], badge?: string | null) => HoverCard,
): HoverCard {
  const misread = misreadParameter(value, isEncrypted(analysis));
  const read = readBootParameter(value);
  const lines: string[] = [];
  if (read.areas !== null) {
    lines.push(`${formatCount(read.areas)} areas, rounded up to a power of two (Linux 6.0 and later).`);
  }
  if (read.force) {
    lines.push('force: every DMA mapping is bounced.');
  }
  if (read.noforce) {
    lines.push('noforce: no pool at all; mappings that need one fail.');
  }
  lines.push(...onThisKernel(analysis, value));
  if (read.slots !== null) {
    lines.push('The number counts slots of 2 KiB; kernels with areas round the pool up to a power of two.');
  }
  if (misread !== null) {
    return card(misread.message, lines);
  }
  const size = read.slots === null ? 'the default size' : formatSlotsAndBytes(read.slots);
  return card(read.noforce ? 'Bounce buffers switched off' : `Asks for ${size}`, lines);
}

/** What became of the parameter: what the boot line says, else what the kernel's rules give. */
function onThisKernel(analysis: Analysis, value: string): readonly string[] {
  const { geometry } = analysis;
  const boot = geometry.pools.find(({ kind }) => kind === 'boot');
  const describe = (slots: number, areas: number) =>
    `${formatSlotsAndBytes(slots)}${areas > 1 ? ` in ${formatCount(areas)} areas` : ''}`;
  if (boot !== undefined && boot.slots.evidence.level === 'recorded') {
    return [`This kernel set up ${describe(boot.slots.value, boot.areas.value)}.`];
  }
  if (geometry.cpus.evidence.level === 'assumed' || geometry.generation.value === '4.18') {
    return [];
  }
  const { pool } = sizeBootPool({
    parameter: value,
    possibleCpus: geometry.cpus.value,
    archAdjustBytes: null,
    addressingLimited: true,
    verbose: false,
  });
  const cpus = plural(geometry.cpus.value, 'CPU');
  return [
    pool === null
      ? `With ${cpus} the kernel sets up no pool.`
      : `With ${cpus} the kernel makes that ${describe(pool.slots, pool.areas)}.`,
  ];
}

function describeSize(sizeBytes: number): string {
  const slots = Math.max(1, bytesToSlots(sizeBytes));
  const waste = slots * SLOT_BYTES - sizeBytes;
  const unused = waste > 0 ? `, ${formatBytes(waste)} of it unused` : '';
  return `${formatCount(sizeBytes)} bytes take ${formatSlotsAndBytes(slots)}${unused}, without alignment padding.`;
}

function sizeRemarks(sizeBytes: number): readonly string[] {
  return sizeBytes > SEGMENT_BYTES
    ? [`More than ${SEGMENT_SLOTS} slots (${formatBytes(SEGMENT_BYTES)}) can never be bounced in one mapping.`]
    : [];
}

/** The slot of an address that lies in a pool; null when it lies in none. */
function describeAddress(analysis: Analysis, address: number): string | null {
  for (const pool of allPools(analysis.geometry)) {
    const start = pool.start.value;
    if (address >= start && address < start + pool.slots.value * SLOT_BYTES) {
      const slot = Math.floor((address - start) / SLOT_BYTES);
      const areaSlots = Math.floor(pool.slots.value / Math.max(1, pool.areas.value));
      const area = areaSlots > 0 ? `, area ${formatCount(Math.floor(slot / areaSlots))}` : '';
      return `Slot ${formatCount(slot)} of the ${pool.kind} pool${area}, segment ${formatCount(Math.floor(slot / SEGMENT_SLOTS))}`;
    }
  }
  return null;
}

/** `hard irq, irqs off`: the context a flags column stands for, in words. */
function describeContext(flags: string): string {
  const parts = describeFlags(flags);
  const atomic = /[dDhHszZb]/.test(flags.slice(0, 3)) || /[1-9a-f]/.test(flags[3] ?? '.');
  return atomic
    ? 'atomic, the mapping could not sleep'
    : parts.length === 0
      ? 'ordinary, sleeping possibly allowed'
      : 'ordinary';
}

/** Column by column, as the header of an ftrace file names them; four columns before about 5.17. */
function describeFlags(flags: string): readonly string[] {
  const lines: string[] = [];
  const irqs = { d: 'interrupts off', D: 'interrupts and bottom halves off', b: 'bottom halves off' }[flags[0]];
  const resched: Record<string, string> = {
    N: 'reschedule needed (also preempt)',
    n: 'reschedule needed',
    p: 'preemption needed',
    L: 'lazy reschedule needed',
    l: 'lazy reschedule needed',
    B: 'reschedule needed, lazy too',
    b: 'reschedule needed, lazy too',
  };
  const context = {
    h: 'in a hard interrupt',
    H: 'in a hard interrupt inside a soft interrupt',
    s: 'in a soft interrupt',
    z: 'in an NMI',
    Z: 'in an NMI inside a hard interrupt',
  }[flags[2]];
  if (irqs !== undefined) {
    lines.push(`${flags[0]}: ${irqs}`);
  }
  if (resched[flags[1]] !== undefined) {
    lines.push(`${flags[1]}: ${resched[flags[1]]}`);
  }
  if (context !== undefined) {
    lines.push(`${flags[2]}: ${context}`);
  }
  if (/[1-9a-f]/.test(flags[3] ?? '')) {
    lines.push(`${flags[3]}: preemption disabled ${Number.parseInt(flags[3], 16)} deep`);
  }
  if (/[1-9a-f]/.test(flags[4] ?? '')) {
    lines.push(`${flags[4]}: migration disabled ${Number.parseInt(flags[4], 16)} deep`);
  }
  return lines;
}
