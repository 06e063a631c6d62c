//! The one class with behaviour: commands go down, events come up.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use headwater_core::command::{
    Command, Feed, Keying, PlainOptions, PlainParameters, TransportOptions,
};
use headwater_core::event::CodecInfo;
use headwater_core::ids::{
    DataPublisherId, DataSubscriberId, PublisherId, RecordingTrackId, RouterId, SubscriberId,
    TransportId,
};
use headwater_core::layer::Preferences;
use headwater_worker::{RecordConfig, WorkerConfig};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList, PyString};

use crate::convert::StreamTuple;
use crate::{convert, errors, events};

#[pyclass(frozen, module = "headwater._core._native")]
pub(crate) struct Worker {
    inner: headwater_worker::Worker,
}

impl Worker {
    /// Send a command to the media thread of the object with handle `owner`.
    fn send(&self, owner: u64, command: Command) -> PyResult<u64> {
        let thread = TransportId(owner).thread(); // all handles are built alike
        self.inner
            .send(thread, command)
            .map(|request| request.0)
            .map_err(errors::from_send)
    }
}

#[pymethods]
impl Worker {
    #[new]
    #[allow(clippy::too_many_arguments)] // each is named by the caller
    #[pyo3(signature = (*, threads, port, addresses, announce, announce_only, tcp, record = None, heartbeats = true))]
    fn new(
        py: Python<'_>,
        threads: u16,
        port: u16,
        addresses: Vec<String>,
        announce: Vec<String>,
        announce_only: bool,
        tcp: Vec<String>,
        record: Option<(PathBuf, u64)>,
        heartbeats: bool,
    ) -> PyResult<Self> {
        let config = WorkerConfig {
            threads,
            port,
            addresses: convert::addresses(&addresses)?,
            announce: convert::addresses(&announce)?,
            announce_only,
            tcp: convert::addresses(&tcp)?,
            record: record.map(|(path, limit)| RecordConfig { path, limit }),
            heartbeats,
        };
        let inner = py
            .detach(|| headwater_worker::Worker::open(&config))
            .map_err(errors::from_open)?;
        Ok(Self { inner })
    }

    #[getter]
    fn port(&self) -> u16 {
        self.inner.port()
    }

    #[getter]
    fn threads(&self) -> u16 {
        self.inner.threads()
    }

    fn fileno(&self) -> PyResult<RawFd> {
        self.inner.event_fd().map_err(errors::from_send)
    }

    fn candidates(&self) -> Vec<String> {
        self.inner
            .candidates()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, value) in self.inner.counters() {
            counters.set_item(name, value)?;
        }
        Ok(counters)
    }

    #[pyo3(signature = (limit = 4096))]
    fn drain_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in self.inner.drain(limit) {
            list.append(events::event(py, event)?)?;
        }
        Ok(list)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner.close());
    }

    fn adopt_tcp(&self, descriptor: RawFd, check: &[u8]) -> PyResult<bool> {
        if descriptor < 0 {
            return Err(PyValueError::new_err("not a descriptor"));
        }
        // SAFETY: the caller gives up the descriptor (`socket.detach()`); nobody else closes it.
        let connection = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(self.inner.adopt(connection, check).is_ok())
    }

    fn allocate_router(&self) -> PyResult<u64> {
        self.inner.allocate_router().map_err(errors::from_send)
    }

    fn loads(&self) -> PyResult<Vec<(u32, u32)>> {
        let loads = self.inner.loads().map_err(errors::from_send)?;
        Ok(loads.iter().map(|l| (l.transports, l.busy)).collect())
    }

    fn set_share(&self, thread: u16, share: f64) -> PyResult<u64> {
        let request = self.inner.send(thread, Command::SetShare { share });
        request.map(|request| request.0).map_err(errors::from_send)
    }

    fn allocate_on(&self, thread: u16) -> u64 {
        self.inner.allocate(thread)
    }

    fn allocate(&self, parent: u64) -> u64 {
        self.inner.allocate(TransportId(parent).thread())
    }

    fn create_router(&self, router: u64, codecs: Vec<String>) -> PyResult<u64> {
        let options = convert::router_options(&codecs)?;
        let router = RouterId(router);
        self.send(router.0, Command::CreateRouter { router, options })
    }

    fn create_branch(&self, branch: u64, home: u64, codecs: Vec<String>) -> PyResult<u64> {
        let (router, home) = (RouterId(branch), RouterId(home));
        let options = convert::router_options(&codecs)?;
        self.send(
            router.0,
            Command::CreateBranch {
                router,
                home,
                options,
            },
        )
    }

    fn close_router(&self, router: u64) -> PyResult<u64> {
        let router = RouterId(router);
        self.send(router.0, Command::CloseRouter { router })
    }

    fn set_audio_levels(&self, router: u64, interval: Option<f64>) -> PyResult<u64> {
        let seconds = |seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|error| {
                PyValueError::new_err(format!("an interval of {seconds} s: {error}"))
            })
        };
        let interval = interval.map(seconds).transpose()?;
        let router = RouterId(router);
        self.send(router.0, Command::SetAudioLevels { router, interval })
    }

    #[pyo3(signature = (
        router, transport, *, dtls, disconnected_timeout = 8.0, failed_timeout = 45.0,
        by_parameters = false
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn create_publish_transport(
        &self,
        router: u64,
        transport: u64,
        dtls: &str,
        disconnected_timeout: f64,
        failed_timeout: f64,
        by_parameters: bool,
    ) -> PyResult<u64> {
        let options = TransportOptions {
            by_parameters,
            ..convert::transport_options(dtls, disconnected_timeout, failed_timeout)?
        };
        let (router, transport) = (RouterId(router), TransportId(transport));
        self.send(
            transport.0,
            Command::CreatePublishTransport {
                router,
                transport,
                options,
            },
        )
    }

    #[pyo3(signature = (
        router, transport, *, dtls, disconnected_timeout = 8.0, failed_timeout = 45.0,
        by_parameters = false, max_bitrate = None
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn create_subscribe_transport(
        &self,
        router: u64,
        transport: u64,
        dtls: &str,
        disconnected_timeout: f64,
        failed_timeout: f64,
        by_parameters: bool,
        max_bitrate: Option<u64>,
    ) -> PyResult<u64> {
        let options = TransportOptions {
            by_parameters,
            max_bitrate,
            ..convert::transport_options(dtls, disconnected_timeout, failed_timeout)?
        };
        let (router, transport) = (RouterId(router), TransportId(transport));
        self.send(
            transport.0,
            Command::CreateSubscribeTransport {
                router,
                transport,
                options,
            },
        )
    }

    fn set_max_bitrate(&self, transport: u64, bitrate: Option<u64>) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::SetMaxBitrate { transport, bitrate })
    }

    fn create_recording_transport(
        &self,
        router: u64,
        transport: u64,
        address: &str,
        port: u16,
    ) -> PyResult<u64> {
        let remote = convert::socket_address(address, port)?;
        let (router, transport) = (RouterId(router), TransportId(transport));
        self.send(
            transport.0,
            Command::CreateRecordingTransport {
                router,
                transport,
                remote,
            },
        )
    }

    #[pyo3(signature = (router, transport, address, *, rtcp_mux, comedia, srtp))]
    fn create_plain_transport(
        &self,
        router: u64,
        transport: u64,
        address: &str,
        rtcp_mux: bool,
        comedia: bool,
        srtp: Option<(PyBackedStr, Vec<u8>)>,
    ) -> PyResult<u64> {
        let local = convert::socket_address(address, 0)?;
        let options = PlainOptions {
            local,
            rtcp_local: (!rtcp_mux).then_some(local),
            comedia,
            keys: keying(srtp)?,
        };
        let (router, transport) = (RouterId(router), TransportId(transport));
        self.send(
            transport.0,
            Command::CreatePlainTransport {
                router,
                transport,
                options,
            },
        )
    }

    #[pyo3(signature = (transport, *, remote, rtcp_remote, srtp))]
    fn connect_plain_transport(
        &self,
        transport: u64,
        remote: Option<(PyBackedStr, u16)>,
        rtcp_remote: Option<(PyBackedStr, u16)>,
        srtp: Option<(PyBackedStr, Vec<u8>)>,
    ) -> PyResult<u64> {
        let address = |pair: Option<(PyBackedStr, u16)>| {
            pair.map(|(address, port)| convert::socket_address(&address, port))
                .transpose()
        };
        self.send(
            transport,
            Command::ConnectPlainTransport {
                transport: TransportId(transport),
                remote: address(remote)?,
                rtcp_remote: address(rtcp_remote)?,
                keys: keying(srtp)?,
            },
        )
    }

    #[pyo3(signature = (transport, publisher, kind, codec, *, ssrcs, nack, pli, fir, audio_level))]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn produce(
        &self,
        transport: u64,
        publisher: u64,
        kind: &str,
        codec: (String, u8, u32, Option<u8>, String),
        ssrcs: Vec<u32>,
        nack: bool,
        pli: bool,
        fir: bool,
        audio_level: Option<u8>,
    ) -> PyResult<u64> {
        let (mime, payload_type, clock_rate, channels, fmtp) = codec;
        let codec = CodecInfo {
            mime,
            payload_type,
            clock_rate,
            channels,
            fmtp,
        };
        let parameters = PlainParameters {
            codec,
            ssrcs,
            nack,
            pli,
            fir,
            audio_level,
        };
        self.send(
            transport,
            Command::Produce {
                transport: TransportId(transport),
                publisher: PublisherId(publisher),
                kind: convert::kind_named(kind)?,
                parameters,
            },
        )
    }

    #[pyo3(signature = (transport, track, publisher, *, paused))]
    fn consume(&self, transport: u64, track: u64, publisher: u64, paused: bool) -> PyResult<u64> {
        self.send(
            transport,
            Command::Consume {
                transport: TransportId(transport),
                track: RecordingTrackId(track),
                publisher: PublisherId(publisher),
                paused,
            },
        )
    }

    fn set_track_paused(&self, track: u64, paused: bool) -> PyResult<u64> {
        let track = RecordingTrackId(track);
        self.send(track.0, Command::SetTrackPaused { track, paused })
    }

    #[pyo3(signature = (track, *, spatial, temporal))]
    fn set_track_preferences(
        &self,
        track: u64,
        spatial: Option<u8>,
        temporal: Option<u8>,
    ) -> PyResult<u64> {
        let preferences = Preferences {
            spatial,
            temporal,
            ..Preferences::default()
        };
        let track = RecordingTrackId(track);
        self.send(track.0, Command::SetTrackPreferences { track, preferences })
    }

    fn close_transport(&self, transport: u64) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::CloseTransport { transport })
    }

    fn describe_transport(&self, transport: u64) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::DescribeTransport { transport })
    }

    fn set_fingerprint(&self, transport: u64, fingerprint: String) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(
            transport.0,
            Command::SetFingerprint {
                transport,
                fingerprint,
            },
        )
    }

    fn renew_ice(&self, transport: u64) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::RenewIce { transport })
    }

    fn accept_offer(&self, transport: u64, sdp: String) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::AcceptOffer { transport, sdp })
    }

    #[pyo3(signature = (transport, *, ice_restart))]
    fn create_offer(&self, transport: u64, ice_restart: bool) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(
            transport.0,
            Command::CreateOffer {
                transport,
                ice_restart,
            },
        )
    }

    fn accept_answer(&self, transport: u64, sdp: String) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::AcceptAnswer { transport, sdp })
    }

    fn rollback_offer(&self, transport: u64) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::RollbackOffer { transport })
    }

    fn add_candidate(&self, transport: u64, candidate: String) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(
            transport.0,
            Command::AddCandidate {
                transport,
                candidate,
            },
        )
    }

    fn publish(&self, transport: u64, publisher: u64, mid: String) -> PyResult<u64> {
        let (transport, publisher) = (TransportId(transport), PublisherId(publisher));
        self.send(
            transport.0,
            Command::Publish {
                transport,
                publisher,
                mid,
            },
        )
    }

    fn set_publisher_paused(&self, publisher: u64, paused: bool) -> PyResult<u64> {
        let publisher = PublisherId(publisher);
        self.send(
            publisher.0,
            Command::SetPublisherPaused { publisher, paused },
        )
    }

    fn request_key_frame(&self, publisher: u64) -> PyResult<u64> {
        let publisher = PublisherId(publisher);
        self.send(publisher.0, Command::RequestKeyFrame { publisher })
    }

    fn close_publisher(&self, publisher: u64) -> PyResult<u64> {
        let publisher = PublisherId(publisher);
        self.send(publisher.0, Command::ClosePublisher { publisher })
    }

    fn subscribe(&self, transport: u64, items: Vec<(u64, u64)>) -> PyResult<u64> {
        let pair = |(subscriber, publisher)| (SubscriberId(subscriber), PublisherId(publisher));
        let items = items.into_iter().map(pair).collect();
        let transport = TransportId(transport);
        self.send(transport.0, Command::Subscribe { transport, items })
    }

    #[pyo3(signature = (transport, subscriber, publisher, mid = None))]
    fn attach(
        &self,
        transport: u64,
        subscriber: u64,
        publisher: u64,
        mid: Option<String>,
    ) -> PyResult<u64> {
        let (subscriber, publisher) = (SubscriberId(subscriber), PublisherId(publisher));
        let transport = TransportId(transport);
        self.send(
            transport.0,
            Command::Attach {
                transport,
                subscriber,
                publisher,
                mid,
            },
        )
    }

    fn open_slots(
        &self,
        transport: u64,
        kind: &str,
        slots: Vec<u64>,
        own: Option<u64>,
    ) -> PyResult<u64> {
        let kind = convert::kind_named(kind)?;
        self.send(
            transport,
            Command::OpenSlots {
                transport: TransportId(transport),
                kind,
                slots: slots.into_iter().map(SubscriberId).collect(),
                own: own.map(TransportId),
            },
        )
    }

    fn set_own_transport(&self, transport: u64, own: Option<u64>) -> PyResult<u64> {
        self.send(
            transport,
            Command::SetOwnTransport {
                transport: TransportId(transport),
                own: own.map(TransportId),
            },
        )
    }

    #[pyo3(signature = (transport, subscriber, publisher, *, loudest))]
    fn set_slot(
        &self,
        transport: u64,
        subscriber: u64,
        publisher: Option<u64>,
        loudest: bool,
    ) -> PyResult<u64> {
        let feed = match publisher {
            Some(publisher) => Feed::Publisher(PublisherId(publisher)),
            None if loudest => Feed::Loudest,
            None => Feed::Nobody,
        };
        self.send(
            transport,
            Command::SetSlot {
                transport: TransportId(transport),
                subscriber: SubscriberId(subscriber),
                feed,
            },
        )
    }

    fn set_subscriber_paused(&self, subscriber: u64, paused: bool) -> PyResult<u64> {
        let subscriber = SubscriberId(subscriber);
        self.send(
            subscriber.0,
            Command::SetSubscriberPaused { subscriber, paused },
        )
    }

    #[pyo3(signature = (
        subscriber, *, spatial, temporal, min_spatial, min_temporal, max_spatial, max_temporal,
        width, height, max_fps, priority, content
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn set_preferences(
        &self,
        subscriber: u64,
        spatial: Option<u8>,
        temporal: Option<u8>,
        min_spatial: Option<u8>,
        min_temporal: Option<u8>,
        max_spatial: Option<u8>,
        max_temporal: Option<u8>,
        width: Option<u16>,
        height: Option<u16>,
        max_fps: Option<u8>,
        priority: u8,
        content: Option<&str>,
    ) -> PyResult<u64> {
        let preferences = Preferences {
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
            content: content.map(convert::content).transpose()?,
        };
        let subscriber = SubscriberId(subscriber);
        self.send(
            subscriber.0,
            Command::SetPreferences {
                subscriber,
                preferences,
            },
        )
    }

    fn set_publisher_content(&self, publisher: u64, content: &str) -> PyResult<u64> {
        self.send(
            publisher,
            Command::SetPublisherContent {
                publisher: PublisherId(publisher),
                content: convert::content(content)?,
            },
        )
    }

    fn close_subscriber(&self, subscriber: u64) -> PyResult<u64> {
        let subscriber = SubscriberId(subscriber);
        self.send(subscriber.0, Command::CloseSubscriber { subscriber })
    }

    #[pyo3(signature = (transport, data_publisher, label, stream = None))]
    fn publish_data(
        &self,
        transport: u64,
        data_publisher: u64,
        label: String,
        stream: Option<StreamTuple>,
    ) -> PyResult<u64> {
        let stream = stream.map(convert::data_stream);
        let (transport, data_publisher) = (TransportId(transport), DataPublisherId(data_publisher));
        self.send(
            transport.0,
            Command::PublishData {
                transport,
                data_publisher,
                label,
                stream,
            },
        )
    }

    #[pyo3(signature = (transport, data_subscriber, data_publisher, stream = None))]
    fn subscribe_data(
        &self,
        transport: u64,
        data_subscriber: u64,
        data_publisher: u64,
        stream: Option<u16>,
    ) -> PyResult<u64> {
        let data_subscriber = DataSubscriberId(data_subscriber);
        let (transport, data_publisher) = (TransportId(transport), DataPublisherId(data_publisher));
        self.send(
            transport.0,
            Command::SubscribeData {
                transport,
                data_subscriber,
                data_publisher,
                stream,
            },
        )
    }

    fn set_data_tap(&self, data_publisher: u64, tapped: bool) -> PyResult<u64> {
        let data_publisher = DataPublisherId(data_publisher);
        self.send(
            data_publisher.0,
            Command::SetDataTap {
                data_publisher,
                tapped,
            },
        )
    }

    /// `bytes` is sent as a binary message, `str` as a text message.
    fn send_data(&self, data_publisher: u64, payload: &Bound<'_, PyAny>) -> PyResult<u64> {
        let (binary, payload) = match payload.cast::<PyString>() {
            Ok(text) => (false, text.to_str()?.as_bytes().to_vec()),
            Err(_) => (true, payload.extract::<&[u8]>()?.to_vec()),
        };
        let data_publisher = DataPublisherId(data_publisher);
        self.send(
            data_publisher.0,
            Command::SendData {
                data_publisher,
                binary,
                payload,
            },
        )
    }

    fn close_data_publisher(&self, data_publisher: u64) -> PyResult<u64> {
        let data_publisher = DataPublisherId(data_publisher);
        self.send(
            data_publisher.0,
            Command::CloseDataPublisher { data_publisher },
        )
    }

    fn close_data_subscriber(&self, data_subscriber: u64) -> PyResult<u64> {
        let data_subscriber = DataSubscriberId(data_subscriber);
        self.send(
            data_subscriber.0,
            Command::CloseDataSubscriber { data_subscriber },
        )
    }

    fn start_recording(
        &self,
        transport: u64,
        track: u64,
        publisher: u64,
        address: &str,
        port: u16,
    ) -> PyResult<u64> {
        let remote = convert::socket_address(address, port)?;
        let (transport, track) = (TransportId(transport), RecordingTrackId(track));
        let publisher = PublisherId(publisher);
        self.send(
            transport.0,
            Command::StartRecording {
                transport,
                track,
                publisher,
                remote,
            },
        )
    }

    fn stop_recording(&self, track: u64) -> PyResult<u64> {
        let track = RecordingTrackId(track);
        self.send(track.0, Command::StopRecording { track })
    }

    fn get_journal(&self, subscriber: u64) -> PyResult<u64> {
        let subscriber = SubscriberId(subscriber);
        self.send(subscriber.0, Command::GetJournal { subscriber })
    }

    fn get_stats(&self, kind: &str, handle: u64) -> PyResult<u64> {
        self.send(
            handle,
            Command::GetStats {
                target: convert::stats_target(kind, handle)?,
            },
        )
    }

    fn inject_panic(&self, transport: u64) -> PyResult<u64> {
        let transport = TransportId(transport);
        self.send(transport.0, Command::InjectPanic { transport })
    }
}

fn keying(srtp: Option<(PyBackedStr, Vec<u8>)>) -> PyResult<Option<Keying>> {
    srtp.map(|(suite, material)| convert::keying((&suite, material)))
        .transpose()
}
