import { expect, test } from "vitest";
import { liveDelay } from "./liveDelay";

const inbound = (kind: string, delay: number, emitted: number): readonly [string, unknown] => [
  kind,
  { type: "inbound-rtp", kind, jitterBufferDelay: delay, jitterBufferEmittedCount: emitted },
];
const path = ["pair", { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.04 }] as const;

test("is the wait since the last look and half of the way", () => {
  const first = liveDelay([inbound("video", 5, 100), path], null);
  expect(first.behind).toBeCloseTo(0.07);
  const second = liveDelay([inbound("video", 5.2, 110), path], first.sample);
  expect(second.behind).toBeCloseTo(0.04);
});

test("asks the sound where there is no picture", () => {
  expect(liveDelay([inbound("audio", 1, 10)], null).behind).toBeCloseTo(0.1);
});

test("is unknown before anything has come, and begins anew with a new connection", () => {
  expect(liveDelay([inbound("video", 0, 0), path], null)).toEqual({ behind: null, sample: null });
  expect(liveDelay([inbound("video", 1, 10)], { delay: 90, emitted: 900 }).behind).toBeCloseTo(0.1);
});
