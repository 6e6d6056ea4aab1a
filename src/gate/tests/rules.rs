//! Each rule on both sides of its border: severe regressions and unscored cases.

use super::*;

type Values = (Option<f64>, Option<f64>);

/// The only finding of a policy with one criterion on the metric `m`, for pairs of baseline and candidate.
fn find(kind: MetricKind, rule: &str, pairs: &[Values]) -> Finding {
    judged(kind, rule, pairs).findings()[0].clone()
}

fn judged(kind: MetricKind, rule: &str, pairs: &[Values]) -> Verdict {
    let head = POLICY.split("[[criterion]]").next().unwrap();
    let text = format!("{head}[[criterion]]\nid = \"c\"\nmetric = \"m\"\n{rule}\n");
    let policy = Policy::parse(SourceFile::new("policy.toml", text)).unwrap();
    let direction = match kind {
        MetricKind::Binary | MetricKind::Bounded => Direction::Higher,
        _ => Direction::Lower,
    };
    let metrics = [Metric { name: MetricName::new("m").unwrap(), kind, direction }];
    let one = |i: usize, who: &str, value: Option<f64>| Sample {
        scores: vec![Score { metric: metrics[0].name.clone(), value, why: Untrusted::default() }],
        ..sample(i, who, [None; 3])
    };
    let samples: Vec<Sample> =
        pairs.iter().enumerate().flat_map(|(i, (b, c))| [one(i, "base", *b), one(i, "cand", *c)]).collect();
    let suite = SuiteName::new("s").unwrap();
    let asked = Asked {
        suite: &suite,
        suite_digest: Digest::of(b"s"),
        metrics: &metrics,
        planned: pairs.len(),
        samples: &samples,
        pinned_policy: Some(policy.digest()),
        changed: &[],
        asking: crate::compare::Asking::ALONE,
    };
    judge(&policy, asked, &name("base"), &name("cand"))
}

/// `lost` pairs of `n` that fall from 1 to 0, while the others rise by `rise`.
fn fallen(n: usize, lost: usize, rise: f64) -> Vec<Values> {
    (0..n).map(|i| if i < lost { (Some(1.0), Some(0.0)) } else { (Some(0.25), Some(0.25 + rise)) }).collect()
}

#[test]
fn a_mean_that_hides_disasters_promotes_nobody() {
    // One case in twenty falls from 1 to 0, and the others gain what keeps the mean where it was.
    let pairs = fallen(600, 30, 30.0 / 570.0);
    let v = judged(MetricKind::Bounded, "require = \"non-inferior\"\nmargin = 0.03", &pairs);
    let finding = &v.findings()[0];
    let Evidence::Comparison(c) = &finding.evidence else { panic!("{finding:?}") };
    assert!(c.change.abs() < 1e-9 && c.interval.lower() > -0.03, "the mean alone would be met");
    assert_eq!((finding.status, v.decision()), (Status::Unproven, Decision::Undecided));
    assert!(
        finding.sentence.contains(" Not proven: 30 cases (`c0`, `c1`, `c10` and 27 more) lost half the scale or more"),
        "{}",
        finding.sentence
    );
    let calm = fallen(600, 6, 6.0 / 594.0);
    assert_eq!(find(MetricKind::Bounded, "require = \"non-inferior\"\nmargin = 0.03", &calm).status, Status::Met);
}

#[test]
fn a_share_of_severe_regressions_is_met_violated_or_neither() {
    for rule in ["require = \"non-inferior\"\nmargin = 0.2", "require = \"superior\"\nby = 0.02"] {
        let with = |limit: &str, lost| {
            find(MetricKind::Bounded, &format!("{rule}\nmax-severe = {limit}"), &fallen(200, lost, 0.4))
        };
        // Six of 200: at most 5.8 %, at least 1.3 % (Clopper-Pearson at 90 %).
        assert_eq!(with("0.06", 6).status, Status::Met, "{rule}");
        assert_eq!(with("0.05", 6).status, Status::Unproven, "{rule}");
        assert_eq!(with("0.01", 6).status, Status::Violated, "{rule}");
        assert_eq!(with("0.01", 0).status, Status::Unproven, "two hundred clean cases bound 1.5 %");
        assert_eq!(with("0.015", 0).status, Status::Met);
    }
    let rule = "require = \"non-inferior\"\nmargin = 0.2\nmax-severe = 0.01";
    let v = judged(MetricKind::Bounded, rule, &fallen(200, 6, 0.4));
    assert_eq!(v.decision(), Decision::Reject);
    let sentence = &v.findings()[0].sentence;
    assert!(sentence.contains("and of half the scale or more in at most 1\u{202f}% of the clusters. 6 cases (`c0`, `c1`, `c2` and 3 more) lost"), "{sentence}");
    assert!(v.sentence().contains(", and 6 of 200 cases lost half the scale or more"), "{}", v.sentence());
}

#[test]
fn a_share_of_severe_regressions_needs_a_bounded_metric() {
    let rule = "require = \"non-inferior\"\nmargin = 0.2\nmax-severe = 0.1";
    let finding = find(MetricKind::Binary, rule, &[(Some(1.0), Some(1.0)); 100]);
    assert_eq!(finding.status, Status::Unproven, "no rate, no claim");
    assert_eq!(
        find(MetricKind::Binary, "require = \"non-inferior\"\nmargin = 0.2", &[(Some(1.0), Some(1.0)); 100]).status,
        Status::Met
    );
}

/// `n` flawless pairs and `missing` without a score of the candidate.
fn lacking(n: usize, missing: usize) -> Vec<Values> {
    (0..n + missing).map(|i| (Some(1.0), (i >= missing).then_some(1.0))).collect()
}

#[test]
fn unscored_cases_count_against_a_candidate_that_would_be_met() {
    let find = |margin: &str, n, missing| {
        find(MetricKind::Binary, &format!("require = \"non-inferior\"\nmargin = {margin}"), &lacking(n, missing))
    };
    let holds = find("0.05", 200, 2);
    assert_eq!(holds.status, Status::Met);
    assert!(
        holds.sentence.ends_with("It holds with the 2 unscored cases counted against the candidate, too."),
        "{}",
        holds.sentence
    );
    let turns = find("0.02", 200, 2);
    assert_eq!((turns.status, find("0.02", 200, 0).status), (Status::Unproven, Status::Met));
    assert!(
        turns.sentence.ends_with(
            "Not proven: `c0`, `c1` could not be scored on one side or both, and there is no proof with them counted against \
             the candidate."
        ),
        "{}",
        turns.sentence
    );
    assert_eq!((find("0.25", 49, 1).status, find("0.25", 48, 1).status), (Status::Met, Status::Unproven), "2 %");
}

#[test]
fn unscored_cases_count_for_a_candidate_that_would_be_violated() {
    let find = |lost: usize, missing: usize| {
        let pairs: Vec<_> = (0..100 + missing)
            .map(|i| match i {
                i if i >= 100 => (Some(0.0), None),
                i => (Some(f64::from(u8::from(i < 60))), Some(f64::from(u8::from((lost..60).contains(&i))))),
            })
            .collect();
        find(MetricKind::Binary, "require = \"non-inferior\"\nmargin = 0.05", &pairs)
    };
    assert_eq!((find(11, 0).status, find(11, 4).status), (Status::Violated, Status::Unproven));
    let both = find(30, 4);
    assert_eq!(both.status, Status::Violated);
    assert!(
        both.sentence.ends_with("It is violated with the 4 unscored cases counted for the candidate, too."),
        "{}",
        both.sentence
    );
}

#[test]
fn unscored_cases_count_on_levels_too() {
    let at = |rule: &str, value: f64, missing: usize| {
        let pairs: Vec<_> = (0..200).map(|i| (Some(value), (i >= missing).then_some(value))).collect();
        find(MetricKind::Binary, rule, &pairs).status
    };
    assert_eq!(
        [0, 2, 5].map(|n| at("require = \"at-least\"\nlimit = 0.95", 1.0, n)),
        [Status::Met, Status::Met, Status::Unproven]
    );
    assert_eq!([0, 2].map(|n| at("require = \"at-least\"\nlimit = 0.98", 1.0, n)), [Status::Met, Status::Unproven]);
    assert_eq!([0, 2].map(|n| at("require = \"at-most\"\nlimit = 0.02", 0.0, n)), [Status::Met, Status::Unproven]);
    assert_eq!(
        [0, 190].map(|n| at("require = \"at-least\"\nlimit = 0.8", 0.0, n)),
        [Status::Violated, Status::Unproven]
    );
    // What was never observed might have been in the answer that was not scored, and was not observed for that.
    assert_eq!(
        [0, 1].map(|missing| {
            let pairs: Vec<_> = (0..400).map(|i| (Some(0.0), (i >= missing).then_some(0.0))).collect();
            find(MetricKind::Event, "require = \"none-observed\"\nmax-rate = 0.05", &pairs).status
        }),
        [Status::Met, Status::Unproven]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Another case with the worst that the candidate can do never makes a finding better, under any rule on scores, where there were
    /// enough cases for one.
    #[test]
    fn a_worst_case_never_helps(
        steps in proptest::collection::vec((0u8..5, 0u8..6), 30..120),
        rule in prop_oneof![
            Just("require = \"superior\""),
            Just("require = \"superior\"\nby = 0.1\nmax-severe = 0.2"),
            Just("require = \"non-inferior\"\nmargin = 0.1"),
            Just("require = \"non-inferior\"\nmargin = 0.3\nmax-severe = 0.1"),
            Just("require = \"at-least\"\nlimit = 0.4"),
        ],
        lacks in any::<bool>(),
    ) {
        let mut pairs: Vec<Values> = steps
            .iter()
            .map(|(b, c)| {
                let b = f64::from(*b) / 4.0;
                let c = match c {
                    5 => 0.0,
                    4 => 1.0,
                    _ => b,
                };
                (Some(b), Some(c))
            })
            .collect();
        let before = find(MetricKind::Bounded, rule, &pairs).status;
        pairs.push((Some(1.0), if lacks { None } else { Some(0.0) }));
        let after = find(MetricKind::Bounded, rule, &pairs).status;
        // An unscored case may make a violation doubtful, and nothing met.
        prop_assert!(after <= before || lacks && after == Status::Unproven, "{before:?} {after:?}");
    }
}
