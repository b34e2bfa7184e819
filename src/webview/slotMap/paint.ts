import { lowerBound } from '../../base/bisect';
import { formatBytes, formatCount, formatSlots, plural } from '../../base/format';
import { SEGMENT_SLOTS, SLOT_BYTES } from '../../model/units';
import { type MapCells, mapCells } from './cells';
import type { Classes } from './classes';
import { type MapLayout, type PoolBlock, placeOf } from './layout';
import type { MapData, SlotRun } from './mapData';
import { css, inkOn, type MapTheme, type Rgb } from './mapTheme';
import { fillPixels } from './pixels';

/** Everything a drawing of the map needs. */
export interface MapPicture {
  readonly data: MapData;
  readonly classes: Classes;
  readonly layout: MapLayout;
  readonly cells: MapCells;
  readonly theme: MapTheme;
  readonly selected: SlotRun | null;
}

export function mapPicture(
  data: MapData,
  classes: Classes,
  layout: MapLayout,
  theme: MapTheme,
  selected: SlotRun | null,
): MapPicture {
  return { data, classes, layout, theme, selected, cells: mapCells(data, classes, layout) };
}

/** The part of the map that is drawn, in CSS pixels, and device pixels per CSS pixel. */
export interface MapWindow {
  readonly scrollTop: number;
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
}

export function paintMap(canvas: HTMLCanvasElement, picture: MapPicture, window: MapWindow): void {
  const { ratio, scrollTop } = window;
  const width = Math.max(1, Math.round(window.width * ratio));
  const height = Math.max(1, Math.round(window.height * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext('2d');
  if (context === null) {
    return;
  }
  const { cells, layout, theme, classes } = picture;
  const image = imageFor(canvas, context, width, height);
  fillPixels(image, cells, layout, theme, { scrollTop, ratio, isRamp: classes.isRamp });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.putImageData(image, 0, 0);
  context.setTransform(ratio, 0, 0, ratio, 0, -scrollTop * ratio);
  const visible = layout.blocks.filter((block) => block.top < scrollTop + window.height && scrollTop < block.bottom);
  for (const block of visible) {
    paintHeading(context, picture, block, window.width);
    paintBrackets(context, picture, block);
  }
  paintSigns(context, picture, window);
  paintEvent(context, picture);
  paintSelection(context, picture);
  paintFailure(context, picture, window);
}

const images = new WeakMap<HTMLCanvasElement, ImageData>();

/** Every pixel is written in every frame, so the one before can be used again. */
function imageFor(
  canvas: HTMLCanvasElement,
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
): ImageData {
  let image = images.get(canvas);
  if (image === undefined || image.width !== width || image.height !== height) {
    image = context.createImageData(width, height);
    images.set(canvas, image);
  }
  return image;
}

export interface Heading {
  readonly title: string;
  readonly detail: string;
}

export function headingOf({ view }: MapData, block: PoolBlock): Heading {
  const pool = view.pools[block.firstPool]!;
  const used = view.pools
    .slice(block.firstPool, block.firstPool + block.pools)
    .reduce((sum, { usedSlots }) => sum + usedSlots, 0);
  if (pool.kind === 'transient') {
    const hidden = block.pools - (block.spots?.length ?? 0);
    return {
      title: plural(block.pools, 'transient pool'),
      detail: `${formatSlots(used)} in use${0 < hidden ? ` · ${formatCount(hidden)} not drawn` : ''}`,
    };
  }
  const start = pool.start === null ? 'start unknown' : pool.start;
  const isGuess = pool.start !== null && pool.startLevel === 'assumed';
  return {
    title: `${pool.kind[0]!.toUpperCase()}${pool.kind.slice(1)} pool`,
    detail: `${formatBytes(pool.slots * SLOT_BYTES)} · ${formatCount(used)} of ${formatSlots(pool.slots)} in use · ${start}${isGuess ? ' (assumed)' : ''}`,
  };
}

function paintHeading(context: CanvasRenderingContext2D, picture: MapPicture, block: PoolBlock, width: number): void {
  const { theme, data } = picture;
  const { title, detail } = headingOf(data, block);
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.font = `600 12px ${theme.font}`;
  context.fillStyle = theme.text;
  context.fillText(title, 0, block.top + 9);
  const after = context.measureText(title).width + 10;
  context.font = `11px ${theme.font}`;
  context.fillStyle = theme.muted;
  context.fillText(clipped(context, detail, width - after), after, block.top + 9.5);
}

function clipped(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) {
    return text;
  }
  let short = text;
  while (short.length > 1 && width < context.measureText(`${short}…`).width) {
    short = short.slice(0, -1);
  }
  return `${short}…`;
}

export interface Bracket {
  readonly x: number;
  readonly top: number;
  readonly bottom: number;
  readonly name: string;
}

/** Areas at the left of a pool. */
export function bracketsOf({ data, layout }: MapPicture, block: PoolBlock): readonly Bracket[] {
  const pool = data.view.pools[block.firstPool]!;
  if (pool.kind === 'transient') {
    return [];
  }
  const areaHeight = (block.rows / pool.areas) * layout.rowHeight;
  // Brackets and names that would touch each other say nothing: every second, fourth … one then.
  const strideFor = (height: number) => Math.max(1, 2 ** Math.ceil(Math.log2(height / Math.max(0.001, areaHeight))));
  const named = strideFor(14);
  const brackets: Bracket[] = [];
  for (let area = 0; area < pool.areas; area += strideFor(4)) {
    const top = Math.round(block.rowsTop + area * areaHeight) + 0.5;
    const end = Math.min(block.bottom, block.rowsTop + (area + 1) * areaHeight);
    const bottom = Math.max(top, Math.round(end - (layout.rowHeight < 4 ? 0 : 1)) - 0.5);
    const name = layout.left < 40 ? String(area) : `area ${area}`;
    brackets.push({ x: layout.left - 6, top, bottom, name: area % named === 0 ? name : '' });
  }
  return brackets;
}

function paintBrackets(context: CanvasRenderingContext2D, picture: MapPicture, block: PoolBlock): void {
  const { theme } = picture;
  context.strokeStyle = theme.line;
  context.fillStyle = theme.muted;
  context.font = `11px ${theme.font}`;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.lineWidth = 1;
  for (const { x, top, bottom, name } of bracketsOf(picture, block)) {
    context.beginPath();
    context.moveTo(x + 4, top);
    context.lineTo(x, top);
    context.lineTo(x, bottom);
    context.lineTo(x + 4, bottom);
    context.stroke();
    context.fillText(name, x - 4, (top + bottom) / 2);
  }
}

/** The sign of its class, or its size, on every mapping that has room for it. */
function paintSigns(context: CanvasRenderingContext2D, picture: MapPicture, window: MapWindow): void {
  const { data, layout, theme, classes } = picture;
  if (layout.rowHeight < 11) {
    return;
  }
  const colours = classes.isRamp ? theme.ramp : theme.classes;
  context.font = `${Math.min(11, layout.rowHeight - 2)}px ${theme.font}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const block of layout.blocks) {
    const [from, to] = visibleMappings(data, layout, block, window);
    for (let index = from; index < to; index++) {
      const place = placeOf(layout, data.pool[index]!, data.firstSlot[index]!);
      if (place !== null) {
        paintSign(context, picture, index, place, colours);
      }
    }
  }
}

/** Mappings of a pool are sorted by slot, so those in the visible rows stand together. */
function visibleMappings(
  data: MapData,
  { rowHeight }: MapLayout,
  block: PoolBlock,
  window: MapWindow,
): readonly [from: number, to: number] {
  const begin = data.poolStart[block.firstPool]!;
  const end = data.poolStart[block.firstPool + block.pools]!;
  if (block.bottom < window.scrollTop || window.scrollTop + window.height < block.top) {
    return [0, 0];
  }
  if (block.spots !== null) {
    return [begin, end];
  }
  const slotAtRow = (y: number) => Math.floor((y - block.rowsTop) / rowHeight) * SEGMENT_SLOTS;
  const slots = data.firstSlot.subarray(begin, end);
  return [
    begin + lowerBound(slots, slotAtRow(window.scrollTop)),
    begin + lowerBound(slots, slotAtRow(window.scrollTop + window.height) + SEGMENT_SLOTS),
  ];
}

function paintSign(
  context: CanvasRenderingContext2D,
  { data, layout, classes }: MapPicture,
  index: number,
  place: { readonly x: number; readonly y: number },
  colours: readonly Rgb[],
): void {
  const sign = classes.classes[classes.classOf[index]!]!.sign || String(data.slots[index]!);
  const right = layout.left + SEGMENT_SLOTS * layout.slotWidth;
  const width = Math.min(data.slots[index]! * layout.slotWidth, right - place.x);
  if (width < 7 + sign.length * 6) {
    return;
  }
  const colour = colours[classes.classOf[index]!]!;
  if (!classes.isRamp && 0 < classes.classOf[index]!) {
    // A quiet ground under the sign, so that the pattern does not eat it.
    const half = 2.5 + sign.length * 3.5;
    context.fillStyle = css(colour);
    context.fillRect(place.x + width / 2 - half, place.y + 1, 2 * half, layout.rowHeight - 3);
  }
  context.fillStyle = inkOn(colour);
  context.fillText(sign, place.x + width / 2, place.y + layout.rowHeight / 2);
}

/** A run's outline; over the border of a segment it is drawn to the end of the row. */
function outline(picture: MapPicture, run: SlotRun): { x: number; y: number; width: number; height: number } | null {
  const { layout } = picture;
  const place = placeOf(layout, run.pool, run.firstSlot);
  if (place === null) {
    return null;
  }
  const room = SEGMENT_SLOTS - (run.firstSlot % SEGMENT_SLOTS);
  return {
    x: place.x,
    y: place.y,
    width: Math.min(run.slots, room) * layout.slotWidth,
    height: Math.max(2, layout.rowHeight - (4 <= layout.rowHeight ? 1 : 0)),
  };
}

/** What the last step took or gave back: an outline, dashed when the slots are free now. */
function paintEvent(context: CanvasRenderingContext2D, picture: MapPicture): void {
  const { event } = picture.data.view;
  if (event === null || event.pool === null || event.firstSlot === null) {
    return;
  }
  const run = { pool: event.pool, firstSlot: event.firstSlot, slots: event.slots, mapping: null };
  const box = outline(picture, run);
  if (box !== null) {
    context.setLineDash(event.kind === 'released' ? [3, 2] : []);
    context.lineWidth = 2;
    context.strokeStyle = picture.theme.text;
    context.strokeRect(box.x, box.y, Math.max(3, box.width), box.height);
    context.setLineDash([]);
  }
}

function paintSelection(context: CanvasRenderingContext2D, picture: MapPicture): void {
  const box = picture.selected === null ? null : outline(picture, picture.selected);
  if (box !== null) {
    context.setLineDash([]);
    context.lineWidth = 2;
    context.strokeStyle = picture.theme.focus;
    context.strokeRect(box.x, box.y, Math.max(3, box.width), box.height);
  }
}

/** The request that failed above the row where it nearly fitted, and the largest hole. */
function paintFailure(context: CanvasRenderingContext2D, picture: MapPicture, window: MapWindow): void {
  const { data, layout, theme } = picture;
  const shape = failureShape(data, layout);
  if (shape === null) {
    return;
  }
  const error = css(theme.error);
  const { bar, hole, label } = shape;
  context.setLineDash([]);
  if (hole !== null) {
    context.lineWidth = 2;
    context.strokeStyle = error;
    context.strokeRect(hole.x, hole.y, Math.max(2, hole.width), Math.max(2, hole.height));
  }
  context.fillStyle = css(theme.background);
  context.fillRect(bar.x - 1, bar.y - 1, bar.width + 2, bar.height + 2);
  context.save();
  context.beginPath();
  context.rect(bar.x, bar.y, bar.width, bar.height);
  context.clip();
  context.strokeStyle = error;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let x = bar.x - bar.height; x < bar.x + bar.width; x += 5) {
    context.moveTo(x, bar.y + bar.height);
    context.lineTo(x + bar.height, bar.y);
  }
  context.stroke();
  context.restore();
  context.lineWidth = 1.5;
  context.strokeStyle = error;
  context.strokeRect(bar.x, bar.y, bar.width, bar.height);
  context.font = `600 11px ${theme.font}`;
  const width = Math.min(window.width - 8, context.measureText(label).width + 10);
  const fits = bar.x + bar.width + 4 + width <= window.width;
  // Beside the bar, else above it, else on it: the heading of the pool stays free.
  const isUnderHeading = layout.blocks.some((block) => block.top < bar.y && bar.y - 17 < block.top + 18);
  const x = fits ? bar.x + bar.width + 4 : Math.max(0, Math.min(bar.x + 4, window.width - width));
  const y = fits || isUnderHeading ? bar.y + bar.height / 2 - 8 : bar.y - 17;
  context.fillStyle = css(theme.background);
  context.fillRect(x, y, width, 16);
  context.strokeStyle = error;
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, width - 1, 15);
  context.fillStyle = theme.text;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.fillText(clipped(context, label, width - 10), x + 5, y + 8.5);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface FailureShape {
  readonly bar: Box;
  readonly hole: Box | null;
  readonly label: string;
}

/** Where the failed request of this moment is drawn; null when the last step was no failure or there is no pool. */
export function failureShape(data: MapData, layout: MapLayout): FailureShape | null {
  const { event, largestHole } = data.view;
  const failure = event?.failure ?? null;
  const block = layout.blocks[0];
  if (failure === null || block === undefined) {
    return null;
  }
  // What is larger than a segment nearly fits nowhere.
  const place =
    largestHole === null || SEGMENT_SLOTS < failure.neededSlots
      ? null
      : placeOf(layout, largestHole.pool, largestHole.firstSlot);
  const rowHeight = Math.max(2, layout.rowHeight - (4 <= layout.rowHeight ? 1 : 0));
  const hole =
    place === null || largestHole === null
      ? null
      : { x: place.x, y: place.y, width: largestHole.slots * layout.slotWidth, height: rowHeight };
  const slots = Math.min(SEGMENT_SLOTS, failure.neededSlots);
  const width = slots * layout.slotWidth;
  const right = layout.left + SEGMENT_SLOTS * layout.slotWidth;
  const x = Math.max(layout.left, Math.min(hole?.x ?? layout.left, right - width));
  const height = Math.min(10, Math.max(6, layout.rowHeight - 3));
  return { bar: { x, y: (hole?.y ?? block.rowsTop) - height - 2, width, height }, hole, label: failureLabel(data) };
}

/** `needs 62 slots, largest hole 37`. */
export function failureLabel({ view }: MapData): string {
  const failure = view.event?.failure ?? null;
  if (failure === null) {
    return '';
  }
  const needs = `needs ${formatSlots(failure.neededSlots)}`;
  if (SEGMENT_SLOTS < failure.neededSlots) {
    return `${needs}: more than a segment has`;
  }
  const { largestHole } = failure;
  if (largestHole === 0 || (largestHole === null && view.largestHole === null)) {
    return `${needs}, none free`;
  }
  const hole = largestHole ?? view.largestHole!.slots;
  if (hole < failure.neededSlots) {
    return `${needs}, largest hole ${formatCount(hole)}`;
  }
  return failure.cause === 'alignment' || view.basis === 'modelled'
    ? `${needs}; it may not start in the hole of ${formatCount(hole)}`
    : `${needs}; something unseen was in the hole of ${formatCount(hole)}`;
}
