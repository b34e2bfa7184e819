/** Bundled to dist/worker.js: a thread of the command line that replays one pool size after the other. */
import { revived, runSizeJob } from '../analysis/sizeJobs';
import { serveJobs } from '../node/workerServe';

serveJobs(runSizeJob, revived);
