/**
 * Receives a picture as large as it is shown, and not at all while nobody sees it.
 *
 * A larger place is told at once, a smaller one after `shrinkMs`, so that a layout in motion asks for
 * nothing in between; a picture out of sight is paused after `hideMs` and resumed at once.
 */

import type { Subscriber } from "./subscriber";

export type Followed = Pick<Subscriber, "pause" | "resume" | "setSize" | "paused">;
export type Shown = { readonly width: number; readonly height: number; readonly visible: boolean };

/** Follows `element` until the returned function is called. */
export function followElement(subscriber: Followed, element: Element): () => void {
  const follower = new Follower(subscriber);
  let onScreen = true;
  const look = (): void => {
    const { width, height } = element.getBoundingClientRect();
    const scale = Math.min(globalThis.devicePixelRatio || 1, maxScale);
    follower.see({ width: Math.round(width * scale), height: Math.round(height * scale), visible: onScreen && !document.hidden && width > 0 });
  };
  const sizes = new ResizeObserver(look);
  const sights = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? true;
    look();
  });
  sizes.observe(element);
  sights.observe(element);
  document.addEventListener("visibilitychange", look);
  return () => {
    sizes.disconnect();
    sights.disconnect();
    document.removeEventListener("visibilitychange", look);
    follower.hide();
  };
}

/** What is told of what is seen, and when. */
export class Follower {
  readonly #subscriber: Followed;
  #told = { width: 0, height: 0 };
  #visible: boolean | null = null;
  #shrinking: ReturnType<typeof setTimeout> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;

  constructor(subscriber: Followed) {
    this.#subscriber = subscriber;
  }

  see({ width, height, visible }: Shown): void {
    if (!visible) {
      this.hide();
      return;
    }
    this.#show();
    clearTimeout(this.#shrinking);
    if (width > this.#told.width || height > this.#told.height) this.#tell(width, height);
    else if (width < this.#told.width || height < this.#told.height) this.#shrinking = setTimeout(() => this.#tell(width, height), shrinkMs);
  }

  /** Nobody sees it, for instance because its element is gone; another may show it in a moment. */
  hide(): void {
    if (this.#visible === false) return;
    if (this.#visible) count(this.#subscriber, -1);
    this.#visible = false;
    clearTimeout(this.#shrinking);
    this.#hiding = setTimeout(() => {
      if (count(this.#subscriber, 0) === 0 && !this.#subscriber.paused) void this.#subscriber.pause().catch(ignore);
    }, hideMs);
  }

  #show(): void {
    if (this.#visible === true) return;
    this.#visible = true;
    count(this.#subscriber, 1);
    clearTimeout(this.#hiding);
    if (this.#subscriber.paused) void this.#subscriber.resume().catch(ignore);
  }

  #tell(width: number, height: number): void {
    this.#told = { width, height };
    void this.#subscriber.setSize(width, height).catch(ignore);
  }
}

/** In how many places a track is seen now; a picture that moves has for a moment two. */
const seen = new WeakMap<Followed, number>();

function count(subscriber: Followed, change: number): number {
  const places = (seen.get(subscriber) ?? 0) + change;
  seen.set(subscriber, places);
  return places;
}

/** The track or the connection went away meanwhile; both say so themselves. */
function ignore(): void {
  return undefined;
}

const shrinkMs = 1_000;
const hideMs = 2_000;
/** More pixels than this per CSS pixel nobody sees in a moving picture. */
const maxScale = 2;
