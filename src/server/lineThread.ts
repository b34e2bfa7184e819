import { parentPort, workerData } from 'node:worker_threads';
import { Channel } from '../protocol/channel';
import { type LineReaderEvents, type LineReaderMethods, lineReaderMethods } from '../protocol/traceEditor';
import { EditorLines } from './editorLines';

/** The thread that reads the lines of one custom editor's file; it ends when the editor terminates it. */
const port = parentPort;
if (port !== null) {
  const { file } = workerData as { readonly file: string };
  const reader = new EditorLines(file, {
    state: (state) => void channel.call('state', state).catch(() => undefined),
    found: (found) => void channel.call('found', found).catch(() => undefined),
  });
  const channel: Channel<LineReaderMethods, LineReaderEvents> = new Channel<LineReaderMethods, LineReaderEvents>({
    methods: lineReaderMethods,
    handlers: {
      lines: ({ lines }) => reader.lines(lines),
      query: ({ slot, id, query, among }) => {
        reader.query(slot, id, query, among);
        return null;
      },
      text: (range) => reader.text(range),
      member: async ({ name }) => {
        await reader.showMember(name);
        return null;
      },
      close: async () => {
        await reader.close();
        return null;
      },
    },
    post: (message) => port.postMessage(message),
    onBug: (method, error) => {
      throw new Error(`the reader of ${file} failed at '${method}'`, { cause: error });
    },
  });
  port.on('message', (message: unknown) => void channel.receive(message));
  void reader.open();
}
