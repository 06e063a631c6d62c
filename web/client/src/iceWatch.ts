/**
 * Notices that media stopped and asks for an ICE restart.
 *
 * Browsers are slow to tell: with a dead server Chromium says "disconnected" after 7.6 s and "failed"
 * after 17.6 s. So besides the connection state the watch looks once a second at what the transport
 * received: media bytes and answers to connectivity checks. When neither grew for `stallMs` (checks
 * go out every 2.5 s, so this is more than one lost answer), the path is taken for dead.
 *
 * States: new -> connected -> (suspect -> restarting ->)* connected ... closed. A restart that does
 * not connect within `restartMs` is repeated `attempts` times, then `failed` is called once: the owner
 * then starts over with new connections.
 */

export type IceWatchOptions = {
  readonly restart: () => void;
  readonly failed: () => void;
  /** Called with every change between "media flows" and "media does not". */
  readonly flowing?: (flowing: boolean) => void;
  readonly pollMs?: number;
  readonly stallMs?: number;
  readonly restartMs?: number;
  readonly attempts?: number;
  readonly now?: () => number;
};

type Sample = { readonly bytes: number; readonly answers: number };

export class IceWatch {
  readonly #pc: RTCPeerConnection;
  readonly #options: Required<IceWatchOptions>;
  readonly #poll: ReturnType<typeof setInterval>;
  #last: Sample = { bytes: 0, answers: 0 };
  #lastGrowth: number;
  #restartedAt: number | null = null;
  #restarts = 0;
  #everConnected = false;
  #startedAt: number;
  #flowing = false;
  #closed = false;

  constructor(pc: RTCPeerConnection, options: IceWatchOptions) {
    this.#pc = pc;
    this.#options = { ...defaults, ...options };
    this.#startedAt = this.#lastGrowth = this.#options.now();
    this.#poll = setInterval(() => void this.#tick(), this.#options.pollMs);
    pc.addEventListener("connectionstatechange", this.#onState);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    this.#pc.removeEventListener("connectionstatechange", this.#onState);
  }

  readonly #onState = (): void => {
    if (this.#closed) return;
    switch (this.#pc.connectionState) {
      case "connected":
        this.#everConnected = true;
        this.#restartedAt = null;
        this.#restarts = 0;
        this.#lastGrowth = this.#options.now();
        this.#setFlowing(true);
        break;
      case "failed":
        this.#restart();
        break;
      default:
        break;
    }
  };

  async #tick(): Promise<void> {
    if (this.#closed) return;
    const state = this.#pc.connectionState;
    const now = this.#options.now();
    if (state === "new") {
      // Nothing was negotiated yet: there is nothing to wait for.
      this.#startedAt = now;
      return;
    }
    if (!this.#everConnected) {
      if (now - (this.#restartedAt ?? this.#startedAt) > this.#options.restartMs) this.#restart();
      return;
    }
    this.#judge(await readSample(this.#pc), state, now);
  }

  #judge(sample: Sample, state: RTCPeerConnectionState, now: number): void {
    if (this.#closed) return;
    if (sample.bytes > this.#last.bytes || sample.answers > this.#last.answers) {
      this.#lastGrowth = now;
      if (state === "connected") {
        this.#restartedAt = null;
        this.#restarts = 0;
        this.#setFlowing(true);
      }
    }
    this.#last = sample;
    if (this.#restartedAt !== null) {
      if (now - this.#restartedAt > this.#options.restartMs) this.#restart();
    } else if (now - this.#lastGrowth > this.#options.stallMs) {
      this.#restart();
    }
  }

  #restart(): void {
    this.#setFlowing(false);
    if (this.#restarts >= this.#options.attempts) {
      this.close();
      this.#options.failed();
      return;
    }
    this.#restarts += 1;
    this.#restartedAt = this.#options.now();
    this.#options.restart();
  }

  #setFlowing(flowing: boolean): void {
    if (flowing === this.#flowing) return;
    this.#flowing = flowing;
    this.#options.flowing(flowing);
  }
}

/** Bytes that a connection has received so far, by anything but connectivity checks. */
export async function readReceived(pc: RTCPeerConnection): Promise<number> {
  return (await readSample(pc)).bytes;
}

async function readSample(pc: RTCPeerConnection): Promise<Sample> {
  let bytes = 0;
  let answers = 0;
  for (const entry of (await pc.getStats()).values() as Iterable<Record<string, unknown>>) {
    if (entry["type"] === "transport") bytes += number(entry["bytesReceived"]);
    if (entry["type"] === "candidate-pair") {
      answers += number(entry["responsesReceived"]);
      bytes += number(entry["bytesReceived"]);
    }
  }
  return { bytes, answers };
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

const defaults = {
  flowing: (): void => undefined,
  pollMs: 1_000,
  stallMs: 6_000,
  restartMs: 8_000,
  attempts: 3,
  now: (): number => performance.now(),
};
