//! Wake-ups that are paid for once per batch.
//!
//! A producer rings after it has pushed; the consumer silences *before* it drains. Whatever is
//! pushed after that rings again, so nothing is left lying, and a thousand pushes between two
//! drains cost one system call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Wakes a media thread out of its poll.
#[derive(Debug)]
pub(crate) struct Bell {
    ringing: AtomicBool,
    waker: mio::Waker,
}

impl Bell {
    pub(crate) const fn new(waker: mio::Waker) -> Self {
        Self {
            ringing: AtomicBool::new(false),
            waker,
        }
    }

    /// Called by producers, after the push.
    pub(crate) fn ring(&self) {
        if !self.ringing.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            // An eventfd write fails only when the descriptor is gone, which is a bug of ours.
            tracing::error!(%error, "cannot wake a media thread");
        }
    }

    /// Called by the consumer, before it drains.
    pub(crate) fn silence(&self) {
        self.ringing.store(false, Ordering::SeqCst);
    }
}

/// Tells the owner of a Worker that events wait: an eventfd that asyncio watches.
#[derive(Debug)]
pub(crate) struct EventSignal {
    armed: AtomicBool,
    fd: OwnedFd,
}

impl EventSignal {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            armed: AtomicBool::new(false),
            fd,
        })
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }

    #[cfg(test)]
    pub(crate) const fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Make the descriptor readable, unless it already is.
    pub(crate) fn raise(&self) {
        if !self.armed.swap(true, Ordering::SeqCst)
            && let Err(error) = rustix::io::write(&self.fd, &1_u64.to_ne_bytes())
        {
            tracing::error!(%error, "cannot signal events");
        }
    }

    /// Make the descriptor unreadable; call before draining.
    pub(crate) fn lower(&self) {
        let mut count = [0; 8];
        // Read even when not armed: a producer may have armed, been overtaken by an earlier drain,
        // and written only then. EAGAIN just says that there is nothing to reset.
        let _ = rustix::io::read(&self.fd, &mut count);
        self.armed.store(false, Ordering::SeqCst);
    }
}
