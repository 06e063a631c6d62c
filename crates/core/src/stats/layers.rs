//! Figures of layers. The names are fixed, as all names of statistics are.

use crate::event::StatValue;
use crate::layer::Layer;
use crate::layers::{Encodings, Selector};

type Value = (&'static str, StatValue);

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

/// Of one layer: bit rate, width, height, frame rate.
macro_rules! names {
    ($layer:literal) => {
        [
            concat!("layer_", $layer, "_bitrate"),
            concat!("layer_", $layer, "_width"),
            concat!("layer_", $layer, "_height"),
            concat!("layer_", $layer, "_fps"),
        ]
    };
}

const NAMES: [[[&str; 4]; 4]; 4] = [
    [names!("0_0"), names!("0_1"), names!("0_2"), names!("0_3")],
    [names!("1_0"), names!("1_1"), names!("1_2"), names!("1_3")],
    [names!("2_0"), names!("2_1"), names!("2_2"), names!("2_3")],
    [names!("3_0"), names!("3_1"), names!("3_2"), names!("3_3")],
];
