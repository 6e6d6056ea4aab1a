//! The right method for the right data, and the failures that other tools are known for.

use super::*;
use crate::score::{Sample, Score};
use crate::types::{
    CaseId, ClusterName, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, TargetName, Untrusted,
};

mod evidence;
mod gathered;
mod many;
mod unscored;

fn metric(kind: MetricKind) -> Metric {
    let direction = match kind {
        MetricKind::Binary | MetricKind::Bounded => Direction::Higher,
        _ => Direction::Lower,
    };
    Metric { name: MetricName::new("m").unwrap(), kind, direction }
}

fn target(name: &str) -> TargetName {
    TargetName::new(name).unwrap()
}

fn sample(case: usize, cluster: usize, who: &str, value: Option<f64>) -> Sample {
    Sample {
        case: CaseId::new(&format!("c{case:04}")).unwrap(),
        cluster: ClusterName::new(&format!("g{cluster}")).unwrap(),
        slices: vec![SliceName::new("task").unwrap()],
        target: target(who),
        repeat: 0,
        outcome: Outcome::Answered,
        scores: vec![Score { metric: MetricName::new("m").unwrap(), value, why: Untrusted::default() }],
    }
}

/// Samples of both targets from `(baseline, candidate)` pairs, `size` cases a cluster.
fn paired(values: &[(f64, f64)], size: usize) -> Vec<Sample> {
    let both = |(i, (b, c)): (usize, &(f64, f64))| {
        [sample(i, i / size, "base", Some(*b)), sample(i, i / size, "cand", Some(*c))]
    };
    values.iter().enumerate().flat_map(both).collect()
}

fn run(samples: &[Sample], kind: MetricKind) -> Result<Comparison, NotComparable> {
    compare(samples, &metric(kind), &SliceName::all(), &target("base"), &target("cand"), 0.05)
}

#[test]
fn independent_binary_pairs_get_tango_and_mid_p() {
    let mut values = vec![(1.0, 1.0); 80];
    values.extend([(0.0, 1.0); 15]);
    values.extend([(1.0, 0.0); 5]);
    let c = run(&paired(&values, 1), MetricKind::Binary).unwrap();
    assert_eq!(c.flips, Some(Flips { gained: 15, lost: 5 }));
    assert!((c.change - 0.10).abs() < 1e-12);
    assert_eq!(c.method.name, "Tango score interval");
    // Mid-p of 15 wins against 5 losses: P(X > 15) + P(X = 15) / 2 for X ~ Bin(20, 1/2).
    let tail = (1.0 + 20.0 + 190.0 + 1140.0 + 4845.0 + 15504.0 / 2.0) / 1_048_576.0;
    assert!((c.p_better.unwrap() - tail).abs() < 1e-12, "{:?}", c.p_better);
    assert!(c.interval.lower() > 0.0 && c.interval.lower() < c.change && c.change < c.interval.upper());
}

#[test]
fn clusters_widen_the_interval() {
    let values: Vec<(f64, f64)> = (0..120).map(|i| if i / 4 % 3 == 0 { (0.0, 1.0) } else { (1.0, 1.0) }).collect();
    let alone = run(&paired(&values, 1), MetricKind::Binary).unwrap();
    let together = run(&paired(&values, 4), MetricKind::Binary).unwrap();
    assert_eq!((alone.clusters, together.clusters), (120, 30));
    let width = |c: &Comparison| c.interval.upper() - c.interval.lower();
    assert!(width(&together) > 1.5 * width(&alone), "{} {}", width(&together), width(&alone));
    assert!(together.method.why.contains("30 clusters"), "{}", together.method.why);
}

#[test]
fn zero_variance_is_not_certainty() {
    let c = run(&paired(&[(1.0, 1.0); 5], 1), MetricKind::Binary).unwrap();
    assert!(c.interval.lower() < -0.3, "five equal pairs exclude no large loss: {:?}", c.interval);
    let b = run(&paired(&[(0.5, 0.5); 5], 1), MetricKind::Bounded).unwrap();
    assert!(b.interval.lower() < -0.3, "{:?}", b.interval);
}

#[test]
fn swapping_roles_mirrors_the_interval() {
    let values: Vec<(f64, f64)> = (0..60).map(|i| (f64::from(i % 3 == 0), f64::from(i % 4 == 0))).collect();
    let swapped: Vec<_> = values.iter().map(|(b, c)| (*c, *b)).collect();
    for size in [1, 3] {
        let a = run(&paired(&values, size), MetricKind::Binary).unwrap();
        let b = run(&paired(&swapped, size), MetricKind::Binary).unwrap();
        assert!((a.interval.lower() + b.interval.upper()).abs() < 1e-9);
        assert!((a.change + b.change).abs() < 1e-12);
    }
}

#[test]
fn less_is_a_gain_where_less_is_better() {
    let values: Vec<(f64, f64)> = (0..100).map(|i| (200.0 + f64::from(i % 7), 30.0 + f64::from(i % 5))).collect();
    let tokens = run(&paired(&values, 1), MetricKind::Count).unwrap();
    assert_eq!(tokens.estimand, Estimand::RatioOfTotals);
    assert!(tokens.change < -0.8 && tokens.gain() > 0.8 && tokens.gain_interval().lower() > 0.8);
    let total: f64 = values.iter().map(|v| v.1).sum();
    assert!((tokens.candidate_value - total).abs() < 1e-9, "a total is a total of cases, not of clusters' means");
    let seconds = run(&paired(&values, 1), MetricKind::Duration).unwrap();
    assert_eq!(seconds.estimand, Estimand::GeometricMeanRatio);
    assert!(seconds.gain_interval().lower() > 0.8 && seconds.p_better.unwrap() < 1e-6);
}

#[test]
fn unscored_cases_are_named_and_never_dropped_silently() {
    let mut samples = paired(&[(1.0, 1.0); 20], 1);
    samples.push(sample(90, 90, "base", Some(1.0)));
    samples.push(sample(90, 90, "cand", None));
    samples.push(sample(91, 91, "base", Some(1.0)));
    samples.push(sample(92, 92, "cand", Some(f64::NAN)));
    let c = run(&samples, MetricKind::Binary).unwrap();
    let names: Vec<_> = c.unscored.iter().map(CaseId::as_str).collect();
    assert_eq!(names, ["c0090", "c0091", "c0092"]);
    assert_eq!(c.pairs, 20);
}

#[test]
fn nothing_to_compare_is_an_error_not_a_pass() {
    let e = run(&[], MetricKind::Binary).unwrap_err();
    assert!(e.to_string().contains("no case of the slice `all`"), "{e}");
    let one = run(&paired(&[(3.0, 2.0)], 1), MetricKind::Duration);
    assert!(one.is_err(), "one pair shows no error");
}

#[test]
fn events_count_clusters_by_their_worst_case() {
    let samples: Vec<Sample> = (0..40).map(|i| sample(i, i / 2, "cand", Some(f64::from(i == 6 || i == 7)))).collect();
    let m = measure(&samples, &metric(MetricKind::Event), &SliceName::all(), &target("cand"), 0.05).unwrap();
    assert_eq!((m.cases, m.clusters, m.observed.len()), (40, 20, 2));
    assert!((m.value - 0.05).abs() < 1e-12, "one cluster of twenty");
    let clean: Vec<Sample> = (0..59).map(|i| sample(i, i, "cand", Some(0.0))).collect();
    let m = measure(&clean, &metric(MetricKind::Event), &SliceName::all(), &target("cand"), 0.05).unwrap();
    // The rule of three, exactly: 1 - 0.05^(1/59).
    assert!((m.interval.upper() - (1.0 - 0.05_f64.powf(1.0 / 59.0))).abs() < 1e-9);
}

#[test]
fn a_larger_margin_never_takes_a_yes_back_nor_makes_a_no() {
    let rank = |a: Answer| match a {
        Answer::No => 0,
        Answer::Unproven => 1,
        Answer::Yes => 2,
    };
    for lost in [0, 2, 8, 30] {
        let values: Vec<_> = (0..120).map(|i| (1.0, f64::from(i >= lost))).collect();
        for kind in [MetricKind::Binary, MetricKind::Bounded] {
            let c = run(&paired(&values, 1), kind).unwrap();
            let answers: Vec<_> =
                [0.001, 0.01, 0.03, 0.05, 0.1, 0.2, 0.5].iter().map(|m| rank(no_worse(&c, *m, 0.05).answer)).collect();
            assert!(answers.is_sorted(), "{lost} lost: {answers:?}");
            assert_eq!(answers.last(), Some(&2), "{lost} lost: {answers:?}");
        }
    }
}

#[test]
fn the_p_value_of_a_bounded_score_says_what_its_interval_says() {
    let mut said = Vec::new();
    for low in 2..9 {
        let values: Vec<_> = (0..200).map(|i| (0.5, 0.5 + f64::from(i * 7 % 11 - low) / 20.0)).collect();
        let c = run(&paired(&values, 1), MetricKind::Bounded).unwrap();
        assert_eq!(c.p_better.unwrap() <= 0.05, c.interval.lower() >= 0.0, "{c:?}");
        said.push(c.p_better.unwrap() <= 0.05);
    }
    assert!(said.contains(&true) && said.contains(&false), "{said:?}");
}

#[test]
fn a_failing_baseline_is_missing_evidence_and_a_failing_candidate_a_loss() {
    let failed = |who: &str| {
        let mut samples = paired(&[(1.0, 1.0); 20], 1);
        let mut pair = [sample(90, 90, "base", Some(1.0)), sample(90, 90, "cand", Some(1.0))];
        for s in pair.iter_mut().filter(|s| s.target == target(who)) {
            s.outcome = Outcome::Failed;
            s.scores[0].value = Some(0.0);
        }
        samples.extend(pair);
        run(&samples, MetricKind::Binary).unwrap()
    };
    let by_baseline = failed("base");
    assert_eq!((by_baseline.pairs, by_baseline.unscored.len()), (20, 1), "no gain for the candidate");
    assert_eq!(by_baseline.flips, Some(Flips { gained: 0, lost: 0 }));
    let by_candidate = failed("cand");
    assert_eq!(by_candidate.flips, Some(Flips { gained: 0, lost: 1 }));
}

/// The list of slices to look at asks of the candidate what the comparison asks, and not of the baseline in its place.
#[test]
fn a_candidate_that_fails_on_a_slice_is_on_the_list() {
    let mut samples = paired(&[(1.0, 1.0); 60], 1);
    for s in samples.iter_mut().filter(|s| s.target == target("cand")).take(30) {
        s.outcome = Outcome::Failed;
        s.scores[0].value = Some(0.0);
    }
    let no_margins = std::collections::BTreeMap::new();
    let (rows, gaps) = compare_all(Request {
        samples: &samples,
        metrics: &[metric(MetricKind::Binary)],
        slices: &[SliceName::new("task").unwrap()],
        baseline: &target("base"),
        candidates: &[target("cand")],
        alpha: 0.05,
        margins: &no_margins,
        seed: 1,
        asking: Asking::ALONE,
    });
    assert!(gaps.is_empty() && rows[0].look_here, "{rows:?}");
    assert_eq!(rows[0].q_worse, rows[0].comparison.p_worse);
    assert!(rows[0].comparison.p_worse.unwrap() < 1e-6);
}
