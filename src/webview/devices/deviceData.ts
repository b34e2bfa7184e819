import { formatBytes, formatCount, formatDuration, formatPercent, plural } from '../../base/format';
import type { DevicesView, DeviceUseView } from '../../protocol/devices';

/** One class of a histogram. */
export interface Bin {
  /** Below the axis; '' where there is no room for one. */
  readonly tick: string;
  /** What the class is, for tables and readers. */
  readonly name: string;
  readonly mappings: number;
}

export interface SizeBin extends Bin {
  readonly failed: number;
  readonly bytes: number;
  readonly wasteBytes: number;
}

/** The devices that the histograms are about: one by name, or all. */
export function chosenDevices(view: DevicesView, name: string | null): readonly DeviceUseView[] {
  return name === null ? view.devices : view.devices.filter((device) => device.name === name);
}

/** Lifetimes in classes, without the empty ones at both ends; null when the trace shows none. */
export function lifetimeBins(view: DevicesView, devices: readonly DeviceUseView[]): readonly Bin[] | null {
  const edges = view.lifetimeEdgesNs;
  if (edges === null) {
    return null;
  }
  const counts = Array.from({ length: edges.length + 1 }, (_, index) =>
    devices.reduce((sum, device) => sum + (device.lifetimes?.[index] ?? 0), 0),
  );
  const first = counts.findIndex((count) => 0 < count);
  if (first < 0) {
    return [];
  }
  const last = counts.length - 1 - [...counts].reverse().findIndex((count) => 0 < count);
  const bins: Bin[] = [];
  for (let index = first; index <= last; index++) {
    const from = edges[index - 1];
    const to = edges[index];
    bins.push({
      tick: from !== undefined && isDecade(from) ? formatDuration(Math.round(from)) : '',
      name:
        from === undefined
          ? `below ${formatDuration(to!)}`
          : to === undefined
            ? `${formatDuration(from)} and more`
            : `${rounded(from)} to ${rounded(to)}`,
      mappings: counts[index]!,
    });
  }
  return bins;
}

function isDecade(ns: number): boolean {
  const power = Math.log10(ns);
  return Math.abs(power - Math.round(power)) < 1e-9;
}

/** The borders between decades are no round numbers. */
function rounded(ns: number): string {
  return formatDuration(Number(ns.toPrecision(2)));
}

/** Sizes in classes of slots, without the empty ones at the end. */
export function sizeBins(view: DevicesView, devices: readonly DeviceUseView[]): readonly SizeBin[] {
  const bins = view.sizeClasses.map(({ fromSlots, toSlots }, index): SizeBin => {
    const total = (of: (size: DeviceUseView['sizes'][number]) => number) =>
      devices.reduce((sum, device) => sum + of(device.sizes[index]!), 0);
    const name =
      toSlots === null ? `${fromSlots} and more` : fromSlots === toSlots ? String(toSlots) : `${fromSlots}–${toSlots}`;
    return {
      tick: name,
      name: `${name} slot${toSlots === 1 ? '' : 's'}`,
      mappings: total((size) => size.mappings),
      failed: total((size) => size.failed),
      bytes: total((size) => size.bytes),
      wasteBytes: total((size) => size.wasteBytes),
    };
  });
  const used = bins.map((bin) => 0 < bin.mappings + bin.failed);
  return bins.slice(0, used.lastIndexOf(true) + 1);
}

/** How many mappings are over almost at once, and who makes them; null when lifetimes are unknown. */
export function shortSentence(view: DevicesView, devices: readonly DeviceUseView[]): string | null {
  const known = devices.flatMap(({ name, short }) =>
    short === null || short.ofMappings === 0 ? [] : [{ name, ...short }],
  );
  const all = known.reduce((sum, device) => sum + device.ofMappings, 0);
  if (all === 0) {
    return null;
  }
  const mappings = known.reduce((sum, device) => sum + device.mappings, 0);
  const limit = formatDuration(view.shortNs);
  if (mappings === 0) {
    return `No mapping lives shorter than ${limit}.`;
  }
  const bytes = known.reduce((sum, device) => sum + device.bytes, 0);
  const [top] = [...known].sort((a, b) => b.mappings - a.mappings);
  const who =
    known.length < 2 || top === undefined ? '' : `, most of them of ${top.name} (${formatCount(top.mappings)})`;
  return `${plural(mappings, 'mapping')} of ${formatCount(all)} (${formatPercent(mappings / all)}) ${mappings === 1 ? 'lives' : 'live'} shorter than ${limit}${who}; ${formatBytes(bytes)} bounced for them.`;
}

/** What rounding to slots costs. */
export function wasteSentence(bins: readonly SizeBin[]): string | null {
  const bytes = bins.reduce((sum, bin) => sum + bin.bytes, 0);
  const waste = bins.reduce((sum, bin) => sum + bin.wasteBytes, 0);
  if (bytes === 0) {
    return null;
  }
  if (waste === 0) {
    return 'Rounding to slots of 2 KiB costs nothing here: every mapping fills its slots.';
  }
  const [worst] = [...bins].sort((a, b) => b.wasteBytes - a.wasteBytes);
  const where = worst === undefined ? '' : `, most of it in mappings of ${worst.name}`;
  return `Rounding to slots of 2 KiB takes ${formatBytes(waste)} on top of ${formatBytes(bytes)} asked for (${formatPercent(waste / (bytes + waste))} of the slots)${where}.`;
}
