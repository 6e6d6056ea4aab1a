//! Plan and gate cannot drift apart: what the formulas promise is what the real judge does with samples that were drawn so.

use super::super::verdict::Status;
use super::draw::{Both, Cluster, Population};
use super::paired::replicate;
use super::*;
use crate::stats;
use crate::types::{CriterionId, Digest, Direction, MetricKind, SliceName, SplitMix64, SuiteName};
use std::f64::consts::TAU;

const ALPHA: f64 = 0.05;
/// Four standard errors of 2,000 replicates at a power of one half, the largest.
const FOUR_ERRORS: f64 = 0.045;

fn metric(kind: MetricKind, direction: Direction) -> Metric {
    Metric { name: MetricName::new("m").unwrap(), kind, direction }
}

fn criterion(rule: Rule) -> Criterion {
    let id = CriterionId::new("c").unwrap();
    let metric = MetricName::new("m").unwrap();
    Criterion { id, metric, slice: SliceName::all(), rule, required: true, max_severe: None, why: String::new() }
}

fn bench() -> Bench {
    Bench::new(&SuiteName::new("s").unwrap(), Digest::of(b"s"), ALPHA)
}

/// Runs a test on a plan of `rule` without a pilot.
fn with<T>(rule: Rule, metric: &Metric, sizes: &[usize], stated: f64, test: impl Fn(&Paired<'_>) -> T) -> T {
    let (bench, criterion) = (bench(), criterion(rule));
    let start = Start {
        bench: &bench,
        criterion: &criterion,
        metric,
        sizes,
        pilot: &[],
        stated: Some(stated),
        alpha: ALPHA,
        seed: 7,
    };
    test(&Paired::new(&start))
}

/// The share of 2,000 drawn suites of which the judge finds the criterion met.
fn judged(rule: Rule, metric: &Metric, draw: impl Fn(&mut SplitMix64) -> Vec<Cluster>) -> f64 {
    let (bench, criterion) = (bench(), criterion(rule));
    let met = (0..REPLICATES).filter(|i| {
        let clusters = draw(&mut replicate(99, *i));
        bench.find(&criterion, metric, &clusters).status == Status::Met
    });
    met.count() as f64 / REPLICATES as f64
}

fn normal(rng: &mut SplitMix64) -> f64 {
    (-2.0 * (1.0 - rng.unit()).ln()).sqrt() * (TAU * rng.unit()).cos()
}

#[test]
fn the_pages_table_of_suite_sizes() {
    let m = metric(MetricKind::Binary, Direction::Higher);
    for (psi, row) in
        [(0.05, [773, 344, 124]), (0.10, [1_546, 687, 248]), (0.20, [3_092, 1_374, 495]), (0.30, [4_637, 2_061, 742])]
    {
        for (margin, n) in [0.02, 0.03, 0.05].into_iter().zip(row) {
            let needed = with(Rule::NonInferior { margin }, &m, &[1; 100], psi, |p| p.needed(100, 0.0, 0.8));
            assert_eq!(needed, Some(n), "discordance {psi}, margin {margin}");
        }
    }
}

#[test]
fn the_pages_exact_powers_are_those_of_the_judge() {
    let m = metric(MetricKind::Binary, Direction::Higher);
    let rule = Rule::NonInferior { margin: 0.05 };
    for (n, page) in [(100_u64, 0.44), (300, 0.84), (1_000, 0.999)] {
        let sizes = vec![1; n as usize];
        let power = with(rule, &m, &sizes, 0.10, |p| p.power(n, 0.0).unwrap());
        assert!((power - page).abs() < 0.005, "n = {n}: {power}");
        if n < 1_000 {
            let population = Population::stated(&[1], 0.10, 1.0, 1.0, true);
            let met = judged(rule, &m, |rng| population.draw(n as usize, 0.0, rng).unwrap());
            assert!((met - power).abs() < FOUR_ERRORS, "n = {n}: {met} judged, {power} planned");
        }
    }
}

#[test]
fn enumeration_agrees_with_the_judge_for_every_rule_and_direction() {
    for direction in [Direction::Higher, Direction::Lower] {
        let m = metric(MetricKind::Binary, direction);
        let sign = if direction == Direction::Higher { 1.0 } else { -1.0 };
        for (rule, n, psi, gain) in [
            (Rule::NonInferior { margin: 0.1 }, 60, 0.15, 0.02),
            (Rule::NonInferior { margin: 0.1 }, 28, 0.05, 0.0),
            (Rule::Superior { by: 0.0 }, 80, 0.2, 0.1),
            (Rule::Superior { by: 0.1 }, 120, 0.4, 0.2),
            (Rule::Superior { by: 0.0 }, 9, 1.0, 1.0),
            (Rule::Equivalent { margin: 0.1 }, 150, 0.12, 0.01),
        ] {
            let planned = with(rule, &m, &[1; 9], psi, |p| p.power(n, gain).unwrap());
            let population = Population::stated(&[1], psi, 1.0, sign, true);
            let met = judged(rule, &m, |rng| population.draw(n as usize, gain, rng).unwrap());
            assert!((met - planned).abs() < FOUR_ERRORS, "{rule:?}, n = {n}: {met} judged, {planned} planned");
        }
    }
}

#[test]
fn the_noncentral_t_agrees_with_the_judge_on_times_and_counts() {
    let (sd, n) = (0.3, 60);
    for (rule, gain) in [
        (Rule::NonInferior { margin: 0.1 }, 0.0),
        (Rule::Superior { by: 0.1 }, 0.18),
        (Rule::Equivalent { margin: 0.15 }, 0.0),
    ] {
        let m = metric(MetricKind::Duration, Direction::Lower);
        let planned = with(rule, &m, &[1], sd, |p| p.power(n, gain).unwrap());
        let met = judged(rule, &m, |rng| {
            let pair =
                |rng: &mut SplitMix64| Both { baseline: 1.0, candidate: (1.0 - gain) * (sd * normal(rng)).exp() };
            (0..n).map(|_| vec![pair(rng)]).collect()
        });
        assert!((met - planned).abs() < FOUR_ERRORS, "times, {rule:?}: {met} judged, {planned} planned");

        let m = metric(MetricKind::Count, Direction::Lower);
        let planned = with(rule, &m, &[1], sd, |p| p.power(n, gain).unwrap());
        let met = judged(rule, &m, |rng| {
            let pair = |rng: &mut SplitMix64| Both { baseline: 1e6, candidate: 1e6 * (1.0 - gain + sd * normal(rng)) };
            (0..n).map(|_| vec![pair(rng)]).collect()
        });
        assert!((met - planned).abs() < FOUR_ERRORS, "counts, {rule:?}: {met} judged, {planned} planned");
    }
}

#[test]
fn levels_agree_with_the_judge() {
    let level = |rule, kind, n: u64, level: f64| {
        let (criterion, m) = (criterion(rule), metric(kind, Direction::Higher));
        Level::new(&criterion, &m, &[], Some(level), ALPHA).power(n, level).unwrap()
    };
    for (rule, kind, n, rate) in [
        (Rule::AtLeast { limit: 0.8 }, MetricKind::Binary, 46, 0.93),
        (Rule::AtMost { limit: 0.2 }, MetricKind::Binary, 70, 0.12),
        (Rule::NoneObserved { max_rate: 0.08 }, MetricKind::Event, 46, 0.01),
        (Rule::NoneObserved { max_rate: 0.08 }, MetricKind::Event, 30, 0.0),
        (Rule::AtMost { limit: 0.2 }, MetricKind::Event, 9, 0.0),
    ] {
        let planned = level(rule, kind, n, rate);
        let m = metric(kind, Direction::Higher);
        let met = judged(rule, &m, |rng| {
            let one = |rng: &mut SplitMix64| Both { baseline: 1.0, candidate: f64::from(u8::from(rng.unit() < rate)) };
            (0..n).map(|_| vec![one(rng)]).collect()
        });
        assert!((met - planned).abs() < FOUR_ERRORS, "{rule:?}: {met} judged, {planned} planned");
    }
    for (kind, rule, truth) in [
        (MetricKind::Duration, Rule::AtMost { limit: 1.1 }, 1.0),
        (MetricKind::Duration, Rule::AtLeast { limit: 0.9 }, 1.0),
        (MetricKind::Count, Rule::AtMost { limit: 110.0 }, 100.0),
    ] {
        let planned = level(rule, kind, 40, truth);
        let m = metric(kind, Direction::Lower);
        let met = judged(rule, &m, |rng| {
            let value = |rng: &mut SplitMix64| match kind {
                MetricKind::Duration => truth * (0.25 * normal(rng)).exp(),
                _ => truth * (1.0 + 0.25 * normal(rng)),
            };
            (0..40).map(|_| vec![Both { baseline: 1.0, candidate: value(rng) }]).collect()
        });
        assert!((met - planned).abs() < FOUR_ERRORS, "{kind:?} {rule:?}: {met} judged, {planned} planned");
    }
}

#[test]
fn drawn_suites_have_the_gain_and_the_spread_that_were_asked_for() {
    let lossy: Vec<Cluster> = (0..40)
        .map(|i| {
            let b = Both { baseline: 1.0, candidate: if i % 4 == 0 { 0.0 } else { 1.0 } };
            vec![b; 1 + i % 3]
        })
        .collect();
    let population = Population::of_pilot(&lossy, 0.3, 1.0, true);
    for gain in [-0.2, 0.0, 0.1, 0.6] {
        let drawn = population.draw(40_000, gain, &mut SplitMix64::new(3)).unwrap();
        let all: Vec<f64> = drawn.iter().flatten().map(|b| b.candidate - b.baseline).collect();
        assert!((stats::mean(&all).unwrap() - gain).abs() < 0.015, "gain {gain}");
        let differing = drawn.iter().filter(|c| c[0].candidate != c[0].baseline).count() as f64 / 40_000.0;
        assert!(gain > 0.5 || (differing - 0.3).abs() < 0.01, "share {differing}");
    }
    assert!(population.draw(10, 1.1, &mut SplitMix64::new(3)).is_none());
}

#[test]
fn what_is_detected_is_met_with_the_wanted_power_and_a_little_less_is_not() {
    let binary = metric(MetricKind::Binary, Direction::Higher);
    let times = metric(MetricKind::Duration, Direction::Lower);
    for (m, rule, figure) in [
        (&binary, Rule::NonInferior { margin: 0.05 }, 0.1),
        (&binary, Rule::Superior { by: 0.1 }, 0.3),
        (&times, Rule::NonInferior { margin: 0.05 }, 0.4),
        (&times, Rule::Superior { by: 0.05 }, 0.4),
    ] {
        let found = with(rule, m, &[1; 100], figure, |p| p.detectable(100, 0.8)).unwrap();
        let at = |value: f64| match rule {
            Rule::Superior { .. } => with(rule, m, &[1; 100], figure, |p| p.power(100, value).unwrap()),
            _ => with(Rule::NonInferior { margin: value }, m, &[1; 100], figure, |p| p.power(100, 0.0).unwrap()),
        };
        assert!(at(found) >= 0.8 - 1e-9 && at(found * 0.98) < 0.8, "{rule:?}: {found}");
    }
}

#[test]
fn clusters_are_worth_less_than_as_many_cases() {
    let m = metric(MetricKind::Binary, Direction::Higher);
    let rule = Rule::NonInferior { margin: 0.1 };
    let apart = with(rule, &m, &[1; 120], 0.1, |p| p.power(120, 0.0).unwrap());
    let together = with(rule, &m, &[4; 30], 0.1, |p| p.power(30, 0.0).unwrap());
    assert!(together < apart - 0.2, "{together} in 30 clusters of 4, {apart} alone");
    let needed = with(rule, &m, &[4; 30], 0.1, |p| p.needed(30, 0.0, 0.8).unwrap());
    let power = with(rule, &m, &[4; 30], 0.1, |p| p.power(needed, 0.0).unwrap());
    assert!(needed > 30 && (0.74..0.92).contains(&power), "{needed} clusters: {power}");
}

#[test]
fn the_judge_says_what_is_impossible() {
    let bench = bench();
    let share = metric(MetricKind::Binary, Direction::Higher);
    let events = metric(MetricKind::Event, Direction::Lower);
    let times = metric(MetricKind::Duration, Direction::Lower);
    let counts = metric(MetricKind::Count, Direction::Lower);
    for (m, rule, n, least) in [
        (&share, Rule::NonInferior { margin: 0.05 }, 58, Some(59)),
        (&share, Rule::Superior { by: 0.0 }, 9, Some(10)),
        (&share, Rule::Superior { by: 1.0 }, 50, None),
        (&share, Rule::Equivalent { margin: 0.1 }, 20, None),
        (&share, Rule::AtLeast { limit: 1.0 }, 50, None),
        (&events, Rule::NoneObserved { max_rate: 0.05 }, 58, Some(59)),
        (&events, Rule::AtMost { limit: 0.05 }, 58, Some(59)),
        (&times, Rule::NonInferior { margin: 0.1 }, 28, Some(29)),
        (&times, Rule::NonInferior { margin: 0.5 }, 9, Some(10)),
        (&times, Rule::AtMost { limit: 0.0 }, 50, None),
        (&counts, Rule::Superior { by: 0.5 }, 9, Some(10)),
    ] {
        let c = criterion(rule);
        let possible = |n: usize| possible::best(&bench, &c, m, &vec![1; n]).unwrap().possible;
        assert!(!possible(n), "{rule:?} on {n}");
        if let Some(least) = least {
            assert!(possible(least), "{rule:?} on {least}");
            assert_eq!(possible::least_clusters(&bench, &c, m, n), Some(least), "{rule:?}");
        }
    }
    for (m, rule) in [
        (&times, Rule::Superior { by: 0.99 }),
        (&times, Rule::Equivalent { margin: 0.1 }),
        (&times, Rule::AtMost { limit: 0.001 }),
        (&times, Rule::AtLeast { limit: 5.0 }),
        (&counts, Rule::NonInferior { margin: 0.1 }),
        (&counts, Rule::Superior { by: 0.999 }),
        (&counts, Rule::AtMost { limit: 3.0 }),
        (&share, Rule::Equivalent { margin: 0.5 }),
        (&share, Rule::Superior { by: 0.9 }),
    ] {
        let found = possible::best(&bench, &criterion(rule), m, &vec![1; 400]).unwrap();
        assert!(found.possible, "{rule:?}: {}", found.finding.sentence);
    }
}

#[test]
fn a_pilot_is_planned_with_at_its_cautious_limit() {
    let m = metric(MetricKind::Binary, Direction::Higher);
    let (bench, c) = (bench(), criterion(Rule::NonInferior { margin: 0.1 }));
    let pilot: Vec<Cluster> =
        (0..50).map(|i| vec![Both { baseline: 1.0, candidate: f64::from(u8::from(i % 10 != 0)) }]).collect();
    let sizes = vec![1; 50];
    let start = Start {
        bench: &bench,
        criterion: &c,
        metric: &m,
        sizes: &sizes,
        pilot: &pilot,
        stated: None,
        alpha: ALPHA,
        seed: 1,
    };
    let figure = Paired::new(&start).figure;
    assert_eq!((figure.source, figure.point), (Source::Pilot, Some(0.1)));
    assert!((figure.planned - stats::clopper_pearson_upper(5, 50, 0.2).unwrap()).abs() < 1e-12);
    assert!((basis::pilot_gain(&m, &pilot).unwrap() + 0.1).abs() < 1e-12);
    // A pilot without any change bounds the discordance and does not make it nothing.
    let calm = vec![vec![Both { baseline: 1.0, candidate: 1.0 }]; 50];
    let figure = Paired::new(&Start { pilot: &calm, ..start }).figure;
    assert!((figure.planned - (1.0 - 0.2_f64.powf(0.02))).abs() < 1e-9, "{}", figure.planned);
    let rate = criterion(Rule::AtLeast { limit: 0.7 });
    let figure = Level::new(&rate, &m, &pilot, None, ALPHA).figure.unwrap();
    assert!(figure.planned < 0.9 && figure.point == Some(0.9));
}

#[test]
fn costs_say_what_they_do_not_know() {
    let target = TargetName::new("t").unwrap();
    let price = Price { input: 2.0, output: 8.0 };
    let limits = Limits { requests_per_minute: Some(100.0), tokens_per_minute: Some(10_000.0) };
    let request = CostRequest {
        target,
        trials: 1_000,
        max_new_tokens: 50,
        per_case: Some([200.0, 20.0, 0.3]),
        price: Some(price),
        limits: None,
    };
    let known = cost(&request);
    assert_eq!((known.prompt_tokens, known.completion_tokens), (Amount::About(200_000.0), Amount::About(20_000.0)));
    assert!((known.usd.unwrap().value().unwrap() - 0.56).abs() < 1e-12);
    assert!((known.minutes.value().unwrap() - 5.0).abs() < 1e-12);
    let limited = cost(&CostRequest { limits: Some(limits), ..request.clone() });
    assert_eq!(limited.minutes, Amount::About(22.0), "tokens, not questions, are the longer queue");
    let blind = cost(&CostRequest { per_case: None, limits: Some(limits), ..request.clone() });
    assert_eq!((blind.prompt_tokens, blind.completion_tokens), (Amount::Unknown, Amount::AtMost(50_000.0)));
    assert_eq!((blind.usd, blind.minutes), (Some(Amount::Unknown), Amount::AtLeast(10.0)));
    let total = cost::total(&[known.clone(), limited.clone(), limited]);
    assert_eq!(total.minutes, Amount::About(22.0), "limits are filled side by side");
    assert_eq!(cost::total(&[known, blind]).completion_tokens, Amount::AtMost(70_000.0));
}
