/**
 * Everything that can go wrong, in words for the person in front of the screen.
 *
 *     HeadwaterError
 *     ├── MediaError        a camera, microphone or screen could not be opened
 *     ├── ServerError       the server refused: carries its RFC 9457 problem
 *     ├── ConnectionError   nobody refused, but nothing arrives
 *     └── StateError        the calling program erred
 *
 * `code` is stable and for programs, `message` says what happened, `advice` what to do about it.
 */

import type { Problem } from "./generated/signaling";

export type ErrorCode = keyof typeof texts;

export class HeadwaterError extends Error {
  readonly code: ErrorCode;
  /** What the person can do about it; may be empty. */
  readonly advice: string;
  /** Does trying again without changing anything have a chance? */
  readonly retryable: boolean;

  constructor(code: ErrorCode, options: { readonly detail?: string; readonly cause?: unknown } = {}) {
    const [message, advice, retryable] = texts[code];
    super(options.detail ? `${message} (${options.detail})` : message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.advice = advice;
    this.retryable = retryable;
  }
}

/** A camera, microphone or screen could not be opened. */
export class MediaError extends HeadwaterError {}

/** Nobody refused, but nothing arrives. */
export class ConnectionError extends HeadwaterError {}

/** The calling program erred. */
export class StateError extends HeadwaterError {}

/** The server refused. */
export class ServerError extends HeadwaterError {
  readonly problem: Problem;

  constructor(code: ErrorCode, problem: Problem) {
    super(code, { cause: problem });
    this.problem = problem;
  }
}

export type Device = "camera" | "microphone" | "screen";

/** Turns what `getUserMedia` or `getDisplayMedia` threw into a {@link MediaError}. */
export function mediaError(error: unknown, device: Device): MediaError {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  const detail = error instanceof Error ? error.message : String(error);
  return new MediaError(mediaCode(name, detail, device), { cause: error });
}

function mediaCode(name: string, detail: string, device: Device): ErrorCode {
  switch (name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
      if (device === "screen") return /system/i.test(detail) ? "screen_blocked_by_system" : "screen_cancelled";
      return /system/i.test(detail) ? "blocked_by_system" : `${device}_denied`;
    case "SecurityError":
      return "page_not_secure";
    case "NotFoundError":
    case "DevicesNotFoundError":
    case "OverconstrainedError":
      return device === "screen" ? "screen_unavailable" : `no_${device}`;
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return device === "screen" ? "screen_unavailable" : `${device}_busy`;
    default:
      return device === "screen" ? "screen_unavailable" : `${device}_failed`;
  }
}

/** One error for both, where one thing keeps camera and microphone closed; `null` where it is not one. */
export function sharedMediaError(camera: HeadwaterError | null, microphone: HeadwaterError | null): HeadwaterError | null {
  if (!camera || !microphone) return null;
  if (camera.code === microphone.code) return camera;
  if (camera.code === "camera_denied" && microphone.code === "microphone_denied") return new MediaError("devices_denied");
  if (camera.code === "no_camera" && microphone.code === "no_microphone") return new MediaError("no_devices");
  return null;
}

/** Turns a problem document (WebSocket `error` or HTTP body) into a {@link ServerError}. */
export function serverError(problem: Problem): ServerError {
  return new ServerError(problemCode(problem), problem);
}

function problemCode({ code = "", status, detail = "" }: Problem): ErrorCode {
  if (code === "overloaded") return "server_busy";
  if (code === "room_full" || (code === "limit_reached" && /room is full/.test(detail))) return "room_full";
  if (code === "token_expired" || (status === 401 && /expired/i.test(detail))) return "token_expired";
  if (code === "limit_reached" || code === "server_full" || status === 503 || status === 429) return "server_full";
  if (code === "channel_busy" || code === "channel_not_found" || code === "channel_ended" || code === "channel_not_live") return code;
  if (code === "meeting_not_found" || (code === "not_found" && status === 404)) return "meeting_not_found";
  if (code === "unsupported_codec" || code === "embedding_refused" || code === "invalid_slug" || code === "name_taken") return code;
  if (status === 401) return /not valid/i.test(detail) ? "token_refused" : "token_needed";
  if (status === 403) return "not_allowed";
  return status >= 500 || status === 0 ? "server_failed" : "request_refused";
}

/** Why the server ended the connection with `bye`. */
export function byeError(reason: string): HeadwaterError {
  switch (reason) {
    case "token_expired":
      return new HeadwaterError("token_expired");
    case "removed":
    case "kicked":
      return new HeadwaterError("removed");
    case "replaced":
    case "resumed_elsewhere":
      return new HeadwaterError("replaced");
    case "meeting_ended":
      return new HeadwaterError("meeting_ended");
    case "shutdown":
    case "server_shutdown":
      return new ConnectionError("server_stopped");
    default:
      return new ConnectionError("connection_closed", { detail: reason });
  }
}

/** Anything thrown, as a {@link HeadwaterError}. */
export function toError(error: unknown): HeadwaterError {
  if (error instanceof HeadwaterError) return error;
  return new HeadwaterError("unexpected", { cause: error, detail: error instanceof Error ? error.message : String(error) });
}

/** code -> [what happened, what to do, worth trying again as it is]. */
const texts = {
  camera_denied: [
    "This page may not use your camera.",
    "Allow the camera in the address bar of the browser, or go on without it.",
    false,
  ],
  microphone_denied: [
    "This page may not use your microphone.",
    "Allow the microphone in the address bar of the browser, or go on without it.",
    false,
  ],
  devices_denied: [
    "This page may not use your camera or microphone.",
    "Allow both in the address bar of the browser, or go on without them.",
    false,
  ],
  no_devices: ["No camera and no microphone were found.", "Plug them in, or go on without them.", false],
  blocked_by_system: [
    "Your computer keeps the browser from using the camera or microphone.",
    "Allow the browser in the privacy settings of your system, then try again.",
    false,
  ],
  no_camera: ["No camera was found.", "Plug one in, or go on without a picture.", false],
  no_microphone: ["No microphone was found.", "Plug one in, or go on without sound.", false],
  camera_busy: [
    "Another program is using the camera.",
    "Close other programs or tabs that show your camera, then try again.",
    true,
  ],
  microphone_busy: [
    "Another program is using the microphone.",
    "Close other programs or tabs that record sound, then try again.",
    true,
  ],
  camera_failed: ["The camera did not start.", "Choose another camera, or unplug it and plug it in again.", true],
  microphone_failed: [
    "The microphone did not start.",
    "Choose another microphone, or unplug it and plug it in again.",
    true,
  ],
  page_not_secure: [
    "Browsers give camera and microphone to secure pages only.",
    "Open this page by its https:// address. In a meeting you can still watch and listen.",
    false,
  ],
  screen_cancelled: ["Nothing was shared.", "", true],
  screen_blocked_by_system: [
    "Your computer keeps the browser from recording the screen.",
    "Allow screen recording for the browser in the privacy settings of your system.",
    false,
  ],
  screen_unavailable: ["This browser cannot share the screen.", "Share from a computer rather than a phone.", false],
  browser_unsupported: [
    "This browser cannot make calls.",
    "Use a current Chrome, Edge, Firefox or Safari.",
    false,
  ],
  room_full: ["This meeting is full.", "Ask the host to make room, or wait until somebody leaves.", true],
  server_busy: [
    "This server has as much to do as it can do well.",
    "Wait a minute, then try again: who is in a meeting already keeps it.",
    true,
  ],
  server_full: ["This server is full at the moment.", "Wait a minute, then try again.", true],
  meeting_not_found: [
    "This meeting does not exist.",
    "Check the link, or ask for a new one: meetings end when their server restarts.",
    false,
  ],
  channel_not_found: ["This channel does not exist.", "Check the link, or ask for a new one.", false],
  channel_busy: ["Somebody else is live on this channel.", "Wait until they have finished, or make a channel of your own.", false],
  channel_ended: ["This broadcast is over.", "", false],
  channel_not_live: ["Nobody is live on this channel yet.", "It starts by itself when somebody is.", true],
  invalid_slug: [
    "This name cannot be part of an address.",
    "Use 3 to 64 small letters (a to z), digits and hyphens, with no hyphen at either end.",
    false,
  ],
  name_taken: ["This name is taken.", "Choose another one.", false],
  embedding_refused: [
    "This site may not show this player.",
    "Whoever runs the server can allow it, with the setting embed_origins.",
    false,
  ],
  key_needed: ["This server asks for a key.", "It was printed when the server was first started.", false],
  key_refused: ["This is not the key of this server.", "Look where it was printed when the server was first started.", false],
  token_needed: [
    "You need an invitation for this.",
    "Open it by the complete link that you were sent.",
    false,
  ],
  token_refused: [
    "Your invitation is not valid.",
    "Open it by the complete link that you were sent, or ask for a new one.",
    false,
  ],
  token_expired: ["Your invitation has expired.", "Ask for a new link.", false],
  not_allowed: ["Your invitation does not allow this.", "Ask the host for more rights.", false],
  unsupported_codec: [
    "This browser and the server found no common video format.",
    "Use a current Chrome, Edge, Firefox or Safari.",
    false,
  ],
  server_failed: ["The server made a mistake.", "Try again in a moment.", true],
  request_refused: ["The server did not understand this browser.", "Reload the page and try again.", true],
  server_unreachable: [
    "The server cannot be reached.",
    "Check your network connection, then try again.",
    true,
  ],
  server_stopped: ["The server was stopped.", "Try again in a moment.", true],
  connection_lost: [
    "The connection was lost and did not come back.",
    "Check your network connection, then join again.",
    true,
  ],
  connection_closed: ["The server ended the connection.", "Join again.", true],
  media_blocked: [
    "Sound and picture cannot get through.",
    "Your network may block UDP. Try another network, or leave the VPN.",
    true,
  ],
  timed_out: ["The server did not answer in time.", "Try again in a moment.", true],
  removed: ["You were removed from the meeting.", "", false],
  replaced: ["You joined this meeting from another place.", "Join again to come back here.", true],
  meeting_ended: ["The meeting has ended.", "", false],
  closed: ["This was already closed.", "", false],
  unexpected: ["Something unexpected happened.", "Reload the page and try again.", true],
} as const satisfies Record<string, readonly [string, string, boolean]>;
