//! One metric on one slice for one pair: which estimand, which method, and why.

use super::comparison::{Comparison, Estimand, Flips, Method};
use super::pairs::{self, Pair};
use crate::score::Sample;
use crate::stats::{self, ClusterCounts, PairedCounts, StatsError};
use crate::types::{Direction, Interval, Metric, MetricKind, SliceName, TargetName};

/// Why there is no comparison.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct NotComparable {
    /// What is missing, as a fragment.
    pub reason: String,
}

impl From<StatsError> for NotComparable {
    fn from(e: StatsError) -> Self {
        Self { reason: e.to_string() }
    }
}

/// What a method yields.
struct Found {
    estimand: Estimand,
    baseline_value: f64,
    candidate_value: f64,
    change: f64,
    interval: Interval,
    p_better: Option<f64>,
    flips: Option<Flips>,
    method: Method,
}

/// Compares a candidate with the baseline on one metric and slice, at one-sided level `alpha`.
///
/// The metric's kind chooses estimand and method (statistics.md, section 0): Tango's score interval for binary metrics and events
/// (scaled by the design effect where cases share clusters or are repeated), Gaffke's bound on cluster means for bounded scores,
/// t on paired log ratios for durations, Fieller on cluster totals for counts.
///
/// # Errors
/// When the slice has no pair, or the method has no answer for these data.
pub fn compare(
    samples: &[Sample],
    metric: &Metric,
    slice: &SliceName,
    baseline: &TargetName,
    candidate: &TargetName,
    alpha: f64,
) -> Result<Comparison, NotComparable> {
    let (found, unscored) = pairs::pairs(samples, baseline, candidate, &metric.name, slice);
    if found.is_empty() {
        return Err(NotComparable {
            reason: format!("no case of the slice `{slice}` has `{}` on both sides", metric.name),
        });
    }
    let groups = pairs::by_cluster(&found, |p| &p.cluster);
    let result = match metric.kind {
        MetricKind::Binary | MetricKind::Event => binary(&found, &groups, metric, alpha)?,
        MetricKind::Bounded => bounded(&groups, metric, alpha)?,
        MetricKind::Duration => duration(&groups, alpha)?,
        MetricKind::Count => count(&groups, alpha)?,
    };
    Ok(Comparison {
        metric: metric.clone(),
        slice: slice.clone(),
        baseline: baseline.clone(),
        candidate: candidate.clone(),
        estimand: result.estimand,
        pairs: found.len(),
        clusters: groups.len(),
        unscored,
        baseline_value: result.baseline_value,
        candidate_value: result.candidate_value,
        change: result.change,
        interval: result.interval,
        p_better: result.p_better,
        flips: result.flips,
        method: result.method,
    })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn level(alpha: f64) -> f64 {
    1.0 - 2.0 * alpha
}

fn binary(found: &[Pair], groups: &[Vec<&Pair>], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    if found.iter().any(|p| p.repeats > 1) {
        // With repeats a case's value is a rate; the difference of rates is bounded, and its bound needs no binary table.
        return bounded(groups, metric, alpha);
    }
    let counts_of = |pairs: &[&Pair]| {
        let count = |f: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|p| f(p)).count() as u64;
        PairedCounts {
            both: count(&|p| p.baseline > 0.5 && p.candidate > 0.5),
            gained: count(&|p| p.baseline < 0.5 && p.candidate > 0.5),
            lost: count(&|p| p.baseline > 0.5 && p.candidate < 0.5),
            neither: count(&|p| p.baseline < 0.5 && p.candidate < 0.5),
        }
    };
    let all: Vec<&Pair> = found.iter().collect();
    let counts = counts_of(&all);
    let independent = groups.len() == found.len();
    let mcnemar = stats::mcnemar(counts.gained, counts.lost);
    let (interval, p_better, method) = if independent {
        let p = match metric.direction {
            Direction::Higher => mcnemar.midp_greater,
            Direction::Lower => mcnemar.midp_less,
        };
        let why = "binary pairs, one per independent case; p by mid-p McNemar";
        (stats::tango_interval(&counts, level(alpha))?, Some(p), method("Tango score interval", why))
    } else {
        let clusters: Vec<ClusterCounts> = groups
            .iter()
            .map(|g| {
                let c = counts_of(g);
                ClusterCounts { gained: c.gained, lost: c.lost, pairs: c.n() }
            })
            .collect();
        let tango = stats::tango_clustered(&clusters)?;
        let test = tango.test(0.0)?;
        let p = match metric.direction {
            Direction::Higher => test.p_above,
            Direction::Lower => test.p_below,
        };
        let why = format!(
            "binary pairs in {} clusters; design effect {:.2} (CR2{}), t with {:.0} degrees of freedom",
            tango.clusters,
            tango.design_effect,
            if tango.floored { ", floored since few clusters differ" } else { "" },
            tango.df
        );
        (tango.interval(level(alpha))?, Some(p), method("Tango score interval, scaled by the design effect", &why))
    };
    Ok(Found {
        estimand: Estimand::RiskDifference,
        baseline_value: mean(found.iter().map(|p| p.baseline)),
        candidate_value: mean(found.iter().map(|p| p.candidate)),
        change: counts.difference()?,
        interval,
        p_better,
        flips: Some(Flips { gained: counts.gained, lost: counts.lost }),
        method,
    })
}

fn bounded(groups: &[Vec<&Pair>], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    let side = |f: fn(&Pair) -> f64| -> Vec<f64> { groups.iter().map(|g| mean(g.iter().map(|p| f(p)))).collect() };
    let (base, cand) = (side(|p| p.baseline), side(|p| p.candidate));
    let d: Vec<f64> = cand.iter().zip(&base).map(|(c, b)| c - b).collect();
    let interval = stats::gaffke_interval(&d, -1.0, 1.0, level(alpha))?;
    let p = match metric.direction {
        Direction::Higher => stats::gaffke_p_above(&d, -1.0, 0.0)?,
        Direction::Lower => stats::gaffke_p_below(&d, 1.0, 0.0)?,
    };
    Ok(Found {
        estimand: Estimand::MeanDifference,
        baseline_value: mean(base.iter().copied()),
        candidate_value: mean(cand.iter().copied()),
        change: mean(d.iter().copied()),
        interval,
        p_better: Some(p),
        flips: None,
        method: method(
            "Gaffke bound",
            "mean paired difference of a score in [0, 1], clusters weighing equally; supposes only the range",
        ),
    })
}

fn duration(groups: &[Vec<&Pair>], alpha: f64) -> Result<Found, NotComparable> {
    let side =
        |f: fn(&Pair) -> f64| -> Vec<f64> { groups.iter().map(|g| mean(g.iter().map(|p| f(p).ln())).exp()).collect() };
    let (base, cand) = (side(|p| p.baseline), side(|p| p.candidate));
    let found = stats::log_ratio_t(&cand, &base, 1.0, level(alpha))?;
    let geometric = |v: &[f64]| mean(v.iter().map(|x| x.ln())).exp();
    Ok(Found {
        estimand: Estimand::GeometricMeanRatio,
        baseline_value: geometric(&base),
        candidate_value: geometric(&cand),
        change: found.ratio - 1.0,
        interval: relative(found.interval)?,
        p_better: Some(found.log.p_less),
        flips: None,
        method: method(
            "t interval of the paired log ratio",
            "durations of the same case, asked directly after each other in random order",
        ),
    })
}

fn count(groups: &[Vec<&Pair>], alpha: f64) -> Result<Found, NotComparable> {
    let side = |f: fn(&Pair) -> f64| -> Vec<f64> { groups.iter().map(|g| g.iter().map(|p| f(p)).sum()).collect() };
    let (base, cand) = (side(|p| p.baseline), side(|p| p.candidate));
    // Token counts are skewed, so a claim of a saving is made at alpha / 2 (statistics.md, section 5).
    let strict = 1.0 - alpha;
    let found = stats::ratio_of_totals(&cand, &base)?;
    Ok(Found {
        estimand: Estimand::RatioOfTotals,
        baseline_value: base.iter().sum(),
        candidate_value: cand.iter().sum(),
        change: found.ratio - 1.0,
        interval: relative(found.fieller_interval(strict)?)?,
        p_better: None,
        flips: None,
        method: method(
            "Fieller interval of the ratio of totals",
            "paired counts of the same case, at half the level since counts are skewed",
        ),
    })
}

fn relative(ratio: Interval) -> Result<Interval, NotComparable> {
    Interval::new(ratio.lower() - 1.0, ratio.upper() - 1.0, ratio.level())
        .map_err(|e| NotComparable { reason: e.to_string() })
}

fn method(name: &str, why: &str) -> Method {
    Method { name: name.to_owned(), why: why.to_owned() }
}
