//! High quantiles of a duration: what the slowest requests of both sides say, where there are enough of them.

use super::comparison::{Tail, TailRatio};
use super::paired::{NotComparable, relative};
use super::pairs::Pair;
use crate::stats;

/// The quantiles shown.
const QUANTILES: [f64; 2] = [0.95, 0.99];

/// The tails of both sides, at one-sided level `alpha` (statistics.md, section 4.3).
pub(super) fn of(pairs: &[Pair], clusters: usize, alpha: f64) -> Result<Vec<Tail>, NotComparable> {
    QUANTILES.into_iter().map(|q| tail(pairs, clusters, q, alpha)).collect()
}

fn tail(pairs: &[Pair], clusters: usize, quantile: f64, alpha: f64) -> Result<Tail, NotComparable> {
    let need = stats::quantile_n_min(quantile, alpha)?;
    let no = |why: String| Tail { quantile, need, found: None, why: Some(format!("not estimable: {why}")) };
    if (clusters as u64) < need {
        return Ok(no(format!("{clusters} of {need} independent cases")));
    }
    if clusters != pairs.len() || pairs.iter().any(|p| p.repeats > 1) {
        return Ok(no(
            "cases share clusters or are repeated, and order statistics need independent requests".to_owned()
        ));
    }
    let side = |f: fn(&Pair) -> f64| -> Vec<f64> { pairs.iter().map(f).collect() };
    let found = stats::quantile_ratio(&side(|p| p.candidate), &side(|p| p.baseline), quantile, 1.0 - 2.0 * alpha)?;
    if !(found.interval.lower().is_finite() && found.interval.upper().is_finite()) {
        return Ok(no("a limit would lie beyond the slowest request".to_owned()));
    }
    let found = TailRatio {
        baseline_value: found.base,
        candidate_value: found.tuned,
        change: found.ratio - 1.0,
        interval: relative(found.interval)?,
    };
    Ok(Tail { quantile, need, found: Some(found), why: None })
}
