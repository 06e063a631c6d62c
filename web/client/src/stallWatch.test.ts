import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type StallLevel, StallWatch } from "./stallWatch";

function watched() {
  const levels: StallLevel[] = [];
  const line = { bytes: 0 };
  const watch = new StallWatch({ received: () => Promise.resolve(line.bytes), onLevel: (level) => levels.push(level), now: () => Date.now() });
  return { watch, levels, line };
}

/** Beats every 250 ms for a while, each late by up to `jitterMs` and lost with `loss`; a seeded line. */
async function beats(watch: StallWatch, milliseconds: number, { loss = 0, jitterMs = 0 } = {}): Promise<void> {
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let at = 0; at < milliseconds; at += 250) {
    const late = random() * jitterMs;
    if (random() >= loss) setTimeout(() => watch.beat(), late);
    await vi.advanceTimersByTimeAsync(250);
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("StallWatch", () => {
  it("raises no alarm in a muted, idle call of five minutes", async () => {
    const { watch, levels } = watched();
    await beats(watch, 300_000, { jitterMs: 120 });
    expect(levels).toEqual([]);
  });

  it("raises no alarm while sound goes on over a line that loses half of everything", async () => {
    const { watch, levels, line } = watched();
    const sound = setInterval(() => (line.bytes += 100), 40);
    await beats(watch, 120_000, { loss: 0.5, jitterMs: 200 });
    clearInterval(sound);
    expect(levels).toEqual([]);
  });

  it("climbs the ladder step by step and comes down with the first sign of life", async () => {
    const { watch, levels } = watched();
    await beats(watch, 5_000);
    const silentSince = Date.now() - 250;
    const at: [StallLevel, number][] = [];
    for (let tick = 0; tick < 90; tick += 1) {
      await vi.advanceTimersByTimeAsync(100);
      const level = levels.at(-1);
      if (level && at.at(-1)?.[0] !== level) at.push([level, Date.now() - silentSince]);
    }
    expect(at.map(([level]) => level)).toEqual(["stalled", "restart", "rejoin", "replace"]);
    for (const [index, expected] of [800, 1_200, 2_500, 7_000].entries()) {
      expect(at[index]?.[1]).toBeGreaterThanOrEqual(expected);
      expect(at[index]?.[1]).toBeLessThanOrEqual(expected + 200);
    }
    watch.beat();
    expect(levels.at(-1)).toBe("flowing");
  });

  it("takes a page that was busy for one that did not listen", async () => {
    const { watch, levels } = watched();
    watch.beat();
    await vi.advanceTimersByTimeAsync(200);
    vi.setSystemTime(Date.now() + 5_000); // nothing ran meanwhile: a debugger, a sleeping laptop
    await vi.advanceTimersByTimeAsync(200);
    watch.beat();
    expect(levels).toEqual([]);
  });

  it("gives a path that was asked for anew its time before the last step", async () => {
    const { watch, levels } = watched();
    watch.beat();
    await vi.advanceTimersByTimeAsync(6_500);
    watch.retry();
    await vi.advanceTimersByTimeAsync(4_000);
    expect(levels.at(-1)).toBe("rejoin");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(levels.at(-1)).toBe("replace");
  });

  it("watches nothing before the first beat and after it was stopped", async () => {
    const { watch, levels } = watched();
    await vi.advanceTimersByTimeAsync(10_000);
    watch.beat();
    watch.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(levels).toEqual([]);
  });
});
