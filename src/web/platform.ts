import { HeldBytes } from '../base/heldBytes';
import type { Platform, Spool } from '../base/platform';
import { disk } from './disk';
import { gunzip } from './gunzip';
import { pathOf, paths, uriOf } from './paths';
import { threads } from './threads';
import { nextTurn } from './turn';

/** There is no place but memory for text that was unpacked. */
const maxHeldBytes = 2 ** 30;

export const platform: Platform = {
  disk,
  paths,
  pathOf,
  uriOf,
  gunzip,
  standardInput: async function* () {},
  createSpool,
  base64(bytes) {
    let text = '';
    for (let start = 0; start < bytes.length; start += 8192) {
      text += String.fromCharCode(...bytes.subarray(start, start + 8192));
    }
    return btoa(text);
  },
  nextTurn,
  threads,
  // Each look is a question to a file system that may be far away.
  lookEveryMs: 2000,
};

function createSpool(): Spool {
  let held = new HeldBytes();
  return {
    get length() {
      return held.length;
    },
    async append(bytes) {
      if (maxHeldBytes < held.length + bytes.length) {
        throw new Error(`the text is longer than ${maxHeldBytes / 2 ** 30} GiB, which a browser window does not hold`);
      }
      held.append(bytes);
    },
    read: async (position, target) => held.read(position, target),
    async close() {
      held = new HeldBytes();
    },
  };
}
