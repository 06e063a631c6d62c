import { expect, test } from "vitest";
import { readAddress } from "./address";

const page = "https://site.example/news/today";
const of = (attributes: Readonly<Record<string, string>>): unknown => readAddress({ getAttribute: (name) => attributes[name] ?? null }, page);

test("the address of a watch page names server, channel and token", () => {
  expect(of({ src: "https://live.example:8443/watch/friday%20show#token=a.b.c" })).toEqual({
    server: "https://live.example:8443",
    channelId: "friday show",
    token: "a.b.c",
  });
  expect(of({ src: "https://live.example/embed/x/", token: "own" })).toEqual({ server: "https://live.example", channelId: "x", token: "own" });
});

test("server and channel do as well, and the page's own server is the default", () => {
  expect(of({ server: "https://live.example/", channel: "x" })).toEqual({ server: "https://live.example", channelId: "x", token: undefined });
  expect(of({ channel: "x" })).toEqual({ server: "https://site.example", channelId: "x", token: undefined });
});

test("what names no channel is none", () => {
  for (const attributes of [{}, { src: "https://live.example/m/x" }, { src: "http://" }, { server: "https://live.example" }, { channel: "" }]) {
    expect(of(attributes)).toBeNull();
  }
});
