/**
 * What holds a received picture where it is, in plain words. Pure, so that it can be tested; the decisions
 * that led there are told by story.ts.
 */

import type { Decision, Explanation } from "@headwater/client";
import { layerName } from "./layerChoice";

/** What holds the picture where it is now, in one sentence. */
export function verdict(account: Explanation): string {
  const { preferred, target, current, paused, layers, decisions } = account;
  const sizes = sizesOf(account);
  const reason = decisions.find(({ kind }) => kind === "target" || kind === "current")?.facts["reason"];
  if (paused) return "Paused: the picture is out of sight.";
  if (!current && target) return "Waiting for a picture to start with.";
  if (!current) return reason === "bandwidth" ? `Your connection is too thin for any picture${because(decisions)}. Sound goes on.` : "Nothing comes.";
  if (target && target.spatial !== current.spatial) return `Changing to ${layerName(target, sizes)} at the next complete picture.`;
  if (preferred && current.spatial < preferred.spatial) {
    if (reason === "publisher") return "The sender sends nothing larger.";
    return reason === "overload" ? "The server is short of power, so it sends less." : `Your connection does not carry more${because(decisions)}.`;
  }
  const largest = Math.max(0, ...layers.map(({ layer }) => layer.spatial));
  return current.spatial >= largest ? "You get the best picture there is." : "You get what fits the tile or was chosen.";
}

/** What bounds the estimate of a connection, as the end of a sentence; nothing where nothing does. */
export function boundText({ facts }: Pick<Decision, "facts">): string | null {
  switch (facts["limited_by"]) {
    case "delay":
      return Number(facts["queue_ms"]) >= notableQueue ? `packets began to queue, for ${Math.round(Number(facts["queue_ms"]))} ms` : null;
    case "loss":
      return `${(Number(facts["loss"]) * 100).toFixed(1)} % of the packets were lost`;
    case "peer":
      return "your browser reports so";
    case "drain":
      return "a queue on the way is being emptied";
    case "maximum":
      return "it is the most that is ever sent";
    default:
      return null;
  }
}

function because(decisions: readonly Decision[]): string {
  const estimate = decisions.find(({ kind }) => kind === "estimate");
  const bound = estimate && boundText(estimate);
  return bound ? `: ${bound}` : "";
}

/**
 * How many sizes there are: those that are sent, and those that are not at the moment but were talked of, for
 * a sender stops what nobody watches, and "low" must not become "the only one" by that.
 */
export function sizesOf({ layers, decisions }: Pick<Explanation, "layers" | "decisions">): number {
  const sent = layers.map(({ layer }) => layer.spatial);
  const told = decisions.flatMap(({ facts }) => ["from_spatial", "to_spatial", "max_spatial"].map((name) => facts[name]));
  return 1 + Math.max(0, ...sent, ...told.filter((spatial) => typeof spatial === "number"));
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

/** Milliseconds; less is the ordinary unrest of a line. */
const notableQueue = 20;
