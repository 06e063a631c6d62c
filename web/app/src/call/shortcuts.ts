/**
 * Single keys during a call. Not while typing, and never together with a modifier: those combinations
 * belong to the browser and to assistive technology.
 */

export type Shortcut = "mute" | "camera" | "share" | "people" | "devices" | "stats" | "leave";

const keys: Readonly<Record<string, Shortcut>> = {
  m: "mute",
  v: "camera",
  s: "share",
  p: "people",
  d: "devices",
  i: "stats",
  l: "leave",
};

type Key = Pick<KeyboardEvent, "key" | "altKey" | "ctrlKey" | "metaKey" | "repeat"> & { readonly target: unknown };

export function shortcutFor(event: Key): Shortcut | null {
  if (event.altKey || event.ctrlKey || event.metaKey || event.repeat || isTyping(event.target)) return null;
  return keys[event.key.toLowerCase()] ?? null;
}

function isTyping(target: unknown): boolean {
  if (target === null || typeof target !== "object" || !("tagName" in target)) return false;
  const editable = "isContentEditable" in target && target.isContentEditable === true;
  return editable || ["INPUT", "SELECT", "TEXTAREA"].includes(String(target.tagName));
}
