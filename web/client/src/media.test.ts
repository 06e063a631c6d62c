import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { openCamera, openMicrophone } from "./media";

const getUserMedia = vi.fn<(constraints: MediaStreamConstraints) => Promise<MediaStream>>();
const track = {} as MediaStreamTrack;
const stream = { getTracks: () => [track] } as unknown as MediaStream;

beforeEach(() => {
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
});
afterEach(() => {
  vi.unstubAllGlobals();
  getUserMedia.mockReset();
});

test("the chosen device is asked for exactly", async () => {
  getUserMedia.mockResolvedValue(stream);
  expect(await openCamera("one")).toBe(track);
  expect(await openMicrophone("two")).toBe(track);
  const asked = getUserMedia.mock.calls.map(([constraints]) => constraints);
  expect(asked).toMatchObject([{ video: { deviceId: { exact: "one" } } }, { audio: { deviceId: { exact: "two" } } }]);
});

test("another is taken when the chosen one is gone", async () => {
  getUserMedia.mockRejectedValueOnce(new DOMException("", "OverconstrainedError")).mockResolvedValueOnce(stream);
  expect(await openCamera("gone")).toBe(track);
  expect(getUserMedia.mock.lastCall?.[0].video).not.toHaveProperty("deviceId");
});

test("who refused is not asked again", async () => {
  getUserMedia.mockRejectedValue(new DOMException("", "NotAllowedError"));
  await expect(openCamera("one")).rejects.toMatchObject({ code: "camera_denied" });
  expect(getUserMedia).toHaveBeenCalledTimes(1);
});
