import { describe, expect, it } from "vitest";
import { duo, grid, gridCapacity, gridOptions, type Rect, spotlight, type Size } from "./layout";

const stages: readonly Size[] = [
  { width: 1256, height: 700 },
  { width: 366, height: 690 },
  { width: 296, height: 480 },
  { width: 2500, height: 600 },
  { width: 700, height: 700 },
];

function overlap(a: Rect, b: Rect): boolean {
  const apart = a.x + a.width <= b.x + 0.01 || b.x + b.width <= a.x + 0.01 || a.y + a.height <= b.y + 0.01 || b.y + b.height <= a.y + 0.01;
  return !apart;
}

function inside(rect: Rect, stage: Size): boolean {
  return rect.x >= -0.01 && rect.y >= -0.01 && rect.x + rect.width <= stage.width + 0.01 && rect.y + rect.height <= stage.height + 0.01;
}

describe("grid", () => {
  it("keeps every tile inside the stage, of one size, and none over another", () => {
    for (const stage of stages) {
      for (let count = 1; count <= 25; count += 1) {
        const rects = grid(count, stage);
        expect(rects).toHaveLength(count);
        for (const rect of rects) {
          expect(inside(rect, stage)).toBe(true);
          expect([rect.width, rect.height]).toEqual([rects[0]!.width, rects[0]!.height]);
        }
        expect(rects.some((a, index) => rects.slice(index + 1).some((b) => overlap(a, b)))).toBe(false);
      }
    }
  });

  it("keeps the shape of faces", () => {
    for (const stage of stages) {
      for (let count = 1; count <= 25; count += 1) {
        const [{ width, height }] = grid(count, stage) as [Rect];
        expect(width / height).toBeGreaterThanOrEqual(gridOptions.minAspect - 0.001);
        expect(width / height).toBeLessThanOrEqual(gridOptions.maxAspect + 0.001);
      }
    }
  });

  it("puts two side by side on a wide stage and one above the other on a tall one", () => {
    const [a, b] = grid(2, { width: 1256, height: 700 }) as [Rect, Rect];
    expect(a.y).toBe(b.y);
    const [c, d] = grid(2, { width: 366, height: 690 }) as [Rect, Rect];
    expect(c.x).toBe(d.x);
  });

  it("makes the tiles as large as any number of columns can", () => {
    for (const stage of stages) {
      for (let count = 2; count <= 16; count += 1) {
        const [{ width, height }] = grid(count, stage) as [Rect];
        for (let columns = 1; columns <= count; columns += 1) {
          const rows = Math.ceil(count / columns);
          const room = { width: (stage.width - (columns - 1) * 12) / columns, height: (stage.height - (rows - 1) * 12) / rows };
          if (room.width <= 0 || room.height <= 0) continue;
          const [alone] = grid(1, room) as [Rect];
          expect(alone.width * alone.height).toBeLessThanOrEqual(width * height + 0.01);
        }
      }
    }
  });

  it("centres a last row that is not full", () => {
    const stage = { width: 1256, height: 700 };
    const rects = grid(5, stage);
    const last = rects.filter(({ y }) => y === rects.at(-1)!.y);
    const left = last[0]!.x;
    const right = stage.width - (last.at(-1)!.x + last.at(-1)!.width);
    expect(last.length).toBeLessThan(3);
    expect(left).toBeCloseTo(right, 3);
  });

  it("has no tiles for nobody, or on a stage not measured yet", () => {
    expect(grid(0, { width: 100, height: 100 })).toEqual([]);
    expect(grid(3, { width: 0, height: 0 })).toEqual([]);
  });
});

describe("duo", () => {
  it("gives the stage to the other and keeps oneself small, inside the other's picture", () => {
    for (const stage of stages) {
      const [other, self] = duo(stage);
      expect(inside(other, stage)).toBe(true);
      expect(inside(self, stage)).toBe(true);
      expect(self.width * self.height).toBeLessThan((other.width * other.height) / 3);
      expect(self.x).toBeGreaterThanOrEqual(other.x);
      expect(self.y + self.height).toBeLessThanOrEqual(other.y + other.height);
    }
  });
});

describe("spotlight", () => {
  it("shows one large and the others beside it, none over another", () => {
    for (const stage of stages) {
      for (const others of [1, 2, 5, 30]) {
        const { main, strip } = spotlight(others, stage);
        expect(strip.length).toBeGreaterThanOrEqual(1);
        expect(strip.length).toBeLessThanOrEqual(others);
        for (const rect of strip) {
          expect(inside(rect, stage)).toBe(true);
          expect(overlap(rect, main)).toBe(false);
          expect(rect.width * rect.height).toBeLessThan(main.width * main.height);
        }
      }
    }
  });

  it("puts the strip beside on wide stages, below on tall ones", () => {
    const wide = spotlight(2, { width: 1256, height: 700 });
    expect(wide.strip[0]!.x).toBeGreaterThan(wide.main.width);
    const tall = spotlight(2, { width: 366, height: 690 });
    expect(tall.strip[0]!.y).toBeGreaterThan(tall.main.height);
  });

  it("shows four people below a screen on a phone rather than counting them", () => {
    expect(spotlight(4, { width: 366, height: 690 }).strip).toHaveLength(4);
    expect(spotlight(40, { width: 366, height: 690 }).strip.length).toBeLessThan(40);
  });

  it("fills the stage when nobody else is there", () => {
    expect(spotlight(0, { width: 800, height: 600 }).main).toEqual({ x: 0, y: 0, width: 800, height: 600 });
  });
});

describe("gridCapacity", () => {
  it("stops where faces become too small", () => {
    for (const stage of stages) {
      const capacity = gridCapacity(stage);
      const [{ width }] = grid(capacity, stage) as [Rect];
      expect(capacity).toBeGreaterThanOrEqual(2);
      expect(width).toBeGreaterThan(80);
    }
  });
});
