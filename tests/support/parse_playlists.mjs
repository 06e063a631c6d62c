// Reads playlists with the npm package hls-parser: a JSON list of texts comes in, a JSON list of what it found
// goes out. Its one argument is the package.json beside whose node_modules the package lies.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const HLS = createRequire(process.argv[2])("hls-parser");
const found = JSON.parse(await text(process.stdin)).map((playlist) => {
  // It counts three target durations as three segments, the one that is being written among them: a part more
  // than it expects is no error of ours. What it makes of them is compared.
  HLS.setOptions({ strictMode: !playlist.includes("#EXT-X-PART:"), silent: true });
  return HLS.parse(playlist);
});
process.stdout.write(JSON.stringify(found));
