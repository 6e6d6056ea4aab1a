//! Row 13: numbers of tokens, whose sizes vary by orders of magnitude.

use super::ALPHA;
use super::arena::{Duel, independent};
use super::lab::{Lab, normal};
use super::row::{Bound, Check, Figure, Naive, Row};
use crate::stats;
use crate::types::MetricKind;

/// The candidate truly needs this share of the baseline's tokens.
const RATIO: f64 = 0.8;
/// Spread of the logarithm of an answer's size, and how alike the two models' answers to one case are on it.
const SPREAD: f64 = 1.0;
const ALIKE: f64 = 0.9;

/// Row 13.
pub(super) fn row(lab: &Lab) -> Row {
    let bound = Bound::AtLeast(0.94);
    let (mut checks, mut naive) = (Vec::new(), Vec::new());
    for n in [30, 100, 300] {
        let runs = lab.runs(
            &format!("row 13 {n}"),
            if n < 300 { 20_000 } else { 10_000 },
            || (Duel::new(MetricKind::Count, &independent(n), 1), vec![0.0; n], vec![0.0; n]),
            |(duel, base, tuned), rng| {
                for case in 0..n {
                    let shared = ALIKE.sqrt() * normal(rng);
                    let mut size = |mean: f64| {
                        // Both sides have one law but for the scale, so the ratio of their means is exact up to rounding to whole tokens.
                        (mean * (SPREAD * (shared + (1.0 - ALIKE).sqrt() * normal(rng))).exp()).round()
                    };
                    (base[case], tuned[case]) = (size(1_000.0), size(1_000.0 * RATIO));
                    duel.set(case, base[case], tuned[case]);
                }
                let change = RATIO - 1.0;
                let ours = duel.compare(ALPHA).map(|c| c.interval);
                let delta = stats::ratio_of_totals(tuned, base).and_then(|r| r.delta_interval(1.0 - ALPHA));
                (
                    ours.is_some_and(|i| i.lower() <= change && change <= i.upper()),
                    // Without an interval no saving is claimed.
                    ours.is_some_and(|i| i.upper() < change),
                    delta.is_ok_and(|i| i.lower() <= RATIO && RATIO <= i.upper()),
                )
            },
        );
        checks.push(Check::new(format!("coverage, n {n}"), bound, Figure::rate(runs.iter().map(|r| r.0))));
        let claims = Figure::rate(runs.iter().map(|r| r.1));
        checks.push(Check::new(format!("claims more saving than there is, n {n}"), Bound::AtMost(ALPHA), claims));
        let delta = Figure::rate(runs.iter().map(|r| r.2));
        naive.push(Naive::new("delta-method interval", format!("coverage, n {n}"), bound, delta));
    }
    Row {
        number: 13,
        title: "tokens: ratio of totals",
        scenario: "Lognormal sizes (sigma 1, correlation 0.9), a true saving of 20 %. How often does the 95 % interval of `compare` for counts \
                   (Fieller) hold it, and how often does it claim more?",
        requirement: "coverage >= 94.0 %; false claim <= 5 %",
        reference: "Fieller 95.2 %, delta 92.7 % at n 100",
        checks,
        naive,
        note: "`compare` decides counts at half the policy's level, since they are skewed: at 5 % its interval is the 95 % one.",
    }
}
