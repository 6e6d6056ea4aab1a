//! Many candidates: what the ranking says, and what choosing the best of them does to a claim.

use crate::compare::gather::Gathered;
use crate::compare::select::Parts;
use crate::compare::*;
use crate::score::{Sample, Score};
use crate::types::{
    CaseId, ClusterName, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, SplitMix64, TargetName,
    Untrusted,
};
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [MetricKind; 5] =
    [MetricKind::Binary, MetricKind::Bounded, MetricKind::Event, MetricKind::Duration, MetricKind::Count];

fn metric(kind: MetricKind) -> Metric {
    let higher = matches!(kind, MetricKind::Binary | MetricKind::Bounded);
    let direction = if higher { Direction::Higher } else { Direction::Lower };
    Metric { name: MetricName::new("m").unwrap(), kind, direction }
}

fn target(name: &str) -> TargetName {
    TargetName::new(name).unwrap()
}

fn sample(case: usize, cluster: usize, who: &TargetName, value: Option<f64>) -> Sample {
    Sample {
        case: CaseId::new(&format!("c{case:04}")).unwrap(),
        cluster: ClusterName::new(&format!("g{cluster}")).unwrap(),
        slices: vec![SliceName::new(if cluster.is_multiple_of(3) { "one" } else { "two" }).unwrap()],
        target: who.clone(),
        repeat: 0,
        outcome: Outcome::Answered,
        scores: vec![Score { metric: MetricName::new("m").unwrap(), value, why: Untrusted::default() }],
    }
}

/// Scores of several targets on the same cases, and all that a request borrows.
struct Field {
    samples: Vec<Sample>,
    metrics: Vec<Metric>,
    slices: Vec<SliceName>,
    baseline: TargetName,
    candidates: Vec<TargetName>,
    margins: BTreeMap<MetricName, f64>,
}

impl Field {
    /// `value(target, case)`: target 0 is the baseline; `size` cases to a cluster.
    fn new(
        kind: MetricKind,
        targets: usize,
        cases: usize,
        size: usize,
        mut value: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let names: Vec<_> =
            (0..targets).map(|t| target(&if t == 0 { "base".to_owned() } else { format!("t{t:02}") })).collect();
        let cells = (0..cases).flat_map(|c| (0..targets).map(move |t| (c, t)));
        let samples = cells.map(|(c, t)| sample(c, c / size, &names[t], Some(value(t, c)))).collect();
        Self {
            samples,
            metrics: vec![metric(kind)],
            slices: vec![SliceName::all()],
            baseline: names[0].clone(),
            candidates: names[1..].to_vec(),
            margins: BTreeMap::new(),
        }
    }

    /// Values at random, of targets that differ a little.
    fn random(kind: MetricKind, targets: usize, cases: usize, size: usize, seed: u64) -> Self {
        let mut rng = SplitMix64::new(seed);
        Self::new(kind, targets, cases, size, |t, _| {
            let (u, lift) = (rng.unit(), t as f64 / 20.0);
            match kind {
                MetricKind::Binary | MetricKind::Event => f64::from(u < 0.4 + lift),
                MetricKind::Bounded => (u + lift).min(1.0),
                MetricKind::Duration => 0.1 + u + lift,
                MetricKind::Count => (20.0 * (u + lift)).round() + 1.0,
            }
        })
    }

    fn request(&self) -> Request<'_> {
        Request {
            asking: Asking::ALONE,
            samples: &self.samples,
            metrics: &self.metrics,
            slices: &self.slices,
            baseline: &self.baseline,
            candidates: &self.candidates,
            alpha: 0.05,
            margins: &self.margins,
            seed: 1,
        }
    }

    fn gathered(&self) -> Gathered<'_> {
        Gathered::new(self.samples.iter(), [&self.metrics[0].name])
    }

    fn rank(&self) -> Ranking {
        rank(self.request(), &self.metrics[0]).unwrap()
    }

    fn choice(&self) -> Choice<'_> {
        Choice { metric: &self.metrics[0], confirm_share: 0.5 }
    }
}

#[test]
fn a_pair_is_tested_as_its_comparison_is() {
    for (kind, size) in [
        (MetricKind::Binary, 1),
        (MetricKind::Binary, 3),
        (MetricKind::Event, 1),
        (MetricKind::Bounded, 2),
        (MetricKind::Duration, 2),
    ] {
        let field = Field::random(kind, 4, 60, size, 5);
        let metric = &field.metrics[0];
        for test in &field.rank().pairs {
            let one_sided =
                |a, b| compare(&field.samples, metric, &SliceName::all(), a, b, 0.05).unwrap().p_better.unwrap();
            let p = one_sided(&test.first, &test.second).min(one_sided(&test.second, &test.first));
            assert!((test.p.unwrap() - (2.0 * p).min(1.0)).abs() < 1e-9, "{kind:?} {size}: {test:?} {p}");
        }
    }
    // The interval of a count is at 1 - alpha: it holds no change exactly where the test at alpha finds none.
    let field = Field::random(MetricKind::Count, 6, 60, 2, 5);
    let said: Vec<bool> = field
        .rank()
        .pairs
        .iter()
        .map(|test| {
            let c = compare(&field.samples, &field.metrics[0], &SliceName::all(), &test.first, &test.second, 0.05);
            let interval = c.unwrap().interval;
            let excluded = interval.lower() > 0.0 || interval.upper() < 0.0;
            assert_eq!(test.p.unwrap() <= 0.05, excluded, "{test:?} {interval:?}");
            excluded
        })
        .collect();
    assert!(said.contains(&true) && said.contains(&false));
}

#[test]
fn repeats_are_pairs_within_their_case_and_add_no_cases() {
    let mut field = Field::random(MetricKind::Binary, 5, 80, 1, 7);
    let single = field.rank();
    let again = |repeat| field.samples.iter().cloned().map(move |s| Sample { repeat, ..s });
    let more: Vec<Sample> = (1..4).flat_map(again).collect();
    field.samples.extend(more);
    let four = field.rank();
    assert_eq!((four.cases, four.clusters), (80, 80));
    let mut seen = 0;
    for (a, b) in single.pairs.iter().zip(&four.pairs) {
        // Answers that only repeat each other say nothing new: as four times the cases, they would halve z's standard error.
        let (a, b) = (a.p.unwrap(), b.p.unwrap());
        assert!(b > 0.4 * a, "{a} {b}");
        seen += u32::from(a < 0.2);
    }
    assert!(seen > 2, "{single:?}");
    for (a, b) in single.targets.iter().zip(&four.targets) {
        assert!((a.value - b.value).abs() < 1e-12 && a.rank_interval == b.rank_interval, "{a:?} {b:?}");
    }
    // A case of which a target lacks a repeat lacks a score.
    field.samples.pop();
    let uneven = field.rank();
    assert_eq!((&uneven.method, uneven.cases, uneven.left_out.len()), (&four.method, 79, 1));
}

#[test]
fn two_targets_share_a_letter_exactly_when_their_adjusted_p_is_above_alpha() {
    let (mut together, mut apart) = (0, 0);
    for (seed, kind) in KINDS.into_iter().cycle().take(15).enumerate() {
        let ranking = Field::random(kind, 9, 80, 1 + seed % 2, seed as u64).rank();
        let groups: BTreeMap<_, _> = ranking.targets.iter().map(|t| (&t.target, &t.groups)).collect();
        assert_eq!(ranking.pairs.len(), 36);
        for test in &ranking.pairs {
            let share = groups[&test.first].iter().any(|g| groups[&test.second].contains(g));
            assert_eq!(share, test.p_holm.is_none_or(|p| p > 0.05), "{kind:?}: {test:?}");
            assert!(test.p_holm >= test.p, "{test:?}");
            if share { together += 1 } else { apart += 1 }
        }
    }
    assert!(together > 20 && apart > 20, "{together} {apart}");
}

#[test]
fn ranks_follow_the_values_and_their_intervals_hold_them() {
    for kind in KINDS {
        let field = Field::random(kind, 12, 60, 2, 9);
        let ranking = field.rank();
        assert_eq!((ranking.cases, ranking.clusters, ranking.resamples), (60, 30, 9_999));
        for pair in ranking.targets.windows(2) {
            let better = if matches!(kind, MetricKind::Binary | MetricKind::Bounded) { 1.0 } else { -1.0 };
            let by = better * (pair[0].value - pair[1].value);
            assert!(by >= -1e-12 && (by > 1e-12) == (pair[0].rank < pair[1].rank), "{kind:?}: {pair:?}");
        }
        let sum: f64 = ranking.targets.iter().map(|t| t.rank).sum();
        assert!((sum - 78.0).abs() < 1e-12, "ranks are dealt out, shared or not");
        for t in &ranking.targets {
            let i = t.rank_interval;
            assert!(1.0 <= i.lower() && i.lower() <= t.rank && t.rank <= i.upper() && i.upper() <= 12.0, "{t:?}");
        }
        let widest = ranking.targets.iter().map(|t| t.rank_interval.upper() - t.rank_interval.lower());
        assert!(widest.fold(0.0, f64::max) > 2.0, "30 clusters do not settle the places of twelve");
        // The values are those of the comparisons.
        for t in ranking.targets.iter().filter(|t| t.target != field.baseline) {
            let c = compare(&field.samples, &field.metrics[0], &SliceName::all(), &field.baseline, &t.target, 0.05);
            let c = c.unwrap();
            assert!((c.candidate_value / t.value - 1.0).abs() < 1e-12, "{kind:?}: {t:?} {c:?}");
        }
    }
}

#[test]
fn the_order_of_samples_and_candidates_changes_nothing() {
    for kind in KINDS {
        let mut field = Field::random(kind, 8, 45, 2, 4);
        let (before, chosen) = (field.rank(), tabulate_with_choice(field.request(), field.choice()).unwrap());
        let mut rng = SplitMix64::new(8);
        rng.shuffle(&mut field.samples);
        rng.shuffle(&mut field.candidates);
        assert_eq!(before, field.rank(), "{kind:?}");
        let again = tabulate_with_choice(field.request(), field.choice()).unwrap();
        assert_eq!((&chosen.selection, &chosen.rankings), (&again.selection, &again.rankings), "{kind:?}");
    }
}

#[test]
fn targets_that_never_differ_are_certain_of_no_place() {
    let ranking = Field::new(MetricKind::Binary, 5, 40, 1, |t, _| f64::from(t != 3)).rank();
    let (last, tied) = ranking.targets.split_last().unwrap();
    for t in tied {
        assert_eq!((t.rank, t.rank_interval.lower(), t.rank_interval.upper()), (2.5, 1.0, 4.0), "{t:?}");
        assert_eq!(t.groups, ["a"]);
    }
    assert_eq!((last.target.as_str(), last.rank, last.groups.join("")), ("t03", 5.0, "b".to_owned()));
    let names: Vec<_> = tied.iter().map(|t| t.target.as_str()).collect();
    assert_eq!(names, ["base", "t01", "t02", "t04"], "by name");
    // Durations that differ by the same factor everywhere show no spread to test with: that tells nobody apart.
    let ranking = Field::new(MetricKind::Duration, 2, 40, 1, |t, _| 1.0 + t as f64).rank();
    assert_eq!((ranking.pairs[0].p, &ranking.targets[0].groups), (None, &ranking.targets[1].groups));
}

#[test]
fn only_cases_that_all_targets_have_enter_and_the_rest_is_named() {
    let mut field = Field::random(MetricKind::Binary, 4, 200, 1, 2);
    field.samples.retain(|s| s.target != target("t02") || s.case.as_str() >= "c0003");
    field.samples.push(sample(777, 777, &target("t01"), None));
    field.candidates.push(target("nobody"));
    let ranking = field.rank();
    let left: Vec<_> = ranking.left_out.iter().map(CaseId::as_str).collect();
    assert_eq!((ranking.cases, left.join(" ")), (197, "c0000 c0001 c0002 c0777".to_owned()));
    assert_eq!((ranking.unranked, ranking.targets.len()), (vec![target("nobody")], 4));
    // Whoever lacks more than one in fifty has no rank, and takes no case from the others.
    field.samples.retain(|s| s.target != target("t02") || s.case.as_str() >= "c0031");
    let ranking = field.rank();
    assert_eq!((ranking.cases, ranking.unranked), (200, vec![target("t02"), target("nobody")]));
    field.samples.retain(|s| s.case.as_str() < "c0009");
    let e = rank(field.request(), &field.metrics[0]).unwrap_err().to_string();
    assert!(e.contains("9 independent cases are too few") || e.contains("fewer than two"), "{e}");
    field.samples.clear();
    assert!(rank(field.request(), &field.metrics[0]).is_err());
}

#[test]
fn a_table_of_many_holds_what_each_comparison_alone_says() {
    let mut field = Field::random(MetricKind::Binary, 6, 40, 2, 3);
    // A case that one target alone was asked is missing for every other.
    field.samples.push(sample(90, 90, &target("t05"), Some(1.0)));
    field.slices.push(SliceName::new("two").unwrap());
    let table = tabulate(field.request());
    assert_eq!(table.comparisons.len(), 10);
    for row in &table.comparisons {
        let Comparison { slice, candidate, .. } = &row.comparison;
        let alone = compare(&field.samples, &field.metrics[0], slice, &field.baseline, candidate, 0.05).unwrap();
        assert_eq!(row.comparison, alone);
        assert!(!slice.is_all() || alone.unscored.len() == 1, "{alone:?}");
    }
}

#[test]
fn a_split_keeps_clusters_whole_and_sees_no_score() {
    for (seed, share) in [(1, 0.5), (2, 0.5), (3, 0.3), (4, 0.8)] {
        let field = Field::random(MetricKind::Binary, 3, 200, 2, 6);
        let request = Request { seed, ..field.request() };
        let of = |samples: &[Sample]| {
            let choice = Choice { confirm_share: share, ..field.choice() };
            let parts = Parts::new(Request { samples, ..request }, choice).unwrap();
            let clusters = |s: &[&Sample]| s.iter().map(|s| s.cluster.clone()).collect::<BTreeSet<_>>();
            assert_eq!(parts.select.len() + parts.confirm.len(), samples.len());
            (clusters(&parts.select), clusters(&parts.confirm))
        };
        let (select, confirm) = of(&field.samples);
        assert!(select.is_disjoint(&confirm), "a cluster is whole in one part");
        assert!((confirm.len() as f64 - 100.0 * share).abs() < 1.0, "{}", confirm.len());
        // Every third cluster is of the slice `one`.
        let is_one = |c: &&ClusterName| c.as_str()[1..].parse::<usize>().unwrap().is_multiple_of(3);
        assert!((confirm.iter().filter(is_one).count() as f64 - 34.0 * share).abs() < 1.0, "{confirm:?}");
        let mut other = Field::random(MetricKind::Binary, 3, 200, 2, 60).samples;
        other.reverse();
        assert_eq!(of(&other), (select, confirm.clone()), "other scores, the same split");
        let turned = Parts::new(Request { seed: seed + 10, ..request }, field.choice()).unwrap().confirm;
        assert!(turned.iter().any(|s| !confirm.contains(&s.cluster)), "another seed, another split");
    }
}

#[test]
fn a_choice_needs_candidates_and_cases_in_both_parts() {
    let field = Field::random(MetricKind::Binary, 3, 60, 1, 6);
    let refused = |request, share| {
        tabulate_with_choice(request, Choice { confirm_share: share, ..field.choice() }).unwrap_err().to_string()
    };
    let one = Request { candidates: &field.candidates[..1], ..field.request() };
    assert!(refused(one, 0.5).contains("one candidate"));
    let few: Vec<Sample> = field.samples.iter().filter(|s| s.case.as_str() < "c0018").cloned().collect();
    assert!(refused(Request { samples: &few, ..field.request() }, 0.5).contains("has 9 independent cases"));
    assert!(refused(field.request(), 0.1).contains("the confirm part has 6"));
    assert!(refused(field.request(), 0.9).contains("the select part has 6"));
    assert!(refused(field.request(), 1.0).contains("not between 0 and 1"));
    assert!(refused(Request { samples: &[], ..field.request() }, 0.5).contains("no case has `m`"));
    let table = tabulate_with_choice(field.request(), field.choice()).unwrap();
    let s = table.selection.unwrap();
    assert_eq!((s.select_clusters, s.confirm_clusters, s.of), (30, 30, 2));
    assert!((s.difference - (s.confirm_change - s.select_change)).abs() < 1e-12);
    assert!(table.comparisons.iter().all(|row| row.comparison.pairs == 30), "nobody else is shown on the confirm part");
    assert!(s.confirm.iter().all(|row| row.comparison.candidate == s.winner));
}

/// The baseline and ten candidates of the same skill on questions of different difficulty.
fn equals(rng: &mut SplitMix64, cases: usize) -> Field {
    let ease: Vec<f64> = (0..cases).map(|_| rng.unit()).collect();
    Field::new(MetricKind::Binary, 11, cases, 1, |_, c| f64::from(rng.unit() < ease[c]))
}

#[test]
fn the_best_of_ten_equals_is_called_better_by_chance_unless_it_is_confirmed() {
    const REPLICATES: u32 = 400;
    let mut rng = SplitMix64::new(12);
    let (mut naive, mut confirmed, mut fell) = (0, 0, 0);
    for seed in 0..REPLICATES {
        let field = equals(&mut rng, 80);
        let request = Request { seed: seed.into(), ..field.request() };
        let (best, _) = super::rank::winner(&field.gathered(), request, &field.metrics[0]).unwrap();
        let metric = &field.metrics[0];
        let c = compare(&field.samples, metric, &SliceName::all(), &field.baseline, &best, 0.05).unwrap();
        naive += u32::from(c.p_better.unwrap() <= 0.05);
        let s = select_and_confirm(request, field.choice()).unwrap();
        confirmed += u32::from(s.confirm[0].comparison.p_better.unwrap() <= 0.05);
        fell += u32::from(s.difference < 0.0);
    }
    let rate = |count: u32| f64::from(count) / f64::from(REPLICATES);
    let mcse = (0.05 * 0.95 / f64::from(REPLICATES)).sqrt();
    assert!(rate(naive) > 0.2, "{}", rate(naive));
    assert!(rate(confirmed) <= 0.05 + 3.0 * mcse, "{}", rate(confirmed));
    assert!(rate(fell) > 0.7, "the choice flatters: {}", rate(fell));
}

#[test]
fn the_shrunken_estimate_is_nearer_to_the_truth() {
    let mut rng = SplitMix64::new(21);
    let (mut shown, mut shrunken) = (0.0, 0.0);
    for _ in 0..30 {
        let best = equals(&mut rng, 60).rank().best.unwrap();
        assert!(best.shrunken_value <= best.value && best.of == 10, "{best:?}");
        shown += best.change.unwrap() / 30.0;
        shrunken += best.shrunken_change.unwrap() / 30.0;
    }
    assert!(shown > 0.05, "{shown}");
    assert!(shrunken.abs() < 0.6 * shown, "{shrunken} of {shown}: all are equal in truth");
}
