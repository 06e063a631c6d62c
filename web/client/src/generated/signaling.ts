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
  | SetLayers
  | Why
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
  | LayerChanged
  | LayersWanted
  | ActiveSpeaker
  | SlotChanged
  | Quality
  | WhyAnswer
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
  readonly content?: "camera" | "detail" | "motion";
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
 * Say what one would like to receive of a publisher; what is absent is no wish.
 *
 *     A whole: it takes the place of what was said before. Wishes are ceilings, the network may give less.
 */
export interface SetLayers {
  readonly type: "set_layers";
  readonly publisher_id: string;
  readonly spatial?: number | null;
  readonly temporal?: number | null;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly max_fps?: number | null;
  readonly priority?: number | null;
  readonly id?: number | string | null;
}
/**
 * Ask why one receives a track as one does.
 */
export interface Why {
  readonly type: "why";
  readonly publisher_id: string;
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
  readonly slots?: readonly Slot[];
  readonly transport?: "publish" | "subscribe";
}
/**
 * An m-line that carries one voice after the other.
 */
export interface Slot {
  readonly mid: string;
  readonly publisher_id?: string | null;
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
 * What one receives of a publisher changed; without ``to`` the line is too thin for any picture.
 */
export interface LayerChanged {
  readonly type: "layer_changed";
  readonly publisher_id: string;
  readonly reason: "bandwidth" | "overload" | "paused" | "publisher" | "requested" | "start";
  readonly from?: Layer | null;
  readonly to?: Layer | null;
  readonly estimate?: number | null;
}
/**
 * A spatial layer, 0 being the smallest picture, and a temporal layer, 0 the lowest frame rate.
 */
export interface Layer {
  readonly spatial: number;
  readonly temporal: number;
}
/**
 * Which encodings of one's own track anybody needs; the others need not be sent.
 */
export interface LayersWanted {
  readonly type: "layers_wanted";
  readonly publisher_id: string;
  readonly encodings?: readonly EncodingWanted[];
  readonly max?: Layer | null;
}
/**
 * Whether anybody needs one of the encodings that a track is sent in.
 */
export interface EncodingWanted {
  readonly rid: string;
  readonly active: boolean;
}
/**
 * Who speaks; without ids nobody does.
 */
export interface ActiveSpeaker {
  readonly type: "active_speaker";
  readonly publisher_id?: string | null;
  readonly participant_id?: string | null;
}
/**
 * One of one's slots carries another voice; without ``publisher_id`` it is silent. No offer follows.
 */
export interface SlotChanged {
  readonly type: "slot_changed";
  readonly mid: string;
  readonly publisher_id?: string | null;
}
/**
 * How well somebody's connection works, oneself included: 0 (nothing gets through) to 100.
 */
export interface Quality {
  readonly type: "quality";
  readonly participant_id: string;
  readonly score: number;
}
/**
 * Reply to ``why``: what was asked for, what was decided, what passes, and the last decisions.
 */
export interface WhyAnswer {
  readonly type: "why";
  readonly publisher_id: string;
  readonly preferred?: Layer | null;
  readonly target?: Layer | null;
  readonly current?: Layer | null;
  readonly paused?: boolean;
  readonly codec?: string | null;
  readonly layers?: readonly LayerStats[];
  readonly estimate?: number | null;
  readonly decisions?: readonly Decision[];
  readonly id?: number | string | null;
}
/**
 * One layer that a publisher sends now.
 */
export interface LayerStats {
  readonly spatial: number;
  readonly temporal: number;
  readonly bitrate: number;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly fps?: number | null;
}
/**
 * Something that was decided about a received track, and on what grounds.
 */
export interface Decision {
  readonly ago_ms: number;
  readonly kind:
    | "current"
    | "estimate"
    | "gate"
    | "key_frame_arrived"
    | "key_frame_asked"
    | "key_frame_requested"
    | "queue_dropped"
    | "slot"
    | "speaker"
    | "target"
    | "wanted";
  readonly facts?: {
    [k: string]: number | string;
  };
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
