import { describe, expect, it } from "vitest";
import { colourIndex, initials } from "./avatar";

describe("initials", () => {
  it.each([
    ["Ada Lovelace", "AL"],
    ["ada", "A"],
    ["  Grace   Brewster Murray  Hopper ", "GH"],
    ["Élodie Dupont", "ÉD"],
    ["👩‍🚀 Crew", "👩‍🚀C"],
    ["", "?"],
  ])("of %j are %j", (name, expected) => {
    expect(initials(name)).toBe(expected);
  });
});

describe("colourIndex", () => {
  it("is always the same for the same person, and spreads over people", () => {
    expect(colourIndex("prt_1", 6)).toBe(colourIndex("prt_1", 6));
    const used = new Set(Array.from({ length: 60 }, (_, index) => colourIndex(`prt_${index}`, 6)));
    expect(used).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });
});
