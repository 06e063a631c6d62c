/**
 * Which channel a player is to show: `src` is the address of its watch page, or `server` and `channel`
 * name it; `token`, or the fragment of `src`, opens a private one.
 */

import { parseToken } from "../start/meetingLink";

export type Address = { readonly server: string; readonly channelId: string; readonly token: string | undefined };

type Attributes = { getAttribute(name: string): string | null };

/** Reads the attributes of a player; `null` where they name no channel. */
export function readAddress(attributes: Attributes, base: string): Address | null {
  const token = attributes.getAttribute("token") ?? undefined;
  const src = attributes.getAttribute("src");
  if (src !== null) return readSource(src, base, token);
  const channelId = attributes.getAttribute("channel");
  const server = attributes.getAttribute("server") ?? base;
  return channelId && URL.canParse(server, base) ? { server: new URL(server, base).origin, channelId, token } : null;
}

function readSource(src: string, base: string, token: string | undefined): Address | null {
  if (!URL.canParse(src, base)) return null;
  const { origin, pathname, hash } = new URL(src, base);
  const [, id] = /^\/(?:watch|embed)\/([^/]+)\/?$/.exec(pathname) ?? [];
  if (!id) return null;
  return { server: origin, channelId: decodeURIComponent(id), token: token ?? parseToken(hash) };
}
