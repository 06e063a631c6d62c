/**
 * How loud a track is, 0 to 1, for a meter. Uses an AudioContext of its own, so close it.
 */
export class LevelMeter {
  readonly #context: AudioContext;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;

  constructor(track: MediaStreamTrack) {
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 512;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
    // Started without a click the context may be suspended; the meter then simply stays at zero.
    void this.#context.resume().catch(() => undefined);
  }

  /** Loudness now: 0 is silence, 1 as loud as it gets, on a scale that feels even to the ear. */
  read(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return loudness(Math.sqrt(sum / this.#samples.length));
  }

  close(): void {
    void this.#context.close().catch(() => undefined);
  }
}

/** Maps a root mean square to 0..1 over the 50 dB in which speech lives. */
export function loudness(rootMeanSquare: number): number {
  if (rootMeanSquare <= 0) return 0;
  const decibels = 20 * Math.log10(rootMeanSquare);
  return Math.min(1, Math.max(0, (decibels + 55) / 50));
}
