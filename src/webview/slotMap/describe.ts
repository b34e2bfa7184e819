import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRange,
  formatSlots,
  formatSlotsAndBytes,
} from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import type { SlotDetailView, SlotsView } from '../../protocol/slots';
import type { TimeFormat } from '../format';
import { causeWords, levelWords } from '../words';
import { areaOf, type MapData, type SlotRun } from './mapData';
import { failureLabel } from './paint';

/** What a run of slots is, in one line; also what is read aloud. */
export function runTitle(data: MapData, run: SlotRun): string {
  const where = placeWords(data, run);
  if (run.mapping === null) {
    return `Free: ${formatSlotsAndBytes(run.slots)} in a row · ${where}`;
  }
  return `${deviceName(data, run.mapping)} · ${formatSlotsAndBytes(run.slots)} · ${where}`;
}

function placeWords(data: MapData, run: SlotRun): string {
  const { kind } = data.view.pools[run.pool]!;
  const area = areaOf(data, run.pool, run.firstSlot);
  const slots = `slot${run.slots === 1 ? '' : 's'} ${formatRange(run.firstSlot, run.firstSlot + run.slots - 1)}`;
  return `${kind} pool${area === null ? '' : `, area ${area}`}, ${slots}`;
}

export function deviceName(data: MapData, mapping: number): string {
  const device = data.device[mapping]!;
  const name = data.view.devices.find((entry) => entry.device === device)?.name;
  return device < 0 ? 'seen in samples only' : name || 'device without a name';
}

/** How long a mapping has been there; `« before the trace` has no number. */
export function ageText({ view, bornNs }: MapData, mapping: number): string {
  const age = view.timeNs - bornNs[mapping]!;
  if (Number.isNaN(age)) {
    return 'from before the trace';
  }
  return view.hasTime ? formatDuration(age) : `${formatCount(age)} events`;
}

/** The lines of the card below its title. */
export function cardLines(
  data: MapData,
  mapping: number,
  detail: SlotDetailView | null,
  time: TimeFormat,
): readonly string[] {
  const age = `Age ${ageText(data, mapping)}`;
  if (detail === null) {
    return [age];
  }
  const lines: string[] = [];
  const held = detail.slots * SLOT_BYTES;
  if (detail.sizeBytes !== null) {
    const driver = detail.driver === null ? '' : `${detail.driver} · `;
    lines.push(
      `${driver}${detail.direction ?? 'direction unknown'} · ${formatBytes(detail.sizeBytes)} of ${formatBytes(held)} used`,
    );
  }
  if (detail.bounce !== null) {
    lines.push(`${detail.original ?? 'unknown'} → bounce ${detail.bounce}`);
  }
  const since = detail.bornNs === null ? '' : ` (since ${time.relative(detail.bornNs)})`;
  lines.push(`${age}${since}`);
  lines.push(endText(detail, data.view.hasTime, time));
  if (detail.map !== null) {
    lines.push(`Line ${formatCount(detail.map.line)}: click or Enter`);
  }
  return lines;
}

function endText({ bornNs, endNs, endLevel }: SlotDetailView, hasTime: boolean, time: TimeFormat): string {
  if (endNs === null) {
    return 'Still mapped when the trace ends';
  }
  const how = endLevel === 'recorded' || endLevel === null ? '' : ` (${levelWords[endLevel]})`;
  const lives =
    bornNs === null
      ? ''
      : `, lives ${hasTime ? formatDuration(endNs - bornNs) : `${formatCount(endNs - bornNs)} events`}`;
  return `Ends ${time.relative(endNs)}${lives}${how}`;
}

/** What the last step did. */
export function eventText(data: MapData): string {
  const { event } = data.view;
  if (event === null) {
    return 'Start of the trace';
  }
  const device = event.device ?? 'a mapping seen in samples only';
  if (event.failure !== null) {
    return `Failed: ${causeWords[event.failure.cause].label} · ${device} ${failureLabel(data)}`;
  }
  return `${event.kind === 'taken' ? 'Mapped' : 'Unmapped'}: ${formatSlots(event.slots)} by ${device}`;
}

/** What must be known to read the picture rightly. */
export function notesOf(view: SlotsView): readonly string[] {
  const notes: string[] = [];
  if (view.run.policy === 'recorded' && view.basis === 'modelled') {
    notes.push(
      'This trace does not show bounce addresses, ends and times enough to draw it: the slots are those of a replay of the recorded policy.',
    );
  }
  if (!view.hasTime) {
    notes.push('The clock of this trace gives order only: ages count events.');
  }
  if (0 < view.unseenSlots) {
    notes.push(
      `${formatSlots(view.unseenSlots)} are in use by the kernel's counters, but no mapping of the trace holds them: they look free here, because nobody knows where they are.`,
    );
  }
  if (0 < view.displaced) {
    notes.push(
      `${formatCount(view.displaced)} mappings end here when another one is recorded in their place: their release was printed later, or is missing.`,
    );
  }
  if (view.pools.some((pool) => pool.kind !== 'transient' && (pool.start === null || pool.startLevel === 'assumed'))) {
    notes.push('Where the pool begins is not recorded: slot numbers count from the assumed start.');
  }
  return notes;
}
