import { frontOf, marksFailures, type TimelineModel } from './model';
import { panRange, type Range, stepAt, zoomRange } from './scale';

/** What a key does to the time axis: moves the cursor, shows another range, or asks for something else. */
export type KeyAction =
  | { readonly kind: 'cursor'; readonly timeNs: number | null }
  | { readonly kind: 'range'; readonly range: Range }
  | { readonly kind: 'reveal' | 'help' };

/** Shown by `?`; the first word of each entry lists the keys. */
export const keyHelp: readonly (readonly [keys: string, meaning: string])[] = [
  ['← →', 'move the time cursor (Shift: faster)'],
  ['Home End', 'to the left, right end'],
  [', .', 'previous, next change'],
  ['p n', 'previous, next failure'],
  ['Enter', 'go to the line at the cursor (also a click)'],
  ['+ − w s', 'zoom around the cursor (also Ctrl + wheel, or drag a stretch)'],
  ['a d', 'move the axis (also Shift + wheel, or Shift + drag)'],
  ['0', 'show the whole trace'],
  ['Esc', 'take the cursor away'],
  ['?', 'this list'],
];

/** The action of a key, null when it has none. `cursorNs` is where the cursor is, null when it is nowhere. */
export function keyAction(
  key: string,
  isShift: boolean,
  model: TimelineModel,
  cursorNs: number | null,
): KeyAction | null {
  const { range, whole } = model;
  const spanNs = range.toNs - range.fromNs;
  const at = cursorNs ?? (range.fromNs + range.toNs) / 2;
  const cursor = (timeNs: number): KeyAction => ({
    kind: 'cursor',
    timeNs: Math.min(Math.max(timeNs, whole.fromNs), whole.toNs),
  });
  const zoom = (factor: number): KeyAction => ({ kind: 'range', range: zoomRange(range, whole, at, factor) });
  const pan = (share: number): KeyAction => ({ kind: 'range', range: panRange(range, whole, share) });
  const step = spanNs / (isShift ? 20 : 200);
  switch (key) {
    case 'ArrowLeft':
      return cursor(at - step);
    case 'ArrowRight':
      return cursor(at + step);
    case 'Home':
      return cursor(range.fromNs);
    case 'End':
      return cursor(range.toNs);
    case '.':
      return cursor(neighbour(model, at, 1));
    case ',':
      return cursor(neighbour(model, at, -1));
    case 'n':
      return cursor(neighbourFailure(model, cursorNs ?? range.fromNs - 1, 1) ?? at);
    case 'p':
      return cursor(neighbourFailure(model, cursorNs ?? range.toNs + 1, -1) ?? at);
    case '+':
    case '=':
    case 'w':
      return zoom(0.5);
    case '-':
    case 's':
      return zoom(2);
    case 'a':
      return pan(-0.25);
    case 'd':
      return pan(0.25);
    case '0':
      return { kind: 'range', range: whole };
    case 'Enter':
      return { kind: 'reveal' };
    case 'Escape':
      return { kind: 'cursor', timeNs: null };
    case '?':
      return { kind: 'help' };
    default:
      return null;
  }
}

/** The time of the next or previous step of the run in front; where the window has none, a step out of the window. */
function neighbour(model: TimelineModel, timeNs: number, direction: 1 | -1): number {
  const series = frontOf(model)?.series;
  if (series === null || series === undefined) {
    return timeNs;
  }
  let index = stepAt(series.timeNs, timeNs);
  if (direction === -1 && 0 <= index && series.timeNs[index]! < timeNs) {
    return series.timeNs[index]!;
  }
  while (0 <= index + direction && index + direction < series.timeNs.length) {
    index += direction;
    if (series.timeNs[index] !== timeNs) {
      return series.timeNs[index]!;
    }
  }
  const { range } = model;
  const stepNs = (range.toNs - range.fromNs) / 200;
  return direction === 1 ? Math.max(timeNs, range.toNs) + stepNs : Math.min(timeNs, range.fromNs) - stepNs;
}

function neighbourFailure(model: TimelineModel, timeNs: number, direction: 1 | -1): number | null {
  let best: number | null = null;
  for (const shown of model.runs) {
    if (!marksFailures(shown)) {
      continue;
    }
    for (const { timeNs: at } of shown.run.failures) {
      if ((at - timeNs) * direction > 0 && (best === null || (best - at) * direction > 0)) {
        best = at;
      }
    }
  }
  return best;
}
