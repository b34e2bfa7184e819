/** Thrown only for bugs of this program, never for bad input. Adapters catch it per request. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws when an invariant of this program does not hold. */
export function assert(condition: unknown, explanation: string): asserts condition {
  if (!condition) {
    throw new AssertionError(explanation);
  }
}

/** The default branch of a switch over a union: fails to compile when a member is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${String(value)}`);
}
