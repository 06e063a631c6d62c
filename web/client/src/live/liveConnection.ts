/**
 * One peer connection to a channel, made with one HTTP request: WHIP to send (RFC 9725), WHEP to watch.
 *
 *     connecting -> connected -> connecting (lost: made anew, after growing pauses) ... -> closed
 *
 * The answer holds the server's candidates, and the server learns ours from their checks, so nothing
 * trickles. A refusal that another try would meet again ends it at once.
 */

import { Backoff, type BackoffOptions } from "../backoff";
import { ConnectionError, HeadwaterError, serverError, toError } from "../errors";
import { Emitter } from "../events";
import { readProblem } from "../problem";

export type LiveState = "connecting" | "connected" | "closed";

export type LiveEvents = {
  state: LiveState;
  /** A received track is there. */
  track: MediaStreamTrack;
  /** It has ended, for this reason. */
  failed: HeadwaterError;
};

export type LiveOptions = {
  /** The WHIP or WHEP address. */
  readonly url: string;
  readonly token?: string | undefined;
  readonly rtcConfiguration?: RTCConfiguration | undefined;
};

export abstract class LiveConnection extends Emitter<LiveEvents> {
  readonly #options: LiveOptions;
  readonly #backoff = new Backoff(patience);
  #state: LiveState = "connecting";
  #connection: RTCPeerConnection | null = null;
  #session: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  protected constructor(options: LiveOptions) {
    super();
    this.#options = options;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** The browser's statistics of the connection that is there now. */
  async getStats(): Promise<RTCStatsReport | null> {
    return (await this.#connection?.getStats()) ?? null;
  }

  /** Ends it, and tells the server so. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#setState("closed");
    this.#drop();
  }

  /** Puts m-lines on a new connection. */
  protected abstract prepare(connection: RTCPeerConnection): void;

  protected get connection(): RTCPeerConnection | null {
    return this.#connection;
  }

  /** Connects for the first time, or again. */
  protected async connect(): Promise<void> {
    try {
      await this.#exchange();
    } catch (thrown) {
      const error = toError(thrown);
      if (error.retryable) this.#again(error);
      else this.#fail(error);
    }
  }

  async #exchange(): Promise<void> {
    if (typeof RTCPeerConnection === "undefined") throw new HeadwaterError("browser_unsupported");
    const connection = (this.#connection = new RTCPeerConnection(this.#options.rtcConfiguration));
    connection.addEventListener("connectionstatechange", () => this.#changed(connection));
    this.prepare(connection);
    await connection.setLocalDescription();
    const answer = await this.#post(connection.localDescription?.sdp ?? "");
    if (this.#connection !== connection) return;
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
    this.#timer = setTimeout(() => this.#again(new ConnectionError("media_blocked")), connectMs);
  }

  async #post(offer: string): Promise<string> {
    const headers = this.#headers({ "content-type": "application/sdp" });
    const request = { method: "POST", headers, body: offer };
    const response = await fetch(this.#options.url, request).catch((error: unknown) => {
      throw new ConnectionError("server_unreachable", { cause: error });
    });
    if (!response.ok) throw serverError(await readProblem(response));
    const location = response.headers.get("location");
    this.#session = location && new URL(location, response.url).href;
    if (this.#state === "closed") this.#forget();
    return await response.text();
  }

  #changed(connection: RTCPeerConnection): void {
    if (this.#connection !== connection) return;
    if (connection.connectionState === "connected") {
      clearTimeout(this.#timer);
      this.#backoff.reset();
      this.#setState("connected");
    } else if (connection.connectionState === "failed") {
      this.#again(new ConnectionError("connection_lost"));
    } else if (connection.connectionState === "disconnected") {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#again(new ConnectionError("connection_lost")), graceMs);
    }
  }

  #again(error: HeadwaterError): void {
    if (this.#state === "closed") return;
    this.#drop();
    this.#setState("connecting");
    const delay = this.#backoff.next();
    if (delay === null) this.#fail(error);
    else this.#timer = setTimeout(() => void this.connect(), delay);
  }

  #fail(error: HeadwaterError): void {
    if (this.#state === "closed") return;
    this.close();
    this.emit("failed", error);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = null;
    this.#forget();
  }

  /** Tells the server that the session is over; also while the page goes away. */
  #forget(): void {
    const session = this.#session;
    this.#session = null;
    if (session) void fetch(session, { method: "DELETE", headers: this.#headers(), keepalive: true }).catch(() => undefined);
  }

  #headers(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const { token } = this.#options;
    return token ? { ...more, authorization: `Bearer ${token}` } : { ...more };
  }

  #setState(state: LiveState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}

const connectMs = 10_000;
const graceMs = 3_000;
const patience: BackoffOptions = { firstMs: 300, capMs: 4_000, giveUpAfterMs: 60_000 };
