//! The best of several candidates, chosen on one part of the cases and compared on the other: the remedy against the winner's curse.

use super::NotComparable;
use super::gather::Gathered;
use super::paired::of_gathered;
use super::proof::MIN_CLUSTERS;
use super::rank;
use super::table::{ComparisonTable, Gap, Request, Row, compare_gathered, tabulate_gathered};
use crate::score::Sample;
use crate::types::{ClusterName, DigestBuilder, Metric, MetricName, SliceName, SplitMix64, TargetName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How to choose and confirm.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// By which metric.
    pub metric: &'a Metric,
    /// The share of the clusters kept for the confirmation, above 0 and below 1.
    pub confirm_share: f64,
}

/// A candidate chosen on the select part of the cases, and what the confirm part says of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Selection {
    /// The metric by which it was chosen.
    pub metric: MetricName,
    /// The seed of the split.
    pub seed: u64,
    /// The share of the clusters kept for the confirmation.
    pub confirm_share: f64,
    /// Independent units of the select part with the metric for every ranked target.
    pub select_clusters: usize,
    /// Independent units of the confirm part with the metric for winner and baseline.
    pub confirm_clusters: usize,
    /// The candidate with the best value on the select part, on the cases that every target has a score for.
    pub winner: TargetName,
    /// Out of how many candidates.
    pub of: usize,
    /// Its value on the select part: what it was chosen for.
    pub select_value: f64,
    /// Its change against the baseline on the select part: flattered by the choice.
    pub select_change: f64,
    /// Its value on the confirm part.
    pub confirm_value: f64,
    /// Its change against the baseline on the confirm part: an honest estimate.
    pub confirm_change: f64,
    /// `confirm-change` minus `select-change`: the winner's curse, and chance.
    pub difference: f64,
    /// The winner against the baseline on the confirm part, on every metric and slice; margins are answered here and nowhere else.
    pub confirm: Vec<Row>,
    /// What was measured on the confirm part and has no comparison.
    pub not_comparable: Vec<Gap>,
}

/// Chooses the best candidate on the select part, compares it with the baseline on the confirm part, and tabulates all candidates on the
/// select part: of the confirm part nobody but the winner is ever shown, so that it stays a test.
///
/// # Errors
/// When there are fewer than two candidates, the share is outside `(0, 1)`, a part has fewer than 10 clusters for the metric, or the winner
/// cannot be compared with the baseline on it.
pub fn tabulate_with_choice(request: Request<'_>, choice: Choice<'_>) -> Result<ComparisonTable, NotComparable> {
    let parts = Parts::new(request, choice)?;
    let select = gather(&parts.select, request, choice);
    let selection = choose(request, choice, &select, &gather(&parts.confirm, request, choice))?;
    // What the margins say is asked once, of the winner on the confirm part.
    let none = BTreeMap::new();
    let mut table = tabulate_gathered(&select, Request { margins: &none, ..request });
    // The confirm part says what the choice has added; no approximation is needed.
    table.rankings.iter_mut().for_each(|r| r.best = None);
    table.selection = Some(selection);
    Ok(table)
}

/// Chooses the best candidate on the select part and compares it with the baseline on the confirm part.
///
/// # Errors
/// As [`tabulate_with_choice`].
pub fn select_and_confirm(request: Request<'_>, choice: Choice<'_>) -> Result<Selection, NotComparable> {
    let parts = Parts::new(request, choice)?;
    choose(request, choice, &gather(&parts.select, request, choice), &gather(&parts.confirm, request, choice))
}

/// The samples of both parts.
pub(super) struct Parts<'a> {
    pub select: Vec<&'a Sample>,
    pub confirm: Vec<&'a Sample>,
}

/// The samples of a part, gathered for the metrics of the table and the one that chooses.
fn gather<'a>(part: &[&'a Sample], request: Request<'a>, choice: Choice<'a>) -> Gathered<'a> {
    Gathered::new(part.iter().copied(), request.metrics.iter().chain([choice.metric]).map(|m| &m.name))
}

impl<'a> Parts<'a> {
    pub(super) fn new(request: Request<'a>, choice: Choice<'_>) -> Result<Self, NotComparable> {
        let share = choice.confirm_share;
        if !(share > 0.0 && share < 1.0) {
            return Err(NotComparable {
                reason: format!("a share of {share} for the confirmation is not between 0 and 1"),
            });
        }
        let kept = confirm_clusters(request.samples, request.seed, share);
        let (confirm, select) = request.samples.iter().partition(|s| kept.contains(&s.cluster));
        Ok(Self { select, confirm })
    }
}

/// The clusters kept for the confirmation.
///
/// A cluster's stratum is the set of the slices of its cases. Strata in a seeded random order, and the clusters of each (by name first) in
/// another, make one sequence, of which a systematic sample with a random start is drawn: of every stratum, and of all, the share is kept
/// but for less than one cluster. Names, slices, seed and share decide, and no score.
fn confirm_clusters(samples: &[Sample], seed: u64, share: f64) -> BTreeSet<ClusterName> {
    let mut slices: BTreeMap<&ClusterName, BTreeSet<&SliceName>> = BTreeMap::new();
    for s in samples {
        slices.entry(&s.cluster).or_default().extend(&s.slices);
    }
    let mut by_slices: BTreeMap<BTreeSet<&SliceName>, Vec<&ClusterName>> = BTreeMap::new();
    for (cluster, set) in slices {
        by_slices.entry(set).or_default().push(cluster);
    }
    let stream = DigestBuilder::new("goldgate.stream/1").field(&seed.to_le_bytes()).field(b"select and confirm");
    let mut rng = SplitMix64::new(stream.finish().seed());
    let mut strata: Vec<_> = by_slices.into_values().collect();
    rng.shuffle(&mut strata);
    strata.iter_mut().for_each(|s| rng.shuffle(s));
    let start = rng.unit();
    let upto = |i: usize| (i as f64 * share + start).floor();
    let sequence = strata.into_iter().flatten().enumerate();
    sequence.filter(|(i, _)| upto(i + 1) > upto(*i)).map(|(_, c)| c.clone()).collect()
}

/// Chooses on one part and compares on the other.
fn choose(
    request: Request<'_>,
    choice: Choice<'_>,
    select: &Gathered<'_>,
    confirm: &Gathered<'_>,
) -> Result<Selection, NotComparable> {
    let Request { baseline, candidates, alpha, .. } = request;
    if candidates.len() < 2 {
        let reason =
            "there is one candidate, so there is nothing to choose: it is compared on all cases without a split";
        return Err(NotComparable { reason: reason.to_owned() });
    }
    let metric = choice.metric;
    let (winner, clusters) = rank::winner(select, request, metric)?;
    enough("select", metric, clusters)?;
    let all = SliceName::all();
    let on = |part: &Gathered<'_>| {
        of_gathered(part, &part.cases(&metric.name, &all), (metric, &all), baseline, &winner, alpha)
    };
    let (on_select, on_confirm) = (on(select)?, on(confirm)?);
    enough("confirm", metric, on_confirm.clusters)?;
    let confirmed = Request { candidates: std::slice::from_ref(&winner), ..request };
    let (comparisons, not_comparable) = compare_gathered(confirm, confirmed);
    Ok(Selection {
        metric: metric.name.clone(),
        seed: request.seed,
        confirm_share: choice.confirm_share,
        select_clusters: clusters,
        confirm_clusters: on_confirm.clusters,
        winner,
        of: candidates.len(),
        select_value: on_select.candidate_value,
        select_change: on_select.change,
        confirm_value: on_confirm.candidate_value,
        confirm_change: on_confirm.change,
        difference: on_confirm.change - on_select.change,
        confirm: comparisons,
        not_comparable,
    })
}

fn enough(part: &str, metric: &Metric, clusters: usize) -> Result<(), NotComparable> {
    if clusters >= MIN_CLUSTERS {
        return Ok(());
    }
    let reason = format!(
        "the {part} part has {clusters} independent cases with `{}` on all sides; at least {MIN_CLUSTERS} are needed in each part",
        metric.name
    );
    Err(NotComparable { reason })
}
