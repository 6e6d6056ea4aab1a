//! The scores of many targets on the cases that all of them share, gathered in one pass over the samples.

use super::comparison::Method;
use crate::score::Sample;
use crate::stats::{self, ClusterCounts};
use crate::types::{CaseId, ClusterName, Direction, Metric, MetricKind, Outcome, TargetName};
use std::collections::BTreeMap;
use std::ops::Range;

/// What is known of one target on one case.
#[derive(Clone, Copy, Default)]
struct Cell {
    sum: f64,
    repeats: usize,
    missing: bool,
}

impl Cell {
    fn is_known(self) -> bool {
        self.repeats > 0 && !self.missing
    }
}

/// What a metric compares, as a mean over clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// 0 or 1 of every case: the sum of a cluster, to be divided by the number of its cases.
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
    /// The targets with any score, the baseline first.
    pub targets: Vec<TargetName>,
    /// The targets without any.
    pub unranked: Vec<TargetName>,
    /// Cases that some targets have a score for and others do not.
    pub left_out: Vec<CaseId>,
    /// Values by target and case; cases by cluster.
    values: Vec<Vec<f64>>,
    clusters: Vec<Range<usize>>,
    /// One number by target and cluster: [`Form`].
    columns: Vec<Vec<f64>>,
}

impl Matrix {
    /// Gathers the scores of the baseline and the candidates.
    ///
    /// As in a comparison, repeats are averaged, a failure of the baseline is missing, and a failure of a candidate is what it scored.
    pub(super) fn new(samples: &[Sample], metric: &Metric, baseline: &TargetName, candidates: &[TargetName]) -> Self {
        let names: Vec<&TargetName> = std::iter::once(baseline).chain(candidates).collect();
        let index: BTreeMap<&TargetName, usize> = names.iter().enumerate().map(|(i, n)| (*n, i)).collect();
        let mut cases: BTreeMap<(&ClusterName, &CaseId), (bool, Vec<Cell>)> = BTreeMap::new();
        for s in samples {
            let case =
                cases.entry((&s.cluster, &s.case)).or_insert_with(|| (false, vec![Cell::default(); names.len()]));
            let score = s.score(&metric.name);
            case.0 |= score.is_some();
            let Some(&t) = index.get(&s.target) else { continue };
            let failed = s.target == *baseline && s.outcome == Outcome::Failed;
            // A logarithm needs a number above 0.
            let fits = |v: f64| v.is_finite() && !failed && (metric.kind != MetricKind::Duration || v > 0.0);
            match score.and_then(|score| score.value).filter(|v| fits(*v)) {
                Some(v) => {
                    case.1[t].sum += v;
                    case.1[t].repeats += 1;
                }
                None => case.1[t].missing = true,
            }
        }
        cases.retain(|_, (measured, _)| *measured);
        let ranked: Vec<usize> =
            (0..names.len()).filter(|&t| cases.values().any(|(_, cells)| cells[t].is_known())).collect();
        let unranked = (0..names.len()).filter(|t| !ranked.contains(t)).map(|t| names[t].clone()).collect();
        let mut values = vec![Vec::new(); ranked.len()];
        let (mut clusters, mut last, mut left_out) = (Vec::<Range<usize>>::new(), None, Vec::new());
        let (mut repeated, mut rows) = (false, 0);
        for ((cluster, case), (_, cells)) in &cases {
            if ranked.is_empty() || ranked.iter().any(|&t| !cells[t].is_known()) {
                left_out.push((*case).clone());
                continue;
            }
            for (column, &t) in values.iter_mut().zip(&ranked) {
                repeated |= cells[t].repeats > 1;
                column.push(cells[t].sum / cells[t].repeats as f64);
            }
            match clusters.last_mut() {
                Some(range) if last == Some(*cluster) => range.end += 1,
                _ => clusters.push(rows..rows + 1),
            }
            (last, rows) = (Some(*cluster), rows + 1);
        }
        left_out.sort();
        let form = match metric.kind {
            MetricKind::Binary | MetricKind::Event if !repeated => Form::Rate,
            MetricKind::Binary | MetricKind::Event | MetricKind::Bounded => Form::Mean,
            MetricKind::Duration => Form::LogMean,
            MetricKind::Count => Form::Total,
        };
        let columns = values.iter().map(|v| clusters.iter().map(|c| form.of(&v[c.clone()])).collect()).collect();
        let targets = ranked.into_iter().map(|t| names[t].clone()).collect();
        Self { metric: metric.clone(), form, targets, unranked, left_out, values, clusters, columns }
    }

    pub(super) fn cases(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
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
                    let (gained, lost) = flips(0..self.cases());
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

    fn is_independent(&self) -> bool {
        self.clusters.len() == self.cases()
    }

    /// The test behind [`Self::p_two_sided`].
    pub(super) fn method(&self) -> Method {
        let (name, why) = match self.form {
            Form::Rate if self.is_independent() => ("mid-p McNemar", "binary pairs, one per independent case"),
            Form::Rate => {
                ("Tango score test, scaled by the design effect", "binary pairs, several in a cluster or in some")
            }
            Form::Mean => ("Gaffke bound", "mean paired difference of a score in [0, 1]; twice the smaller tail"),
            Form::LogMean => ("t test of the paired log ratio", "durations of the same case"),
            Form::Total => ("t test of the paired difference", "counts of the same case; Fieller's at a ratio of 1"),
        };
        Method { name: name.to_owned(), why: why.to_owned() }
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
