import { afterEach, describe, expect, it, vi } from "vitest";
import { Client } from "./client";

function serving(status: number, body: unknown) {
  const fetched = vi.fn<(url: URL, init: RequestInit) => Promise<Response>>(() =>
    Promise.resolve(new Response(typeof body === "string" ? body : JSON.stringify(body), { status })),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

const client = new Client({ server: "https://meet.example.org" });

afterEach(() => vi.unstubAllGlobals());

describe("Client.createMeeting", () => {
  it("posts the settings and returns the id", async () => {
    const fetched = serving(201, { id: "mtg_1" });
    expect((await client.createMeeting({ title: "Talk" })).id).toBe("mtg_1");
    const [url, init] = fetched.mock.calls[0]!;
    expect(url.href).toBe("https://meet.example.org/meetings");
    expect(init.body).toBe('{"settings":{"title":"Talk"}}');
    expect(new Headers(init.headers).has("authorization")).toBe(false);
  });

  it("sends the key, never in the address", async () => {
    const fetched = serving(201, { id: "mtg_1" });
    await client.createMeeting({}, "hwk_secret");
    const [url, init] = fetched.mock.calls[0]!;
    expect(new Headers(init.headers).get("authorization")).toBe("Bearer hwk_secret");
    expect(url.href).not.toContain("secret");
  });

  it("tells a missing key from a wrong one", async () => {
    serving(401, { type: "about:blank", title: "Unauthorized", status: 401 });
    await expect(client.createMeeting()).rejects.toMatchObject({ code: "key_needed" });
    serving(401, { type: "about:blank", title: "Unauthorized", status: 401 });
    await expect(client.createMeeting({}, "wrong")).rejects.toMatchObject({ code: "key_refused" });
  });

  it("understands failures without a problem document", async () => {
    serving(502, "<html>bad gateway</html>");
    await expect(client.createMeeting()).rejects.toMatchObject({ code: "server_failed" });
    serving(503, "busy");
    await expect(client.createMeeting()).rejects.toMatchObject({ code: "server_full" });
  });

  it("says when nobody answers", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(client.createMeeting()).rejects.toMatchObject({ code: "server_unreachable" });
  });
});

describe("Client.createToken", () => {
  it("asks for one meeting and returns the token alone", async () => {
    const fetched = serving(201, { token: "a.b.c", expires_at: 1, url: "" });
    expect(await client.createToken("mtg_1", { identity: "ada" }, "hwk_1")).toBe("a.b.c");
    expect(fetched.mock.calls[0]![0].pathname).toBe("/meetings/mtg_1/tokens");
  });
});

describe("Client.join", () => {
  it("says so where the browser cannot make calls", async () => {
    await expect(client.join("mtg_1", { name: "Ada" })).rejects.toMatchObject({ code: "browser_unsupported" });
  });
});
