import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { sortByPlace } from '../../../src/replay/verify/eventOrder';

it('sorts events the same way whether or not place and code fit into one number', () => {
  const event = fc.record({ place: fc.nat(50), code: fc.nat(99) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const places = Float64Array.from(events, ({ place }) => place);
      const codes = Float64Array.from(events, ({ code }) => code);
      // Far apart, two places differ in the bits that one number cannot hold.
      const far = places.map((place) => 2 ** 52 + place);
      expect(sortByPlace(far, codes, 2 ** 52 + 50, 100)).toEqual(sortByPlace(places, codes, 50, 100));
      const expected = events.toSorted((a, b) => a.place - b.place || a.code - b.code).map(({ code }) => code);
      expect([...sortByPlace(places, codes, 50, 100)]).toEqual(expected);
    }),
  );
});
