//! A handle names one object for the life of a Worker, so a command that makes an object under a
//! handle in use is refused before it touches anything.

use rustc_hash::FxHashSet;

use crate::command::Command;
use crate::error::Error;
use crate::sfu::Sfu;

impl Sfu {
    pub(crate) fn refuse_duplicates(&self, command: &Command) -> Result<(), Error> {
        let taken = match command {
            Command::CreateRouter { router, .. } | Command::CreateBranch { router, .. } => {
                self.routers.contains_key(router)
            }
            Command::CreatePublishTransport { transport, .. }
            | Command::CreateSubscribeTransport { transport, .. }
            | Command::CreateRecordingTransport { transport, .. }
            | Command::CreatePlainTransport { transport, .. } => {
                self.transports.contains_key(transport)
            }
            Command::Publish { publisher, .. } | Command::Produce { publisher, .. } => {
                self.publisher_keys.contains_key(publisher)
            }
            Command::Subscribe { items, .. } => {
                let mut seen = FxHashSet::default();
                let known = |id| self.subscriber_keys.contains_key(id);
                items.iter().any(|(id, _)| known(id) || !seen.insert(*id))
            }
            Command::Attach { subscriber, .. } => self.subscriber_keys.contains_key(subscriber),
            Command::PublishData { data_publisher, .. } => {
                self.data_publishers.contains_key(data_publisher)
            }
            Command::SubscribeData {
                data_subscriber, ..
            } => self.data_subscribers.contains_key(data_subscriber),
            Command::StartRecording { track, .. } | Command::Consume { track, .. } => {
                self.recording_keys.contains_key(track)
            }
            _ => false,
        };
        match taken {
            true => Err(Error::HandleInUse),
            false => Ok(()),
        }
    }
}
