/**
 * How loud everybody is, from wherever they are heard: a track to themselves, or a slot that carries
 * them now. Pure, so that it can be tested.
 */

import type { Slot, Subscriber } from "@headwater/client";

type Sound = Pick<Subscriber, "participantId" | "source" | "muted" | "audioLevel">;

/**
 * 0 (silence) to 1 by participant, oneself first.
 *
 * `heard` says who is on a slot, by its mid.
 */
export function voiceLevels(
  own: readonly [string, number],
  sounds: readonly Sound[],
  slots: readonly Pick<Slot, "mid" | "audioLevel">[],
  heard: ReadonlyMap<string, string>,
): Map<string, number> {
  const levels = new Map<string, number>([own]);
  const hear = (participantId: string, level: number): void => {
    levels.set(participantId, Math.max(level, levels.get(participantId) ?? 0));
  };
  for (const sound of sounds) {
    if (sound.source !== "screen_audio" && !sound.muted) hear(sound.participantId, sound.audioLevel());
  }
  for (const slot of slots) {
    const participantId = heard.get(slot.mid);
    if (participantId !== undefined) hear(participantId, slot.audioLevel());
  }
  return levels;
}
