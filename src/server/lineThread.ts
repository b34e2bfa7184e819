import { parentPort, workerData } from 'node:worker_threads';
import { serveLines } from './serveLines';

/** The thread that reads the lines of one custom editor's file; it ends when the editor terminates it. */
const port = parentPort;
if (port !== null) {
  const { file } = workerData as { readonly file: string };
  port.on(
    'message',
    serveLines(file, (message) => port.postMessage(message)),
  );
}
