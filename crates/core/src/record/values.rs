//! The values of commands, relays and decisions in a recording. A variant keeps its number for ever;
//! a change of any of these is a new [`super::VERSION`].

use std::num::NonZeroU32;

use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::Rid;

use super::wire::{Reader, Wire, wire_enum, wire_ids, wire_struct};
use crate::codec::Format;
use crate::command::{
    CodecKind, Command, DataStream, DtlsVersion, Feed, Keying, PlainOptions, PlainParameters,
    RouterOptions, TransportOptions,
};
use crate::event::{CloseReason, CodecInfo, ConnectionState, TrackKind};
use crate::ids::{
    DataPublisherId, DataSubscriberId, ObjectId, PublisherId, RecordingTrackId, RequestId,
    RouterId, SubscriberId, TransportId,
};
use crate::layer::{Content, Layer, LayerReason, Preferences};
use crate::srtp::Profile;

wire_ids!(
    RouterId,
    TransportId,
    PublisherId,
    SubscriberId,
    DataPublisherId,
    DataSubscriberId,
    RecordingTrackId,
    RequestId,
);

wire_enum!(ObjectId {
    0 => Router { 0: id },
    1 => Transport { 0: id },
    2 => Publisher { 0: id },
    3 => Subscriber { 0: id },
    4 => DataPublisher { 0: id },
    5 => DataSubscriber { 0: id },
    6 => RecordingTrack { 0: id },
});
wire_enum!(DtlsVersion { 0 => V12 {}, 1 => V13 {} });
wire_enum!(CodecKind { 0 => Opus {}, 1 => Vp8 {}, 2 => Vp9 {}, 3 => Av1 {}, 4 => H264 {} });
wire_enum!(TrackKind { 0 => Audio {}, 1 => Video {} });
wire_enum!(Content { 0 => Camera {}, 1 => Detail {}, 2 => Motion {} });
wire_enum!(Profile { 0 => AeadAes128Gcm {}, 1 => AeadAes256Gcm {}, 2 => Aes128CmSha1_80 {} });
wire_enum!(LayerReason {
    0 => Start {},
    1 => Requested {},
    2 => Bandwidth {},
    3 => Publisher {},
    4 => Overload {},
    5 => Paused {},
});
wire_enum!(ConnectionState {
    0 => New {},
    1 => Connecting {},
    2 => Connected {},
    3 => Disconnected {},
    4 => Failed {},
});
wire_enum!(CloseReason {
    0 => Requested {},
    1 => Parent {},
    2 => PublisherClosed {},
    3 => RemoteEnded {},
    4 => RemoteClosed {},
    5 => ConnectionFailed {},
    6 => UnsupportedCodec {},
    7 => Panic {},
});
wire_struct!(RouterOptions { codecs });
wire_struct!(TransportOptions {
    dtls,
    disconnected_timeout,
    failed_timeout,
    max_bitrate,
    by_parameters,
});
wire_struct!(DataStream {
    id,
    ordered,
    max_retransmits,
    max_packet_lifetime,
    protocol,
});
wire_struct!(PlainOptions {
    local,
    rtcp_local,
    comedia,
    keys,
});
wire_struct!(PlainParameters {
    codec,
    ssrcs,
    nack,
    pli,
    fir,
    audio_level,
});
wire_struct!(Layer { spatial, temporal });
wire_struct!(Preferences {
    spatial,
    temporal,
    min_spatial,
    min_temporal,
    max_spatial,
    max_temporal,
    width,
    height,
    max_fps,
    priority,
    content,
});
wire_struct!(CodecInfo {
    mime,
    payload_type,
    clock_rate,
    channels,
    fmtp,
});
wire_enum!(Command {
    0 => CreateRouter { router, options },
    1 => CreateBranch { router, home, options },
    2 => CloseRouter { router },
    3 => CreatePublishTransport { router, transport, options },
    4 => CreateSubscribeTransport { router, transport, options },
    5 => CreateRecordingTransport { router, transport, remote },
    6 => CloseTransport { transport },
    7 => AcceptOffer { transport, sdp },
    8 => CreateOffer { transport, ice_restart },
    9 => AcceptAnswer { transport, sdp },
    10 => RollbackOffer { transport },
    11 => AddCandidate { transport, candidate },
    12 => Publish { transport, publisher, mid },
    13 => SetPublisherPaused { publisher, paused },
    14 => RequestKeyFrame { publisher },
    15 => ClosePublisher { publisher },
    16 => Subscribe { transport, items },
    17 => Attach { transport, subscriber, publisher, mid },
    18 => SetSubscriberPaused { subscriber, paused },
    19 => SetPreferences { subscriber, preferences },
    20 => SetPublisherContent { publisher, content },
    21 => CloseSubscriber { subscriber },
    22 => PublishData { transport, data_publisher, label, stream },
    23 => SubscribeData { transport, data_subscriber, data_publisher, stream },
    24 => SetDataTap { data_publisher, tapped },
    25 => SendData { data_publisher, binary, payload },
    26 => CloseDataPublisher { data_publisher },
    27 => CloseDataSubscriber { data_subscriber },
    28 => StartRecording { transport, track, publisher, remote },
    29 => StopRecording { track },
    30 => GetStats { target },
    31 => InjectPanic { transport },
    32 => GetJournal { subscriber },
    33 => SetAudioLevels { router, interval },
    34 => SetShare { share },
    35 => OpenSlots { transport, kind, slots, own },
    36 => SetOwnTransport { transport, own },
    37 => SetSlot { transport, subscriber, feed },
    38 => SetMaxBitrate { transport, bitrate },
    40 => DescribeTransport { transport },
    41 => RenewIce { transport },
    42 => SetFingerprint { transport, fingerprint },
    50 => CreatePlainTransport { router, transport, options },
    51 => ConnectPlainTransport { transport, remote, rtcp_remote, keys },
    52 => Produce { transport, publisher, kind, parameters },
    53 => Consume { transport, track, publisher, paused },
    54 => SetTrackPaused { track, paused },
    55 => SetTrackPreferences { track, preferences },
});
use crate::command::StatsTarget;
wire_enum!(Feed { 0 => Loudest {}, 1 => Publisher { 0: id }, 2 => Nobody {} });
wire_enum!(StatsTarget {
    0 => Thread {},
    1 => Transport { 0: id },
    2 => Publisher { 0: id },
    3 => Subscriber { 0: id },
    4 => DataPublisher { 0: id },
    5 => DataSubscriber { 0: id },
    6 => RecordingTrack { 0: id },
});

impl Wire for Rid {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self::from(String::take(from)?.as_str()))
    }
}

/// Without the keys: a replay seals under zeroes.
impl Wire for Keying {
    fn put(&self, out: &mut Vec<u8>) {
        self.profile.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let profile = Profile::take(from)?;
        let material = vec![0; profile.keying_material() / 2];
        Some(Self { profile, material })
    }
}

/// Only codecs that we forward.
impl Wire for Format {
    fn put(&self, out: &mut Vec<u8>) {
        let codec = CODECS.iter().position(|codec| *codec == self.spec.codec);
        out.push(codec.map_or(u8::MAX, |place| place as u8));
        self.spec.clock_rate.get().put(out);
        self.spec.channels.put(out);
        self.spec.format.to_string().put(out);
        self.payload_type.put(out);
        self.red.put(out);
        self.primary.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let codec = *CODECS.get(usize::from(from.byte()?))?;
        let clock_rate = NonZeroU32::new(u32::take(from)?)?;
        let spec = CodecSpec {
            codec,
            clock_rate: clock_rate.into(),
            channels: Wire::take(from)?,
            format: FormatParams::parse_line(&String::take(from)?),
        };
        Some(Self {
            payload_type: Wire::take(from)?,
            spec,
            red: Wire::take(from)?,
            primary: Wire::take(from)?,
        })
    }
}

const CODECS: [Codec; 5] = [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264];
