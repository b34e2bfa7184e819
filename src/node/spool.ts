import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HeldBytes } from '../base/heldBytes';
import type { Spool } from '../base/platform';

/** Unpacked text up to this size stays in memory. */
const heldBytes = 8 << 20;

/**
 * Text that is on no disk as it is shown (unpacked, rendered): a little of it in memory, more in a temporary file that
 * only this user can read and that is gone when the spool is closed or the process ends.
 */
export class DiskSpool implements Spool {
  length = 0;
  private held = new HeldBytes();
  private handle: FileHandle | null = null;
  private folder: string | null = null;
  private isClosed = false;

  /** The bytes are copied. One call at a time. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.isClosed) {
      return;
    }
    if (this.handle === null && this.length + bytes.length <= heldBytes) {
      this.held.append(bytes);
      this.length += bytes.length;
      return;
    }
    if (this.handle === null) {
      this.handle = await this.createFile();
      await writeAll(this.handle, Buffer.concat(this.held.parts), 0);
      this.held = new HeldBytes();
    }
    await writeAll(this.handle, bytes, this.length);
    this.length += bytes.length;
  }

  async read(position: number, target: Uint8Array): Promise<number> {
    if (this.handle !== null) {
      const { bytesRead } = await this.handle.read(target, 0, target.length, position);
      return bytesRead;
    }
    return this.held.read(position, target);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.held = new HeldBytes();
    await this.handle?.close();
    this.handle = null;
    await this.removeFolder();
  }

  private async createFile(): Promise<FileHandle> {
    this.folder = await mkdtemp(path.join(tmpdir(), 'swiotlb-lens-'));
    const handle = await open(path.join(this.folder, 'lines.txt'), 'wx+', 0o600);
    if (process.platform !== 'win32') {
      // The open file stays readable; nothing is left behind however the process ends.
      await this.removeFolder();
    }
    return handle;
  }

  private async removeFolder(): Promise<void> {
    if (this.folder !== null) {
      await rm(this.folder, { recursive: true, force: true }).catch(() => undefined);
      this.folder = null;
    }
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
