import { platform } from '#platform';
import { concatBytes } from '../base/bytes';
import { createUtf16Decoder } from '../base/utf16';
import { type ArchiveMember, captureOf, isTar, listArchive, readMember, tarHeadBytes } from './archive';
import { listMembers, type SkippedFile } from './captureFolder';
import { type Compression, failureOf, type InputFailure, unpack } from './decompress';

/** One file, standard input or a member of an archive: a stream of uncompressed bytes. */
export interface InputPart {
  /** As shown to people; '-' for standard input, the archive's path and the member's name for a member. */
  readonly path: string;
  /** Size on disk, compressed as it is; 0 unknown. */
  readonly sizeBytes: number;
  /** The uncompressed bytes, once. Never throws; `failure` tells afterwards why they ended early. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes read from disk so far. */
  bytesRead(): number;
  failure(): InputFailure | null;
  /** Known after the first chunk. A 'none' file can be read back by offset. */
  compression(): Compression;
  /** UTF-16 text, which the analysis counts as UTF-8. Known after the first chunk. */
  isUtf16(): boolean;
}

export type OpenedInput =
  | {
      readonly ok: true;
      /** Several files that are one capture: a folder or an archive. */
      readonly isBundle: boolean;
      /** In reading order. */
      readonly parts: readonly InputPart[];
      /** Files of the bundle that were left out, and why. */
      readonly skipped: readonly SkippedFile[];
      /** Why an archive could not be listed to its end; null while all is well. */
      readonly damage: InputFailure | null;
    }
  | { readonly ok: false; readonly failure: InputFailure };

const { disk, paths } = platform;
/** Files of an archive up to this size stay in memory when it is listed; for a larger one it is read again. */
const keptMemberBytes = 4 << 20;
const keptBytes = 64 << 20;
/** A stream cannot be read again: an archive in it is held. */
const heldStreamBytes = 2 ** 30;

const nothingFound = 'holds no trace, log or samples (trace.txt, dmesg.txt, debugfs.csv, …)';

/** Opens a file, a capture folder, a tar archive of one or '-' (standard input). gzip, zstd and xz are unpacked on the way. */
export async function openInput(target: string): Promise<OpenedInput> {
  if (target === '-') {
    return openStream('-', platform.standardInput());
  }
  try {
    const found = await disk.status(target);
    if (found.isFolder) {
      return await openFolder(target);
    }
    if (found.isPipe) {
      // Such as the one of <(zcat …): what was read of it to look at it would be gone.
      return await openStream(target, disk.stream(target));
    }
    return (await startsAsTar(target)) ? await openArchive(target) : single(openPart(target, found.sizeBytes));
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}

/** One file, opened when its chunks are first asked for. `file` may also name a member of an archive, as in `InputPart.path`. */
export function openPart(file: string, sizeBytes: number): InputPart {
  let inner: InputFailure | null = null;
  const part = createPart(
    file,
    sizeBytes,
    readFile(file, (failure) => {
      inner = failure;
    }),
  );
  return { ...part, failure: () => part.failure() ?? inner };
}

/** The file on disk that holds `file`: itself, or the archive it is a member of; null when there is neither. */
export async function containerOf(file: string): Promise<{ readonly path: string; readonly member: string } | null> {
  let container = file;
  for (;;) {
    const found = await disk.status(container).catch(() => null);
    if (found !== null) {
      const member = file.slice(container.length + 1).replaceAll(paths.separator, '/');
      return found.isFolder && member !== '' ? null : { path: container, member };
    }
    const parent = paths.dirname(container);
    if (parent === container) {
      return null;
    }
    container = parent;
  }
}

function single(part: InputPart): OpenedInput {
  return { ok: true, isBundle: false, parts: [part], skipped: [], damage: null };
}

async function openFolder(folder: string): Promise<OpenedInput> {
  const { members, skipped } = listMembers(await disk.list(folder));
  if (members.length === 0) {
    return { ok: false, failure: { code: 'nothing-found', message: `the folder ${nothingFound}` } };
  }
  const parts: InputPart[] = [];
  for (const name of members) {
    const file = paths.join(folder, name);
    const { sizeBytes } = await disk.status(file);
    parts.push(openPart(file, sizeBytes));
  }
  return { ok: true, isBundle: true, parts, skipped, damage: null };
}

async function openArchive(archive: string): Promise<OpenedInput> {
  const whole = unpack(disk.stream(archive));
  const listed = await listArchive(whole.chunks, keptMemberBytes, keptBytes);
  return fromArchive(listed.members, whole.failure() ?? listed.failure, (member) => {
    const file = paths.join(archive, member.name);
    return member.bytes === null
      ? openPart(file, member.sizeBytes)
      : createPart(file, member.sizeBytes, once(member.bytes));
  });
}

/** What can be read only once: standard input and pipes. */
async function openStream(name: string, stream: AsyncIterable<Uint8Array | string>): Promise<OpenedInput> {
  const part = createPart(name, 0, stream);
  const chunks = part.chunks[Symbol.asyncIterator]();
  const head = await readHead(chunks);
  const rest = resume(head, chunks);
  if (!isTar(concatBytes(head))) {
    return single({ ...part, chunks: rest });
  }
  const listed = await listArchive(rest, heldStreamBytes, heldStreamBytes);
  return fromArchive(listed.members, part.failure() ?? listed.failure, (member) =>
    createPart(member.name, member.sizeBytes, once(member.bytes ?? new Uint8Array(0))),
  );
}

function fromArchive(
  all: readonly ArchiveMember[],
  damage: InputFailure | null,
  open: (member: ArchiveMember) => InputPart,
): OpenedInput {
  const { members, skipped } = captureOf(all);
  if (members.length === 0) {
    return {
      ok: false,
      failure: damage ?? { code: 'nothing-found', message: `the archive ${nothingFound}` },
    };
  }
  return { ok: true, isBundle: true, parts: members.map(open), skipped, damage };
}

/** Whether the unpacked bytes of a file are a tar archive. */
async function startsAsTar(file: string): Promise<boolean> {
  const chunks = unpack(disk.stream(file)).chunks[Symbol.asyncIterator]();
  const head = await readHead(chunks);
  await chunks.return?.();
  return isTar(concatBytes(head));
}

async function readHead(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  const head: Uint8Array[] = [];
  for (let bytes = 0; bytes < tarHeadBytes; ) {
    const next = await chunks.next();
    if (next.done === true) {
      break;
    }
    head.push(next.value);
    bytes += next.value.length;
  }
  return head;
}

/** The chunks that were looked at, then the rest. */
async function* resume(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* head;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) {
        return undefined;
      }
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  if (bytes.length > 0) {
    yield bytes;
  }
  return undefined;
}

/** A file of the disk or, where a part of the path is an archive, its member. */
async function* readFile(file: string, onFailure: (failure: InputFailure) => void): AsyncIterable<Uint8Array> {
  const container = await containerOf(file);
  if (container === null || container.member === '') {
    yield* disk.stream(file);
    return;
  }
  const whole = unpack(disk.stream(container.path));
  yield* readMember(whole.chunks, container.member, onFailure);
  const failure = whole.failure();
  if (failure !== null) {
    onFailure(failure);
  }
}

function createPart(name: string, sizeBytes: number, stream: AsyncIterable<Uint8Array | string>): InputPart {
  let read = 0;
  async function* counted(): AsyncIterable<Uint8Array> {
    for await (const chunk of stream) {
      const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
      read += bytes.length;
      yield bytes;
    }
  }
  const unpacked = unpack(counted());
  let isUtf16: boolean | null = null;
  async function* looked(): AsyncIterable<Uint8Array> {
    for await (const chunk of unpacked.chunks) {
      isUtf16 ??= createUtf16Decoder(chunk[0] ?? 0, chunk[1] ?? 0) !== null;
      yield chunk;
    }
  }
  return {
    path: name,
    sizeBytes,
    chunks: looked(),
    isUtf16: () => isUtf16 === true,
    bytesRead: () => read,
    failure: unpacked.failure,
    compression: unpacked.compression,
  };
}
