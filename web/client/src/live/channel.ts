/**
 * What the server says of a channel.
 */

import { ConnectionError, ServerError, serverError } from "../errors";
import { readProblem } from "../problem";

export type Channel = {
  readonly channelId: string;
  readonly title: string;
  readonly state: "idle" | "live" | "ended";
  readonly over: boolean;
  readonly viewers: number;
  readonly went_live_at: string | null;
  /** So far back HLS viewers can go now. */
  readonly rewind_seconds: number;
  /** The node's clock. */
  readonly now: string;
  readonly links: {
    readonly watch: string;
    readonly embed: string;
    readonly studio: string;
    readonly whip: string;
    readonly whep: string;
    readonly hls: string;
    readonly thumbnail: string;
  };
};

export type ChannelOptions = { readonly title?: string; readonly slug?: string };

/** Makes a channel on a server. */
export async function createChannel(server: string, options: ChannelOptions, apiKey?: string): Promise<Channel> {
  const request = { method: "POST", headers: headers(apiKey, { "content-type": "application/json" }), body: JSON.stringify(options) };
  return await ask(new URL("/channels", server), request, apiKey);
}

/** Makes a token with which a browser or an encoder may send to a channel. */
export async function createPublishToken(server: string, id: string, apiKey: string): Promise<string> {
  const body = JSON.stringify({ identity: "studio", grants: ["publish", "view"], ttl: day });
  const request = { method: "POST", headers: headers(apiKey, { "content-type": "application/json" }), body };
  return (await ask<{ readonly token: string }>(new URL(`/channels/${encodeURIComponent(id)}/tokens`, server), request, apiKey)).token;
}

/** Looks a channel up. */
export async function getChannel(server: string, id: string, token?: string): Promise<Channel> {
  return await ask(new URL(`/channels/${encodeURIComponent(id)}`, server), { headers: headers(token) }, token);
}

async function ask<Answer = Channel>(url: URL, request: RequestInit, key?: string): Promise<Answer> {
  const response = await fetch(url, request).catch((error: unknown) => {
    throw new ConnectionError("server_unreachable", { cause: error });
  });
  if (response.ok) return (await response.json()) as Answer;
  const problem = await readProblem(response);
  if (response.status === 401 && request.method === "POST") throw new ServerError(key ? "key_refused" : "key_needed", problem);
  throw serverError(problem);
}

function headers(token?: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return token ? { ...more, authorization: `Bearer ${token}` } : { ...more };
}

/** Seconds. */
const day = 24 * 3600;
