import { expect, test } from "vitest";
import { fit, inset } from "./inset";

const whole = { width: 1280, height: 720 };
const camera = { width: 640, height: 360 };

test("a large screen is made smaller, a small one is not made larger", () => {
  const most = { width: 1920, height: 1080 };
  expect(fit({ width: 3840, height: 2400 }, most)).toEqual({ width: 1728, height: 1080 });
  expect(fit({ width: 801, height: 600 }, most)).toEqual({ width: 802, height: 600 });
});

test("the camera stands in its corner with the same margin on both sides", () => {
  expect(inset(whole, camera, "top-left")).toEqual({ x: 26, y: 26, width: 307, height: 173 });
  expect(inset(whole, camera, "bottom-right")).toEqual({ x: 1280 - 307 - 26, y: 720 - 173 - 26, width: 307, height: 173 });
});

test("an upright camera does not cover the whole side", () => {
  expect(inset(whole, { width: 720, height: 1280 }, "top-right")).toEqual({ x: 1280 - 162 - 26, y: 26, width: 162, height: 288 });
});
