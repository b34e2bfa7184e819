import type { Cause } from '../../model/cause';

/** A shape for the canvas and the sign that stands for it in text. */
export interface CauseMark {
  readonly point: 'crossRot' | 'rectRot' | 'rect' | 'triangle' | 'star' | 'circle' | 'cross';
  readonly sign: string;
}

const other: CauseMark = { point: 'cross', sign: '+' };

/** Causes differ by shape; the ones that are rarely seen share the last. */
const marks: Readonly<Partial<Record<Cause, CauseMark>>> = {
  fragmented: { point: 'crossRot', sign: '✕' },
  'pool-full': { point: 'rectRot', sign: '◆' },
  'over-size': { point: 'rect', sign: '■' },
  alignment: { point: 'triangle', sign: '▲' },
  'address-limit': { point: 'triangle', sign: '▲' },
  'growth-too-late': { point: 'star', sign: '✳' },
  'allocation-failed': { point: 'circle', sign: '●' },
  'atomic-pool-empty': { point: 'circle', sign: '●' },
};

export function causeMark(cause: Cause): CauseMark {
  return marks[cause] ?? other;
}
