import * as vscode from 'vscode';
import { formatCount, formatPercent, formatSlotsAndBytes, plural } from '../base/format';
import {
  type FrontRunParams,
  frontRunNotification,
  type IgnoredEpisodesParams,
  ignoredEpisodesNotification,
  languageCommands,
  whoHeldRequest,
} from '../protocol/language';
import { sizeRequest } from '../protocol/lsp';
import { FailureError } from '../protocol/result';
import type { Server } from './client';
import type { ReplayPanels } from './replayPanel';
import { showLine } from './showLine';
import type { TraceEditors } from './traceEditors';

export interface LanguageCommandsHost {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly editors: TraceEditors;
  readonly server: () => Promise<Server>;
}

/** Where the documents that explain a code are; see `pageOf`. */
const causesFolder = ['media', 'docs', 'causes'];
const ignoredKey = 'swiotlbLens.ignoredEpisodes';
/** Documents whose ignored episodes are remembered; the oldest ones are forgotten. */
const maxIgnoredDocuments = 100;
/** Share that is added to the smallest size, as in the panel. */
const headroom = 0.2;

/** What lenses, code actions and cards of the language server lead to. */
export function registerLanguageCommands(host: LanguageCommandsHost): vscode.Disposable[] {
  const commands: Readonly<Record<string, (...args: never[]) => Promise<void>>> = {
    [languageCommands.runAtLine]: (uri: string, line: number, command: string) => runAtLine(host, uri, line, command),
    [languageCommands.goToLine]: (uri: string, line: number) => showLine(host.editors, vscode.Uri.parse(uri), line),
    [languageCommands.whoHeld]: (uri: string, line: number) => whoHeld(host, vscode.Uri.parse(uri), line),
    [languageCommands.explain]: (code: string) => explain(host, code),
    [languageCommands.copyParameter]: (uri: string) => copyParameter(host, uri),
    [languageCommands.ignoreEpisode]: (uri: string, episode: string) => ignoreEpisode(host, uri, episode),
    [languageCommands.showIgnored]: (uris: readonly string[]) => showIgnored(host, uris),
  };
  return Object.entries(commands).map(([id, action]) =>
    vscode.commands.registerCommand(id, async (...args: never[]) => {
      try {
        await action(...args);
      } catch (error) {
        host.log.error(error instanceof Error ? error : String(error));
        const reason =
          error instanceof FailureError ? error.message : vscode.l10n.t('The log of SWIOTLB Lens says why.');
        void vscode.window.showWarningMessage(vscode.l10n.t('That did not work: {0}', reason));
      }
    }),
  );
}

/** Tells a server that has just started what the user does not want to hear of. */
export function sendIgnored({ workspaceState }: vscode.ExtensionContext, server: Pick<Server, 'notify'>): void {
  for (const [uri, episodes] of Object.entries(workspaceState.get<Ignored>(ignoredKey, {}))) {
    void server.notify<IgnoredEpisodesParams>(ignoredEpisodesNotification.method, { uri, episodes });
  }
}

/** Tells the server which run each panel shows: cards compare with it. */
export async function sendFronts(
  panels: Pick<ReplayPanels, 'uris' | 'front'>,
  server: () => Promise<Pick<Server, 'notify'>>,
): Promise<void> {
  try {
    const { notify } = await server();
    for (const uri of panels.uris()) {
      const run = panels.front(uri)?.run ?? null;
      await notify<FrontRunParams>(frontRunNotification.method, { uri: uri.toString(), run });
    }
  } catch {
    // Without a server there are no cards either.
  }
}

/** Keys of episodes by document. */
type Ignored = Readonly<Record<string, readonly string[]>>;

/** Commands of the palette ask where the cursor is. */
async function runAtLine({ editors }: LanguageCommandsHost, uri: string, line: number, command: string): Promise<void> {
  await showLine(editors, vscode.Uri.parse(uri), line);
  await vscode.commands.executeCommand(command);
}

/** Devices with their share; picking one shows where its mappings were made. */
async function whoHeld({ server, editors }: LanguageCommandsHost, uri: vscode.Uri, line: number): Promise<void> {
  const { ask } = await server();
  const { devices, slots, places, beforeTrace } = await ask(whoHeldRequest, { uri: uri.toString(), line });
  if (devices.length === 0) {
    const none = vscode.l10n.t('At line {0} the trace shows no mapping that holds slots.', formatCount(line));
    void vscode.window.showInformationMessage(none);
    return;
  }
  const items = devices.map((device) => ({
    label: device.driver === null ? device.name : `${device.name} ${device.driver}`,
    description: `${formatPercent(device.slots / slots)} · ${formatSlotsAndBytes(device.slots)}`,
    detail:
      device.oldestLine === null
        ? plural(device.mappings, 'mapping')
        : vscode.l10n.t(
            '{0}, the oldest of line {1}',
            plural(device.mappings, 'mapping'),
            formatCount(device.oldestLine),
          ),
    places: places.filter((place) => place.device === device.name),
  }));
  const before =
    beforeTrace === 0 ? '' : ` ${vscode.l10n.t('{0} from before the trace.', plural(beforeTrace, 'mapping'))}`;
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Who held the slots at line {0}', formatCount(line)) + (before === '' ? '' : `:${before}`),
    placeHolder: vscode.l10n.t('Pick a device to see where its mappings were made'),
    matchOnDescription: true,
  });
  const first = picked?.places[0];
  if (picked === undefined || first === undefined) {
    return;
  }
  const isText = vscode.window.visibleTextEditors.some(({ document }) => document.uri.toString() === uri.toString());
  if (!isText) {
    await showLine(editors, uri, first.line);
    return;
  }
  await showLine(editors, uri, line);
  const locations = picked.places.map((place) => new vscode.Location(uri, new vscode.Position(place.line - 1, 0)));
  await vscode.commands.executeCommand(
    'editor.action.peekLocations',
    uri,
    new vscode.Position(line - 1, 0),
    locations,
    'peek',
  );
}

async function explain({ context }: LanguageCommandsHost, code: string): Promise<void> {
  // The code comes from a link: it names a page of ours or nothing.
  const page = /^[a-z-]+$/.test(code) ? code : 'unknown';
  const uri = vscode.Uri.joinPath(context.extensionUri, ...causesFolder, `${page}.md`);
  try {
    await vscode.commands.executeCommand('markdown.showPreview', uri);
  } catch {
    // The Markdown extension is switched off.
    await vscode.window.showTextDocument(uri, { preview: true });
  }
}

async function copyParameter({ server }: LanguageCommandsHost, uri: string): Promise<void> {
  const { ask } = await server();
  const title = vscode.l10n.t('Finding the smallest pool size');
  const size = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (_progress, token) => {
      try {
        return await ask(sizeRequest, { uri, bounceAll: false, cpus: null, headroom, set: {} }, token);
      } catch (error) {
        if (token.isCancellationRequested) {
          return undefined;
        }
        throw error;
      }
    },
  );
  if (size === undefined) {
    return;
  }
  const parameter = size.smallest.find(({ policy }) => policy === 'fixed')?.bootParameter ?? null;
  if (parameter === null) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('No pool size serves every request of this trace, so there is no parameter to copy.'),
    );
    return;
  }
  await vscode.env.clipboard.writeText(parameter);
  vscode.window.setStatusBarMessage(vscode.l10n.t('Copied {0}', parameter), 5000);
}

async function ignoreEpisode(host: LanguageCommandsHost, uri: string, episode: string): Promise<void> {
  const known = host.context.workspaceState.get<Ignored>(ignoredKey, {})[uri] ?? [];
  await setIgnored(host, uri, [...known.filter((other) => other !== episode), episode]);
  vscode.window.setStatusBarMessage(vscode.l10n.t('Episode ignored; the first line of the file brings it back'), 5000);
}

async function showIgnored(host: LanguageCommandsHost, uris: readonly string[]): Promise<void> {
  for (const uri of uris) {
    await setIgnored(host, uri, []);
  }
}

async function setIgnored({ context, server }: LanguageCommandsHost, uri: string, episodes: string[]): Promise<void> {
  const { [uri]: _, ...others } = context.workspaceState.get<Ignored>(ignoredKey, {});
  const kept = Object.entries(others).slice(-maxIgnoredDocuments);
  await context.workspaceState.update(
    ignoredKey,
    Object.fromEntries(episodes.length === 0 ? kept : [...kept, [uri, episodes]]),
  );
  const { notify } = await server();
  await notify<IgnoredEpisodesParams>(ignoredEpisodesNotification.method, { uri, episodes });
}
