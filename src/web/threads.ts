import type { Threads } from '../base/platform';
import { createThreadPool, type Thread, type ThreadReply } from '../base/threadPool';
import type { WebWorkerRole } from '../protocol/webWorker';

let script = '';

/** Where the bundle is that more workers run. */
export function setThreadScript(url: string): void {
  script = url;
}

export function threads(): Threads | null {
  if (script === '' || typeof Worker === 'undefined') {
    return null;
  }
  return {
    count: Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1)),
    start: (count, data) => createThreadPool(Array.from({ length: count }, () => startThread(data))),
  };
}

function startThread<Job, Result>(data: unknown): Thread<Job, Result> {
  const worker = new Worker(script);
  worker.postMessage({ role: 'jobs', data } satisfies WebWorkerRole<MessagePort>);
  return {
    post: (request) => worker.postMessage(request),
    listen: (onReply, onDeath) => {
      worker.onmessage = ({ data: reply }: MessageEvent<ThreadReply<Result>>) => onReply(reply);
      worker.onerror = ({ message }) => onDeath(new Error(message || 'a worker of the browser ended'));
    },
    terminate: async () => worker.terminate(),
  };
}
