/** Bundled to dist/worker.js: a thread that replays one pool size after the other, or verifies. */
import { revivedData, runThreadJob } from '../analysis/threadJobs';
import { serveJobs } from '../node/workerServe';

serveJobs(runThreadJob, revivedData);
