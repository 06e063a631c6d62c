/**
 * Attachments that put tracks into media elements.
 */

import { followElement, type Subscriber } from "@headwater/client";
import type { Attachment } from "svelte/attachments";

/** Shows or plays `track`; `onBlocked` is called when the browser wants a click first. */
export function playing(track: MediaStreamTrack, onBlocked?: (retry: () => void) => void): Attachment<HTMLMediaElement> {
  return (element) => {
    element.srcObject = new MediaStream([track]);
    const play = (): void => {
      element.play().catch((error: unknown) => {
        if (error instanceof DOMException && error.name === "NotAllowedError") onBlocked?.(play);
      });
    };
    play();
    return () => {
      element.srcObject = null;
    };
  };
}

/** Receives a picture as large as its element is, and not at all while nobody sees it. */
export function following(subscriber: Subscriber): Attachment {
  return (element) => followElement(subscriber, element);
}

/** Sends the sound of an element to a speaker; the default one where the browser cannot choose. */
export function speaker(deviceId: string): Attachment<HTMLMediaElement> {
  return (element) => {
    if (canChooseSpeaker()) element.setSinkId(deviceId).catch(() => undefined);
  };
}

export function canChooseSpeaker(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}
