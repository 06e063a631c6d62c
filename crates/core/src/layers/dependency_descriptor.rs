//! The dependency descriptor (AV1 RTP 1.0 appendix A): which frame this is, what it needs, and
//! which targets it is part of, for any codec.
//!
//! A key frame brings a *structure*: templates of frames, and decode targets. Every packet names
//! a template and may override parts of it. A structure is kept per encoding until the next one;
//! what arrives before the first, or makes no sense, is an error and changes nothing.

use crate::layer::Layer;

/// What a descriptor says of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) start: bool,
    pub(crate) end: bool,
    /// 16 bits, not yet unwrapped.
    pub(crate) number: u16,
    pub(crate) layer: Layer,
    /// How many frames back the frames lie that this one needs.
    pub(crate) references: References,
    /// Targets that it is part of, as bits of [`bit`].
    pub(crate) present: u64,
    /// Targets that can be taken up from here.
    pub(crate) switch: u64,
    /// All targets that the sender feeds now.
    pub(crate) exists: u64,
    /// It brought a structure.
    pub(crate) structured: bool,
    /// Width and height of its spatial layer, where told.
    pub(crate) size: Option<(u16, u16)>,
}

/// Distances to the frames that a frame needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    list: [u16; MAX_REFERENCES],
    len: u8,
}

impl References {
    /// False when there is no room.
    pub(crate) fn push(&mut self, distance: u16) -> bool {
        let Some(place) = self.list.get_mut(usize::from(self.len)) else {
            return false;
        };
        *place = distance;
        self.len += 1;
        true
    }

    pub(crate) fn as_slice(&self) -> &[u16] {
        &self.list[..usize::from(self.len)]
    }
}

/// What is wrong with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It ends too early.
    Torn,
    /// No structure has come, or none with this template.
    UnknownTemplate,
    /// More templates, targets, layers or references than the format allows.
    TooMany,
}

/// The structure in force for one encoding.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    current: Option<Box<Templates>>,
}

#[derive(Debug)]
struct Templates {
    offset: u8,
    targets: Vec<Layer>,
    templates: Vec<Template>,
    chains: u32,
    sizes: Vec<(u16, u16)>,
    /// All targets that the sender feeds, and the frame that said so last.
    exists: u64,
    told: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Template {
    layer: Layer,
    present: u64,
    switch: u64,
    references: References,
}

/// The bit of a target in a set of them.
pub(crate) const fn bit(layer: Layer) -> u64 {
    1 << ((layer.spatial & 7) * 8 + (layer.temporal & 7))
}

impl Structure {
    /// Reads the descriptor of one packet.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Described, Malformed> {
        let mut bits = Bits { bytes, at: 0 };
        let (start, end) = (bits.flag()?, bits.flag()?);
        let template = bits.take(6)? as u8;
        let number = bits.take(16)? as u16;
        let mut flags = [false; 5];
        if bytes.len() > MANDATORY {
            for flag in &mut flags {
                *flag = bits.flag()?;
            }
        }
        let [
            structured,
            active,
            custom_targets,
            custom_references,
            custom_chains,
        ] = flags;
        if structured {
            self.current = Some(Box::new(Templates::read(&mut bits, number)?));
        }
        let known = self.current.as_mut().ok_or(Malformed::UnknownTemplate)?;
        if active {
            let fed = bits.take(known.targets.len() as u32)?;
            known.feed(fed, number);
        }
        let place = (template + 64 - known.offset) % 64;
        let mut frame = *known
            .templates
            .get(usize::from(place))
            .ok_or(Malformed::UnknownTemplate)?;
        if custom_targets {
            (frame.present, frame.switch) = known.indications(&mut bits)?;
        }
        if custom_references {
            frame.references = references(&mut bits)?;
        }
        if custom_chains {
            bits.skip(8 * known.chains)?;
        }
        Ok(Described {
            start,
            end,
            number,
            layer: frame.layer,
            references: frame.references,
            present: frame.present & known.exists,
            switch: frame.switch,
            exists: known.exists,
            structured,
            size: known.sizes.get(usize::from(frame.layer.spatial)).copied(),
        })
    }
}

impl Templates {
    /// The structure that frame `number` brings.
    fn read(bits: &mut Bits<'_>, number: u16) -> Result<Self, Malformed> {
        let offset = bits.take(6)? as u8;
        let count = bits.take(5)? + 1;
        let mut templates = layers(bits)?;
        let mut indications = Vec::with_capacity(templates.len() * count as usize);
        for _ in 0..templates.len() as u32 * count {
            indications.push(bits.take(2)? as u8);
        }
        for template in &mut templates {
            while bits.flag()? {
                let distance = bits.take(4)? as u16 + 1;
                if !template.references.push(distance) {
                    return Err(Malformed::TooMany);
                }
            }
        }
        let chains = chains(bits, count, templates.len() as u32)?;
        let targets = targets(&templates, &indications, count as usize);
        for (template, row) in templates.iter_mut().zip(indications.chunks(count as usize)) {
            (template.present, template.switch) = masks(&targets, row);
        }
        let exists = targets.iter().fold(0, |all, target| all | bit(*target));
        let sizes = sizes(bits, &templates)?;
        Ok(Self {
            offset,
            targets,
            templates,
            chains,
            sizes,
            exists,
            told: number,
        })
    }

    /// `active_decode_targets_bitmask` of frame `number`: the lowest bit is the first target. A
    /// sender that can no longer feed a layer says so here, long before anybody misses it.
    fn feed(&mut self, fed: u32, number: u16) {
        let is_late = number.wrapping_sub(self.told) >= 1 << 15;
        let fed = (0..).zip(&self.targets).filter(|(n, _)| fed >> n & 1 == 1);
        let exists = fed.fold(0, |all, (_, target)| all | bit(*target));
        if exists != 0 && !is_late {
            (self.exists, self.told) = (exists, number);
        }
    }

    fn indications(&self, bits: &mut Bits<'_>) -> Result<(u64, u64), Malformed> {
        let mut row = [0; MAX_TARGETS];
        let row = &mut row[..self.targets.len()];
        for indication in row.iter_mut() {
            *indication = bits.take(2)? as u8;
        }
        Ok(masks(&self.targets, row))
    }
}

/// `template_layers()`: each template is in the layer of the one before, or one further.
fn layers(bits: &mut Bits<'_>) -> Result<Vec<Template>, Malformed> {
    let mut templates = Vec::new();
    let mut layer = Layer::default();
    loop {
        templates.push(Template {
            layer,
            ..Template::default()
        });
        match bits.take(2)? {
            0 => {}
            1 => layer.temporal += 1,
            2 => {
                layer.temporal = 0;
                layer.spatial += 1;
            }
            _ => return Ok(templates),
        }
        if layer.temporal > MAX_TEMPORAL
            || layer.spatial > MAX_SPATIAL
            || templates.len() == MAX_TEMPLATES
        {
            return Err(Malformed::TooMany);
        }
    }
}

/// `template_chains()`, passed over: references say the same more exactly.
fn chains(bits: &mut Bits<'_>, targets: u32, templates: u32) -> Result<u32, Malformed> {
    let chains = bits.below(targets + 1)?;
    if chains > 0 {
        for _ in 0..targets {
            bits.below(chains)?;
        }
        bits.skip(4 * templates * chains)?;
    }
    Ok(chains)
}

/// The layer of a target is the highest of all that are part of it.
fn targets(templates: &[Template], indications: &[u8], count: usize) -> Vec<Layer> {
    let mut targets = vec![Layer::default(); count];
    for (template, row) in templates.iter().zip(indications.chunks(count)) {
        for (target, _) in targets.iter_mut().zip(row).filter(|(_, i)| **i != ABSENT) {
            target.spatial = target.spatial.max(template.layer.spatial);
            target.temporal = target.temporal.max(template.layer.temporal);
        }
    }
    targets
}

fn masks(targets: &[Layer], row: &[u8]) -> (u64, u64) {
    let of = |wanted: fn(u8) -> bool| {
        let chosen = targets.iter().zip(row).filter(|(_, i)| wanted(**i));
        chosen.fold(0, |all, (target, _)| all | bit(*target))
    };
    (of(|i| i != ABSENT), of(|i| i == SWITCH))
}

fn sizes(bits: &mut Bits<'_>, templates: &[Template]) -> Result<Vec<(u16, u16)>, Malformed> {
    if !bits.flag()? {
        return Ok(Vec::new());
    }
    let spatial = templates.last().map_or(0, |t| t.layer.spatial);
    (0..=spatial)
        .map(|_| {
            let (width, height) = (bits.take(16)? as u16, bits.take(16)? as u16);
            Ok((width.saturating_add(1), height.saturating_add(1)))
        })
        .collect()
}

/// `frame_fdiffs()`: distances of 4, 8 or 12 bits.
fn references(bits: &mut Bits<'_>) -> Result<References, Malformed> {
    let mut references = References::default();
    loop {
        match bits.take(2)? {
            0 => return Ok(references),
            size => {
                let distance = bits.take(4 * size)? as u16 + 1;
                if !references.push(distance) {
                    return Err(Malformed::TooMany);
                }
            }
        }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Up to 32 bits, the most significant first.
    fn take(&mut self, count: u32) -> Result<u32, Malformed> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8).ok_or(Malformed::Torn)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.take(1)? == 1)
    }

    fn skip(&mut self, count: u32) -> Result<(), Malformed> {
        self.at += count as usize;
        if self.at > self.bytes.len() * 8 {
            return Err(Malformed::Torn);
        }
        Ok(())
    }

    /// `ns(n)`: a number below `n` in as few bits as it takes.
    fn below(&mut self, n: u32) -> Result<u32, Malformed> {
        let width = u32::BITS - n.leading_zeros();
        let short = (1 << width) - n;
        let value = self.take(width - 1)?;
        if value < short {
            return Ok(value);
        }
        Ok((value << 1) - short + self.take(1)?)
    }
}

/// Bytes without which there is no descriptor.
const MANDATORY: usize = 3;
const MAX_REFERENCES: usize = 8;
const MAX_TEMPLATES: usize = 64;
const MAX_TARGETS: usize = 32;
const MAX_SPATIAL: u8 = 3;
const MAX_TEMPORAL: u8 = 7;
/// Decode target indications.
const ABSENT: u8 = 0;
const SWITCH: u8 = 2;
