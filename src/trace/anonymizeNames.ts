/** What stands for a device, a task and a process; the same one for the same name everywhere. */
export class Pseudonyms {
  private readonly devices = new Map<string, string>();
  private readonly tasks = new Map<string, string>();
  private readonly pids = new Map<string, string>();
  private readonly texts = new Map<string, string>();
  private pciDevices = 0;
  private otherDevices = 0;

  get counts(): { readonly devices: number; readonly tasks: number; readonly processes: number } {
    return { devices: this.devices.size, tasks: this.tasks.size, processes: this.pids.size };
  }

  /** PCI devices stay PCI devices: the kernel gives them a segment boundary. */
  device(name: string): string {
    return remember(this.devices, name, () => {
      if (pciAddress.test(name)) {
        const at = this.pciDevices++;
        const bus = (1 + (at >> 5)).toString(16).padStart(2, '0');
        return `0000:${bus}:${(at & 31).toString(16).padStart(2, '0')}.0`;
      }
      return `device${++this.otherDevices}`;
    });
  }

  isDevice(name: string): boolean {
    return this.devices.has(name);
  }

  /** Threads of the kernel keep what they are, without the device or queue in their name. */
  task(name: string): string {
    if (/^(?:<idle>|<\.\.\.>|swapper\/\d+|ksoftirqd\/\d+|migration\/\d+|cpuhp\/\d+)$/.test(name) || name === '') {
      return name;
    }
    const kind = /^(kworker\/|irq\/|rcu)/.exec(name)?.[1]?.replace('/', '') ?? 'task';
    return remember(this.tasks, name, () => `${kind}${this.tasks.size + 1}`);
  }

  /** Stands for a text; the same text has the same number, because messages join files that hold both. */
  text(text: string): string {
    if (text === '') {
      return '';
    }
    const number =
      this.texts.size < maxTexts ? remember(this.texts, text, () => String(this.texts.size + 1)) : this.texts.get(text);
    return number === undefined ? '(text removed)' : `(text ${number} removed)`;
  }

  pid(digits: string): string {
    return Number(digits) === 0 ? digits : remember(this.pids, digits, () => String(1001 + this.pids.size));
  }
}

/** A flood of different texts must not fill the memory. */
const maxTexts = 200_000;

export const pciPattern = '[0-9a-f]{4,5}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]';
const pciAddress = new RegExp(`^${pciPattern}$`);

function remember(known: Map<string, string>, name: string, make: () => string): string {
  let found = known.get(name);
  if (found === undefined) {
    found = make();
    known.set(name, found);
  }
  return found;
}

/** Multiples of this keep page offsets, slots, segments and every alignment mask below 2 MiB. */
const stepBytes = 2 ** 21;
/** Below that, numbers are sizes and counts as well as addresses: they stay. */
const firstAddress = 2 ** 24;
const lastAddress = 2 ** 53;
const fourGiB = 2 ** 32;
/** Kernel pointers say nothing about the pool; null stays null. */
const pointer = 'ffff888000000000';

export interface Shifts {
  /** Added to addresses below and from 4 GiB. 0: none was possible, the addresses are as they were. */
  readonly lowBytes: number;
  readonly highBytes: number;
}

/**
 * Moves addresses by a constant, one below 4 GiB and one above, so that order and distances stay.
 * No address crosses 4 GiB or a DMA mask of the trace. A first look over the input finds out which constants can be.
 */
export class AddressShift {
  /** Lowest and highest address seen of each power of two. */
  private readonly least = new Float64Array(54).fill(Number.POSITIVE_INFINITY);
  private readonly most = new Float64Array(54).fill(0);
  private readonly maskBits = new Set<number>([32]);
  private seed = 0x811c9dc5;
  private planned: Shifts | null = null;
  replaced = 0;

  mask(hex: string): void {
    const value = Number.parseInt(hex, 16);
    const bits = Math.round(Math.log2(value + 1));
    if (Number.isFinite(bits) && 24 < bits && bits < 53) {
      this.maskBits.add(bits);
    }
  }

  /** As many digits as before where they suffice; `0x` is not part of it. */
  hex(digits: string): string {
    const value = Number.parseInt(digits, 16);
    if (/^f+$/i.test(digits) || value < firstAddress) {
      return digits;
    }
    this.replaced++;
    return value >= lastAddress ? pointer : padded(this.move(value, value), digits);
  }

  /** The end, exclusive or not, moves with the start. */
  range(start: string, end: string): readonly [string, string] {
    const from = Number.parseInt(start, 16);
    const to = Number.parseInt(end, 16);
    if (!(firstAddress <= from && from <= to && to < lastAddress)) {
      return [this.hex(start), this.hex(end)];
    }
    this.replaced += 2;
    this.note(Math.max(from, to - 1));
    return [padded(this.move(from, from), start), padded(this.move(to, from), end)];
  }

  /** After the first look. */
  plan(): Shifts {
    if (this.planned !== null) {
      return this.planned;
    }
    this.planned = {
      lowBytes: this.choose((octave) => octave < 32, firstAddress, fourGiB),
      highBytes: this.choose((octave) => 32 <= octave, fourGiB, lastAddress),
    };
    this.replaced = 0;
    return this.planned;
  }

  private move(value: number, regionOf: number): number {
    if (this.planned === null) {
      this.note(value);
      return value;
    }
    return value + (regionOf < fourGiB ? this.planned.lowBytes : this.planned.highBytes);
  }

  private note(value: number): void {
    const octave = Math.floor(Math.log2(value));
    this.least[octave] = Math.min(this.least[octave], value);
    this.most[octave] = Math.max(this.most[octave], value);
    this.seed = Math.imul(this.seed ^ (value % fourGiB), 0x01000193);
  }

  private choose(isMine: (octave: number) => boolean, from: number, to: number): number {
    const bounds = [from, to, ...[...this.maskBits].map((bits) => 2 ** bits)].filter((at) => from <= at && at <= to);
    const fits = (shift: number) => {
      for (let octave = 0; octave < this.least.length; octave++) {
        const [low, high] = [this.least[octave], this.most[octave]];
        if (
          isMine(octave) &&
          low <= high &&
          !bounds.every((at) => low + shift < at === low < at && high + shift < at === high < at)
        ) {
          return false;
        }
      }
      return true;
    };
    const first = 8 + ((this.seed >>> 0) % 56);
    for (let distance = 0; distance < 64; distance++) {
      const steps = 1 + ((first + distance) % 64);
      const found = [-steps * stepBytes, steps * stepBytes].find(fits);
      if (found !== undefined) {
        return found;
      }
    }
    return 0;
  }
}

function padded(value: number, like: string): string {
  return value.toString(16).padStart(like.length, '0');
}
