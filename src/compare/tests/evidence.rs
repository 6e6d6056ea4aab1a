//! What the method records, and what stands beside an interval: repeats, severe changes, tails, p values of counts.

use super::*;
use crate::compare::paired::clustered_fallbacks;
use crate::stats::{self, ClusterCounts};
use proptest::prelude::*;

/// Repeats of one case: values of the baseline and of the candidate, each numbered from 0.
fn repeated(case: usize, base: &[f64], cand: &[f64]) -> Vec<Sample> {
    let side = |who: &'static str, values: &[f64]| {
        let numbered = values.iter().zip(0..);
        numbered.map(move |(v, repeat)| Sample { repeat, ..sample(case, case, who, Some(*v)) }).collect::<Vec<_>>()
    };
    [side("base", base), side("cand", cand)].concat()
}

fn of(values: &[(f64, f64)], kind: MetricKind) -> Comparison {
    run(&paired(values, 1), kind).unwrap()
}

fn answer(c: &Comparison, margin: f64) -> Answer {
    no_worse(c, margin, 0.05).answer
}

#[test]
fn repeats_of_a_binary_metric_are_pairs_within_their_case() {
    let samples: Vec<_> = (0..60)
        .flat_map(|i| repeated(i, &[1.0, 1.0, f64::from(i % 2 == 0)], &[1.0, f64::from(i % 3 != 0), 1.0]))
        .collect();
    let c = run(&samples, MetricKind::Binary).unwrap();
    assert_eq!((c.pairs, c.clusters, c.flips), (60, 60, None));
    assert_eq!(c.method.name, "Tango score interval, scaled by the design effect");
    assert!(c.method.why.starts_with("3 completions of each case as pairs in 60 clusters"), "{}", c.method.why);
    // Thirty of 180 completions gained, twenty lost.
    assert!((c.change - 10.0 / 180.0).abs() < 1e-12);
    assert_eq!(c.method.fallbacks, Vec::<String>::new());
}

#[test]
fn repeats_that_form_no_pairs_take_the_bound_of_scores_and_say_so() {
    let samples: Vec<_> = (0..60).flat_map(|i| repeated(i, &[1.0], &[1.0, f64::from(i != 7)])).collect();
    let c = run(&samples, MetricKind::Binary).unwrap();
    assert_eq!((c.method.name.as_str(), c.pairs, c.clusters), ("Gaffke bound", 60, 60));
    assert!(c.method.fallbacks[0].contains("same repeats on both sides"), "{:?}", c.method);
}

/// Dropped errors, one level down: of the answers to a case, those that failed are left out of the file.
#[test]
fn a_repeat_that_is_missing_is_missing() {
    for kind in [MetricKind::Binary, MetricKind::Bounded] {
        let samples: Vec<_> =
            (0..100).flat_map(|i| repeated(i, &[1.0; 4], if i % 2 == 0 { &[1.0; 4] } else { &[1.0; 2] })).collect();
        let c = run(&samples, kind).unwrap();
        assert_eq!((c.pairs, c.unscored.len()), (50, 50), "{kind:?}");
        assert_eq!(answer(&c, 0.1), Answer::Unproven, "{kind:?}");
        // So it is in a ranking: half of the cases lack a score.
        let metric = metric(kind);
        let gathered = gather::Gathered::new(samples.iter(), [&metric.name]);
        let matrix = matrix::Matrix::new(&gathered, &metric, &target("base"), &[target("cand")]);
        assert_eq!((matrix.targets, matrix.unranked), (vec![target("base")], vec![target("cand")]), "{kind:?}");
    }
}

#[test]
fn more_repeats_are_no_more_cases_for_a_margin() {
    let clean = |cases: usize, repeats: usize| {
        let samples: Vec<_> = (0..cases).flat_map(|i| repeated(i, &vec![1.0; repeats], &vec![1.0; repeats])).collect();
        no_worse(&run(&samples, MetricKind::Binary).unwrap(), 0.05, 0.05)
    };
    let few = clean(58, 4);
    assert_eq!(few.answer, Answer::Unproven, "232 completions of 58 cases");
    assert!(few.why.unwrap().contains("58 independent cases are too few for this margin: at least 59"));
    assert_eq!(clean(59, 4).answer, Answer::Yes);
}

#[test]
fn the_floor_of_the_design_effect_is_a_recorded_fallback() {
    let changed = |clusters: usize| {
        let values: Vec<_> = (0..400).map(|i| (1.0, f64::from(i % 4 != 0 || i / 4 >= clusters))).collect();
        run(&paired(&values, 4), MetricKind::Binary).unwrap().method.fallbacks
    };
    let floored = changed(19);
    assert!(floored[0].contains("few clusters hold a changed pair (19)"), "{floored:?}");
    assert_eq!(changed(20), Vec::<String>::new());
}

#[test]
fn a_search_that_was_cut_short_is_a_recorded_fallback() {
    let one = |i: u64| ClusterCounts { gained: i % 7, lost: i % 11, pairs: 20 + i };
    let tango = stats::tango_clustered(&(0..60).map(one).collect::<Vec<_>>()).unwrap();
    assert_eq!(clustered_fallbacks(&tango, true), Vec::<String>::new());
    let cut = clustered_fallbacks(&tango, false);
    assert!(cut.len() == 1 && cut[0].contains("the interval is wider than it need be"), "{cut:?}");
}

#[test]
fn one_cluster_has_no_design_effect_and_its_bound_says_next_to_nothing() {
    let c = run(&paired(&[(1.0, 1.0); 40], 40), MetricKind::Binary).unwrap();
    assert!(c.method.fallbacks[0].contains("no design effect"), "{:?}", c.method);
    assert!(c.clusters == 1 && c.interval.lower() < -0.9, "{:?}", c.interval);
}

#[test]
fn a_binary_metric_of_something_between_is_refused() {
    let e = run(&paired(&[(1.0, 0.5); 40], 1), MetricKind::Binary).unwrap_err();
    assert_eq!(e.to_string(), "`m` is 0 or 1, and a case has 0.5");
}

#[test]
fn half_the_scale_is_severe_and_less_is_not() {
    let mut values = vec![(0.5, 0.5); 40];
    // 0.7 - 0.2 is below one half in binary digits.
    values.extend([(0.7, 0.2), (0.7, 0.21), (0.0, 0.5), (0.0, 0.49)]);
    let severe = of(&values, MetricKind::Bounded).severe.unwrap();
    assert_eq!((severe.lost, severe.gained), (1, 1));
    assert_eq!(severe.lost_cases.iter().map(CaseId::as_str).collect::<Vec<_>>(), ["c0040"]);
    // A cluster is hit by any of its cases.
    let clustered = run(&paired(&values, 4), MetricKind::Bounded).unwrap().severe.unwrap();
    assert!((clustered.rate - 1.0 / 11.0).abs() < 1e-12 && (severe.rate - 1.0 / 44.0).abs() < 1e-12);
    assert_eq!(of(&[(1.0, 0.0); 40], MetricKind::Binary).severe, None);
}

/// `n` cases of which a share of one in `every` falls from 1 to 0, while the others gain what that costs the mean.
fn disasters(n: usize, every: usize) -> Vec<(f64, f64)> {
    let gain = 1.0 / (every as f64 - 1.0);
    (0..n).map(|i| if i % every == 0 { (1.0, 0.0) } else { (0.5, 0.5 + gain) }).collect()
}

#[test]
fn a_mean_that_hides_disasters_is_not_met() {
    let c = of(&disasters(600, 20), MetricKind::Bounded);
    assert!(c.change.abs() < 1e-12 && c.gain_interval().lower() > -0.03, "the mean alone would be a yes: {c:?}");
    let claim = no_worse(&c, 0.03, 0.05);
    assert_eq!(claim.answer, Answer::Unproven);
    let why = claim.why.unwrap();
    assert!(why.starts_with("30 cases (`c0000`, `c0020`, `c0040` and 27 more) lost half the scale or more"), "{why}");
    // One in a hundred could not spend the margin.
    assert_eq!(answer(&of(&disasters(600, 100), MetricKind::Bounded), 0.03), Answer::Yes);
    // Nor may equivalence be claimed, whichever way the disasters go.
    let turned: Vec<_> = disasters(600, 20).into_iter().map(|(b, c)| (c, b)).collect();
    for values in [disasters(600, 20), turned] {
        let c = of(&values, MetricKind::Bounded);
        let within = hold(&c, |numbers| lies_within(numbers, 0.03));
        assert!(within.answer == Answer::Unproven && within.why.is_some(), "{within:?}");
    }
}

#[test]
fn churn_that_balances_costs_no_more_than_it_costs_the_mean() {
    // An A/A run: every tenth case swings by more than half the scale, as often up as down.
    let values: Vec<_> = (0..600)
        .map(|i| match i % 20 {
            0 => (0.8, 0.2),
            10 => (0.2, 0.8),
            _ => (0.5, 0.5),
        })
        .collect();
    let c = of(&values, MetricKind::Bounded);
    for margin in [0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.3] {
        let mean_alone = c.gain_interval().lower() > -margin && too_small(&c, margin, 0.05).is_none();
        assert_eq!(answer(&c, margin) == Answer::Yes, mean_alone, "{margin}");
    }
    assert_eq!((answer(&c, 0.01), answer(&c, 0.03)), (Answer::Unproven, Answer::Yes), "both happen");
}

#[test]
fn swapping_roles_turns_the_severe_changes_around() {
    let values: Vec<_> =
        (0..80).map(|i| (f64::from(i % 7) / 7.0, if i % 9 == 0 { 1.0 } else { f64::from(i % 5) / 5.0 })).collect();
    let swapped: Vec<_> = values.iter().map(|(b, c)| (*c, *b)).collect();
    for size in [1, 4] {
        let there = run(&paired(&values, size), MetricKind::Bounded).unwrap().severe.unwrap();
        let back = run(&paired(&swapped, size), MetricKind::Bounded).unwrap().severe.unwrap();
        assert!(there.gained > 0 && there.lost > 0, "{there:?}");
        assert_eq!((there.lost, there.gained), (back.gained, back.lost));
        assert!((there.net + back.net).abs() < 1e-12);
        assert!((there.net_interval.lower() + back.net_interval.upper()).abs() < 1e-9);
    }
}

#[test]
fn the_order_of_the_samples_changes_nothing() {
    let mut samples: Vec<_> =
        (0..40).flat_map(|i| repeated(i, &[0.1, 0.7, 0.3], &[0.9, 0.2, f64::from(i % 3 == 0)])).collect();
    samples.push(sample(90, 90, "base", Some(1.0)));
    samples.push(sample(90, 90, "cand", None));
    let there = run(&samples, MetricKind::Bounded).unwrap();
    samples.reverse();
    assert_eq!(run(&samples, MetricKind::Bounded).unwrap(), there);
    samples.sort_by_key(|s| (s.repeat, s.case.clone()));
    assert_eq!(run(&samples, MetricKind::Bounded).unwrap(), there);
}

#[test]
fn the_p_value_of_counts_and_their_interval_agree_at_half_the_level() {
    let mut said = Vec::new();
    for saved in 0..12 {
        let values: Vec<_> =
            (0..60).map(|i| (100.0 + f64::from(i * 7 % 31), 115.0 + f64::from(i * 11 % 29 - 3 * saved))).collect();
        let c = of(&values, MetricKind::Count);
        assert!((c.interval.level() - 0.95).abs() < 1e-12);
        assert_eq!(c.p_better.unwrap() <= 0.025, c.interval.upper() <= 0.0, "{c:?}");
        said.push(c.p_better.unwrap() <= 0.025);
        // With the roles turned the candidate is the worse by as much.
        let swapped: Vec<_> = values.iter().map(|(b, c)| (*c, *b)).collect();
        assert!((of(&swapped, MetricKind::Count).p_better.unwrap() + c.p_better.unwrap() - 1.0).abs() < 1e-9);
    }
    assert!(said.contains(&true) && said.contains(&false), "{said:?}");
}

#[test]
fn a_ratio_over_next_to_nothing_is_not_estimable_and_says_why() {
    let e = run(&paired(&[(0.0, 4.0), (10.0, 5.0)], 1), MetricKind::Count).unwrap_err().to_string();
    assert!(e.starts_with("not estimable: the baseline's counts vary so much between 2 clusters"), "{e}");
}

/// `n` pairs of times with a slow tail, the candidate's a third shorter.
fn times(n: u32) -> Vec<(f64, f64)> {
    (0..n).map(|i| (1.0 + f64::from(i * 7919 % n) / 50.0, (1.0 + f64::from(i * 104_729 % n) / 50.0) / 1.5)).collect()
}

#[test]
fn tails_are_shown_from_the_case_on_that_makes_them_estimable() {
    let tails = |n| of(&times(n), MetricKind::Duration).tails;
    let few = tails(58);
    assert_eq!(few.iter().map(|t| (t.quantile, t.need)).collect::<Vec<_>>(), [(0.95, 59), (0.99, 299)]);
    assert_eq!(few[0].why.as_deref(), Some("not estimable: 58 of 59 independent cases"));
    assert!(tails(59)[0].found.is_some() && tails(298)[1].found.is_none());
    let p99 = tails(299)[1].found.unwrap();
    assert!((p99.change + 1.0 / 3.0).abs() < 0.02, "{p99:?}");
    assert!(p99.interval.lower() < p99.change && p99.change < p99.interval.upper());
    // Of clusters, the first case of each.
    let together = run(&paired(&times(240), 2), MetricKind::Duration).unwrap();
    let firsts: Vec<_> = times(240).into_iter().step_by(2).collect();
    assert_eq!(together.tails, of(&firsts, MetricKind::Duration).tails);
    assert_eq!(together.tails[1].why.as_deref(), Some("not estimable: 120 of 299 independent cases"));
    // Of repeats, the first of each, if both sides have it.
    let slower = |x: f64| [x, 2.0 * x];
    let twice: Vec<_> =
        times(60).iter().enumerate().flat_map(|(i, (b, c))| repeated(i, &slower(*b), &slower(*c))).collect();
    assert_eq!(run(&twice, MetricKind::Duration).unwrap().tails, tails(60));
    let odd: Vec<_> = times(60).iter().enumerate().flat_map(|(i, (b, c))| repeated(i, &slower(*b), &[*c])).collect();
    let odd = run(&odd, MetricKind::Duration).unwrap().tails;
    assert!(odd[0].found.is_none() && odd[0].why.as_ref().unwrap().contains("other repeats"), "{odd:?}");
    assert_eq!(of(&times(60), MetricKind::Count).tails, Vec::new());
}

#[test]
fn swapping_roles_inverts_a_tail() {
    let swapped: Vec<_> = times(300).iter().map(|(b, c)| (*c, *b)).collect();
    let there = of(&times(300), MetricKind::Duration).tails[0].found.unwrap();
    let back = of(&swapped, MetricKind::Duration).tails[0].found.unwrap();
    assert!(((1.0 + there.change) * (1.0 + back.change) - 1.0).abs() < 1e-9);
    assert!(((1.0 + there.interval.lower()) * (1.0 + back.interval.upper()) - 1.0).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Another case, with the worst that the candidate can do, never makes an answer better; a larger margin never makes one worse.
    #[test]
    fn a_worst_case_never_helps_and_a_larger_margin_never_hurts(
        steps in proptest::collection::vec((0u8..5, 0u8..5), 8..120),
        kind in prop_oneof![Just(MetricKind::Binary), Just(MetricKind::Bounded), Just(MetricKind::Event)],
    ) {
        let rank = |a: Answer| match a {
            Answer::No => 0,
            Answer::Unproven => 1,
            Answer::Yes => 2,
        };
        // Mostly equal pairs, so that there are answers of all kinds.
        let on_scale = |x: u8| if kind == MetricKind::Bounded { f64::from(x) / 4.0 } else { f64::from(x > 2) };
        let mut values: Vec<_> = steps.iter().map(|(b, c)| (on_scale(*b), on_scale(if *c == 4 { 0 } else { *b }))).collect();
        let before = of(&values, kind);
        values.push(if kind == MetricKind::Event { (0.0, 1.0) } else { (1.0, 0.0) });
        let after = of(&values, kind);
        let mut last = [0, 0];
        for margin in [0.01, 0.03, 0.06, 0.1, 0.2, 0.35, 0.5] {
            let now = [rank(answer(&before, margin)), rank(answer(&after, margin))];
            // Below the least number of cases there is no answer to compare with, whatever the data.
            if too_few(before.clusters).or(too_small(&before, margin, 0.05)).is_none() {
                prop_assert!(now[1] <= now[0], "{margin}: {now:?}");
            }
            prop_assert!(now[0] >= last[0] && now[1] >= last[1], "{margin}: {last:?} {now:?}");
            last = now;
        }
    }
}

/// Where nothing has changed the design effect is the whole size of a cluster, and the first loss takes it down: that is no proof.
#[test]
fn the_first_loss_in_a_clustered_suite_makes_no_proof() {
    let sizes = [1, 2, 4, 8, 16];
    let suite = |lost: usize| {
        let clusters = (0..65).flat_map(|g| (0..sizes[g % 5]).map(move |i| (g, i)));
        let each = clusters.enumerate().flat_map(|(case, (g, i))| {
            let right = f64::from(i > 0 || g % 5 > 0 || g / 5 >= lost);
            [sample(case, g, "base", Some(1.0)), sample(case, g, "cand", Some(right))]
        });
        run(&each.collect::<Vec<_>>(), MetricKind::Binary).unwrap()
    };
    for lost in 0..5 {
        let c = suite(lost);
        // The lower limit says so by itself as long as nothing was gained.
        assert!(c.interval.lower() <= -c.unchanged_reach.unwrap(), "{lost} lost: {:?}", c.interval);
        assert_eq!(c.clusters, 65);
        assert!((c.unchanged_reach.unwrap() - 0.0722).abs() < 1e-3, "{:?}", c.unchanged_reach);
        assert_eq!(answer(&c, 0.05), Answer::Unproven, "{lost} lost: {:?}", c.interval);
        assert_eq!(answer(&c, 0.08), Answer::Yes, "{lost} lost");
    }
}

/// What the interval does not say by itself: gains lift its lower limit over what the clean record reaches, and are no proof of a margin
/// below it, either.
#[test]
fn gains_prove_no_margin_that_a_clean_record_does_not() {
    let values: Vec<_> = (0..400).map(|i| (f64::from(i % 20 != 0 || i >= 200), 1.0)).collect();
    let c = run(&paired(&values, 5), MetricKind::Binary).unwrap();
    let reach = c.unchanged_reach.unwrap();
    assert!(c.interval.lower() > -0.5 * reach, "{:?} {reach}", c.interval);
    for margin in [0.6 * reach, 0.9 * reach] {
        assert_eq!((answer(&c, margin), too_few(c.clusters)), (Answer::Unproven, None), "{margin}");
    }
    assert_eq!(answer(&c, 0.05), Answer::Yes);
}
