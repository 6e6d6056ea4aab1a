//! Rows 6 and 7: the whole gate with several criteria at once.

use super::arena::{Contest, Truth, metric};
use super::lab::Lab;
use super::row::{Bound, Check, Figure, Naive, Row};
use super::{ALPHA, MARGIN};
use crate::gate::{Decision, Evidence, Verdict};
use crate::types::MetricKind;
use std::fmt::Write as _;

/// A policy that asks of `k` metrics to be no worse by the margin.
fn contest(k: usize, cases: usize) -> Contest {
    let mut criteria = String::new();
    for i in 0..k {
        let _ = write!(
            criteria,
            "[[criterion]]\nid = \"c{i}\"\nmetric = \"m{i}\"\nrequire = \"non-inferior\"\nmargin = {MARGIN}\n"
        );
    }
    Contest::new(&criteria, (0..k).map(|i| metric(&format!("m{i}"), MetricKind::Binary)).collect(), cases)
}

/// What the gate and two rules of thumb say of one run.
struct Promotions {
    gate: bool,
    points_above: bool,
    not_worse: bool,
}

impl Promotions {
    fn of(verdict: &Verdict) -> Self {
        let every = |holds: &dyn Fn(f64, f64) -> bool| {
            verdict.findings().iter().all(|f| match &f.evidence {
                Evidence::Comparison(c) => holds(c.gain(), c.gain_interval().upper()),
                _ => false,
            })
        };
        Self {
            gate: verdict.decision() == Decision::Promote,
            points_above: every(&|gain, _| gain > -MARGIN),
            not_worse: every(&|_, upper| upper >= 0.0),
        }
    }
}

/// Runs of the gate over metrics with these truths, independent of each other.
fn promotions(lab: &Lab, stream: &str, full: usize, truths: &[Truth], cases: usize) -> Vec<Promotions> {
    lab.runs(
        stream,
        full,
        || contest(truths.len(), cases),
        |contest, rng| {
            for case in 0..cases {
                for (m, truth) in truths.iter().enumerate() {
                    let (base, tuned) = truth.pair(rng.unit());
                    contest.set(case, m, base, tuned);
                }
            }
            Promotions::of(&contest.judge())
        },
    )
}

/// Row 6.
pub(super) fn false_promotion(lab: &Lab) -> Row {
    let bound = Bound::AtMost(ALPHA);
    let (mut checks, mut naive) = (Vec::new(), Vec::new());
    for (k, cases) in
        lab.designs(&[(1, 300), (3, 300), (5, 300), (8, 300), (1, 1_000), (5, 1_000)], &[(1, 300), (5, 300), (8, 300)])
    {
        // One metric has lost exactly what the margin allows; all others have plainly gained, so that nothing else holds the gate back.
        let mut truths = vec![Truth::new(0.2, 0.1); k];
        truths[0] = Truth::new(0.12, -MARGIN);
        let design = format!("{k} {}, n {cases}", if k == 1 { "criterion" } else { "criteria" });
        let full = if cases > 500 { 3_000 } else { 6_000 };
        let runs = promotions(lab, &format!("row 6 {design}"), full, &truths, cases);
        checks.push(Check::new(design.clone(), bound, Figure::rate(runs.iter().map(|p| p.gate))));
        if cases == 300 && k == 5 {
            let points = Figure::rate(runs.iter().map(|p| p.points_above));
            naive.push(Naive::new("all estimates above the margin", design.clone(), bound, points));
            let worse = Figure::rate(runs.iter().map(|p| p.not_worse));
            naive.push(Naive::new("no metric significantly worse", design, bound, worse));
        }
    }
    Row {
        number: 6,
        title: "gate with 1 to 8 criteria",
        scenario: "A policy with K criteria of no worse by 5 points; one metric has truly lost 5 points, the others have gained. How often does \
                   `gate::judge` promote?",
        requirement: "false promotion <= 5 %",
        reference: "4.0 to 5.3 %; all estimates above the margin: 46 to 49 %",
        checks,
        naive,
        note: "Every criterion is judged at the full level: the gate promotes only if all are met, so that no correction is needed \
               (intersection-union, Berger 1982).",
    }
}

/// Row 7.
pub(super) fn power(lab: &Lab) -> Row {
    let truths = [Truth::new(0.12, 0.0); 5];
    let checks = [(300, 3_000), (1_000, 1_000)].map(|(cases, full)| {
        let design = format!("5 criteria, n {cases}");
        let runs = promotions(lab, &format!("row 7 {design}"), full, &truths, cases);
        Check::new(design, Bound::Reported, Figure::rate(runs.iter().map(|p| p.gate)))
    });
    Row {
        number: 7,
        title: "gate, equal models: power",
        scenario: "Five criteria of no worse by 5 points; the models are equally good and differ on 12 % of the cases. How often does \
                   `gate::judge` promote?",
        requirement: "reported, not judged",
        reference: "30 % at n 300, 99 % at n 1,000",
        checks: checks.to_vec(),
        naive: Vec::new(),
        note: "The price of proof: five criteria on 300 cases promote an equal model less than every other time. The verdict is then \
               undecided and says how many cases would decide.",
    }
}
