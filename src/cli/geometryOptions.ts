import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { generationOfRelease, parseRelease } from '../analysis/geometryKernel';
import { bitsOfMask } from '../base/address';
import type { Generation, GeometryOverrides } from '../model/geometry';
import { generations } from '../model/geometry';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What commander collects from the geometry options. */
export interface GeometryFlags {
  readonly kernel?: Generation;
  readonly poolStart?: number;
  readonly poolSlots?: number;
  readonly areas?: number;
  readonly cpus?: number;
  readonly boot?: string;
  readonly dynamic?: boolean;
  readonly minAlign?: Readonly<Record<string, number>>;
  readonly dmaMask?: Readonly<Record<string, number>>;
  readonly segBoundary?: Readonly<Record<string, number>>;
  readonly class?: Readonly<Record<string, string>>;
}

/** The options that describe a kernel where the input does not. */
export function addGeometryOptions(command: Command): Command {
  return command
    .option('--kernel <generation>', `allocator of this kernel: ${generations.join(', ')}`, readGeneration)
    .option('--pool-start <address>', 'first byte of the boot pool, 0x…', atMost(readAddress, 2 ** 52))
    .option('--pool-slots <n>', 'size of the boot pool in slots of 2 KiB', atMost(readCount, 2 ** 24))
    .option('--areas <n>', 'areas of the boot pool', atMost(readCount, 2 ** 16))
    .option('--cpus <n>', 'possible CPUs', readCpus)
    .option('--boot <parameter>', 'size the pool as this "swiotlb=…" would')
    .option('--dynamic', 'the kernel has CONFIG_SWIOTLB_DYNAMIC')
    .option('--no-dynamic', 'the kernel has it not')
    .option('--min-align <dev=mask>', 'min_align_mask of a device, 0x…', collect(readAddress), {})
    .option('--dma-mask <dev=mask>', 'DMA mask of a device, 0x…', collect(readAddress), {})
    .option('--seg-boundary <dev=mask>', 'segment boundary mask of a device, 0x…', collect(readAddress), {})
    .option('--class <dev=class>', 'block, net or other', collect(readClass), {});
}

/** The flags as the analysis takes them; absent ones stay as found. */
export function overridesOf(flags: GeometryFlags): GeometryOverrides {
  const overrides: Writable<GeometryOverrides> = {};
  if (flags.kernel !== undefined) {
    overrides.generation = flags.kernel;
  }
  if (flags.poolStart !== undefined) {
    overrides.poolStart = flags.poolStart;
  }
  if (flags.poolSlots !== undefined) {
    overrides.poolSlots = flags.poolSlots;
  }
  if (flags.areas !== undefined) {
    overrides.areas = flags.areas;
  }
  if (flags.cpus !== undefined) {
    overrides.cpus = flags.cpus;
  }
  if (flags.boot !== undefined) {
    overrides.boot = flags.boot.replace(/^.*swiotlb=/, '');
  }
  if (flags.dynamic !== undefined) {
    overrides.dynamic = flags.dynamic;
  }
  if (flags.minAlign !== undefined && Object.keys(flags.minAlign).length > 0) {
    overrides.minAlign = flags.minAlign;
  }
  if (flags.dmaMask !== undefined && Object.keys(flags.dmaMask).length > 0) {
    overrides.dmaMaskBits = bitsOf(flags.dmaMask);
  }
  if (flags.segBoundary !== undefined && Object.keys(flags.segBoundary).length > 0) {
    overrides.segBoundaryBits = bitsOf(flags.segBoundary);
  }
  if (flags.class !== undefined && Object.keys(flags.class).length > 0) {
    overrides.deviceClass = flags.class as Readonly<Record<string, 'block' | 'net' | 'other'>>;
  }
  return overrides;
}

/** Every device an option names. */
export function devicesIn(flags: GeometryFlags): readonly string[] {
  return [flags.minAlign, flags.dmaMask, flags.segBoundary, flags.class].flatMap((map) => Object.keys(map ?? {}));
}

/** Masks are contiguous low bits: their bit count is what the model needs. */
function bitsOf(masks: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(masks).map(([device, mask]) => [device, bitsOfMask(mask)]));
}

/** Versions between two generations have the earlier one: nobody should have to know which. */
function readGeneration(text: string): Generation {
  const generation = generations.find((known) => known === text);
  if (generation === undefined) {
    const release = /^\d+\.\d+/.test(text) ? parseRelease(text) : null;
    const hint =
      release === null ? '' : ` Linux ${release.major}.${release.minor} has that of ${generationOfRelease(release)}.`;
    throw new InvalidArgumentError(`Allowed choices are ${generations.join(', ')}.${hint}`);
  }
  return generation;
}

function readAddress(text: string): number {
  const value = /^0x[0-9a-f]+$/i.test(text) || /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) {
    throw new InvalidArgumentError('Expected a number such as 0x7da8e000.');
  }
  return value;
}

/** A whole number above 0. */
export function readCount(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('Expected a whole number above 0.');
  }
  return value;
}

/** CPUs of a machine: no kernel is built for more. */
export const readCpus = atMost(readCount, 8192);

/** What no machine has would only make the program ask for memory that this one does not have. */
function atMost(read: (text: string) => number, limit: number): (text: string) => number {
  return (text) => {
    const value = read(text);
    if (value > limit) {
      throw new InvalidArgumentError(`Expected at most ${limit}.`);
    }
    return value;
  };
}

/** Bytes with an optional binary unit: `8G`, `512MiB`, `1073741824`. */
export function readBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const scale = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }[match?.[2]?.toLowerCase() ?? ''];
  if (match === null || scale === undefined) {
    throw new InvalidArgumentError('Expected bytes, such as 8G or 8589934592.');
  }
  return Math.floor(Number(match[1]) * scale);
}

/** A share as `20%` or `0.2`. */
export function readShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(\s*%)?$/.exec(text.trim());
  if (match === null) {
    throw new InvalidArgumentError('Expected a share, such as 20% or 0.2.');
  }
  return match[2] === undefined ? Number(match[1]) : Number(match[1]) / 100;
}

function readClass(text: string): string {
  if (text !== 'block' && text !== 'net' && text !== 'other') {
    throw new InvalidArgumentError('Expected block, net or other.');
  }
  return text;
}

/** `DEV=VALUE`, may be given several times. Device names hold colons, so the last `=` separates. */
function collect<T>(read: (text: string) => T): (text: string, all: Record<string, T>) => Record<string, T> {
  return (text, all) => {
    const at = text.lastIndexOf('=');
    if (at < 1) {
      throw new InvalidArgumentError('Expected DEVICE=VALUE.');
    }
    return { ...all, [text.slice(0, at)]: read(text.slice(at + 1)) };
  };
}
