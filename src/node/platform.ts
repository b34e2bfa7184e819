import { createReadStream, createWriteStream, existsSync, type Stats } from 'node:fs';
import { mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createGzip } from 'node:zlib';
import type { Disk, FileStatus, OpenFile, Platform } from '../base/platform';
import { gunzip } from './gunzip';
import { DiskSpool } from './spool';
import { createWorkerPool } from './workerPool';

const streamBytes = 1 << 20;

const disk: Disk = {
  status: async (file) => statusOf(await stat(file)),
  list: (folder) => readdir(folder),
  async open(file): Promise<OpenFile> {
    const handle = await open(file, 'r');
    return {
      read: async (position, target) => (await handle.read(target, 0, target.length, position)).bytesRead,
      status: async () => statusOf(await handle.stat()),
      close: () => handle.close(),
    };
  },
  stream: (file) => createReadStream(file, { highWaterMark: streamBytes }) as AsyncIterable<Buffer>,
  async write(file, chunks) {
    const output = createWriteStream(file);
    await (file.endsWith('.gz')
      ? pipeline(Readable.from(chunks), createGzip(), output)
      : pipeline(Readable.from(chunks), output));
  },
  async createFolder(folder) {
    await mkdir(folder, { recursive: true });
  },
  remove: (file) => rm(file, { force: true }),
  realPath: (file) => realpath(file),
};

/** Beside the bundle; tests of the server alone go without. */
const threadFile = (): string => path.join(__dirname, 'worker.js');

export const platform: Platform = {
  disk,
  paths: {
    separator: path.sep,
    join: path.join,
    dirname: path.dirname,
    basename: (file) => path.basename(file),
    relative: path.relative,
  },
  pathOf: (uri) => (uri.startsWith('file:') ? fileURLToPath(uri) : null),
  uriOf: (file) => pathToFileURL(file).href,
  gunzip,
  standardInput: () => process.stdin,
  createSpool: () => new DiskSpool(),
  base64: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  nextTurn: () => new Promise((resolve) => void setImmediate(resolve)),
  threads: () =>
    existsSync(threadFile())
      ? {
          // One CPU stays for the answers that somebody waits for.
          count: Math.max(1, Math.min(4, os.availableParallelism() - 1)),
          start: (count, data) => createWorkerPool(threadFile(), count, data),
        }
      : null,
  lookEveryMs: 250,
};

function statusOf(found: Stats): FileStatus {
  const { size, mtimeMs, dev, ino } = found;
  return {
    sizeBytes: size,
    mtimeMs,
    isFolder: found.isDirectory(),
    isPipe: !found.isFile() && !found.isDirectory(),
    identity: `${dev} ${ino}`,
  };
}
