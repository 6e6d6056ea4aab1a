//! One target by itself: its rate, mean or typical duration, with the bound that its cases prove.

use super::comparison::{Measurement, Method};
use super::paired::NotComparable;
use super::pairs;
use crate::score::Sample;
use crate::stats;
use crate::types::{ClusterName, Interval, Metric, MetricKind, SliceName, TargetName};

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
    let (mut valued, mut unscored) = (Vec::new(), Vec::new());
    for (case, (cluster, value)) in pairs::values(samples, target, &metric.name, slice, false) {
        match value {
            Some((v, _)) => valued.push((case, cluster, v)),
            None => unscored.push(case),
        }
    }
    if valued.is_empty() {
        return Err(NotComparable { reason: format!("no case of the slice `{slice}` has `{}`", metric.name) });
    }
    let groups = pairs::by_cluster(&valued, |(_, cluster, _): &(_, ClusterName, _)| cluster);
    let level = 1.0 - 2.0 * alpha;
    #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
    let cluster_mean = |f: fn(f64) -> f64| -> Vec<f64> {
        groups.iter().map(|g| g.iter().map(|(_, _, v)| f(*v)).sum::<f64>() / g.len() as f64).collect()
    };
    let (value, interval, name, why) = match metric.kind {
        MetricKind::Event => {
            let x = groups.iter().filter(|g| g.iter().any(|(_, _, v)| *v > 0.0)).count() as u64;
            let n = groups.len() as u64;
            let interval = stats::clopper_pearson_interval(x, n, level)?;
            #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
            let rate = x as f64 / n as f64;
            (rate, interval, "Clopper-Pearson", "a cluster has the event if any of its cases has")
        }
        MetricKind::Binary | MetricKind::Bounded => {
            let means = cluster_mean(|v| v);
            let interval = stats::gaffke_interval(&means, 0.0, 1.0, level)?;
            let why = "cluster means in [0, 1]; on independent 0/1 cases this is Clopper-Pearson";
            (stats::mean(&means)?, interval, "Gaffke bound", why)
        }
        MetricKind::Duration => {
            let t = stats::paired_t(&cluster_mean(f64::ln), 0.0, level)?;
            let interval = Interval::new(t.interval.lower().exp(), t.interval.upper().exp(), level)
                .map_err(|e| NotComparable { reason: e.to_string() })?;
            (t.mean.exp(), interval, "t interval of the logarithm", "geometric mean over clusters")
        }
        MetricKind::Count => {
            let t = stats::paired_t(&cluster_mean(|v| v), 0.0, level)?;
            (t.mean, t.interval, "t interval", "mean over clusters")
        }
    };
    let observed = match metric.kind {
        MetricKind::Event => valued.iter().filter(|(_, _, v)| *v > 0.0).map(|(c, _, _)| c.clone()).collect(),
        _ => Vec::new(),
    };
    Ok(Measurement {
        metric: metric.clone(),
        slice: slice.clone(),
        target: target.clone(),
        cases: valued.len(),
        clusters: groups.len(),
        unscored,
        value,
        interval,
        observed,
        method: Method { name: name.to_owned(), why: why.to_owned() },
    })
}
