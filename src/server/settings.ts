import type { InlayHintMode } from '../analysis/inlayHints';
import type { GeometryOverrides } from '../model/geometry';
import { checkGeometrySettings, deviceFieldRules, overridesFrom } from '../protocol/geometrySettings';
import type { PolicySettings } from '../protocol/views';

/** What the user's settings say about one document. */
export interface DocumentSettings {
  readonly captureFolders: boolean;
  /** Policy id that a hover compares with; null: none. */
  readonly hoverPolicy: string | null;
  /** Which lines get hints behind their numbers. */
  readonly inlayHints: 'off' | InlayHintMode;
  /** Parameters of every replay, unless the replay itself says otherwise. Only what differs from the defaults. */
  readonly replay: PolicySettings;
  /** What the user says about the recorded kernel. */
  readonly geometry: GeometryOverrides;
}

export const defaultSettings: DocumentSettings = {
  captureFolders: true,
  hoverPolicy: 'dynamic',
  inlayHints: 'failures',
  replay: {},
  geometry: {},
};

export interface ReadSettings {
  readonly settings: DocumentSettings;
  /** One sentence for each value that was left out. */
  readonly problems: readonly string[];
}

/** Takes the section `swiotlbLens` as an editor sends it; what cannot be understood keeps its default. */
export function readSettings(raw: unknown, policyIds: readonly string[]): ReadSettings {
  const problems: string[] = [];
  const take = <T>(name: string, expected: string, check: (value: unknown) => value is T): T | undefined => {
    const value = valueAt(raw, name);
    if (value === undefined || value === null) {
      return undefined;
    }
    if (check(value)) {
      return value;
    }
    problems.push(`swiotlbLens.${name} must be ${expected}`);
    return undefined;
  };
  const replay: Record<string, number | string | boolean> = {};
  const context = take('replay.context', contexts.join(', '), isOneOf(contexts));
  if (context !== undefined && context !== 'fromFlags') {
    replay['context'] = context;
  }
  const sleepable = take('replay.sleepableDevices', 'a list of device names', isNames);
  if (context === 'perDevice' && sleepable !== undefined) {
    replay['sleepableDevices'] = sleepable.join(',');
  }
  if (take('replay.dropRetries', 'true or false', isBoolean) === false) {
    replay['dropRetries'] = false;
  }
  const lifetimeMs = take('replay.assumedLifetimeMs', 'a number above 0', isPositive);
  if (lifetimeMs !== undefined && lifetimeMs !== 1) {
    replay['assumedLifetimeNs'] = lifetimeMs * 1e6;
  }
  const hover = take('hover.policy', `none or one of ${policyIds.join(', ')}`, isOneOf(['none', ...policyIds]));
  const given = checkGeometrySettings(valueAt(raw, 'geometry'));
  const classes = checkGeometrySettings({ deviceClass: valueAt(raw, 'deviceClasses') ?? {} });
  problems.push(
    ...given.problems.map((problem) => `swiotlbLens.${problem}`),
    ...classes.problems.map(() => `swiotlbLens.deviceClasses: a class must be ${deviceFieldRules.deviceClass.example}`),
  );
  const deviceClass = { ...classes.settings.deviceClass, ...given.settings.deviceClass };
  const geometry = overridesFrom(
    Object.keys(deviceClass).length === 0 ? given.settings : { ...given.settings, deviceClass },
  );
  return {
    settings: {
      captureFolders: take('captureFolders', 'true or false', isBoolean) ?? defaultSettings.captureFolders,
      hoverPolicy: hover === 'none' ? null : (hover ?? defaultSettings.hoverPolicy),
      inlayHints: take('inlayHints', inlayHints.join(', '), isOneOf(inlayHints)) ?? defaultSettings.inlayHints,
      replay,
      geometry,
    },
    problems,
  };
}

export interface SettingsStoreOptions {
  /** The section `swiotlbLens` as it holds for a document. */
  readonly ask: (uri: string) => Promise<unknown>;
  readonly policyIds: readonly string[];
  readonly onProblem: (problem: string) => void;
}

/** Settings by document, asked for once and kept until they change. */
export class SettingsStore {
  /** Else the settings are those that the client sends by itself, the same for every document. */
  canAsk = false;
  private readonly options: SettingsStoreOptions;
  private readonly known = new Map<string, Promise<DocumentSettings>>();
  private pushed: unknown;

  constructor(options: SettingsStoreOptions) {
    this.options = options;
  }

  of(uri: string): Promise<DocumentSettings> {
    let found = this.known.get(uri);
    if (found === undefined) {
      found = this.read(uri);
      this.known.set(uri, found);
    }
    return found;
  }

  /** `pushed`: what the client sent with the news; undefined when it waits to be asked. */
  changed(pushed: unknown): void {
    this.known.clear();
    this.pushed = pushed ?? this.pushed;
  }

  private async read(uri: string): Promise<DocumentSettings> {
    const { ask, policyIds, onProblem } = this.options;
    // A client that does not answer must not keep the trace from being analysed.
    const raw = this.canAsk ? await ask(uri).catch(() => this.pushed) : this.pushed;
    const { settings, problems } = readSettings(raw, policyIds);
    problems.forEach(onProblem);
    return settings;
  }
}

const inlayHints = ['off', 'failures', 'all'] as const;
const contexts = ['fromFlags', 'alwaysAtomic', 'perDevice'] as const;

function isOneOf<T extends string>(names: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => names.includes(value as T);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && !name.includes(','));
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && 0 < value;
}

/** `replay.context` of `{ replay: { context } }`, which is how editors send dotted names. */
function valueAt(raw: unknown, name: string): unknown {
  let value = raw;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null) {
      return undefined;
    }
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}
