//! Every comparison of a set of candidates with a baseline, with what several of them at once ask for.

use super::gather::{Cases, Gathered};
use super::paired::of_gathered;
use super::proof::{self, Answer, NoWorse};
use super::rank::{Ranking, rank_gathered};
use super::select::Selection;
use super::{Asking, Comparison, NotComparable, slowed};
use crate::score::Sample;
use crate::stats;
use crate::types::{Metric, MetricName, SliceName, TargetName};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// The format of the table as JSON; `schemas/comparison.schema.json` describes it.
pub const TABLE_FORMAT: &str = "goldgate.comparison/1";

/// The false discovery rate of the list of slices to look at (statistics.md, section 7).
const LOOK_HERE_RATE: f64 = 0.10;
/// A slice with fewer independent cases is shown and not tested (statistics.md, section 7).
const LOOK_HERE_CLUSTERS: usize = 20;

/// What to compare.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Every scored trial.
    pub samples: &'a [Sample],
    /// The metrics, in the order of the table.
    pub metrics: &'a [Metric],
    /// The slices, in the order of the table.
    pub slices: &'a [SliceName],
    /// Against whom.
    pub baseline: &'a TargetName,
    /// Who, in the order of the table.
    pub candidates: &'a [TargetName],
    /// The one-sided level.
    pub alpha: f64,
    /// The loss that would be borne, for the metrics that have a margin.
    pub margins: &'a BTreeMap<MetricName, f64>,
    /// The seed of the resamples and of the split into a select and a confirm part.
    pub seed: u64,
    /// How the questions were started; alone where nothing is known of it.
    pub asking: Asking,
}

/// One comparison and what follows from its neighbours in the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// The comparison by itself.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// `p-better`, adjusted by Holm for the candidates compared on this metric and slice.
    pub p_better_holm: Option<f64>,
    /// Whether the candidate is better (`no`: worse): the interval excludes no change, for several candidates Holm's p value agrees, and
    /// neither unscored cases nor too few of them could turn it.
    pub better: Answer,
    /// For slices: `p-worse`, adjusted by Benjamini-Hochberg for the candidate's slices and metrics.
    pub q_worse: Option<f64>,
    /// Whether the slice belongs to the list of places to look at: at most a tenth of such a list is expected to be chance.
    pub look_here: bool,
    /// What the margin of this metric, if it has one, makes of the interval.
    pub no_worse: Option<NoWorse>,
}

/// A metric that cannot be compared, though it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gap {
    /// The metric.
    pub metric: MetricName,
    /// The slice.
    pub slice: SliceName,
    /// The candidate.
    pub candidate: TargetName,
    /// Why, as a fragment.
    pub reason: String,
}

/// A metric on which the targets cannot be ranked, though it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotRanked {
    /// The metric.
    pub metric: MetricName,
    /// Why, as a fragment.
    pub reason: String,
}

/// All comparisons of some candidates with a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComparisonTable {
    /// Always [`TABLE_FORMAT`].
    pub format: &'static str,
    /// The one-sided level.
    pub alpha: f64,
    /// Against whom.
    pub baseline: TargetName,
    /// Who.
    pub candidates: Vec<TargetName>,
    /// By candidate, metric and slice; with a selection, on the select part of the cases.
    pub comparisons: Vec<Row>,
    /// What was measured and has no comparison.
    pub not_comparable: Vec<Gap>,
    /// The seed of the resamples and of the split.
    pub seed: u64,
    /// With several candidates, all targets by metric over all cases; with a selection, on the select part of the cases.
    pub rankings: Vec<Ranking>,
    /// With several candidates, what was measured and has no ranking.
    pub not_ranked: Vec<NotRanked>,
    /// The candidate that was chosen on one part of the cases and confirmed on the other, if that was asked for.
    pub selection: Option<Selection>,
}

/// Compares every candidate with the baseline on every metric and slice on which anything was measured, and ranks several.
#[must_use]
pub fn tabulate(request: Request<'_>) -> ComparisonTable {
    tabulate_gathered(&gather(request), request)
}

/// The samples of a request, gathered for its metrics.
fn gather(request: Request<'_>) -> Gathered<'_> {
    Gathered::new(request.samples.iter(), request.metrics.iter().map(|m| &m.name))
}

/// [`tabulate`] on samples that are gathered already.
pub(super) fn tabulate_gathered(gathered: &Gathered<'_>, request: Request<'_>) -> ComparisonTable {
    let (comparisons, not_comparable) = compare_gathered(gathered, request);
    let (rankings, not_ranked) = rankings(gathered, request);
    ComparisonTable {
        format: TABLE_FORMAT,
        alpha: request.alpha,
        baseline: request.baseline.clone(),
        candidates: request.candidates.to_vec(),
        comparisons,
        not_comparable,
        seed: request.seed,
        rankings,
        not_ranked,
        selection: None,
    }
}

/// The metrics and slices on which anything was measured, with their cases: a metric belongs to some slices only, and where nothing was
/// measured, nothing is missing.
fn measured<'a>(gathered: &Gathered<'_>, request: Request<'a>) -> Vec<(&'a Metric, &'a SliceName, Cases)> {
    let pairs = request.metrics.iter().flat_map(|m| request.slices.iter().map(move |s| (m, s)));
    pairs.map(|(m, s)| (m, s, gathered.cases(&m.name, s))).filter(|(_, _, cases)| !cases.is_empty()).collect()
}

/// The comparisons of the table by candidate, metric and slice, adjusted for each other, and what cannot be compared.
#[must_use]
pub fn compare_all(request: Request<'_>) -> (Vec<Row>, Vec<Gap>) {
    compare_gathered(&gather(request), request)
}

/// [`compare_all`] on samples that are gathered already.
pub(super) fn compare_gathered(gathered: &Gathered<'_>, request: Request<'_>) -> (Vec<Row>, Vec<Gap>) {
    let Request { baseline, alpha, .. } = request;
    let measured = measured(gathered, request);
    let asked: Vec<_> = request.candidates.iter().flat_map(|c| measured.iter().map(move |m| (c, m))).collect();
    let compared = |(candidate, (metric, slice, cases)): &(&TargetName, &(&Metric, &SliceName, Cases))| {
        let found = of_gathered(gathered, cases, (metric, slice), baseline, candidate, alpha);
        found.map(|c| row(c, request)).map_err(|NotComparable { reason }| Gap {
            metric: metric.name.clone(),
            slice: (*slice).clone(),
            candidate: (*candidate).clone(),
            reason,
        })
    };
    let found: Vec<Result<Row, Gap>> = asked.par_iter().map(compared).collect();
    let (mut rows, mut gaps) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(row) => rows.push(row),
            Err(gap) => gaps.push(gap),
        }
    }
    for of_candidate in rows.chunk_by_mut(|a: &Row, b: &Row| a.comparison.candidate == b.comparison.candidate) {
        mark_slices(of_candidate);
    }
    adjust_for_candidates(&mut rows, alpha);
    (rows, gaps)
}

fn rankings(gathered: &Gathered<'_>, request: Request<'_>) -> (Vec<Ranking>, Vec<NotRanked>) {
    let (mut rankings, mut not_ranked) = (Vec::new(), Vec::new());
    if request.candidates.len() < 2 {
        return (rankings, not_ranked);
    }
    for (metric, _, _) in measured(gathered, request).iter().filter(|(_, slice, _)| slice.is_all()) {
        match rank_gathered(gathered, request, metric) {
            Ok(ranking) => rankings.push(ranking),
            Err(NotComparable { reason }) => not_ranked.push(NotRanked { metric: metric.name.clone(), reason }),
        }
    }
    (rankings, not_ranked)
}

fn row(comparison: Comparison, request: Request<'_>) -> Row {
    let margin = request.margins.get(&comparison.metric.name);
    let slowed = slowed(&comparison.metric, request.asking);
    let no_worse = margin.map(|&margin| match &slowed {
        Some(why) => NoWorse { margin, answer: Answer::Unproven, why: Some(why.clone()) },
        None => proof::no_worse(&comparison, margin, request.alpha),
    });
    let better = if slowed.is_some() { Answer::Unproven } else { proof::hold(&comparison, proof::is_better).answer };
    Row { comparison, p_better_holm: None, better, q_worse: None, look_here: false, no_worse }
}

/// Fills in the false-discovery-rate list over one candidate's slices and metrics.
fn mark_slices(rows: &mut [Row]) {
    let (mut tested, mut p_values) = (Vec::new(), Vec::new());
    for (i, Row { comparison: c, .. }) in rows.iter().enumerate() {
        if c.slice.is_all() || c.clusters < LOOK_HERE_CLUSTERS {
            continue;
        }
        if let Some(p) = c.p_worse {
            tested.push(i);
            p_values.push(p);
        }
    }
    // Without a p value there is nothing to adjust, and a p value that is none is no reason to look.
    let Ok(adjusted) = stats::benjamini_hochberg(&p_values) else { return };
    for (i, q) in tested.into_iter().zip(adjusted) {
        rows[i].q_worse = Some(q);
        rows[i].look_here = q <= LOOK_HERE_RATE;
    }
}

/// Fills in Holm's adjustment over the candidates of each metric and slice, and takes back what it does not bear out.
fn adjust_for_candidates(rows: &mut [Row], alpha: f64) {
    let mut families: BTreeMap<(MetricName, SliceName), Vec<(usize, f64)>> = BTreeMap::new();
    for (i, Row { comparison: c, .. }) in rows.iter().enumerate() {
        if let Some(p) = c.p_better {
            families.entry((c.metric.name.clone(), c.slice.clone())).or_default().push((i, p));
        }
    }
    for family in families.into_values() {
        let p_values: Vec<f64> = family.iter().map(|(_, p)| *p).collect();
        let Ok(adjusted) = stats::holm(&p_values) else { continue };
        for ((i, _), p) in family.into_iter().zip(adjusted) {
            rows[i].p_better_holm = Some(p);
            // The best of many looks better than it is, and a binary metric's interval and test are two methods: both must say so.
            if rows[i].better == Answer::Yes && p > alpha {
                rows[i].better = Answer::Unproven;
            }
        }
    }
}
