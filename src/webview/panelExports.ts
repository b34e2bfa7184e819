import type { ChartBlock } from './chartBlock';
import type { Plot } from './charts/model';
import { readTheme } from './charts/theme';
import { byId } from './dom';
import { framed, type LegendEntry } from './exporting';
import { poolExport, seriesTable } from './sections/dataTable';
import { failureSigns } from './sections/legend';
import type { Exportable } from './sections/section';
import type { PanelState } from './state';

const titles: Readonly<Record<Plot, string>> = {
  slots: 'Slots in use over time',
  pools: 'Pools over time',
  transient: 'Slots in transient pools over time',
  memory: 'Memory held over time',
  stalls: 'Stalls over time',
};

/** The charts on the time axis, as pictures and as tables of what they show. */
export function panelExports(state: PanelState, charts: ChartBlock): Exportable[] {
  const picture = (plot: Plot) => () => {
    const theme = readTheme();
    const { range, time, trace } = state;
    const spanNs = range.toNs - range.fromNs;
    const legend: LegendEntry[] = charts
      .shownRuns()
      .filter((run) => plot !== 'pools' || run.isFront)
      .map((run) => ({
        label: `${run.label}${plot === 'slots' ? ` (${run.run.failed} failed)` : ''}`,
        colour: theme.series[run.style.series] ?? theme.text,
        dash: run.style.dash,
      }));
    if (plot === 'slots') {
      const signs = failureSigns(charts.shownRuns());
      legend.push(...signs.map(({ sign, label }) => ({ sign, label, colour: theme.error, dash: [] })));
    }
    const subtitle = `${trace?.name ?? ''} · ${time.absolute(range.fromNs, spanNs)} to ${time.absolute(range.toNs, spanNs)}`;
    return framed(charts.picture(plot), titles[plot], subtitle, legend, theme);
  };
  const isShown = (plot: Plot) => () => byId(`chart-${plot}`).closest('[hidden]') === null;
  const table = () => {
    const model = charts.model();
    return model === null ? { columns: [], rows: [] } : seriesTable(model);
  };
  return [
    { id: 'slots', title: titles.slots, isShown: isShown('slots'), png: picture('slots'), table },
    {
      id: 'pools',
      title: titles.pools,
      isShown: isShown('pools'),
      png: picture('pools'),
      table: () => {
        const model = charts.model();
        return model === null ? { columns: [], rows: [] } : poolExport(model);
      },
    },
    { id: 'transient', title: titles.transient, isShown: isShown('transient'), png: picture('transient') },
    { id: 'memory', title: titles.memory, isShown: isShown('memory'), png: picture('memory') },
    { id: 'stalls', title: titles.stalls, isShown: isShown('stalls'), png: picture('stalls') },
  ];
}
