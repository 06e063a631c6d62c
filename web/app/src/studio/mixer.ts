/**
 * Microphone and the sound of the screen in one track, which stays the same while its sources come and go.
 */

export class Mixer {
  readonly #context = new AudioContext();
  readonly #out = this.#context.createMediaStreamDestination();
  readonly #sources = new Map<MediaStreamTrack, MediaStreamAudioSourceNode>();

  constructor() {
    // Made after a click; where that was too long ago it is silent until the next.
    void this.#context.resume().catch(() => undefined);
  }

  get track(): MediaStreamTrack | null {
    return this.#out.stream.getAudioTracks()[0] ?? null;
  }

  /** Mixes these and nothing else. */
  setTracks(tracks: readonly MediaStreamTrack[]): void {
    for (const [track, source] of this.#sources) {
      if (tracks.includes(track)) continue;
      source.disconnect();
      this.#sources.delete(track);
    }
    for (const track of tracks) {
      if (this.#sources.has(track)) continue;
      const source = this.#context.createMediaStreamSource(new MediaStream([track]));
      source.connect(this.#out);
      this.#sources.set(track, source);
    }
  }

  close(): void {
    this.setTracks([]);
    this.track?.stop();
    void this.#context.close().catch(() => undefined);
  }
}
