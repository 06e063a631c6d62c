import { expect, test } from "vitest";
import { elementCode, frameCode } from "./embedCode";

const channel = { title: 'Tea & "cake"', links: { watch: "https://live.example/watch/tea", embed: "https://live.example/embed/tea" } };

test("the element's code names the module of its server", () => {
  expect(elementCode(channel)).toContain('src="https://live.example/player.js"');
  expect(elementCode(channel)).toContain('<headwater-player src="https://live.example/watch/tea"');
});

test("a title stays inside its quotes", () => {
  expect(frameCode(channel)).toContain('title="Tea &amp; &quot;cake&quot;"');
});
