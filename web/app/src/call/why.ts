/**
 * The account of a received picture in plain words. Pure, so that it can be tested.
 */

import type { Explanation, Layer, LayerDecision, LayerReason } from "@headwater/client";
import { layerName } from "./layerChoice";

/** Why a layer changed, as an end of a sentence. */
const reasons: Record<LayerReason, string> = {
  requested: "as you asked, or as the tile changed its size",
  bandwidth: "because of what your connection carries",
  publisher: "because of what the sender sends",
  overload: "because the server is short of power",
  paused: "because nobody looked",
  start: "when the picture began",
};

/** One decision as a sentence: "Medium instead of high, because …". */
export function decisionText({ from, to, reason }: Pick<LayerDecision, "from" | "to" | "reason">, sizes: number): string {
  return `${capital(changeText(from, to, sizes))} ${reasons[reason]}`;
}

function changeText(from: Layer | null, to: Layer | null, sizes: number): string {
  if (!to) return "no picture,";
  const name = layerName(to, sizes);
  if (!from) return `${name} picture,`;
  if (from.spatial !== to.spatial) return `${name} instead of ${layerName(from, sizes)},`;
  return to.temporal < from.temporal ? "fewer frames," : "more frames,";
}

/** What holds the picture where it is now, in one sentence. */
export function verdict({ preferred, target, current, paused, layers, decisions }: Explanation): string {
  const sizes = sizesOf(layers);
  if (paused) return "Paused: the picture is out of sight.";
  if (!current && target) return "Waiting for a picture to start with.";
  if (!current) return decisions[0]?.reason === "bandwidth" ? "Your connection is too thin for any picture. Sound goes on." : "Nothing comes.";
  if (target && target.spatial !== current.spatial) return `Changing to ${layerName(target, sizes)} at the next complete picture.`;
  if (preferred && current.spatial < preferred.spatial) {
    return decisions[0]?.reason === "publisher" ? "The sender sends nothing larger." : "Your connection does not carry more.";
  }
  const largest = Math.max(0, ...layers.map(({ layer }) => layer.spatial));
  return current.spatial >= largest ? "You get the best picture there is." : "You get what fits the tile or was chosen.";
}

export function sizesOf(layers: Explanation["layers"]): number {
  return new Set(layers.map(({ layer }) => layer.spatial)).size;
}

export function agoText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 2) return "now";
  if (seconds < 90) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}

export function rateText(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e6 ? `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
