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
  return await open("camera", deviceId, (chosen) => ({ video: videoConstraints(chosen) }));
}

/** Opens a microphone with echo and noise removed. */
export async function openMicrophone(deviceId?: string): Promise<MediaStreamTrack> {
  return await open("microphone", deviceId, (chosen) => ({ audio: audioConstraints(chosen) }));
}

export type Opened = {
  readonly camera: MediaStreamTrack | MediaError;
  readonly microphone: MediaStreamTrack | MediaError;
};

/**
 * Opens both with one question to the person, and where that fails finds out which of the two it was:
 * somebody without a camera still wants to be heard.
 */
export async function openCameraAndMicrophone(cameraId?: string, microphoneId?: string): Promise<Opened> {
  const devices = deviceAccess();
  if (!devices) return { camera: new MediaError("page_not_secure"), microphone: new MediaError("page_not_secure") };
  try {
    const stream = await devices.getUserMedia({ video: videoConstraints(cameraId), audio: audioConstraints(microphoneId) });
    const [[camera], [microphone]] = [stream.getVideoTracks(), stream.getAudioTracks()];
    if (camera && microphone) return { camera, microphone };
    for (const track of stream.getTracks()) track.stop();
  } catch (error) {
    const denied = error instanceof Error && error.name === "NotAllowedError";
    // After a refusal only what is allowed already is tried: asking again would be rude.
    if (denied && !(await isGranted("camera")) && !(await isGranted("microphone"))) {
      return { camera: mediaError(error, "camera"), microphone: mediaError(error, "microphone") };
    }
  }
  const [camera, microphone] = await Promise.all([
    openCamera(cameraId).catch((error: unknown) => mediaFailure(error, "camera")),
    openMicrophone(microphoneId).catch((error: unknown) => mediaFailure(error, "microphone")),
  ]);
  return { camera, microphone };
}

async function isGranted(name: "camera" | "microphone"): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: name })).state === "granted";
  } catch {
    return false;
  }
}

function mediaFailure(error: unknown, device: Device): MediaError {
  return error instanceof MediaError ? error : mediaError(error, device);
}

/**
 * Lets the person choose a screen, window or tab; with its sound where the browser offers it. Text
 * (`detail`) wants sharp edges more than smooth motion, a film or game (`motion`) the other way round.
 */
export async function openScreen(content: "detail" | "motion" = "detail"): Promise<{ readonly video: MediaStreamTrack; readonly audio: MediaStreamTrack | null }> {
  if (!canShareScreen()) throw new MediaError("screen_unavailable");
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { ideal: content === "motion" ? 30 : 15, max: 30 } },
      audio: true,
    });
    const [video] = stream.getVideoTracks();
    if (!video) throw new MediaError("screen_unavailable");
    if ("contentHint" in video) video.contentHint = content;
    return { video, audio: stream.getAudioTracks()[0] ?? null };
  } catch (error) {
    throw mediaFailure(error, "screen");
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

function videoConstraints(deviceId?: string): MediaTrackConstraints {
  return {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    frameRate: { ideal: 30 },
    ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }),
  };
}

function audioConstraints(deviceId?: string): MediaTrackConstraints {
  return {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
  };
}

type Constraints = (deviceId?: string) => MediaStreamConstraints;

async function open(device: Device, deviceId: string | undefined, constraints: Constraints): Promise<MediaStreamTrack> {
  const devices = deviceAccess();
  if (!devices) throw new MediaError("page_not_secure");
  try {
    const [track] = (await chosenOrAny(devices, deviceId, constraints)).getTracks();
    if (!track) throw new MediaError(device === "camera" ? "no_camera" : "no_microphone");
    return track;
  } catch (error) {
    throw mediaFailure(error, device);
  }
}

/** What was chosen is asked for exactly: as a mere wish it may lose against a device with better figures. */
async function chosenOrAny(devices: MediaDevices, deviceId: string | undefined, constraints: Constraints): Promise<MediaStream> {
  try {
    return await devices.getUserMedia(constraints(deviceId));
  } catch (error) {
    const { name } = error as { readonly name?: unknown };
    const gone = name === "OverconstrainedError" || name === "NotFoundError";
    if (!deviceId || !gone) throw error;
    return await devices.getUserMedia(constraints());
  }
}

/** Absent on pages that are not secure, whatever the type says. */
function deviceAccess(): MediaDevices | undefined {
  return navigator.mediaDevices;
}
