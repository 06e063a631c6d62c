/**
 * The server's journal of a received picture as a few lines in plain words, newest first.
 *
 * One line for what a person sees as one event: a target and the layer that then came, a complete picture and
 * the requests for it, a run of estimates; and one for several that read the same.
 */

import type { Decision, Layer } from "@headwater/client";
import { layerName } from "./layerChoice";
import { boundText, rateText } from "./why";

/** What a line is about: the picture, the connection, the sender, or whether anything is sent at all. */
export type Subject = "picture" | "connection" | "sender" | "gate";
export type Line = { readonly subject: Subject; readonly text: string; readonly note: string; readonly agoMs: number };

/** Tells the decisions, given how many sizes there are. */
export function story(decisions: readonly Decision[], sizes: number): readonly Line[] {
  const lines: Line[] = [];
  let rest = decisions;
  for (let newest = rest[0]; newest; newest = rest[0]) {
    const [line, used] = nextLine(newest, rest, sizes);
    const last = lines.at(-1);
    if (line && (line.text !== last?.text || line.note !== last.note)) lines.push(line);
    rest = rest.filter((decision) => !used.includes(decision));
  }
  return lines;
}

/** What the connection was believed to carry in each of so many seconds before now, as far as the journal goes back. */
export function estimatesBefore(decisions: readonly Decision[], seconds: number): readonly (number | null)[] {
  const estimates = decisions.filter(({ kind }) => kind === "estimate");
  return Array.from({ length: seconds - 1 }, (_, index) => {
    const ago = (seconds - 1 - index) * 1_000;
    const then = estimates.find(({ agoMs }) => agoMs >= ago);
    return then ? Number(then.facts["estimate"]) : null;
  });
}

/** When another size began to pass, or none: seconds ago. */
export function switchesOf(decisions: readonly Decision[]): readonly number[] {
  const isSwitch = ({ kind, facts }: Decision): boolean => kind === "current" && facts["from_spatial"] !== facts["to_spatial"];
  return decisions.filter(isSwitch).map(({ agoMs }) => agoMs / 1_000);
}

/** The line of the newest decision, with all the decisions that it tells of. */
function nextLine(newest: Decision, decisions: readonly Decision[], sizes: number): readonly [Line | null, readonly Decision[]] {
  const line = (subject: Subject, text: string, note = ""): Line => ({ subject, text, note, agoMs: newest.agoMs });
  switch (newest.kind) {
    case "current":
    case "target":
      return layerLine(newest, decisions, sizes, line);
    case "estimate": {
      const run = runOf(decisions, ["estimate"]);
      return [line("connection", estimateText(run), boundText(newest) ?? ""), run];
    }
    case "key_frame_requested":
    case "key_frame_arrived":
    case "key_frame_asked": {
      const run = keyFrameRun(newest, decisions);
      return [line("sender", keyFrameText(run), run.some(({ kind }) => kind === "key_frame_asked") ? "your browser asked: it had lost a part" : ""), run];
    }
    case "gate":
      return [line("gate", newest.facts["open"] ? "Sending began" : "Sending stopped", newest.facts["open"] ? "connected, and not paused" : "paused, or the connection was away"), [newest]];
    case "queue_dropped":
      return [line("connection", "Pictures that had waited too long were dropped", "your connection fell behind"), [newest]];
    case "wanted": {
      const max = layerOf(newest, "max");
      return [line("sender", max ? `The sender was told that ${layerName(max, sizes)} is enough` : "The sender was told that nobody watches"), [newest]];
    }
    default:
      return [null, [newest]];
  }
}

type Make = (subject: Subject, text: string, note?: string) => Line;

/** What came, with the decision for it; or a decision that nothing has come of yet. */
function layerLine(newest: Decision, decisions: readonly Decision[], sizes: number, line: Make): readonly [Line, readonly Decision[]] {
  const to = layerOf(newest, "to");
  const text = `${changeText(layerOf(newest, "from"), to, sizes)} ${reasons[String(newest.facts["reason"])] ?? ""}`.trim();
  if (newest.kind === "target") return [line("picture", `Decided: ${text}`, groundsText(newest)), [newest]];
  const grounds = decisions.find((older) => older !== newest && (older.kind === "target" || older.kind === "current"));
  const isMeant = grounds?.kind === "target" && isSame(layerOf(grounds, "to"), to);
  return [line("picture", capital(text), isMeant ? groundsText(grounds) : ""), isMeant ? [newest, grounds] : [newest]];
}

function groundsText({ facts }: Decision): string {
  const needs = typeof facts["bitrate"] === "number" ? `takes ${rateText(facts["bitrate"])}` : "";
  const line = typeof facts["estimate"] === "number" ? `the connection carries ${rateText(facts["estimate"])}` : "";
  return [needs, line].filter(Boolean).join(", ");
}

function changeText(from: Layer | null, to: Layer | null, sizes: number): string {
  if (!to) return "no picture,";
  const name = layerName(to, sizes);
  if (!from) return `${name} picture,`;
  if (from.spatial !== to.spatial) return `${name} instead of ${layerName(from, sizes)},`;
  return to.temporal < from.temporal ? "fewer frames," : "more frames,";
}

function estimateText(run: readonly Decision[]): string {
  const [now, before] = [run[0], run.at(-1)].map((each) => Number(each?.facts["estimate"])) as [number, number];
  const then = run.length > 1 ? `, ${rateText(before)} before` : "";
  return `Your connection carries about ${rateText(now)}${then}`;
}

/** A complete picture with the requests that it answers, or the requests that none has answered yet. */
function keyFrameRun(newest: Decision, decisions: readonly Decision[]): readonly Decision[] {
  const isOfIt = ({ facts }: Decision): boolean => facts["encoding"] === undefined || facts["encoding"] === newest.facts["encoding"];
  const own = decisions.filter((decision) => isOfIt(decision) && decision.kind.startsWith("key_frame"));
  const before = own.findIndex((decision) => decision !== newest && decision.kind === "key_frame_arrived");
  return before < 0 ? own : own.slice(0, before);
}

function keyFrameText(run: readonly Decision[]): string {
  const came = run.find(({ kind }) => kind === "key_frame_arrived");
  const asked = run.filter(({ kind }) => kind === "key_frame_requested");
  const times = asked.length > 1 ? ` ${asked.length} times` : "";
  if (!came) return `A complete picture was asked of the sender${times}`;
  const last = asked.find(({ agoMs }) => agoMs >= came.agoMs);
  if (!last) return "A complete picture came";
  const seconds = ((last.agoMs - came.agoMs) / 1_000).toFixed(1);
  return `A complete picture was asked for${times} and came ${seconds === "0.0" ? "at once" : `${seconds} s later`}`;
}

/** The decisions at the beginning that are of these kinds. */
function runOf(decisions: readonly Decision[], kinds: readonly Decision["kind"][]): readonly Decision[] {
  const end = decisions.findIndex(({ kind }) => !kinds.includes(kind));
  return end < 0 ? decisions : decisions.slice(0, end);
}

/** A layer among the facts; `null` is none. */
export function layerOf({ facts }: Decision, step: "from" | "to" | "max"): Layer | null {
  const [spatial, temporal] = [facts[`${step}_spatial`], facts[`${step}_temporal`]];
  return typeof spatial === "number" && typeof temporal === "number" ? { spatial, temporal } : null;
}

function isSame(one: Layer | null, other: Layer | null): boolean {
  return one?.spatial === other?.spatial && one?.temporal === other?.temporal;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Why a layer changed, as an end of a sentence. */
const reasons: Readonly<Record<string, string>> = {
  requested: "as you asked, or as the tile changed its size",
  bandwidth: "because of what your connection carries",
  publisher: "because of what the sender sends",
  overload: "because the server is short of power",
  paused: "because nobody looked",
  start: "when the picture began",
};
