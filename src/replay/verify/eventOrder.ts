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
  const keys = new Float64Array(table.length * 4 + additions.length * 2 + gaps.length * 2);
  let count = 0;
  const add = (key: number, code: number, id: number): void => {
    if (!Number.isFinite(key)) {
      return;
    }
    const place = Math.max(0, Math.round((key + 1) * 4)) * 2 + (code >= EventCode.poolEnter ? 1 : 0);
    keys[count++] = place * codes + id * EVENT_KINDS + code;
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
  const sorted = keys.subarray(0, count).sort();
  for (let at = 0; at < count; at++) {
    sorted[at] %= codes;
  }
  return sorted;
}
