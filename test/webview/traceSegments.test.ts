import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineTokens } from '../../src/analysis/lineTokens';
import { tokenKinds } from '../../src/protocol/traceEditor';
import { LineSet } from '../../src/webview/traceView/lineSet';
import { headLength, matchesIn, patternOf, segments } from '../../src/webview/traceView/segments';

describe('segments of a line', () => {
  it('are the whole line, whatever tokens and findings say', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }),
        fc.array(fc.nat(80), { maxLength: 12 }),
        fc.array(fc.tuple(fc.nat(80), fc.nat(80)), { maxLength: 4 }),
        (text, tokens, ranges) => {
          const overlays = ranges.map(([start, end]) => ({ start, end, className: 'x' }));
          expect(
            segments(text, tokens, overlays)
              .map((segment) => segment.text)
              .join(''),
          ).toBe(text);
        },
      ),
    );
  });

  it('carry the token and the finding over it', () => {
    // Kind 4 is an event, kind 6 a device.
    const found = segments('map: dev full', [0, 3, 4, 5, 3, 6], [{ start: 5, end: 13, className: 'squiggle-error' }]);
    expect(found).toEqual([
      { text: 'map', classes: 't-event' },
      { text: ': ', classes: '' },
      { text: 'dev', classes: 't-device squiggle-error' },
      { text: ' full', classes: 'squiggle-error' },
    ]);
  });
});

describe('the columns before the message', () => {
  it('end behind the stamp; a comment has none', () => {
    const line = '  fio-181     [003] b.s..     4.224273: dma_map_page: 0000:00:07.0';
    const tokens = lineTokens(line).flatMap(({ start, length, kind }) => [start, length, tokenKinds.indexOf(kind)]);
    expect(line.slice(headLength(line, tokens))).toBe('dma_map_page: 0000:00:07.0');
    const log = '[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full';
    const ofLog = lineTokens(log).flatMap(({ start, length, kind }) => [start, length, tokenKinds.indexOf(kind)]);
    expect(log.slice(headLength(log, ofLog))).toBe('nvme 0000:05:00.0: swiotlb buffer is full');
    expect(headLength('# tracer: nop', [0, 13, tokenKinds.indexOf('comment')])).toBe(0);
  });
});

describe('matches', () => {
  it('of plain text are not taken as an expression', () => {
    const pattern = patternOf({ text: 'a.b', isRegex: false, matchCase: false });
    expect(matchesIn('axb A.B a.b', pattern, 'm').map(({ start }) => start)).toEqual([4, 8]);
  });

  it('of an expression end, also where it matches nothing', () => {
    const pattern = patternOf({ text: 'x*', isRegex: true, matchCase: true });
    expect(matchesIn('axxb', pattern, 'm')).toEqual([{ start: 1, end: 3, className: 'm' }]);
    expect(patternOf({ text: '(', isRegex: true, matchCase: true })).toBeNull();
  });
});

describe('a set of lines', () => {
  it('is walked in both directions and begins again at the other end', () => {
    const lines = new LineSet();
    lines.append(Uint32Array.of(3, 7));
    lines.append(Uint32Array.of(12));
    expect([lines.after(1), lines.after(7), lines.after(12)]).toEqual([3, 12, 3]);
    expect([lines.before(12), lines.before(3)]).toEqual([7, 12]);
    expect([lines.has(7), lines.has(8), lines.countBelow(8), lines.length]).toEqual([true, false, 2, 3]);
    expect(new LineSet().after(1)).toBe(0);
  });

  it('grows beyond its first room', () => {
    const lines = new LineSet();
    lines.append(Uint32Array.from({ length: 5000 }, (_, index) => index * 2 + 2));
    expect([lines.length, lines.at(4999), lines.has(10_000), lines.has(9_999)]).toEqual([5000, 10_000, true, false]);
  });
});
