/**
 * What this browser remembers between meetings. Storage may be forbidden (private windows): then it
 * remembers nothing, and nothing breaks.
 */

export type Preference = "name" | "camera" | "microphone" | "speaker";

export const preferences = {
  get(key: Preference): string | undefined {
    try {
      return localStorage.getItem(`headwater.${key}`) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set(key: Preference, value: string): void {
    try {
      localStorage.setItem(`headwater.${key}`, value);
    } catch {
      // Not remembered, then.
    }
  },
};
