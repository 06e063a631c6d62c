/**
 * The messages of /signaling/join. Generated from schema/signaling.schema.json by
 * `npm run generate`; do not edit.
 */

export type ClientMessage =
  | Join
  | Offer
  | Answer
  | Candidate
  | Mute
  | SetSubscription
  | RequestKeyFrame
  | RestartIce
  | Update
  | Ping
  | Leave;
export type ServerMessage =
  | Joined
  | ServerOffer
  | ServerAnswer
  | Candidate
  | ParticipantJoined
  | ParticipantUpdated
  | ParticipantLeft
  | TrackPublished
  | TrackUpdated
  | TrackUnpublished
  | TransportClosed
  | Token
  | Pong
  | Left
  | Bye
  | Error;

/**
 * First message. ``type`` may be absent in this one only.
 */
export interface Join {
  readonly type: "join";
  readonly meeting_id: string;
  readonly token?: string | null;
  readonly name?: string | null;
  readonly resume?: string | null;
  readonly restart?: boolean;
  readonly id?: number | string | null;
}
/**
 * Client's offer for its publish transport.
 */
export interface Offer {
  readonly type: "offer";
  readonly sdp: string;
  readonly transport?: "publish" | "subscribe";
  readonly tracks?: readonly OfferedTrack[];
  readonly id?: number | string | null;
}
/**
 * What the client says of an m-line it publishes.
 */
export interface OfferedTrack {
  readonly mid: string;
  readonly source?: "camera" | "microphone" | "screen" | "screen_audio" | "unknown";
  readonly muted?: boolean;
}
/**
 * Client's answer to the server's offer.
 */
export interface Answer {
  readonly type: "answer";
  readonly sdp: string;
  readonly transport?: "publish" | "subscribe";
  readonly id?: number | string | null;
}
/**
 * Trickled candidate, both directions; an empty or absent one ends them.
 */
export interface Candidate {
  readonly type: "candidate";
  readonly candidate?: string | {} | null;
  readonly transport?: "publish" | "subscribe";
  readonly id?: number | string | null;
}
/**
 * Pause or resume one's own publisher.
 */
export interface Mute {
  readonly type: "mute";
  readonly publisher_id: string;
  readonly muted: boolean;
  readonly id?: number | string | null;
}
/**
 * Pause or resume what one receives of a publisher.
 */
export interface SetSubscription {
  readonly type: "set_subscription";
  readonly publisher_id: string;
  readonly paused: boolean;
  readonly id?: number | string | null;
}
/**
 * Ask the publisher for a key frame.
 */
export interface RequestKeyFrame {
  readonly type: "request_key_frame";
  readonly publisher_id: string;
  readonly id?: number | string | null;
}
/**
 * Ask for an ICE restart of the subscribe transport: the server sends a new offer.
 */
export interface RestartIce {
  readonly type: "restart_ice";
  readonly id?: number | string | null;
}
/**
 * Change one's own name.
 */
export interface Update {
  readonly type: "update";
  readonly name: string;
  readonly id?: number | string | null;
}
/**
 * Answered by ``pong``.
 */
export interface Ping {
  readonly type: "ping";
  readonly id?: number | string | null;
}
/**
 * Leave for good.
 */
export interface Leave {
  readonly type: "leave";
  readonly id?: number | string | null;
}
/**
 * Reply to ``join``: who you are and who is there.
 */
export interface Joined {
  readonly type: "joined";
  readonly participant_id: string;
  readonly meeting_id: string;
  readonly connection_id: string;
  readonly name: string;
  readonly role: string;
  readonly participants: readonly ParticipantInfo[];
  readonly ice_servers?: readonly {}[];
  readonly token?: string | null;
  readonly resumed?: boolean;
  readonly id?: number | string | null;
}
/**
 * A person (or program) in the room.
 */
export interface ParticipantInfo {
  readonly id: string;
  readonly name: string;
  readonly identity: string;
  readonly role?: string;
  readonly protocol?: "webrtc" | "whep" | "whip";
  readonly tracks?: readonly TrackInfo[];
}
/**
 * A track somebody publishes.
 */
export interface TrackInfo {
  readonly publisher_id: string;
  readonly participant_id: string;
  readonly kind: "audio" | "video";
  readonly source?: "camera" | "microphone" | "screen" | "screen_audio" | "unknown";
  readonly muted?: boolean;
  readonly mid?: string | null;
}
/**
 * Server's offer for the subscribe transport; map tracks by mid, never by msid.
 */
export interface ServerOffer {
  readonly type: "offer";
  readonly sdp: string;
  readonly tracks: readonly TrackInfo[];
  readonly transport?: "publish" | "subscribe";
}
/**
 * Answer to the client's offer.
 */
export interface ServerAnswer {
  readonly type: "answer";
  readonly sdp: string;
  readonly tracks?: readonly PublishedTrack[];
  readonly transport?: "publish" | "subscribe";
  readonly id?: number | string | null;
}
/**
 * The publisher that an m-line of the client's offer became.
 */
export interface PublishedTrack {
  readonly mid: string;
  readonly publisher_id: string;
}
/**
 * Somebody came.
 */
export interface ParticipantJoined {
  readonly type: "participant_joined";
  readonly participant: ParticipantInfo;
}
/**
 * Somebody changed their name or role.
 */
export interface ParticipantUpdated {
  readonly type: "participant_updated";
  readonly participant: ParticipantInfo;
}
/**
 * Somebody left.
 */
export interface ParticipantLeft {
  readonly type: "participant_left";
  readonly participant_id: string;
  readonly reason?: string;
}
/**
 * A new track; the offer that carries it follows.
 */
export interface TrackPublished {
  readonly type: "track_published";
  readonly track: TrackInfo;
}
/**
 * A track was muted or unmuted.
 */
export interface TrackUpdated {
  readonly type: "track_updated";
  readonly track: TrackInfo;
}
/**
 * A track ended.
 */
export interface TrackUnpublished {
  readonly type: "track_unpublished";
  readonly publisher_id: string;
  readonly participant_id: string;
}
/**
 * The server lost a peer connection: drop it and make a new one.
 *
 *     For ``subscribe`` a fresh offer follows; for ``publish`` the client offers again.
 */
export interface TransportClosed {
  readonly type: "transport_closed";
  readonly transport: "publish" | "subscribe";
  readonly reason: string;
}
/**
 * A fresh token before the old one expires.
 */
export interface Token {
  readonly type: "token";
  readonly token: string;
  readonly expires_at: number;
}
/**
 * Reply to ``ping``; also the plain acknowledgement of requests without another reply.
 */
export interface Pong {
  readonly type: "pong";
  readonly id?: number | string | null;
}
/**
 * Reply to ``leave``.
 */
export interface Left {
  readonly type: "left";
  readonly id?: number | string | null;
}
/**
 * The server ends the connection; ``reconnect`` says whether trying again makes sense.
 */
export interface Bye {
  readonly type: "bye";
  readonly reason: string;
  readonly reconnect?: boolean;
}
/**
 * A request failed.
 */
export interface Error {
  readonly type: "error";
  readonly problem: Problem;
  readonly id?: number | string | null;
}
/**
 * RFC 9457 problem details; ``code`` is stable and machine-readable.
 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code?: string;
}
