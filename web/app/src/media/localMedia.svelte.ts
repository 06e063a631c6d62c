/**
 * One's own camera and microphone, from the device check to the end of the call.
 *
 * The choice of device, name and on/off survives in this browser. A track is `null` when its device
 * is off or could not be opened; `cameraError` and `microphoneError` say why it could not.
 */

import {
  type DeviceList,
  listDevices,
  LevelMeter,
  MediaError,
  onDevicesChanged,
  openCamera,
  openCameraAndMicrophone,
  openMicrophone,
  toError,
  type HeadwaterError,
} from "@headwater/client";
import { preferences } from "./preferences";

const noDevices: DeviceList = { cameras: [], microphones: [], speakers: [] };

export class LocalMedia {
  camera = $state.raw<MediaStreamTrack | null>(null);
  microphone = $state.raw<MediaStreamTrack | null>(null);
  cameraError = $state.raw<HeadwaterError | null>(null);
  microphoneError = $state.raw<HeadwaterError | null>(null);
  devices = $state.raw<DeviceList>(noDevices);
  /** Loudness of the microphone, 0 to 1, a few times a second. */
  level = $state(0);
  muted = $state(false);
  /** True while the person is being asked. */
  asking = $state(false);
  speakerId = $state(preferences.get("speaker") ?? "");
  readonly #stopWatching: () => void;
  #meter: LevelMeter | null = null;
  #meterTimer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor() {
    this.#stopWatching = onDevicesChanged(() => void this.refreshDevices());
  }

  get cameraId(): string {
    return this.camera?.getSettings().deviceId ?? "";
  }

  get microphoneId(): string {
    return this.microphone?.getSettings().deviceId ?? "";
  }

  /** Opens both, each to be had or not. */
  async start(): Promise<void> {
    this.asking = true;
    const opened = await openCameraAndMicrophone(preferences.get("camera"), preferences.get("microphone"));
    this.asking = false;
    this.#take("camera", opened.camera);
    this.#take("microphone", opened.microphone);
    await this.refreshDevices();
  }

  async startCamera(deviceId = preferences.get("camera")): Promise<void> {
    this.#take("camera", await attempt(openCamera(deviceId)));
    if (deviceId && this.camera) preferences.set("camera", deviceId);
    await this.refreshDevices();
  }

  stopCamera(): void {
    this.camera?.stop();
    this.camera = null;
    this.cameraError = null;
  }

  async startMicrophone(deviceId = preferences.get("microphone")): Promise<void> {
    this.#take("microphone", await attempt(openMicrophone(deviceId)));
    if (deviceId && this.microphone) preferences.set("microphone", deviceId);
    await this.refreshDevices();
  }

  setSpeaker(deviceId: string): void {
    this.speakerId = deviceId;
    preferences.set("speaker", deviceId);
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    if (this.microphone) this.microphone.enabled = !muted;
  }

  async refreshDevices(): Promise<void> {
    this.devices = await listDevices();
  }

  /** Lets go of all devices. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#stopWatching();
    this.#setMeter(null);
    this.camera?.stop();
    this.microphone?.stop();
    this.camera = this.microphone = null;
  }

  #take(device: "camera" | "microphone", result: MediaStreamTrack | HeadwaterError): void {
    const track = result instanceof MediaStreamTrack ? result : null;
    if (this.#closed) {
      track?.stop();
      return;
    }
    const error = result instanceof MediaStreamTrack ? null : result;
    if (device === "camera") {
      this.camera?.stop();
      [this.camera, this.cameraError] = [track, error];
    } else {
      this.microphone?.stop();
      [this.microphone, this.microphoneError] = [track, error];
      if (track) track.enabled = !this.muted;
      this.#setMeter(track);
    }
    // Told when a device is unplugged, not when we stop it ourselves.
    track?.addEventListener("ended", () => this.#lost(device, track));
  }

  #lost(device: "camera" | "microphone", track: MediaStreamTrack): void {
    if (this[device] !== track) return;
    const error = new MediaError(device === "camera" ? "no_camera" : "no_microphone");
    if (device === "camera") [this.camera, this.cameraError] = [null, error];
    else {
      [this.microphone, this.microphoneError] = [null, error];
      this.#setMeter(null);
    }
    void this.refreshDevices();
  }

  #setMeter(track: MediaStreamTrack | null): void {
    clearInterval(this.#meterTimer);
    this.#meter?.close();
    this.#meter = track && new LevelMeter(track);
    this.level = 0;
    if (this.#meter) this.#meterTimer = setInterval(() => (this.level = this.muted ? 0 : (this.#meter?.read() ?? 0)), 80);
  }
}

async function attempt(opening: Promise<MediaStreamTrack>): Promise<MediaStreamTrack | HeadwaterError> {
  try {
    return await opening;
  } catch (error) {
    return toError(error);
  }
}
