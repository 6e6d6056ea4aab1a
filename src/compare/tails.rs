//! High quantiles of a duration: what the slowest requests of both sides say, where there are enough of them.

use super::comparison::{Tail, TailRatio};
use super::paired::{NotComparable, relative};
use super::pairs::Pair;
use crate::stats;

/// The quantiles shown.
const QUANTILES: [f64; 2] = [0.95, 0.99];

/// The tails of both sides, at one-sided level `alpha` (statistics.md, section 4.3).
///
/// Order statistics need independent requests, so each cluster gives one: its first case by name, asked for the first time. Which one is
/// settled before any time is known.
pub(super) fn of(groups: &[Vec<&Pair>], alpha: f64) -> Result<Vec<Tail>, NotComparable> {
    let requests: Option<Vec<(f64, f64)>> = groups.iter().map(|g| g.first()?.completions().next()).collect();
    QUANTILES.into_iter().map(|q| tail(requests.as_deref(), q, alpha)).collect()
}

fn tail(requests: Option<&[(f64, f64)]>, quantile: f64, alpha: f64) -> Result<Tail, NotComparable> {
    let need = stats::quantile_n_min(quantile, alpha)?;
    let no = |why: &str| Tail { quantile, need, found: None, why: Some(format!("not estimable: {why}")) };
    let Some(requests) = requests else {
        return Ok(no("a case has other repeats on one side than on the other"));
    };
    if (requests.len() as u64) < need {
        return Ok(no(&format!("{} of {need} independent cases", requests.len())));
    }
    let (base, cand): (Vec<f64>, Vec<f64>) = requests.iter().copied().unzip();
    let found = stats::quantile_ratio(&cand, &base, quantile, 1.0 - 2.0 * alpha)?;
    if !(found.interval.lower().is_finite() && found.interval.upper().is_finite()) {
        return Ok(no("a limit would lie beyond the slowest request"));
    }
    let found = TailRatio {
        baseline_value: found.base,
        candidate_value: found.tuned,
        change: found.ratio - 1.0,
        interval: relative(found.interval)?,
    };
    Ok(Tail { quantile, need, found: Some(found), why: None })
}
