import { type Operations, OpKind } from './operations';

/** Codes are `id * EVENT_KINDS + EventCode`. */
export const EVENT_KINDS = 8;
/** On ties of the key returns come before entries. */
export const EventCode = {
  mapReturn: 0,
  releaseReturn: 1,
  poolReturn: 2,
  poolEnter: 3,
  mapEnter: 4,
  releaseEnter: 5,
  gapEnter: 6,
  gapReturn: 7,
} as const;

/** Entries and returns in the order of their lines: `id * EVENT_KINDS + EventCode`. On ties returns come first. */
export function orderedEvents(operations: Operations): Float64Array {
  const { table, additions, gaps } = operations;
  const ops = table.columns;
  const ids = Math.max(table.length, additions.length, gaps.length) + 1;
  const codes = ids * EVENT_KINDS;
  const most = table.length * 4 + additions.length * 2 + gaps.length * 2;
  const places = new Float64Array(most);
  const events = new Float64Array(most);
  let count = 0;
  let lastPlace = 0;
  const add = (key: number, code: number, id: number): void => {
    if (!Number.isFinite(key)) {
      return;
    }
    const place = Math.max(0, Math.round((key + 1) * 4)) * 2 + (code >= EventCode.poolEnter ? 1 : 0);
    lastPlace = Math.max(lastPlace, place);
    places[count] = place;
    events[count++] = id * EVENT_KINDS + code;
  };
  for (let op = 0; op < table.length; op++) {
    if (ops.kind[op] !== OpKind.older) {
      add(ops.begin[op], EventCode.mapEnter, op);
    }
    add(ops.end[op], EventCode.mapReturn, op);
    add(ops.releaseBegin[op], EventCode.releaseEnter, op);
    add(ops.releaseEnd[op], EventCode.releaseReturn, op);
  }
  for (const [id, addition] of additions.entries()) {
    add(addition.begin, EventCode.poolEnter, id);
    add(addition.end, EventCode.poolReturn, id);
  }
  for (const [id, gap] of gaps.entries()) {
    add(gap.begin, EventCode.gapEnter, id);
    add(gap.end, EventCode.gapReturn, id);
  }
  return sortByPlace(places.subarray(0, count), events.subarray(0, count), lastPlace, codes);
}

/** Events by place, then by code; all codes are below `codes`. */
export function sortByPlace(
  places: Float64Array,
  events: Float64Array,
  lastPlace: number,
  codes: number,
): Float64Array {
  if ((lastPlace + 1) * codes > Number.MAX_SAFE_INTEGER) {
    // Tens of millions of lines: place and code do not fit into one number.
    const order = Uint32Array.from(places, (_, index) => index);
    order.sort((a, b) => places[a] - places[b] || events[a] - events[b]);
    return Float64Array.from(order, (index) => events[index]);
  }
  // Numbers sort several times as fast without a comparison of our own.
  const keys = places.map((place, index) => place * codes + events[index]).sort();
  return keys.map((key) => key % codes);
}
