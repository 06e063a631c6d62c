/**
 * `<headwater-player>`: the player of the watch page, on any page.
 *
 *     <script type="module" src="https://live.example/player.js"></script>
 *     <headwater-player src="https://live.example/watch/friday-show" autoplay muted controls></headwater-player>
 *
 * `docs/topics/player.md` is the reference of attributes, properties and events; they are kept stable.
 */

import { type ComponentProps, flushSync, mount, unmount } from "svelte";
import { type Address, readAddress } from "./address";
import { styleSheet } from "./styles";
import Player from "./Player.svelte";
import type { Phase, Watch, Way } from "./watch.svelte";

/** What the event `state` tells, and the property `state` holds. */
export type PlayerState = {
  readonly phase: Phase;
  readonly way: Way;
  readonly title: string;
  readonly viewers: number;
  /** Seconds behind what happens; `null` while unknown. */
  readonly behind: number | null;
  readonly rewound: boolean;
};

/** What the event `error` tells. */
export type PlayerError = { readonly code: string; readonly message: string; readonly advice: string };

export class HeadwaterPlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "server", "channel", "token", "by", "autoplay", "muted", "controls"] as const;
  #player: ReturnType<typeof mount> | null = null;
  #props: Looks | null = null;
  #watch: Watch | null = null;
  #video: HTMLVideoElement | null = null;
  #address = "";
  #stopFollowing: (() => void) | null = null;
  #state: PlayerState = nothing;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [styleSheet()];
  }

  /** How it goes now. */
  get state(): PlayerState {
    return this.#state;
  }

  /** The video element, for whoever needs more than this. */
  get video(): HTMLVideoElement | null {
    return this.#video;
  }

  get muted(): boolean {
    return this.#video?.muted ?? this.hasAttribute("muted");
  }

  set muted(muted: boolean) {
    this.toggleAttribute("muted", muted);
    if (this.#video) this.#video.muted = muted;
  }

  /** Plays; after the first time it goes on where it was paused. */
  play(): void {
    this.#watch?.begin();
    this.#watch?.resume();
  }

  pause(): void {
    this.#video?.pause();
  }

  /** Shows what was so many seconds ago, as far as it is kept. */
  goBack(seconds: number): void {
    this.#watch?.goBack(seconds);
  }

  /** Returns to what is newest. */
  toLive(): void {
    this.#watch?.toLive();
  }

  connectedCallback(): void {
    this.#update();
  }

  disconnectedCallback(): void {
    this.#end();
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.#update();
  }

  #update(): void {
    const address = readAddress(this, document.baseURI);
    const key = JSON.stringify([address, this.getAttribute("by")]);
    if (key !== this.#address || !this.#player) {
      this.#end();
      this.#address = key;
      if (address) this.#begin(address);
      return;
    }
    if (!this.#props) return;
    this.#props.muted = this.hasAttribute("muted");
    this.#props.controls = this.hasAttribute("controls");
    if (this.hasAttribute("autoplay")) this.#watch?.begin();
  }

  #begin(address: Address): void {
    const props = $state<ComponentProps<typeof Player> & Looks>({
      ...address,
      way: this.getAttribute("by") === "hls" ? "hls" : "webrtc",
      begins: this.hasAttribute("autoplay"),
      muted: this.hasAttribute("muted"),
      controls: this.hasAttribute("controls"),
      alone: this.hasAttribute("alone"),
      onReady: (watch, video) => this.#follow(watch, video),
    });
    this.#props = props;
    this.#player = mount(Player, { target: this.shadowRoot ?? this, props });
    flushSync();
  }

  #follow(watch: Watch, video: HTMLVideoElement): void {
    this.#watch = watch;
    this.#video = video;
    this.#stopFollowing = $effect.root(() => {
      $effect(() => this.#tell(watch));
    });
  }

  #tell(watch: Watch): void {
    const { phase, way, channel, behind, rewound, error } = watch;
    this.#state = { phase, way, title: channel?.title ?? "", viewers: channel?.viewers ?? 0, behind, rewound };
    this.dispatchEvent(new CustomEvent<PlayerState>("state", { detail: this.#state }));
    if (phase !== "failed" || !error) return;
    const { code, message, advice } = error;
    this.dispatchEvent(new CustomEvent<PlayerError>("error", { detail: { code, message, advice } }));
  }

  #end(): void {
    this.#stopFollowing?.();
    if (this.#player) void unmount(this.#player);
    this.#stopFollowing = this.#player = this.#props = this.#watch = this.#video = null;
    this.#state = nothing;
  }
}

/** What may change while it plays. */
type Looks = { muted: boolean; controls: boolean };

const nothing: PlayerState = { phase: "loading", way: "webrtc", title: "", viewers: 0, behind: null, rewound: false };
