import { captureKernels } from '../analysis/captureKernels';
import { captureScript, triedText } from '../analysis/captureScript';
import { ReplaySettingError } from '../analysis/replaySetup';
import { anonymizeRequest } from '../protocol/anonymize';
import { devicesRequest, sharesRequest } from '../protocol/devices';
import { whoHeldRequest } from '../protocol/language';
import {
  type CaptureScriptView,
  captureScriptsRequest,
  cursorRequest,
  findingRequest,
  type LspParams,
  type LspReply,
  lineAtRequest,
  marksRequest,
  outcomeRequest,
  type RequestName,
  reportRequest,
  runRequest,
  seriesRequest,
  sizeRequest,
  traceRequest,
  uncertaintyRequest,
  verifyRequest,
} from '../protocol/lsp';
import { FailureError, failure, type Result, success } from '../protocol/result';
import { episodeFailuresRequest, finishedRunsRequest, geometryRowsRequest } from '../protocol/sideViews';
import { slotDetailRequest, slotLineRequest, slotStepRequest, slotsRequest } from '../protocol/slots';
import { outcomeChoices } from '../protocol/traceEditor';
import {
  bool,
  finite,
  integer,
  listOf,
  nullable,
  object,
  oneOf,
  settings,
  text,
  ValidationError,
  type Validator,
} from '../protocol/validate';
import { anonymizedView } from './anonymize';
import { devicesView } from './devices';
import { marksView, outcomeLines } from './editorViews';
import { findingView } from './finding';
import { whoHeldView } from './language';
import { prepareFindings, prepareRun } from './replays';
import { reportText } from './report';
import { episodeFailuresView, finishedRunsView, geometryRowsView } from './sideViews';
import { type SizeContext, sizeView } from './size';
import { sharesView, slotDetailView, slotLineView, slotStepView, slotsView } from './slots';
import type { Trace } from './trace';
import type { TraceStore } from './traceStore';
import { verifyView } from './verify';
import { cursorView, lineAtView, runView, seriesView, traceView } from './views';

/** Registers a handler for a custom request; what it returns is the answer on the wire. */
export type Register = (
  method: string,
  handler: (params: unknown, cancelled: SizeContext['cancelled']) => Promise<Result<unknown>>,
) => void;

const uri = text(8192);
const run = object({ policy: text(64), set: settings });
const sizeFields = { bounceAll: bool, cpus: nullable(integer(1, 8192)), headroom: finite(0, 10), set: settings };
const timeNs = finite(-1e18, 1e18);
const line = integer(1, 2 ** 31);
const step = integer(0, 2 ** 31);

type Answer<R> = R extends Result<infer T> ? T : never;

/** The panel's questions. Each one answers for itself: a failure in one leaves the others alone. */
export function registerRequests(
  register: Register,
  store: TraceStore,
  onBug: (name: string, error: unknown) => void,
  onSizeProgress: (uri: string, replays: number) => void,
): void {
  const on = <N extends RequestName<never, Result<unknown>>>(
    name: N,
    params: Validator<LspParams<N>>,
    handler: (
      trace: Trace,
      params: LspParams<N>,
      cancelled: SizeContext['cancelled'],
    ) => Answer<LspReply<N>> | Promise<Answer<LspReply<N>>>,
  ) => {
    register(name.method, (raw, cancelled) =>
      answer(
        name.method,
        async () => {
          const checked = params(raw);
          const trace = await store.get((checked as { uri: string }).uri);
          await prepareFindings(trace);
          return handler(trace, checked, cancelled);
        },
        onBug,
      ),
    );
  };
  register(anonymizeRequest.method, (raw, cancelled) =>
    answer(anonymizeRequest.method, () => anonymizedView(anonymizeParams(raw), cancelled), onBug),
  );
  register(captureScriptsRequest.method, () =>
    answer(captureScriptsRequest.method, async () => captureScripts(), onBug),
  );
  on(traceRequest, object({ uri }), (trace, params) => traceView(trace, params.uri));
  on(runRequest, object({ uri, run }), async (trace, params, cancelled) => {
    await prepareRun(trace, params.run, cancelled);
    return runView(trace, params.run);
  });
  on(seriesRequest, object({ uri, run, fromNs: timeNs, toNs: timeNs, buckets: integer(1, 8192) }), (trace, params) =>
    seriesView(trace, params.run, params.fromNs, params.toNs, params.buckets),
  );
  on(uncertaintyRequest, object({ uri, run }), (trace, params) => trace.uncertainty(params.run));
  on(verifyRequest, object({ uri }), (trace, _params, cancelled) => verifyView(trace, cancelled));
  on(devicesRequest, object({ uri }), (trace) => devicesView(trace));
  on(sharesRequest, object({ uri, run, fromNs: timeNs, toNs: timeNs, buckets: integer(1, 8192) }), sharesView);
  on(slotsRequest, object({ uri, run, timeNs }), slotsView);
  on(
    slotStepRequest,
    object({ uri, run, step, kind: oneOf('event', 'failure'), direction: oneOf('next', 'previous') }),
    slotStepView,
  );
  on(slotLineRequest, object({ uri, run, line }), slotLineView);
  on(slotDetailRequest, object({ uri, run, move: step }), slotDetailView);
  on(cursorRequest, object({ uri, line, run }), (trace, params) =>
    cursorView(trace, params.uri, params.line, params.run),
  );
  on(lineAtRequest, object({ uri, timeNs }), (trace, params) => lineAtView(trace, params.timeNs));
  on(sizeRequest, object({ uri, ...sizeFields }), (trace, params, cancelled) =>
    sizeView(trace, params, { cancelled, onReplay: (replays) => onSizeProgress(params.uri, replays) }),
  );
  on(
    reportRequest,
    object({ uri, runs: listOf(run, 16), format: oneOf('html', 'md'), size: nullable(object(sizeFields)) }),
    async (trace, params, cancelled) => {
      const context = { cancelled, onReplay: (replays: number) => onSizeProgress(params.uri, replays) };
      return { text: await reportText(trace, params, context) };
    },
  );
  on(geometryRowsRequest, object({ uri }), (trace) => geometryRowsView(trace));
  on(
    episodeFailuresRequest,
    object({ uri, episode: integer(0, 2 ** 31), skip: integer(0, 2 ** 31), count: integer(1, 10_000) }),
    (trace, params) => episodeFailuresView(trace, params),
  );
  on(finishedRunsRequest, object({ uri }), (trace) => finishedRunsView(trace));
  on(whoHeldRequest, object({ uri, line }), whoHeldView);
  on(marksRequest, object({ uri }), (trace, params) => marksView(trace, params.uri));
  on(outcomeRequest, object({ uri, outcome: oneOf(...outcomeChoices) }), (trace, params) =>
    outcomeLines(trace, params.uri, params.outcome),
  );
  on(findingRequest, object({ uri, line }), (trace, params) => findingView(trace, params.uri, params.line));
}

const anonymizeParams = object({
  uris: listOf(text(8192), 1000),
  target: text(8192),
  text: nullable(text(2 ** 29)),
});

/** How long a script from the editor records; whoever starts it can say otherwise. */
const captureSeconds = 30;

function captureScripts(): readonly CaptureScriptView[] {
  return captureKernels.map((kernels) => ({
    title: kernels.title,
    tried: triedText(kernels),
    script: captureScript({ kernels, seconds: captureSeconds }),
  }));
}

/** Turns whatever happens into an answer. */
export async function answer<T>(
  name: string,
  make: () => Promise<T>,
  onBug: (name: string, error: unknown) => void,
): Promise<Result<T>> {
  try {
    return success(await make());
  } catch (error) {
    if (error instanceof FailureError) {
      return { ok: false, error: error.failure };
    }
    if (error instanceof ReplaySettingError) {
      return failure('invalid', `${error.message}.`);
    }
    if (error instanceof ValidationError) {
      return failure('invalid', `${name}: ${error.message}.`);
    }
    onBug(name, error);
    return failure('bug', 'This failed because of a defect in SWIOTLB Lens; its log has the details.');
  }
}
