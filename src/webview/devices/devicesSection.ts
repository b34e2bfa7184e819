import { formatBytes, formatCount, formatDuration, formatSlots, plural } from '../../base/format';
import type { DevicesView, SharesView } from '../../protocol/devices';
import type { ChartTheme } from '../charts/theme';
import { fill, h } from '../dom';
import { framed } from '../exporting';
import type { PanelSection, SectionHost, SectionState } from '../sections/section';
import { mostClasses } from '../slotMap/classes';
import { classPattern, drawClass } from '../slotMap/fills';
import { css, inkOn, type MapTheme, readMapTheme } from '../slotMap/mapTheme';
import { axisCount, Bars } from './bars';
import { chosenDevices, lifetimeBins, shortSentence, sizeBins, wasteSentence } from './deviceData';
import { deviceExport, deviceTable, lifetimeExport, nameOf, shareExport, sizeExport, table } from './deviceTables';
import { ShareChart, type ShareStyle, sharesAt } from './shareChart';

const mostLeaks = 8;

/** Who uses the pool: shares over time, lifetimes, sizes, what is over at once and what never ends. */
export class DevicesSection implements PanelSection {
  readonly id = 'device-use';
  readonly title = 'Devices and lifetimes';
  private host!: SectionHost;
  private theme!: ChartTheme;
  private mapTheme!: MapTheme;
  private state: SectionState | null = null;
  private view: DevicesView | null = null;
  private shares: SharesView | null = null;
  private device: string | null = null;
  /** Grows with every question; late answers to earlier ones are dropped. */
  private asked = 0;
  private charts: { readonly share: ShareChart; readonly lifetimes: Bars; readonly sizes: Bars } | null = null;
  private readonly picker = h('select', {
    id: 'device-filter',
    change: () => {
      this.device = this.picker.value === '' ? null : this.picker.value;
      this.drawHistograms();
    },
  });
  private readonly shareTitle = h('h3', null, 'Slots in use by device');
  private readonly shareText = h('p', { id: 'device-shares-text', class: 'readout-line muted' });
  private readonly legend = h('ul', { id: 'device-legend', class: 'legend', 'aria-label': 'Legend of the devices' });
  private readonly lifetimeText = h('p', { class: 'readout-line muted' });
  private readonly sizeText = h('p', { class: 'readout-line muted' });
  private readonly sizeLegend = h('ul', { class: 'legend', 'aria-label': 'Legend of the sizes' });
  private readonly lifetimeBlock = h('div', { class: 'histogram' });
  private readonly sizeBlock = h('div', { class: 'histogram' });
  private readonly findings = h('ul', { id: 'device-findings', class: 'plain' });
  private readonly table = h('div', { class: 'scroll' });
  private readonly lifetimeTable = h('div', { class: 'scroll' });
  private readonly sizeTable = h('div', { class: 'scroll' });
  private readonly shareTable = h('div', { class: 'scroll' });
  private readonly shareDetails = h(
    'details',
    { class: 'data-table', 'data-table': 'device-shares', toggle: () => this.fillShareTable() },
    h('summary', null, 'Shares as a table'),
    this.shareTable,
  );

  mount(host: SectionHost): void {
    this.host = host;
    this.theme = host.theme();
    this.mapTheme = readMapTheme();
    const share = canvasOf('chart-device-shares', 'Slots in use by device over time; arrow keys move the cursor');
    const lifetimes = canvasOf('chart-lifetimes', 'Lifetimes of mappings; arrow keys go through the classes');
    const sizes = canvasOf(
      'chart-sizes',
      'Sizes of mappings and what rounding adds; arrow keys go through the classes',
    );
    fill(
      this.lifetimeBlock,
      h('h3', null, 'Lifetimes'),
      this.lifetimeText,
      h('div', { class: 'plot plot-bars' }, lifetimes),
      details('lifetimes', 'Lifetimes as a table', this.lifetimeTable),
    );
    fill(
      this.sizeBlock,
      h('h3', null, 'Sizes and rounding'),
      this.sizeText,
      this.sizeLegend,
      h('div', { class: 'plot plot-bars' }, sizes),
      details('sizes', 'Sizes as a table', this.sizeTable),
    );
    fill(
      host.body,
      this.shareTitle,
      this.shareText,
      h('div', { class: 'plot plot-shares' }, share),
      this.legend,
      this.shareDetails,
      this.findings,
      h('p', { class: 'device-bar' }, h('label', null, 'Lifetimes and sizes of ', this.picker)),
      h('div', { class: 'histograms' }, this.lifetimeBlock, this.sizeBlock),
      this.table,
    );
    this.charts = {
      share: new ShareChart(share, this.theme),
      lifetimes: new Bars(lifetimes, this.theme, (text) => {
        this.lifetimeText.textContent = text || this.lifetimeHint();
      }),
      sizes: new Bars(sizes, this.theme, (text) => {
        this.sizeText.textContent = text || this.sizeHint();
      }),
    };
    share.addEventListener('pointermove', (event) => {
      const timeNs = this.charts?.share.timeAt(event.offsetX) ?? null;
      if (timeNs !== null) {
        host.setCursor(timeNs);
      }
    });
    share.addEventListener('keydown', (event) => this.shareKey(event));
    this.shareText.textContent = 'Adding up who held the slots, and for how long …';
    // Until there are numbers, axes would only pretend that there were some.
    host.body.classList.add('waiting');
    this.offerExports();
  }

  async update(state: SectionState): Promise<void> {
    this.state = state;
    if (this.view === null) {
      this.view = await this.host.ask('devices', null);
      this.drawDevices();
    }
    this.host.body.classList.remove('waiting');
    await this.loadShares(state);
  }

  onCursor(timeNs: number | null): void {
    if (this.state !== null) {
      this.state = { ...this.state, cursorNs: timeNs };
    }
    this.charts?.share.setCursor(timeNs);
    this.tellShares();
  }

  onTheme(theme: ChartTheme): void {
    this.theme = theme;
    this.mapTheme = readMapTheme();
    this.charts?.share.setTheme(theme);
    this.charts?.lifetimes.setTheme(theme);
    this.charts?.sizes.setTheme(theme);
    this.drawShares();
    this.drawHistograms();
  }

  destroy(): void {
    this.asked++;
    this.charts?.share.destroy();
    this.charts?.lifetimes.destroy();
    this.charts?.sizes.destroy();
  }

  // Shares -----------------------------------------------------------------

  private async loadShares({ front, runs, range }: SectionState): Promise<void> {
    const run = front ?? runs[0] ?? null;
    const mine = ++this.asked;
    if (run === null || this.charts === null) {
      this.shareText.textContent = 'There is no run whose slots could be shared out.';
      return;
    }
    const buckets = Math.min(2000, this.charts.share.plotWidth());
    const shares = await this.host.ask('shares', { run: run.run.key, fromNs: range.fromNs, toNs: range.toNs, buckets });
    if (mine !== this.asked) {
      return;
    }
    this.shares = shares;
    this.shareTitle.textContent = `Slots in use by device: ${run.label}`;
    this.drawShares();
  }

  private drawShares(): void {
    const { shares, state, charts } = this;
    if (shares === null || state === null || charts === null) {
      return;
    }
    const styles = this.stylesOf(shares);
    const { range, time, cursorNs } = state;
    charts.share.show({ shares, range, time, styles, cursorNs });
    fill(
      this.legend,
      shares.devices.map(({ name, rank }, index) =>
        h(
          'li',
          null,
          this.swatch(classOf(name, rank)),
          h('span', { class: 'map-sign' }, styles[index]!.sign),
          nameOf(name, shares),
        ),
      ),
    );
    this.tellShares();
    this.fillShareTable();
  }

  private stylesOf({ devices }: SharesView): readonly ShareStyle[] {
    return devices.map(({ name, rank }) => {
      const at = classOf(name, rank);
      const colour = this.mapTheme.classes[at]!;
      return {
        sign: name === null ? '+' : String.fromCharCode(65 + rank),
        fill: classPattern(this.mapTheme, at),
        line: css(colour),
        ink: inkOn(colour),
      };
    });
  }

  private swatch(index: number): HTMLCanvasElement {
    const canvas = h('canvas', { class: 'map-swatch', width: 22, height: 12, 'aria-hidden': 'true' });
    const context = canvas.getContext('2d');
    if (context !== null) {
      drawClass(context, this.mapTheme, index, 22, 12);
    }
    return canvas;
  }

  /** The shares at the cursor, else when most slots were in use. */
  private tellShares(): void {
    const { shares, state } = this;
    if (shares === null || state === null || shares.timeNs.length === 0) {
      return;
    }
    const totals = shares.timeNs.map((_, index) => shares.devices.reduce((sum, { slots }) => sum + slots[index]!, 0));
    const top = totals.indexOf(Math.max(...totals));
    const atNs = state.cursorNs ?? shares.timeNs[top]!;
    const held = sharesAt(shares, atNs);
    const used = held.reduce((sum, slots) => sum + slots, 0);
    const parts = shares.devices.flatMap(({ name }, index) =>
      held[index] === 0 ? [] : [`${nameOf(name, shares)} ${formatCount(held[index]!)}`],
    );
    const at = state.time.absolute(atNs, state.range.toNs - state.range.fromNs);
    const when = state.cursorNs === null ? `Most at ${at}` : at;
    const text = `${when}: ${formatSlots(used)}${parts.length === 0 ? '' : ` · ${parts.join(' · ')}`}`;
    this.shareText.textContent = text;
    this.charts?.share.describe(atNs, text);
  }

  private fillShareTable(): void {
    const { shares, state } = this;
    if (!this.shareDetails.open || shares === null || state === null) {
      return;
    }
    const { range, time } = state;
    const spanNs = range.toNs - range.fromNs;
    const times = Array.from({ length: 41 }, (_, index) => range.fromNs + (spanNs * index) / 40);
    fill(
      this.shareTable,
      table(
        'Slots in use by device',
        ['Time', ...shares.devices.map(({ name }) => nameOf(name, shares))],
        times.map((at) => [time.absolute(at, spanNs), ...sharesAt(shares, at).map(formatCount)]),
      ),
    );
  }

  private shareKey(event: KeyboardEvent): void {
    const { state } = this;
    if (state === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const { fromNs, toNs } = state.range;
    const stepNs = (toNs - fromNs) / (event.shiftKey ? 20 : 200);
    const at = state.cursorNs ?? (fromNs + toNs) / 2;
    const wanted: Readonly<Record<string, number>> = {
      ArrowLeft: at - stepNs,
      ArrowRight: at + stepNs,
      Home: fromNs,
      End: toNs,
    };
    const timeNs = wanted[event.key];
    if (timeNs !== undefined) {
      event.preventDefault();
      this.host.setCursor(Math.min(Math.max(timeNs, state.whole.fromNs), state.whole.toNs));
    }
  }

  // Devices, lifetimes, sizes ----------------------------------------------

  private drawDevices(): void {
    const { view } = this;
    if (view === null) {
      return;
    }
    const bouncing = view.devices.filter((device) => 0 < device.requests);
    fill(
      this.picker,
      h('option', { value: '' }, 'all devices'),
      bouncing
        .slice(0, 500)
        .map(({ name }) => h('option', { value: name }, name === '' ? 'device without a name' : name)),
    );
    fill(
      this.findings,
      this.findingsOf(view).map((line) => h('li', null, line)),
    );
    fill(this.table, deviceTable(view));
    this.drawHistograms();
  }

  private findingsOf(view: DevicesView): (readonly (string | HTMLElement)[])[] {
    const lines: (readonly (string | HTMLElement)[])[] = [];
    const waste = wasteSentence(sizeBins(view, view.devices));
    const short = shortSentence(view, view.devices);
    if (waste !== null) {
      lines.push([waste]);
    }
    if (short !== null) {
      lines.push([short]);
    }
    const leaks = view.devices.filter((device) => device.leak !== null);
    for (const { name, driver, leak } of leaks.slice(0, mostLeaks)) {
      const { open, openSlots, mapped, oldest } = leak!;
      lines.push([
        h('span', { class: 'pill mark' }, 'leak suspected'),
        ` ${name}${driver === null ? '' : ` (${driver})`}: ${plural(open, 'mapping')} of ${formatCount(mapped)} never unmapped, ${formatSlots(openSlots)}; the oldest one at `,
        h(
          'button',
          { type: 'button', class: 'link', 'data-leak-line': oldest.line, click: () => this.host.reveal(oldest) },
          `line ${formatCount(oldest.line)}`,
        ),
      ]);
    }
    if (mostLeaks < leaks.length) {
      lines.push([`A leak is suspected of ${plural(leaks.length - mostLeaks, 'more device')}; the export has all.`]);
    }
    if (leaks.length === 0 && view.lifetimeEdgesNs !== null) {
      lines.push(['No device is suspected of a leak: its mappings end, or are as old as the trace.']);
    }
    return lines;
  }

  private drawHistograms(): void {
    const { view, charts, theme, mapTheme } = this;
    if (view === null || charts === null) {
      return;
    }
    const devices = chosenDevices(view, this.device);
    const colour = mapTheme.classes[0]!;
    const lifetimes = lifetimeBins(view, devices) ?? [];
    this.lifetimeBlock.classList.toggle('empty', lifetimes.length === 0);
    this.lifetimeText.textContent = this.lifetimeHint();
    charts.lifetimes.setTheme(theme);
    charts.lifetimes.show({
      ticks: lifetimes.map(({ tick }) => tick),
      texts: lifetimes.map(({ name, mappings }) => `${name}: ${plural(mappings, 'mapping')}`),
      series: [{ values: lifetimes.map(({ mappings }) => mappings), fill: css(colour), border: css(colour) }],
      xTitle: 'lifetime (each decade in four)',
      yTitle: 'mappings',
      format: axisCount,
      isBytes: false,
    });
    const sizes = sizeBins(view, devices);
    this.sizeBlock.classList.toggle('empty', sizes.length === 0);
    this.sizeText.textContent = this.sizeHint();
    charts.sizes.setTheme(theme);
    charts.sizes.show({
      ticks: sizes.map(({ tick }) => tick),
      texts: sizes.map(sizeText),
      series: [
        { values: sizes.map(({ bytes }) => bytes), fill: css(colour), border: css(colour) },
        {
          values: sizes.map(({ wasteBytes }) => wasteBytes),
          fill: classPattern(mapTheme, 1),
          border: css(mapTheme.classes[1]!),
        },
      ],
      xTitle: 'slots of a mapping',
      yTitle: 'bytes in all',
      format: formatBytes,
      isBytes: true,
    });
    fill(
      this.sizeLegend,
      h('li', null, this.swatch(0), 'asked for'),
      h('li', null, this.swatch(1), 'lost to rounding'),
    );
    fill(
      this.lifetimeTable,
      table(
        'Lifetimes of mappings',
        ['Lifetime', 'Mappings'],
        lifetimes.map(({ name, mappings }) => [name, formatCount(mappings)]),
      ),
    );
    fill(
      this.sizeTable,
      table(
        'Sizes of mappings',
        ['Size', 'Mappings', 'Failed', 'Asked for', 'Lost to rounding'],
        sizes.map(({ name, mappings, failed, bytes, wasteBytes }) => [
          name,
          formatCount(mappings),
          formatCount(failed),
          formatBytes(bytes),
          formatBytes(wasteBytes),
        ]),
      ),
    );
  }

  private lifetimeHint(): string {
    const { view } = this;
    if (view === null) {
      return '';
    }
    if (view.lifetimeEdgesNs === null) {
      return view.hasTime
        ? 'This trace does not show when mappings end.'
        : 'The clock of this trace gives order only: nothing has a duration.';
    }
    const devices = chosenDevices(view, this.device);
    const [only] = devices;
    if (devices.length === 1 && only?.quantilesNs != null) {
      const { median, p99, longest } = only.quantilesNs;
      return `Median ${formatDuration(median)}, 99 of 100 below ${formatDuration(p99)}, longest ${formatDuration(longest)}`;
    }
    const bins = lifetimeBins(view, devices) ?? [];
    const [most] = [...bins].sort((a, b) => b.mappings - a.mappings);
    return most === undefined ? 'No mapping with a recorded end.' : `Most live ${most.name}`;
  }

  private sizeHint(): string {
    const { view } = this;
    if (view === null) {
      return '';
    }
    const bins = sizeBins(view, chosenDevices(view, this.device));
    const [most] = [...bins].sort((a, b) => b.mappings - a.mappings);
    return most === undefined ? 'No mapping.' : `Most take ${most.name}`;
  }

  // Files ------------------------------------------------------------------

  private offerExports(): void {
    const { host } = this;
    const colour = (index: number) => css(this.mapTheme.classes[index]!);
    host.exportable({
      id: 'device-shares',
      title: 'Slots in use by device',
      png: () => {
        const { shares } = this;
        const styles = shares === null ? [] : this.stylesOf(shares);
        const legend = styles.map(({ sign, line }, index) => ({
          label: `${sign} ${nameOf(shares!.devices[index]!.name, shares!)}`,
          colour: line,
        }));
        return this.picture(this.charts!.share.picture(), this.shareTitle.textContent ?? '', legend);
      },
      table: () => shareExport(this.shares),
    });
    host.exportable({
      id: 'lifetimes',
      title: 'Lifetimes of mappings',
      png: () => this.picture(this.charts!.lifetimes.picture(), 'Lifetimes of mappings', []),
      table: () => lifetimeExport(this.view),
    });
    host.exportable({
      id: 'sizes',
      title: 'Sizes of mappings',
      png: () =>
        this.picture(this.charts!.sizes.picture(), 'Sizes of mappings', [
          { label: 'asked for', colour: colour(0) },
          { label: 'lost to rounding', colour: colour(1) },
        ]),
      table: () => sizeExport(this.view),
    });
    host.exportable({ id: 'devices', title: 'Devices', table: () => deviceExport(this.view) });
  }

  private picture(chart: HTMLCanvasElement, title: string, legend: readonly { label: string; colour: string }[]) {
    const subtitle = [this.state?.trace.name ?? '', this.device ?? 'all devices'].join(' · ');
    const entries = legend.map((entry) => ({ ...entry, dash: [] }));
    return framed(chart, title, subtitle, entries, this.theme);
  }
}

/** The class of a device in the slot map: the same colour in both. */
function classOf(name: string | null, rank: number): number {
  return name === null ? mostClasses - 1 : rank;
}

function sizeText(bin: ReturnType<typeof sizeBins>[number]): string {
  const failed = bin.failed === 0 ? '' : `, ${formatCount(bin.failed)} failed`;
  return `${bin.name}: ${plural(bin.mappings, 'mapping')}${failed} · ${formatBytes(bin.bytes)} asked for, ${formatBytes(bin.wasteBytes)} lost to rounding`;
}

function canvasOf(id: string, label: string): HTMLCanvasElement {
  return h('canvas', { id, role: 'slider', tabindex: 0, 'aria-label': label, 'aria-orientation': 'horizontal' });
}

function details(kind: string, title: string, body: HTMLElement): HTMLElement {
  return h('details', { class: 'data-table', 'data-table': kind }, h('summary', null, title), body);
}
