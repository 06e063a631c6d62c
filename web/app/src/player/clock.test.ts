import { expect, test } from "vitest";
import { behindText, clock } from "./clock";

test("spans are read as on a clock", () => {
  expect([0, 7.4, 65, 3723, -1].map(clock)).toEqual(["0:00", "0:07", "1:05", "1:02:03", "0:00"]);
});

test("little is said of little", () => {
  expect([0.4, 1.2, 59.4, 61].map(behindText)).toEqual(["< 1 s", "1 s", "59 s", "1:01"]);
});
