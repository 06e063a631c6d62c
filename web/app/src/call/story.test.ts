import type { Decision, DecisionKind } from "@headwater/client";
import { describe, expect, it } from "vitest";
import { estimatesBefore, story, switchesOf } from "./story";

let clock = 0;

/** Decisions, newest first, a second apart. */
function journal(...decisions: readonly (readonly [DecisionKind, Decision["facts"]?])[]): readonly Decision[] {
  clock = 0;
  return decisions.map(([kind, facts = {}]) => ({ agoMs: (clock += 1_000), kind, facts }));
}

function layers(from: number | null, to: number | null, more: Decision["facts"] = {}): Decision["facts"] {
  const facts: Record<string, number | string> = { ...more };
  if (from !== null) Object.assign(facts, { from_spatial: from, from_temporal: 2 });
  if (to !== null) Object.assign(facts, { to_spatial: to, to_temporal: 2 });
  return facts;
}

const texts = (decisions: readonly Decision[]) => story(decisions, 3).map(({ text }) => text);

describe("story", () => {
  it("tells a decision and what came of it in one line, with the grounds", () => {
    const grounds = { reason: "bandwidth", bitrate: 150_000, estimate: 300_000 };
    const [line, ...others] = story(journal(["current", layers(2, 0, { reason: "bandwidth" })], ["target", layers(2, 0, grounds)]), 3);
    expect(line).toMatchObject({
      subject: "picture",
      text: "Low instead of high, because of what your connection carries",
      note: "takes 150 kbit/s, the connection carries 300 kbit/s",
      agoMs: 1_000,
    });
    expect(others).toEqual([]);
  });

  it("tells a decision that nothing has come of yet, and one that another overtook", () => {
    expect(texts(journal(["target", layers(0, 2, { reason: "requested" })]))).toEqual([
      "Decided: high instead of low, as you asked, or as the tile changed its size",
    ]);
    expect(
      texts(
        journal(
          ["current", layers(0, 2, { reason: "start" })],
          ["target", layers(0, 1, { reason: "start" })],
          ["target", layers(null, 0, { reason: "start" })],
        ),
      ),
    ).toHaveLength(3);
  });

  it("names layers that came, went, and changed their frames", () => {
    const fewer = { from_spatial: 0, from_temporal: 2, to_spatial: 0, to_temporal: 0, reason: "overload" };
    expect(texts(journal(["current", layers(null, 2, { reason: "start" })]))).toEqual(["High picture, when the picture began"]);
    expect(texts(journal(["current", layers(0, null, { reason: "bandwidth" })]))[0]).toMatch(/^No picture, because/);
    expect(texts(journal(["current", fewer]))[0]).toMatch(/^Fewer frames, because the server/);
  });

  it("tells a run of estimates once, with what bounds the newest", () => {
    const bound = { limited_by: "loss", loss: 0.04, queue_ms: 0 };
    const run = journal(["estimate", { estimate: 400_000, ...bound }], ["estimate", { estimate: 900_000 }], ["estimate", { estimate: 1_500_000 }]);
    expect(story(run, 3)).toMatchObject([
      { subject: "connection", text: "Your connection carries about 400 kbit/s, 1.5 Mbit/s before", note: "4.0 % of the packets were lost" },
    ]);
  });

  it("tells when a complete picture was asked for, by whom, and how soon it came", () => {
    const requested = journal(["key_frame_arrived", { encoding: 0 }], ["key_frame_requested", { encoding: 0 }], ["key_frame_asked", { by_fir: 0 }]);
    expect(story(requested, 3)).toMatchObject([
      { subject: "sender", text: "A complete picture was asked for and came 1.0 s later", note: "your browser asked: it had lost a part" },
    ]);
    expect(texts(journal(["key_frame_requested"], ["key_frame_requested"]))).toEqual(["A complete picture was asked of the sender 2 times"]);
    expect(texts(journal(["key_frame_arrived"]))).toEqual(["A complete picture came"]);
  });

  it("finds the requests of a complete picture among other decisions, those of other sizes aside", () => {
    const between = journal(
      ["key_frame_arrived", { encoding: 2 }],
      ["current", layers(0, 2, { reason: "requested" })],
      ["key_frame_requested", { encoding: 0 }],
      ["wanted", { max_spatial: 2, max_temporal: 2 }],
      ["key_frame_requested", { encoding: 2 }],
      ["key_frame_arrived", { encoding: 2 }],
    );
    expect(texts(between)).toEqual([
      "A complete picture was asked for and came 4.0 s later",
      "High instead of low, as you asked, or as the tile changed its size",
      "A complete picture was asked of the sender",
      "The sender was told that high is enough",
      "A complete picture came",
    ]);
  });

  it("tells once what reads the same", () => {
    expect(texts(journal(["wanted", { max_spatial: 2, max_temporal: 2 }], ["wanted", { max_spatial: 2, max_temporal: 1 }], ["wanted", { max_spatial: 0, max_temporal: 2 }]))).toHaveLength(2);
  });

  it("has words for everything else that is decided about a picture", () => {
    expect(
      texts(journal(["gate", { open: 0 }], ["gate", { open: 1 }], ["queue_dropped"], ["wanted", { max_spatial: 1, max_temporal: 2 }], ["wanted"])),
    ).toEqual([
      "Sending stopped",
      "Sending began",
      "Pictures that had waited too long were dropped",
      "The sender was told that medium is enough",
      "The sender was told that nobody watches",
    ]);
  });

  it("leaves out what it does not know", () => {
    expect(story(journal(["slot", { publisher: "pub_1" }], ["speaker"]), 3)).toEqual([]);
  });
});

describe("the graph before the panel was opened", () => {
  it("has the estimates of the journal, second by second", () => {
    const before = journal(["estimate", { estimate: 300 }], ["gate", { open: 1 }], ["estimate", { estimate: 200 }]);
    expect(estimatesBefore(before, 6)).toEqual([null, null, 200, 200, 300]);
  });

  it("has a mark where another size came, or none", () => {
    const fewer = { from_spatial: 0, from_temporal: 2, to_spatial: 0, to_temporal: 0 };
    expect(switchesOf(journal(["current", layers(0, 2)], ["current", fewer], ["target", layers(0, 1)], ["current", layers(0, null)]))).toEqual([1, 4]);
  });
});
