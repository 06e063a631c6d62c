/**
 * Who is in the room and what they publish. Values: a change makes a new one, so that a user
 * interface can compare by identity.
 */

import type { ParticipantInfo, TrackInfo } from "./generated/signaling";
import type { Source } from "./publisher";

export type RemoteTrack = {
  readonly publisherId: string;
  readonly participantId: string;
  readonly kind: "audio" | "video";
  readonly source: Source;
  readonly muted: boolean;
};

export type Participant = {
  readonly id: string;
  readonly name: string;
  readonly identity: string;
  readonly role: string;
  /** How they are connected: a `whip` participant sends only, a `whep` participant watches only. */
  readonly protocol: "webrtc" | "whip" | "whep";
  readonly tracks: readonly RemoteTrack[];
};

export function toParticipant(info: ParticipantInfo): Participant {
  return {
    id: info.id,
    name: info.name,
    identity: info.identity,
    role: info.role ?? "participant",
    protocol: info.protocol ?? "webrtc",
    tracks: (info.tracks ?? []).map(toRemoteTrack),
  };
}

export function toRemoteTrack(info: TrackInfo): RemoteTrack {
  return {
    publisherId: info.publisher_id,
    participantId: info.participant_id,
    kind: info.kind,
    source: info.source ?? "unknown",
    muted: info.muted ?? false,
  };
}

/** The participant with `track` added, or changed where it is known already. */
export function withTrack(participant: Participant, track: RemoteTrack): Participant {
  const others = participant.tracks.filter(({ publisherId }) => publisherId !== track.publisherId);
  return { ...participant, tracks: [...others, track] };
}

export function withoutTrack(participant: Participant, publisherId: string): Participant {
  return { ...participant, tracks: participant.tracks.filter((track) => track.publisherId !== publisherId) };
}
