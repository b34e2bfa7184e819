import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { ReplayOutcome, type ReplayResult } from '../../src/model/replayResult';
import { readFixture, readFixtureText } from './fixtures';

/** What a real kernel did with the same sequence of maps. */
export interface MirrorTarget {
  /** Bounce address per map, in order; NaN when it failed. */
  readonly bounce: readonly number[];
  readonly failed: number;
  /** Pools added during the run; `beforeMap` is the number of maps before it could be used. */
  readonly added: readonly MirrorPool[];
}

export interface MirrorPool {
  readonly start: number;
  readonly slots: number;
  readonly areas: number;
  readonly beforeMap: number;
}

/** Devices swlab.0 to swlab.4 of the controlled driver. */
export const mirrorMinAlign = { 'swlab.0': 0, 'swlab.1': 0xfff, 'swlab.2': 0x1ff, 'swlab.3': 0, 'swlab.4': 0xffff };
/** Where the boot pool of every configuration ends. */
export const mirrorPoolEnd = 0x7db8a000;

/** The analysis of a mirror trace, with no other input. */
export function readMirrorTrace(name: string): Analysis {
  const builder = createAnalysis();
  const source = builder.openSource({ path: name });
  source.push(readFixture(`replay/${name}`));
  source.end();
  return builder.snapshot();
}

export function readMirrorTarget(name: string): MirrorTarget {
  const bounce: number[] = [];
  const added: MirrorPool[] = [];
  for (const text of readFixtureText(`replay/${name}`).split('\n').slice(1, -1)) {
    if (text.startsWith('G ')) {
      const [start, slots, areas] = text.slice(2).split(':');
      const beforeMap = bounce.length;
      added.push({ start: Number.parseInt(start, 16), slots: Number(slots), areas: Number(areas), beforeMap });
    } else {
      bounce.push(text === '' ? Number.NaN : Number.parseInt(text, 16));
    }
  }
  return { bounce, failed: bounce.filter(Number.isNaN).length, added };
}

/** The pools that the real kernel added, as the parameter `addedPools`. */
export function addedPoolsOf(target: MirrorTarget): string {
  return target.added
    .map((pool) => `0x${pool.start.toString(16)}:${pool.slots}:${pool.areas}@#${pool.beforeMap}`)
    .join(' ');
}

export interface Agreement {
  readonly requests: number;
  /** Outcome as in the real run. */
  readonly outcome: number;
  /** Served in both, from a listed pool. */
  readonly served: number;
  /** Of these, at the address of the real run. */
  readonly address: number;
  readonly transient: number;
}

/** Compares a replay with a real run, request by request. */
export function agreement(target: MirrorTarget, result: ReplayResult): Agreement {
  const transientPools = new Set(result.pools.filter((pool) => pool.kind === 'transient').map((pool) => pool.id));
  const count = { requests: 0, outcome: 0, served: 0, address: 0, transient: 0 };
  const { outcome, pool, bounceAddress } = result.requests;
  for (let row = 0; row < outcome.length; row++) {
    const isServed = outcome[row] === ReplayOutcome.served;
    if (!isServed && outcome[row] !== ReplayOutcome.failed) {
      continue;
    }
    const real = target.bounce[count.requests++];
    count.outcome += isServed === !Number.isNaN(real) ? 1 : 0;
    if (!isServed || Number.isNaN(real)) {
      continue;
    }
    if (transientPools.has(pool[row])) {
      count.transient++;
    } else {
      count.served++;
      count.address += bounceAddress[row] === real ? 1 : 0;
    }
  }
  return count;
}
