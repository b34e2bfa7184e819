import { platform } from '#platform';
import { howToApply } from '../analysis/advice';
import { type SizeRequest, type SizeRunner, sizeReportOn } from '../analysis/size';
import { runSizeJob, type SizingData } from '../analysis/sizeJobs';
import type { SizeReport } from '../model/reports';
import type { SizeParams } from '../protocol/lsp';
import { FailureError } from '../protocol/result';
import type { PolicySettings, SizeView } from '../protocol/views';
import type { Cancelled } from './thread';
import type { Trace } from './trace';

export interface SizeContext {
  readonly cancelled: Cancelled;
  readonly onReplay: (replays: number) => void;
}

/** Below that many requests starting threads takes longer than the replays. */
const fewestForThreads = 50_000;

/** Which pool size a trace needs. Never holds up other questions for longer than one replay. */
export async function sizeView(trace: Trace, params: SizeParams, context: SizeContext): Promise<SizeView> {
  const { bounceAll } = params;
  const { replayable, curve, smallest, areas, unusedBytes, advice } = await sizeOf(trace, params, context);
  return {
    bounceAll,
    replayable,
    curve,
    smallest,
    areas,
    unusedBytes,
    advice: advice.filter((line) => line !== howToApply),
    howToApply,
    cpus: params.cpus ?? trace.analysis.geometry.cpus.value,
  };
}

/** Kept by the trace, so that a report after the chart costs nothing. */
export function sizeOf(trace: Trace, params: Omit<SizeParams, 'uri'>, context: SizeContext): Promise<SizeReport> {
  const { bounceAll, headroom, set } = params;
  const cpus = params.cpus ?? trace.analysis.geometry.cpus.value;
  return trace.size(sizeId(bounceAll, cpus, headroom, set), () =>
    cancellableSize(trace, { bounceAll, headroom, cpus, set: { ...trace.settings.replay, ...set } }, context),
  );
}

function sizeId(bounceAll: boolean, cpus: number, headroom: number, set: PolicySettings): string {
  return JSON.stringify([bounceAll, cpus, headroom, Object.entries(set).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** Share that the panel and the editor add to the smallest size. */
const usualHeadroom = 0.2;

/** The sizing as recorded with the usual headroom, where somebody has asked for it already. */
export function knownSize(trace: Trace): SizeReport | null {
  return trace.knownSize(sizeId(false, trace.analysis.geometry.cpus.value, usualHeadroom, {}));
}

async function cancellableSize(trace: Trace, request: SizeRequest, context: SizeContext): Promise<SizeReport> {
  const { cancelled } = context;
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new FailureError({ kind: 'cancelled', message: 'Trying pool sizes was cancelled.' }));
  });
  // Also when nobody races against it any more.
  stopped.catch(() => undefined);
  const listener = cancelled.onCancellationRequested(stop);
  if (cancelled.isCancellationRequested) {
    stop();
  }
  let replays = 0;
  try {
    return await sizeReportOn(trace.analysis, request, (data) => {
      const runner = startRunner(trace, data, () => cancelled.isCancellationRequested);
      return {
        run: async (job) => {
          const point = await Promise.race([runner.run(job), stopped]);
          context.onReplay(++replays);
          return point;
        },
        close: () => runner.close(),
      };
    });
  } finally {
    listener.dispose();
  }
}

/** Threads where the trace is large, else one replay after the other with a breath between them. */
function startRunner(trace: Trace, data: SizingData, isCancelled: () => boolean): SizeRunner {
  const threads = fewestForThreads <= trace.analysis.tables.requests.length ? platform.threads() : null;
  if (threads !== null) {
    return threads.start(threads.count, data);
  }
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (job) => {
      const point = last.then(async () => {
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (isCancelled()) {
          throw new FailureError({ kind: 'cancelled', message: 'Trying pool sizes was cancelled.' });
        }
        return runSizeJob(data, job);
      });
      last = point.catch(() => undefined);
      return point;
    },
    close: () => undefined,
  };
}
