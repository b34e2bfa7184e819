/** Bundled to dist/webWorker.js: everything the extension does in workers of a browser. The first message says what. */
import { revivedData, runThreadJob, type ThreadData } from '../analysis/threadJobs';
import { answerJob, type ThreadRequest } from '../base/threadPool';
import type { WebWorkerRole } from '../protocol/webWorker';
import { serveLines } from '../server/serveLines';
import { connectDisk } from './disk';
import { pathOf } from './paths';
import { setThreadScript } from './threads';

const scope = globalThis as unknown as Worker;

scope.onmessage = ({ data }: MessageEvent<WebWorkerRole<MessagePort>>) => {
  switch (data.role) {
    case 'server':
      connectDisk(data.disk);
      setThreadScript(data.script);
      // It begins to listen when it is loaded, which is before the next message.
      void import('../server/server');
      return;
    case 'lines':
      connectDisk(data.disk);
      serve(serveLines(pathOf(data.uri) ?? data.uri, (message) => scope.postMessage(message)));
      return;
    case 'jobs': {
      const revived = revivedData(data.data as ThreadData);
      serve((request) =>
        scope.postMessage(answerJob(request as ThreadRequest<never>, (job) => runThreadJob(revived, job))),
      );
    }
  }
};

function serve(receive: (message: unknown) => void): void {
  scope.onmessage = ({ data }: MessageEvent<unknown>) => receive(data);
}
