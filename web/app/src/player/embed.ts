/**
 * `/embed/{channel}`: the player and nothing else, for a frame on another site. `?autoplay=1`, `muted=1`,
 * `controls=0` and `by=hls` say what the element's attributes say; `#token=…` opens a private channel.
 */

import "./index";

const sheet = new CSSStyleSheet();
sheet.replaceSync("html, body { height: 100%; margin: 0; background: #14272b } headwater-player { height: 100%; width: 100%; aspect-ratio: auto }");
document.adoptedStyleSheets = [sheet];

const wishes = new URLSearchParams(location.search);
const wished = (name: string, usual: boolean): boolean => {
  const value = wishes.get(name);
  return value === null ? usual : value !== "0" && value !== "false";
};

const player = document.createElement("headwater-player");
player.setAttribute("src", location.href);
player.setAttribute("by", wishes.get("by") ?? "webrtc");
player.toggleAttribute("autoplay", wished("autoplay", false));
player.toggleAttribute("muted", wished("muted", false));
player.toggleAttribute("controls", wished("controls", true));
player.toggleAttribute("alone", true);
player.addEventListener("state", () => (document.title = player.state.title || "Live"));
document.body.append(player);
