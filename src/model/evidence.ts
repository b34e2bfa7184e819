import type { LineNumber } from './units';

/** How a value came to be known. Recorded, modelled and assumed are never mixed. */
export type EvidenceLevel = 'user' | 'recorded' | 'derived' | 'modelled' | 'default' | 'assumed';

export interface Evidence {
  readonly level: EvidenceLevel;
  /** One plain sentence: which fact says so. */
  readonly text: string;
  /** Index into the source table, -1 when no source is involved. */
  readonly source?: number;
  readonly line?: LineNumber;
}

/** A value together with where it comes from. */
export interface Known<T> {
  readonly value: T;
  readonly evidence: Evidence;
}

export function known<T>(
  value: T,
  level: EvidenceLevel,
  text: string,
  at?: { source: number; line: LineNumber },
): Known<T> {
  return { value, evidence: at === undefined ? { level, text } : { level, text, source: at.source, line: at.line } };
}
