import { type Failure, FailureError, failure, type Result, success } from './result';
import { ValidationError, type Validator } from './validate';

/**
 * Questions and answers over a pair of one-way message pipes (a webview and its extension).
 * Both ends use the same class with the two method tables swapped.
 * Every question is answered exactly once: with a value, or with a `Failure` when the handler throws,
 * the message is malformed or nobody handles the method.
 */
export interface Method<P, R> {
  readonly params: Validator<P>;
  /** The result's type lives only in the type system: nothing is stored here. */
  readonly result?: R;
}

export function method<P, R>(params: Validator<P>): Method<P, R> {
  return { params };
}

/** A table of methods: the contract of one direction. */
export type ParamsOf<M> = M extends { readonly params: Validator<infer P> } ? P : never;
export type ResultOf<M> = M extends { readonly result?: infer R } ? Exclude<R, undefined> : never;

export type Handlers<Table> = {
  readonly [K in keyof Table]: (params: ParamsOf<Table[K]>) => Promise<ResultOf<Table[K]>> | ResultOf<Table[K]>;
};

interface Question {
  readonly swiotlbLens: 'question';
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

interface Answer {
  readonly swiotlbLens: 'answer';
  readonly id: number;
  readonly result: Result<unknown>;
}

export interface ChannelOptions<Local> {
  /** Methods this end answers, with the validators of their parameters. */
  readonly methods: { readonly [K in keyof Local]: { readonly params: Validator<unknown> } };
  readonly handlers: Handlers<Local>;
  readonly post: (message: unknown) => void;
  /** Called for handlers that threw something that is not a `FailureError`: a bug of ours. */
  readonly onBug: (method: string, error: unknown) => void;
}

export class Channel<Local, Remote> {
  private readonly options: ChannelOptions<Local>;
  private readonly waiting = new Map<number, (result: Result<unknown>) => void>();
  private nextId = 1;

  constructor(options: ChannelOptions<Local>) {
    this.options = options;
  }

  /** Asks the other end; rejects with `FailureError` when it could not answer. */
  async call<K extends keyof Remote & string>(name: K, params: ParamsOf<Remote[K]>): Promise<ResultOf<Remote[K]>> {
    const id = this.nextId++;
    const result = await new Promise<Result<unknown>>((resolve) => {
      this.waiting.set(id, resolve);
      this.options.post({ swiotlbLens: 'question', id, method: name, params } satisfies Question);
    });
    if (!result.ok) {
      throw new FailureError(result.error);
    }
    return result.value as ResultOf<Remote[K]>;
  }

  /** Takes any message of the pipe; what is not ours is ignored. */
  async receive(message: unknown): Promise<void> {
    if (isAnswer(message)) {
      const resolve = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      resolve?.(isResult(message.result) ? message.result : failure('invalid', 'The reply had an unexpected form.'));
      return;
    }
    if (isQuestion(message)) {
      const result = await this.answer(message.method, message.params);
      this.options.post({ swiotlbLens: 'answer', id: message.id, result } satisfies Answer);
    }
  }

  /** The other end is gone: nobody will answer. */
  close(): void {
    for (const resolve of this.waiting.values()) {
      resolve(failure('cancelled', 'The other side was closed.'));
    }
    this.waiting.clear();
  }

  private async answer(name: string, params: unknown): Promise<Result<unknown>> {
    if (!Object.hasOwn(this.options.methods as object, name)) {
      return failure('invalid', `There is no method '${name.slice(0, 40)}'.`);
    }
    const key = name as keyof Local;
    try {
      const checked = this.options.methods[key].params(params);
      const handler = this.options.handlers[key] as (params: unknown) => unknown;
      return success(await handler(checked));
    } catch (error) {
      if (error instanceof FailureError) {
        return { ok: false, error: error.failure };
      }
      if (error instanceof ValidationError) {
        return failure('invalid', `${name}: ${error.message}.`);
      }
      this.options.onBug(name, error);
      return failure('bug', `'${name}' failed because of a defect in SWIOTLB Lens; its log has the details.`);
    }
  }
}

function isQuestion(message: unknown): message is Question {
  return hasTag(message, 'question') && typeof (message as Question).method === 'string';
}

function isAnswer(message: unknown): message is Answer {
  return hasTag(message, 'answer');
}

function hasTag(message: unknown, tag: string): boolean {
  return (
    typeof message === 'object' &&
    message !== null &&
    (message as { swiotlbLens?: unknown }).swiotlbLens === tag &&
    Number.isInteger((message as { id?: unknown }).id)
  );
}

function isResult(value: unknown): value is Result<unknown> {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { ok, error } = value as { ok?: unknown; error?: Failure };
  return ok === true || (ok === false && typeof error?.message === 'string');
}
