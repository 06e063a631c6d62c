import { describe, expect, it } from "vitest";
import { meetingPath, parseMeetingLink, parseToken } from "./meetingLink";

describe("parseMeetingLink", () => {
  it.each([
    ["demo", "demo"],
    [" mtg_kX3-a ", "mtg_kX3-a"],
    ["/m/demo", "demo"],
    ["m/demo", "demo"],
    ["https://meet.example.org/m/demo", "demo"],
    ["https://meet.example.org:8443/m/demo/", "demo"],
    ["https://meet.example.org/m/demo?codec=vp9", "demo"],
    ["meet.example.org/m/demo", "demo"],
  ])("finds the meeting in %j", (text, id) => {
    expect(parseMeetingLink(text)).toEqual({ id, token: undefined });
  });

  it("takes the token from the fragment only", () => {
    expect(parseMeetingLink("https://x/m/demo#token=a.b.c")).toEqual({ id: "demo", token: "a.b.c" });
    expect(parseMeetingLink("https://x/m/demo?token=a.b.c")).toEqual({ id: "demo", token: undefined });
  });

  it.each(["", "   ", "https://example.org/", "https://example.org/other/demo", "two words", "/m/", "m/%E0%A4%A", "a<b"])(
    "finds none in %j",
    (text) => {
      expect(parseMeetingLink(text)).toBeNull();
    },
  );
});

describe("meetingPath", () => {
  it("is found again by parseMeetingLink", () => {
    const meeting = { id: "mtg_a-b", token: "x+y/z=" };
    expect(parseMeetingLink(meetingPath(meeting))).toEqual(meeting);
    expect(meetingPath({ id: "demo" })).toBe("/m/demo");
  });
});

describe("parseToken", () => {
  it("reads a fragment with or without its mark", () => {
    expect(parseToken("#token=t")).toBe("t");
    expect(parseToken("token=t")).toBe("t");
    expect(parseToken("#other=t")).toBeUndefined();
    expect(parseToken("")).toBeUndefined();
  });
});
