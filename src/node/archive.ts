import { extract } from 'tar-stream';
import { concatBytes } from '../base/bytes';
import { listMembers, type SkippedFile } from './captureFolder';
import type { InputFailure } from './decompress';

/** A file inside a tar archive. */
export interface ArchiveMember {
  /** Whole name inside the archive. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Its bytes when they were kept; null when they must be read from the archive again. */
  readonly bytes: Uint8Array | null;
}

/** The first bytes of a tar archive (POSIX or GNU) say so at this place. */
const magicOffset = 257;
const magic = 'ustar';
/** So many unpacked bytes tell a tar archive. */
export const tarHeadBytes = 512;
/** Names beyond these are not looked at: a capture has two dozen files. */
const maxMembers = 10_000;

/** Whether unpacked bytes begin a tar archive. */
export function isTar(head: Uint8Array): boolean {
  return (
    head.length >= tarHeadBytes && [...magic].every((letter, at) => head[magicOffset + at] === letter.charCodeAt(0))
  );
}

/** Empty blocks end every archive and mark where a cut one stops; more than the reader takes at once, so that it tells when it took them. */
const endBytes = 1 << 15;

interface Entry {
  readonly name: string;
  readonly sizeBytes: number;
  /** Never throws; ends early where the archive ends. To be read, or left, before the next entry is asked for. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

interface Entries extends AsyncIterable<Entry> {
  /** Why the entries ended early; null while all is well. */
  failure(): InputFailure | null;
}

/** Plain files of a tar stream, one after the other, without holding any. */
function readEntries(chunks: AsyncIterable<Uint8Array>): Entries {
  let failure: InputFailure | null = null;
  const damaged = (text: string): void => {
    failure ??= { code: 'archive-damaged', message: `the tar archive ${text}` };
  };

  async function* run(): AsyncGenerator<Entry, undefined> {
    const reader = extract();
    // What the reader says is thrown by its iterator, too; without a listener it would end the process.
    reader.on('error', () => undefined);
    const end = new Uint8Array(endBytes);
    let isCut = false;
    const idle = new Signal();
    const feeding = feed(chunks, reader, end, idle);
    const entries = reader[Symbol.asyncIterator]();
    try {
      for (;;) {
        idle.raise();
        const next = await entries.next();
        idle.lower();
        if (next.done === true) {
          return undefined;
        }
        const entry = next.value;
        const { header } = entry;
        if (header.type === 'file' || header.type === 'contiguous-file') {
          const body = async function* (): AsyncGenerator<Uint8Array, undefined> {
            for await (const chunk of entry) {
              if (chunk.buffer === end.buffer) {
                // The stream is over although the file is not.
                isCut = true;
                return undefined;
              }
              yield chunk;
            }
            return undefined;
          };
          yield { name: header.name, sizeBytes: header.size ?? 0, chunks: body() };
        }
        if (isCut) {
          damaged('is cut off');
          return undefined;
        }
        entry.resume();
      }
    } catch (error) {
      damaged(`is damaged or cut off (${error instanceof Error ? error.message : String(error)})`);
    } finally {
      reader.destroy();
      await feeding;
    }
    return undefined;
  }

  return { [Symbol.asyncIterator]: () => run(), failure: () => failure };
}

/** A flag that can be waited for. */
class Signal {
  private isUp = false;
  private wake = (): void => undefined;

  raise(): void {
    this.isUp = true;
    this.wake();
  }

  lower(): void {
    this.isUp = false;
  }

  wait(): Promise<void> {
    return this.isUp
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.wake = resolve;
        });
  }
}

/** Pushes the stream into the reader as fast as it takes it, then the end of an archive. Never throws. */
async function feed(
  chunks: AsyncIterable<Uint8Array>,
  reader: ReturnType<typeof extract>,
  end: Uint8Array,
  idle: Signal,
): Promise<void> {
  const closed = new Signal();
  reader.on('close', () => closed.raise());
  const write = async (chunk: Uint8Array): Promise<void> => {
    if (!reader.write(chunk)) {
      const drained = new Signal();
      reader.once('drain', () => drained.raise());
      await Promise.race([drained.wait(), closed.wait()]);
    }
  };
  for await (const chunk of chunks) {
    if (reader.destroyed) {
      return;
    }
    await write(chunk);
  }
  if (!reader.destroyed) {
    await write(end);
  }
  // An entry that is still being read is cut off and ends the reading by itself.
  await Promise.race([idle.wait(), closed.wait()]);
  if (!reader.destroyed) {
    reader.end();
  }
}

/**
 * Lists an archive. Files up to `keepBytes` are kept on the way, `keepTotalBytes` at most together: the archive is
 * then read again only for the large ones.
 */
export async function listArchive(
  chunks: AsyncIterable<Uint8Array>,
  keepBytes: number,
  keepTotalBytes: number,
): Promise<{ readonly members: readonly ArchiveMember[]; readonly failure: InputFailure | null }> {
  const entries = readEntries(chunks);
  const members: ArchiveMember[] = [];
  let kept = 0;
  for await (const entry of entries) {
    const keep = entry.sizeBytes <= keepBytes && kept + entry.sizeBytes <= keepTotalBytes;
    if (members.length < maxMembers) {
      const bytes = keep ? await collect(entry.chunks) : null;
      kept += bytes?.length ?? 0;
      members.push({ name: cleanName(entry.name), sizeBytes: entry.sizeBytes, bytes });
    }
  }
  return { members, failure: entries.failure() };
}

/** One file of an archive as a stream. Ends early where the archive does; `onFailure` is then told. */
export async function* readMember(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  onFailure: (failure: InputFailure) => void,
): AsyncGenerator<Uint8Array, undefined> {
  const entries = readEntries(chunks);
  let isFound = false;
  for await (const entry of entries) {
    if (cleanName(entry.name) === name) {
      isFound = true;
      yield* entry.chunks;
      break;
    }
  }
  const missing: InputFailure = { code: 'not-found', message: 'the archive holds no such file' };
  const failure = entries.failure() ?? (isFound ? null : missing);
  if (failure !== null) {
    onFailure(failure);
  }
  return undefined;
}

/** The members of one capture inside an archive: those of the folder that looks most like one. */
export function captureOf(members: readonly ArchiveMember[]): {
  readonly members: readonly ArchiveMember[];
  readonly skipped: readonly SkippedFile[];
} {
  const folders = new Map<string, ArchiveMember[]>();
  for (const member of members) {
    const folder = member.name.slice(0, member.name.lastIndexOf('/') + 1);
    // macOS keeps attributes of `x` in `._x`.
    if (!member.name.startsWith('._', folder.length)) {
      folders.set(folder, [...(folders.get(folder) ?? []), member]);
    }
  }
  let best: { readonly folder: string; readonly listed: ReturnType<typeof listMembers> } | null = null;
  for (const [folder, inside] of folders) {
    const listed = listMembers([...new Set(inside.map(({ name }) => name.slice(folder.length)))]);
    if (best === null || listed.members.length > best.listed.members.length) {
      best = { folder, listed };
    }
  }
  if (best === null) {
    return { members: [], skipped: [] };
  }
  const { folder, listed } = best;
  const byName = new Map(folders.get(folder)?.map((member) => [member.name, member]));
  // A single file is what it is, whatever its name.
  const only = listed.members.length === 0 && members.length === 1 ? members[0] : undefined;
  const names = only === undefined ? listed.members : [only.name.slice(folder.length)];
  return {
    members: names.flatMap((name) => byName.get(folder + name) ?? []),
    skipped: [
      ...(only !== undefined ? [] : listed.skipped.map(({ name, why }) => ({ name: folder + name, why }))),
      ...members
        .filter(({ name }) => !byName.has(name))
        .map(({ name }) => ({ name, why: 'in another folder of the archive' })),
    ],
  };
}

/** Names are shown and compared, never opened: no leading `./` or `/`. */
function cleanName(name: string): string {
  return name.replace(/^(?:\.?\/)+/, '');
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    parts.push(chunk);
  }
  return concatBytes(parts);
}
