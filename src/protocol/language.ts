import type { DocumentParams, RequestName } from './lsp';
import type { Result } from './result';
import type { RunKey } from './views';

/** Who has slots just before a line of a trace. */
export interface WhoHeldView {
  readonly line: number;
  /** Slots of all mappings the trace shows to be alive; those it never shows are not in it. */
  readonly slots: number;
  /** Most slots first. */
  readonly devices: readonly {
    readonly name: string;
    readonly driver: string | null;
    readonly slots: number;
    readonly mappings: number;
    /** Line of its oldest mapping that is still held; null: mapped before the trace begins. */
    readonly oldestLine: number | null;
  }[];
  /** Where the mappings were made, the oldest first; at most `maxHeldPlaces`. */
  readonly places: readonly { readonly line: number; readonly slots: number; readonly device: string }[];
  /** Mappings without a line: they were made before the trace begins. */
  readonly beforeTrace: number;
}

export const maxHeldPlaces = 500;

export interface LineParams extends DocumentParams {
  /** One-based. */
  readonly line: number;
}

export const whoHeldRequest: RequestName<LineParams, Result<WhoHeldView>> = { method: 'swiotlbLens/whoHeld' };

/** Client to server: the episodes of a document that the user does not want to hear of; all of them, every time. */
export const ignoredEpisodesNotification: { readonly method: string } = { method: 'swiotlbLens/ignoredEpisodes' };

export interface IgnoredEpisodesParams extends DocumentParams {
  readonly episodes: readonly string[];
}

/** Client to server: the run that the panel of a document shows, for cards to compare with; null when none. */
export const frontRunNotification: { readonly method: string } = { method: 'swiotlbLens/frontRun' };

export interface FrontRunParams extends DocumentParams {
  readonly run: RunKey | null;
}

/** What the client says when it starts the server. */
export interface InitializationOptions {
  /** Link that explains a code; the code follows as an encoded list of one. Absent: findings have no link. */
  readonly explainLink?: string;
  /** The client has the commands below, so that cards may link to them. */
  readonly hasCommands?: boolean;
}

/** Commands of the client that lenses, code actions and cards name. They are not in the palette. */
export const languageCommands = {
  /** (uri, line, command): goes to the line and runs a command of the palette there. */
  runAtLine: 'swiotlbLens.internal.runAtLine',
  /** (uri, line) */
  goToLine: 'swiotlbLens.internal.goToLine',
  /** (uri, line): who held the slots just before the line. */
  whoHeld: 'swiotlbLens.internal.whoHeld',
  /** (code) */
  explain: 'swiotlbLens.internal.explain',
  /** (uri): copies the smallest sufficient `swiotlb=`, and finds it first where it is not known. */
  copyParameter: 'swiotlbLens.internal.copyParameter',
  /** (uri of the file with the failures, episode) */
  ignoreEpisode: 'swiotlbLens.internal.ignoreEpisode',
  /** (uris) */
  showIgnored: 'swiotlbLens.internal.showIgnored',
  problems: 'workbench.actions.view.problems',
} as const;

/** The commands that a card (hover) may link to. */
export const cardCommands: readonly string[] = [
  languageCommands.runAtLine,
  languageCommands.goToLine,
  languageCommands.whoHeld,
  languageCommands.explain,
];

/** Names of semantic tokens in the order of the wire; package.json gives each the scopes of the grammar. */
export const semanticTokenTypes = [
  'traceTime',
  'traceCpu',
  'traceTask',
  'traceFlags',
  'traceEvent',
  'traceFunction',
  'traceDevice',
  'traceField',
  'traceAddress',
  'traceSize',
  'traceKeyword',
  'traceNumber',
  'traceFailure',
  'traceComment',
] as const;
