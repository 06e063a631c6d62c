/**
 * The way in: a server's address, from which meetings are made and joined.
 *
 *     const client = new Client();                         // the server this page came from
 *     const { id } = await client.createMeeting();
 *     const room = await client.join(id, { name: "Ada" });
 *     await room.publish(track, { source: "camera" });
 *     room.on("subscribed", ({ track }) => …);
 */

import { ConnectionError, HeadwaterError, ServerError, serverError } from "./errors";
import { readProblem } from "./problem";
import { Room } from "./room";
import { Signaling, type SignalingOptions } from "./signaling";

export type ClientOptions = {
  /** Origin of the server; that of the page when absent. */
  readonly server?: string;
  readonly rtcConfiguration?: RTCConfiguration;
  readonly signaling?: SignalingOptions;
};

export type JoinOptions = {
  readonly name: string;
  /** Not needed against a server that runs with `--dev`. */
  readonly token?: string | undefined;
};

export type Meeting = { readonly id: string };

export type TokenOptions = {
  /** Who it is for; what the server calls this person. */
  readonly identity: string;
  readonly name?: string;
  readonly role?: "host" | "participant" | "viewer";
  /** Seconds. */
  readonly ttl?: number;
};

export class Client {
  readonly #server: string;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    this.#server = options.server ?? globalThis.location.origin;
  }

  /**
   * Makes a new meeting.
   *
   * @param apiKey not needed against a server that runs with `--dev`.
   * @throws {HeadwaterError} `key_needed`, `key_refused`, `server_full`, `server_unreachable`, ...
   */
  async createMeeting(settings: Readonly<Record<string, unknown>> = {}, apiKey?: string): Promise<Meeting> {
    return (await this.#post("/meetings", { settings }, apiKey)) as Meeting;
  }

  /** Makes a token, with which a browser may join one meeting. */
  async createToken(meetingId: string, options: TokenOptions, apiKey: string): Promise<string> {
    const path = `/meetings/${encodeURIComponent(meetingId)}/tokens`;
    return ((await this.#post(path, options, apiKey)) as { readonly token: string }).token;
  }

  /** Joins a meeting; see {@link Room}. */
  async join(meetingId: string, options: JoinOptions): Promise<Room> {
    if (typeof RTCPeerConnection === "undefined") throw new HeadwaterError("browser_unsupported");
    const url = new URL("/signaling/join", this.#server);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return await Room.join({
      meetingId,
      name: options.name,
      token: options.token,
      rtcConfiguration: this.#options.rtcConfiguration,
      connect: () => Signaling.connect(url.href, this.#options.signaling),
    });
  }

  async #post(path: string, body: object, apiKey?: string): Promise<unknown> {
    const headers = new Headers({ "content-type": "application/json" });
    if (apiKey) headers.set("authorization", `Bearer ${apiKey}`);
    const request = { method: "POST", headers, body: JSON.stringify(body) };
    const response = await fetch(new URL(path, this.#server), request).catch((error: unknown) => {
      throw new ConnectionError("server_unreachable", { cause: error });
    });
    if (response.ok) return await response.json();
    const problem = await readProblem(response);
    if (response.status === 401) throw new ServerError(apiKey ? "key_refused" : "key_needed", problem);
    throw serverError(problem);
  }
}
