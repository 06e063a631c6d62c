/**
 * What to paste into a page that is to show a channel.
 */

import type { Channel } from "@headwater/client";

type Named = Pick<Channel, "title"> & { readonly links: Pick<Channel["links"], "watch" | "embed"> };

/** As an element: two lines. */
export function elementCode({ links }: Named): string {
  const script = new URL("/player.js", links.watch).href;
  return `<script type="module" src="${script}"></` + `script>\n<headwater-player src="${links.watch}" autoplay muted controls></headwater-player>`;
}

/** In a frame: one line. */
export function frameCode({ title, links }: Named): string {
  const name = quoted(title || "Live");
  return `<iframe src="${links.embed}?autoplay=1&amp;muted=1" title="${name}" width="640" height="360" allow="autoplay; fullscreen; picture-in-picture" frameborder="0"></iframe>`;
}

function quoted(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
