import { formatCount } from '../base/format';
import type { Cause } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import type { LineRef, TraceView } from '../protocol/views';

/** What each cause is called, and what it means in one line. */
export const causeWords: Readonly<Record<Cause, { readonly label: string; readonly meaning: string }>> = {
  'over-size': { label: 'over-size', meaning: 'larger than one mapping may be (256 KiB): no pool size can serve it' },
  'no-pool': { label: 'no pool', meaning: 'there is no bounce pool at all' },
  'bounce-disabled': { label: 'bouncing disabled', meaning: 'the pool is inactive or swiotlb=noforce was given' },
  'pool-full': { label: 'pool full', meaning: 'not enough free slots anywhere' },
  fragmented: { label: 'fragmented', meaning: 'enough free slots, but no run long enough' },
  alignment: { label: 'alignment', meaning: 'no free run meets the alignment the device or caller needs' },
  'address-limit': { label: 'address limit', meaning: 'the pool lies above what the device can address' },
  'growth-too-late': { label: 'growth too late', meaning: 'the worker was still adding a pool' },
  'allocation-failed': {
    label: 'allocation failed',
    meaning: 'memory that the mapping needed at once could not be had',
  },
  'atomic-pool-empty': { label: 'atomic pool empty', meaning: 'the pool for atomic context had no pages left' },
  'class-empty': { label: 'size class empty', meaning: 'no buffer of this size class was left' },
  'attribute-mismatch': { label: 'attribute mismatch', meaning: 'the mapping asks for what a pool cannot give' },
  lockup: { label: 'lock-up', meaning: 'the search of this kernel would not end' },
  deadlock: { label: 'deadlock', meaning: 'the waiter holds what it waits for' },
  unknown: { label: 'unknown', meaning: 'the evidence does not say' },
};

export const levelWords: Readonly<Record<EvidenceLevel | 'lost', string>> = {
  user: 'set by you',
  recorded: 'recorded',
  derived: 'derived',
  modelled: 'modelled',
  default: 'default',
  assumed: 'assumed',
  lost: 'lost',
};

/** Short names of policies for buttons and legends; others use their title. */
export function policyLabel(policy: string, title: string): string {
  const short: Readonly<Record<string, string>> = {
    recorded: 'Recorded',
    dynamic: 'Dynamic',
    transient: 'Transient',
    fixed: 'Fixed',
  };
  return short[policy] ?? title;
}

/** `line 14`; of a capture of several files `dmesg.txt, line 14`. */
export function lineWords({ sources }: Pick<TraceView, 'sources'>, { file, line }: LineRef, word = 'line '): string {
  const name = sources.length < 2 ? '' : `${file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1)}, `;
  return `${name}${word}${formatCount(line)}`;
}
