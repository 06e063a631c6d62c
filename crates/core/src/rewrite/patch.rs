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

/// A payload descriptor with other numbers, as long as the one that it replaces.
#[derive(Default)]
pub(super) struct Draft {
    bytes: [u8; MAX_PATCH],
    len: usize,
}

impl Draft {
    pub(super) fn put(&mut self, byte: u8) {
        self.bytes[self.len] = byte; // the longest descriptor has six bytes
        self.len += 1;
    }

    /// A picture id in as many bytes as it had.
    pub(super) fn put_picture(&mut self, id: u16, long: bool) {
        let [high, low] = id.to_be_bytes();
        if long {
            self.put(high | LONG);
            self.put(low);
        } else {
            self.put(low & !LONG); // the low bits still count on
        }
    }

    /// None when the payload begins so already, or is shorter.
    pub(super) fn finish(self, payload: &[u8]) -> Option<Patch> {
        let bytes = &self.bytes[..self.len];
        let differs = payload.get(..self.len)? != bytes;
        differs.then(|| Patch::new(bytes, self.len)).flatten()
    }
}

const LONG: u8 = 0x80;
/// The longest head that anyone rewrites.
const MAX_PATCH: usize = 12;
