import { SEGMENT_SLOTS } from '../../model/units';
import { free, type MapCells, noSlot } from './cells';
import type { MapLayout } from './layout';
import { type MapTheme, mix, type Rgb } from './mapTheme';

/** Second pixel colours of a pattern need so many pixels of height to be seen as one. */
const patternHeight = 6;

/**
 * Fills a picture of the visible part, row by row of device pixels. Where several segments share a pixel it has the
 * colour of the class that most of their slots are in, fainter the more of them are free.
 */
export function fillPixels(
  image: { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray },
  cells: MapCells,
  layout: MapLayout,
  theme: MapTheme,
  options: { readonly scrollTop: number; readonly ratio: number; readonly isRamp: boolean },
): void {
  const { width, height } = image;
  const { scrollTop, ratio, isRamp } = options;
  const pixels = new Uint32Array(image.data.buffer, image.data.byteOffset, width * height);
  const background = packed(theme.background);
  pixels.fill(background);
  const colours = isRamp ? theme.ramp : theme.classes;
  const palette = new Uint32Array(256).fill(background);
  const second = new Uint32Array(256).fill(background);
  palette[free] = packed(theme.free);
  second[free] = palette[free]!;
  colours.forEach((colour, index) => {
    palette[index + 1] = packed(colour);
    second[index + 1] = isRamp ? palette[index + 1]! : packed(mix(colour, theme.background, 0.4));
  });
  const columns = columnsOf(layout, width, ratio);
  const line = Math.max(1, Math.round(ratio * 0.75));
  const rowPixels = layout.rowHeight * ratio;
  const shares = new Shares(colours, theme.free, background);
  for (const [blockIndex, block] of layout.blocks.entries()) {
    const top = Math.round((block.rowsTop - scrollTop) * ratio);
    const bottom = Math.min(height, Math.round((block.bottom - scrollTop) * ratio));
    const firstRow = cells.firstRow[blockIndex]!;
    for (let y = Math.max(0, top); y < bottom; y++) {
      const from = Math.min(block.rows - 1, Math.floor((y - top) / rowPixels));
      const out = y * width;
      if (rowPixels < 1) {
        const to = Math.min(block.rows, Math.max(from + 1, Math.ceil((y + 1 - top) / rowPixels)));
        fillShared(pixels, out, columns, shares.of(cells.kind, firstRow + from, firstRow + to));
        continue;
      }
      const rowTop = top + Math.round(from * rowPixels);
      const rowBottom = top + Math.round((from + 1) * rowPixels);
      if (4 <= rowPixels && rowBottom - line <= y) {
        continue;
      }
      const hasPattern = patternHeight <= layout.rowHeight && !isRamp;
      if (!hasPattern && Math.max(0, top) < y && rowTop < y) {
        // Without patterns all lines of a row are alike.
        pixels.copyWithin(out, out - width, out);
        continue;
      }
      fillRow(pixels, out, columns, {
        cells,
        start: (firstRow + from) * SEGMENT_SLOTS,
        palette,
        second: hasPattern ? second : palette,
        inRow: Math.floor((y - rowTop) / Math.max(1, ratio)),
        ratio,
        gap: 3 <= layout.slotWidth * ratio ? line : 0,
        background,
      });
    }
  }
}

interface Columns {
  readonly left: number;
  /** Per device pixel from `left` on: the slot inside its segment. */
  readonly slot: Uint8Array;
  /** Pixels since the slot began. */
  readonly inSlot: Uint8Array;
}

function columnsOf({ left, slotWidth }: MapLayout, width: number, ratio: number): Columns {
  const start = Math.round(left * ratio);
  const slotPixels = slotWidth * ratio;
  const count = Math.max(0, Math.min(width - start, Math.floor(SEGMENT_SLOTS * slotPixels)));
  const slot = new Uint8Array(count);
  const inSlot = new Uint8Array(count);
  for (let x = 0; x < count; x++) {
    slot[x] = Math.min(SEGMENT_SLOTS - 1, Math.floor(x / slotPixels));
    inSlot[x] = 0 < x && slot[x] === slot[x - 1] ? Math.min(255, inSlot[x - 1]! + 1) : 0;
  }
  return { left: start, slot, inSlot };
}

interface RowFill {
  readonly cells: MapCells;
  readonly start: number;
  readonly palette: Uint32Array;
  readonly second: Uint32Array;
  /** CSS pixels below the top of the row. */
  readonly inRow: number;
  readonly ratio: number;
  /** Device pixels between two mappings. */
  readonly gap: number;
  readonly background: number;
}

function fillRow(pixels: Uint32Array, out: number, { left, slot, inSlot }: Columns, row: RowFill): void {
  const { kind, begins } = row.cells;
  const { start, palette, second, inRow, ratio, gap, background } = row;
  const isPlain = second === palette;
  for (let x = 0; x < slot.length; x++) {
    const cell = start + slot[x]!;
    const what = kind[cell]!;
    if (inSlot[x]! < gap && begins[cell] === 1) {
      pixels[out + left + x] = background;
      continue;
    }
    pixels[out + left + x] =
      isPlain || what === free || !isSecond(what - 1, Math.floor(x / ratio), inRow) ? palette[what]! : second[what]!;
  }
}

/** Each class of a kind has a pattern of its own: solid, rising, falling, upright, level, dotted, crossed, chequered. */
export function isSecond(index: number, x: number, y: number): boolean {
  switch (index) {
    case 1:
      return (x + y) % 6 < 2;
    case 2:
      return (x - y + 600) % 6 < 2;
    case 3:
      return x % 5 < 2;
    case 4:
      return y % 4 < 1;
    case 5:
      return x % 4 < 2 && y % 4 < 2;
    case 6:
      return (x + y) % 7 < 1 || (x - y + 700) % 7 < 1;
    case 7:
      return x % 6 < 3 === y % 6 < 3;
    default:
      return false;
  }
}

function fillShared(pixels: Uint32Array, out: number, { left, slot }: Columns, colours: Uint32Array): void {
  for (let x = 0; x < slot.length; x++) {
    pixels[out + left + x] = colours[slot[x]!]!;
  }
}

/** The colour of the same slot in several segments. */
class Shares {
  private readonly result = new Uint32Array(SEGMENT_SLOTS);
  private readonly counts = new Uint16Array(256);
  private readonly background: number;
  /** By class and share in use. */
  private readonly tints: readonly Uint32Array[];

  constructor(classes: readonly Rgb[], freeColour: Rgb, background: number) {
    this.background = background;
    this.tints = classes.map((colour) =>
      Uint32Array.from({ length: tintSteps + 1 }, (_, step) =>
        // The least use is still seen.
        packed(mix(freeColour, colour, step === 0 ? 0 : 0.2 + (0.8 * step) / tintSteps)),
      ),
    );
  }

  of(kind: Uint8Array, fromRow: number, toRow: number): Uint32Array {
    const { counts, tints, result, background } = this;
    for (let slot = 0; slot < SEGMENT_SLOTS; slot++) {
      counts.fill(0, 0, tints.length + 1);
      let slots = 0;
      for (let row = fromRow; row < toRow; row++) {
        const what = kind[row * SEGMENT_SLOTS + slot]!;
        if (what !== noSlot) {
          counts[what]!++;
          slots++;
        }
      }
      let most = 1;
      for (let what = 2; what <= tints.length; what++) {
        most = counts[most]! < counts[what]! ? what : most;
      }
      const used = slots - counts[free]!;
      result[slot] = slots === 0 ? background : tints[most - 1]![Math.ceil((used / slots) * tintSteps)]!;
    }
    return result;
  }
}

const tintSteps = 16;

/** As an ImageData stores it on little-endian machines, which all are that run the editor. */
export function packed([red, green, blue]: Rgb): number {
  return ((255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
}
