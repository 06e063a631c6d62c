//! Layers as the API speaks of them: which there are, which are wished for, why one changed.

/// One layer of a video: the lower ones that it needs are part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// 0 is the smallest picture.
    pub spatial: u8,
    /// 0 is the lowest frame rate.
    pub temporal: u8,
}

/// What a picture shows, which says what to give up first when the line is narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// A person: size and frame rate in turns.
    #[default]
    Camera,
    /// Text: frame rate goes first.
    Detail,
    /// A film: size goes first.
    Motion,
}

/// What a subscriber wishes. `None` is no wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// The highest spatial layer it has use for.
    pub spatial: Option<u8>,
    /// The highest temporal layer it has use for.
    pub temporal: Option<u8>,
    /// Rather nothing than less.
    pub min_spatial: Option<u8>,
    /// Rather nothing than less.
    pub min_temporal: Option<u8>,
    /// Never more, whatever is preferred.
    pub max_spatial: Option<u8>,
    /// Never more, whatever is preferred.
    pub max_temporal: Option<u8>,
    /// Width in pixels at which it is shown.
    pub width: Option<u16>,
    /// Height in pixels at which it is shown.
    pub height: Option<u16>,
    /// Frames per second that are enough.
    pub max_fps: Option<u8>,
    /// 1 to 255; its share when not all fits the line.
    pub priority: u8,
    /// What is shed first; `None` is as the publisher says.
    pub content: Option<Content>,
}

impl Preferences {
    /// The highest spatial layer to give when `needed` is enough for the size at which it is
    /// shown. What is too little is not preferred to nothing: the minimum lifts what is
    /// preferred, and only the maximum is above it.
    pub(crate) fn spatial_ceiling(&self, needed: u8) -> u8 {
        let preferred = self.spatial.unwrap_or(u8::MAX).min(needed);
        let lifted = preferred.max(self.min_spatial.unwrap_or(0));
        lifted.min(self.max_spatial.unwrap_or(u8::MAX))
    }

    /// The highest temporal layer to give of a size whose `least` is not too little.
    pub(crate) fn temporal_ceiling(&self, least: u8) -> u8 {
        let lifted = self.temporal.unwrap_or(u8::MAX).max(least);
        lifted.min(self.max_temporal.unwrap_or(u8::MAX))
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            spatial: None,
            temporal: None,
            min_spatial: None,
            min_temporal: None,
            max_spatial: None,
            max_temporal: None,
            width: None,
            height: None,
            max_fps: None,
            priority: DEFAULT_PRIORITY,
            content: None,
        }
    }
}

/// Why a subscriber's layer changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerReason {
    /// The first picture.
    #[default]
    Start,
    /// The application asked.
    Requested,
    /// The line carries less or more.
    Bandwidth,
    /// A layer appeared or vanished at the publisher.
    Publisher,
    /// The server is short of CPU or egress.
    Overload,
    /// Paused or resumed.
    Paused,
}

const DEFAULT_PRIORITY: u8 = 128;
