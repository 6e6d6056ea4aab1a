//! The heat map of slices: a table of changes, each with its sign, its certainty and its number of cases.

use super::ReportModel;
use crate::compare::Comparison;
use crate::types::number::{self, Scale};
use crate::types::{MetricName, SliceName};
use serde::Serialize;
use std::collections::BTreeMap;

/// Below this number of pairs a cell is shown without colour.
const FEW: usize = 20;

/// The changes of one candidate.
#[derive(Serialize)]
pub(super) struct HeatMap<'a> {
    candidate: &'a str,
    metrics: Vec<&'a str>,
    rows: Vec<HeatRow<'a>>,
    level: Option<String>,
}

#[derive(Serialize)]
struct HeatRow<'a> {
    slice: &'a str,
    cells: Vec<Option<HeatCell>>,
}

#[derive(Serialize)]
struct HeatCell {
    /// `better`, `worse`, `unclear` or `few`.
    tone: &'static str,
    glyph: &'static str,
    words: &'static str,
    change: String,
    interval: String,
    pairs: String,
}

/// One map per candidate with any comparison.
pub(super) fn heat_maps(model: &ReportModel) -> Vec<HeatMap<'_>> {
    let candidates = model.targets.iter().filter(|t| !t.is_baseline);
    let maps = candidates.filter_map(|t| {
        let of: Vec<&Comparison> =
            model.comparisons.iter().filter(|c| c.candidate == t.name && c.metric.is_share()).collect();
        (!of.is_empty()).then(|| heat_map(t.name.as_str(), &of))
    });
    maps.collect()
}

fn heat_map<'a>(candidate: &'a str, comparisons: &[&'a Comparison]) -> HeatMap<'a> {
    // Columns keep the order in which the comparisons name their metrics: the suite's own.
    let mut metrics: Vec<&MetricName> = Vec::new();
    let mut slices: BTreeMap<&SliceName, BTreeMap<&MetricName, &Comparison>> = BTreeMap::new();
    for c in comparisons {
        if !metrics.contains(&&c.metric.name) {
            metrics.push(&c.metric.name);
        }
        slices.entry(&c.slice).or_default().insert(&c.metric.name, c);
    }
    let mut rows: Vec<(usize, HeatRow<'_>)> = slices
        .into_iter()
        .map(|(slice, by_metric)| {
            let cells: Vec<_> = metrics.iter().map(|m| by_metric.get(m).map(|c| cell(c))).collect();
            let harm = cells.iter().flatten().filter(|c| c.tone == "worse").count();
            // The whole suite comes first, then the slices by what they lost.
            let rank = if slice.is_all() { 0 } else { usize::MAX - harm };
            (rank, HeatRow { slice: slice.as_str(), cells })
        })
        .collect();
    rows.sort_by_key(|(rank, _)| *rank);
    HeatMap {
        candidate,
        metrics: metrics.iter().map(|m| m.as_str()).collect(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        level: level(comparisons),
    }
}

/// The level of all intervals, if they have one in common.
fn level(comparisons: &[&Comparison]) -> Option<String> {
    let mut levels: Vec<String> = comparisons.iter().map(|c| number::confidence(c.interval.level())).collect();
    levels.dedup();
    if levels.len() == 1 { levels.pop() } else { None }
}

fn cell(c: &Comparison) -> HeatCell {
    let scale = Scale::of_change(&c.metric);
    let decimals = scale.decimals(c.interval.upper() - c.interval.lower());
    let gain = c.gain_interval();
    let (tone, glyph, words) = match () {
        () if c.pairs < FEW => ("few", "·", "too few cases to colour"),
        () if gain.lower() > 0.0 => ("better", "▲", "better"),
        () if gain.upper() < 0.0 => ("worse", "▼", "worse"),
        () => ("unclear", "?", "the interval covers no change"),
    };
    HeatCell {
        tone,
        glyph,
        words,
        change: scale.change(c.change, decimals),
        interval: scale.changes(&c.interval, decimals),
        pairs: number::count(c.pairs as u64),
    }
}
