//! Rows 11 and 12: durations on a machine that drifts, and the tail.

use super::ALPHA;
use super::arena::{Duel, independent};
use super::lab::{Lab, normal};
use super::naive;
use super::row::{Bound, Check, Figure, Naive, Row};
use crate::stats;
use crate::types::{MetricKind, SplitMix64};

/// Pairs of requests in row 11.
const PAIRS: usize = 200;
/// How strongly a request's time follows the one before it, and how much times vary, on the logarithm.
const FOLLOWS: f64 = 0.5;
const SPREAD: f64 = 0.18;

/// Logarithms of the times of `2 * PAIRS` requests after each other, while the machine slows by `drift` from first to last.
fn machine(rng: &mut SplitMix64, drift: f64, times: &mut [f64]) {
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
    let last = times.len() as f64 - 1.0;
    let mut noise = normal(rng);
    for (i, time) in times.iter_mut().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
        let trend = drift.ln_1p() * i as f64 / last;
        *time = trend + SPREAD * noise;
        noise = FOLLOWS * noise + (1.0 - FOLLOWS * FOLLOWS).sqrt() * normal(rng);
    }
}

/// Row 11.
pub(super) fn drift(lab: &Lab) -> Row {
    let bound = Bound::AtMost(0.065);
    let (mut checks, mut others) = (Vec::new(), Vec::new());
    for drift in [0.0, 0.1, 0.2] {
        let design = format!("drift {:.0} %, {PAIRS} pairs", drift * 100.0);
        let runs = lab.runs(
            &format!("row 11 {drift}"),
            10_000,
            || (Duel::new(MetricKind::Duration, &independent(PAIRS), 1), vec![0.0; 2 * PAIRS]),
            |(duel, times), rng| {
                machine(rng, drift, times);
                let one_after_the_other = naive::welch_differs(&times[..PAIRS], &times[PAIRS..]);
                for (case, pair) in times.chunks_exact(2).enumerate() {
                    let (first, second) = (pair[0].exp(), pair[1].exp());
                    let (base, tuned) = if rng.unit() < 0.5 { (first, second) } else { (second, first) };
                    duel.set(case, base, tuned);
                }
                // An alarm is a 95 % interval without 0, on either side; so is no interval at all.
                let alarm =
                    duel.compare(0.5 * ALPHA).is_none_or(|c| c.interval.lower() > 0.0 || c.interval.upper() < 0.0);
                (alarm, one_after_the_other)
            },
        );
        checks.push(Check::new(design.clone(), bound, Figure::rate(runs.iter().map(|r| r.0))));
        let rate = Figure::rate(runs.iter().map(|r| r.1));
        others.push(Naive::new("one model after the other, Welch t", design, bound, rate));
    }
    Row {
        number: 11,
        title: "latency A/A on a drifting machine",
        scenario: "The same model twice; every request's time follows the one before (autocorrelation 0.5) while the machine slows. Pairs are \
                   asked in random order, as `run` asks them. How often does the 95 % interval of `compare` exclude no change?",
        requirement: "alarms <= 6.5 %",
        reference: "4.4 to 5.2 %; one after the other 26 to 96 %",
        checks,
        naive: others,
        note: "The same 400 requests, given to the models in two halves instead of in random pairs, are what the other method sees.",
    }
}

/// A lognormal time; three in a hundred stall to six times as long.
fn stalling(rng: &mut SplitMix64) -> f64 {
    let time = (0.5 * normal(rng)).exp();
    if rng.unit() < 0.03 { 6.0 * time } else { time }
}

fn fill(rng: &mut SplitMix64, times: &mut [f64]) {
    times.fill_with(|| stalling(rng));
}

/// Row 12.
pub(super) fn tail(lab: &Lab) -> Row {
    let bound = Bound::AtLeast(0.94);
    let mut checks = Vec::new();
    for (p, n) in
        lab.designs(&[(0.95, 100), (0.95, 300), (0.95, 1_000), (0.99, 400), (0.99, 1_000)], &[(0.95, 100), (0.99, 400)])
    {
        let design = format!("p{:.0}, n {n}", p * 100.0);
        let runs = lab.runs(
            &format!("row 12 {design}"),
            5_000,
            || (vec![0.0; n], vec![0.0; n]),
            |(base, tuned), rng| {
                fill(rng, base);
                fill(rng, tuned);
                stats::quantile_ratio(tuned, base, p, 0.95)
                    .is_ok_and(|r| r.interval.lower() <= 1.0 && 1.0 <= r.interval.upper())
            },
        );
        checks.push(Check::new(design, bound, Figure::rate(runs)));
    }
    let naive = [50, 100].map(|n| {
        let runs = lab.runs(
            &format!("row 12 bootstrap {n}"),
            1_000,
            || (vec![0.0; n], vec![0.0; n]),
            |(base, tuned), rng| {
                fill(rng, base);
                fill(rng, tuned);
                bootstrap_covers(rng, tuned, base, 0.99)
            },
        );
        Naive::new("percentile bootstrap", format!("p99, n {n}"), bound, Figure::rate(runs))
    });
    Row {
        number: 12,
        title: "tail latency: p95, p99",
        scenario: "Lognormal times with 3 % six-fold stalls, the same law on both sides. How often does the 95 % interval of \
                   `stats::quantile_ratio` hold the true ratio, 1, at sizes where both limits exist?",
        requirement: "coverage >= 94.0 %",
        reference: "96.0 to 99.2 %; percentile bootstrap of p99 86.8 % at n 50",
        checks,
        naive: naive.to_vec(),
        note: "The library's interval: no metric of a suite is a quantile yet. At the bootstrap's sizes this interval says that p99 is not \
               estimable (it needs 368 requests).",
    }
}

/// Whether the percentile bootstrap's 95 % interval of the ratio of two quantiles holds 1. A resample cannot hold a stall that the sample
/// has not seen.
fn bootstrap_covers(rng: &mut SplitMix64, tuned: &[f64], base: &[f64], p: f64) -> bool {
    const RESAMPLES: usize = 400;
    let mut quantile = |x: &[f64]| {
        let resample: Vec<f64> = (0..x.len()).map(|_| x[rng.index(x.len())]).collect();
        stats::quantile_type7(&resample, p).unwrap_or(f64::NAN)
    };
    let ratios: Vec<f64> = (0..RESAMPLES).map(|_| quantile(tuned) / quantile(base)).collect();
    let limit = |q| stats::quantile_type7(&ratios, q).unwrap_or(f64::NAN);
    limit(0.025) <= 1.0 && 1.0 <= limit(0.975)
}
