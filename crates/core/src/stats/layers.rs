//! Figures of encodings and layers, in the words of webrtc-stats. The names are fixed, as all names of
//! statistics are.

use crate::event::StatValue;
use crate::layer::Layer;
use crate::layers::{Encodings, Selector};

type Value = (&'static str, StatValue);

/// What has come of each encoding.
pub(super) fn sent(encodings: &Encodings) -> impl Iterator<Item = Value> {
    let seen = encodings.all().iter().zip(ENCODINGS);
    let seen = seen.filter(|(encoding, _)| encoding.ssrc.is_some());
    seen.flat_map(|(encoding, names)| {
        let rid = encoding.rid.map(|rid| StatValue::Text(rid.to_string()));
        let values = [
            rid,
            Some(StatValue::Int(encoding.packets)),
            Some(StatValue::Int(encoding.bytes)),
            Some(StatValue::Int(encoding.rate())),
        ];
        let named = names.into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name, value?)))
    })
}

/// What a publisher sends of each layer.
pub(super) fn of(encodings: &Encodings) -> impl Iterator<Item = Value> {
    encodings.layers().iter().flat_map(|rate| {
        let names = NAMES
            .get(usize::from(rate.layer.spatial))
            .and_then(|row| row.get(usize::from(rate.layer.temporal)));
        let values = [
            Some(StatValue::Int(rate.bitrate)),
            rate.width.map(|width| StatValue::Int(width.into())),
            rate.height.map(|height| StatValue::Int(height.into())),
            rate.fps.map(|fps| StatValue::Float(fps.into())),
        ];
        let named = names
            .into_iter()
            .flat_map(move |names| names.iter().zip(values.clone()));
        named.filter_map(|(name, value)| Some((*name, value?)))
    })
}

/// The steps of a subscriber's decision.
pub(super) fn chosen(selector: &Selector, encodings: &Encodings) -> impl Iterator<Item = Value> {
    let steps = [
        (PREFERRED, selector.preferred(encodings)),
        (TARGET, selector.target()),
        (CURRENT, selector.current()),
    ];
    let known = steps
        .into_iter()
        .filter_map(|(names, layer)| Some((names, layer?)));
    known.flat_map(|(names, Layer { spatial, temporal })| {
        let values = [spatial, temporal].map(|n| StatValue::Int(n.into()));
        names.into_iter().zip(values)
    })
}

const PREFERRED: [&str; 2] = ["preferred_spatial", "preferred_temporal"];
const TARGET: [&str; 2] = ["target_spatial", "target_temporal"];
const CURRENT: [&str; 2] = ["current_spatial", "current_temporal"];

/// Of one layer.
macro_rules! layer {
    ($layer:literal) => {
        [
            concat!("layer_", $layer, "_bitrate"),
            concat!("layer_", $layer, "_frame_width"),
            concat!("layer_", $layer, "_frame_height"),
            concat!("layer_", $layer, "_frames_per_second"),
        ]
    };
}

/// Of one encoding.
macro_rules! encoding {
    ($place:literal) => {
        [
            concat!("encoding_", $place, "_rid"),
            concat!("encoding_", $place, "_packets_received"),
            concat!("encoding_", $place, "_bytes_received"),
            concat!("encoding_", $place, "_bitrate"),
        ]
    };
}

const ENCODINGS: [[&str; 4]; 4] = [
    encoding!("0"),
    encoding!("1"),
    encoding!("2"),
    encoding!("3"),
];
const NAMES: [[[&str; 4]; 4]; 4] = [
    [layer!("0_0"), layer!("0_1"), layer!("0_2"), layer!("0_3")],
    [layer!("1_0"), layer!("1_1"), layer!("1_2"), layer!("1_3")],
    [layer!("2_0"), layer!("2_1"), layer!("2_2"), layer!("2_3")],
    [layer!("3_0"), layer!("3_1"), layer!("3_2"), layer!("3_3")],
];
