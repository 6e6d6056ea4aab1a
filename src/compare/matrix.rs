//! The scores of many targets on the cases that all of them share.

use super::comparison::Method;
use super::gather::{Gathered, Rule, Side};
use super::pairs;
use super::proof::SCORED_PER_UNSCORED;
use crate::stats::{self, ClusterCounts};
use crate::types::{CaseId, Direction, Metric, MetricKind, SliceName, TargetName};
use std::ops::Range;

/// What a metric compares, as a mean over clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// 0 or 1 of every repeat of every case: the sum of a cluster, to be divided by their number.
    Rate,
    /// The mean of a cluster.
    Mean,
    /// The mean logarithm of a cluster.
    LogMean,
    /// The sum of a cluster.
    Total,
}

/// One metric of many targets on the cases that all of them have a score for.
pub(super) struct Matrix {
    metric: Metric,
    form: Form,
    /// The targets with a score on all but 2 % of the cases, the baseline first.
    pub targets: Vec<TargetName>,
    /// The others.
    pub unranked: Vec<TargetName>,
    /// Cases that some targets have a score for and others do not.
    pub left_out: Vec<CaseId>,
    /// Cases that all targets have a score for.
    pub cases: usize,
    /// Values by target and case (of a rate: and repeat); cases by cluster.
    values: Vec<Vec<f64>>,
    clusters: Vec<Range<usize>>,
    /// One number by target and cluster: [`Form`].
    columns: Vec<Vec<f64>>,
}

impl Matrix {
    /// Lines up the scores of the baseline and the candidates.
    ///
    /// As in a comparison, a failure of the baseline is missing, and a failure of a candidate is what it scored. Repeats are averaged; those
    /// of a right-or-wrong metric are pairs within their case if every target has the same ones, and as many of every case.
    pub(super) fn new(
        gathered: &Gathered<'_>,
        metric: &Metric,
        baseline: &TargetName,
        candidates: &[TargetName],
    ) -> Self {
        let names: Vec<&TargetName> = std::iter::once(baseline).chain(candidates).collect();
        let cases = gathered.cases(&metric.name, &SliceName::all());
        let cells: Vec<(&CaseId, u32)> = gathered.names(&cases).collect();
        let side = |(t, name): (usize, &&TargetName)| {
            let rule = Rule { only_answers: t == 0, only_positive: metric.kind == MetricKind::Duration };
            gathered.side(&metric.name, &cases, name, rule)
        };
        let sides: Vec<Side> = names.iter().enumerate().map(side).collect();
        // As in a claim: whoever lacks more is not to win by absence.
        let is_ranked = |side: &Side| {
            let known = side.rows.iter().flatten().count();
            known > 0 && (cells.len() - known) * SCORED_PER_UNSCORED <= cells.len()
        };
        let (ranked, others): (Vec<_>, Vec<_>) = names.iter().zip(&sides).partition(|(_, side)| is_ranked(side));
        let is_common = |&case: &usize| !ranked.is_empty() && ranked.iter().all(|(_, s)| s.rows[case].is_some());
        let (mut common, left): (Vec<usize>, Vec<usize>) = (0..cells.len()).partition(is_common);
        common.sort_by_key(|&case| cells[case].1);
        let is_like_first = |side: &Side, first: &Side| {
            side.repeats == first.repeats || (side.repeats.len() == 1 && first.repeats.len() == 1)
        };
        let aligned = common.is_empty() || ranked.iter().all(|(_, side)| is_like_first(side, ranked[0].1));
        let form = match metric.kind {
            MetricKind::Binary | MetricKind::Event if aligned => Form::Rate,
            MetricKind::Binary | MetricKind::Event | MetricKind::Bounded => Form::Mean,
            MetricKind::Duration => Form::LogMean,
            MetricKind::Count => Form::Total,
        };
        let values: Vec<Vec<f64>> = ranked
            .iter()
            .map(|(_, side)| {
                let rows = common.iter().filter_map(|&case| side.rows[case]);
                match form {
                    Form::Rate => rows.flatten().copied().collect(),
                    Form::Mean | Form::LogMean | Form::Total => rows.map(pairs::mean).collect(),
                }
            })
            .collect();
        let each = if form == Form::Rate { ranked.first().map_or(0, |(_, side)| side.repeats.len()) } else { 1 };
        let mut clusters = Vec::<Range<usize>>::new();
        for of_cluster in common.chunk_by(|&a, &b| cells[a].1 == cells[b].1) {
            let from = clusters.last().map_or(0, |c| c.end);
            clusters.push(from..from + of_cluster.len() * each);
        }
        let columns = values.iter().map(|v| clusters.iter().map(|c| form.of(&v[c.clone()])).collect()).collect();
        Self {
            metric: metric.clone(),
            form,
            targets: ranked.into_iter().map(|(name, _)| (*name).clone()).collect(),
            unranked: others.into_iter().map(|(name, _)| (*name).clone()).collect(),
            left_out: left.into_iter().map(|case| cells[case].0.clone()).collect(),
            cases: common.len(),
            values,
            clusters,
            columns,
        }
    }

    pub(super) fn clusters(&self) -> usize {
        self.clusters.len()
    }

    /// A column of numbers by cluster per target, and last the one that the mean of each is divided by.
    pub(super) fn columns(&self) -> Vec<Vec<f64>> {
        let mut columns = self.columns.clone();
        columns.push(match self.form {
            Form::Rate => self.clusters.iter().map(|c| c.len() as f64).collect(),
            Form::Mean | Form::LogMean | Form::Total => vec![1.0; self.clusters.len()],
        });
        columns
    }

    /// What the targets are ranked by: mean of the column over mean of the last column, more being better.
    pub(super) fn scores(&self) -> Vec<f64> {
        let sum = |column: &[f64]| column.iter().sum::<f64>();
        let columns = self.columns();
        let (size, columns) = columns.split_last().expect("the last column is always there");
        columns.iter().map(|c| self.turned(sum(c) / sum(size))).collect()
    }

    /// A mean turned so that more is better, and back.
    pub(super) fn turned(&self, mean: f64) -> f64 {
        match self.metric.direction {
            Direction::Higher => mean,
            Direction::Lower => -mean,
        }
    }

    /// The rate, mean, geometric mean or total that belongs to a score.
    pub(super) fn value(&self, score: f64) -> f64 {
        let mean = self.turned(score);
        match self.form {
            Form::Rate | Form::Mean => mean.clamp(0.0, 1.0),
            Form::LogMean => mean.exp(),
            Form::Total => mean * self.clusters.len() as f64,
        }
    }

    /// The change from one value to another, in the metric's own sense; nothing where there is none.
    pub(super) fn change(&self, from: f64, to: f64) -> Option<f64> {
        let change = if self.metric.is_share() { to - from } else { to / from - 1.0 };
        change.is_finite().then_some(change)
    }

    /// The two-sided p value of "these two are alike", by the method with which the metric's comparisons are made; nothing where that has
    /// no answer (no spread in what is compared).
    pub(super) fn p_two_sided(&self, a: usize, b: usize) -> Option<f64> {
        if self.values[a] == self.values[b] {
            return Some(1.0);
        }
        let d = || -> Vec<f64> { self.columns[a].iter().zip(&self.columns[b]).map(|(a, b)| b - a).collect() };
        match self.form {
            Form::Rate => {
                let flips = |range: Range<usize>| {
                    let pairs = || self.values[a][range.clone()].iter().zip(&self.values[b][range.clone()]);
                    let count = |f: fn(f64, f64) -> bool| pairs().filter(|(a, b)| f(**a, **b)).count() as u64;
                    (count(|a, b| a < 0.5 && b > 0.5), count(|a, b| a > 0.5 && b < 0.5))
                };
                if self.is_independent() {
                    let (gained, lost) = flips(0..self.cases);
                    return Some(stats::mcnemar(gained, lost).midp_two_sided);
                }
                let counts = |c: &Range<usize>| {
                    let (gained, lost) = flips(c.clone());
                    ClusterCounts { gained, lost, pairs: c.len() as u64 }
                };
                let clusters: Vec<ClusterCounts> = self.clusters.iter().map(counts).collect();
                let test = stats::tango_clustered(&clusters).ok()?.test(0.0).ok()?;
                Some(doubled(test.p_above.min(test.p_below)))
            }
            Form::Mean => {
                let d = d();
                let above = || stats::gaffke_p_above(&d, -1.0, 0.0).ok();
                let below = || stats::gaffke_p_below(&d, 1.0, 0.0).ok();
                // The smaller tail lies on the side of the mean, but for means near 0, where it matters little.
                let near = if d.iter().sum::<f64>() > 0.0 { above()? } else { below()? };
                Some(doubled(if near < 0.25 { near } else { above()?.min(below()?) }))
            }
            Form::LogMean | Form::Total => Some(stats::paired_t(&d(), 0.0, 0.9).ok()?.p_two_sided),
        }
    }

    /// Whether nothing shares a cluster, neither cases nor repeats.
    fn is_independent(&self) -> bool {
        self.values.first().is_none_or(|v| v.len() == self.clusters.len())
    }

    /// The test behind [`Self::p_two_sided`].
    pub(super) fn method(&self) -> Method {
        let units = if self.clusters.len() == self.cases { "cases" } else { "clusters" };
        let (name, why, also) = match self.form {
            Form::Rate if self.is_independent() => {
                ("mid-p McNemar", "binary pairs, one per independent case", "nothing else: it is near exact")
            }
            Form::Rate => (
                "Tango score test, scaled by the design effect",
                "binary pairs, several in a cluster; each p value is the largest with any of what speaks against it not seen",
                "the score statistic is near a t variable",
            ),
            Form::Mean => (
                "Gaffke bound",
                "mean paired difference of a score in [0, 1]; twice the smaller tail",
                "scores lie in [0, 1], and nothing of their shape",
            ),
            Form::LogMean => (
                "t test of the paired log ratio",
                "durations of the same case",
                "the mean of the log ratios is near normal",
            ),
            Form::Total => (
                "t test of the paired difference",
                "counts of the same case; Fieller's at a ratio of 1",
                "the mean of the differences is near normal",
            ),
        };
        Method::new(name, why, &[&format!("the {units} are independent of each other"), also])
    }
}

impl Form {
    fn of(self, values: &[f64]) -> f64 {
        let n = values.len() as f64;
        match self {
            Self::Rate | Self::Total => values.iter().sum(),
            Self::Mean => values.iter().sum::<f64>() / n,
            Self::LogMean => values.iter().map(|v| v.ln()).sum::<f64>() / n,
        }
    }
}

fn doubled(p: f64) -> f64 {
    (2.0 * p).min(1.0)
}
