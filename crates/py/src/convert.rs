//! Values in both directions. Text that Python gives is checked here, once.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use headwater_core::command::{
    CodecKind, DataStream, DtlsVersion, Keying, RouterOptions, StatsTarget, TransportOptions,
};
use headwater_core::event::{CloseReason, CodecInfo, ConnectionState, TrackInfo, TrackKind};
use headwater_core::ids::{
    DataPublisherId, DataSubscriberId, ObjectId, PublisherId, RecordingTrackId, SubscriberId,
    TransportId,
};
use headwater_core::layer::{Content, Layer, LayerReason};
use headwater_core::srtp::Profile;
use pyo3::PyResult;

use crate::errors::ConfigurationError;
use crate::values::{Codec, Track};

pub(crate) fn router_options(codecs: &[String]) -> PyResult<RouterOptions> {
    let codecs = codecs.iter().map(|name| codec_kind(name));
    Ok(RouterOptions {
        codecs: codecs.collect::<PyResult<_>>()?,
    })
}

pub(crate) fn codec(codec: CodecInfo) -> Codec {
    let CodecInfo {
        mime,
        payload_type,
        clock_rate,
        channels,
        fmtp,
    } = codec;
    Codec {
        mime,
        payload_type,
        clock_rate,
        channels,
        fmtp,
    }
}

pub(crate) fn track(track: TrackInfo) -> Track {
    let TrackInfo {
        mid,
        kind,
        track_id,
        stream_id,
        active,
        rids,
    } = track;
    Track {
        mid,
        kind: track_kind(kind),
        track_id,
        stream_id,
        active,
        rids,
    }
}

pub(crate) fn kind_named(name: &str) -> PyResult<TrackKind> {
    match name {
        "audio" => Ok(TrackKind::Audio),
        "video" => Ok(TrackKind::Video),
        _ => Err(ConfigurationError::new_err(format!(
            "no kind of track is called {name:?}"
        ))),
    }
}

pub(crate) const fn track_kind(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    }
}

pub(crate) const fn connection_state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::New => "new",
        ConnectionState::Connecting => "connecting",
        ConnectionState::Connected => "connected",
        ConnectionState::Disconnected => "disconnected",
        ConnectionState::Failed => "failed",
    }
}

pub(crate) const fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Requested => "requested",
        CloseReason::Parent => "parent",
        CloseReason::PublisherClosed => "publisher_closed",
        CloseReason::RemoteEnded => "remote_ended",
        CloseReason::RemoteClosed => "remote_closed",
        CloseReason::ConnectionFailed => "connection_failed",
        CloseReason::UnsupportedCodec => "unsupported_codec",
        CloseReason::Panic => "panic",
    }
}

pub(crate) const fn layer(layer: Layer) -> (u8, u8) {
    (layer.spatial, layer.temporal)
}

pub(crate) const fn layer_reason(reason: LayerReason) -> &'static str {
    match reason {
        LayerReason::Start => "start",
        LayerReason::Requested => "requested",
        LayerReason::Bandwidth => "bandwidth",
        LayerReason::Publisher => "publisher",
        LayerReason::Overload => "overload",
        LayerReason::Paused => "paused",
    }
}

/// `"camera"`, `"detail"` or `"motion"`.
pub(crate) fn content(name: &str) -> PyResult<Content> {
    match name {
        "camera" => Ok(Content::Camera),
        "detail" => Ok(Content::Detail),
        "motion" => Ok(Content::Motion),
        _ => Err(ConfigurationError::new_err(format!(
            "no such content: {name:?}"
        ))),
    }
}

pub(crate) const fn object_kind(object: ObjectId) -> &'static str {
    match object {
        ObjectId::Router(_) => "router",
        ObjectId::Transport(_) => "transport",
        ObjectId::Publisher(_) => "publisher",
        ObjectId::Subscriber(_) => "subscriber",
        ObjectId::DataPublisher(_) => "data_publisher",
        ObjectId::DataSubscriber(_) => "data_subscriber",
        ObjectId::RecordingTrack(_) => "recording_track",
    }
}

/// `"opus"`, `"vp8"`, `"vp9"`, `"av1"`, `"h264"`, in any case.
pub(crate) fn codec_kind(name: &str) -> PyResult<CodecKind> {
    match name.to_ascii_lowercase().as_str() {
        "opus" => Ok(CodecKind::Opus),
        "vp8" => Ok(CodecKind::Vp8),
        "vp9" => Ok(CodecKind::Vp9),
        "av1" => Ok(CodecKind::Av1),
        "h264" => Ok(CodecKind::H264),
        _ => Err(ConfigurationError::new_err(format!(
            "unknown codec {name:?}"
        ))),
    }
}

/// Settings of a WebRTC transport; timeouts in seconds.
pub(crate) fn transport_options(
    dtls: &str,
    disconnected_timeout: f64,
    failed_timeout: f64,
) -> PyResult<TransportOptions> {
    Ok(TransportOptions {
        dtls: dtls_version(dtls)?,
        disconnected_timeout: timeout("disconnected_timeout", disconnected_timeout)?,
        failed_timeout: timeout("failed_timeout", failed_timeout)?,
        max_bitrate: None,
        by_parameters: false,
    })
}

/// Stream id, ordered, retransmits, lifetime in ms, sub-protocol.
pub(crate) type StreamTuple = (u16, bool, Option<u16>, Option<u16>, String);

pub(crate) fn data_stream(stream: StreamTuple) -> DataStream {
    let (id, ordered, max_retransmits, max_packet_lifetime, protocol) = stream;
    DataStream {
        id,
        ordered,
        max_retransmits,
        max_packet_lifetime,
        protocol,
    }
}

fn timeout(name: &str, seconds: f64) -> PyResult<Duration> {
    if seconds > 0.0 && seconds <= LONGEST_TIMEOUT {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(ConfigurationError::new_err(format!(
        "{name} is a number of seconds above 0 and up to {LONGEST_TIMEOUT}, not {seconds}"
    )))
}

/// Seconds, one day.
const LONGEST_TIMEOUT: f64 = 86_400.0;

/// `"1.2"` or `"1.3"`.
fn dtls_version(version: &str) -> PyResult<DtlsVersion> {
    match version {
        "1.2" => Ok(DtlsVersion::V12),
        "1.3" => Ok(DtlsVersion::V13),
        _ => Err(ConfigurationError::new_err(format!(
            "no such DTLS version: {version:?}"
        ))),
    }
}

pub(crate) fn address(text: &str) -> PyResult<IpAddr> {
    text.parse()
        .map_err(|_| ConfigurationError::new_err(format!("not an IP address: {text:?}")))
}

pub(crate) fn addresses(texts: &[String]) -> PyResult<Vec<IpAddr>> {
    texts.iter().map(|text| address(text)).collect()
}

pub(crate) fn socket_address(text: &str, port: u16) -> PyResult<SocketAddr> {
    Ok(SocketAddr::new(address(text)?, port))
}

pub(crate) fn host_and_port(address: SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

/// A suite as SDES names it (RFC 4568 section 6.2, RFC 7714 section 14.1), and key with salt.
pub(crate) fn keying((suite, material): (&str, Vec<u8>)) -> PyResult<Keying> {
    let profile = match suite {
        "AES_CM_128_HMAC_SHA1_80" => Profile::Aes128CmSha1_80,
        "AEAD_AES_128_GCM" => Profile::AeadAes128Gcm,
        "AEAD_AES_256_GCM" => Profile::AeadAes256Gcm,
        _ => {
            return Err(ConfigurationError::new_err(format!(
                "no such SRTP suite: {suite:?}"
            )));
        }
    };
    Ok(Keying { profile, material })
}

/// What to count, by the kind names of [`object_kind`], or `"thread"`.
pub(crate) fn stats_target(kind: &str, handle: u64) -> PyResult<StatsTarget> {
    match kind {
        "thread" => Ok(StatsTarget::Thread),
        "transport" => Ok(StatsTarget::Transport(TransportId(handle))),
        "publisher" => Ok(StatsTarget::Publisher(PublisherId(handle))),
        "subscriber" => Ok(StatsTarget::Subscriber(SubscriberId(handle))),
        "data_publisher" => Ok(StatsTarget::DataPublisher(DataPublisherId(handle))),
        "data_subscriber" => Ok(StatsTarget::DataSubscriber(DataSubscriberId(handle))),
        "recording_track" => Ok(StatsTarget::RecordingTrack(RecordingTrackId(handle))),
        _ => Err(ConfigurationError::new_err(format!(
            "no statistics of a {kind:?}"
        ))),
    }
}
