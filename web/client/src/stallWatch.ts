/**
 * Notices within a second that nothing comes any more.
 *
 * The server sends one byte every 250 ms on a data channel of its own, once we asked for it. What counts
 * as silence is neither a missing byte nor a clock: a byte may be lost while sound goes on, and a page
 * that was busy (or is in the background, where timers are slow) could not have heard anything. So
 * silence is the sum of the moments in which we listened, and anything received ends it.
 *
 * States, by silence: flowing -> stalled (ask the server) -> restart (a new path for media) -> rejoin (a
 * new signalling connection) -> replace (new media connections); from each back to flowing by the
 * first sign of life. Before the first byte nothing is watched: the server may not have a heartbeat.
 */

export type StallLevel = "flowing" | "stalled" | "restart" | "rejoin" | "replace";

export type StallWatchOptions = {
  /** Bytes received so far, by anything; asked only when the heartbeat is late. */
  readonly received: () => Promise<number>;
  /** Called with every change of level. */
  readonly onLevel: (level: StallLevel) => void;
  readonly now?: () => number;
};

export class StallWatch {
  readonly #options: Required<StallWatchOptions>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #level: StallLevel = "flowing";
  #silentMs = 0;
  #lastTick = 0;
  #received: number | null = null;
  #asking = false;

  constructor(options: StallWatchOptions) {
    this.#options = { now: () => performance.now(), ...options };
  }

  get level(): StallLevel {
    return this.#level;
  }

  /** Something came. The first one starts the watch. */
  beat(): void {
    this.#silentMs = 0;
    this.#received = null;
    this.#setLevel("flowing");
    this.#lastTick = this.#options.now();
    this.#timer ??= setInterval(() => this.#tick(), tickMs);
  }

  /** A new signalling connection is there and a new path asked for: wait for it before the last step. */
  retry(): void {
    if (this.#level === "rejoin") this.#silentMs = rejoinMs;
  }

  /** Stops watching until the next beat. Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#silentMs = 0;
    this.#received = null;
  }

  #tick(): void {
    const now = this.#options.now();
    // A late timer means that we did not listen, not that nothing was said.
    this.#silentMs += Math.min(now - this.#lastTick, 2 * tickMs);
    this.#lastTick = now;
    if (this.#silentMs < lateMs) return;
    void this.#ask();
    const [level] = levels.find(([, from]) => this.#silentMs >= from) ?? [];
    if (level) this.#setLevel(level);
  }

  /** The heartbeat is late: did anything else come since we asked last? */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const received = await this.#options.received().catch(() => null);
    this.#asking = false;
    if (this.#timer === undefined || received === null || this.#silentMs < lateMs) return;
    if (this.#received !== null && received > this.#received) this.beat();
    this.#received = received;
  }

  #setLevel(level: StallLevel): void {
    if (level === this.#level) return;
    this.#level = level;
    this.#options.onLevel(level);
  }
}

/** The label of the server's channel. */
export const heartbeatLabel = "headwater-heartbeat";
const tickMs = 100;
/** Two beats are missing. */
const lateMs = 500;
const rejoinMs = 2_500;
/** From the longest silence down. */
const levels: readonly (readonly [StallLevel, number])[] = [
  ["replace", 7_000],
  ["rejoin", rejoinMs],
  ["restart", 1_200],
  ["stalled", 800],
];
