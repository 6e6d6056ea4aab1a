//! Unscored cases count at their worst, shown both ways.

use super::*;

/// `right` pairs that are right on both sides, then cases that one side or both lack.
fn lacking(right: usize, missing: &[(Option<f64>, Option<f64>)]) -> Vec<Sample> {
    let mut samples = paired(&vec![(1.0, 1.0); right], 1);
    for (i, (base, cand)) in missing.iter().enumerate() {
        samples.push(sample(900 + i, 900 + i, "base", *base));
        samples.push(sample(900 + i, 900 + i, "cand", *cand));
    }
    samples
}

const LOST: (Option<f64>, Option<f64>) = (Some(1.0), None);

#[test]
fn a_side_that_is_known_keeps_its_value() {
    let bounds = |missing, kind| {
        let c = run(&lacking(99, &[missing]), kind).unwrap();
        let i = c.imputed.unwrap();
        assert!(i.against.change <= i.in_favour.change || c.metric.direction == Direction::Lower);
        ((i.against.change * 100.0).round(), (i.in_favour.change * 100.0).round())
    };
    for kind in [MetricKind::Binary, MetricKind::Bounded] {
        assert_eq!(bounds((Some(1.0), None), kind), (-1.0, 0.0), "{kind:?}");
        assert_eq!(bounds((Some(0.0), None), kind), (0.0, 1.0), "{kind:?}");
        assert_eq!(bounds((None, Some(1.0)), kind), (0.0, 1.0), "{kind:?}");
        assert_eq!(bounds((None, Some(0.0)), kind), (-1.0, 0.0), "{kind:?}");
        assert_eq!(bounds((None, None), kind), (-1.0, 1.0), "{kind:?}");
    }
    // Less is better: at its worst the candidate has the event.
    assert_eq!(bounds((Some(0.0), None), MetricKind::Event), (1.0, 0.0));
    // Half a point is kept, too.
    assert_eq!(
        bounds((Some(0.5), None), MetricKind::Bounded),
        (-1.0, 1.0),
        "-0.5 and +0.5 of a hundredth, rounded away from 0"
    );
}

#[test]
fn what_has_no_worst_value_has_no_imputation() {
    for kind in [MetricKind::Duration, MetricKind::Count] {
        let values: Vec<_> = (0..200).map(|i| (2.0 + f64::from(i % 7), 1.0 + f64::from(i % 5) / 4.0)).collect();
        let mut samples = paired(&values, 1);
        assert_eq!(no_worse(&run(&samples, kind).unwrap(), 0.1, 0.05).answer, Answer::Yes);
        samples.push(sample(900, 900, "base", Some(1.0)));
        samples.push(sample(900, 900, "cand", None));
        let c = run(&samples, kind).unwrap();
        assert_eq!(c.imputed, None);
        let claim = no_worse(&c, 0.1, 0.05);
        assert_eq!(claim.answer, Answer::Unproven);
        assert_eq!(
            claim.why.unwrap(),
            "`c0900` could not be scored on one side or both, and such a value has no worst"
        );
        // A loss stays one.
        samples.iter_mut().for_each(|s| s.target = target(if s.target == target("base") { "cand" } else { "base" }));
        assert_eq!(no_worse(&run(&samples, kind).unwrap(), 0.1, 0.05).answer, Answer::No);
    }
    assert_eq!(run(&lacking(60, &[]), MetricKind::Binary).unwrap().imputed, None);
}

#[test]
fn one_in_fifty_may_lack_a_score_and_no_more() {
    let claim =
        |right, missing: &[_]| no_worse(&run(&lacking(right, missing), MetricKind::Binary).unwrap(), 0.25, 0.05);
    assert_eq!(claim(49, &[LOST]).answer, Answer::Yes, "one of 50");
    let more = claim(48, &[LOST]);
    assert_eq!(more.answer, Answer::Unproven, "one of 49");
    assert_eq!(
        more.why.unwrap(),
        "`c0900` could not be scored on one side or both: 2.0\u{202f}% of the cases, and at most 2\u{202f}% may lack a score"
    );
}

#[test]
fn a_yes_needs_to_be_one_with_unscored_cases_counted_against() {
    let claim = |margin| {
        let c = run(&lacking(200, &[LOST, LOST]), MetricKind::Binary).unwrap();
        no_worse(&c, margin, 0.05)
    };
    assert_eq!(claim(0.05).answer, Answer::Yes);
    let small = claim(0.02);
    assert_eq!(small.answer, Answer::Unproven);
    assert!(
        small.why.as_ref().unwrap().ends_with("there is no proof with them counted against the candidate"),
        "{small:?}"
    );
    assert_eq!(no_worse(&run(&lacking(200, &[]), MetricKind::Binary).unwrap(), 0.02, 0.05).answer, Answer::Yes);
}

#[test]
fn a_no_needs_to_be_one_with_unscored_cases_counted_for_the_candidate() {
    let claim = |lost: usize, missing: usize| {
        let values: Vec<_> = (0..100).map(|i| (f64::from(i < 60), f64::from((lost..60).contains(&i)))).collect();
        let mut samples = paired(&values, 1);
        for i in 0..missing {
            samples.push(sample(900 + i, 900 + i, "base", Some(0.0)));
            samples.push(sample(900 + i, 900 + i, "cand", None));
        }
        no_worse(&run(&samples, MetricKind::Binary).unwrap(), 0.05, 0.05)
    };
    assert_eq!((claim(11, 0).answer, claim(30, 4).answer), (Answer::No, Answer::No));
    let few = claim(11, 4);
    assert_eq!(few.answer, Answer::Unproven);
    assert!(few.why.as_ref().unwrap().ends_with("no disproof with them counted for the candidate"), "{few:?}");
}

#[test]
fn swapping_roles_swaps_the_imputations() {
    let mut samples = paired(&(0..90).map(|i| (f64::from(i % 3) / 2.0, f64::from(i % 4) / 3.0)).collect::<Vec<_>>(), 3);
    samples.extend(lacking(0, &[LOST, (None, Some(0.25)), (None, None)]));
    let there = run(&samples, MetricKind::Bounded).unwrap().imputed.unwrap();
    samples.iter_mut().for_each(|s| s.target = target(if s.target == target("base") { "cand" } else { "base" }));
    let back = run(&samples, MetricKind::Bounded).unwrap().imputed.unwrap();
    for (a, b) in [(&there.against, &back.in_favour), (&there.in_favour, &back.against)] {
        assert!((a.change + b.change).abs() < 1e-12);
        assert!((a.interval.lower() + b.interval.upper()).abs() < 1e-9);
        let (a, b) = (a.severe.as_ref().unwrap(), b.severe.as_ref().unwrap());
        assert_eq!((a.lost, a.gained), (b.gained, b.lost));
    }
}

#[test]
fn an_unscored_case_with_repeats_takes_as_many() {
    let mut samples = Vec::new();
    for i in 0..60 {
        for repeat in 0..3 {
            samples.push(Sample { repeat, ..sample(i, i, "base", Some(1.0)) });
            samples.push(Sample { repeat, ..sample(i, i, "cand", (i != 5 || repeat != 1).then_some(1.0)) });
        }
    }
    let c = run(&samples, MetricKind::Binary).unwrap();
    let imputed = c.imputed.unwrap();
    assert!((imputed.against.change + 1.0 / 60.0).abs() < 1e-12, "the whole case counts against: {imputed:?}");
    assert!(imputed.in_favour.change.abs() < 1e-12);
}

#[test]
fn a_level_has_its_worst_and_best_too() {
    let level = |kind, value: Option<f64>| {
        let samples: Vec<_> = (0..100).map(|i| sample(i, i, "cand", if i == 0 { None } else { value })).collect();
        measure(&samples, &metric(kind), &SliceName::all(), &target("cand"), 0.05).unwrap()
    };
    let right = level(MetricKind::Binary, Some(1.0));
    let imputed = right.imputed.unwrap();
    assert!((imputed.against.value - 0.99).abs() < 1e-12 && (imputed.in_favour.value - 1.0).abs() < 1e-12);
    let clean = level(MetricKind::Event, Some(0.0)).imputed.unwrap();
    assert!((clean.against.value - 0.01).abs() < 1e-12 && clean.in_favour.value == 0.0);
}
