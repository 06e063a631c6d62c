/**
 * `/player.js`: defines `<headwater-player>`.
 */

import { HeadwaterPlayer } from "./element.svelte";

export { HeadwaterPlayer };
export type { PlayerError, PlayerState } from "./element.svelte";

declare global {
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- merged into the browser's own
  interface HTMLElementTagNameMap {
    "headwater-player": HeadwaterPlayer;
  }
}

if (!customElements.get("headwater-player")) customElements.define("headwater-player", HeadwaterPlayer);
