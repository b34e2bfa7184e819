import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import {
  type CancellationToken,
  createProtocolConnection,
  type Diagnostic,
  type Hover,
  type InitializeResult,
  IPCMessageReader,
  IPCMessageWriter,
  type ProtocolConnection,
  WorkDoneProgress,
} from 'vscode-languageserver/node';
import { type RequestName, textOnDiskNotification } from '../../src/protocol/lsp';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The bundled language server in a process of its own, spoken to as an editor does. */
export class LspServer {
  readonly capabilities: InitializeResult['capabilities'];
  /** Everything the server logged as an error. */
  readonly errors: string[] = [];
  private readonly child: ChildProcess;
  private readonly connection: ProtocolConnection;
  private readonly folder: string;
  private readonly diagnostics = new Map<string, Diagnostic[]>();
  private readonly waiting: { uri: string; accept: (found: Diagnostic[]) => boolean; resolve: () => void }[] = [];

  private constructor(
    child: ChildProcess,
    connection: ProtocolConnection,
    folder: string,
    capabilities: InitializeResult['capabilities'],
  ) {
    this.child = child;
    this.connection = connection;
    this.folder = folder;
    this.capabilities = capabilities;
    connection.onNotification('textDocument/publishDiagnostics', ({ uri, diagnostics }) => {
      this.diagnostics.set(uri, diagnostics);
      for (const waiter of [...this.waiting]) {
        if (waiter.uri === uri && waiter.accept(diagnostics)) {
          this.waiting.splice(this.waiting.indexOf(waiter), 1);
          waiter.resolve();
        }
      }
    });
    connection.onNotification('window/logMessage', ({ type, message }) => {
      if (type === 1) {
        this.errors.push(message);
      }
    });
  }

  /**
   * `settings`: the section `swiotlbLens` of a document, for clients that can be asked for it; it may answer late.
   * `client` is what an editor with commands and links says of itself; `hasThreads`: long work leaves the main thread.
   */
  static async start(
    settings?: (uri: string) => unknown,
    client: { capabilities?: object; initializationOptions?: object; hasThreads?: boolean } = {},
  ): Promise<LspServer> {
    const folder = mkdtempSync(path.join(tmpdir(), 'lsp-'));
    const bundle = path.join(folder, 'server.js');
    await build({
      absWorkingDir: root,
      entryPoints: { server: 'src/server/server.ts', ...(client.hasThreads ? { worker: 'src/cli/worker.ts' } : {}) },
      outdir: folder,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      logLevel: 'silent',
    });
    const child = fork(bundle, ['--node-ipc'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const connection = createProtocolConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
    if (settings !== undefined) {
      connection.onRequest('workspace/configuration', ({ items }: { items: { scopeUri: string }[] }) =>
        Promise.all(items.map(({ scopeUri }) => settings(scopeUri))),
      );
    }
    connection.listen();
    const { capabilities } = await connection.sendRequest<InitializeResult>('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {
        ...(settings === undefined ? {} : { workspace: { configuration: true } }),
        ...client.capabilities,
      },
      initializationOptions: client.initializationOptions,
    });
    await connection.sendNotification('initialized', {});
    return new LspServer(child, connection, folder, capabilities);
  }

  async openFromDisk(uri: string): Promise<void> {
    await this.connection.sendNotification(textOnDiskNotification.method, { uri });
    await this.open(uri, '');
  }

  open(uri: string, text: string): Promise<void> {
    return this.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'swiotlb-trace', version: 1, text },
    });
  }

  /** Cancels the next progress that can be; resolves with what it began with. */
  cancelProgress(): Promise<unknown> {
    let isCancelled = false;
    return new Promise((resolve) => {
      this.connection.onRequest('window/workDoneProgress/create', ({ token }: { token: string }) => {
        this.connection.onProgress(WorkDoneProgress.type, token, (value) => {
          if (value.kind === 'begin' && !isCancelled) {
            isCancelled = true;
            void this.connection.sendNotification('window/workDoneProgress/cancel', { token });
            resolve(value);
          }
        });
        return null;
      });
    });
  }

  change(uri: string, version: number, text: string): Promise<void> {
    return this.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges: [{ text }],
    });
  }

  /** What an editor sends when settings changed; `pushed` when it cannot be asked. */
  settingsChanged(pushed: unknown = null): Promise<void> {
    return this.connection.sendNotification('workspace/didChangeConfiguration', { settings: pushed });
  }

  close(uri: string): Promise<void> {
    return this.connection.sendNotification('textDocument/didClose', { textDocument: { uri } });
  }

  hover(uri: string, line: number, character: number): Promise<Hover | null> {
    return this.connection.sendRequest('textDocument/hover', {
      textDocument: { uri },
      position: { line: line - 1, character },
    });
  }

  /** A request of the protocol itself. */
  request<R>(method: string, params: unknown): Promise<R> {
    return this.connection.sendRequest<R>(method, params as object);
  }

  notify(method: string, params: unknown): Promise<void> {
    return this.connection.sendNotification(method, params as object);
  }

  ask<P, R>(name: RequestName<P, R>, params: P, token?: CancellationToken): Promise<R> {
    return token === undefined
      ? this.connection.sendRequest<R>(name.method, params)
      : this.connection.sendRequest<R>(name.method, params, token);
  }

  onNotification<P>(method: string, listener: (params: P) => void): { dispose(): void } {
    return this.connection.onNotification(method, listener);
  }

  /** The next diagnostics of a document that are as wanted; those already there count. */
  async diagnosticsOf(uri: string, accept: (found: Diagnostic[]) => boolean = () => true): Promise<Diagnostic[]> {
    const known = this.diagnostics.get(uri);
    if (known === undefined || !accept(known)) {
      await new Promise<void>((resolve) => this.waiting.push({ uri, accept, resolve }));
    }
    return this.diagnostics.get(uri)!;
  }

  isAlive(): boolean {
    return this.child.exitCode === null && !this.child.killed;
  }

  async stop(): Promise<void> {
    await this.connection.sendRequest('shutdown');
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    await this.connection.sendNotification('exit');
    await gone;
    this.connection.dispose();
    rmSync(this.folder, { recursive: true });
  }
}
