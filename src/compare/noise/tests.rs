//! Targets whose answers move at a known rate, and one whose answers do not.

use super::*;
use crate::score::Score;
use crate::types::{ClusterName, Direction, Outcome, SplitMix64, Untrusted};

fn metric(kind: MetricKind) -> Metric {
    Metric { name: MetricName::new("m").unwrap(), kind, direction: Direction::Higher }
}

fn repeats(k: usize) -> Vec<TargetName> {
    (1..=k).map(|k| TargetName::new(&format!("base-r{k}")).unwrap()).collect()
}

/// Samples of `k` repeats of `n` cases, `size` cases a cluster, with the values that `value` gives to (case, repeat).
fn asked(n: usize, size: usize, k: usize, mut value: impl FnMut(usize, usize) -> Option<f64>) -> Vec<Sample> {
    let mut samples = Vec::new();
    for case in 0..n {
        for (r, name) in repeats(k).into_iter().enumerate() {
            samples.push(Sample {
                case: CaseId::new(&format!("c{case:04}")).unwrap(),
                cluster: ClusterName::new(&format!("g{}", case / size)).unwrap(),
                slices: Vec::new(),
                target: name,
                repeat: 0,
                outcome: Outcome::Answered,
                scores: vec![Score {
                    metric: metric(MetricKind::Binary).name,
                    value: value(case, r),
                    why: Untrusted::default(),
                }],
            });
        }
    }
    samples
}

fn floor(samples: &[Sample], kind: MetricKind, k: usize) -> MetricNoise {
    metric_noise(samples, &metric(kind), &SliceName::all(), &repeats(k)).unwrap()
}

#[test]
fn what_does_not_move_has_a_floor_of_exactly_nothing() {
    for kind in [MetricKind::Binary, MetricKind::Event, MetricKind::Bounded, MetricKind::Duration, MetricKind::Count] {
        // Thirds and tenths, of which sums are not exact.
        let value = |case: usize, _| match kind {
            MetricKind::Binary | MetricKind::Event => Some(f64::from(u8::from(case.is_multiple_of(3)))),
            MetricKind::Count => Some((case % 7) as f64),
            _ => Some(0.1 + (case % 3) as f64 / 3.1),
        };
        let m = floor(&asked(37, 2, 5, value), kind, 5);
        assert_eq!((m.sd, m.difference_se), (0.0, 0.0), "{kind:?}");
        assert_eq!((m.discordance.unwrap_or(0.0), m.case_sd.unwrap_or(0.0)), (0.0, 0.0), "{kind:?}");
        assert_eq!((m.cases, m.clusters, m.scores.len()), (37, 19, 5));
    }
    let nothing = floor(&asked(12, 1, 2, |_, _| Some(0.0)), MetricKind::Count, 2);
    assert_eq!((nothing.mean, nothing.difference_se), (0.0, 0.0), "no division by a total of nothing");
}

#[test]
fn a_known_flip_rate_is_found_again() {
    // Every case passes with probability 0.8: two repeats differ in 2 * 0.8 * 0.2 = 32 % of the cases, and the difference of two runs of
    // n cases has the standard error sqrt(0.32 / n).
    let (n, k) = (600, 20);
    let mut rng = SplitMix64::new(11);
    let m = floor(&asked(n, 1, k, |_, _| Some(f64::from(u8::from(rng.unit() < 0.8)))), MetricKind::Binary, k);
    let se = (0.32 / n as f64).sqrt();
    assert!((m.discordance.unwrap() - 0.32).abs() < 0.015, "{m:?}");
    assert!((m.difference_se / se - 1.0).abs() < 0.03, "{} {se}", m.difference_se);
    // The spread of twenty run scores says the same, with its own error of about 16 %.
    assert!((m.sd * 2.0_f64.sqrt() / se - 1.0).abs() < 0.5, "{} {se}", m.sd);
    assert!((m.mean - 0.8).abs() < 0.01);
}

#[test]
fn cases_that_move_together_are_one_piece_of_evidence() {
    let (n, k) = (600, 20);
    let error_of = |size: usize| {
        let mut rng = SplitMix64::new(5);
        let draws: Vec<bool> = (0..n * k).map(|_| rng.unit() < 0.5).collect();
        let m =
            floor(&asked(n, size, k, |c, r| Some(f64::from(u8::from(draws[c / size * k + r])))), MetricKind::Binary, k);
        m.difference_se
    };
    let ratio = error_of(4) / error_of(1);
    assert!((ratio - 2.0).abs() < 0.1, "four cases that move as one have twice the error: {ratio}");
}

#[test]
fn times_are_compared_as_ratios_and_counts_by_their_total() {
    let (n, k) = (400, 10);
    let mut rng = SplitMix64::new(3);
    // Uniform in the logarithm, over 0.2: one case's log ratio has the standard deviation 0.2 sqrt(2/12).
    let m = floor(&asked(n, 1, k, |_, _| Some((0.2 * rng.unit()).exp())), MetricKind::Duration, k);
    let sd = 0.2 * (2.0_f64 / 12.0).sqrt();
    assert!((m.case_sd.unwrap() / sd - 1.0).abs() < 0.05, "{m:?}");
    assert!((m.difference_se / (sd / (n as f64).sqrt()).exp_m1() - 1.0).abs() < 0.05, "{m:?}");
    let c =
        floor(&asked(100, 1, 2, |case, r| Some(if case == 0 && r == 1 { 20.0 } else { 10.0 })), MetricKind::Count, 2);
    assert_eq!(c.scores, [1000.0, 1010.0]);
    assert!((c.difference_se - 10.0 / 1005.0).abs() < 1e-12, "{c:?}");
    let zero = asked(20, 1, 2, |case, _| Some(if case == 0 { 0.0 } else { 1.0 }));
    assert_eq!(floor(&zero, MetricKind::Duration, 2).unscored.len(), 1, "a time of 0 has no logarithm");
}

#[test]
fn what_is_missing_is_named_and_broken_numbers_are_missing() {
    for bad in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        let m = floor(&asked(20, 1, 3, |c, r| if (c, r) == (4, 2) { bad } else { Some(1.0) }), MetricKind::Bounded, 3);
        assert_eq!((m.cases, m.unscored), (19, vec![CaseId::new("c0004").unwrap()]));
    }
    let nothing =
        metric_noise(&asked(5, 1, 2, |_, _| None), &metric(MetricKind::Binary), &SliceName::all(), &repeats(2));
    assert!(nothing.unwrap_err().reason.contains("in every repeat"));
    let one =
        metric_noise(&asked(5, 1, 1, |_, _| Some(1.0)), &metric(MetricKind::Binary), &SliceName::all(), &repeats(1));
    assert!(one.unwrap_err().reason.contains("repeats: 1 given, at least 2"));
}

#[test]
fn a_case_is_flaky_by_its_interval_or_by_two_flips_of_ten() {
    // (ones of ten, flaky): one flip may be chance, two are not; and a case that alternates is flaky by any measure.
    let expected = [(0, false), (1, false), (2, true), (5, true), (8, true), (9, false), (10, false)];
    let samples = asked(expected.len(), 1, 10, |c, r| Some(f64::from(u8::from(r < expected[c].0))));
    let found = case_noise(&samples, &metric(MetricKind::Binary), &repeats(10)).unwrap();
    for ((ones, flaky), case) in expected.into_iter().zip(&found) {
        assert_eq!((case.ones, case.flaky), (ones as u64, flaky), "{case:?}");
        assert!((case.flip_rate - (ones.min(10 - ones)) as f64 / 10.0).abs() < 1e-12, "{case:?}");
        assert!((case.posterior_mean - (ones as f64 + 0.5) / 11.0).abs() < 1e-12);
        assert!(case.credible.lower() < case.posterior_mean && case.posterior_mean < case.credible.upper());
    }
    assert!(case_noise(&samples, &metric(MetricKind::Bounded), &repeats(10)).unwrap().is_empty());
}
