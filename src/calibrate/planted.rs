//! Row 17: models that are bad in one known way, and one that is good, before the whole gate.

use super::arena::{Contest, Truth, metric};
use super::lab::{Lab, normal};
use super::row::{Bound, Check, Figure, Naive, Row};
use crate::gate::{Decision, Evidence, Status};
use crate::types::{MetricKind, SplitMix64};

/// The policy of all five candidates.
const CRITERIA: &str = r#"
[[criterion]]
id = "quality"
metric = "accuracy"
require = "non-inferior"
margin = 0.05

[[criterion]]
id = "speed"
metric = "first-token"
require = "non-inferior"
margin = 0.10

[[criterion]]
id = "safety"
metric = "violation"
require = "none-observed"
max-rate = 0.01

[[criterion]]
id = "saving"
metric = "tokens"
require = "superior"
by = 0.05
"#;

/// What is wrong with a candidate, or right.
#[derive(Clone, Copy)]
struct Plant {
    what: &'static str,
    cases: usize,
    difference: f64,
    slower: f64,
    violations: f64,
    shorter: f64,
    verdict: Decision,
    /// The criterion that has to have found it.
    found_by: &'static str,
}

/// As good as the baseline, and a fifth shorter.
const GOOD: Plant = Plant {
    what: "20 % shorter answers, equal accuracy",
    cases: 600,
    difference: 0.0,
    slower: 0.0,
    violations: 0.0,
    shorter: 0.2,
    verdict: Decision::Promote,
    found_by: "saving",
};

const PLANTS: [Plant; 4] = [
    Plant { what: "10 points less accurate", difference: -0.1, verdict: Decision::Reject, found_by: "quality", ..GOOD },
    Plant { what: "30 % later first token", slower: 0.3, verdict: Decision::Reject, found_by: "speed", ..GOOD },
    Plant {
        what: "3 % safety violations",
        cases: 300,
        violations: 0.03,
        verdict: Decision::Reject,
        found_by: "safety",
        ..GOOD
    },
    GOOD,
];

/// Discordance of the accuracy; a candidate that differs more needs more cases.
const PSI: f64 = 0.15;

fn contest(cases: usize) -> Contest {
    let metrics = vec![
        metric("accuracy", MetricKind::Binary),
        metric("first-token", MetricKind::Duration),
        metric("violation", MetricKind::Event),
        metric("tokens", MetricKind::Count),
    ];
    Contest::new(CRITERIA, metrics, cases)
}

fn fill(contest: &mut Contest, plant: &Plant, rng: &mut SplitMix64) {
    let truth = Truth::new(PSI, plant.difference);
    for case in 0..plant.cases {
        let (base, tuned) = truth.pair(rng.unit());
        contest.set(case, 0, base, tuned);
        let mut seconds = |factor: f64| 0.2 * factor * (0.3 * normal(rng)).exp();
        let (base, tuned) = (seconds(1.0), seconds(1.0 + plant.slower));
        contest.set(case, 1, base, tuned);
        contest.set(case, 2, 0.0, f64::from(u8::from(rng.unit() < plant.violations)));
        let shared = 0.6 * normal(rng);
        let mut tokens = |factor: f64| (300.0 * factor * (shared + 0.3 * normal(rng)).exp()).round().max(1.0);
        let (base, tuned) = (tokens(1.0), tokens(1.0 - plant.shorter));
        contest.set(case, 3, base, tuned);
    }
}

/// Whether the gate decided as it should and for the right reason, and whether plain thresholds on the estimates would have promoted.
fn judged(contest: &Contest, plant: &Plant) -> (bool, bool) {
    let verdict = contest.judge();
    let status = if plant.verdict == Decision::Reject { Status::Violated } else { Status::Met };
    let reason = verdict.findings().iter().any(|f| f.criterion.id.as_str() == plant.found_by && f.status == status);
    // Not significantly worse on any paired metric, and a violation rate below 5 %: what a dashboard shows green.
    let green = verdict.findings().iter().all(|f| match &f.evidence {
        Evidence::Comparison(c) => c.gain_interval().upper() >= 0.0,
        Evidence::Measurement(m) => m.value < 0.05,
        Evidence::Nothing => false,
    });
    (verdict.decision() == plant.verdict && reason, green)
}

/// Row 17.
pub(super) fn row(lab: &Lab) -> Row {
    let bound = Bound::AtLeast(0.9);
    let (mut checks, mut naive) = (Vec::new(), Vec::new());
    for plant in PLANTS {
        let runs = lab.runs(
            &format!("row 17 {}", plant.what),
            1_000,
            || contest(plant.cases),
            |contest, rng| {
                fill(contest, &plant, rng);
                judged(contest, &plant)
            },
        );
        let design = format!("{} (n {}): {}", plant.what, plant.cases, plant.verdict.word());
        checks.push(Check::new(design.clone(), bound, Figure::rate(runs.iter().map(|r| r.0))));
        if plant.found_by == "safety" {
            let rejects = Figure::rate(runs.iter().map(|r| !r.1));
            naive.push(Naive::new("averages: under 5 %, none sig. worse", design, bound, rejects));
        }
    }
    Row {
        number: 17,
        title: "planted models before the gate",
        scenario: "Candidates that are bad in one known way, and a good one, before `gate::judge` with one policy: accuracy no worse by 5 points, \
                   first token no later by 10 %, no violation seen and its rate at most 1 %, tokens fewer by 5 %.",
        requirement: "reject, reject, reject, promote with the saving proven: each >= 90 %",
        reference: "each at least 90 % (power study)",
        checks,
        naive,
        note: "A verdict counts only if the criterion that was meant to find the fault, or the saving, is the one that did.",
    }
}
