import { type Failure, FailureError } from '../protocol/result';

/**
 * Whether the language server is there. A question that lost its answer because the server ended is asked once more of
 * the next one, and nobody hears of it; a question that ended two servers is given up.
 */
export class Lifeline {
  private readonly isLost: (error: unknown) => boolean;
  /** How many servers came up so far. */
  private generation = 0;
  private isUp = false;
  /** Why there will be no other server. */
  private end: Failure | null = null;
  private waiting: (() => void)[] = [];

  /** `isLost` tells errors of the way to the server from its answers. */
  constructor(isLost: (error: unknown) => boolean) {
    this.isLost = isLost;
  }

  /** There was a server. */
  get hasBegun(): boolean {
    return this.generation > 0;
  }

  /** A server is there, the first or another one. */
  up(): void {
    this.generation++;
    this.isUp = true;
    this.end = null;
    this.wake();
  }

  /** It ended, another one is being started. */
  down(): void {
    this.isUp = false;
  }

  /** It ended, and there is no other. */
  gone(why: Failure): void {
    this.isUp = false;
    this.end = why;
    this.wake();
  }

  /** Rejects with what `send` rejects with, or with `FailureError` when there is no server any more. */
  async ask<R>(send: () => Promise<R>, givenUp: Failure): Promise<R> {
    let asked = 0;
    for (let attempt = 1; ; attempt++) {
      asked = await this.after(asked);
      try {
        return await send();
      } catch (error) {
        if (!this.isLost(error)) {
          throw error;
        }
        if (attempt === 2) {
          throw new FailureError(this.end ?? givenUp);
        }
      }
    }
  }

  /** Tells; what is lost with a server is told anew by whoever hears that another one is up. */
  async tell(send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch (error) {
      if (!this.isLost(error)) {
        throw error;
      }
    }
  }

  /** The number of the server that is up, as soon as it is a later one than `earlier`. */
  private async after(earlier: number): Promise<number> {
    while (!this.isUp || this.generation <= earlier) {
      if (this.end !== null) {
        throw new FailureError(this.end);
      }
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    return this.generation;
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) {
      resolve();
    }
  }
}
