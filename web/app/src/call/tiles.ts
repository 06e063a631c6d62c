/**
 * Who gets a tile: one per person, and one more per shared screen; and which tiles are shown where
 * not all find room. Pure, so that it can be tested.
 */

import type { Participant, Subscriber } from "@headwater/client";

export type Tile = {
  /** Stable while the tile stands for the same thing, so that it can move instead of blink. */
  readonly key: string;
  readonly participantId: string;
  readonly name: string;
  readonly isSelf: boolean;
  readonly isScreen: boolean;
  readonly video: MediaStreamTrack | null;
  /** Whose picture it is on the wire; `null` for oneself and where there is no picture. */
  readonly publisherId: string | null;
  /** The microphone is off or absent. */
  readonly muted: boolean;
  /** Came by WHIP: a program, not a browser. */
  readonly isBroadcast: boolean;
};

export type TileInput = {
  readonly self: { readonly id: string; readonly name: string };
  readonly camera: MediaStreamTrack | null;
  readonly screen: MediaStreamTrack | null;
  readonly muted: boolean;
  readonly participants: readonly Participant[];
  readonly subscribers: readonly Pick<Subscriber, "participantId" | "kind" | "source" | "track" | "publisherId">[];
};

/** Screens first, then the others in the order in which they came, oneself last. */
export function buildTiles(input: TileInput): Tile[] {
  const others = input.participants.filter(({ protocol }) => protocol !== "whep");
  return [
    ...others.flatMap((participant) => screenTiles(participant, input)),
    ...ownScreen(input),
    ...others.map((participant) => personTile(participant, input)),
    ownTile(input),
  ];
}

/**
 * As many tiles as there is `room` for, in their order: oneself, screens, then those who spoke last,
 * so that whoever speaks comes into view and takes the place of whom nobody has heard for longest.
 *
 * `spoke` grows with every turn, by participant.
 */
export function pickShown(tiles: readonly Tile[], room: number, spoke: ReadonlyMap<string, number>): Tile[] {
  const rank = (tile: Tile): number => (tile.isScreen ? Number.MAX_SAFE_INTEGER : (spoke.get(tile.participantId) ?? 0));
  // The sort is stable: among equals who came first stays.
  const self = tiles.filter(({ isSelf, isScreen }) => isSelf && !isScreen);
  const others = tiles.filter((tile) => !self.includes(tile));
  const first = [...self, ...others.toSorted((a, b) => rank(b) - rank(a))].slice(0, room);
  return tiles.filter((tile) => first.includes(tile));
}

function personTile(participant: Participant, { subscribers }: TileInput): Tile {
  const muted = (publisherId: string): boolean =>
    participant.tracks.find((track) => track.publisherId === publisherId)?.muted ?? false;
  const camera = subscribers.find(
    ({ participantId, kind, source, publisherId }) =>
      participantId === participant.id && kind === "video" && source !== "screen" && !muted(publisherId),
  );
  const voices = participant.tracks.filter(({ kind, source }) => kind === "audio" && source !== "screen_audio");
  return {
    key: participant.id,
    participantId: participant.id,
    name: participant.name || "Guest",
    isSelf: false,
    isScreen: false,
    video: camera?.track ?? null,
    publisherId: camera?.publisherId ?? null,
    muted: voices.every((track) => track.muted),
    isBroadcast: participant.protocol === "whip",
  };
}

function screenTiles(participant: Participant, { subscribers }: TileInput): Tile[] {
  return subscribers
    .filter(({ participantId, kind, source }) => participantId === participant.id && kind === "video" && source === "screen")
    .map(({ publisherId, track }) => ({
      key: publisherId,
      participantId: participant.id,
      name: `${participant.name || "Guest"}’s screen`,
      isSelf: false,
      isScreen: true,
      video: track,
      publisherId,
      muted: false,
      isBroadcast: false,
    }));
}

function ownTile({ self, camera, muted }: TileInput): Tile {
  return {
    key: "self",
    participantId: self.id,
    name: self.name,
    isSelf: true,
    isScreen: false,
    video: camera,
    publisherId: null,
    muted,
    isBroadcast: false,
  };
}

function ownScreen({ self, screen }: TileInput): Tile[] {
  if (!screen) return [];
  return [
    {
      key: "self-screen",
      participantId: self.id,
      name: "Your screen",
      isSelf: true,
      isScreen: true,
      video: screen,
      publisherId: null,
      muted: false,
      isBroadcast: false,
    },
  ];
}
