/**
 * One word for how a connection feels. Thresholds are those at which people notice: repaired loss
 * is not heard below about 2 %, conversation gets awkward beyond 300 ms there and back.
 */

import type { TransportStats } from "./stats";

export type Quality = "excellent" | "good" | "poor" | "lost";

export function qualityOf(lossRatio: number, roundTripMs: number | null): Quality {
  const roundTrip = roundTripMs ?? 0;
  if (lossRatio > 0.08 || roundTrip > 600) return "poor";
  if (lossRatio > 0.02 || roundTrip > 300) return "good";
  return "excellent";
}

/** The quality of one direction; the worst track counts, since it is the one that is noticed. */
export function transportQuality(stats: Pick<TransportStats, "tracks" | "roundTripMs">, flowing: boolean): Quality {
  if (!flowing) return "lost";
  return qualityOf(Math.max(0, ...stats.tracks.map(({ lossRatio }) => lossRatio)), stats.roundTripMs);
}

/** The word for a score of the server, 0 (nothing gets through) to 100. */
export function scoreQuality(score: number): Quality {
  if (score <= 0) return "lost";
  if (score < 40) return "poor";
  return score < 70 ? "good" : "excellent";
}

export function worseQuality(one: Quality, other: Quality): Quality {
  return order.indexOf(one) < order.indexOf(other) ? one : other;
}

const order: readonly Quality[] = ["lost", "poor", "good", "excellent"];
