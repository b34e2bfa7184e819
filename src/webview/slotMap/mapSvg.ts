import { SEGMENT_SLOTS } from '../../model/units';
import { svg } from '../dom';
import { free, noSlot } from './cells';
import { css, inkOn, mix } from './mapTheme';
import { failureShape, headingOf, type MapPicture } from './paint';

/** The whole map as a document of its own; runs of one class in a row are one shape. */
export function mapSvg(picture: MapPicture, title: string, width: number): string {
  const { layout, theme, classes, cells, data } = picture;
  const legendTop = layout.height + 30;
  const shown = classes.classes.map((entry, index) => ({ ...entry, index })).filter((entry) => 0 < entry.mappings);
  const height = legendTop + shown.length * 18 + 12;
  const colours = classes.isRamp ? theme.ramp : theme.classes;
  const fills = colours.map((colour, index) => (classes.isRamp || index === 0 ? css(colour) : `url(#class-${index})`));
  const font = { 'font-family': 'system-ui, sans-serif', 'font-size': 11, fill: theme.text };
  const parts: Node[] = [
    svg('title', {}, document.createTextNode(title)),
    svg(
      'defs',
      {},
      ...colours.flatMap((colour, index) =>
        index === 0 ? [] : [pattern(index, css(colour), css(mix(colour, theme.background, 0.4)))],
      ),
    ),
    svg('rect', { width, height, fill: css(theme.background) }),
  ];
  layout.blocks.forEach((block, blockIndex) => {
    const heading = headingOf(data, block);
    parts.push(
      svg(
        'text',
        { ...font, x: 0, y: block.top + 13 },
        document.createTextNode(`${heading.title} · ${heading.detail}`),
      ),
    );
    for (let row = 0; row < block.rows; row++) {
      parts.push(
        ...rowShapes(
          picture,
          fills,
          (cells.firstRow[blockIndex]! + row) * SEGMENT_SLOTS,
          block.rowsTop + row * layout.rowHeight,
        ),
      );
    }
  });
  parts.push(...failureShapes(picture, font));
  shown.forEach((entry, position) => {
    const y = legendTop + position * 18;
    const text = [entry.sign, entry.label].filter((part) => part !== '').join('  ');
    parts.push(
      svg('rect', { x: 0, y: y - 9, width: 18, height: 12, fill: fills[entry.index]! }),
      svg('text', { ...font, x: 26, y }, document.createTextNode(text)),
    );
  });
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height }, ...parts);
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
    svg(
      'text',
      { ...font, x: shape.bar.x, y: shape.bar.y - 3, 'font-weight': 600 },
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
