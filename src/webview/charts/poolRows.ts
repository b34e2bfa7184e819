import { formatCount, plural } from '../../base/format';
import type { RunView } from '../../protocol/views';
import type { Range } from './scale';

type Pool = RunView['pools'][number];

/** Pools that are drawn in one row, with their spans on the time axis. */
export interface PoolRow {
  readonly label: string;
  /** `single`: one long-lived pool; `many`: spans of several. */
  readonly kind: 'single' | 'many';
  readonly spans: readonly Range[];
}

/** Long-lived pools have a row each, up to this many; the rest share one. */
const ownRows = 6;

/** The pools of a run: long-lived ones in the order they came, then the transient ones together. */
export function poolRows(run: Pick<RunView, 'pools' | 'transient'>, whole: Range): PoolRow[] {
  const lasting = run.pools
    .filter((pool) => pool.kind !== 'transient')
    .sort((a, b) => (a.addedAtNs ?? whole.fromNs) - (b.addedAtNs ?? whole.fromNs) || a.id - b.id);
  const single = lasting.length <= ownRows ? lasting : lasting.slice(0, ownRows - 1);
  const rest = lasting.slice(single.length);
  const transient = run.pools.filter((pool) => pool.kind === 'transient');
  const rows: PoolRow[] = single.map((pool) => ({
    label: `${pool.kind} ${formatCount(pool.slots)} slots`,
    kind: 'single',
    spans: [spanOf(pool, whole)],
  }));
  if (0 < rest.length) {
    rows.push({
      label: `${formatCount(rest.length)} more`,
      kind: 'many',
      spans: rest.map((pool) => spanOf(pool, whole)),
    });
  }
  if (0 < transient.length) {
    const { count } = run.transient;
    const some = transient.length < count ? `the first ${formatCount(transient.length)} of ${formatCount(count)} ` : '';
    rows.push({
      label: some === '' ? `${formatCount(transient.length)} transient` : `${some}transient`,
      kind: 'many',
      spans: transient.map((pool) => spanOf(pool, whole)),
    });
  }
  return rows;
}

/** How many pools of which kind there are at a time: "1 boot, 2 grown"; without a time, in the whole run. */
export function poolsAt(run: Pick<RunView, 'pools'>, whole: Range, timeNs: number | null): string {
  const counts = new Map<string, number>();
  for (const pool of run.pools) {
    const { fromNs, toNs } = spanOf(pool, whole);
    if (timeNs === null || (fromNs <= timeNs && (timeNs < toNs || toNs === whole.toNs))) {
      counts.set(pool.kind, (counts.get(pool.kind) ?? 0) + 1);
    }
  }
  const parts = [...counts].map(([kind, count]) => `${formatCount(count)} ${kind}`);
  return parts.length === 0 ? plural(0, 'pool') : parts.join(', ');
}

function spanOf(pool: Pool, whole: Range): Range {
  return { fromNs: pool.addedAtNs ?? whole.fromNs, toNs: pool.removedAtNs ?? whole.toNs };
}
