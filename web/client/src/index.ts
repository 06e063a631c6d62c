/**
 * @headwater/client: join a Headwater meeting, publish and subscribe. No framework, no dependency.
 */

export { Client } from "./client";
export type { ClientOptions, JoinOptions, Meeting, TokenOptions } from "./client";
export { DataPublisher, DataSubscriber } from "./dataChannel";
export type { Data, DataEvents, DataPublisherOptions } from "./dataChannel";
export { ConnectionError, HeadwaterError, MediaError, mediaError, ServerError, serverError, sharedMediaError, StateError, toError } from "./errors";
export type { Device, ErrorCode } from "./errors";
export { Emitter } from "./events";
export type { Listener } from "./events";
export { followElement, Follower } from "./followElement";
export type { Followed, Shown } from "./followElement";
export type { Decision, DecisionKind, Explanation, Layer, LayerChange, LayerReason, LayerWish } from "./layers";
export { createChannel, createPublishToken, getChannel } from "./live/channel";
export type { Channel, ChannelOptions } from "./live/channel";
export { LiveConnection } from "./live/liveConnection";
export type { LiveEvents, LiveOptions, LiveState } from "./live/liveConnection";
export { LivePlayer } from "./live/livePlayer";
export { LivePublisher } from "./live/livePublisher";
export type { LivePublisherOptions } from "./live/livePublisher";
export { LevelMeter, loudness } from "./levelMeter";
export { canShareScreen, listDevices, onDevicesChanged, openCamera, openCameraAndMicrophone, openMicrophone, openScreen } from "./media";
export type { DeviceList, Opened } from "./media";
export type { Participant, RemoteTrack } from "./participant";
export { Publisher } from "./publisher";
export type { Codec, Content, PublishOptions, Source } from "./publisher";
export { PublishTransport } from "./publishTransport";
export type { PublishSignaling, PublishTransportEvents } from "./publishTransport";
export { qualityOf, scoreQuality, transportQuality, worseQuality } from "./quality";
export type { Quality } from "./quality";
export { Room } from "./room";
export type { RoomEvents, RoomOptions, RoomState, RoomStats } from "./room";
export { SerialQueue } from "./serial";
export { Signaling } from "./signaling";
export type { SignalingEvents, SignalingOptions } from "./signaling";
export { Slot } from "./slot";
export type { StallLevel } from "./stallWatch";
export { StatsSampler } from "./stats";
export type { TrackStats, TransportStats } from "./stats";
export { Subscriber } from "./subscriber";
export { SubscribeTransport } from "./subscribeTransport";
export type { SubscribeSignaling, SubscribeTransportEvents } from "./subscribeTransport";
