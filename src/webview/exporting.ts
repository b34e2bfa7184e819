import type { ExportData, ExportFormat, ExportOffers } from '../protocol/panel';
import { FailureError } from '../protocol/result';
import type { ChartTheme } from './charts/theme';
import type { Exportable, ExportTable } from './sections/section';

/** What the panel can write to a file, by id; the tables on the page are found when they are asked for. */
export class Exports {
  private readonly items = new Map<string, Exportable>();

  offer(item: Exportable): void {
    this.items.set(item.id, item);
  }

  clear(): void {
    this.items.clear();
  }

  offers(): ExportOffers {
    return this.all().map((item) => ({ id: item.id, title: item.title, formats: formatsOf(item) }));
  }

  async make(id: string, format: ExportFormat): Promise<ExportData> {
    const item = this.all().find((candidate) => candidate.id === id);
    if (item === undefined || !formatsOf(item).includes(format)) {
      throw new FailureError({ kind: 'unavailable', message: 'This is not shown any more.' });
    }
    switch (format) {
      case 'png': {
        const url = (await item.png!()).toDataURL('image/png');
        return { encoding: 'base64', data: url.slice(url.indexOf(',') + 1) };
      }
      case 'svg':
        return { encoding: 'utf8', data: await item.svg!() };
      case 'csv':
        return { encoding: 'utf8', data: csvOf(await item.table!()) };
      case 'json':
        return { encoding: 'utf8', data: jsonOf(await item.table!()) };
    }
  }

  private all(): Exportable[] {
    const tables = [...document.querySelectorAll<HTMLTableElement>('#content table[aria-label]')].map(
      (element): Exportable => {
        const title = element.getAttribute('aria-label') ?? '';
        return { id: slug(title), title, table: () => tableOf(element) };
      },
    );
    const ids = new Set(this.items.keys());
    const items = [...this.items.values()].filter((item) => item.isShown?.() ?? true);
    return [...items, ...tables.filter((table) => !ids.has(table.id))];
  }
}

function formatsOf(item: Exportable): ExportFormat[] {
  return [
    ...(item.png === undefined ? [] : (['png'] as const)),
    ...(item.svg === undefined ? [] : (['svg'] as const)),
    ...(item.table === undefined ? [] : (['csv', 'json'] as const)),
  ];
}

/** `Pool size: dynamic` becomes `pool-size-dynamic`. */
export function slug(title: string): string {
  return (
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 60) || 'table'
  );
}

/** What a table of the page shows; cells with a plain number behind their words give the number. */
export function tableOf(element: HTMLTableElement): ExportTable {
  const rows = [...element.rows];
  const header = rows.find((row) => row.parentElement?.tagName === 'THEAD');
  const columns = header === undefined ? [] : [...header.cells].map((cell) => words(cell));
  const body = rows.filter((row) => row !== header && !row.classList.contains('divider'));
  const widest = Math.max(columns.length, ...body.map((row) => row.cells.length));
  return {
    columns: Array.from({ length: widest }, (_, index) => columns[index] ?? `column ${index + 1}`),
    rows: body.map((row) => [...row.cells].map((cell) => plainValue(cell))),
  };
}

function plainValue(cell: HTMLTableCellElement): string | number | null {
  const plain = cell.dataset['value'];
  if (plain !== undefined) {
    return plain === '' ? null : Number.isFinite(Number(plain)) ? Number(plain) : plain;
  }
  return words(cell);
}

function words(cell: HTMLTableCellElement): string {
  return (cell.textContent ?? '').trim();
}

/** Lines end in CR LF and cells are quoted as RFC 4180 says. */
export function csvOf({ columns, rows }: ExportTable): string {
  const line = (cells: readonly (string | number | boolean | null)[]) => cells.map(csvCell).join(',');
  return `${[columns, ...rows].map(line).join('\r\n')}\r\n`;
}

/** Spreadsheets take text that begins like this for a formula; names in a trace must not become one. */
const formula = /^[=+\-@\t\r]/;

function csvCell(value: string | number | boolean | null): string {
  if (typeof value !== 'string') {
    return value === null ? '' : String(value);
  }
  const text = formula.test(value) && !/^[+-]?[\d.,]+$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A list of objects. */
export function jsonOf({ columns, rows }: ExportTable): string {
  const objects = rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null])));
  return `${JSON.stringify(objects, null, 2)}\n`;
}

/** An entry of the picture's legend: a line, or a sign. */
export interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly dash: readonly number[];
  /** Instead of the line. */
  readonly sign?: string;
}

const scale = 2;
const margin = 16;

/** A chart with its title and legend, as a picture that explains itself. `chart` is at twice its size. */
export function framed(
  chart: HTMLCanvasElement,
  title: string,
  subtitle: string,
  legend: readonly LegendEntry[],
  theme: ChartTheme,
): HTMLCanvasElement {
  const picture = document.createElement('canvas');
  const top = margin + 40 + (legend.length === 0 ? 0 : 22);
  picture.width = chart.width + 2 * margin * scale;
  picture.height = chart.height + (top + margin) * scale;
  const context = picture.getContext('2d')!;
  context.fillStyle = theme.background;
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(chart, margin * scale, top * scale);
  context.scale(scale, scale);
  context.textBaseline = 'top';
  context.fillStyle = theme.text;
  context.font = `600 14px ${theme.font}`;
  context.fillText(title, margin, margin);
  context.font = `12px ${theme.font}`;
  context.fillStyle = theme.muted;
  context.fillText(subtitle, margin, margin + 20);
  let x = margin;
  for (const { label, colour, dash, sign } of legend) {
    const y = margin + 48;
    if (sign !== undefined) {
      context.fillStyle = colour;
      context.fillText(sign, x, y - 6);
      context.fillText(label, x + 16, y - 6);
      x += 16 + context.measureText(label).width + 18;
      continue;
    }
    context.strokeStyle = colour;
    context.lineWidth = 2.5;
    context.setLineDash([...dash]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + 26, y);
    context.stroke();
    context.fillStyle = theme.text;
    context.fillText(label, x + 32, y - 6);
    x += 32 + context.measureText(label).width + 18;
  }
  return picture;
}
