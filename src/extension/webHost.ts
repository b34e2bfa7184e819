import * as vscode from 'vscode';
import { BrowserMessageReader, BrowserMessageWriter, LanguageClient } from 'vscode-languageclient/browser';
import type { WebWorkerRole } from '../protocol/webWorker';
import type { Host } from './host';
import { type DiskPort, serveDisk } from './webDisk';

/** Of the browser's own; the types of this layer are those of Node. */
interface WebWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  terminate(): void;
}
declare const Worker: new (url: string) => WebWorker;
declare const MessageChannel: new () => { readonly port1: DiskPort; readonly port2: DiskPort };

let script: Promise<string> | undefined;

/**
 * The workers' bundle under an address of this window. Where the extension comes from a remote machine, VS Code starts no
 * worker by the address of its file.
 */
function scriptUrl(extensionUri: vscode.Uri): Promise<string> {
  script ??= (async () => {
    const file = vscode.Uri.joinPath(extensionUri, 'dist', 'webWorker.js');
    const code = Uint8Array.from(await vscode.workspace.fs.readFile(file));
    return URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
  })();
  script.catch(() => {
    script = undefined;
  });
  return script;
}

function diskPipe(): DiskPort {
  const { port1, port2 } = new MessageChannel();
  serveDisk(port1);
  return port2;
}

/** Whether VS Code has a file system for the location; one that only reads will do. */
const hasFileSystem = (uri: vscode.Uri) => vscode.workspace.fs.isWritableFileSystem(uri.scheme) !== undefined;

/** The server and the readers of lines are workers of the browser, which ask the extension for files. */
export const webHost: Host = {
  async createClient(context, options) {
    const url = await scriptUrl(context.extensionUri);
    let worker: WebWorker | undefined;
    const start = async () => {
      worker?.terminate();
      worker = new Worker(url);
      const disk = diskPipe();
      worker.postMessage({ role: 'server', disk, script: url } satisfies WebWorkerRole<DiskPort>, [disk]);
      // VS Code's worker is none of the `Worker` that the client knows.
      const pipe = worker as never;
      return { reader: new BrowserMessageReader(pipe), writer: new BrowserMessageWriter(pipe) };
    };
    const client = new LanguageClient('swiotlbLens', 'SWIOTLB Lens', start, options);
    return {
      client,
      stop: async () => {
        await client.stop();
        worker?.terminate();
      },
    };
  },
  // The editor has the text already, and no worker reads a part of a file.
  isOnDisk: () => false,
  canRead: hasFileSystem,
  refusal: () => vscode.l10n.t('Only files can be shown here.'),
  readHead: async (uri, bytes) => (await vscode.workspace.fs.readFile(uri)).subarray(0, bytes),
  startLineReader(extensionUri, file, { onMessage, onDeath }) {
    const disk = diskPipe();
    let isOver = false;
    const starting = scriptUrl(extensionUri).then((url) => {
      const worker = new Worker(url);
      worker.onmessage = ({ data }) => onMessage(data);
      worker.onerror = ({ message }) => onDeath(new Error(message ?? 'the reader of lines ended'));
      worker.postMessage({ role: 'lines', disk, uri: file.toString() } satisfies WebWorkerRole<DiskPort>, [disk]);
      return worker;
    });
    starting.catch((error: unknown) => {
      if (!isOver) {
        onDeath(error instanceof Error ? error : new Error(String(error)));
      }
    });
    return {
      post: (message) => void starting.then((worker) => worker.postMessage(message)).catch(() => undefined),
      terminate: async () => {
        isOver = true;
        await starting.then((worker) => worker.terminate()).catch(() => undefined);
      },
    };
  },
  isDemo: false,
};
