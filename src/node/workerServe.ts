import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerReply, WorkerRequest } from './workerPool';

/** The other end of a worker pool: answers one job after the other until the pool closes. */
export function serveJobs<Data, Job, Result>(
  run: (data: Data, job: Job) => Result,
  revive: (data: Data) => Data,
): void {
  const data = revive(workerData as Data);
  parentPort?.on('message', ({ id, job }: WorkerRequest<Job>) => {
    let reply: WorkerReply<Result>;
    try {
      reply = { id, result: run(data, job) };
    } catch (error) {
      reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    parentPort?.postMessage(reply);
  });
}
