import { sizeBootPool } from '../allocator/bootSizing';
import { formatHex, maskOfBits } from '../base/address';
import { formatBytes, formatCount, formatSlots, formatSlotsAndBytes, plural } from '../base/format';
import type { HoverCard, HoverLine } from '../model/reports';
import { bytesToSlots, SEGMENT_BYTES, SEGMENT_SLOTS, SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { isEncrypted } from './boot';
import { misreadParameter, readBootParameter } from './bootParameter';
import { type LineToken, lineTokens } from './lineTokens';
import { poolOfAddress } from './occupancy';

/** The word under the cursor, when it means something by itself. */
export interface Token {
  readonly kind: 'flags' | 'mask' | 'parameter' | 'address' | 'size' | 'failed' | 'device' | 'force';
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
/** The last word of swiotlb_bounced: NO_FORCE until 5.18. */
const forcePattern = /\b(FORCE|NORMAL|NO_FORCE|FORCEOFF)(?=\s*$)/g;
const allOnes = /^f{16}$/i;

/** The token at a column; null when the word has no meaning of its own. */
export function tokenAt(text: string, character: number): Token | null {
  const words = lineTokens(text);
  const flags = words.find(({ kind }) => kind === 'flags');
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
    find(text, character, addressPattern, 'address', (digits) => Number.parseInt(digits, 16)) ??
    find(text, character, forcePattern, 'force', () => Number.NaN) ??
    deviceAt(text, character, words)
  );
}

function deviceAt(text: string, character: number, words: readonly LineToken[]): Token | null {
  const word = words.find(
    ({ kind, start, length }) => kind === 'device' && character >= start && character <= start + length,
  );
  if (word === undefined) {
    return null;
  }
  const [startColumn, endColumn] = [word.start, word.start + word.length];
  return { kind: 'device', text: text.slice(startColumn, endColumn), value: Number.NaN, startColumn, endColumn };
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
export function tokenCard(
  analysis: Analysis,
  token: Token | null,
  query: { readonly line: number; readonly lineText: string },
): HoverCard | null {
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
      return card(
        `Context: ${describeContext(token.text, mapLine.test(query.lineText))}`,
        describeFlags(token.text),
        token.text,
      );
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
    case 'device': {
      const facts = describeDevice(analysis, token.text);
      return facts === null ? null : card(facts, []);
    }
    case 'force':
      return null;
  }
}

/** What is known of the mapping of the line, so that the word under the cursor does not say it again. */
interface SaidOfMapping {
  /** NaN when the trace does not tell it. */
  readonly bounce: number;
  readonly slots: number;
  readonly sizeBytes: number;
}

/** What a word under the cursor adds to the card of its line; nothing when the card says it already. */
export function tokenLines(analysis: Analysis, token: Token | null, said: SaidOfMapping | null): readonly HoverLine[] {
  const add = (text: string | null): readonly HoverLine[] =>
    text === null || text === '' ? [] : [{ level: 'derived', text, links: [] }];
  switch (token?.kind) {
    case 'size':
      return said !== null && said.sizeBytes === token.value ? add(paddingOf(said)) : add(describeSize(token.value));
    case 'address': {
      if (said !== null && said.bounce === token.value) {
        return add(describeSegment(analysis, token.value));
      }
      const place = describeAddress(analysis, token.value);
      return add(place === null ? null : `${formatHex(token.value)}: ${place}`);
    }
    case 'device':
      return add(describeDevice(analysis, token.text));
    case 'force':
      return add(forceWords[token.text] ?? null);
    default:
      return [];
  }
}

/** Why it takes more slots than its size alone would; '' when it does not. */
function paddingOf({ slots, sizeBytes }: SaidOfMapping): string {
  const alone = Math.max(1, bytesToSlots(sizeBytes));
  return slots > alone
    ? `The size alone would take ${formatSlots(alone)}; the offset that min_align_mask keeps takes the rest.`
    : '';
}

const forceWords: Readonly<Record<string, string>> = {
  FORCE: 'FORCE: bounced whatever its address, by swiotlb=force or memory encryption.',
  NORMAL: 'NORMAL: bounced because the device cannot reach the buffer, or for its alignment.',
  NO_FORCE: 'NO_FORCE: bounced although swiotlb=noforce is set; there may be no pool.',
  FORCEOFF: 'FORCEOFF: bouncing is switched off.',
};

/** What the trace tells of a device; null for one it does not know. */
function describeDevice(analysis: Analysis, name: string): string | null {
  const known = analysis.geometry.devices.find((device) => device.name === name);
  if (known === undefined) {
    return null;
  }
  const { dmaMaskBits: mask, minAlignMask, deviceClass } = known;
  const parts = [
    analysis.tables.devices[known.device]?.driver || null,
    deviceClass.value === 'unknown' ? null : `${deviceClass.value} device`,
    mask.evidence.level === 'default'
      ? 'DMA mask unknown'
      : mask.value >= 64
        ? '64-bit DMA mask'
        : `${mask.value}-bit DMA mask (up to ${formatBytes(maskOfBits(mask.value) + 1)})`,
    minAlignMask.evidence.level === 'default'
      ? null
      : minAlignMask.value > 0
        ? `min_align_mask ${formatHex(minAlignMask.value)}`
        : 'no min_align_mask',
  ];
  return `${name}: ${parts.filter((part) => part !== null).join(' · ')}`;
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
  const pool = poolOfAddress(analysis.geometry, address);
  if (pool === null) {
    return null;
  }
  const slot = Math.floor((address - pool.start.value) / SLOT_BYTES);
  const areaSlots = Math.floor(pool.slots.value / Math.max(1, pool.areas.value));
  const area = areaSlots > 0 ? `, area ${formatCount(Math.floor(slot / areaSlots))}` : '';
  return `Slot ${formatCount(slot)} of the ${pool.kind} pool${area}, segment ${formatCount(Math.floor(slot / SEGMENT_SLOTS))}`;
}

/** Where in its segment a mapping begins, which its card does not say. */
function describeSegment(analysis: Analysis, address: number): string | null {
  const pool = poolOfAddress(analysis.geometry, address);
  if (pool === null || pool.kind === 'transient') {
    return null;
  }
  const slot = Math.floor((address - pool.start.value) / SLOT_BYTES);
  return `Segment ${formatCount(Math.floor(slot / SEGMENT_SLOTS))}, slot ${formatCount(slot % SEGMENT_SLOTS)} of its ${SEGMENT_SLOTS}.`;
}

/** Lines of a map: on those the context is that of the mapping, on others that of whoever printed the line. */
const mapLine = /\b(?:swiotlb_bounced|dma_map_\w+|swiotlb_tbl_map_single|swiotlb_map)\b/;

/** `atomic, the mapping cannot sleep`: the context a flags column stands for, in words. */
function describeContext(flags: string, ofMapping: boolean): string {
  const atomic = /[dDhHszZb]/.test(flags.slice(0, 3)) || /[1-9a-f]/.test(flags[3] ?? '.');
  if (ofMapping) {
    return atomic ? 'atomic, the mapping cannot sleep' : 'ordinary, the mapping may be allowed to sleep';
  }
  return atomic ? 'atomic, no sleeping here' : 'ordinary';
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
