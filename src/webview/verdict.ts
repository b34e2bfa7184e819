import { formatBytes, formatCount, formatPercent, formatSlots, formatSlotsAndBytes, plural } from '../base/format';
import type { Cause } from '../model/cause';
import { SLOT_BYTES } from '../model/units';
import { bounceAllSetting, type RunView, type SizeView, type TraceView } from '../protocol/views';
import { poolSlotsParam } from './fixedSizes';
import { causeWords } from './words';

export interface Verdict {
  readonly tone: 'good' | 'bad' | 'mixed' | 'neutral';
  readonly headline: string;
  readonly detail: string;
}

/**
 * The first words of the panel: what happened, and what the policy in front would have changed.
 * `recorded` and `front` are the same run when no other policy is shown; both are null when nothing can be replayed.
 */
export function verdict(trace: TraceView, recorded: RunView | null, front: RunView | null): Verdict {
  if (front?.replayable && front.key.set[bounceAllSetting] === true) {
    return ofDryRun(front);
  }
  if (recorded === null || !recorded.replayable) {
    return withoutReplay(trace);
  }
  const words = front === null || front === recorded ? ofRecording(trace, recorded) : ofPolicy(recorded, front);
  return {
    ...words,
    detail: [words.detail, basisOf(trace, recorded), front === null || front === recorded ? '' : unseenBy(recorded)]
      .filter((part) => part !== '')
      .join(' '),
  };
}

/** What a reader must know before believing the curves: the recorded one is a model too when the trace has no ends. */
function basisOf(trace: TraceView, recorded: RunView): string {
  if (recorded.basis === 'recorded' || recorded.assumed.lifetimes === 0) {
    return '';
  }
  const source = trace.samples === null ? '' : ', fitted to the debugfs samples';
  return `Lifetimes are assumed${source}: this trace has no unmap events.`;
}

/** What was recorded is another machine: nothing to compare with. */
function ofDryRun(run: RunView): Verdict {
  const peak = `Peak use ${formatSlotsAndBytes(run.usedHighWaterSlots)}. Every DMA mapping of this trace is replayed as if it had to bounce.`;
  const policy = subjectOf(run);
  return run.failed === 0
    ? {
        tone: 'good',
        headline: `Dry run: ${lowerFirst(policy)} would serve this load in a confidential VM.`,
        detail: peak,
      }
    : {
        tone: 'bad',
        headline: `Dry run: with ${lowerFirst(policy)} ${plural(run.failed, 'mapping')} would fail in a confidential VM.`,
        detail: `${listCauses(run.failuresByCause)}. ${peak}`,
      };
}

function withoutReplay(trace: TraceView): Verdict {
  if (trace.failureCount === 0 && 0 < trace.requests && trace.bounced === 0) {
    return {
      tone: 'neutral',
      headline: `Nothing bounced: ${trace.requests === 1 ? 'the mapping' : `all ${plural(trace.requests, 'mapping')}`} went directly to ${trace.requests === 1 ? 'its buffer' : 'their buffers'}.`,
      detail: 'A dry run says what this load would need in a confidential VM.',
    };
  }
  if (trace.failureCount === 0) {
    return {
      tone: 'neutral',
      headline: trace.guidance?.title ?? 'No failure, and nothing to replay.',
      detail: trace.guidance?.found ?? 'This file holds no mapping requests.',
    };
  }
  const causes = countCauses(trace);
  const suppressed = trace.episodes.reduce((sum, episode) => sum + episode.suppressed, 0);
  return {
    tone: 'bad',
    headline: `${plural(trace.failureCount, 'mapping')} failed: ${listCauses(causes)}.`,
    detail: suppressed === 0 ? '' : `The kernel suppressed ${plural(suppressed, 'more message')}.`,
  };
}

function ofRecording(trace: TraceView, run: RunView): Verdict {
  const peak = `Peak use ${formatSlotsAndBytes(run.usedHighWaterSlots)}, ${formatPercent(run.usedHighWaterSlots / run.capacityPeakSlots)} of the pool.`;
  if (run.basis === 'modelled') {
    return ofModelledRecording(trace, run, peak);
  }
  if (run.failed === 0) {
    return {
      tone: 'good',
      headline: `Nothing failed: all ${plural(run.requests, 'mapping')} got their slots.`,
      detail: peak,
    };
  }
  const onlyOverSize = (run.failuresByCause['over-size'] ?? 0) === run.failed;
  return {
    tone: 'bad',
    headline: `${formatCount(run.failed)} of ${plural(run.requests, 'mapping')} failed: ${listCauses(run.failuresByCause)}.`,
    detail: onlyOverSize ? `No pool size can help: one mapping may take at most 256 KiB. ${peak}` : peak,
  };
}

/** The trace does not show outcomes or ends: what it records and what a replay gives are kept apart. */
function ofModelledRecording(trace: TraceView, run: RunView, peak: string): Verdict {
  const inReplay = `${formatCount(run.failed)} of ${plural(run.requests, 'mapping')} fail in a replay`;
  if (0 < trace.failureCount) {
    const { headline, detail } = withoutReplay(trace);
    return { tone: 'bad', headline, detail: [detail, `${inReplay}.`, peak].filter((part) => part !== '').join(' ') };
  }
  return run.failed === 0
    ? { tone: 'neutral', headline: 'No failure is recorded, and none happens in a replay.', detail: peak }
    : {
        tone: 'mixed',
        headline: `No failure is recorded, but ${inReplay}: ${listCauses(run.failuresByCause)}.`,
        detail: peak,
      };
}

function ofPolicy(recorded: RunView, run: RunView): Verdict {
  return { ...outcomeOf(recorded, run), detail: costOf(recorded, run) };
}

function outcomeOf(recorded: RunView, run: RunView): Omit<Verdict, 'detail'> {
  const would = `${subjectOf(run)} would`;
  if (recorded.failed === 0 && run.failed === 0) {
    const before = recorded.basis === 'recorded' ? 'Nothing failed' : 'No failure is recorded';
    return { tone: 'neutral', headline: `${before}, and nothing would fail with ${lowerFirst(subjectOf(run))}.` };
  }
  if (run.failed === 0) {
    const failed = recorded.failed === 1 ? 'the mapping' : `all ${plural(recorded.failed, 'mapping')}`;
    return { tone: 'good', headline: `${would} have served ${failed} that failed.` };
  }
  const causes = listCauses(run.failuresByCause);
  if (run.failed < recorded.failed) {
    const rest = run.failed === 1 ? 'one still fails' : `${formatCount(run.failed)} still fail`;
    return {
      tone: 'mixed',
      headline: `${would} have cut failures from ${formatCount(recorded.failed)} to ${formatCount(run.failed)}; ${rest}: ${causes}.`,
    };
  }
  if (run.failed === recorded.failed) {
    return { tone: 'bad', headline: `${would} not have helped: ${plural(run.failed, 'mapping')} fail, ${causes}.` };
  }
  return {
    tone: 'bad',
    headline: `${would} have failed more often: ${formatCount(run.failed)} instead of ${formatCount(recorded.failed)} (${causes}).`,
  };
}

/** Replays start without what was mapped before the trace and never unmapped in it; worth a word when it is much. */
function unseenBy(recorded: RunView): string {
  const { unseenSlots, usedHighWaterSlots } = recorded;
  return unseenSlots * 10 <= usedHighWaterSlots
    ? ''
    : `The recorded ${formatSlots(unseenSlots)} that no mapping of the trace accounts for are missing in the replays.`;
}

/** The policy as the subject of a sentence: "Dynamic pools", "A fixed pool of 64 MiB". */
export function subjectOf(run: RunView): string {
  if (run.policy !== 'fixed') {
    return run.title;
  }
  const slots = run.params[poolSlotsParam]?.value;
  return typeof slots === 'number' ? `A fixed pool of ${formatBytes(slots * SLOT_BYTES)}` : 'A fixed pool';
}

function costOf(recorded: RunView, run: RunView): string {
  const parts = [
    change('Peak use', recorded.usedHighWaterSlots, run.usedHighWaterSlots, (slots) => formatBytes(slots * SLOT_BYTES)),
    change('memory held', recorded.memory.peakBytes, run.memory.peakBytes, formatBytes),
  ];
  if (0 < run.workerRuns) {
    parts.push(plural(run.workerRuns, 'worker run'));
  }
  if (0 < run.transient.count) {
    parts.push(plural(run.transient.count, 'transient pool'));
  }
  return `${parts.join(' · ')}.`;
}

function change(label: string, before: number, after: number, format: (value: number) => string): string {
  return before === after ? `${label} ${format(after)} either way` : `${label} ${format(before)} → ${format(after)}`;
}

export function countCauses(trace: TraceView): Partial<Record<Cause, number>> {
  const counts: Partial<Record<Cause, number>> = {};
  for (const episode of trace.episodes) {
    counts[episode.cause] = (counts[episode.cause] ?? 0) + episode.count;
  }
  return counts;
}

/** "61 fragmented, 17 pool full", or just the name when there is one cause. */
export function listCauses(counts: Readonly<Partial<Record<Cause, number>>>): string {
  const sorted = sortedCauses(counts);
  if (sorted.length === 1) {
    return causeWords[sorted[0]![0]].label;
  }
  return sorted.map(([cause, count]) => `${formatCount(count)} ${causeWords[cause].label}`).join(', ');
}

export function sortedCauses(counts: Readonly<Partial<Record<Cause, number>>>): [Cause, number][] {
  return (Object.entries(counts) as [Cause, number][]).filter(([, count]) => 0 < count).sort(([, a], [, b]) => b - a);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** What a move into a confidential VM needs, before the table that shows it. */
export function dryRunVerdict(view: SizeView, set: RunView, grown: RunView): string {
  const best = view.smallest[0];
  const rest = (run: RunView) => (run.failed === 0 ? 'nothing fails' : `${plural(run.failed, 'request')} fail`);
  return (
    `With every DMA mapping bounced this load has ${formatSlotsAndBytes(set.usedHighWaterSlots)} in use at its peak. ` +
    `Set ${best?.bootParameter ?? 'a pool'} (${formatBytes(best?.bytesAfterRounding ?? 0)}): ${rest(set)}. ` +
    `Dynamic pools instead, from ${formatBytes(Number(grown.params[poolSlotsParam]?.value ?? 0) * SLOT_BYTES)}: ${rest(grown)}, ${formatBytes(grown.memory.peakBytes)} held at the peak. ` +
    'Splitting of large block requests is assumed.'
  );
}
