import { method } from './channel';
import { object, text, ValidationError, type Validator } from './validate';

/**
 * Files for a browser's worker, which has none: it asks the extension, which asks VS Code's file systems
 * (`workspace.fs`). Those give whole files only; the bytes are handed over without a copy.
 */

/** `code` is as Node's ('ENOENT', 'EACCES'), '' where it is not known. */
export type DiskReply<T> = { readonly value: T } | { readonly code: string; readonly message: string };

export interface DiskStatus {
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly isFolder: boolean;
}

const bytes: Validator<Uint8Array> = (value, at = '') => {
  if (!(value instanceof Uint8Array)) {
    throw new ValidationError(`${at} must be bytes`);
  }
  return value;
};

const place = object({ uri: text(8192) });

export const diskMethods = {
  status: method<{ readonly uri: string }, DiskReply<DiskStatus>>(place),
  list: method<{ readonly uri: string }, DiskReply<readonly string[]>>(place),
  read: method<{ readonly uri: string }, DiskReply<Uint8Array>>(place),
  write: method<{ readonly uri: string; readonly bytes: Uint8Array }, DiskReply<null>>(
    object({ uri: text(8192), bytes }),
  ),
  createFolder: method<{ readonly uri: string }, DiskReply<null>>(place),
  remove: method<{ readonly uri: string }, DiskReply<null>>(place),
};
export type DiskMethods = typeof diskMethods;

/** The extension asks its workers nothing about files. */
export type NoMethods = Readonly<Record<never, never>>;
