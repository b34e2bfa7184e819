import { formatBytes, formatCount, formatSlotsAndBytes } from '../../base/format';
import type { UncertaintyReport, VariantNumbers } from '../../model/reports';
import { type RunKey, type RunView, runId } from '../../protocol/views';
import { fill, h } from '../dom';
import { sentenceOf } from '../status';
import { disclosure } from './ledger';

/** Runs of traces up to this many requests are varied without being asked: it takes up to eleven replays. */
const quickRequests = 100_000;

/** How much the run in front depends on what it assumes: the same run with other lifetimes, classes and contexts. */
export class Variations {
  private readonly holder: HTMLElement;
  private readonly ask: (key: RunKey) => Promise<UncertaintyReport>;
  private shows = '';
  /** `0 to 66 with other assumptions`, once it is known and differs. */
  private range = '';

  constructor(holder: HTMLElement, ask: (key: RunKey) => Promise<UncertaintyReport>) {
    this.holder = holder;
    this.ask = ask;
  }

  show(run: RunView, label: string): void {
    const mine = runId(run.key);
    if (this.shows === mine) {
      this.showRange();
      return;
    }
    this.shows = mine;
    this.range = '';
    if (run.basis === 'recorded') {
      fill(this.holder);
      return;
    }
    const body = h('div', { class: 'scroll' });
    const details = disclosure(`How much ${label} depends on what it assumes`, body);
    details.id = 'variations';
    let isAsked = false;
    const load = async () => {
      if (isAsked) {
        return;
      }
      isAsked = true;
      fill(body, h('p', { class: 'muted' }, 'Replaying …'));
      try {
        const rows = variationRows(await this.ask(run.key));
        if (this.shows === mine) {
          details.hidden = rows.length === 0;
          details.querySelector('summary')!.textContent = titleOf(run, label, rows);
          fill(body, variationTable(run, rows, label));
          this.range = rangeOf(run, rows);
          this.showRange();
        }
      } catch (error) {
        fill(body, h('p', { class: 'error', role: 'alert' }, sentenceOf(error)));
      }
    };
    details.addEventListener('toggle', () => void load());
    fill(this.holder, details);
    if (run.requests <= quickRequests) {
      details.hidden = true;
      void load();
    }
  }

  /** Beside the number of failures at the top, as long as that is of the same run. */
  private showRange(): void {
    const note = document.getElementById('failed-range');
    if (note !== null) {
      note.textContent = this.range;
    }
  }
}

export interface VariationRow {
  readonly name: string;
  readonly numbers: VariantNumbers;
}

/** The variants in words; the median is what is shown already. */
export function variationRows({
  sensitivity,
  classVariants,
  contextVariants,
  attributeVariants,
}: UncertaintyReport): VariationRow[] {
  const lifetimes = (sensitivity?.variants ?? []).filter(({ name }) => name !== 'median');
  return [
    ...lifetimes.map((numbers) => ({
      name: numbers.name.endsWith('×')
        ? `lifetimes × ${numbers.name.replace(' ×', '')}`
        : `lifetimes at the ${numbers.name}`,
      numbers,
    })),
    ...(classVariants ?? []).map((numbers) => ({
      name: `devices of unknown class are ${numbers.unknownClass === 'block' ? 'block devices' : 'others'}`,
      numbers,
    })),
    ...(contextVariants ?? []).map((numbers) => ({
      name: numbers.context === 'alwaysAtomic' ? 'no mapping may sleep' : 'mappings may sleep where the flags allow it',
      numbers,
    })),
    ...(attributeVariants ?? []).map((numbers) => ({
      name: `all devices need ${numbers.devicesNeed} memory`,
      numbers,
    })),
  ];
}

function rangeOf(run: RunView, rows: readonly VariationRow[]): string {
  const failed = [run.failed, ...rows.map(({ numbers }) => numbers.failed)];
  const [least, most] = [Math.min(...failed), Math.max(...failed)];
  return least === most ? '' : `${formatCount(least)} to ${formatCount(most)} with other assumptions`;
}

/** `Dynamic: 0 to 3 failures with other assumptions, 1 as shown`. */
function titleOf(run: RunView, label: string, rows: readonly VariationRow[]): string {
  const failed = [run.failed, ...rows.map(({ numbers }) => numbers.failed)];
  const least = Math.min(...failed);
  const most = Math.max(...failed);
  const range =
    least === most
      ? `${formatCount(least)} failures whatever is assumed`
      : `${formatCount(least)} to ${formatCount(most)} failures with other assumptions, ${formatCount(run.failed)} as shown`;
  return `${label}: ${range}`;
}

const columns: readonly {
  readonly id: string;
  readonly title: string;
  readonly of: (numbers: VariantNumbers) => readonly [value: number, words: string];
}[] = [
  { id: 'failed', title: 'Failed', of: ({ failed }) => [failed, formatCount(failed)] },
  { id: 'stalls', title: 'Stalls', of: ({ stalls }) => [stalls.count, formatCount(stalls.count)] },
  {
    id: 'usedHighWaterSlots',
    title: 'Peak in use',
    of: ({ usedHighWaterSlots }) => [usedHighWaterSlots, formatSlotsAndBytes(usedHighWaterSlots)],
  },
  { id: 'peakBytes', title: 'Peak memory held', of: ({ peakBytes }) => [peakBytes, formatBytes(peakBytes)] },
];

function variationTable(run: RunView, rows: readonly VariationRow[], label: string): HTMLElement {
  const shown: VariantNumbers = { ...run, peakBytes: run.memory.peakBytes };
  return h(
    'table',
    { 'aria-label': `${label} with other assumptions` },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        h('th', { scope: 'col' }, 'Assumed'),
        columns.map(({ title }) => h('th', { scope: 'col', class: 'number' }, title)),
      ),
    ),
    h(
      'tbody',
      null,
      [{ name: 'as shown', numbers: shown }, ...rows].map(({ name, numbers }) =>
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, name),
          columns.map(({ id, of }) => {
            const [value, words] = of(numbers);
            const differs = value !== of(shown)[0];
            return h(
              'td',
              { class: `number ${differs ? 'differs' : 'muted'}`, 'data-metric': id, 'data-value': value },
              words,
            );
          }),
        ),
      ),
    ),
  );
}
