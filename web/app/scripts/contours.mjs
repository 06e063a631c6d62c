/**
 * Draws the map behind the start page: a valley, its contour lines, and the streams that run down it.
 *
 *     node app/scripts/contours.mjs        (in web/)
 *
 * writes public/contours.svg and public/streams.svg. Both are drawn in currentColor by <use>, so that
 * the theme gives the colour. The land is a sum of hills; a stream follows its gradient, which is why the streams
 * cross the contours as real ones do. Everything is computed, nothing random: the same every time.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const width = 1200;
const height = 900;
const step = 10;
const levels = Array.from({ length: 20 }, (_, index) => 0.06 + index * 0.062);

/** Hills [x, y, radius, height] on a slope that falls to the lower left. */
const hills = [
  [930, 140, 210, 0.72],
  [1120, 420, 190, 0.5],
  [690, 60, 170, 0.38],
  [560, 300, 120, 0.2],
  [820, 560, 150, 0.3],
  [1080, 780, 200, 0.42],
  [330, 130, 170, 0.24],
  [420, 640, 130, 0.17],
  [140, 380, 150, 0.14],
];

/** The valley floor, from the spring to the edge of the map; its level falls along the way. */
const valley = [[868, 236], [812, 372], [690, 452], [600, 520], [566, 622], [604, 724], [560, 830], [470, 940]];

/** How far the valley is, and how far down it, 0 to 1. */
function valleyAt(x, y) {
  let best = { distance: Infinity, along: 0 };
  for (let index = 0; index + 1 < valley.length; index += 1) {
    const [ax, ay] = valley[index];
    const [bx, by] = valley[index + 1];
    const t = Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)));
    const distance = Math.hypot(x - ax - (bx - ax) * t, y - ay - (by - ay) * t);
    if (distance < best.distance) best = { distance, along: (index + t) / (valley.length - 1) };
  }
  return best;
}

function land(x, y) {
  const hillside = slope(x, y);
  const { distance, along } = valleyAt(x, y);
  const floor = 0.62 - 0.72 * along;
  const weight = Math.exp(-((distance / 95) ** 2));
  return hillside * (1 - weight * 0.8) + floor * weight * 0.8 - 0.05 * Math.exp(-((distance / 40) ** 2));
}

function slope(x, y) {
  let value = 0.16 + 0.34 * (x / width) - 0.2 * (y / height);
  for (const [hx, hy, radius, tall] of hills) {
    const dx = (x - hx) / radius;
    const dy = (y - hy) / radius;
    value += tall * Math.exp(-(dx * dx + dy * dy * 1.25));
  }
  const ripple = Math.sin(x * 0.011 + Math.sin(y * 0.008) * 1.7) * Math.cos(y * 0.0125 + x * 0.003);
  return value + 0.028 * ripple + 0.012 * Math.sin(x * 0.031 + y * 0.027);
}

function gradient(x, y) {
  return [land(x + 1, y) - land(x - 1, y), land(x, y + 1) - land(x, y - 1)];
}

/** Marching squares: the segments of one contour, joined into lines. */
function contour(level) {
  const segments = [];
  for (let y = -step; y < height + step; y += step) {
    for (let x = -step; x < width + step; x += step) {
      const corners = [land(x, y), land(x + step, y), land(x + step, y + step), land(x, y + step)];
      const points = [];
      const edges = [[x, y, x + step, y], [x + step, y, x + step, y + step], [x + step, y + step, x, y + step], [x, y + step, x, y]];
      edges.forEach(([ax, ay, bx, by], edge) => {
        const a = corners[edge];
        const b = corners[(edge + 1) % 4];
        if (a < level === b < level) return;
        const t = (level - a) / (b - a);
        points.push([ax + (bx - ax) * t, ay + (by - ay) * t]);
      });
      for (let index = 0; index + 1 < points.length; index += 2) segments.push([points[index], points[index + 1]]);
    }
  }
  return joinSegments(segments);
}

function joinSegments(segments) {
  const key = ([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`;
  const byEnd = new Map();
  for (const segment of segments) {
    for (const end of segment) byEnd.set(key(end), [...(byEnd.get(key(end)) ?? []), segment]);
  }
  const used = new Set();
  const lines = [];
  for (const segment of segments) {
    if (used.has(segment)) continue;
    used.add(segment);
    const line = [...segment];
    for (const forward of [true, false]) {
      for (;;) {
        const end = forward ? line.at(-1) : line[0];
        const next = (byEnd.get(key(end)) ?? []).find((candidate) => !used.has(candidate));
        if (!next) break;
        used.add(next);
        const other = key(next[0]) === key(end) ? next[1] : next[0];
        if (forward) line.push(other);
        else line.unshift(other);
      }
    }
    lines.push(line);
  }
  return lines;
}

/** Downhill from a spring, with some inertia, until it leaves the map or meets an earlier stream. */
function stream(x, y, earlier) {
  const line = [[x, y]];
  let [vx, vy] = [0, 0];
  for (let index = 0; index < 900; index += 1) {
    const [gx, gy] = gradient(x, y);
    const length = Math.hypot(gx, gy) || 1;
    vx = 0.86 * vx - 0.14 * (gx / length) - 0.012;
    vy = 0.86 * vy - 0.14 * (gy / length) + 0.01;
    const speed = Math.hypot(vx, vy) || 1;
    x += (vx / speed) * 3;
    y += (vy / speed) * 3;
    line.push([x, y]);
    if (x < -20 || y < -20 || x > width + 20 || y > height + 20) break;
    if (earlier.some((other) => other.some(([ox, oy]) => Math.hypot(ox - x, oy - y) < 4))) break;
  }
  return line;
}

/** A running mean: water does not turn at right angles. The ends stay. */
function smooth(line, reach = 14) {
  return line.map((point, index) => {
    const room = Math.min(reach, index, line.length - 1 - index);
    const near = line.slice(index - room, index + room + 1);
    return [0, 1].map((axis) => near.reduce((sum, other) => sum + other[axis], 0) / near.length);
  });
}

function nearest(line, [x, y]) {
  const distance = ([ox, oy]) => Math.hypot(ox - x, oy - y);
  return line.reduce((best, point) => (distance(point) < distance(best) ? point : best));
}

/** Quadratic curves through the midpoints: smooth, and half the text. */
function path(line, keep) {
  const points = line.filter((_, index) => index % keep === 0 || index === line.length - 1);
  if (points.length < 3) return "";
  const show = ([x, y]) => `${Math.round(x)} ${Math.round(y)}`;
  let text = `M${show(points[0])}`;
  for (let index = 1; index < points.length - 1; index += 1) {
    const [x, y] = points[index];
    const [nx, ny] = points[index + 1];
    text += `Q${show([x, y])} ${show([(x + nx) / 2, (y + ny) / 2])}`;
  }
  return `${text}L${show(points.at(-1))}`;
}

function svg(id, body) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"><g id="${id}" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round">${body}</g></svg>\n`;
}

const contours = levels
  .map((level, index) => {
    const d = contour(level).filter((line) => line.length > 6).map((line) => path(line, 2)).join("");
    return `<path stroke-width="${index % 5 === 0 ? 1.8 : 0.9}" d="${d}"/>`;
  })
  .join("");

const streams = [];
for (const [x, y] of [[868, 240], [1010, 300], [726, 372], [880, 520], [760, 640]]) {
  const line = smooth(stream(x, y, streams));
  const [river] = streams;
  if (river) line.push(nearest(river, line.at(-1)));
  streams.push(line);
}
const widths = [4.5, 3, 2.4, 2.6, 2.4];
const water = streams
  .map((line, index) => `<path stroke-width="${widths[index]}" d="${path(line, 4)}"/><circle cx="${line[0][0]}" cy="${line[0][1]}" r="${widths[index] + 1}" fill="currentColor" stroke="none"/>`)
  .join("");

const target = (name) => fileURLToPath(new URL(`../public/${name}`, import.meta.url));
await writeFile(target("contours.svg"), svg("contours", contours));
await writeFile(target("streams.svg"), svg("streams", water));
