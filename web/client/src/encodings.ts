/**
 * In how many sizes a picture is sent. Pure: what goes into `RTCRtpSender`, from what is captured.
 *
 * VP8 and H264 send simulcast, up to three encodings named low, mid and high; VP9 and AV1 send one
 * stream with layers inside (SVC). The number of encodings is fixed when the m-line is made, so a
 * camera always has three names, of which those that the captured size does not fill are switched off;
 * another camera may fill them. On top of the plan lies what the server says is wanted: an encoding
 * that nobody watches is not sent.
 */

import type { EncodingWanted, Layer } from "./generated/signaling";
import type { Codec, Content, Source } from "./publisher";

export type Size = { readonly width: number; readonly height: number };

/** `scalabilityMode` is not in every TypeScript library yet. */
export type Encoding = RTCRtpEncodingParameters & { scalabilityMode?: string };

export type PlanInput = {
  readonly source: Source;
  readonly content: Content;
  readonly codec: Codec | undefined;
  /** As captured; `null` while nobody knows. */
  readonly size: Size | null;
};

/** What the server said last about who watches. */
export type Wanted = { readonly encodings: readonly EncodingWanted[]; readonly max: Layer | null };

/** The encodings of a picture, smallest first. */
export function planEncodings({ source, content, codec, size }: PlanInput): Encoding[] {
  if (source === "screen" && content !== "motion") return [{ maxBitrate: screenBitrate, maxFramerate: 15, priority: "medium", scalabilityMode: "L1T3" }];
  if (source !== "camera" && source !== "screen") return [{}];
  const captured = size ?? usualSize;
  const maxFramerate = 30;
  if (codec === "vp9" || codec === "av1") {
    const count = scalesFor(captured).length;
    return [{ maxBitrate: Math.round(bitrateFor(shortSide(captured)) * 1.1), maxFramerate, scalabilityMode: svcMode(count) }];
  }
  const scales = scalesFor(captured);
  return rids.map((rid, index): Encoding => {
    const scale = scales[index] ?? 1;
    const active = index < scales.length;
    return { rid, active, scaleResolutionDownBy: scale, maxBitrate: bitrateFor(shortSide(captured) / scale), maxFramerate, scalabilityMode: "L1T3" };
  });
}

/** The plan without what nobody watches. */
export function restrict(plan: readonly Encoding[], wanted: Wanted | null): Encoding[] {
  if (!wanted) return [...plan];
  return plan.map((encoding) => {
    const told = wanted.encodings.find(({ rid }) => rid === (encoding.rid ?? ""));
    const active = (encoding.active ?? true) && (told?.active ?? true);
    return { ...withFewerLayers(encoding, wanted.max), active };
  });
}

/** SVC: layers above the highest in use are left away, and the picture made smaller by as much. */
function withFewerLayers(encoding: Encoding, max: Layer | null): Encoding {
  const count = Number(/^L([23])T3_KEY$/.exec(encoding.scalabilityMode ?? "")?.[1] ?? 1);
  const needed = Math.min(count, (max?.spatial ?? count - 1) + 1);
  if (needed >= count) return encoding;
  return { ...encoding, scalabilityMode: svcMode(needed), scaleResolutionDownBy: 2 ** (count - needed) };
}

/** By how much each layer is smaller than what is captured, smallest layer first. */
function scalesFor(size: Size): number[] {
  const side = shortSide(size);
  if (side >= 1_000) return [3, 1.5, 1];
  if (side >= 540) return [4, 2, 1];
  if (side >= 270) return [2, 1];
  return [1];
}

/** Enough for a good picture of that many lines at 30 frames a second, in bit/s. */
function bitrateFor(lines: number): number {
  const [, bitrate = 3_000_000] = bitrates.find(([upTo]) => lines <= upTo) ?? [];
  return bitrate;
}

function svcMode(layers: number): string {
  return layers > 1 ? `L${layers}T3_KEY` : "L1T3";
}

function shortSide({ width, height }: Size): number {
  return Math.min(width, height);
}

export const rids = ["low", "mid", "high"] as const;
const usualSize: Size = { width: 1280, height: 720 };
const screenBitrate = 2_500_000;
const bitrates: readonly (readonly [number, number])[] = [
  [100, 90_000],
  [200, 160_000],
  [280, 280_000],
  [380, 500_000],
  [560, 900_000],
  [800, 1_700_000],
];
