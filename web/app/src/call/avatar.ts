/**
 * A face for somebody without a picture: initials on a colour that is always theirs.
 */

/** One or two letters. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => firstLetter(word ?? ""));
  return letters.join("").toLocaleUpperCase() || "?";
}

/** What a person sees as one letter, which may be several code points. */
function firstLetter(word: string): string {
  return new Intl.Segmenter().segment(word).containing(0)?.segment ?? "";
}

/** A colour that white letters stand on, the same for the same id in every browser. */
export function colour(id: string): string {
  let hash = 2166136261;
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  return colours[(hash >>> 0) % colours.length] ?? colours[0];
}

export const colours = ["#1f7a80", "#4a6fa5", "#5a7d4c", "#97663c", "#7c5a86", "#a0555a"] as const;
