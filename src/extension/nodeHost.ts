import { open } from 'node:fs/promises';
import * as path from 'node:path';
import { Worker } from 'node:worker_threads';
import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { Host } from './host';

const isFile = (uri: vscode.Uri) => uri.scheme === 'file';

/** The server is a process, the readers of lines are threads; both read the disk themselves. */
export const nodeHost: Host = {
  async createClient(context, options) {
    const module = context.asAbsolutePath(path.join('dist', 'server.js'));
    const client = new LanguageClient(
      'swiotlbLens',
      'SWIOTLB Lens',
      {
        run: { module, transport: TransportKind.ipc },
        debug: { module, transport: TransportKind.ipc, options: { execArgv: ['--nolazy', '--inspect=6011'] } },
      },
      options,
    );
    return { client, stop: () => client.stop() };
  },
  isOnDisk: isFile,
  canRead: isFile,
  refusal: () => vscode.l10n.t('Only files on the disk of this machine can be shown here.'),
  async readHead(uri, bytes) {
    const file = await open(uri.fsPath, 'r');
    try {
      const head = new Uint8Array(bytes);
      const { bytesRead } = await file.read(head, 0, bytes, 0);
      return head.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
  startLineReader(extensionUri, file, { onMessage, onDeath }) {
    const script = vscode.Uri.joinPath(extensionUri, 'dist', 'lines.js').fsPath;
    const worker = new Worker(script, { workerData: { file: file.fsPath } });
    worker.on('message', onMessage);
    worker.on('error', onDeath);
    return {
      post: (message) => worker.postMessage(message),
      terminate: async () => {
        await worker.terminate();
      },
    };
  },
  isDemo: process.env['SWIOTLB_LENS_DEMO'] === '1',
};
