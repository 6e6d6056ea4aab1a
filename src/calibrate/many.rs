//! Rows 14 and 16: many candidates, many slices.

use super::arena::{Arena, independent, metric, slice, target};
use super::lab::Lab;
use super::row::{Bound, Check, Figure, Naive, Row};
use super::{ALPHA, arena::Truth};
use crate::compare::{self, Asking, Choice, Request, compare_all, select_and_confirm};
use crate::types::{Metric, MetricKind, SliceName, TargetName};
use std::collections::BTreeMap;

const CANDIDATES: usize = 10;
const CASES: usize = 200;
/// How often baseline and candidate differ, and how often the baseline is right.
const PSI: f64 = 0.15;
const ACCURACY: f64 = 0.8;

/// Ten candidates beside a baseline.
struct Field {
    arena: Arena,
    metric: Metric,
    baseline: TargetName,
    candidates: Vec<TargetName>,
}

/// Whether any candidate was called better than the baseline, by method.
struct Claims {
    confirmed: bool,
    holm: bool,
    best_of_all: bool,
}

impl Field {
    fn new() -> Self {
        let candidates: Vec<TargetName> = (0..CANDIDATES).map(|i| target(&format!("tuned{i}"))).collect();
        let baseline = target("base");
        let metric = metric("accuracy", MetricKind::Binary);
        let targets: Vec<TargetName> = std::iter::once(baseline.clone()).chain(candidates.clone()).collect();
        let arena = Arena::new(&independent(CASES), &targets, std::slice::from_ref(&metric), 1);
        Self { arena, metric, baseline, candidates }
    }

    fn claims(&self) -> Claims {
        let request = Request {
            samples: &self.arena.samples,
            metrics: std::slice::from_ref(&self.metric),
            slices: &[SliceName::all()],
            baseline: &self.baseline,
            candidates: &self.candidates,
            alpha: ALPHA,
            margins: &BTreeMap::new(),
            seed: 1,
            asking: Asking::ALONE,
        };
        let better = |p: Option<f64>| p.is_some_and(|p| p <= ALPHA);
        let chosen = select_and_confirm(request, Choice { metric: &self.metric, confirm_share: 0.5 });
        let confirmed = chosen.is_ok_and(|s| s.confirm.iter().any(|r| better(r.comparison.p_better)));
        let (rows, _) = compare_all(request);
        let winner = rows.iter().max_by(|a, b| a.comparison.change.total_cmp(&b.comparison.change));
        Claims {
            confirmed,
            holm: rows.iter().any(|r| better(r.p_better_holm)),
            best_of_all: winner.is_some_and(|r| better(r.comparison.p_better)),
        }
    }
}

/// Row 14.
pub(super) fn best_of_ten(lab: &Lab) -> Row {
    let bound = Bound::AtMost(0.055);
    let runs = lab.runs("row 14", 4_000, Field::new, |field, rng| {
        for case in 0..CASES {
            let base = rng.unit() < ACCURACY;
            field.arena.set(case, 0, 0, 0, f64::from(u8::from(base)));
            // As many are gained as are lost: the candidates are as good as the baseline, and differ from it each in its own way.
            let turns = 0.5 * PSI / if base { ACCURACY } else { 1.0 - ACCURACY };
            for candidate in 1..=CANDIDATES {
                let right = base != (rng.unit() < turns);
                field.arena.set(case, candidate, 0, 0, f64::from(u8::from(right)));
            }
        }
        field.claims()
    });
    let rate = |of: fn(&Claims) -> bool| Figure::rate(runs.iter().map(of));
    let design = format!("{CASES} cases, discordance {PSI}");
    Row {
        number: 14,
        title: "best of ten equal checkpoints",
        scenario: "Ten candidates, all as good as the baseline. How often is one called better: the one that `compare --select` chooses on one \
                   half of the cases and compares on the other; or any, by Holm's p values of `goldgate compare`?",
        requirement: "false \"better\" <= 5.5 %",
        reference: "5.0 % with a confirm split, 3.7 to 5.2 % with Holm; naive 39 %",
        checks: vec![
            Check::new(format!("select and confirm, {design}"), bound, rate(|c| c.confirmed)),
            Check::new(format!("Holm over ten, {design}"), bound, rate(|c| c.holm)),
        ],
        naive: vec![Naive::new("best of ten, tested as if alone", design, bound, rate(|c| c.best_of_all))],
        note: "The other method tests the best of all candidates on the cases that it was chosen by.",
    }
}

const SLICES: usize = 40;
const PER_SLICE: usize = 30;
/// How much worse the candidate is in the slices in which it is.
const HURT: f64 = -0.3;

/// A baseline and a candidate on forty slices.
struct Slices {
    arena: Arena,
    metric: Metric,
    baseline: TargetName,
    candidates: [TargetName; 1],
    slices: Vec<SliceName>,
}

impl Slices {
    fn new() -> Self {
        let slices: Vec<SliceName> = (0..SLICES).map(|i| slice(&format!("s{i:02}"))).collect();
        let mut places = independent(SLICES * PER_SLICE);
        for (case, place) in places.iter_mut().enumerate() {
            place.slices = vec![slices[case / PER_SLICE].clone()];
        }
        let (metric, baseline, candidate) = (metric("accuracy", MetricKind::Binary), target("base"), target("tuned"));
        let arena = Arena::new(&places, &[baseline.clone(), candidate.clone()], std::slice::from_ref(&metric), 1);
        Self { arena, metric, baseline, candidates: [candidate], slices }
    }

    /// The share of false entries of the list to look at, of which the first `hurt` slices are true; and the same of a list by plain
    /// intervals.
    #[expect(clippy::cast_precision_loss, reason = "forty slices")]
    fn false_shares(&self, hurt: usize) -> (f64, f64) {
        let (rows, _) = compare_all(Request {
            samples: &self.arena.samples,
            metrics: std::slice::from_ref(&self.metric),
            slices: &self.slices,
            baseline: &self.baseline,
            candidates: &self.candidates,
            alpha: ALPHA,
            margins: &BTreeMap::new(),
            seed: 1,
            asking: Asking::ALONE,
        });
        let share = |listed: &dyn Fn(&compare::Row) -> bool| {
            let found: Vec<usize> = rows.iter().enumerate().filter(|(_, r)| listed(r)).map(|(i, _)| i).collect();
            found.iter().filter(|i| **i >= hurt).count() as f64 / found.len().max(1) as f64
        };
        (share(&|r| r.look_here), share(&|r| r.comparison.interval.upper() < 0.0))
    }
}

/// Row 16.
pub(super) fn slices(lab: &Lab) -> Row {
    let bound = Bound::AtMost(0.10);
    let (mut checks, mut naive) = (Vec::new(), Vec::new());
    for hurt in [0, 4] {
        let design = if hurt == 0 {
            format!("{SLICES} slices, none worse")
        } else {
            format!("{SLICES} slices, {hurt} worse by 30 points")
        };
        let runs = lab.runs(&format!("row 16 {hurt}"), 1_500, Slices::new, |slices, rng| {
            for case in 0..SLICES * PER_SLICE {
                let truth = if case / PER_SLICE < hurt { Truth::new(0.4, HURT) } else { Truth::new(0.3, 0.0) };
                let (base, tuned) = truth.pair(rng.unit());
                slices.arena.set(case, 0, 0, 0, base);
                slices.arena.set(case, 1, 0, 0, tuned);
            }
            slices.false_shares(hurt)
        });
        checks.push(Check::new(design.clone(), bound, Figure::mean(runs.iter().map(|r| r.0))));
        naive.push(Naive::new("every slice tested by itself", design, bound, Figure::mean(runs.iter().map(|r| r.1))));
    }
    Row {
        number: 16,
        title: "forty slices: false discoveries",
        scenario: "Forty slices of 30 cases, discordance 30 %. Which share of the list to look at (`goldgate compare --by-slice`, Benjamini-Hochberg at \
                   10 %) is slices on which the candidate is as good as the baseline?",
        requirement: "false discovery rate <= 10 %",
        reference: "none",
        checks,
        naive,
        note: "A list without entries counts as 0. The other method lists each slice whose own 90 % interval lies below 0.",
    }
}
