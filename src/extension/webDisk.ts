import * as vscode from 'vscode';
import { Channel } from '../protocol/channel';
import { type DiskMethods, type DiskReply, diskMethods, type NoMethods } from '../protocol/disk';

/** One end of a pipe to a worker. */
export interface DiskPort {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
}

/** Answers a worker's questions for files with VS Code's file systems. */
export function serveDisk(port: DiskPort): void {
  const { fs } = vscode.workspace;
  const channel = new Channel<DiskMethods, NoMethods>({
    methods: diskMethods,
    handlers: {
      status: ({ uri }) =>
        reply(async () => {
          const { size, mtime, type } = await fs.stat(parse(uri));
          return { sizeBytes: size, mtimeMs: mtime, isFolder: (type & vscode.FileType.Directory) !== 0 };
        }),
      list: ({ uri }) => reply(async () => (await fs.readDirectory(parse(uri))).map(([name]) => name)),
      read: ({ uri }) => reply(async () => ownBytes(await fs.readFile(parse(uri)))),
      write: ({ uri, bytes }) => reply(async () => nothing(await fs.writeFile(parse(uri), bytes))),
      createFolder: ({ uri }) => reply(async () => nothing(await fs.createDirectory(parse(uri)))),
      remove: ({ uri }) =>
        reply(async () => {
          try {
            await fs.delete(parse(uri));
          } catch (error) {
            if (codeOf(error) !== 'ENOENT') {
              throw error;
            }
          }
          return null;
        }),
    },
    post: (message) => port.postMessage(message, buffersOf(message)),
    onBug: (_, error) => {
      throw error;
    },
  });
  port.onmessage = ({ data }) => void channel.receive(data);
}

function parse(uri: string): vscode.Uri {
  return vscode.Uri.parse(uri, true);
}

function nothing(_: unknown): null {
  return null;
}

async function reply<T>(answer: () => Promise<T>): Promise<DiskReply<T>> {
  try {
    return { value: await answer() };
  } catch (error) {
    return { code: codeOf(error), message: error instanceof Error ? error.message : String(error) };
  }
}

function codeOf(error: unknown): string {
  switch (error instanceof vscode.FileSystemError ? error.code : '') {
    case 'FileNotFound':
      return 'ENOENT';
    case 'NoPermissions':
      return 'EACCES';
    default:
      return '';
  }
}

/** In a buffer that nobody else uses. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** The bytes of a file are handed over; everything else is copied. */
function buffersOf(message: unknown): readonly ArrayBufferLike[] {
  const { result } = message as { readonly result?: { readonly value?: DiskReply<unknown> } };
  const answer = result?.value;
  return answer !== undefined && 'value' in answer && answer.value instanceof Uint8Array ? [answer.value.buffer] : [];
}
