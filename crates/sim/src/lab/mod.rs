//! The impairment lab: a whole call in virtual time, judged as a person would.
//!
//! A [`Call`] is one publisher (three encodings of VP8 with temporal layers, Opus with RED) and
//! any number of receivers behind links of their own. Every frame carries its moment of capture;
//! a [`Judge`] at each receiver decodes what arrives as a browser does (gaps, references, playout
//! buffers) and says what a person saw and heard: frames of sound, freezes, delay, layers.
//!
//! [`ladder`] holds the rows of the loss ladder, [`trials`] what is not a steady link: a line that
//! narrows, outages, new addresses. Both return a [`Finding`] that names what did not hold.

mod call;
mod finding;
mod judge;
pub mod ladder;
mod source;
pub mod trials;

pub use call::{Call, Receiver};
pub use finding::{Bar, Finding};
pub use judge::{Judge, Sample, Verdict};
pub use source::{ENCODINGS, Encoding, Film};
