import { describe, expect, it } from "vitest";
import { byeError, type Device, HeadwaterError, MediaError, mediaError, serverError, sharedMediaError, toError } from "./errors";

function thrown(name: string, message = ""): DOMException {
  return new DOMException(message, name);
}

function problem(status: number, code = "", detail = ""): Parameters<typeof serverError>[0] {
  return { type: "about:blank", title: "", status, code, detail };
}

describe("mediaError", () => {
  it.each<[string, Device, string]>([
    ["NotAllowedError", "camera", "camera_denied"],
    ["NotAllowedError", "microphone", "microphone_denied"],
    ["NotAllowedError", "screen", "screen_cancelled"],
    ["NotFoundError", "camera", "no_camera"],
    ["NotFoundError", "microphone", "no_microphone"],
    ["OverconstrainedError", "camera", "no_camera"],
    ["NotReadableError", "camera", "camera_busy"],
    ["NotReadableError", "microphone", "microphone_busy"],
    ["AbortError", "camera", "camera_busy"],
    ["SecurityError", "camera", "page_not_secure"],
    ["SomethingNewError", "microphone", "microphone_failed"],
  ])("tells %s of the %s as %s", (name, device, code) => {
    expect(mediaError(thrown(name), device).code).toBe(code);
  });

  it("tells a refusal by the system from one by the person", () => {
    expect(mediaError(thrown("NotAllowedError", "Permission denied by system"), "camera").code).toBe("blocked_by_system");
    expect(mediaError(thrown("NotAllowedError", "Permission denied by system"), "screen").code).toBe("screen_blocked_by_system");
  });
});

describe("sharedMediaError", () => {
  it.each([
    ["camera_denied", "microphone_denied", "devices_denied"],
    ["no_camera", "no_microphone", "no_devices"],
    ["page_not_secure", "page_not_secure", "page_not_secure"],
    ["camera_busy", "microphone_denied", undefined],
    ["no_camera", "microphone_busy", undefined],
  ] as const)("says %s and %s as %s", (camera, microphone, shared) => {
    expect(sharedMediaError(new MediaError(camera), new MediaError(microphone))?.code).toBe(shared);
  });

  it("is for two errors only", () => {
    expect(sharedMediaError(new MediaError("no_camera"), null)).toBeNull();
    expect(sharedMediaError(null, new MediaError("no_microphone"))).toBeNull();
  });
});

describe("serverError", () => {
  it.each([
    [401, "token_expired", "", "token_expired"],
    [401, "unauthorized", "the token has expired", "token_expired"],
    [401, "unauthorized", "no token", "token_needed"],
    [401, "unauthorized", "the token is not valid", "token_refused"],
    [403, "forbidden", "", "not_allowed"],
    [404, "not_found", "", "meeting_not_found"],
    [404, "meeting_not_found", "", "meeting_not_found"],
    [422, "invalid_slug", "", "invalid_slug"],
    [409, "name_taken", "", "name_taken"],
    [503, "limit_reached", "", "server_full"],
    [503, "limit_reached", "this room is full", "room_full"],
    [503, "overloaded", "egress", "server_busy"],
    [429, "", "", "server_full"],
    [400, "unsupported_codec", "", "unsupported_codec"],
    [400, "invalid_sdp", "", "request_refused"],
    [500, "", "", "server_failed"],
  ])("tells %i %s %s as %s", (status, code, detail, expected) => {
    expect(serverError(problem(status, code, detail)).code).toBe(expected);
  });

  it("keeps the problem for programs", () => {
    const document = problem(403, "forbidden", "publish");
    expect(serverError(document).problem).toBe(document);
  });
});

describe("words for people", () => {
  const shown = [
    mediaError(thrown("NotAllowedError"), "camera"),
    mediaError(thrown("NotFoundError"), "microphone"),
    serverError(problem(404, "not_found")),
    serverError(problem(503)),
    byeError("token_expired"),
    byeError("replaced"),
    new HeadwaterError("connection_lost"),
    new HeadwaterError("page_not_secure"),
  ];

  it.each(shown)("$code is a sentence with advice, without jargon", (error) => {
    expect(error.message).toMatch(/^[A-Z].*\.$/);
    expect(error.advice).toMatch(/^[A-Z].*\.$/);
    expect(`${error.message} ${error.advice}`).not.toMatch(/error|exception|SDP|ICE|WebSocket|getUserMedia|undefined|\b\d{3}\b/i);
  });

  it("says whether trying again as it is can help", () => {
    expect(serverError(problem(503)).retryable).toBe(true);
    expect(serverError(problem(404, "not_found")).retryable).toBe(false);
    expect(mediaError(thrown("NotReadableError"), "camera").retryable).toBe(true);
    expect(mediaError(thrown("NotAllowedError"), "camera").retryable).toBe(false);
  });
});

describe("toError", () => {
  it("keeps ours and wraps others with their cause", () => {
    const ours = new HeadwaterError("closed");
    expect(toError(ours)).toBe(ours);
    const other = new TypeError("x is not a function");
    expect(toError(other)).toMatchObject({ code: "unexpected", cause: other });
  });
});
