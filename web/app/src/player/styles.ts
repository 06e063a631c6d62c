/**
 * The player's styles for its shadow root, as one sheet: it needs no permission of the page's content security
 * policy, and nothing of the page shines through. The build gathers them (`vite.player.config.ts`).
 */

import "../styles/tokens.css";
import "../styles/base.css";
import "./host.css";

export function styleSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(gathered);
  }
  return sheet;
}

let sheet: CSSStyleSheet | null = null;

/** Replaced by the build. */
const gathered = "__PLAYER_STYLES__";
