import { parentPort, workerData } from 'node:worker_threads';
import { answerJob, type ThreadRequest } from '../base/threadPool';

/** The other end of a worker pool: answers one job after the other until the pool closes. */
export function serveJobs<Data, Job, Result>(
  run: (data: Data, job: Job) => Result,
  revive: (data: Data) => Data,
): void {
  const data = revive(workerData as Data);
  parentPort?.on('message', (request: ThreadRequest<Job>) => {
    parentPort?.postMessage(answerJob(request, (job) => run(data, job)));
  });
}
