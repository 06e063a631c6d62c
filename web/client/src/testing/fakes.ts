/**
 * Stand-ins for what only a browser has, small enough to read: a WebSocket whose other end the test
 * plays, and an RTCPeerConnection that counts m-lines the way a real one does.
 */

import { afterEach, beforeEach, vi } from "vitest";
import type { ServerMessage } from "../generated/signaling";

type Sent = Readonly<Record<string, unknown>> & { readonly type: string; readonly id?: number };

export class FakeSocket {
  readonly sent: Sent[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent);
  }

  close(): void {
    this.readyState = 3;
  }

  // --- the test's end ---

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  receive(message: ServerMessage | string): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  /** The connection breaks. */
  drop(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  /** The newest message of a type. */
  last(type: string): Sent {
    const found = this.sent.findLast((message) => message.type === type);
    if (!found) throw new Error(`nothing of type ${type} was sent, only: ${this.sent.map((message) => message.type).join(", ")}`);
    return found;
  }

  count(type: string): number {
    return this.sent.filter((message) => message.type === type).length;
  }

  asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}

type Parameters = { encodings: Readonly<Record<string, unknown>>[] };

type FakeSender = {
  track: unknown;
  replaceTrack(track: unknown): Promise<void>;
  getParameters(): Parameters;
  setParameters(parameters: Parameters): Promise<void>;
};

type Transceiver = {
  mid: string | null;
  direction: RTCRtpTransceiverDirection;
  readonly kind: string;
  readonly sender: FakeSender;
  readonly receiver: { readonly track: unknown; getSynchronizationSources(): [] };
};

type TransceiverInit = { direction: RTCRtpTransceiverDirection; sendEncodings?: Parameters["encodings"] };

export class FakePeerConnection {
  /** All that were made, oldest first. */
  static instances: FakePeerConnection[] = [];

  readonly transceivers: Transceiver[] = [];
  readonly iceRestarts: boolean[] = [];
  connectionState: RTCPeerConnectionState = "new";
  signalingState: RTCSignalingState = "stable";
  localDescription: { readonly type: string; readonly sdp: string } | null = null;
  received = { bytes: 0, answers: 0 };
  ondatachannel: ((event: { readonly channel: object }) => void) | null = null;
  readonly #listeners = new Map<string, Set<() => void>>();
  #offers = 0;

  constructor() {
    FakePeerConnection.instances.push(this);
  }

  static get latest(): FakePeerConnection {
    const latest = FakePeerConnection.instances.at(-1);
    if (!latest) throw new Error("no peer connection was made");
    return latest;
  }

  addTransceiver(track: { readonly kind: string } | string, init: TransceiverInit): Transceiver {
    const kind = typeof track === "string" ? track : track.kind;
    const transceiver = makeTransceiver(kind, init.direction, track, init.sendEncodings);
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers(): readonly Transceiver[] {
    return this.transceivers;
  }

  createDataChannel(label: string): object {
    return { label, readyState: "connecting", close: () => undefined };
  }

  createOffer(options: { readonly iceRestart?: boolean } = {}): Promise<RTCSessionDescriptionInit> {
    this.iceRestarts.push(options.iceRestart ?? false);
    this.#offers += 1;
    return Promise.resolve({ type: "offer", sdp: `offer ${this.#offers}` });
  }

  createAnswer(): Promise<RTCSessionDescriptionInit> {
    return Promise.resolve({ type: "answer", sdp: "answer" });
  }

  setLocalDescription(description: { readonly type: string; readonly sdp: string }): Promise<void> {
    if (description.type === "rollback") {
      this.signalingState = "stable";
      return Promise.resolve();
    }
    this.transceivers.forEach((transceiver, index) => (transceiver.mid ??= String(index)));
    this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
    this.localDescription = description;
    return Promise.resolve();
  }

  /** An offer's SDP is, here, the kinds of its m-lines: "audio video". */
  setRemoteDescription(description: { readonly type: string; readonly sdp: string }): Promise<void> {
    if (description.sdp === "broken") return Promise.reject(new Error("cannot parse"));
    if (description.type === "offer") {
      description.sdp.split(" ").forEach((kind, index) => {
        this.transceivers[index] ??= { ...makeTransceiver(kind, "recvonly", null), mid: String(index) };
      });
      this.signalingState = "have-remote-offer";
    } else {
      this.signalingState = "stable";
    }
    return Promise.resolve();
  }

  addIceCandidate(): Promise<void> {
    return Promise.resolve();
  }

  getStats(): Promise<Map<string, object>> {
    const { bytes, answers } = this.received;
    return Promise.resolve(
      new Map([["T", { type: "transport", bytesReceived: bytes }], ["P", { type: "candidate-pair", responsesReceived: answers }]] as const),
    );
  }

  addEventListener(name: string, listener: () => void): void {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set);
    set.add(listener);
  }

  removeEventListener(name: string, listener: () => void): void {
    this.#listeners.get(name)?.delete(listener);
  }

  close(): void {
    this.connectionState = this.signalingState = "closed";
  }

  // --- the test's end ---

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    for (const listener of this.#listeners.get("connectionstatechange") ?? []) listener();
  }
}

function makeTransceiver(
  kind: string,
  direction: RTCRtpTransceiverDirection,
  track: unknown,
  encodings: Parameters["encodings"] = [{}],
): Transceiver {
  let parameters: Parameters = { encodings };
  const sender: FakeSender = {
    track,
    replaceTrack: (next) => {
      sender.track = next;
      return Promise.resolve();
    },
    getParameters: () => structuredClone(parameters),
    setParameters: (next) => {
      parameters = next;
      return Promise.resolve();
    },
  };
  return {
    kind,
    direction,
    mid: null,
    sender,
    receiver: { track: { kind, id: `receiver-${Math.random()}` }, getSynchronizationSources: () => [] },
  };
}

export function fakeTrack(kind: "audio" | "video", settings: MediaTrackSettings = {}): MediaStreamTrack {
  return { kind, enabled: true, contentHint: "", stop: () => undefined, getSettings: () => settings } as unknown as MediaStreamTrack;
}

/** Lets everything that waits on already settled promises run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
}

/** Before each test of a file: time stands still, and connections are {@link FakePeerConnection}s. */
export function fakeTheBrowser(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    FakePeerConnection.instances = [];
    vi.stubGlobal("RTCPeerConnection", FakePeerConnection);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
}
