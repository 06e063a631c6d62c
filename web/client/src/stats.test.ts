import { describe, expect, it } from "vitest";
import { StatsSampler } from "./stats";

function report(at: number, bytes: number, packets: number, lost: number): [string, Record<string, unknown>][] {
  return [
    ["C", { type: "codec", mimeType: "video/VP8" }],
    [
      "I",
      {
        type: "inbound-rtp",
        kind: "video",
        mid: "1",
        codecId: "C",
        timestamp: at,
        bytesReceived: bytes,
        packetsReceived: packets,
        packetsLost: lost,
        jitter: 0.004,
        frameWidth: 1280,
        frameHeight: 720,
        framesPerSecond: 30,
      },
    ],
    ["T", { type: "transport", selectedCandidatePairId: "P", srtpCipher: "AEAD_AES_128_GCM" }],
    ["P", { type: "candidate-pair", currentRoundTripTime: 0.025, remoteCandidateId: "R" }],
    ["R", { type: "remote-candidate", candidateType: "host", protocol: "udp", address: "192.0.2.1", port: 8443 }],
  ];
}

describe("StatsSampler", () => {
  it("turns counters into rates between two looks", () => {
    const sampler = new StatsSampler();
    sampler.sample(report(1_000, 1_000, 10, 0));
    const { tracks, receiveBitsPerSecond } = sampler.sample(report(3_000, 251_000, 100, 10));
    expect(tracks[0]).toMatchObject({ bitsPerSecond: 1_000_000, lossRatio: 0.1, codec: "VP8", width: 1280, mid: "1" });
    expect(tracks[0]?.jitterMs).toBeCloseTo(4);
    expect(receiveBitsPerSecond).toBe(1_000_000);
  });

  it("knows no rate at the first look, and none below zero after a counter restarts", () => {
    const sampler = new StatsSampler();
    expect(sampler.sample(report(1_000, 1_000, 10, 5)).tracks[0]).toMatchObject({ bitsPerSecond: 0, lossRatio: 0 });
    expect(sampler.sample(report(2_000, 10, 1, 0)).tracks[0]).toMatchObject({ bitsPerSecond: 0, lossRatio: 0 });
  });

  it("finds loss of what we send in the receiver's report", () => {
    const sent = (packets: number, lost: number, at: number): [string, Record<string, unknown>][] => [
      ["O", { type: "outbound-rtp", kind: "audio", mid: "0", timestamp: at, bytesSent: 0, packetsSent: packets, remoteId: "RI" }],
      ["RI", { type: "remote-inbound-rtp", packetsLost: lost }],
    ];
    const sampler = new StatsSampler();
    sampler.sample(sent(0, 0, 1_000));
    expect(sampler.sample(sent(75, 25, 2_000)).tracks[0]).toMatchObject({ direction: "send", lossRatio: 0.25 });
  });

  it("names path and cipher", () => {
    expect(new StatsSampler().sample(report(1_000, 0, 0, 0))).toMatchObject({
      roundTripMs: 25,
      srtpCipher: "AEAD_AES_128_GCM",
      remoteCandidate: "host udp 192.0.2.1:8443",
    });
  });
});
