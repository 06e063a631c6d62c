/**
 * The captions of a video element: whatever text tracks it has, from the subtitle renditions of an HLS
 * playlist, from captions inside the pictures, or from the browser's own player.
 *
 * Off until somebody wants them. The browser parses and times the cues; they are drawn by us, so that they
 * stand above the controls and look the same everywhere.
 */

export class Captions {
  /** What there is to choose from. */
  tracks = $state.raw<readonly TextTrack[]>([]);
  /** Which is shown; `null`: none. */
  chosen = $state.raw<TextTrack | null>(null);
  /** What is said now. */
  lines = $state.raw<readonly string[]>([]);
  readonly #list: TextTrackList;
  /** The language last wanted; comes back when the tracks are made anew. */
  #wanted: string | null = null;

  constructor(video: HTMLVideoElement) {
    this.#list = video.textTracks;
    for (const name of events) this.#list.addEventListener(name, this.#read);
    this.#read();
  }

  /** Shows a track, or none. */
  choose(track: TextTrack | null): void {
    this.#wanted = track && nameOf(track);
    this.#show(track);
  }

  /** On with what was shown last, or with the first there is; off when on. */
  toggle(): void {
    this.choose(this.chosen ? null : (this.tracks[0] ?? null));
  }

  close(): void {
    for (const name of events) this.#list.removeEventListener(name, this.#read);
    this.#show(null);
  }

  readonly #read = (): void => {
    const tracks = [...this.#list].filter(({ kind }) => kind === "subtitles" || kind === "captions");
    if (tracks.length !== this.tracks.length || tracks.some((track, index) => track !== this.tracks[index])) this.tracks = tracks;
    const chosen = tracks.find((track) => nameOf(track) === this.#wanted) ?? null;
    if (chosen !== this.chosen) this.#show(chosen);
    else this.#setModes();
  };

  #show(track: TextTrack | null): void {
    this.chosen?.removeEventListener("cuechange", this.#say);
    this.chosen = track;
    track?.addEventListener("cuechange", this.#say);
    this.#setModes();
    this.#say();
  }

  /** Hidden tracks have cues and are not drawn by the browser; others take no bandwidth. */
  #setModes(): void {
    for (const track of this.tracks) {
      const mode = track === this.chosen ? "hidden" : "disabled";
      if (track.mode !== mode) track.mode = mode;
    }
  }

  readonly #say = (): void => {
    const cues = [...(this.chosen?.activeCues ?? [])];
    this.lines = cues.flatMap((cue) => (cue instanceof VTTCue ? plain(cue).split("\n") : []));
  };
}

/** What a person calls a track. */
export function nameOf({ label, language }: TextTrack): string {
  return label || language || "Captions";
}

/** The words of a cue, without its markup. */
function plain(cue: VTTCue): string {
  return cue.getCueAsHTML().textContent.trim();
}

const events = ["addtrack", "removetrack", "change"] as const;
