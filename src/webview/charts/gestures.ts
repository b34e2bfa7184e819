import { panRange, type Range, zoomRange } from './scale';

/** A drawing with a time axis, as the mouse sees it. */
export interface TimeSurface {
  readonly canvas: HTMLCanvasElement;
  /** Left and right end of the time axis in the canvas; null before the first drawing. */
  area(): { readonly left: number; readonly right: number } | null;
  timeAt(x: number): number;
  range(): { readonly range: Range; readonly whole: Range } | null;
}

export interface GestureEvents {
  readonly cursor: (timeNs: number | null) => void;
  readonly range: (range: Range) => void;
  /** A press and release on the same place. */
  readonly click: (x: number, y: number) => void;
  /** True when the pointer is on something with a place of its own. */
  readonly isOnMark: (x: number, y: number) => boolean;
  /** The stretch that is being drawn, in pixels; null when it is done. */
  readonly selection: (ends: { readonly fromX: number; readonly toX: number } | null) => void;
}

/** Movements below that are a click. */
const clickPixels = 4;

/**
 * Mouse and wheel over a time axis: a drag selects a stretch to zoom into, with Shift or the middle button it moves the
 * axis; Ctrl + wheel zooms, Shift + wheel or a sideways wheel moves; the plain wheel stays the page's.
 */
export function listenToGestures(surface: TimeSurface, events: GestureEvents): void {
  const { canvas } = surface;
  let drag: { readonly kind: 'select' | 'pan'; readonly fromX: number; toX: number; readonly start: Range } | null =
    null;
  /** Where the pointer was last: browsers send movements that are none when the page moves below it. */
  let lastX = Number.NaN;
  let lastY = Number.NaN;
  const clamp = (x: number) => {
    const area = surface.area();
    return area === null ? x : Math.min(Math.max(x, area.left), area.right);
  };
  const end = () => {
    drag = null;
    canvas.classList.remove('panning');
    events.selection(null);
  };
  canvas.addEventListener('pointerdown', (event) => {
    const ranges = surface.range();
    if (ranges === null || (event.button !== 0 && event.button !== 1)) {
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    const x = clamp(event.offsetX);
    const kind = event.shiftKey || event.button === 1 ? 'pan' : 'select';
    drag = { kind, fromX: x, toX: x, start: ranges.range };
    canvas.classList.toggle('panning', kind === 'pan');
    if (event.button === 1) {
      // The browser's own scrolling by the middle button.
      event.preventDefault();
    }
  });
  canvas.addEventListener('pointermove', (event) => {
    if (event.clientX === lastX && event.clientY === lastY) {
      return;
    }
    lastX = event.clientX;
    lastY = event.clientY;
    const ranges = surface.range();
    const area = surface.area();
    if (drag !== null && ranges !== null && area !== null) {
      drag.toX = clamp(event.offsetX);
      if (drag.kind === 'select') {
        events.selection(drag);
      } else {
        const { start } = drag;
        const share = (drag.fromX - event.offsetX) / Math.max(area.right - area.left, 1);
        events.range(panRange(start, ranges.whole, share));
      }
    }
    events.cursor(surface.timeAt(clamp(event.offsetX)));
    canvas.classList.toggle('on-mark', drag === null && events.isOnMark(event.offsetX, event.offsetY));
  });
  canvas.addEventListener('pointerleave', () => {
    if (drag === null) {
      events.cursor(null);
    }
  });
  canvas.addEventListener('pointerup', (event) => {
    const done = drag;
    end();
    if (done === null) {
      return;
    }
    if (Math.abs(done.toX - done.fromX) < clickPixels) {
      if (event.button === 0) {
        events.click(event.offsetX, event.offsetY);
      }
    } else if (done.kind === 'select') {
      const [a, b] = [surface.timeAt(done.fromX), surface.timeAt(done.toX)];
      events.range({ fromNs: Math.min(a, b), toNs: Math.max(a, b) });
    }
  });
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener(
    'wheel',
    (event) => {
      const ranges = surface.range();
      const isSideways = event.shiftKey || Math.abs(event.deltaY) < Math.abs(event.deltaX);
      if (ranges === null || !(event.ctrlKey || event.metaKey || isSideways)) {
        return;
      }
      event.preventDefault();
      const { range, whole } = ranges;
      if (isSideways) {
        const delta = event.deltaX === 0 ? event.deltaY : event.deltaX;
        events.range(panRange(range, whole, Math.sign(delta) * 0.1));
      } else {
        events.range(zoomRange(range, whole, surface.timeAt(clamp(event.offsetX)), event.deltaY < 0 ? 0.8 : 1.25));
      }
    },
    { passive: false },
  );
}
