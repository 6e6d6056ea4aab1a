//! Laws that the comparison and the gate must obey on random samples, whatever the method behind them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod samples;

use goldgate::compare::{Answer, Comparison, no_worse};
use goldgate::gate::{Decision, Status};
use goldgate::score::Sample;
use goldgate::types::{CaseId, Direction, MetricKind, SplitMix64};
use proptest::prelude::*;
use samples::{ALPHA, compared, judged, metric, non_inferior, paired, sample, target};

const KINDS: [MetricKind; 5] =
    [MetricKind::Binary, MetricKind::Bounded, MetricKind::Event, MetricKind::Duration, MetricKind::Count];
const SHARES: [MetricKind; 3] = [MetricKind::Binary, MetricKind::Bounded, MetricKind::Event];

/// A kind, and values of baseline and candidate that it can have.
fn data(
    kinds: &'static [MetricKind],
    cases: std::ops::Range<usize>,
) -> impl Strategy<Value = (MetricKind, Vec<(f64, f64)>)> {
    (prop::sample::select(kinds), proptest::collection::vec((0..=8u8, 0..=8u8), cases)).prop_map(|(kind, raw)| {
        let value = |x: u8| match kind {
            // Five right of nine, with ties enough.
            MetricKind::Binary | MetricKind::Event => f64::from(u8::from(x < 5)),
            MetricKind::Bounded => f64::from(x) / 8.0,
            MetricKind::Duration => 0.1 + f64::from(x) / 7.0,
            MetricKind::Count => f64::from(x) + 1.0,
        };
        (kind, raw.into_iter().map(|(b, c)| (value(b), value(c))).collect())
    })
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-7 * (1.0 + a.abs().max(b.abs()))
}

fn same(a: &Comparison, b: &Comparison) -> bool {
    near(a.change, b.change)
        && near(a.interval.lower(), b.interval.lower())
        && near(a.interval.upper(), b.interval.upper())
        && a.p_better.is_some() == b.p_better.is_some()
        && near(a.p_better.unwrap_or(0.0), b.p_better.unwrap_or(0.0))
        && (a.pairs, a.clusters) == (b.pairs, b.clusters)
}

/// The same answers with the roles exchanged.
fn swapped(samples: &[Sample]) -> Vec<Sample> {
    let other = |s: &Sample| if s.target == target("base") { target("cand") } else { target("base") };
    samples.iter().map(|s| Sample { target: other(s), ..s.clone() }).collect()
}

fn status(samples: &[Sample], kind: MetricKind, rule: &str) -> Status {
    judged(samples, kind, rule).findings()[0].status
}

fn equivalent(margin: f64) -> String {
    format!("require = \"equivalent\"\nmargin = {margin:?}")
}

fn superior(by: f64) -> String {
    format!("require = \"superior\"\nby = {by:?}")
}

/// Sizes of clusters, in turn: independent cases, families of one size, and uneven ones.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        (2..6usize).prop_map(|k| vec![k]),
        Just(vec![1, 2, 4, 8]),
        proptest::collection::vec(1..7usize, 2..6)
    ]
}

/// Samples of both targets from `(baseline, candidate)` values, in clusters of these sizes in turn.
fn families(values: &[(f64, f64)], sizes: &[usize]) -> Vec<Sample> {
    let clusters = sizes.iter().cycle().enumerate().flat_map(|(cluster, size)| std::iter::repeat_n(cluster, *size));
    let both = |((i, (b, c)), cluster): ((usize, &(f64, f64)), usize)| {
        [sample(i, cluster, "base", Some(*b)), sample(i, cluster, "cand", Some(*c))]
    };
    values.iter().enumerate().zip(clusters).flat_map(both).collect()
}

/// That the second samples show no more for the candidate than the first, neither by a limit or a p value nor by a finding.
fn never_better(before: &[Sample], after: &[Sample], kind: MetricKind, margin: f64) -> Result<(), TestCaseError> {
    let (own, worse) = (compared(before, kind).unwrap(), compared(after, kind).unwrap());
    prop_assert!(worse.gain() <= own.gain() + 1e-12);
    prop_assert!(worse.gain_interval().lower() <= own.gain_interval().lower() + 1e-7, "{own:?} {worse:?}");
    prop_assert!(worse.gain_interval().upper() <= own.gain_interval().upper() + 1e-7, "{own:?} {worse:?}");
    prop_assert!(worse.p_better.unwrap() >= own.p_better.unwrap() - 1e-7, "{own:?} {worse:?}");
    for rule in [non_inferior(margin), superior(0.0), superior(margin)] {
        prop_assert!(status(after, kind, &rule) <= status(before, kind, &rule), "{rule}: {own:?} {worse:?}");
    }
    prop_assert!(
        no_worse(&worse, margin, ALPHA).answer != Answer::Yes || no_worse(&own, margin, ALPHA).answer == Answer::Yes
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn swapping_roles_mirrors_intervals_and_findings((kind, values) in data(&KINDS, 2..60), size in 1..4usize, margin in 0.01..0.5f64) {
        let own = paired(&values, size);
        let turned = swapped(&own);
        match (compared(&own, kind), compared(&turned, kind)) {
            (Ok(a), Ok(b)) if metric(kind).is_share() => {
                prop_assert!(near(a.change, -b.change));
                prop_assert!(near(a.interval.lower(), -b.interval.upper()) && near(a.interval.upper(), -b.interval.lower()));
                prop_assert_eq!(a.flips.map(|f| (f.gained, f.lost)), b.flips.map(|f| (f.lost, f.gained)));
                // One test, asked from both sides.
                prop_assert!(a.p_better.unwrap() + b.p_better.unwrap() >= 1.0 - 1e-6);
            }
            (Ok(a), Ok(b)) => {
                // A ratio against its inverse; a count whose baseline is near nothing has a ratio without an upper limit.
                prop_assert!(near((1.0 + a.change) * (1.0 + b.change), 1.0));
                if a.interval.upper().is_finite() && b.interval.upper().is_finite() && a.interval.lower() > -1.0 {
                    prop_assert!(near((1.0 + a.interval.lower()) * (1.0 + b.interval.upper()), 1.0), "{a:?} {b:?}");
                }
            }
            // A ratio is not estimable where its denominator cannot be told from 0; the inverse ratio then cannot, either.
            (Ok(c), Err(e)) | (Err(e), Ok(c)) => {
                prop_assert!(metric(kind).kind == MetricKind::Count && c.interval.lower() <= -1.0, "{c:?} {e}");
            }
            (Err(_), Err(_)) => {}
        }
        if metric(kind).is_share() {
            prop_assert_eq!(status(&own, kind, &equivalent(margin)), status(&turned, kind, &equivalent(margin)));
            if status(&own, kind, &superior(margin)) == Status::Met {
                prop_assert_eq!(status(&turned, kind, &superior(0.0)), Status::Violated);
                prop_assert_eq!(status(&turned, kind, &non_inferior(margin)), Status::Violated);
            }
        }
    }

    #[test]
    fn neither_the_order_nor_the_names_of_cases_matter((kind, values) in data(&KINDS, 2..50), size in 1..4usize, seed: u64) {
        let own = paired(&values, size);
        let mut shuffled = own.clone();
        SplitMix64::new(seed).shuffle(&mut shuffled);
        let mut names: Vec<usize> = (0..values.len()).collect();
        SplitMix64::new(seed).shuffle(&mut names);
        let renamed: Vec<Sample> = own
            .iter()
            .enumerate()
            .map(|(i, s)| Sample { case: CaseId::new(&format!("n{:05}", names[i / 2])).unwrap(), ..s.clone() })
            .collect();
        for other in [&shuffled, &renamed] {
            match (compared(&own, kind), compared(other, kind)) {
                (Ok(a), Ok(b)) => prop_assert!(same(&a, &b), "{a:?} {b:?}"),
                (a, b) => prop_assert_eq!(a.is_err(), b.is_err()),
            }
        }
        // The findings of the same samples in another order are the same to the last word.
        let rule = non_inferior(0.2);
        prop_assert_eq!(judged(&own, kind, &rule), judged(&shuffled, kind, &rule));
    }

    /// As further cases of the same cluster.
    #[test]
    fn asking_every_question_again_in_its_cluster_is_no_new_evidence((kind, values) in data(&KINDS, 3..40), size in 1..5usize, copies in 2..4usize) {
        let own = paired(&values, size);
        let more: Vec<Sample> = (0..copies)
            .flat_map(|k| own.iter().map(move |s| (k, s)))
            .map(|(k, s)| Sample { case: CaseId::new(&format!("{}.{k}", s.case)).unwrap(), ..s.clone() })
            .collect();
        // One document is one unit: there is nothing to compare it with.
        prop_assume!(values.len() > size);
        match (compared(&own, kind), compared(&more, kind)) {
            (Ok(once), Ok(again)) => {
                prop_assert!(near(once.change, again.change) && once.clusters == again.clusters);
                prop_assert!(again.interval.lower() <= once.interval.lower() + 1e-7, "{once:?} {again:?}");
                prop_assert!(again.interval.upper() >= once.interval.upper() - 1e-7, "{once:?} {again:?}");
            }
            (a, b) => prop_assert!(b.is_err(), "copies make comparable what was not: {a:?}"),
        }
    }

    #[test]
    fn what_is_no_number_is_no_verdict((kind, values) in data(&KINDS, 10..80), at: prop::sample::Index, bad in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY])) {
        let mut samples = paired(&values, 1);
        let at = at.index(samples.len());
        // A single unscored case of many counts at its worst: a claim that holds even then may be made.
        let at_worst = |rule: &str| {
            let (best, worst) = if metric(kind).direction == Direction::Higher { (1.0, 0.0) } else { (0.0, 1.0) };
            let mut samples = samples.clone();
            samples[at].scores[0].value = Some(if samples[at].target.as_str() == "base" { best } else { worst });
            metric(kind).is_share() && status(&samples, kind, rule) == Status::Met
        };
        let excused: Vec<_> = [superior(0.0), non_inferior(0.3), non_inferior(0.4), equivalent(0.4)]
            .into_iter()
            .filter(|rule| at_worst(rule))
            .collect();
        samples[at].scores[0].value = Some(bad);
        if let Ok(c) = compared(&samples, kind) {
            prop_assert_eq!(&c.unscored, &vec![samples[at].case.clone()]);
            prop_assert!(c.change.is_finite() && !c.interval.lower().is_nan() && !c.interval.upper().is_nan());
            prop_assert!(c.p_better.is_none_or(|p| (0.0..=1.0).contains(&p)));
            prop_assert!(no_worse(&c, 0.3, ALPHA).answer != Answer::Yes || excused.contains(&non_inferior(0.3)));
        }
        for rule in [superior(0.0), non_inferior(0.4), equivalent(0.4)] {
            let v = judged(&samples, kind, &rule);
            let excused = excused.contains(&rule);
            prop_assert!(v.findings()[0].status != Status::Met || excused, "{}", v.sentence());
            prop_assert!(v.decision() != Decision::Promote || excused);
        }
    }

    #[test]
    fn a_larger_margin_never_takes_a_met_criterion_away((kind, values) in data(&KINDS, 2..80), size in 1..3usize, a in 0.001..0.5f64, b in 0.001..0.5f64) {
        let samples = paired(&values, size);
        let (small, large) = (a.min(b), a.max(b));
        for rule in [non_inferior, equivalent] {
            let (tight, loose) = (status(&samples, kind, &rule(small)), status(&samples, kind, &rule(large)));
            // Violated < unproven < met.
            prop_assert!(loose >= tight, "{tight:?} at {small}, {loose:?} at {large}");
        }
        let (modest, bold) = (status(&samples, kind, &superior(small)), status(&samples, kind, &superior(large)));
        prop_assert!(modest >= bold, "{modest:?} at {small}, {bold:?} at {large}");
        if let Ok(c) = compared(&samples, kind) {
            let yes = |margin| no_worse(&c, margin, ALPHA).answer == Answer::Yes;
            prop_assert!(yes(large) || !yes(small));
        }
    }

    /// What was proven better is refuted with the roles exchanged: by a superior that was met, the loss beyond the margin is.
    #[test]
    fn what_is_proven_better_is_refuted_the_other_way(
        kind in prop::sample::select(&SHARES[..]), gains in 45..60usize, losses in 0..4usize, size in 1..4usize, margin in 0.01..0.2f64,
    ) {
        let (best, worst) = if metric(kind).direction == Direction::Higher { (1.0, 0.0) } else { (0.0, 1.0) };
        let values: Vec<_> = (0..90).map(|i| match i {
            i if i < gains => (worst, best),
            i if i < gains + losses => (best, worst),
            _ => (best, best),
        }).collect();
        let own = paired(&values, size);
        prop_assert_eq!(status(&own, kind, &superior(margin)), Status::Met);
        let turned = swapped(&own);
        prop_assert_eq!(status(&turned, kind, &superior(0.0)), Status::Violated);
        prop_assert_eq!(status(&turned, kind, &non_inferior(margin)), Status::Violated);
        prop_assert_eq!(status(&turned, kind, &equivalent(margin)), Status::Violated);
    }

    /// A new case, in a cluster of its own or, where cases share clusters, in one that there is. Of independent cases it never helps; a suite
    /// of clusters becomes another suite by it, and then a lost case never shows more than an unchanged one would have. From sixty cases on,
    /// so that the new one does not lift a suite over the least number of cases.
    #[test]
    fn a_new_worst_case_never_helps((kind, values) in data(&SHARES, 60..120), sizes in sizes(), inside: bool, margin in 0.05..0.5f64) {
        let own = families(&values, &sizes);
        let alone = sizes == [1];
        let (best, worst) = if metric(kind).direction == Direction::Higher { (1.0, 0.0) } else { (0.0, 1.0) };
        let cluster = if inside && !alone { 0 } else { 90_000 };
        let with = |value| {
            let mut more = own.clone();
            more.extend([sample(90_000, cluster, "base", Some(best)), sample(90_000, cluster, "cand", Some(value))]);
            more
        };
        let (before, after) = (if alone { own.clone() } else { with(best) }, with(worst));
        never_better(&before, &after, kind, margin)?;
    }

    #[test]
    fn an_answer_turned_to_the_worst_never_helps((kind, values) in data(&SHARES, 10..120), sizes in sizes(), at: prop::sample::Index, margin in 0.05..0.5f64) {
        let mut worse = values.clone();
        worse[at.index(values.len())].1 = if metric(kind).direction == Direction::Higher { 0.0 } else { 1.0 };
        never_better(&families(&values, &sizes), &families(&worse, &sizes), kind, margin)?;
    }

    /// The same where little changes: about as many discordant clusters as take the floor of the design effect away.
    #[test]
    fn nor_does_it_where_few_clusters_differ(
        kind in prop::sample::select(vec![MetricKind::Binary, MetricKind::Event]), sizes in sizes(), every in 3..9usize, whole: bool,
        lost in 15..23usize, gained in 0..3usize, at: prop::sample::Index, margin in 0.02..0.3f64,
    ) {
        let (best, worst) = if metric(kind).direction == Direction::Higher { (1.0, 0.0) } else { (0.0, 1.0) };
        let mut values = vec![(best, best); 30 * every];
        for i in 0..lost {
            for k in 0..if whole { every.min(3) } else { 1 } {
                values[i * every + k] = if i < gained { (worst, best) } else { (best, worst) };
            }
        }
        let mut worse = values.clone();
        worse[at.index(values.len())].1 = worst;
        never_better(&families(&values, &sizes), &families(&worse, &sizes), kind, margin)?;
    }
}
