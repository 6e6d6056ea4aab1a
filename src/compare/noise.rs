//! The noise floor: how far the scores of one target move between runs when nothing has changed (an A/A run).
//!
//! The cases stay the same from repeat to repeat, so this is the noise of asking alone (decoding, sampling, the clock): the sampling of
//! cases comes on top of it in every interval. No comparison of two runs on these cases can resolve less.

use super::gather::{Gathered, Rule};
use super::paired::NotComparable;
use super::pairs;
use crate::score::Sample;
use crate::stats::{self, StatsError};
use crate::types::{CaseId, Interval, Metric, MetricKind, MetricName, SliceName, TargetName};
use serde::Serialize;

/// Two-sided level of a case's credible interval (statistics.md, section 12.2).
const CREDIBLE: f64 = 0.90;
/// A case that differed from its majority this often in its last repeats is flaky, whatever its interval says.
const FLIPS: u64 = 2;
/// How many of its last repeats are looked at for that.
const LAST: usize = 10;

/// What one metric does between repeats of the same run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetricNoise {
    /// The metric.
    pub metric: Metric,
    /// The cases.
    pub slice: SliceName,
    /// Cases with a value in every repeat.
    pub cases: usize,
    /// Independent units among them.
    pub clusters: usize,
    /// Cases of the slice that lack a value in some repeat.
    pub unscored: Vec<CaseId>,
    /// The score of each repeat: rate, mean over clusters, geometric mean over clusters, or total.
    pub scores: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, in the metric's own unit: the noise floor of a run's score.
    pub sd: f64,
    /// Standard error of the difference of two runs in which nothing changed, in the unit of margins: a difference for shares, a relative
    /// change for durations and counts.
    pub difference_se: f64,
    /// For binary metrics and events: the share of cases that differ between two repeats, over all pairs of repeats.
    pub discordance: Option<f64>,
    /// For the other kinds: the standard deviation of one case's difference between two repeats; for durations of the logarithm of
    /// their ratio.
    pub case_sd: Option<f64>,
}

/// What one case does on one metric of 0 and 1 between repeats.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaseNoise {
    /// The case.
    pub case: CaseId,
    /// The metric.
    pub metric: MetricName,
    /// Repeats with a value.
    pub repeats: u64,
    /// Repeats with the value 1.
    pub ones: u64,
    /// Share of repeats unlike the majority, from 0 to 0.5.
    pub flip_rate: f64,
    /// Mean of the posterior Beta(1/2 + ones, 1/2 + zeros) of the case's rate.
    pub posterior_mean: f64,
    /// Central 90 % credible interval of that posterior.
    pub credible: Interval,
    /// Whether the credible interval lies inside (0.05, 0.95), or at least two of the last ten repeats were unlike the majority.
    pub flaky: bool,
}

/// The cases of a slice by name, each with the number of its cluster and its value in every repeat; `None` where one lacks it.
type Values<'a> = Vec<(&'a CaseId, u32, Vec<Option<f64>>)>;

fn values<'a>(samples: &'a [Sample], metric: &'a Metric, slice: &SliceName, repeats: &[TargetName]) -> Values<'a> {
    let gathered = Gathered::new(samples.iter(), [&metric.name]);
    let cases = gathered.cases(&metric.name, slice);
    // A logarithm will be taken of a duration.
    let rule = Rule { only_positive: metric.kind == MetricKind::Duration, ..Rule::default() };
    let mut all: Values = gathered.names(&cases).map(|(case, cluster)| (case, cluster, vec![])).collect();
    for name in repeats {
        let side = gathered.side(&metric.name, &cases, name, rule);
        all.iter_mut().zip(side.rows).for_each(|((_, _, row), values)| row.push(values.map(pairs::mean)));
    }
    all
}

/// What a metric does on a slice between repeats of one target, each of which has a name of its own in the samples.
///
/// The score of a run and the weight of clusters are those of [`compare`](super::compare). With the contribution `u_gk` of cluster g in
/// repeat k and the scale D (cases, clusters, or the mean total) the standard error of a difference of two runs is
/// `sqrt(2 sum_g s_g^2) / D`, `s_g` being the standard deviation of `u_gk` over the repeats: the mean over all pairs of repeats of the
/// squared difference, which needs independent clusters and nothing else (statistics.md, section 11).
///
/// # Errors
/// With fewer than two repeats, or without a case that has a value in every repeat.
pub fn metric_noise(
    samples: &[Sample],
    metric: &Metric,
    slice: &SliceName,
    repeats: &[TargetName],
) -> Result<MetricNoise, NotComparable> {
    if repeats.len() < 2 {
        return Err(StatsError::TooFew { what: "repeats", need: 2, got: repeats.len() }.into());
    }
    let (mut whole, mut unscored) = (Vec::new(), Vec::new());
    for (case, cluster, row) in values(samples, metric, slice, repeats) {
        match row.into_iter().collect::<Option<Vec<f64>>>() {
            Some(row) => whole.push((cluster, row)),
            None => unscored.push(case.clone()),
        }
    }
    if whole.is_empty() {
        let reason = format!("no case of the slice `{slice}` has `{}` in every repeat", metric.name);
        return Err(NotComparable { reason });
    }
    let groups = pairs::by_cluster(&whole, |(cluster, _): &(u32, Vec<f64>)| *cluster);
    let contributions: Vec<Vec<f64>> = groups.iter().map(|g| contribution(metric.kind, g, repeats.len())).collect();
    let totals: Vec<f64> = (0..repeats.len()).map(|k| contributions.iter().map(|c| c[k]).sum()).collect();
    let mean_total = stats::mean(&totals)?;
    let scale = match metric.kind {
        MetricKind::Binary | MetricKind::Event => count(whole.len()),
        MetricKind::Bounded | MetricKind::Duration => count(groups.len()),
        MetricKind::Count => mean_total,
    };
    let scores: Vec<f64> = match metric.kind {
        MetricKind::Duration => totals.iter().map(|t| (t / scale).exp()).collect(),
        MetricKind::Count => totals,
        _ => totals.iter().map(|t| t / scale).collect(),
    };
    let squares = contributions.iter().map(|c| spread(c).map(|s| 2.0 * s * s)).sum::<Result<f64, StatsError>>()?;
    let se = match metric.kind {
        // Nothing was counted in any repeat: there is nothing that could differ.
        MetricKind::Count if scale == 0.0 => 0.0,
        MetricKind::Duration => (squares.sqrt() / scale).exp_m1(),
        _ => squares.sqrt() / scale,
    };
    let rows: Vec<&[f64]> = whole.iter().map(|(_, row)| row.as_slice()).collect();
    let is_binary = matches!(metric.kind, MetricKind::Binary | MetricKind::Event);
    Ok(MetricNoise {
        metric: metric.clone(),
        slice: slice.clone(),
        cases: whole.len(),
        clusters: groups.len(),
        unscored,
        mean: stats::mean(&scores)?,
        sd: spread(&scores)?,
        scores,
        difference_se: se,
        discordance: is_binary.then(|| discordance(&rows)),
        case_sd: if is_binary { None } else { Some(case_sd(metric.kind, &rows)?) },
    })
}

/// What a cluster contributes to the run's score, per repeat.
fn contribution(kind: MetricKind, group: &[&(u32, Vec<f64>)], repeats: usize) -> Vec<f64> {
    let over = |f: &dyn Fn(f64) -> f64, k: usize| group.iter().map(|(_, row)| f(row[k])).sum::<f64>();
    let size = count(group.len());
    (0..repeats)
        .map(|k| match kind {
            MetricKind::Binary | MetricKind::Event | MetricKind::Count => over(&|v| v, k),
            MetricKind::Bounded => over(&|v| v, k) / size,
            MetricKind::Duration => over(&f64::ln, k) / size,
        })
        .collect()
}

/// The share of cases that differ between two repeats, over all pairs of repeats.
fn discordance(rows: &[&[f64]]) -> f64 {
    let unequal = |row: &&[f64]| {
        let ones = count(row.iter().filter(|v| **v > 0.5).count());
        let k = count(row.len());
        ones * (k - ones) / (0.5 * k * (k - 1.0))
    };
    rows.iter().map(unequal).sum::<f64>() / count(rows.len())
}

/// Root of the mean squared difference of a case between two repeats, over all cases and pairs.
fn case_sd(kind: MetricKind, rows: &[&[f64]]) -> Result<f64, StatsError> {
    let square = |row: &&[f64]| {
        let row: Vec<f64> =
            if kind == MetricKind::Duration { row.iter().map(|v| v.ln()).collect() } else { row.to_vec() };
        spread(&row).map(|s| 2.0 * s * s)
    };
    let sum: f64 = rows.iter().map(square).sum::<Result<f64, StatsError>>()?;
    Ok((sum / count(rows.len())).sqrt())
}

/// The standard deviation, exactly 0 where nothing moved: a rounding error must not pass for noise.
fn spread(values: &[f64]) -> Result<f64, StatsError> {
    if values.windows(2).all(|w| w[0] == w[1]) { Ok(0.0) } else { stats::standard_deviation(values) }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases and repeats are far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

/// What each case does on a metric of 0 and 1; nothing for other kinds, and nothing for a case that was never scored.
///
/// To be asked of a baseline's repeats only: a case put aside for what the *candidate* does on it would be a selection on the outcome.
///
/// # Errors
/// When the posterior of a case cannot be computed.
pub fn case_noise(
    samples: &[Sample],
    metric: &Metric,
    repeats: &[TargetName],
) -> Result<Vec<CaseNoise>, NotComparable> {
    if !matches!(metric.kind, MetricKind::Binary | MetricKind::Event) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (case, _, row) in values(samples, metric, &SliceName::all(), repeats) {
        let is_one: Vec<bool> = row.into_iter().flatten().map(|v| v > 0.5).collect();
        if is_one.is_empty() {
            continue;
        }
        let ones_of = |part: &[bool]| part.iter().filter(|one| **one).count() as u64;
        let minority_of = |part: &[bool]| ones_of(part).min(part.len() as u64 - ones_of(part));
        let (ones, repeats) = (ones_of(&is_one), is_one.len() as u64);
        let posterior = stats::case_posterior(ones, repeats, CREDIBLE)?;
        let last = &is_one[is_one.len().saturating_sub(LAST)..];
        #[expect(clippy::cast_precision_loss, reason = "repeats are few")]
        let flip_rate = minority_of(&is_one) as f64 / repeats as f64;
        found.push(CaseNoise {
            case: case.clone(),
            metric: metric.name.clone(),
            repeats,
            ones,
            flip_rate,
            posterior_mean: posterior.mean,
            credible: posterior.interval,
            flaky: posterior.is_flaky() || minority_of(last) >= FLIPS,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
