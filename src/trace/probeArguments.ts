import type { ProbeDefinition } from '../model/bundle';
import { asciiBytes, decodeUtf8 } from './bytes';
import { meaningOfKeyName } from './fields';

/** What the arguments of the probed functions are, by where a definition takes them from. */
const placesBySymbol: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Behind the third argument the order depends on the kernel: those count by their names only.
  swiotlb_tbl_map_single: { $arg2: 'orig', $arg3: 'size', $retval: 'tlb' },
  swiotlb_tbl_unmap_single: { $arg2: 'tlb', $arg3: 'size' },
  __swiotlb_tbl_unmap_single: {
    $arg2: 'tlb',
    $arg3: 'size',
    '+0($arg6)': 'pool_start',
    '+8($arg6)': 'pool_end',
  },
  // Offsets in struct io_tlb_pool, 6.12 on x86_64.
  swiotlb_alloc_pool: {
    '+0($retval)': 'start',
    '+8($retval)': 'end',
    '+24($retval)': 'nslabs',
    '+36($retval)': 'nareas',
  },
  swiotlb_dyn_free: { '-80($arg1)': 'start', '-72($arg1)': 'end' },
};

/** Argument registers of functions on x86_64 and arm64. */
const registers: Readonly<Record<string, number>> = {
  ...Object.fromEntries(['%di', '%si', '%dx', '%cx', '%r8', '%r9'].map((name, at) => [name, at + 1])),
  ...Object.fromEntries([0, 1, 2, 3, 4, 5].map((at) => [`%x${at}`, at + 1])),
};

/** New names for the arguments of one probe, by the names that its lines print. */
export type Renaming = ReadonlyMap<string, string>;

/** Definitions of probes that were read so far: they say what freely chosen argument names mean. */
export class ProbeArguments {
  private readonly byEvent = new Map<string, Renaming>();

  define(definition: ProbeDefinition): void {
    const places = placesBySymbol[definition.symbol.replace(/\..*$/, '')];
    if (places === undefined) {
      return;
    }
    const renaming = new Map<string, string>();
    for (const { name, value } of definition.arguments) {
      const place = placeOf(value, definition.isReturn);
      // A string behind the first argument is the name of the device.
      const wanted = /^\+.*\(\$arg1\)+:string$/.test(place) ? 'dev' : (places[place.replace(/:.*$/, '')] ?? null);
      const known = meaningOfKeyName(name);
      if (wanted !== null && meaningOfKeyName(wanted) !== known) {
        renaming.set(name, wanted);
      } else if (wanted === null && contested.has(known ?? '') && /^\$(?:arg\d|retval)(?::|$)/.test(place)) {
        renaming.set(name, `other_${name}`);
      }
    }
    if (renaming.size > 0) {
      this.byEvent.set(definition.event, renaming);
    }
  }

  /** Null where the names of the arguments can be taken as they are. */
  of(event: string): Renaming | null {
    return this.byEvent.get(event) ?? null;
  }
}

/** What only one argument can be, so that another of that name must not count. */
const contested: ReadonlySet<string> = new Set(['size', 'original', 'dma']);

/** `%si:x64` as `$arg2:x64`. */
function placeOf(value: string, isReturn: boolean): string {
  return value.replace(/%[a-z]+\d?/, (register) => {
    if (isReturn && (register === '%ax' || register === '%x0')) {
      return '$retval';
    }
    const argument = registers[register];
    return argument === undefined ? register : `$arg${argument}`;
  });
}

/** The fields of a line with the arguments renamed. */
export function renameArguments(renaming: Renaming, buffer: Uint8Array, start: number, end: number): Uint8Array {
  const text = decodeUtf8(buffer, start, end);
  return asciiBytes(
    text.replace(/(^|\s)(\w+)=/g, (whole, before, name) => {
      const wanted = renaming.get(name);
      return wanted === undefined ? whole : `${before}${wanted}=`;
    }),
  );
}
