/**
 * Delays between attempts. Full jitter from the very first retry: after a server restart all its
 * clients notice in the same second, and must not come back in the same second.
 */

export type BackoffOptions = {
  /** Upper bound of the first delay, in milliseconds. */
  readonly firstMs: number;
  /** No delay is longer than this, in milliseconds. */
  readonly capMs: number;
  /** Stop when this much time has passed since the first attempt, in milliseconds. */
  readonly giveUpAfterMs: number;
};

export const reconnectBackoff: BackoffOptions = { firstMs: 300, capMs: 3_000, giveUpAfterMs: 90_000 };

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempt = 0;
  #elapsedMs = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** How many delays were handed out since the last reset. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The next delay in milliseconds, or `null` when it is time to give up. */
  next(): number | null {
    const { firstMs, capMs, giveUpAfterMs } = this.#options;
    if (this.#elapsedMs >= giveUpAfterMs) return null;
    const ceiling = Math.min(capMs, firstMs * 2 ** this.#attempt);
    this.#attempt += 1;
    // Between a quarter of the ceiling and the ceiling: spread out, yet never a busy loop.
    const delay = Math.round(ceiling * (0.25 + 0.75 * this.#random()));
    this.#elapsedMs += delay;
    return delay;
  }

  /** Counts time spent on an attempt itself towards giving up. */
  spend(milliseconds: number): void {
    this.#elapsedMs += milliseconds;
  }

  reset(): void {
    this.#attempt = 0;
    this.#elapsedMs = 0;
  }
}
