import { Worker } from 'node:worker_threads';

/** What a worker is sent after its data, and what it answers. */
export interface WorkerRequest<Job> {
  readonly id: number;
  readonly job: Job;
}
export type WorkerReply<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly error: string };

/** Jobs spread over threads; each thread has one at a time, the others wait in the order in which they came. */
export interface WorkerPool<Job, Result> {
  run(job: Job): Promise<Result>;
  close(): Promise<void>;
}

interface Waiting<Job, Result> {
  readonly job: Job;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts threads that run a bundle and have all of `data`; shared buffers in it are not copied.
 * A thread that dies fails its own job and all that wait.
 */
export function createWorkerPool<Job, Result>(
  file: string | URL,
  threads: number,
  data: unknown,
): WorkerPool<Job, Result> {
  const waiting: Waiting<Job, Result>[] = [];
  const idle: Worker[] = [];
  const running = new Map<Worker, Waiting<Job, Result>>();
  let broken: Error | null = null;
  let nextId = 0;

  function dispatch(): void {
    while (idle.length > 0 && waiting.length > 0) {
      const worker = idle.pop()!;
      const next = waiting.shift()!;
      running.set(worker, next);
      worker.postMessage({ id: nextId++, job: next.job } satisfies WorkerRequest<Job>);
    }
  }

  function breakDown(error: Error): void {
    broken ??= error;
    for (const { reject } of [...running.values(), ...waiting]) {
      reject(broken);
    }
    running.clear();
    waiting.length = 0;
  }

  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(file, { workerData: data });
    worker.on('message', (reply: WorkerReply<Result>) => {
      const done = running.get(worker);
      running.delete(worker);
      idle.push(worker);
      if ('error' in reply) {
        done?.reject(new Error(reply.error));
      } else {
        done?.resolve(reply.result);
      }
      dispatch();
    });
    worker.on('error', breakDown);
    idle.push(worker);
    return worker;
  });

  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        if (broken !== null) {
          reject(broken);
          return;
        }
        waiting.push({ job, resolve, reject });
        dispatch();
      }),
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
