import * as vscode from 'vscode';
import { findingRequest, traceRequest } from '../protocol/lsp';
import type { PanelFocus } from '../protocol/panel';
import { FailureError } from '../protocol/result';
import type { RunKey } from '../protocol/views';
import { anonymize } from './anonymize';
import type { Server } from './client';
import { compareWith } from './compareWith';
import { createCaptureScript } from './createCaptureScript';
import type { EditorChoice } from './openWith';
import { choosePolicy } from './policyPick';
import type { ReplayPanels } from './replayPanel';
import { openSample } from './samples';
import { cursorLineOf, targetTrace } from './target';
import type { TraceEditors } from './traceEditors';

export interface CommandHost {
  readonly extensionUri: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
  readonly panels: ReplayPanels;
  readonly editors: TraceEditors;
  readonly choice: EditorChoice;
  readonly server: () => Promise<Server>;
}

const run = (policy: string): RunKey => ({ policy, set: {} });

/** Registers every command that package.json declares. */
export function registerCommands(host: CommandHost): vscode.Disposable[] {
  const replay = (policy: string) => () => showReplay(host, [run(policy)], 'replay');
  const commands: Readonly<Record<string, (argument: unknown) => Promise<void>>> = {
    'swiotlbLens.replayDynamic': replay('dynamic'),
    'swiotlbLens.replayTransient': replay('transient'),
    'swiotlbLens.replayFixed': replay('fixed'),
    'swiotlbLens.replayPolicy': () => replayWithPolicy(host),
    'swiotlbLens.compare': () => showReplay(host, [run('transient'), run('dynamic')], 'compare'),
    'swiotlbLens.compareWith': () => compareWithOther(host),
    'swiotlbLens.findPoolSize': () => showReplay(host, [], 'size'),
    'swiotlbLens.dryRun': () => showReplay(host, [], 'dryRun'),
    'swiotlbLens.verify': () => showReplay(host, [], 'verify'),
    'swiotlbLens.showSlotMap': (place) => showSlotMap(host, place),
    'swiotlbLens.copyFinding': () => copyFinding(host),
    'swiotlbLens.export': () => exportFrom(host),
    'swiotlbLens.anonymize': () => anonymizeTrace(host),
    'swiotlbLens.openSample': (id) =>
      openSample(host.extensionUri, host.editors, typeof id === 'string' ? id : undefined),
    // Menus pass the file they were opened on.
    'swiotlbLens.openWith': (file) => host.choice.openWith(file instanceof vscode.Uri ? file : undefined),
    'swiotlbLens.createCaptureScript': () => createCaptureScript(host.server),
  };
  return Object.entries(commands).map(([id, action]) =>
    vscode.commands.registerCommand(id, (argument: unknown) => guarded(host, () => action(argument))),
  );
}

/** A command that cannot do its work says why in a sentence; the stack stays in the log. */
export async function guarded(host: Pick<CommandHost, 'log'>, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    host.log.error(error instanceof Error ? error : String(error));
    const reason = error instanceof FailureError ? error.message : vscode.l10n.t('The log of SWIOTLB Lens says why.');
    void vscode.window.showWarningMessage(vscode.l10n.t('That did not work: {0}', reason));
  }
}

async function showReplay(host: CommandHost, runs: readonly RunKey[], focus: PanelFocus): Promise<void> {
  const uri = await traceOrAdvice(host);
  if (uri !== undefined) {
    host.panels.show(uri, runs, focus);
  }
}

/** At the line of the cursor, or at the one a caller names. */
async function showSlotMap(host: CommandHost, place: unknown): Promise<void> {
  const { uri: named, line: namedLine } = (place ?? {}) as { readonly uri?: unknown; readonly line?: unknown };
  const uri = typeof named === 'string' ? vscode.Uri.parse(named, true) : await traceOrAdvice(host);
  if (uri !== undefined) {
    const line = typeof namedLine === 'number' ? namedLine : cursorLineOf(uri, host.editors);
    host.panels.show(uri, [], 'slotMap', { line });
  }
}

async function replayWithPolicy(host: CommandHost): Promise<void> {
  const uri = await traceOrAdvice(host);
  if (uri !== undefined) {
    await pickPolicy(host, uri);
  }
}

/** A quick pick over every policy the server knows. */
export async function pickPolicy(host: Pick<CommandHost, 'panels' | 'server'>, uri: vscode.Uri): Promise<void> {
  const { ask } = await host.server();
  const trace = await ask(traceRequest, { uri: uri.toString() });
  const picked = await choosePolicy(trace.policies);
  if (picked !== undefined) {
    host.panels.show(uri, [run(picked)], 'replay');
  }
}

async function compareWithOther(host: CommandHost): Promise<void> {
  const uri = await traceOrAdvice(host);
  if (uri !== undefined) {
    await compareWith(host.panels, host.editors, uri);
  }
}

async function exportFrom(host: CommandHost): Promise<void> {
  const uri = await traceOrAdvice(host);
  if (uri !== undefined) {
    await host.panels.export(uri);
  }
}

/** The failure or mapping at the cursor, else what the whole trace says, to paste into a report. */
async function copyFinding(host: CommandHost): Promise<void> {
  const uri = await traceOrAdvice(host);
  if (uri === undefined) {
    return;
  }
  const { ask } = await host.server();
  const line = cursorLineOf(uri, host.editors);
  const { markdown } = await ask(findingRequest, { uri: uri.toString(), line });
  await vscode.env.clipboard.writeText(markdown);
  vscode.window.setStatusBarMessage(vscode.l10n.t('Finding copied as Markdown'), 3000);
}

async function anonymizeTrace(host: CommandHost): Promise<void> {
  const uri = await traceOrAdvice(host);
  if (uri !== undefined) {
    // Of a member of an archive the whole archive is copied.
    await anonymize(host.editors.of(uri)?.fileUri ?? uri, host.editors, host.server);
  }
}

async function traceOrAdvice(host: CommandHost): Promise<vscode.Uri | undefined> {
  const uri = targetTrace(host.panels, host.editors);
  if (uri !== undefined) {
    return uri;
  }
  const sample = vscode.l10n.t('Open sample trace');
  const advice = vscode.l10n.t(
    'Open a kernel trace or log first, for example the text of /sys/kernel/tracing/trace or of dmesg.',
  );
  if ((await vscode.window.showInformationMessage(advice, sample)) === sample) {
    await openSample(host.extensionUri, host.editors);
  }
  return undefined;
}
