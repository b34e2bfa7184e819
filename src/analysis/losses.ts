import type { BundleFact, ProbeDefinition, ProbeProfile, RingCounter } from '../model/bundle';
import type { ProbeLoss, RingLoss } from '../model/reports';
import type { Analysis } from './analysis';

/** What the statistics beside a trace and the CPUs' first events say about what is missing. */
export interface RecordingLosses {
  /** Probes of bounce buffer functions with hits that the kernel could not take; empty when nothing was missed or nobody counted. */
  readonly probes: readonly ProbeLoss[];
  /** kprobe_profile was given: an empty `probes` then means that nothing was missed. */
  readonly hasProbeProfile: boolean;
  /** Per CPU, those with a loss only. */
  readonly rings: readonly RingLoss[];
  /** Events that the ring buffer lost, by its own statistics; null when they were not given. */
  readonly ringTotal: number | null;
  /** From this moment on (on the reference clock) all CPUs are in the trace; null: from its start, or unknown. */
  readonly earliestCommonTimeNs: number | null;
  /** CPUs of which events were overwritten, as far as is known. */
  readonly overwrittenCpus: number;
}

export function recordingLosses(analysis: Analysis): RecordingLosses {
  const facts = analysis.tables.bundleFacts ?? [];
  const rings = ringLosses(analysis, facts);
  return {
    ...probeLosses(analysis, facts),
    rings: rings.filter(({ overwritten, dropped }) => overwritten + dropped > 0),
    ringTotal: rings.length === 0 ? null : rings.reduce((sum, ring) => sum + ring.overwritten + ring.dropped, 0),
    ...earliestCommonTime(analysis, rings),
  };
}

function probeLosses(
  analysis: Analysis,
  facts: readonly BundleFact[],
): Pick<RecordingLosses, 'probes' | 'hasProbeProfile'> {
  const isProfile = (fact: BundleFact): fact is ProbeProfile => fact.kind === 'probe-profile';
  const isDefinition = (fact: BundleFact): fact is ProbeDefinition => fact.kind === 'probe-definition';
  const symbols = new Map(facts.filter(isDefinition).map(({ event, symbol }) => [event, symbol]));
  const profiles = facts.filter(isProfile);
  const probes: ProbeLoss[] = [];
  for (const { event, hits, missed, source, line } of profiles) {
    const symbol = symbols.get(event) ?? null;
    // Statistics cover everybody's probes: where definitions tell, those of other functions are no loss of this trace.
    const isOurs = symbol === null ? symbols.size === 0 : /swiotlb/.test(symbol);
    if (missed > 0 && isOurs) {
      probes.push({ probe: event, symbol, hits, missed, file: pathOf(analysis, source), line });
    }
  }
  return { probes, hasProbeProfile: profiles.length > 0 };
}

function ringLosses(analysis: Analysis, facts: readonly BundleFact[]): RingLoss[] {
  const isCounter = (fact: BundleFact): fact is RingCounter => fact.kind === 'ring-counter';
  const byCpu = new Map<string, RingLoss>();
  for (const { cpu, counter, count, source, line } of facts.filter(isCounter)) {
    const key = `${source} ${cpu}`;
    const ring = byCpu.get(key) ?? {
      cpu: cpu < 0 ? null : cpu,
      overwritten: 0,
      dropped: 0,
      file: pathOf(analysis, source),
      line,
    };
    byCpu.set(key, {
      ...ring,
      overwritten: ring.overwritten + (counter === 'overrun' ? count : 0),
      dropped: ring.dropped + (counter === 'overrun' ? 0 : count),
    });
  }
  return [...byCpu.values()];
}

/**
 * Each CPU's buffer is overwritten for itself: before the latest of their first events, some CPU is missing.
 * CPUs that by their own statistics lost nothing had no earlier event.
 */
function earliestCommonTime(
  analysis: Analysis,
  rings: readonly RingLoss[],
): Pick<RecordingLosses, 'earliestCommonTimeNs' | 'overwrittenCpus'> {
  const overwritten = new Set(rings.filter((ring) => ring.overwritten > 0).map(({ cpu }) => cpu));
  let latest = Number.NEGATIVE_INFINITY;
  let cpus = 0;
  for (const ledger of analysis.sourceLedgers) {
    const offsetNs = analysis.tables.sources[ledger.source]?.offsetNs ?? Number.NaN;
    if (ledger.overwritten <= 0 || ledger.firstTimeByCpu === undefined || Number.isNaN(offsetNs)) {
      continue;
    }
    for (const [cpu, timeNs] of Object.entries(ledger.firstTimeByCpu)) {
      if (overwritten.size === 0 || overwritten.has(Number(cpu))) {
        latest = Math.max(latest, timeNs + offsetNs);
        cpus++;
      }
    }
  }
  return cpus === 0
    ? { earliestCommonTimeNs: null, overwrittenCpus: 0 }
    : { earliestCommonTimeNs: latest, overwrittenCpus: cpus };
}

function pathOf(analysis: Analysis, source: number): string {
  return analysis.tables.sources[source]?.path ?? analysis.file;
}
