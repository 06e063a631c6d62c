/**
 * Data channels by label. A DataPublisher is ours and goes to everybody; a DataSubscriber is somebody
 * else's, arriving under the label it was opened with.
 */

import { StateError } from "./errors";
import { Emitter } from "./events";

export type Data = string | ArrayBuffer;

export type DataPublisherOptions = {
  readonly ordered?: boolean;
  /** Give a message up after this many milliseconds. Not together with `maxRetransmits`. */
  readonly maxPacketLifeTime?: number;
  readonly maxRetransmits?: number;
  readonly protocol?: string;
};

export type DataEvents = {
  readonly open: undefined;
  readonly message: Data;
  readonly closed: undefined;
};

export class DataPublisher extends Emitter<DataEvents> {
  readonly label: string;
  readonly #options: DataPublisherOptions;
  readonly #onClose: () => void;
  #channel: RTCDataChannel | null = null;
  #closed = false;

  constructor(label: string, options: DataPublisherOptions, onClose: () => void) {
    super();
    this.label = label;
    this.#options = options;
    this.#onClose = onClose;
  }

  get open(): boolean {
    return this.#channel?.readyState === "open";
  }

  /** Bytes that wait to be sent; send less while it is large. */
  get bufferedAmount(): number {
    return this.#channel?.bufferedAmount ?? 0;
  }

  /**
   * @throws {StateError} the channel is not open (yet, or not again after a reconnection).
   */
  send(data: Data): void {
    if (!this.#channel || !this.open) throw new StateError("closed", { detail: this.label });
    if (typeof data === "string") this.#channel.send(data);
    else this.#channel.send(data);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#channel?.close();
    this.#onClose();
    this.emit("closed", undefined);
  }

  /** For the transport: open the channel on this (new) connection. */
  attach(pc: RTCPeerConnection): void {
    const channel = pc.createDataChannel(this.label, { ...this.#options });
    channel.binaryType = "arraybuffer";
    channel.onopen = () => this.emit("open", undefined);
    channel.onmessage = (event: MessageEvent<Data>) => this.emit("message", event.data);
    this.#channel = channel;
  }
}

export class DataSubscriber extends Emitter<DataEvents> {
  readonly label: string;
  readonly #channel: RTCDataChannel;

  constructor(channel: RTCDataChannel) {
    super();
    this.label = channel.label;
    this.#channel = channel;
    channel.binaryType = "arraybuffer";
    channel.onopen = () => this.emit("open", undefined);
    channel.onmessage = (event: MessageEvent<Data>) => this.emit("message", event.data);
    channel.onclose = () => this.emit("closed", undefined);
  }

  get open(): boolean {
    return this.#channel.readyState === "open";
  }

  /** Back to the sender, where it opened the channel for both directions. */
  send(data: Data): void {
    if (!this.open) throw new StateError("closed", { detail: this.label });
    if (typeof data === "string") this.#channel.send(data);
    else this.#channel.send(data);
  }

  close(): void {
    this.#channel.close();
  }
}
