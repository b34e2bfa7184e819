import { FailureError } from '../protocol/result';
import type { Cancelled } from './thread';

interface Work {
  readonly result: Promise<unknown>;
  waiting: number;
  abandon(): void;
}

/** Work under way, by what it belongs to and what it makes. */
const underWay = new WeakMap<object, Map<string, Work>>();

/**
 * Waits for work that others may wait for as well. An asker that cancels stops waiting; the work itself is cancelled
 * when nobody waits for it any more, and whoever asks then begins anew.
 */
export async function shareWork<T>(
  owner: object,
  id: string,
  cancelled: Cancelled,
  messageWhenCancelled: string,
  begin: (abandoned: Cancelled) => Promise<T>,
): Promise<T> {
  const cancelledError = () => new FailureError({ kind: 'cancelled', message: messageWhenCancelled });
  if (cancelled.isCancellationRequested) {
    throw cancelledError();
  }
  const works = underWay.get(owner) ?? new Map<string, Work>();
  underWay.set(owner, works);
  let work = works.get(id);
  if (work === undefined) {
    work = beginWork(begin, (over) => {
      if (works.get(id) === over) {
        works.delete(id);
      }
    });
    works.set(id, work);
  }
  const joined = work;
  joined.waiting++;
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(cancelledError());
  });
  const listener = cancelled.onCancellationRequested(stop);
  try {
    return await Promise.race([joined.result as Promise<T>, stopped]);
  } finally {
    listener.dispose();
    if (--joined.waiting === 0) {
      joined.abandon();
    }
  }
}

/** `onOver`: finished or given up, nobody may join any more. */
function beginWork(begin: (abandoned: Cancelled) => Promise<unknown>, onOver: (work: Work) => void): Work {
  const listeners = new Set<() => void>();
  let isAbandoned = false;
  const result = begin({
    get isCancellationRequested() {
      return isAbandoned;
    },
    onCancellationRequested: (listener) => {
      listeners.add(listener);
      return { dispose: () => listeners.delete(listener) };
    },
  }).finally(() => onOver(work));
  // Also when nobody waits for it any more.
  result.catch(() => undefined);
  const work: Work = {
    result,
    waiting: 0,
    abandon: () => {
      isAbandoned = true;
      onOver(work);
      for (const listener of listeners) {
        listener();
      }
    },
  };
  return work;
}
