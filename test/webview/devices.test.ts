import { describe, expect, it } from 'vitest';
import type { DevicesView, DeviceUseView, SharesView } from '../../src/protocol/devices';
import { fittingTicks } from '../../src/webview/devices/bars';
import {
  chosenDevices,
  lifetimeBins,
  shortSentence,
  sizeBins,
  wasteSentence,
} from '../../src/webview/devices/deviceData';
import { sharesAt, stackTops } from '../../src/webview/devices/shareChart';

const edges = [100, 178, 316, 562, 1000, 1778];

function device(name: string, more: Partial<DeviceUseView> = {}): DeviceUseView {
  return {
    device: 0,
    name,
    driver: null,
    class: null,
    requests: 3,
    failed: 0,
    direct: 0,
    peakSlots: 4,
    bytes: 0,
    wasteBytes: 0,
    medianLifetimeNs: null,
    openAtEnd: 0,
    leakSuspected: false,
    dmaMaskBits: null,
    minAlignMask: null,
    lifetimes: [0, 0, 2, 0, 1, 0, 0],
    quantilesNs: null,
    sizes: [
      { mappings: 2, failed: 0, bytes: 3000, wasteBytes: 1096 },
      { mappings: 1, failed: 1, bytes: 4096, wasteBytes: 0 },
      { mappings: 0, failed: 0, bytes: 0, wasteBytes: 0 },
    ],
    short: { mappings: 2, bytes: 3000, ofMappings: 3 },
    leak: null,
    first: null,
    ...more,
  };
}

const view: DevicesView = {
  hasTime: true,
  lifetimeEdgesNs: edges,
  sizeClasses: [
    { fromSlots: 1, toSlots: 1 },
    { fromSlots: 2, toSlots: 2 },
    { fromSlots: 3, toSlots: null },
  ],
  shortNs: 10_000,
  devices: [device('nvme'), device('net', { lifetimes: [0, 0, 0, 0, 0, 4, 0] })],
};

describe('histograms', () => {
  it('add up the chosen devices and leave out the empty ends', () => {
    const all = lifetimeBins(view, view.devices)!;
    expect(all.map((bin) => bin.mappings)).toEqual([2, 0, 1, 4]);
    expect(all.map((bin) => bin.tick)).toEqual(['', '', '', '1 µs']);
    expect(all[0]!.name).toBe('180 ns to 320 ns');
    expect(lifetimeBins(view, chosenDevices(view, 'net'))!.map((bin) => bin.mappings)).toEqual([4]);
    expect(lifetimeBins(view, [])).toEqual([]);
    expect(lifetimeBins({ ...view, lifetimeEdgesNs: null }, view.devices)).toBeNull();
  });

  it('name sizes in slots and keep failures apart', () => {
    expect(sizeBins(view, view.devices)).toEqual([
      { tick: '1', name: '1 slot', mappings: 4, failed: 0, bytes: 6000, wasteBytes: 2192 },
      { tick: '2', name: '2 slots', mappings: 2, failed: 2, bytes: 8192, wasteBytes: 0 },
    ]);
  });
});

describe('sentences', () => {
  it('say what is over at once, and who does it', () => {
    expect(shortSentence(view, view.devices)).toBe(
      '4 mappings of 6 (67 %) live shorter than 10 µs, most of them of nvme (2); 5.9 KiB bounced for them.',
    );
    const none = device('slow', { short: { mappings: 0, bytes: 0, ofMappings: 9 } });
    expect(shortSentence(view, [none])).toBe('No mapping lives shorter than 10 µs.');
    expect(shortSentence(view, [device('?', { short: null })])).toBeNull();
  });

  it('say what rounding costs', () => {
    expect(wasteSentence(sizeBins(view, view.devices))).toMatch(
      /takes 2\.1 KiB on top of 13\.9 KiB asked for \(13 % of the slots\), most of it in mappings of 1 slot\.$/,
    );
    expect(wasteSentence([{ tick: '', name: '', mappings: 1, failed: 0, bytes: 2048, wasteBytes: 0 }])).toMatch(
      /nothing/,
    );
    expect(wasteSentence([])).toBeNull();
  });
});

describe('shares', () => {
  const shares: SharesView = {
    basis: 'recorded',
    timeNs: [0, 10, 20],
    devices: [
      { name: 'a', rank: 0, slots: [1, 5, 2] },
      { name: null, rank: -1, slots: [2, 0, 7] },
    ],
    others: 3,
  };

  it('stand on top of each other', () => {
    expect(stackTops(shares)).toEqual([
      [1, 5, 2],
      [3, 5, 9],
    ]);
  });

  it('hold until the next step', () => {
    expect(sharesAt(shares, -5)).toEqual([1, 2]);
    expect(sharesAt(shares, 19)).toEqual([5, 0]);
    expect(sharesAt(shares, 99)).toEqual([2, 7]);
  });
});

describe('labels of a histogram', () => {
  const sizes = ['1', '2', '3–4', '5–8', '9–16', '17–32', '33–64'];

  it('all stand where there is room, and evenly fewer where there is not', () => {
    expect(fittingTicks(sizes, 100)).toEqual(sizes);
    expect(fittingTicks(sizes, 30).filter((tick) => tick !== '')).toEqual(['1', '3–4', '9–16', '33–64']);
  });

  it('count only those that there are: bars between decades have none', () => {
    const decades = ['', '', '100 µs', '', '', '', '1 ms', '', '', '', '10 ms', '', ''];
    expect(fittingTicks(decades, 30)).toEqual(decades);
    expect(fittingTicks(decades, 1).filter((tick) => tick !== '')).toEqual(['100 µs']);
  });
});
