//! A [`Sink`] that keeps everything in order.

use headwater_core::sink::{Path, Sink};
use headwater_core::{Output, Transmit};

/// What one drain of the core brought; a media datagram looks like any other.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) outputs: Vec<Output>,
    lent: Option<Transmit>,
}

impl Sink for Gathered {
    fn lend(&mut self, path: &Path, len: usize) -> &mut [u8] {
        let transmit = Transmit {
            socket: path.socket,
            source: Some(path.source),
            destination: path.destination,
            contents: vec![0; len],
        };
        &mut self.lent.insert(transmit).contents
    }

    fn commit(&mut self) {
        self.outputs.extend(self.lent.take().map(Output::Transmit));
    }

    fn take(&mut self, output: Output) {
        self.outputs.push(output);
    }
}
