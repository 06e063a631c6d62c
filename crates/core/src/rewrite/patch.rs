//! A new head for a payload whose tail is shared with everybody else.

/// Bytes to send in the place of the first ones of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    bytes: [u8; MAX_PATCH],
    len: u8,
    replaces: u8,
}

impl Patch {
    /// `head` in the place of the first `replaces` bytes. None when either is too long.
    pub(crate) fn new(head: &[u8], replaces: usize) -> Option<Self> {
        let mut bytes = [0; MAX_PATCH];
        bytes.get_mut(..head.len())?.copy_from_slice(head);
        Some(Self {
            bytes,
            len: head.len() as u8,
            replaces: u8::try_from(replaces).ok()?,
        })
    }

    /// The new head.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Bytes of the payload that it replaces, and its own.
    pub(crate) fn lens(&self) -> (usize, usize) {
        (usize::from(self.replaces), usize::from(self.len))
    }
}

/// The longest head that anyone rewrites.
const MAX_PATCH: usize = 12;
