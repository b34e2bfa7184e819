import { type Terminal, wrap } from './terminal';

type Row = readonly string[];

/** Narrower, a column of words is no longer read at a glance. */
const narrowestWords = 24;

/**
 * Columns aligned by their widest cell; numbers (right) and words (left) by the header's mark `>`.
 * Where that is wider than the terminal, a last column of words is wrapped; else headers break at their spaces; else the
 * columns come in blocks below each other, each with the first column again.
 */
export function table(
  header: Row,
  rows: readonly Row[],
  { style, columns }: Pick<Terminal, 'style' | 'columns'>,
): string {
  const right = header.map((name) => name.startsWith('>'));
  const names = header.map((name) => name.replace(/^>/, ''));
  const all = names.map((_, column) => column);
  const cellWidths = all.map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)));
  const widths = all.map((column) => Math.max(names[column]!.length, cellWidths[column]!));
  const render = (picked: readonly number[], use: readonly number[]) =>
    [
      ...aligned(names, picked, use, right, 'bottom').map(style.dim),
      ...rows.flatMap((row) => aligned(row, picked, use, right, 'top')),
    ].join('\n');
  if (totalOf(all, widths) <= columns) {
    return render(all, widths);
  }
  const last = all.length - 1;
  const room = columns - totalOf(all.slice(0, -1), widths) - gap.length;
  if (right[last] === false && narrowestWords <= room) {
    return render(all, [...widths.slice(0, -1), room]);
  }
  for (let lines = 2; lines <= mostHeaderLines; lines++) {
    const narrow = all.map((column) => Math.max(cellWidths[column]!, widthIn(names[column]!, lines)));
    if (totalOf(all, narrow) <= columns) {
      return render(all, narrow);
    }
  }
  const narrow = all.map((column) => Math.max(cellWidths[column]!, widthIn(names[column]!, 2)));
  return blocksOf(narrow, columns)
    .map((picked) => render(picked, narrow))
    .join('\n\n');
}

const mostHeaderLines = 4;

/** Columns that a header needs in so many lines, as far as its spaces allow. */
function widthIn(name: string, lines: number): number {
  let width = Math.max(...name.split(' ').map((word) => word.length));
  while (wrap(name, width).split('\n').length > lines) {
    width++;
  }
  return width;
}

const gap = '  ';

function totalOf(picked: readonly number[], widths: readonly number[]): number {
  return picked.reduce((sum, column) => sum + widths[column]!, gap.length * (picked.length - 1));
}

/** A row as lines: cells that are too wide go on below; a header stands on the line above its cells. */
function aligned(
  row: Row,
  picked: readonly number[],
  widths: readonly number[],
  right: readonly boolean[],
  side: 'top' | 'bottom',
): string[] {
  const cells = picked.map((column) => wrap(row[column] ?? '', widths[column]!).split('\n'));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((lines, index) => {
        const text = lines[side === 'top' ? line : line - height + lines.length] ?? '';
        const width = widths[picked[index]!]!;
        return right[picked[index]!] === true ? text.padStart(width) : text.padEnd(width);
      })
      .join(gap)
      .trimEnd(),
  );
}

/** As few blocks as fit, of about as many columns each. */
function blocksOf(widths: readonly number[], columns: number): number[][] {
  const others = widths.map((_, column) => column).slice(1);
  for (let count = 1; count < others.length; count++) {
    const size = Math.ceil(others.length / count);
    const blocks = Array.from({ length: Math.ceil(others.length / size) }, (_, index) => [
      0,
      ...others.slice(index * size, (index + 1) * size),
    ]);
    if (blocks.every((block) => totalOf(block, widths) <= columns)) {
      return blocks;
    }
  }
  return others.map((column) => [0, column]);
}
