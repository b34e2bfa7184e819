import { StringTable } from '../base/stringTable';
import type { Geometry, GeometryOverrides } from '../model/geometry';
import type { TraceTables } from '../model/tables';
import { type CostModel, costModelFrom } from '../replay/costModel';
import { createModelEnvironment, type EnvironmentSettings } from '../replay/environment';
import type { ReplayPlan } from '../replay/plan';
import type { Policy } from '../replay/policy';
import type { ParamSettings } from '../replay/settings';
import { type SizeJob, type SizePoint, type SizingContext, sizePoint } from '../replay/sizing';
import type { Analysis } from './analysis';
import {
  checkedSettings,
  environmentSettings,
  geometryFor,
  optionsFrom,
  planOf,
  policyOf,
  settingsFor,
} from './replaySetup';

/** How one policy is replayed, as plain data. */
interface PolicySetup {
  readonly set: ParamSettings;
  readonly bounceAll: boolean;
  readonly environment: EnvironmentSettings;
}

/**
 * Everything the replays of a sizing need. Survives a structured clone: tables and plan lie in shared memory, so that
 * threads get them without a copy; names, lines of logs and the like stay behind.
 */
export interface SizingData {
  readonly tables: TraceTables;
  readonly geometry: Geometry;
  readonly plan: ReplayPlan;
  readonly policies: ReadonlyMap<string, PolicySetup>;
  /** How long locks are held, for those who count them. */
  readonly costModel: CostModel;
}

export interface SizingSettings {
  readonly set?: ParamSettings;
  readonly overrides?: GeometryOverrides;
  readonly bounceAll?: boolean;
}

/** Throws ReplaySettingError for a setting that no policy takes as given. */
export function sizingData(analysis: Analysis, policies: readonly Policy[], settings: SizingSettings): SizingData {
  const { tables } = analysis;
  const geometry = geometryFor(analysis, settings.overrides, settings.set ?? {});
  const bounceAll = settings.bounceAll ?? false;
  const setups = new Map<string, PolicySetup>();
  for (const policy of policies) {
    const set = checkedSettings(policy, settingsFor(policy.id, settings.set ?? {}));
    setups.set(policy.id, {
      set,
      bounceAll,
      environment: environmentSettings(tables, geometry, set),
    });
  }
  return {
    tables: { ...tables, strings: new StringTable(), logs: [], logFailures: [] },
    geometry,
    plan: planOf(tables, bounceAll),
    policies: setups,
    costModel: costModelFrom(tables, settings.set ?? {}),
  };
}

export function contextOf(data: SizingData, policy: string, otherwise: ParamSettings = {}): SizingContext {
  const setup = data.policies.get(policy)!;
  const { tables, geometry, plan } = data;
  const set = { ...setup.set, ...otherwise };
  return {
    tables,
    geometry,
    plan,
    options: optionsFrom(set, { policy, bounceAll: setup.bounceAll }),
    set,
    createEnvironment: () => createModelEnvironment(setup.environment),
  };
}

/** One replay: the same point on any thread. */
export function runSizeJob(data: SizingData, job: SizeJob): SizePoint {
  const costModel = job.countsLocks === true ? data.costModel : null;
  return sizePoint(contextOf(data, job.policy, job.set), policyOf(job.policy), job.slots, job.areas, costModel);
}
