import { describe, expect, it } from 'vitest';
import type { Stamp } from '../../src/protocol/traceEditor';
import { type StampContext, stampText } from '../../src/webview/traceView/stamps';

const boot = (seconds: number, nanoseconds: number): Stamp => ({ clock: 'boot', seconds, nanoseconds });
const nothing: StampContext = { first: null, previous: null, bootSeconds: null };

describe('the time column', () => {
  it('shows the stamp as printed, with as many digits as it has', () => {
    expect(stampText('boot', boot(12, 345_678_000), nothing)).toBe('12.345678');
    expect(stampText('boot', boot(12, 345_678_901), nothing)).toBe('12.345678901');
    expect(stampText('boot', { clock: 'count', seconds: 4711, nanoseconds: 0 }, nothing)).toBe('4711');
    expect(stampText('boot', null, nothing)).toBe('');
  });

  it('shows differences to the row above and to the start, exact to the nanosecond', () => {
    const context = { ...nothing, first: boot(5, 0), previous: boot(11, 999_999_999) };
    expect(stampText('delta', boot(12, 1), context)).toBe('+0.000000002');
    expect(stampText('delta', boot(11, 999_998_999), context)).toBe('−0.000001');
    expect(stampText('start', boot(12, 500_000_000), context)).toBe('+7.500000');
  });

  it('says nothing about the distance to a stamp of another clock', () => {
    const wall: Stamp = { clock: 'wall', seconds: 1_787_307_072, nanoseconds: 0 };
    expect(stampText('delta', boot(12, 0), { ...nothing, previous: wall })).toBe('');
    expect(stampText('boot', wall, nothing)).toBe('');
  });

  it('shows date and time where the trace tells when the machine booted, else the stamp', () => {
    const context = { ...nothing, bootSeconds: 1_787_307_070.5 };
    expect(stampText('absolute', boot(2, 250_000_000), context)).toBe('2026-08-21 10:11:12.750000');
    expect(stampText('absolute', boot(2, 250_000_000), nothing)).toBe('2.250000');
    const wall: Stamp = { clock: 'wall', seconds: 1_787_307_072, nanoseconds: 0 };
    expect(stampText('absolute', wall, nothing)).toBe('2026-08-21 10:11:12');
    expect(stampText('boot', wall, context)).toBe('1.500000');
  });
});
