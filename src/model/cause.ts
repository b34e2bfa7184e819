/** Why a request got no slots. The order is the order of display. */
export const causes = [
  'over-size',
  'no-pool',
  'bounce-disabled',
  'pool-full',
  'fragmented',
  'alignment',
  'address-limit',
  'growth-too-late',
  'allocation-failed',
  'atomic-pool-empty',
  'class-empty',
  'attribute-mismatch',
  'lockup',
  'deadlock',
  'unknown',
] as const;
export type Cause = (typeof causes)[number];
export const causeCode = Object.fromEntries(causes.map((cause, index) => [cause, index])) as Record<Cause, number>;
