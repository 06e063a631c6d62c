import { describe, expect, it } from "vitest";
import { colour, colours, initials } from "./avatar";

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

describe("colour", () => {
  it("is always the same for the same person, and spreads over people", () => {
    expect(colour("prt_1")).toBe(colour("prt_1"));
    const used = new Set(Array.from({ length: 60 }, (_, index) => colour(`prt_${index}`)));
    expect(used).toEqual(new Set(colours));
  });
});
