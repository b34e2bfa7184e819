import { SEGMENT_SLOTS } from '../../model/units';
import { svg } from '../dom';
import { free, noSlot } from './cells';
import type { PoolBlock } from './layout';
import { css, inkOn, mix } from './mapTheme';
import { bracketsOf, failureShape, headingOf, type MapPicture } from './paint';

const margin = 16;
/** Room for the title. */
const titleHeight = 62;

/** The whole map as a document of its own; runs of one class in a row are one shape. */
export function mapSvg(
  picture: MapPicture,
  { title, subtitle, width }: { readonly title: string; readonly subtitle: string; readonly width: number },
): string {
  const { layout, theme, classes, cells, data } = picture;
  const legendTop = layout.height + 24;
  const shown = classes.classes.map((entry, index) => ({ ...entry, index })).filter((entry) => 0 < entry.mappings);
  const height = titleHeight + legendTop + shown.length * 18 + 12;
  const colours = classes.isRamp ? theme.ramp : theme.classes;
  const fills = colours.map((colour, index) => (classes.isRamp || index === 0 ? css(colour) : `url(#class-${index})`));
  const font = { 'font-family': 'system-ui, sans-serif', 'font-size': 11, fill: theme.text };
  const parts: Node[] = [
    svg('title', {}, document.createTextNode(`${title}, ${subtitle}`)),
    svg(
      'defs',
      {},
      ...colours.flatMap((colour, index) =>
        index === 0 ? [] : [pattern(index, css(colour), css(mix(colour, theme.background, 0.4)))],
      ),
      svg(
        'pattern',
        { id: 'failed', width: 5, height: 5, patternUnits: 'userSpaceOnUse' },
        svg('path', { d: 'M0 5L5 0', stroke: css(theme.error), 'stroke-width': 1.5 }),
      ),
    ),
    svg('rect', { width: width + 2 * margin, height, fill: css(theme.background) }),
    svg(
      'text',
      { ...font, x: margin, y: margin + 8, 'font-size': 14, 'font-weight': 600 },
      document.createTextNode(title),
    ),
  ];
  parts.push(svg('text', { ...font, x: margin, y: margin + 26 }, document.createTextNode(subtitle)));
  const map: Node[] = [];
  layout.blocks.forEach((block, blockIndex) => {
    const heading = headingOf(data, block);
    map.push(
      ...bracketShapes(picture, block, font),
      svg(
        'text',
        { ...font, x: 0, y: block.top + 13 },
        document.createTextNode(`${heading.title} · ${heading.detail}`),
      ),
    );
    for (let row = 0; row < block.rows; row++) {
      map.push(
        ...rowShapes(
          picture,
          fills,
          (cells.firstRow[blockIndex]! + row) * SEGMENT_SLOTS,
          block.rowsTop + row * layout.rowHeight,
        ),
      );
    }
  });
  map.push(...failureShapes(picture, font));
  shown.forEach((entry, position) => {
    const y = legendTop + position * 18;
    const text = [entry.sign, entry.label].filter((part) => part !== '').join('  ');
    map.push(
      svg('rect', { x: 0, y: y - 9, width: 18, height: 12, fill: fills[entry.index]! }),
      svg('text', { ...font, x: 26, y }, document.createTextNode(text)),
    );
  });
  parts.push(svg('g', { transform: `translate(${margin} ${titleHeight})` }, ...map));
  const size = { width: width + 2 * margin, height };
  const root = svg('svg', { viewBox: `0 0 ${size.width} ${size.height}`, ...size }, ...parts);
  return new XMLSerializer().serializeToString(root);
}

function rowShapes(
  { cells, layout, theme, classes }: MapPicture,
  fills: readonly string[],
  start: number,
  y: number,
): SVGElement[] {
  const shapes: SVGElement[] = [];
  const { kind, begins } = cells;
  const height = Math.max(0.2, layout.rowHeight - (4 <= layout.rowHeight ? 1 : 0));
  for (let from = 0; from < SEGMENT_SLOTS; ) {
    const what = kind[start + from]!;
    let to = from + 1;
    while (to < SEGMENT_SLOTS && kind[start + to] === what && begins[start + to] === 0) {
      to++;
    }
    if (what !== noSlot) {
      const x = layout.left + from * layout.slotWidth;
      const width = (to - from) * layout.slotWidth - (what !== free && 3 <= layout.slotWidth ? 0.75 : 0);
      const fill = what === free ? css(theme.free) : fills[what - 1]!;
      shapes.push(svg('rect', { x, y, width, height, fill }));
      const sign = what === free ? '' : classes.classes[what - 1]!.sign;
      if (sign !== '' && 11 <= layout.rowHeight && 14 <= width) {
        const colour = (classes.isRamp ? theme.ramp : theme.classes)[what - 1]!;
        const text = {
          x: x + width / 2,
          y: y + height / 2 + 4,
          'text-anchor': 'middle',
          'font-size': 11,
          fill: inkOn(colour),
        };
        shapes.push(svg('text', { ...text, 'font-family': 'system-ui, sans-serif' }, document.createTextNode(sign)));
      }
    }
    from = to;
  }
  return shapes;
}

function bracketShapes(
  picture: MapPicture,
  block: PoolBlock,
  font: Readonly<Record<string, string | number>>,
): SVGElement[] {
  return bracketsOf(picture, block).flatMap(({ x, top, bottom, name }) => [
    svg('path', { d: `M${x + 4} ${top}H${x}V${bottom}H${x + 4}`, fill: 'none', stroke: picture.theme.line }),
    svg('text', { ...font, x: x - 4, y: (top + bottom) / 2 + 4, 'text-anchor': 'end' }, document.createTextNode(name)),
  ]);
}

function failureShapes(
  { data, layout, theme }: MapPicture,
  font: Readonly<Record<string, string | number>>,
): SVGElement[] {
  const shape = failureShape(data, layout);
  if (shape === null) {
    return [];
  }
  const error = css(theme.error);
  const line = { fill: 'none', stroke: error, 'stroke-width': 1.5 };
  return [
    ...(shape.hole === null ? [] : [svg('rect', { ...shape.hole, ...line })]),
    svg('rect', { ...shape.bar, ...line, fill: css(theme.background) }),
    svg('rect', { ...shape.bar, fill: 'url(#failed)' }),
    // Its width is a guess: nothing measures text here.
    svg('rect', {
      x: shape.bar.x,
      y: shape.bar.y - 16,
      width: shape.label.length * 6.4 + 8,
      height: 15,
      fill: css(theme.background),
      stroke: error,
    }),
    svg(
      'text',
      { ...font, x: shape.bar.x + 4, y: shape.bar.y - 5, 'font-weight': 600 },
      document.createTextNode(shape.label),
    ),
  ];
}

/** One pattern per class, as in the picture on the screen. */
function pattern(index: number, colour: string, second: string): SVGElement {
  const size = 6;
  const mark: Readonly<Record<number, string>> = {
    1: 'M0 6L6 0M-1 1L1 -1M5 7L7 5',
    2: 'M0 0L6 6M-1 5L1 7M5 -1L7 1',
    3: 'M1 0V6',
    4: 'M0 1H6',
    5: 'M1 1H3',
    6: 'M0 6L6 0M0 0L6 6',
    7: 'M0 1.5H3M3 4.5H6',
  };
  return svg(
    'pattern',
    { id: `class-${index}`, width: size, height: size, patternUnits: 'userSpaceOnUse' },
    svg('rect', { width: size, height: size, fill: colour }),
    svg('path', { d: mark[index] ?? '', stroke: second, 'stroke-width': index === 7 ? 3 : 1.4, fill: 'none' }),
  );
}
