/** What a thread is sent after its data, and what it answers. */
export interface ThreadRequest<Job> {
  readonly id: number;
  readonly job: Job;
}
export type ThreadReply<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly error: string };

/** Jobs spread over threads; each thread has one at a time, the others wait in the order in which they came. */
export interface ThreadPool<Job, Result> {
  run(job: Job): Promise<Result>;
  close(): Promise<void>;
}

/** One thread as the pool sees it; its data were given to it before. */
export interface Thread<Job, Result> {
  post(request: ThreadRequest<Job>): void;
  /** Called once, before anything is posted. */
  listen(onReply: (reply: ThreadReply<Result>) => void, onDeath: (error: Error) => void): void;
  terminate(): Promise<void>;
}

interface Waiting<Job, Result> {
  readonly job: Job;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/** A thread that dies fails its own job and all that wait. */
export function createThreadPool<Job, Result>(threads: readonly Thread<Job, Result>[]): ThreadPool<Job, Result> {
  const waiting: Waiting<Job, Result>[] = [];
  const idle: Thread<Job, Result>[] = [];
  const running = new Map<Thread<Job, Result>, Waiting<Job, Result>>();
  let broken: Error | null = null;
  let nextId = 0;

  function dispatch(): void {
    while (idle.length > 0 && waiting.length > 0) {
      const thread = idle.pop()!;
      const next = waiting.shift()!;
      running.set(thread, next);
      thread.post({ id: nextId++, job: next.job });
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

  for (const thread of threads) {
    thread.listen((reply) => {
      const done = running.get(thread);
      running.delete(thread);
      idle.push(thread);
      if ('error' in reply) {
        done?.reject(new Error(reply.error));
      } else {
        done?.resolve(reply.result);
      }
      dispatch();
    }, breakDown);
    idle.push(thread);
  }

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
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

/** The other end of a thread: answers one request. */
export function answerJob<Job, Result>(
  { id, job }: ThreadRequest<Job>,
  run: (job: Job) => Result,
): ThreadReply<Result> {
  try {
    return { id, result: run(job) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
