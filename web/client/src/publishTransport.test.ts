import { describe, expect, it } from "vitest";
import { ConnectionError, HeadwaterError, serverError } from "./errors";
import type { OfferedTrack, PublishedTrack } from "./generated/signaling";
import { type PublishSignaling, PublishTransport } from "./publishTransport";
import { FakePeerConnection, fakeTheBrowser, fakeTrack, settle } from "./testing/fakes";

type Answer = { readonly sdp: string; readonly tracks: readonly PublishedTrack[] };

class FakeServer implements PublishSignaling {
  readonly offers: { readonly sdp: string; readonly tracks: readonly OfferedTrack[] }[] = [];
  readonly mutes: [string, boolean][] = [];
  answering: (tracks: readonly OfferedTrack[]) => Promise<Answer> = (tracks) =>
    Promise.resolve({ sdp: "answer", tracks: tracks.map(({ mid }) => ({ mid, publisher_id: `pub-${mid}-${this.offers.length}` })) });

  offer(sdp: string, tracks: readonly OfferedTrack[]): Promise<Answer> {
    this.offers.push({ sdp, tracks });
    return this.answering(tracks);
  }

  candidate(): void {
    // Not looked at here.
  }

  mute(publisherId: string, muted: boolean): Promise<void> {
    this.mutes.push([publisherId, muted]);
    return Promise.resolve();
  }
}

fakeTheBrowser();

describe("PublishTransport", () => {
  it("offers the track with its source and takes the server's id", async () => {
    const server = new FakeServer();
    const publisher = await new PublishTransport(server).publish(fakeTrack("video"), { source: "camera" });
    expect(server.offers[0]?.tracks).toEqual([{ mid: "0", source: "camera", muted: false }]);
    expect(publisher).toMatchObject({ id: "pub-0-1", mid: "0" });
  });

  it("negotiates one thing at a time, each offer naming all that is sent", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    await Promise.all([transport.publish(fakeTrack("audio")), transport.publish(fakeTrack("video"))]);
    expect(server.offers.at(-1)?.tracks.map(({ mid }) => mid)).toEqual(["0", "1"]);
    expect(FakePeerConnection.latest.signalingState).toBe("stable");
  });

  it("reuses the m-line of a closed publisher of the same shape", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    for (let round = 0; round < 20; round += 1) {
      const screen = await transport.publish(fakeTrack("video"), { source: "screen" });
      await screen.close();
      expect(server.offers.at(-1)?.tracks).toEqual([]);
    }
    expect(FakePeerConnection.latest.transceivers).toHaveLength(1);
    expect(FakePeerConnection.latest.transceivers[0]?.direction).toBe("inactive");
  });

  it("mutes track and server, and says so in the next offer", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    const track = fakeTrack("audio");
    const publisher = await transport.publish(track, { source: "microphone" });
    await publisher.mute();
    expect(track.enabled).toBe(false);
    expect(server.mutes).toEqual([["pub-0-1", true]]);
    await transport.publish(fakeTrack("video"));
    expect(server.offers[1]?.tracks[0]).toMatchObject({ mid: "0", muted: true });
  });

  it("tells a mute that happened while the offer was under way", async () => {
    const server = new FakeServer();
    let answer: (value: Answer) => void = () => undefined;
    server.answering = () => new Promise((resolve) => (answer = resolve));
    const transport = new PublishTransport(server);
    const publishing = transport.publish(fakeTrack("audio"));
    await settle();
    const [publisher] = transport.publishers;
    await publisher?.mute();
    answer({ sdp: "answer", tracks: [{ mid: "0", publisher_id: "p" }] });
    await publishing;
    expect(server.mutes).toEqual([["p", true]]);
  });

  it("waits through a lost connection and finishes after it resumed", async () => {
    const server = new FakeServer();
    const works = server.answering;
    server.answering = () => Promise.reject(new ConnectionError("connection_lost"));
    const transport = new PublishTransport(server);
    const publishing = transport.publish(fakeTrack("video"));
    await settle();
    expect(server.offers).toHaveLength(1);
    server.answering = works;
    transport.resume();
    expect((await publishing).id).not.toBeNull();
    expect(FakePeerConnection.instances).toHaveLength(1);
  });

  it("publishes everything again on a new connection after a reset", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    const microphone = await transport.publish(fakeTrack("audio"), { source: "microphone" });
    await microphone.mute();
    const closed = await transport.publish(fakeTrack("video"), { source: "screen" });
    await closed.close();
    const before = microphone.id;
    transport.reset();
    expect(microphone.id).toBeNull();
    await settle();
    expect(FakePeerConnection.instances[0]?.connectionState).toBe("closed");
    expect(server.offers.at(-1)?.tracks).toEqual([{ mid: "0", source: "microphone", muted: true }]);
    expect(microphone.id).not.toBe(before);
    expect(microphone.id).not.toBeNull();
  });

  it("rolls back what the server refuses, and can publish again", async () => {
    const server = new FakeServer();
    const works = server.answering;
    server.answering = () => Promise.reject(serverError({ type: "about:blank", title: "", status: 403 }));
    const transport = new PublishTransport(server);
    await expect(transport.publish(fakeTrack("video"))).rejects.toMatchObject({ code: "not_allowed" });
    expect(FakePeerConnection.latest.signalingState).toBe("stable");
    expect(transport.publishers.size).toBe(0);
    server.answering = works;
    await expect(transport.publish(fakeTrack("video"))).resolves.toMatchObject({ closed: false });
  });

  it("negotiates data again after the server refused it", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    const { answering } = server;
    server.answering = () => Promise.reject(new HeadwaterError("unexpected"));
    await expect(transport.publishData("chat")).rejects.toMatchObject({ code: "unexpected" });
    server.answering = answering;
    const offers = server.offers.length;
    await transport.publishData("chat");
    expect(server.offers).toHaveLength(offers + 1);
  });

  it("says so when the server accepted the offer but not the track", async () => {
    const server = new FakeServer();
    server.answering = () => Promise.resolve({ sdp: "answer", tracks: [] });
    await expect(new PublishTransport(server).publish(fakeTrack("video"))).rejects.toMatchObject({ code: "unsupported_codec" });
  });

  it("asks for a new path exactly once per restart", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    await transport.publish(fakeTrack("video"));
    await transport.restartIce();
    await transport.publish(fakeTrack("audio"));
    expect(FakePeerConnection.latest.iceRestarts).toEqual([false, true, false]);
  });

  it("fails what waits when it is closed, and refuses what comes after", async () => {
    const server = new FakeServer();
    server.answering = () => Promise.reject(new ConnectionError("connection_lost"));
    const transport = new PublishTransport(server);
    const waiting = transport.publish(fakeTrack("video")).catch((error: unknown) => error);
    await settle();
    transport.close();
    expect(await waiting).toBeInstanceOf(HeadwaterError);
    await expect(transport.publish(fakeTrack("video"))).rejects.toMatchObject({ code: "closed" });
  });

  it("sends the encodings that are wanted, also when that was said before the answer", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    const wanted = (...active: string[]) => ({
      encodings: ["low", "mid", "high"].map((rid) => ({ rid, active: active.includes(rid) })),
      max: null,
    });
    const sent = (): unknown[] =>
      FakePeerConnection.latest.transceivers[0]?.sender.getParameters().encodings.flatMap((each) => (each["active"] ? [each["rid"]] : [])) ?? [];
    transport.setWanted("pub-0-1", wanted("low"));
    await transport.publish(fakeTrack("video", { width: 1280, height: 720 }), { source: "camera" });
    expect(sent()).toEqual(["low"]);
    transport.setWanted("pub-0-1", wanted("low", "high"));
    await settle();
    expect(sent()).toEqual(["low", "high"]);
    transport.reset();
    expect(sent()).toEqual(["low", "mid", "high"]);
  });

  it("plans anew for a camera of another size", async () => {
    const transport = new PublishTransport(new FakeServer());
    const publisher = await transport.publish(fakeTrack("video", { width: 640, height: 360 }), { source: "camera" });
    const scales = (): unknown[] =>
      FakePeerConnection.latest.transceivers[0]?.sender.getParameters().encodings.map((each) => each["active"] && each["scaleResolutionDownBy"]) ?? [];
    expect(scales()).toEqual([2, 1, false]);
    await publisher.replaceTrack(fakeTrack("video", { width: 1920, height: 1080 }));
    expect(scales()).toEqual([3, 1.5, 1]);
  });

  it("tells what gives way first and hints the encoder, unless the caller did", async () => {
    const server = new FakeServer();
    const transport = new PublishTransport(server);
    const [text, film] = [fakeTrack("video"), fakeTrack("video")];
    await transport.publish(text, { source: "screen" });
    await transport.publish(film, { source: "screen", content: "motion" });
    expect(server.offers.at(-1)?.tracks.map(({ content }) => content)).toEqual(["detail", "motion"]);
    expect([text.contentHint, film.contentHint]).toEqual(["detail", "motion"]);
  });
});
