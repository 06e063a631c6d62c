import { describe, expect, it } from "vitest";
import { shortcutFor } from "./shortcuts";

function press(key: string, extra: Partial<Parameters<typeof shortcutFor>[0]> = {}) {
  return shortcutFor({ key, altKey: false, ctrlKey: false, metaKey: false, repeat: false, target: null, ...extra });
}

describe("shortcutFor", () => {
  it.each([
    ["m", "mute"],
    ["M", "mute"],
    ["v", "camera"],
    ["s", "share"],
    ["p", "people"],
    ["d", "devices"],
    ["i", "stats"],
    ["l", "leave"],
  ])("%s is %s", (key, expected) => {
    expect(press(key)).toBe(expected);
  });

  it("leaves other keys, combinations and held keys alone", () => {
    expect(press("x")).toBeNull();
    expect(press("s", { ctrlKey: true })).toBeNull();
    expect(press("m", { metaKey: true })).toBeNull();
    expect(press("m", { altKey: true })).toBeNull();
    expect(press("m", { repeat: true })).toBeNull();
  });

  it("does not mute somebody who types an m", () => {
    for (const tagName of ["INPUT", "TEXTAREA", "SELECT"]) expect(press("m", { target: { tagName } })).toBeNull();
    expect(press("m", { target: { tagName: "DIV", isContentEditable: true } })).toBeNull();
    expect(press("m", { target: { tagName: "BUTTON" } })).toBe("mute");
  });
});
