/**
 * One WebSocket to `/signaling/join`: JSON text frames, requests with ids, replies that repeat them.
 *
 * States: connecting -> open -> closed, never back; a reconnection is a new Signaling. A socket whose
 * other end is gone stays "open" for minutes, so silence is broken by pings: no message for
 * `silenceMs` after a ping means closed.
 */

import { ConnectionError, serverError } from "./errors";
import { Emitter } from "./events";
import type { ClientMessage, ServerMessage } from "./generated/signaling";

export type ReplyType = ServerMessage["type"];
export type Reply<Type extends ReplyType> = Extract<ServerMessage, { readonly type: Type }>;

export type SignalingEvents = {
  /** A message that answers no request. */
  readonly message: ServerMessage;
  /** Told once; requests still open have been rejected. */
  readonly closed: ConnectionError;
};

export type SignalingOptions = {
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly pingEveryMs?: number;
  readonly silenceMs?: number;
  /** For tests. */
  readonly createSocket?: (url: string) => WebSocket;
};

type Pending = {
  readonly expects: ReplyType;
  readonly resolve: (reply: never) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: ReturnType<typeof setTimeout>;
};

type Request = ClientMessage extends infer Message ? (Message extends unknown ? Omit<Message, "id"> : never) : never;

export class Signaling extends Emitter<SignalingEvents> {
  readonly #socket: WebSocket;
  readonly #options: Required<Omit<SignalingOptions, "createSocket">>;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closed = false;
  #pingTimer: ReturnType<typeof setTimeout> | undefined;

  /** Opens the socket; rejects with `server_unreachable` or `timed_out`. */
  static connect(url: string, options: SignalingOptions = {}): Promise<Signaling> {
    const socket = options.createSocket?.(url) ?? new WebSocket(url);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new ConnectionError("timed_out"));
        socket.close();
      }, options.connectTimeoutMs ?? defaults.connectTimeoutMs);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Signaling(socket, options));
      };
      socket.onerror = socket.onclose = () => {
        clearTimeout(timer);
        reject(new ConnectionError("server_unreachable"));
      };
    });
  }

  private constructor(socket: WebSocket, options: SignalingOptions) {
    super();
    this.#socket = socket;
    this.#options = { ...defaults, ...options };
    socket.onerror = null;
    socket.onmessage = (event: MessageEvent<unknown>) => this.#receive(event.data);
    socket.onclose = () => this.#finish(new ConnectionError("connection_lost"));
    this.#armPing();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a request and waits for its reply of type `expects`. */
  request<Type extends ReplyType>(message: Request, expects: Type): Promise<Reply<Type>> {
    if (this.#closed) return Promise.reject(new ConnectionError("connection_lost"));
    const id = this.#nextId++;
    return new Promise<Reply<Type>>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new ConnectionError("timed_out", { detail: message.type }));
      }, this.#options.requestTimeoutMs);
      this.#pending.set(id, { expects, resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...message, id }));
    });
  }

  /** Sends without waiting; lost silently when the socket is closed. */
  send(message: Request): void {
    if (!this.#closed) this.#socket.send(JSON.stringify(message));
  }

  /** Closes without telling the server anything more. Idempotent. */
  close(): void {
    this.#finish(new ConnectionError("connection_lost"));
  }

  #receive(data: unknown): void {
    this.#armPing();
    const message = parse(data);
    if (!message) return;
    const id = "id" in message ? message.id : undefined;
    const pending = typeof id === "number" ? this.#pending.get(id) : undefined;
    if (!pending || typeof id !== "number") {
      this.emit("message", message);
      return;
    }
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (message.type === "error") pending.reject(serverError(message.problem));
    else if (message.type === pending.expects) pending.resolve(message as never);
    else pending.reject(new ConnectionError("unexpected", { detail: `${message.type} instead of ${pending.expects}` }));
  }

  /** Anything received shows that the other end lives, and starts the wait anew. */
  #armPing(): void {
    clearTimeout(this.#pingTimer);
    if (this.#closed) return;
    this.#pingTimer = setTimeout(() => {
      this.send({ type: "ping" });
      this.#pingTimer = setTimeout(() => this.close(), this.#options.silenceMs);
    }, this.#options.pingEveryMs);
  }

  /** Asks for a sign of life now, for instance because media stalled. */
  probe(): void {
    if (this.#closed) return;
    clearTimeout(this.#pingTimer);
    this.send({ type: "ping" });
    this.#pingTimer = setTimeout(() => this.close(), this.#options.silenceMs);
  }

  #finish(error: ConnectionError): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#pingTimer);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
    this.emit("closed", error);
  }
}

/** `null` for what cannot be a message; unknown types pass and are ignored by whoever listens. */
function parse(data: unknown): ServerMessage | null {
  if (typeof data !== "string") return null;
  try {
    const value: unknown = JSON.parse(data);
    return value !== null && typeof value === "object" && "type" in value && typeof value.type === "string"
      ? (value as ServerMessage)
      : null;
  } catch {
    return null;
  }
}

const defaults = {
  connectTimeoutMs: 8_000,
  requestTimeoutMs: 12_000,
  pingEveryMs: 4_000,
  silenceMs: 4_000,
};
