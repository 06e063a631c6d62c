/**
 * Browser statistics in one shape. Rates need two looks at the counters: a StatsSampler keeps the
 * last one. Names follow the W3C identifiers, without their Chromium-only relatives.
 */

export type TrackStats = {
  readonly direction: "send" | "receive";
  readonly kind: "audio" | "video";
  readonly mid: string | null;
  readonly codec: string | null;
  readonly bitsPerSecond: number;
  /** 0 to 1, since the last sample. */
  readonly lossRatio: number;
  readonly jitterMs: number | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly framesPerSecond: number | null;
  readonly framesDecoded: number | null;
  readonly freezes: number | null;
  /** Sending only: why the encoder does less than it was asked for. */
  readonly limitedBy: string | null;
};

export type TransportStats = {
  readonly roundTripMs: number | null;
  readonly sendBitsPerSecond: number;
  readonly receiveBitsPerSecond: number;
  readonly availableOutgoingBitsPerSecond: number | null;
  readonly srtpCipher: string | null;
  readonly dtlsVersion: string | null;
  readonly localCandidate: string | null;
  readonly remoteCandidate: string | null;
  readonly tracks: readonly TrackStats[];
};

type Entry = Readonly<Record<string, unknown>>;
type Counters = { readonly at: number; readonly bytes: number; readonly packets: number; readonly lost: number };

export class StatsSampler {
  #previous = new Map<string, Counters>();

  /** Turns a report into rates since the report before it. */
  sample(report: Iterable<readonly [string, Entry]>): TransportStats {
    const entries = new Map(report);
    const next = new Map<string, Counters>();
    const tracks: TrackStats[] = [];
    for (const [id, entry] of entries) {
      if (entry["type"] !== "inbound-rtp" && entry["type"] !== "outbound-rtp") continue;
      const counters = readCounters(entry, entries);
      next.set(id, counters);
      tracks.push(toTrackStats(entry, entries, counters, this.#previous.get(id)));
    }
    this.#previous = next;
    return { ...transportFields(entries), ...totals(tracks), tracks };
  }
}

function toTrackStats(entry: Entry, entries: ReadonlyMap<string, Entry>, now: Counters, before?: Counters): TrackStats {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  const lost = before ? Math.max(0, now.lost - before.lost) : 0;
  const packets = before ? Math.max(0, now.packets - before.packets) : 0;
  const remote = entries.get(text(entry["remoteId"]) ?? "");
  const jitter = entry["type"] === "inbound-rtp" ? number(entry["jitter"]) : number(remote?.["jitter"]);
  return {
    direction: entry["type"] === "inbound-rtp" ? "receive" : "send",
    kind: entry["kind"] === "audio" ? "audio" : "video",
    mid: text(entry["mid"]),
    codec: text(entries.get(text(entry["codecId"]) ?? "")?.["mimeType"])?.replace(/^\w+\//, "") ?? null,
    bitsPerSecond: seconds > 0 && before ? Math.max(0, ((now.bytes - before.bytes) * 8) / seconds) : 0,
    lossRatio: lost + packets > 0 ? lost / (lost + packets) : 0,
    jitterMs: jitter === null ? null : jitter * 1000,
    width: number(entry["frameWidth"]),
    height: number(entry["frameHeight"]),
    framesPerSecond: number(entry["framesPerSecond"]),
    framesDecoded: number(entry["framesDecoded"]),
    freezes: number(entry["freezeCount"]),
    limitedBy: text(entry["qualityLimitationReason"]),
  };
}

function readCounters(entry: Entry, entries: ReadonlyMap<string, Entry>): Counters {
  const inbound = entry["type"] === "inbound-rtp";
  // What was lost on the way out is known to the receiver only, who reports it back.
  const remote = inbound ? entry : entries.get(text(entry["remoteId"]) ?? "");
  return {
    at: number(entry["timestamp"]) ?? 0,
    bytes: number(entry[inbound ? "bytesReceived" : "bytesSent"]) ?? 0,
    packets: number(entry[inbound ? "packetsReceived" : "packetsSent"]) ?? 0,
    lost: number(remote?.["packetsLost"]) ?? 0,
  };
}

function transportFields(entries: ReadonlyMap<string, Entry>): Omit<TransportStats, "tracks" | keyof ReturnType<typeof totals>> {
  const all = [...entries.values()];
  const transport = all.find((entry) => entry["type"] === "transport");
  const pair =
    entries.get(text(transport?.["selectedCandidatePairId"]) ?? "") ??
    all.find((entry) => entry["type"] === "candidate-pair" && (entry["selected"] === true || entry["nominated"] === true));
  const roundTrip = number(pair?.["currentRoundTripTime"]);
  return {
    roundTripMs: roundTrip === null ? null : roundTrip * 1000,
    availableOutgoingBitsPerSecond: number(pair?.["availableOutgoingBitrate"]),
    srtpCipher: text(transport?.["srtpCipher"]),
    dtlsVersion: text(transport?.["tlsVersion"]),
    localCandidate: candidateText(entries.get(text(pair?.["localCandidateId"]) ?? "")),
    remoteCandidate: candidateText(entries.get(text(pair?.["remoteCandidateId"]) ?? "")),
  };
}

function totals(tracks: readonly TrackStats[]): { readonly sendBitsPerSecond: number; readonly receiveBitsPerSecond: number } {
  const sum = (direction: TrackStats["direction"]): number =>
    tracks.filter((track) => track.direction === direction).reduce((total, track) => total + track.bitsPerSecond, 0);
  return { sendBitsPerSecond: sum("send"), receiveBitsPerSecond: sum("receive") };
}

function candidateText(entry: Entry | undefined): string | null {
  if (!entry) return null;
  const address = text(entry["address"]) ?? text(entry["ip"]);
  return [text(entry["candidateType"]), text(entry["protocol"]), address && `${address}:${number(entry["port"]) ?? "?"}`]
    .filter(Boolean)
    .join(" ");
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
