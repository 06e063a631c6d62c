/**
 * What a person can choose for a picture they receive, and what that asks of the server.
 */

import type { Layer, LayerWish } from "@headwater/client";

export type LayerChoice = "auto" | "high" | "medium" | "low";

export const layerChoices: readonly (readonly [LayerChoice, string])[] = [
  ["auto", "Automatic"],
  ["high", "High"],
  ["medium", "Medium"],
  ["low", "Low, saves data"],
];

/** `null` leaves it to the size of the tile. */
export function wishOf(choice: LayerChoice): LayerWish | null {
  switch (choice) {
    case "auto":
      return null;
    case "high":
      return { priority: 200 };
    case "medium":
      return { spatial: 1 };
    case "low":
      return { spatial: 0 };
  }
}

/** A layer in a person's words, given how many there are. */
export function layerName(layer: Layer | null, count: number): string {
  if (!layer) return "none";
  const sizes = count >= 3 ? ["low", "medium", "high"] : count === 2 ? ["low", "high"] : ["the only one"];
  return sizes[layer.spatial] ?? `size ${layer.spatial + 1}`;
}
