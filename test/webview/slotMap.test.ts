import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SlotColouring, type SlotPoolView, type SlotsView, slotColourings } from '../../src/protocol/slots';
import { free, mapCells, noSlot } from '../../src/webview/slotMap/cells';
import { classify, mostClasses } from '../../src/webview/slotMap/classes';
import { layoutMap, placeOf, slotAt } from '../../src/webview/slotMap/layout';
import { mapData, neighbourRun, runAt } from '../../src/webview/slotMap/mapData';
import type { MapTheme, Rgb } from '../../src/webview/slotMap/mapTheme';
import { failureLabel, failureShape } from '../../src/webview/slotMap/paint';
import { fillPixels, packed } from '../../src/webview/slotMap/pixels';

interface Mapping {
  readonly pool?: number;
  readonly first: number;
  readonly slots: number;
  readonly device?: number;
  readonly bornNs?: number;
  readonly direction?: number;
}

const boot = (slots: number, areas = 1): SlotPoolView => ({
  kind: 'boot',
  start: '0x7da00000',
  startLevel: 'recorded',
  slots,
  areas,
  usedSlots: 0,
  addedNs: null,
});
const transient = (slots: number): SlotPoolView => ({ ...boot(slots), kind: 'transient' });

function encode(values: readonly number[], type: typeof Int32Array | typeof Uint8Array | typeof Float64Array): string {
  return Buffer.from(type.from(values).buffer).toString('base64');
}

function view(pools: readonly SlotPoolView[], mappings: readonly Mapping[], more: Partial<SlotsView> = {}): SlotsView {
  const int32 = (of: (mapping: Mapping, index: number) => number) => encode(mappings.map(of), Int32Array);
  return {
    run: { policy: 'recorded', set: {} },
    basis: 'recorded',
    hasTime: true,
    step: 1,
    firstStep: 0,
    lastStep: 9,
    timeNs: 1e6,
    pools,
    mappings: {
      count: mappings.length,
      move: int32((_, index) => index),
      pool: int32(({ pool }) => pool ?? 0),
      firstSlot: int32(({ first }) => first),
      slots: int32(({ slots }) => slots),
      device: int32(({ device }) => device ?? 0),
      direction: encode(
        mappings.map(({ direction }) => direction ?? 1),
        Uint8Array,
      ),
      bornNs: encode(
        mappings.map(({ bornNs }) => bornNs ?? 0),
        Float64Array,
      ),
    },
    devices: [
      { device: 0, rank: 0, name: 'nvme', slots: 1 },
      { device: 5, rank: 9, name: 'slow', slots: 1 },
    ],
    freeSlots: 0,
    largestHole: null,
    event: null,
    unseenSlots: 0,
    displaced: 0,
    failures: 0,
    ...more,
  };
}

const failure = (neededSlots: number, largestHole: number | null, cause: 'fragmented' | 'alignment' = 'fragmented') =>
  ({
    kind: 'failed',
    place: null,
    device: 'nvme',
    sizeBytes: neededSlots * 2048,
    slots: neededSlots,
    pool: null,
    firstSlot: null,
    failure: { cause, neededSlots, largestHole, freeSlots: 100 },
  }) as const;

describe('runs', () => {
  const data = mapData(
    view(
      [boot(256), transient(4)],
      [
        { first: 3, slots: 5 },
        { first: 8, slots: 1 },
        { first: 200, slots: 10 },
        { pool: 1, first: 0, slots: 4 },
      ],
    ),
  );

  it('are the mapping at a slot, or the free slots around it', () => {
    expect(runAt(data, 0, 0)).toEqual({ pool: 0, firstSlot: 0, slots: 3, mapping: null });
    expect(runAt(data, 0, 7)).toEqual({ pool: 0, firstSlot: 3, slots: 5, mapping: 0 });
    expect(runAt(data, 0, 9)).toEqual({ pool: 0, firstSlot: 9, slots: 191, mapping: null });
    expect(runAt(data, 0, 255)).toEqual({ pool: 0, firstSlot: 210, slots: 46, mapping: null });
    expect(runAt(data, 1, 3)).toEqual({ pool: 1, firstSlot: 0, slots: 4, mapping: 3 });
    expect(runAt(data, 0, 256)).toBeNull();
    expect(runAt(data, 2, 0)).toBeNull();
  });

  it('follow one another through all pools, and cover every slot once', () => {
    let slots = 0;
    const forth = [];
    for (let run = runAt(data, 0, 0); run !== null; run = neighbourRun(data, run, 1)) {
      forth.push(run);
      slots += run.slots;
    }
    expect(slots).toBe(260);
    const back = [];
    for (let run = runAt(data, 1, 3); run !== null; run = neighbourRun(data, run, -1)) {
      back.push(run);
    }
    expect(back.reverse()).toEqual(forth);
  });
});

describe('layout', () => {
  it('finds every slot where it draws it, at every zoom', () => {
    const anyPools = fc.array(fc.constantFrom(boot(512, 4), boot(1000), transient(3), transient(70)), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(
        anyPools,
        fc.integer({ min: 320, max: 3840 }),
        fc.constantFrom(1, 2, 8, 64),
        fc.nat(),
        (unsorted, width, zoom, seed) => {
          const pools = [...unsorted].sort((a, b) => (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0));
          const layout = layoutMap(pools, { width, height: 460, zoom });
          const pool = seed % pools.length;
          const slot = seed % pools[pool]!.slots;
          const place = placeOf(layout, pool, slot)!;
          const middle = slotAt(layout, pools, place.x + layout.slotWidth / 2, place.y + layout.rowHeight / 2);
          expect(middle).toEqual({ pool, slot });
          expect(layout.left + 128 * layout.slotWidth).toBeLessThanOrEqual(Math.max(width, 160));
        },
      ),
    );
  });

  it('shows a pool of 1 GiB at once, and rows of whole pixels when it is zoomed', () => {
    const pools = [boot(524_288, 8)];
    const whole = layoutMap(pools, { width: 900, height: 460, zoom: 1 });
    expect(whole.height).toBeLessThanOrEqual(460);
    expect(whole.rowHeight).toBeLessThan(1);
    const near = layoutMap(pools, { width: 900, height: 460, zoom: 32 });
    expect(near.rowHeight).toBeGreaterThan(1);
    expect(near.rowHeight % 1).toBe(0);
  });

  it('has rows as high as those of the map beside', () => {
    const size = { width: 900, height: 460, zoom: 1 };
    const [few, many] = [[boot(512)], [boot(512), boot(4096)]];
    const rows = layoutMap(many, size).rowHeight;
    expect(layoutMap(few, size).rowHeight).toBeGreaterThan(rows);
    expect(layoutMap(few, { ...size, beside: many }).rowHeight).toBe(rows);
    expect(layoutMap(many, { ...size, beside: few }).rowHeight).toBe(rows);
  });

  it('is scrolled where headings alone fill the view', () => {
    const pools = Array.from({ length: 24 }, () => boot(2048));
    const layout = layoutMap(pools, { width: 900, height: 460, zoom: 1 });
    expect(layout.rowHeight).toBeGreaterThanOrEqual(6);
    expect(layout.height).toBeGreaterThan(460);
    expect(layoutMap([boot(512)], { width: 900, height: 460, zoom: 1, beside: pools }).rowHeight).toBeGreaterThan(20);
  });

  it('puts small transient pools into one row, a slot apart, and draws no more rows than a limit', () => {
    const options = { width: 900, height: 460, zoom: 1 };
    const { blocks } = layoutMap([boot(128), transient(2), transient(124), transient(3), transient(128)], options);
    expect(blocks.map(({ firstPool, pools, rows }) => [firstPool, pools, rows])).toEqual([
      [0, 1, 1],
      [1, 4, 3],
    ]);
    expect(blocks[1]!.spots).toEqual([
      { row: 0, column: 0 },
      { row: 0, column: 3 },
      { row: 1, column: 0 },
      { row: 2, column: 0 },
    ]);
    const flood = layoutMap([boot(128), ...Array.from({ length: 300 }, () => transient(100))], options);
    expect(flood.blocks[1]).toMatchObject({ pools: 300, rows: 64 });
    expect(placeOf(flood, 64, 99)).not.toBeNull();
    expect(placeOf(flood, 200, 0)).toBeNull();
  });
});

describe('classes', () => {
  const mappings: Mapping[] = [
    { first: 0, slots: 1, device: 0, bornNs: 999_999, direction: 1 },
    { first: 1, slots: 128, device: 5, bornNs: 0, direction: 2 },
    { first: 129, slots: 3, device: -1, bornNs: Number.NaN, direction: 255 },
  ];
  const data = mapData(view([boot(512)], mappings));

  it('put every mapping into one class, and count its slots there', () => {
    for (const colouring of slotColourings) {
      const { classes, classOf } = classify(data, colouring);
      expect(classes.length).toBeLessThanOrEqual(mostClasses);
      expect(classes.reduce((sum, entry) => sum + entry.slots, 0)).toBe(132);
      expect([...classOf].every((at) => at < classes.length)).toBe(true);
    }
  });

  it('keep unknown apart from what is known', () => {
    const labelOf = (colouring: SlotColouring, mapping: number) => {
      const { classes, classOf } = classify(data, colouring);
      return classes[classOf[mapping]!]!.label;
    };
    expect([0, 1, 2].map((mapping) => labelOf('device', mapping))).toEqual([
      'nvme',
      'others and unknown',
      'others and unknown',
    ]);
    expect([0, 1, 2].map((mapping) => labelOf('age', mapping))).toEqual([
      'below 10 µs',
      '1 ms to 10 ms',
      'from before the trace',
    ]);
    expect([0, 1, 2].map((mapping) => labelOf('size', mapping))).toEqual(['1 slot', '65–128 slots', '3–4 slots']);
    expect([0, 1, 2].map((mapping) => labelOf('direction', mapping))).toEqual([
      'to the device',
      'from the device',
      'unknown',
    ]);
  });

  it('count events where the clock gives order only', () => {
    const order = classify(mapData({ ...data.view, hasTime: false, timeNs: 50 }), 'age');
    expect(order.classes[1]!.label).toBe('10 events to 100 events');
  });
});

describe('pixels', () => {
  const grey: Rgb = [100, 100, 100];
  const theme = {
    background: [255, 255, 255],
    free: [200, 200, 200],
    classes: Array.from({ length: mostClasses }, (_, index): Rgb => [index * 20, 0, 50]),
    ramp: Array.from({ length: mostClasses }, () => grey),
    error: grey,
  } as unknown as MapTheme;

  function pixelsOf(slotsView: SlotsView, zoom: number, height: number) {
    const data = mapData(slotsView);
    const classes = classify(data, 'device');
    const layout = layoutMap(slotsView.pools, { width: 62 + 2 + 128 * 4, height, zoom });
    const image = { width: 576, height, data: new Uint8ClampedArray(576 * height * 4) };
    const cells = mapCells(data, classes, layout);
    fillPixels(image, cells, layout, theme, { scrollTop: 0, ratio: 1, isRamp: false });
    const colours = new Uint32Array(image.data.buffer);
    const at = (pool: number, slot: number) => {
      const place = placeOf(layout, pool, slot)!;
      const y = Math.floor(place.y + Math.min(2, layout.rowHeight / 2));
      return colours[y * 576 + Math.floor(place.x + 2)];
    };
    return { at, cells };
  }

  it('have the colour of the mapping, of free slots, and of nothing behind the end of a pool', () => {
    const { at, cells } = pixelsOf(view([boot(200)], [{ first: 5, slots: 100 }]), 1, 300);
    expect(at(0, 4)).toBe(packed(theme.free));
    expect(at(0, 5)).toBe(packed(theme.classes[0]!));
    expect(at(0, 104)).toBe(packed(theme.classes[0]!));
    expect(at(0, 105)).toBe(packed(theme.free));
    expect(at(0, 210)).toBe(packed(theme.background));
    expect(cells.kind[199]).toBe(free);
    expect(cells.kind[200]).toBe(noSlot);
  });

  it('show a single mapping in a pool whose segments share pixels', () => {
    const { at } = pixelsOf(view([boot(524_288)], [{ first: 262_144, slots: 1 }]), 1, 300);
    expect(at(0, 262_144)).not.toBe(packed(theme.free));
    expect(at(0, 262_144 + 40)).toBe(packed(theme.free));
  });
});

describe('a failed request', () => {
  it('is drawn above the largest hole, as wide as what it needs, inside the row', () => {
    const pools = [boot(512)];
    const hole = { pool: 0, firstSlot: 300, slots: 37 };
    const data = mapData(view(pools, [], { event: failure(62, 37), largestHole: hole }));
    const layout = layoutMap(pools, { width: 900, height: 460, zoom: 1 });
    const shape = failureShape(data, layout)!;
    const place = placeOf(layout, 0, 300)!;
    expect(shape.hole).toMatchObject({ x: place.x, y: place.y, width: 37 * layout.slotWidth });
    expect(shape.bar.width).toBeCloseTo(62 * layout.slotWidth);
    expect(shape.bar.y + shape.bar.height).toBeLessThan(place.y);
    expect(shape.bar.x + shape.bar.width).toBeLessThanOrEqual(layout.left + 128 * layout.slotWidth);
    expect(shape.label).toBe('needs 62 slots, largest hole 37');
  });

  it('is drawn above the first row when it is larger than any hole could be', () => {
    const pools = [boot(512)];
    const hole = { pool: 0, firstSlot: 300, slots: 37 };
    const data = mapData(view(pools, [], { event: failure(162, 37), largestHole: hole }));
    const layout = layoutMap(pools, { width: 900, height: 460, zoom: 1 });
    const shape = failureShape(data, layout)!;
    expect(shape.hole).toBeNull();
    expect(shape.bar.y + shape.bar.height).toBeLessThan(layout.blocks[0]!.rowsTop);
    expect(shape.bar.width).toBeCloseTo(128 * layout.slotWidth);
  });

  it('says what stood in its way', () => {
    const label = (event: ReturnType<typeof failure>) =>
      failureLabel(mapData(view([boot(512)], [], { event, largestHole: { pool: 0, firstSlot: 0, slots: 40 } })));
    expect(label(failure(300, 40))).toBe('needs 300 slots: more than a segment has');
    expect(label(failure(2, 0))).toBe('needs 2 slots, none free');
    expect(label(failure(2, 40, 'alignment'))).toBe('needs 2 slots; it may not start in the hole of 40');
    expect(label(failure(2, 40))).toBe('needs 2 slots; something unseen was in the hole of 40');
    expect(label(failure(50, null))).toBe('needs 50 slots, largest hole 40');
  });
});
