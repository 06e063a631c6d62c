import type { Participant, RemoteTrack } from "@headwater/client";
import { describe, expect, it } from "vitest";
import { buildTiles, pickShown, type TileInput } from "./tiles";

function track(publisherId: string, extra: Partial<RemoteTrack> = {}): RemoteTrack {
  return { publisherId, participantId: "ada", kind: "video", source: "camera", muted: false, ...extra };
}

function person(id: string, tracks: readonly RemoteTrack[] = [], extra: Partial<Participant> = {}): Participant {
  return { id, name: id, identity: id, role: "participant", protocol: "webrtc", tracks, ...extra };
}

function subscriber(publisherId: string, participantId: string, source: RemoteTrack["source"] = "camera") {
  const media = { id: publisherId } as MediaStreamTrack;
  return { publisherId, participantId, source, kind: "video" as const, track: media };
}

function tiles(input: Partial<TileInput>) {
  return buildTiles({
    self: { id: "me", name: "Me" },
    camera: null,
    screen: null,
    muted: false,
    participants: [],
    subscribers: [],
    ...input,
  });
}

describe("buildTiles", () => {
  it("gives everybody one, oneself the last", () => {
    expect(tiles({ participants: [person("ada"), person("grace")] }).map(({ key }) => key)).toEqual(["ada", "grace", "self"]);
  });

  it("puts shared screens first, beside the sharer's own tile", () => {
    const shared = tiles({
      participants: [person("ada", [track("cam"), track("scr", { source: "screen" })])],
      subscribers: [subscriber("cam", "ada"), subscriber("scr", "ada", "screen")],
    });
    expect(shared.map(({ key, isScreen, video }) => [key, isScreen, video?.id])).toEqual([
      ["scr", true, "scr"],
      ["ada", false, "cam"],
      ["self", false, undefined],
    ]);
  });

  it("shows no frozen picture of a camera that is off", () => {
    const [ada] = tiles({
      participants: [person("ada", [track("cam", { muted: true })])],
      subscribers: [subscriber("cam", "ada")],
    });
    expect(ada?.video).toBeNull();
  });

  it("takes the video of a program that names no source for its camera", () => {
    const [obs] = tiles({
      participants: [person("obs", [track("v", { source: "unknown" })], { protocol: "whip" })],
      subscribers: [subscriber("v", "obs", "unknown")],
    });
    expect(obs).toMatchObject({ isBroadcast: true, video: { id: "v" } });
  });

  it("says muted without a microphone, or with one that is off; the screen's sound is no voice", () => {
    const microphone = track("mic", { kind: "audio", source: "microphone" });
    const screenSound = track("snd", { kind: "audio", source: "screen_audio" });
    const muted = (tracks: readonly RemoteTrack[]) => tiles({ participants: [person("ada", tracks)] })[0]?.muted;
    expect(muted([])).toBe(true);
    expect(muted([microphone])).toBe(false);
    expect(muted([{ ...microphone, muted: true }])).toBe(true);
    expect(muted([screenSound])).toBe(true);
  });

  it("has no tile for those who only watch", () => {
    expect(tiles({ participants: [person("viewer", [], { protocol: "whep" })] }).map(({ key }) => key)).toEqual(["self"]);
  });
});

describe("pickShown", () => {
  const people = ["ada", "ben", "cleo", "dora", "emil"];
  const all = tiles({ participants: people.map((id) => person(id)) });
  const shown = (room: number, spoke: readonly string[]): string[] =>
    pickShown(all, room, new Map(spoke.map((id, turn) => [id, turn + 1]))).map(({ key }) => key);

  it("shows who came first, and oneself, as long as nobody has spoken", () => {
    expect(shown(3, [])).toEqual(["ada", "ben", "self"]);
    expect(shown(1, ["emil"])).toEqual(["self"]);
  });

  it("brings whoever speaks into view, in the place of whom nobody has heard for longest", () => {
    expect(shown(4, ["ada", "cleo", "emil"])).toEqual(["ada", "cleo", "emil", "self"]);
    expect(shown(4, ["ada", "cleo", "emil", "dora"])).toEqual(["cleo", "dora", "emil", "self"]);
  });

  it("moves nobody when somebody speaks who is seen", () => {
    expect(shown(3, ["ada", "ben"])).toEqual(shown(3, ["ben", "ada"]));
  });

  it("keeps a shared screen", () => {
    const participants = [...people.map((id) => person(id)), person("zoe", [track("scr", { source: "screen" })])];
    const withScreens = tiles({ participants, subscribers: [subscriber("scr", "zoe", "screen")] });
    const [first, second] = pickShown(withScreens.toReversed(), 2, new Map([["ada", 1]]));
    expect([first?.key, second?.key]).toEqual(["self", "scr"]);
  });
});
