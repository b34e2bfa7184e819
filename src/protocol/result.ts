/** What a reply carries: a value, or a sentence for the person who asked. Handlers never leave a question unanswered. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Failure };

export interface Failure {
  /**
   * `bug`: this program broke an invariant, the details are in its log.
   * `invalid`: the message was not what was expected.
   * `unavailable`: the outside world said no (no such file, not analysed, closed).
   * `cancelled`: nobody waits any more.
   */
  readonly kind: 'bug' | 'invalid' | 'unavailable' | 'cancelled';
  /** One plain sentence. */
  readonly message: string;
}

export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function failure(kind: Failure['kind'], message: string): { readonly ok: false; readonly error: Failure } {
  return { ok: false, error: { kind, message } };
}

/** Carries a `Failure` through code that throws, e.g. out of `Channel.call`. */
export class FailureError extends Error {
  override readonly name = 'FailureError';
  readonly failure: Failure;

  constructor(reason: Failure) {
    super(reason.message);
    this.failure = reason;
  }
}
