import { Worker } from 'node:worker_threads';
import { createThreadPool, type Thread, type ThreadPool, type ThreadReply } from '../base/threadPool';

export type WorkerPool<Job, Result> = ThreadPool<Job, Result>;

/** Starts threads that run a bundle and have all of `data`; shared buffers in it are not copied. */
export function createWorkerPool<Job, Result>(
  file: string | URL,
  threads: number,
  data: unknown,
): WorkerPool<Job, Result> {
  return createThreadPool(
    Array.from({ length: threads }, (): Thread<Job, Result> => {
      const worker = new Worker(file, { workerData: data });
      return {
        post: (request) => worker.postMessage(request),
        listen: (onReply, onDeath) => {
          worker.on('message', (reply: ThreadReply<Result>) => onReply(reply));
          worker.on('error', onDeath);
        },
        terminate: async () => {
          await worker.terminate();
        },
      };
    }),
  );
}
