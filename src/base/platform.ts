import type { ThreadPool } from './threadPool';

/**
 * What the code around the pure layers needs of the machine it runs on. `#platform` is one of these: `src/node` in Node,
 * `src/web` in a browser's worker (package.json, "imports"). Code that asks it runs in both.
 */
export interface Platform {
  readonly disk: Disk;
  readonly paths: Paths;
  /** The path that `disk` knows a location by; null: no file of it. */
  pathOf(uri: string): string | null;
  uriOf(path: string): string;
  /** Unpacks gzip as a stream; throws where the data is damaged, after what could be read. */
  gunzip(packed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Piped into the program; nothing where it has no such thing. */
  standardInput(): AsyncIterable<Uint8Array | string>;
  /** A place for text that is on no disk as it is shown. */
  createSpool(): Spool;
  base64(bytes: Uint8Array): string;
  /** Lets the event loop take a turn: what else waits is done before this resolves. */
  nextTurn(): Promise<void>;
  /** Threads that analyse (`analysis/threadJobs`); null where there are none. */
  threads(): Threads | null;
  /** How often files that other programs write are looked at. */
  readonly lookEveryMs: number;
}

export interface FileStatus {
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly isFolder: boolean;
  /** Or a device: it gives its bytes once, and has no size. */
  readonly isPipe: boolean;
  /** Tells the file from another one that took its name; '' where the machine cannot. */
  readonly identity: string;
}

/** Files by path. Everything rejects with an error whose `code` is as Node's ('ENOENT', 'EACCES'), where it is known. */
export interface Disk {
  status(path: string): Promise<FileStatus>;
  /** Names in a folder, in any order. */
  list(path: string): Promise<string[]>;
  open(path: string): Promise<OpenFile>;
  /** The bytes in pieces, each of which is the reader's to keep. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** Writes a whole file, packed with gzip where its name ends in `.gz`. What fails may leave a part of it. */
  write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Also when it is there already. */
  createFolder(path: string): Promise<void>;
  /** Also when it is not there. */
  remove(path: string): Promise<void>;
  /** The one name of a file that has several. */
  realPath(path: string): Promise<string>;
}

/** Bytes that can be read at any place. */
export interface ByteStore {
  /** Fills `target` from `position` on; fewer bytes at the end, 0 behind it. */
  read(position: number, target: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

export interface OpenFile extends ByteStore {
  status(): Promise<FileStatus>;
}

export interface Spool extends ByteStore {
  readonly length: number;
  /** The bytes are copied. One call at a time. */
  append(bytes: Uint8Array): Promise<void>;
}

export interface Paths {
  /** Between the names of a path. */
  readonly separator: string;
  join(folder: string, ...names: readonly string[]): string;
  /** The folder; of the topmost one itself. */
  dirname(path: string): string;
  basename(path: string): string;
  relative(folder: string, path: string): string;
}

export interface Threads {
  /** So many are of use at once. */
  readonly count: number;
  /** Each has all of `data`; buffers that can be shared are not copied. */
  start<Job, Result>(count: number, data: unknown): ThreadPool<Job, Result>;
}
