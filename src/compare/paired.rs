//! One metric on one slice for one pair: which estimand, which method, and why.

use super::comparison::{Comparison, Estimand, Flips, Imputed, ImputedChange, Method, Severe, Tail};
use super::gather::{Cases, Gathered};
use super::pairs::{self, Pair, Pairs};
use super::{severe, tails};
use crate::score::Sample;
use crate::stats::{self, ClusterCounts, ClusteredTango, PairedCounts, StatsError};
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

/// Fewer clusters than this, and a saving of skewed counts is claimed too often (statistics.md, section 5).
const LARGE: usize = 100;

/// What a method yields.
struct Found {
    estimand: Estimand,
    baseline_value: f64,
    candidate_value: f64,
    change: f64,
    interval: Interval,
    p: OneSided,
    unchanged_reach: Option<f64>,
    flips: Option<Flips>,
    severe: Option<Severe>,
    tails: Vec<Tail>,
    method: Method,
}

/// One test from both sides, where the method has one.
#[derive(Clone, Copy, Default)]
struct OneSided {
    better: Option<f64>,
    worse: Option<f64>,
}

impl OneSided {
    /// From the p values of "the change lies above 0" and "below 0".
    fn new(direction: Direction, above: f64, below: f64) -> Self {
        let (better, worse) = match direction {
            Direction::Higher => (above, below),
            Direction::Lower => (below, above),
        };
        Self { better: Some(better), worse: Some(worse) }
    }
}

/// Compares a candidate with the baseline on one metric and slice, at one-sided level `alpha`.
///
/// The metric's kind and the design choose estimand and method (statistics.md, section 0): Tango's score interval for binary metrics and
/// events (scaled by the design effect where cases share clusters or are repeated), Gaffke's bound on cluster means for bounded scores,
/// t on paired log ratios for durations, Fieller on cluster totals for counts. Whatever deviates is recorded in [`Method::fallbacks`].
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
    let gathered = Gathered::new(samples.iter(), [&metric.name]);
    let cases = gathered.cases(&metric.name, slice);
    of_gathered(&gathered, &cases, (metric, slice), baseline, candidate, alpha)
}

/// [`compare`] on samples that are gathered already, and on the cases of the slice.
pub(super) fn of_gathered(
    gathered: &Gathered<'_>,
    cases: &Cases,
    (metric, slice): (&Metric, &SliceName),
    baseline: &TargetName,
    candidate: &TargetName,
    alpha: f64,
) -> Result<Comparison, NotComparable> {
    let pairs = Pairs::new(gathered, cases, baseline, candidate, metric);
    if pairs.found.is_empty() {
        return Err(NotComparable {
            reason: format!("no case of the slice `{slice}` has `{}` on both sides", metric.name),
        });
    }
    let result = estimate(&pairs.found, metric, alpha)?;
    let imputed = if metric.is_share() && pairs.missing().len() > 0 {
        let counted = |against| estimate(&pairs.imputed(metric, against), metric, alpha).map(imputed_change);
        Some(Box::new(Imputed { against: counted(true)?, in_favour: counted(false)? }))
    } else {
        None
    };
    let groups = pairs::by_cluster(&pairs.found, |p| p.cluster);
    Ok(Comparison {
        metric: metric.clone(),
        slice: slice.clone(),
        baseline: baseline.clone(),
        candidate: candidate.clone(),
        estimand: result.estimand,
        pairs: pairs.found.len(),
        clusters: groups.len(),
        unchanged_reach: result.unchanged_reach,
        unscored: pairs.missing().cloned().collect(),
        baseline_value: result.baseline_value,
        candidate_value: result.candidate_value,
        change: result.change,
        interval: result.interval,
        p_better: result.p.better,
        p_worse: result.p.worse,
        flips: result.flips,
        severe: result.severe,
        imputed,
        tails: result.tails,
        method: result.method,
    })
}

fn imputed_change(found: Found) -> ImputedChange {
    let Found { change, interval, p, severe, .. } = found;
    ImputedChange { change, interval, p_better: p.better, severe }
}

/// The method that the metric's kind and the design ask for, applied to pairs of which there is at least one.
fn estimate(found: &[Pair], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    let groups = pairs::by_cluster(found, |p| p.cluster);
    match metric.kind {
        MetricKind::Binary | MetricKind::Event => binary(found, &groups, metric, alpha),
        MetricKind::Bounded => {
            let mut result = bounded(&groups, metric, alpha)?;
            let (severe, fallback) = severe::companion(found, &groups, metric.direction, level(alpha))?;
            result.severe = Some(severe);
            result.method.fallbacks.extend(fallback);
            Ok(result)
        }
        MetricKind::Duration => {
            let tails = tails::of(&groups, alpha)?;
            duration(&groups, alpha).map(|result| Found { tails, ..result })
        }
        MetricKind::Count => count(&groups, metric, alpha),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn level(alpha: f64) -> f64 {
    1.0 - 2.0 * alpha
}

/// Completions of pairs by what changed.
fn table<'a>(pairs: impl IntoIterator<Item = &'a Pair<'a>>) -> PairedCounts {
    let mut counts = PairedCounts { both: 0, gained: 0, lost: 0, neither: 0 };
    for (baseline, candidate) in pairs.into_iter().flat_map(Pair::completions) {
        *match (baseline > 0.5, candidate > 0.5) {
            (true, true) => &mut counts.both,
            (false, true) => &mut counts.gained,
            (true, false) => &mut counts.lost,
            (false, false) => &mut counts.neither,
        } += 1;
    }
    counts
}

fn binary(found: &[Pair], groups: &[Vec<&Pair>], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    let completions = || found.iter().flat_map(Pair::completions);
    if let Some(odd) = completions().flat_map(|(b, c)| [b, c]).find(|v| *v != 0.0 && *v != 1.0) {
        return Err(NotComparable { reason: format!("`{}` is 0 or 1, and a case has {odd}", metric.name) });
    }
    let repeated = found.iter().any(|p| p.repeats > 1);
    let each = found[0].completions().len();
    if repeated && found.iter().any(|p| p.completions().len() == 0 || p.completions().len() != each) {
        let why = "not every case has the same repeats on both sides, so that they form no pairs: Gaffke's bound on cluster means \
                   in place of Tango's interval";
        return bounded_instead(groups, metric, alpha, why.to_owned());
    }
    if groups.len() == found.len() && !repeated {
        return independent(found, metric, alpha);
    }
    let clusters: Vec<ClusterCounts> = groups
        .iter()
        .map(|g| {
            let c = table(g.iter().copied());
            ClusterCounts { gained: c.gained, lost: c.lost, pairs: c.n() }
        })
        .collect();
    match stats::tango_clustered(&clusters) {
        Ok(tango) => {
            let calm = |c: &ClusterCounts| ClusterCounts { gained: 0, lost: 0, ..*c };
            let unchanged = stats::tango_clustered(&clusters.iter().map(calm).collect::<Vec<_>>())?;
            clustered(found, [&tango, &unchanged], if repeated { each } else { 1 }, metric, alpha)
        }
        Err(e) => {
            let why =
                format!("no design effect, since {e}: Gaffke's bound on cluster means in place of Tango's interval");
            bounded_instead(groups, metric, alpha, why)
        }
    }
}

fn independent(found: &[Pair], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    let counts = table(found);
    let mcnemar = stats::mcnemar(counts.gained, counts.lost);
    let p = OneSided::new(metric.direction, mcnemar.midp_greater, mcnemar.midp_less);
    let method = Method::new(
        "Tango score interval",
        "binary pairs, one per independent case; p by mid-p McNemar",
        &["the cases are independent of each other", "the score statistic is near normal"],
    );
    Ok(Found {
        estimand: Estimand::RiskDifference,
        baseline_value: mean(found.iter().map(|p| p.baseline)),
        candidate_value: mean(found.iter().map(|p| p.candidate)),
        change: counts.difference()?,
        interval: stats::tango_interval(&counts, level(alpha))?,
        p,
        unchanged_reach: None,
        flips: Some(Flips { gained: counts.gained, lost: counts.lost }),
        severe: None,
        tails: Vec::new(),
        method,
    })
}

/// Pairs in clusters, and the same with none changed; with `repeats` above 1, each completion is a pair within its case's cluster.
fn clustered(
    found: &[Pair],
    [tango, unchanged]: [&ClusteredTango; 2],
    repeats: usize,
    metric: &Metric,
    alpha: f64,
) -> Result<Found, NotComparable> {
    let test = tango.test(0.0)?;
    let p = OneSided::new(metric.direction, test.p_above, test.p_below);
    let what =
        if repeats > 1 { format!("{repeats} completions of each case as pairs") } else { "binary pairs".to_owned() };
    let why = format!(
        "{what} in {} clusters; design effect {:.2} (CR2), t with {:.0} degrees of freedom; the lower limit is the least that would show with \
         any of the losses not seen or with further gains, the upper limit likewise, so that nothing bad helps",
        tango.clusters, tango.design_effect, tango.df
    );
    let assumptions = ["the clusters are independent of each other", "the score statistic follows t"];
    let mut method = Method::new("Tango score interval, scaled by the design effect", why, &assumptions);
    let envelope = tango.envelope(level(alpha))?;
    method.fallbacks = clustered_fallbacks(tango, envelope.complete);
    let counts = table(found);
    Ok(Found {
        estimand: Estimand::RiskDifference,
        baseline_value: mean(found.iter().map(|p| p.baseline)),
        candidate_value: mean(found.iter().map(|p| p.candidate)),
        change: counts.difference()?,
        interval: envelope.interval,
        p,
        unchanged_reach: Some(unchanged.interval(level(alpha))?.upper()),
        flips: (repeats == 1).then_some(Flips { gained: counts.gained, lost: counts.lost }),
        severe: None,
        tails: Vec::new(),
        method,
    })
}

/// What the design effect rests on beyond the data, and whether the search behind the limits was cut short.
pub(super) fn clustered_fallbacks(tango: &ClusteredTango, complete: bool) -> Vec<String> {
    let mut fallbacks = Vec::new();
    if tango.discordant_clusters == 0 {
        fallbacks.push(format!(
            "no cluster holds a changed pair: the design effect is Kish's mean cluster size {:.2}, as if each changed as a whole",
            tango.design_effect
        ));
    } else if tango.floored {
        fallbacks.push(format!(
            "few clusters hold a changed pair ({}): the design effect is raised to its floor {:.2}, as for a correlation of 0.3 within \
             clusters",
            tango.discordant_clusters, tango.design_effect
        ));
    }
    if !complete {
        fallbacks.push(
            "too many unlike clusters to look at each outcome that a limit allows for: some were bounded together, so that the \
             interval is wider than it need be, and a pair that turns to the worse may raise a limit by a trace"
                .to_owned(),
        );
    }
    fallbacks
}

/// Rates of right answers are bounded, and their bound needs no binary table.
fn bounded_instead(groups: &[Vec<&Pair>], metric: &Metric, alpha: f64, why: String) -> Result<Found, NotComparable> {
    let mut result = bounded(groups, metric, alpha)?;
    result.method.fallbacks.push(why);
    Ok(result)
}

fn bounded(groups: &[Vec<&Pair>], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    let side = |f: fn(&Pair) -> f64| -> Vec<f64> { groups.iter().map(|g| mean(g.iter().map(|p| f(p)))).collect() };
    let (base, cand) = (side(|p| p.baseline), side(|p| p.candidate));
    let d: Vec<f64> = cand.iter().zip(&base).map(|(c, b)| c - b).collect();
    let interval = stats::gaffke_interval(&d, -1.0, 1.0, level(alpha))?;
    let (above, below) = (stats::gaffke_p_above(&d, -1.0, 0.0)?, stats::gaffke_p_below(&d, 1.0, 0.0)?);
    let p = OneSided::new(metric.direction, above, below);
    let assumptions = [
        "the clusters are independent of each other, and weigh equally",
        "values lie in [0, 1]; that the bound then holds for every distribution is proven for 0/1 data and conjectured else",
    ];
    Ok(Found {
        estimand: Estimand::MeanDifference,
        baseline_value: mean(base.iter().copied()),
        candidate_value: mean(cand.iter().copied()),
        // A mean of differences that cancel is 0 but for rounding.
        change: Some(mean(d.iter().copied())).filter(|m| m.abs() > 1e-12).unwrap_or(0.0),
        interval,
        p,
        unchanged_reach: None,
        flips: None,
        severe: None,
        tails: Vec::new(),
        method: Method::new("Gaffke bound", "mean paired difference of a score in [0, 1] over clusters", &assumptions),
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
        p: OneSided { better: Some(found.log.p_less), worse: Some(found.log.p_greater) },
        unchanged_reach: None,
        flips: None,
        severe: None,
        tails: Vec::new(),
        method: Method::new(
            "t interval of the paired log ratio",
            "durations of the same case",
            &[
                "both targets were asked a case directly after each other, in random order, with one question in flight",
                "the clusters are independent of each other, and weigh equally",
                "the mean of the log ratios is near normal",
            ],
        ),
    })
}

fn count(groups: &[Vec<&Pair>], metric: &Metric, alpha: f64) -> Result<Found, NotComparable> {
    let side = |f: fn(&Pair) -> f64| -> Vec<f64> { groups.iter().map(|g| g.iter().map(|p| f(p)).sum()).collect() };
    let (base, cand) = (side(|p| p.baseline), side(|p| p.candidate));
    // Token counts are skewed, so a claim of a saving is made at alpha / 2 (statistics.md, section 5).
    let strict = 1.0 - alpha;
    let found = stats::ratio_of_totals(&cand, &base)?;
    let interval = found.fieller_interval(strict)?;
    if !(interval.lower().is_finite() && interval.upper().is_finite()) {
        let reason = format!(
            "not estimable: the baseline's counts vary so much between {} clusters that their mean cannot be told from 0 (Fieller's g \
             is {:.2}, and must be below 1)",
            groups.len(),
            found.fieller_g(strict)?
        );
        return Err(NotComparable { reason });
    }
    // Counts that differ by the same number everywhere have a ratio with an error and a difference without one.
    let p = match (stats::ratio_below_p(&base, &cand, 1.0), stats::ratio_below_p(&cand, &base, 1.0)) {
        (Ok(above), Ok(below)) => OneSided::new(metric.direction, above, below),
        _ => OneSided::default(),
    };
    let mut assumptions = vec![
        "the clusters are independent of each other",
        "the mean of candidate minus ratio times baseline is near normal",
    ];
    if groups.len() < LARGE {
        assumptions
            .push("counts are not very skewed: on fewer than 100 clusters their intervals are too narrow if they are");
    }
    Ok(Found {
        estimand: Estimand::RatioOfTotals,
        baseline_value: base.iter().sum(),
        candidate_value: cand.iter().sum(),
        change: found.ratio - 1.0,
        interval: relative(interval)?,
        p,
        unchanged_reach: None,
        flips: None,
        severe: None,
        tails: Vec::new(),
        method: Method::new(
            "Fieller interval of the ratio of totals",
            "paired counts of the same case, at half the level since counts are skewed; p by the t test that Fieller inverts",
            &assumptions,
        ),
    })
}

/// A ratio as a relative change.
pub(super) fn relative(ratio: Interval) -> Result<Interval, NotComparable> {
    Interval::new(ratio.lower() - 1.0, ratio.upper() - 1.0, ratio.level())
        .map_err(|e| NotComparable { reason: e.to_string() })
}
