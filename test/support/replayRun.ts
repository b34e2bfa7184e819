import type { Geometry } from '../../src/model/geometry';
import type { ReplayResult } from '../../src/model/replayResult';
import type { TraceTables } from '../../src/model/tables';
import { createModelEnvironment, type Environment, type EnvironmentSettings } from '../../src/replay/environment';
import { policies } from '../../src/replay/policies';
import { defaultReplayOptions, type ReplayOptions, replay } from '../../src/replay/replay';
import type { ParamSettings } from '../../src/replay/settings';
import { geometryOf } from './replayTables';

/** A machine without fragmentation unless told otherwise. */
export function environmentOf(
  settings: Partial<Omit<EnvironmentSettings, 'fragmentation' | 'atomicPoolBytes'>> & {
    readonly fragmentation?: number;
    readonly atomicPoolBytes?: number;
  } = {},
): Environment {
  const given = (value: number) => ({ value, evidence: { level: 'user' as const, text: 'given by the test' } });
  return createModelEnvironment({
    seed: 1,
    pageSize: 4096,
    maxPageOrder: 10,
    reserved: [],
    successByOrder: new Map(),
    calibrated: new Map(),
    ...settings,
    fragmentation: given(settings.fragmentation ?? 0),
    atomicPoolBytes: given(settings.atomicPoolBytes ?? 0),
  });
}

export interface RunOptions extends Partial<ReplayOptions> {
  readonly geometry?: Geometry;
  readonly environment?: Environment;
  readonly set?: ParamSettings;
}

/** Replays tables under a policy with plain defaults. */
export function run(tables: TraceTables, policy: string, options: RunOptions = {}): ReplayResult {
  const { geometry, environment, set, ...rest } = options;
  return replay(tables, geometry ?? geometryOf(), policies.get(policy), set ?? {}, environment ?? environmentOf(), {
    ...defaultReplayOptions,
    ...rest,
  });
}
