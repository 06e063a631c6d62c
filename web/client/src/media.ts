/**
 * Cameras, microphones and screens, with errors that say what to do.
 */

import { type Device, MediaError, mediaError } from "./errors";

export type DeviceList = {
  readonly cameras: readonly MediaDeviceInfo[];
  readonly microphones: readonly MediaDeviceInfo[];
  readonly speakers: readonly MediaDeviceInfo[];
};

/** Opens a camera: `deviceId` when it is there, any other when it is not. */
export async function openCamera(deviceId?: string): Promise<MediaStreamTrack> {
  const video: MediaTrackConstraints = {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    frameRate: { ideal: 30 },
    ...(deviceId ? { deviceId: { ideal: deviceId } } : { facingMode: "user" }),
  };
  return await open("camera", (devices) => devices.getUserMedia({ video }));
}

/** Opens a microphone with echo and noise removed. */
export async function openMicrophone(deviceId?: string): Promise<MediaStreamTrack> {
  const audio: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    ...(deviceId ? { deviceId: { ideal: deviceId } } : {}),
  };
  return await open("microphone", (devices) => devices.getUserMedia({ audio }));
}

/** Lets the person choose a screen, window or tab; with its sound where the browser offers it. */
export async function openScreen(): Promise<{ readonly video: MediaStreamTrack; readonly audio: MediaStreamTrack | null }> {
  if (!canShareScreen()) throw new MediaError("screen_unavailable");
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { ideal: 15, max: 30 } },
      audio: true,
    });
    const [video] = stream.getVideoTracks();
    if (!video) throw new MediaError("screen_unavailable");
    // Text wants sharp edges more than smooth motion.
    if ("contentHint" in video) video.contentHint = "detail";
    return { video, audio: stream.getAudioTracks()[0] ?? null };
  } catch (error) {
    throw error instanceof MediaError ? error : mediaError(error, "screen");
  }
}

export function canShareScreen(): boolean {
  return typeof (deviceAccess() as Partial<MediaDevices> | undefined)?.getDisplayMedia === "function";
}

/** All devices. Before a permission was given browsers hide names, and ids too. */
export async function listDevices(): Promise<DeviceList> {
  const all = (await deviceAccess()?.enumerateDevices()) ?? [];
  const named = all.filter(({ deviceId }) => deviceId !== "");
  return {
    cameras: named.filter(({ kind }) => kind === "videoinput"),
    microphones: named.filter(({ kind }) => kind === "audioinput"),
    speakers: named.filter(({ kind }) => kind === "audiooutput"),
  };
}

/** Calls `listener` when something is plugged in or out, until the returned function is called. */
export function onDevicesChanged(listener: () => void): () => void {
  const devices = deviceAccess();
  devices?.addEventListener("devicechange", listener);
  return () => devices?.removeEventListener("devicechange", listener);
}

async function open(device: Device, request: (devices: MediaDevices) => Promise<MediaStream>): Promise<MediaStreamTrack> {
  const devices = deviceAccess();
  if (!devices) throw new MediaError("page_not_secure");
  try {
    const [track] = (await request(devices)).getTracks();
    if (!track) throw new MediaError(device === "camera" ? "no_camera" : "no_microphone");
    return track;
  } catch (error) {
    throw error instanceof MediaError ? error : mediaError(error, device);
  }
}

/** Absent on pages that are not secure, whatever the type says. */
function deviceAccess(): MediaDevices | undefined {
  return navigator.mediaDevices as MediaDevices | undefined;
}
