//! A client's offer: of tracks to publish, or of slots to watch in (WHEP).

use std::time::Instant;

use str0m::change::SdpOffer;
use str0m::media::Mid;

use super::invalid;
use crate::error::Error;
use crate::event::{CloseReason, Reply, TrackInfo};
use crate::ids::TransportId;
use crate::sdp_in::{self, Intake};
use crate::sdp_out::{self, Named};
use crate::sfu::Sfu;
use crate::transport::webrtc::{Side, contained};

impl Sfu {
    pub(crate) fn accept_offer(
        &mut self,
        id: TransportId,
        sdp: &str,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        if let Side::Subscribe(subscribing) = &self.sessions[key].side {
            if subscribing.pending.is_some() {
                return Err(Error::NegotiationPending);
            }
            if subscribing.last_offer.is_some() {
                return Err(Error::WrongTransport(
                    "the server makes the offers on this transport",
                ));
            }
        }
        let mut intake = sdp_in::read(sdp, sdp_in::OFFER)?;
        if let Some(credentials) = &self.sessions[key].learned {
            intake.text = sdp_out::with_credentials(&intake.text, credentials);
        }
        let offer = SdpOffer::from_sdp_string(&intake.text).map_err(invalid)?;
        let answer = sdp_out::in_offered_order(&self.answer(key, offer)?, &intake.sections);
        let mut answer = sdp_out::with_audio_nack(&answer);
        let session = &mut self.sessions[key];
        session.exchanged.get_or_insert(now);
        let tracks = match &mut session.side {
            Side::Publish(_) => {
                answer = sdp_out::with_red_first(&answer);
                let takes_remb = intake.sections.iter().any(sdp_in::Section::takes_remb);
                let counts = takes_remb && !sdp_out::has_transport_cc(&answer);
                answer = sdp_out::with_remb(&answer, &intake.sections, counts);
                self.expect_remb(key, counts);
                self.take_tracks(key, &intake, now)
            }
            Side::Subscribe(_) => {
                self.take_slots(key, &intake, now);
                let subscribing = self.sessions[key].subscribing()?;
                let lines = subscribing.lines.iter().filter(|line| !line.dead);
                let named: Vec<Named> = lines.map(Named::new).collect();
                answer = sdp_out::replace_sources(&answer, &named, subscribing.egress.cname());
                Vec::new()
            }
        };
        self.watch(key, now);
        self.mark_dirty(key);
        Ok(Reply::Answer {
            sdp: answer,
            tracks,
        })
    }

    /// str0m's answer, with our credentials in it when the offer was an ICE restart.
    fn answer(&mut self, key: usize, offer: SdpOffer) -> Result<String, Error> {
        let session = &mut self.sessions[key];
        let rtc = &mut session.rtc;
        let outcome = contained(|| {
            let before = rtc.direct_api().local_ice_credentials();
            let answer = rtc
                .sdp_api()
                .accept_offer(offer)
                .map_err(invalid)?
                .to_sdp_string();
            Ok::<_, Error>((before, answer))
        });
        let (before, answer) = match outcome {
            Ok(outcome) => outcome?,
            Err(_) => return Err(self.doom(key)),
        };
        let after = session.rtc.direct_api().local_ice_credentials();
        if before == after {
            return Ok(answer);
        }
        let ours = self.random.ice_credentials(self.config.thread);
        let session = &mut self.sessions[key];
        session
            .rtc
            .direct_api()
            .set_local_ice_credentials(ours.clone());
        let answer = sdp_out::replace_credentials(&answer, &after, &ours);
        self.switch_ufrag(key, ours);
        Ok(answer)
    }

    /// Takes over the offered tracks and closes publishers whose track has ended.
    fn take_tracks(&mut self, key: usize, intake: &Intake, now: Instant) -> Vec<TrackInfo> {
        let Side::Publish(publishing) = &mut self.sessions[key].side else {
            return Vec::new();
        };
        for track in intake.sections.iter().filter_map(sdp_in::Section::track) {
            match publishing
                .tracks
                .iter_mut()
                .find(|known| known.mid == track.mid)
            {
                Some(known) => *known = track,
                None if track.active => publishing.tracks.push(track),
                None => {}
            }
        }
        // A place that another m-line has taken says nothing about its former one any more.
        let named = |track: &TrackInfo| intake.sections.iter().any(|s| s.mid == track.mid);
        publishing.tracks.retain(named);
        publishing.by_fir = intake
            .sections
            .iter()
            .filter(|section| section.wants_fir())
            .map(|section| Mid::from(section.mid.as_str()))
            .collect();
        // SSRCs may mean something else now.
        publishing.streams.clear();
        publishing.by_ssrc = intake
            .sections
            .iter()
            .flat_map(sdp_in::Section::by_ssrc)
            .map(|(ssrc, place)| (ssrc.into(), place.as_str().into()))
            .collect();
        let tracks = publishing.tracks.clone();
        let is_active = |mid: Mid| {
            tracks
                .iter()
                .any(|track| track.active && *track.mid == *mid)
        };
        let ended: Vec<usize> = publishing
            .publishers
            .iter()
            .copied()
            .filter(|publisher| !self.publishers[*publisher].mid().is_some_and(is_active))
            .collect();
        for publisher in ended {
            self.close_publisher(publisher, CloseReason::RemoteEnded, now);
        }
        tracks
    }
}
