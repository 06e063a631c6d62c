/**
 * A clock in a thread of its own: pages in the background get theirs once a second only, and whoever shares a
 * screen looks at something else. It is told how many ticks a second.
 */

addEventListener("message", ({ data }: MessageEvent<number>) => {
  setInterval(() => postMessage(null), 1000 / data);
});
