import { formatCount, formatDuration } from '../../base/format';
import type { SlotColouring as Colouring } from '../../protocol/slots';
import type { MapData } from './mapData';

export const colouringTitles: Readonly<Record<Colouring, string>> = {
  device: 'Device',
  age: 'Age',
  size: 'Size',
  direction: 'Direction',
};

/** One entry of the legend. */
export interface MapClass {
  readonly label: string;
  /** Written on mappings that are wide enough, so that colour is never alone. */
  readonly sign: string;
  readonly slots: number;
  readonly mappings: number;
}

export interface Classes {
  readonly colouring: Colouring;
  /** Ordered classes are shades of one colour, the others have a colour and a pattern each. */
  readonly isRamp: boolean;
  /** At most `mostClasses`. */
  readonly classes: readonly MapClass[];
  /** Per mapping. */
  readonly classOf: Uint8Array;
}

/** As many as there are colours and patterns. */
export const mostClasses = 8;

/** Puts every mapping into a class. Classes do not depend on what is mapped now, so that colours stay while time goes. */
export function classify(data: MapData, colouring: Colouring): Classes {
  const scheme = schemes[colouring](data);
  const classOf = new Uint8Array(data.count);
  const slots = new Float64Array(scheme.labels.length);
  const mappings = new Float64Array(scheme.labels.length);
  for (let index = 0; index < data.count; index++) {
    const at = scheme.classOf(index);
    classOf[index] = at;
    slots[at]! += data.slots[index]!;
    mappings[at]! += 1;
  }
  const classes = scheme.labels.map(([label, sign], index) => ({
    label,
    sign,
    slots: slots[index]!,
    mappings: mappings[index]!,
  }));
  return { colouring, isRamp: scheme.isRamp, classes, classOf };
}

interface Scheme {
  readonly isRamp: boolean;
  readonly labels: readonly (readonly [label: string, sign: string])[];
  readonly classOf: (mapping: number) => number;
}

const letters = 'ABCDEFG';

const schemes: Readonly<Record<Colouring, (data: MapData) => Scheme>> = {
  device: byDevice,
  age: byAge,
  size: bySize,
  direction: byDirection,
};

/** The seven devices that ever held most; the rest share the last class. */
function byDevice({ view, device }: MapData): Scheme {
  const named = mostClasses - 1;
  const rankOf = new Map(view.devices.map((entry) => [entry.device, entry.rank]));
  const labels: [string, string][] = [];
  for (let rank = 0; rank < named; rank++) {
    const name = view.devices.find((entry) => entry.rank === rank)?.name;
    labels.push([name ?? '', letters[rank]!]);
  }
  const hasUnknown = device.some((row) => row < 0);
  labels.push([hasUnknown ? 'others and unknown' : 'others', '+']);
  return {
    isRamp: false,
    labels,
    classOf: (mapping) => Math.min(rankOf.get(device[mapping]!) ?? named, named),
  };
}

/** Decades of time, or of events for clocks that give order only. */
function byAge({ view, bornNs }: MapData): Scheme {
  const unit = view.hasTime ? 1e4 : 10;
  const steps = [1, 10, 100, 1000, 10_000, 100_000].map((factor) => factor * unit);
  const write = (age: number) => (view.hasTime ? formatDuration(age) : `${formatCount(age)} events`);
  const labels = steps.map((step, index): [string, string] => [
    index === 0 ? `below ${write(step)}` : `${write(steps[index - 1]!)} to ${write(step)}`,
    String(index + 1),
  ]);
  labels.push([`${write(steps.at(-1)!)} and more`, String(steps.length + 1)], ['from before the trace', '«']);
  return {
    isRamp: true,
    labels,
    classOf: (mapping) => {
      const age = view.timeNs - bornNs[mapping]!;
      if (Number.isNaN(age)) {
        return steps.length + 1;
      }
      const index = steps.findIndex((step) => age < step);
      return index < 0 ? steps.length : index;
    },
  };
}

/** Powers of two up to a segment. */
function bySize({ slots }: MapData): Scheme {
  const tops = [1, 2, 4, 8, 16, 32, 64, 128];
  const labels = tops.map((top, index): [string, string] => {
    const bottom = index < 2 ? top : tops[index - 1]! + 1;
    return [bottom === top ? `${top} slot${top === 1 ? '' : 's'}` : `${bottom}–${top} slots`, ''];
  });
  return {
    isRamp: true,
    labels,
    classOf: (mapping) => {
      const index = tops.findIndex((top) => slots[mapping]! <= top);
      return index < 0 ? tops.length - 1 : index;
    },
  };
}

function byDirection({ direction }: MapData): Scheme {
  const labels: [string, string][] = [
    ['to the device', '→'],
    ['from the device', '←'],
    ['both ways', '↔'],
    ['unknown', '?'],
  ];
  // Codes of the trace: 0 none, 1 to the device, 2 from the device, 3 bidirectional.
  return { isRamp: false, labels, classOf: (mapping) => [3, 0, 1, 2][direction[mapping]!] ?? 3 };
}
