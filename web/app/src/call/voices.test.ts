import { describe, expect, it } from "vitest";
import { voiceLevels } from "./voices";

const sound = (participantId: string, level: number, extra: object = {}) => ({
  ...{ participantId, source: "microphone" as const, muted: false, audioLevel: () => level },
  ...extra,
});
const slot = (mid: string, level: number) => ({ mid, audioLevel: () => level });

describe("voiceLevels", () => {
  it("gives a slot's sound to whom it carries, and that of an empty one to nobody", () => {
    const heard = new Map([["1", "ada"], ["2", "bob"]]);
    const levels = voiceLevels(["me", 0.1], [], [slot("1", 0.5), slot("2", 0.2), slot("3", 0.9)], heard);
    expect([...levels]).toEqual([["me", 0.1], ["ada", 0.5], ["bob", 0.2]]);
  });

  it("takes the loudest of all that is heard of somebody, and no film for a voice", () => {
    const film = sound("ada", 0.9, { source: "screen_audio" });
    const sounds = [sound("ada", 0.1), film, sound("eve", 0.7, { muted: true })];
    const levels = voiceLevels(["me", 0], sounds, [slot("1", 0.3)], new Map([["1", "ada"]]));
    expect([...levels]).toEqual([["me", 0], ["ada", 0.3]]);
  });
});
