import { Channel } from '../protocol/channel';
import { type LineReaderEvents, type LineReaderMethods, lineReaderMethods } from '../protocol/traceEditor';
import { EditorLines } from './editorLines';

/** Reads the lines of one custom editor's file and returns what takes the editor's messages. */
export function serveLines(file: string, post: (message: unknown) => void): (message: unknown) => void {
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
    post,
    onBug: (method, error) => {
      throw new Error(`the reader of ${file} failed at '${method}'`, { cause: error });
    },
  });
  void reader.open();
  return (message) => void channel.receive(message);
}
