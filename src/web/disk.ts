import { concatBytes } from '../base/bytes';
import type { Disk, FileStatus, OpenFile } from '../base/platform';
import { Channel, type ParamsOf } from '../protocol/channel';
import type { DiskMethods, DiskReply, DiskStatus, NoMethods } from '../protocol/disk';
import { uriOf } from './paths';
import { nextTurn } from './turn';

/** Bytes handed on at once; hovers are answered in between. */
const streamBytes = 1 << 20;
/** A file is looked at several times when it is opened (is it packed, is it an archive, its bytes): it is fetched once. */
const keptMs = 3000;

let extension: Channel<NoMethods, DiskMethods> | null = null;

/** To be called once, before the first file is asked for. */
export function connectDisk(port: MessagePort): void {
  const channel = new Channel<NoMethods, DiskMethods>({
    methods: {},
    handlers: {},
    post: (message) => port.postMessage(message),
    onBug: () => undefined,
  });
  port.onmessage = ({ data }: MessageEvent<unknown>) => void channel.receive(data);
  extension = channel;
}

interface FetchedFile {
  readonly stamp: string;
  readonly bytes: Promise<Uint8Array>;
  users: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const fetched = new Map<string, FetchedFile>();

export const disk: Disk = {
  status,
  list: async (path) => [...(await ask('list', path))],
  async open(path): Promise<OpenFile> {
    let file = await fetchFile(path);
    return {
      read: async (position, target) => {
        const piece = file.bytes.subarray(position, position + target.length);
        target.set(piece);
        return piece.length;
      },
      // An open file of a disk shows what is written to it; here that is noticed when it is looked at.
      status: async () => {
        const now = await status(path);
        if (stampOf(now) !== file.stamp) {
          const next = await fetchFile(path);
          file.close();
          file = next;
        }
        return now;
      },
      close: async () => file.close(),
    };
  },
  async *stream(path) {
    const { bytes, close } = await fetchFile(path);
    try {
      for (let start = 0; start < bytes.length; start += streamBytes) {
        yield bytes.subarray(start, start + streamBytes);
        await nextTurn();
      }
    } finally {
      close();
    }
  },
  async write(path, chunks) {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) {
      parts.push(chunk);
    }
    const whole = concatBytes(parts);
    const packed = path.endsWith('.gz')
      ? new Uint8Array(
          await new Response(new Blob([whole]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer(),
        )
      : whole;
    unwrap(await connected().call('write', { uri: uriOf(path), bytes: packed }));
  },
  async createFolder(path) {
    await ask('createFolder', path);
  },
  async remove(path) {
    await ask('remove', path);
  },
  realPath: async (path) => path,
};

async function status(path: string): Promise<FileStatus> {
  return { ...(await ask('status', path)), isPipe: false, identity: '' };
}

function stampOf({ sizeBytes, mtimeMs }: DiskStatus): string {
  return `${sizeBytes} ${mtimeMs}`;
}

interface OpenBytes {
  readonly bytes: Uint8Array;
  readonly stamp: string;
  readonly close: () => void;
}

async function fetchFile(path: string): Promise<OpenBytes> {
  const stamp = stampOf(await ask('status', path));
  let file = fetched.get(path);
  if (file?.stamp !== stamp) {
    file = { stamp, bytes: ask('read', path), users: 0, timer: undefined };
    fetched.set(path, file);
  }
  const mine = file;
  mine.users++;
  clearTimeout(mine.timer);
  const close = () => {
    mine.users--;
    if (mine.users === 0) {
      mine.timer = setTimeout(() => {
        if (fetched.get(path) === mine) {
          fetched.delete(path);
        }
      }, keptMs);
    }
  };
  try {
    return { bytes: await mine.bytes, stamp, close };
  } catch (error) {
    // The next question tries again.
    fetched.delete(path);
    throw error;
  }
}

async function ask<K extends 'status' | 'list' | 'read' | 'createFolder' | 'remove'>(
  name: K,
  path: string,
): Promise<Value<K>> {
  const params = { uri: uriOf(path) } as ParamsOf<DiskMethods[K]>;
  return unwrap((await connected().call(name, params)) as DiskReply<Value<K>>);
}

type Value<K extends keyof DiskMethods> = NonNullable<DiskMethods[K]['result']> extends DiskReply<infer T> ? T : never;

function connected(): Channel<NoMethods, DiskMethods> {
  if (extension === null) {
    throw new Error('no file systems yet');
  }
  return extension;
}

function unwrap<T>(reply: DiskReply<T>): T {
  if ('value' in reply) {
    return reply.value;
  }
  throw Object.assign(new Error(reply.message), { code: reply.code });
}
