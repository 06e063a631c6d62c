/**
 * Where the camera stands in a picture of the screen. Pure: sizes in, places out, all in pixels.
 */

export type Size = { readonly width: number; readonly height: number };
export type Place = Size & { readonly x: number; readonly y: number };
export type Corner = "top-left" | "top-right" | "bottom-left" | "bottom-right";

/** As large as it is, or as fits; even, as encoders want it. */
export function fit(picture: Size, most: Size): Size {
  const scale = Math.min(1, most.width / picture.width, most.height / picture.height);
  return { width: even(picture.width * scale), height: even(picture.height * scale) };
}

/** A quarter of the width, in a corner. */
export function inset(whole: Size, camera: Size, corner: Corner): Place {
  const margin = Math.round(whole.width * 0.02);
  const room: Size = { width: whole.width * 0.24, height: whole.height * 0.4 };
  const scale = Math.min(room.width / camera.width, room.height / camera.height);
  const [width, height] = [Math.round(camera.width * scale), Math.round(camera.height * scale)];
  return {
    width,
    height,
    x: corner.endsWith("left") ? margin : whole.width - width - margin,
    y: corner.startsWith("top") ? margin : whole.height - height - margin,
  };
}

function even(pixels: number): number {
  return Math.max(2, Math.round(pixels / 2) * 2);
}
