import { formatHex } from '../base/address';
import { formatBytes, formatCount, formatSlotsAndBytes, plural } from '../base/format';
import type { Evidence, EvidenceLevel, Known } from '../model/evidence';
import type { DeviceGeometry, PoolGeometry } from '../model/geometry';
import type { Slots } from '../model/units';
import type { Analysis } from './analysis';

/** One fact about the recorded kernel with where it comes from; also what is only assumed. */
export interface GeometryRow {
  /** As the geometry settings call it; `pool` for pools that cannot be set. */
  readonly field:
    | 'kernel'
    | 'dynamic'
    | 'pageSize'
    | 'cpus'
    | 'boot'
    | 'poolStart'
    | 'poolSlots'
    | 'areas'
    | 'pool'
    | 'deviceClass'
    | 'dmaMaskBits'
    | 'minAlign'
    | 'segBoundaryBits';
  /** Name of the device, else null. */
  readonly device: string | null;
  /** As a person would type it; null: unknown. */
  readonly value: string | null;
  /** The value with its unit, for reading; null: unknown. */
  readonly shown: string | null;
  readonly level: EvidenceLevel;
  /** One sentence: which fact says so. */
  readonly why: string;
  /** The line that says so. */
  readonly file: string | null;
  readonly line: number | null;
}

/** More pools than that are named in one row. */
const maxPools = 20;

/** The recorded kernel as a table: what is known, from which line, and what is assumed for want of better. */
export function geometryRows(analysis: Analysis): readonly GeometryRow[] {
  const { geometry, overrides } = analysis;
  const row = rowMaker(analysis);
  const [boot] = geometry.pools;
  const others = [...geometry.pools.slice(1), ...geometry.recordedPools];
  const rows = [
    row(
      'kernel',
      geometry.generation,
      (value) => value,
      (value) => value,
    ),
    row('dynamic', geometry.dynamic, yesNo, yesNo),
    row('cpus', geometry.cpus, positive, (value) => plural(value, 'CPU')),
    row('pageSize', geometry.pageSize, positive, formatBytes),
  ];
  if (overrides.boot !== undefined || boot === undefined || isWeak(boot.slots.evidence)) {
    const given = overrides.boot;
    const why = given === undefined ? 'Say what the kernel was started with, and the pool is sized as it would.' : '';
    rows.push({
      field: 'boot',
      device: null,
      value: given ?? null,
      shown: given === undefined ? null : `swiotlb=${given}`,
      level: given === undefined ? 'default' : 'user',
      why: why || 'Given by the user.',
      file: null,
      line: null,
    });
  }
  if (boot !== undefined) {
    rows.push(
      row(
        'poolStart',
        boot.start,
        (value) => formatHex(value),
        (value) => formatHex(value),
      ),
      row('poolSlots', boot.slots, positive, slotsText),
      row('areas', boot.areas, positive, (value) => plural(value, 'area')),
    );
  }
  rows.push(
    ...others.slice(0, maxPools).map((pool) =>
      row(
        'pool',
        pool.start,
        () => '',
        () => poolText(pool),
      ),
    ),
  );
  if (others.length > maxPools) {
    const shown = `${plural(others.length - maxPools, 'more pool')}`;
    rows.push({ ...rows[rows.length - 1], shown, why: '', file: null, line: null });
  }
  const named = geometry.devices.filter((device) => device.name !== '');
  return [...rows, ...named.flatMap((device) => deviceRows(analysis, device))];
}

function deviceRows(analysis: Analysis, device: DeviceGeometry): GeometryRow[] {
  const row = rowMaker(analysis, device.name);
  return [
    row(
      'deviceClass',
      device.deviceClass,
      (value) => (value === 'unknown' ? null : value),
      (value) => value,
    ),
    row('dmaMaskBits', device.dmaMaskBits, String, (value) => `${value} bits`),
    row(
      'minAlign',
      device.minAlignMask,
      (value) => formatHex(value),
      (value) => formatHex(value),
    ),
    row('segBoundaryBits', device.segBoundaryBits, String, (value) => (value >= 64 ? 'none' : `${value} bits`)),
  ];
}

function rowMaker(analysis: Analysis, device: string | null = null) {
  return <T>(
    field: GeometryRow['field'],
    { value, evidence }: Known<T>,
    typed: (value: T) => string | null,
    shown: (value: T) => string,
  ): GeometryRow => {
    const isKnown = typeof value !== 'number' || (Number.isFinite(value) && 0 <= value);
    const text = isKnown ? typed(value) : null;
    return {
      field,
      device,
      value: text,
      shown: text === null ? null : shown(value),
      level: evidence.level,
      why: evidence.text,
      ...placeOf(analysis, evidence),
    };
  };
}

function placeOf(analysis: Analysis, { source, line }: Evidence): Pick<GeometryRow, 'file' | 'line'> {
  const file = source === undefined ? undefined : analysis.tables.sources[source]?.path;
  return file === undefined || line === undefined || line < 1 ? { file: null, line: null } : { file, line };
}

function isWeak({ level }: Evidence): boolean {
  return level === 'default' || level === 'assumed' || level === 'user';
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function positive(value: number): string | null {
  return 0 < value ? String(value) : null;
}

function slotsText(slots: Slots): string {
  return formatSlotsAndBytes(slots);
}

function poolText({ kind, start, slots, areas }: PoolGeometry): string {
  const parts = [
    kind,
    Number.isFinite(start.value) ? formatHex(start.value) : null,
    0 < slots.value ? formatSlotsAndBytes(slots.value) : null,
    0 < areas.value ? `${formatCount(areas.value)} ${areas.value === 1 ? 'area' : 'areas'}` : null,
  ];
  return parts.filter((part) => part !== null).join(' · ');
}
