//! One target by itself: its rate, mean or typical duration, with the bound that its cases prove.

use super::comparison::{Imputed, ImputedLevel, Measurement, Method};
use super::gather::{Gathered, Rule};
use super::paired::NotComparable;
use super::pairs;
use crate::score::Sample;
use crate::stats;
use crate::types::{CaseId, Direction, Interval, Metric, MetricKind, SliceName, TargetName};

/// One case with its value, repeats averaged.
#[derive(Clone, Copy)]
struct Valued<'a> {
    case: &'a CaseId,
    /// The number of its cluster.
    cluster: u32,
    value: f64,
    repeats: usize,
}

/// What a method yields.
struct Found {
    value: f64,
    interval: Interval,
    method: Method,
}

/// Measures one target on one metric and slice, at one-sided level `alpha`.
///
/// Events count clusters: a cluster has the event if any of its cases has (worst of r), with the exact Clopper-Pearson interval. Binary
/// and bounded metrics: Gaffke's bound on cluster means, which on independent 0/1 cases is Clopper-Pearson. Durations: t on logarithms.
/// Counts: t on cluster means.
///
/// # Errors
/// When no case of the slice has a value, or the method has no answer for these data.
pub fn measure(
    samples: &[Sample],
    metric: &Metric,
    slice: &SliceName,
    target: &TargetName,
    alpha: f64,
) -> Result<Measurement, NotComparable> {
    let (mut valued, mut missing) = (Vec::new(), Vec::new());
    let gathered = Gathered::new(samples.iter(), [&metric.name]);
    let cases = gathered.cases(&metric.name, slice);
    let side = gathered.side(&metric.name, &cases, target, Rule::default());
    for ((case, cluster), row) in gathered.names(&cases).zip(side.rows) {
        match row {
            Some(r) => valued.push(Valued { case, cluster, value: pairs::mean(r), repeats: r.len() }),
            None => missing.push((case, cluster)),
        }
    }
    if valued.is_empty() {
        return Err(NotComparable { reason: format!("no case of the slice `{slice}` has `{}`", metric.name) });
    }
    let level = 1.0 - 2.0 * alpha;
    let Found { value, interval, method } = estimate(&valued, metric, level)?;
    let imputed = if metric.is_share() && !missing.is_empty() {
        let counted = |value: f64| -> Result<ImputedLevel, NotComparable> {
            let made_up = missing.iter().map(|&(case, cluster)| Valued { case, cluster, value, repeats: 1 });
            let all: Vec<_> = valued.iter().copied().chain(made_up).collect();
            estimate(&all, metric, level).map(|found| ImputedLevel { value: found.value, interval: found.interval })
        };
        let (worst, best) = if metric.direction == Direction::Higher { (0.0, 1.0) } else { (1.0, 0.0) };
        Some(Imputed { against: counted(worst)?, in_favour: counted(best)? })
    } else {
        None
    };
    let observed = match metric.kind {
        MetricKind::Event => valued.iter().filter(|v| v.value > 0.0).map(|v| v.case.clone()).collect(),
        _ => Vec::new(),
    };
    Ok(Measurement {
        metric: metric.clone(),
        slice: slice.clone(),
        target: target.clone(),
        cases: valued.len(),
        clusters: pairs::by_cluster(&valued, |v| v.cluster).len(),
        unscored: missing.into_iter().map(|(case, _)| case.clone()).collect(),
        value,
        interval,
        observed,
        imputed,
        method,
    })
}

fn estimate(valued: &[Valued], metric: &Metric, level: f64) -> Result<Found, NotComparable> {
    let groups = pairs::by_cluster(valued, |v| v.cluster);
    #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
    let cluster_mean = |f: fn(f64) -> f64| -> Vec<f64> {
        groups.iter().map(|g| g.iter().map(|v| f(v.value)).sum::<f64>() / g.len() as f64).collect()
    };
    let independent = "the clusters are independent of each other, and weigh equally";
    Ok(match metric.kind {
        MetricKind::Event => {
            let x = groups.iter().filter(|g| g.iter().any(|v| v.value > 0.0)).count() as u64;
            let n = groups.len() as u64;
            #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
            let value = x as f64 / n as f64;
            let why = "a cluster has the event if any of its cases has";
            let method = Method::new("Clopper-Pearson", why, &[independent]);
            Found { value, interval: stats::clopper_pearson_interval(x, n, level)?, method }
        }
        MetricKind::Binary | MetricKind::Bounded => {
            let means = cluster_mean(|v| v);
            let why = "cluster means in [0, 1]; on independent 0/1 cases this is Clopper-Pearson";
            let range = "values lie in [0, 1]; that the bound then holds for every distribution is proven for 0/1 data and \
                         conjectured else";
            let mut method = Method::new("Gaffke bound", why, &[independent, range]);
            let single = groups.len() == valued.len() && valued.iter().all(|v| v.repeats == 1);
            if metric.kind == MetricKind::Binary && !single {
                let why =
                    "cases share clusters or are repeated: Gaffke's bound on cluster means in place of Clopper-Pearson";
                method.fallbacks.push(why.to_owned());
            }
            Found { value: stats::mean(&means)?, interval: stats::gaffke_interval(&means, 0.0, 1.0, level)?, method }
        }
        MetricKind::Duration => {
            let t = stats::paired_t(&cluster_mean(f64::ln), 0.0, level)?;
            let interval = Interval::new(t.interval.lower().exp(), t.interval.upper().exp(), level)
                .map_err(|e| NotComparable { reason: e.to_string() })?;
            let assumptions = [independent, "the mean of the logarithms is near normal"];
            let method = Method::new("t interval of the logarithm", "geometric mean over clusters", &assumptions);
            Found { value: t.mean.exp(), interval, method }
        }
        MetricKind::Count => {
            let t = stats::paired_t(&cluster_mean(|v| v), 0.0, level)?;
            let assumptions = [independent, "the mean is near normal, though counts are skewed"];
            Found {
                value: t.mean,
                interval: t.interval,
                method: Method::new("t interval", "mean over clusters", &assumptions),
            }
        }
    })
}
