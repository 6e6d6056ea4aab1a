//! Rows 9 and 10: stopping before the suite is through.

use super::arena::{Duel, Truth, answer, independent};
use super::lab::Lab;
use super::row::{Bound, Check, Figure, Naive, Row};
use super::{ALPHA, MARGIN};
use crate::compare::Answer;
use crate::stats::{FUTILITY_LOOKS, Look, MixtureProcess, PairedCounts, SplitDesign, StatsError, tango_test};
use crate::types::{MetricKind, SplitMix64};

/// The naive rule looks at the ordinary interval after so many more cases.
const BATCH: usize = 20;

/// What one run of a suite in random order yields.
struct Outcome {
    /// Whether the split design passed the candidate.
    split: bool,
    /// Cases asked until it stopped.
    asked: usize,
    /// Whether the ordinary rule passed it at the end.
    fixed: bool,
    /// Whether the ordinary rule passed it at any look, had it been looked at after every batch.
    peeked: bool,
}

/// Runs the design on one order of cases. Whatever the process refuses stops nothing early.
fn run(duel: &mut Duel, rng: &mut SplitMix64, truth: Truth, planned: usize, peek: bool) -> Result<Outcome, StatsError> {
    let design = SplitDesign::new(ALPHA, MARGIN)?;
    let mut process = MixtureProcess::new(MARGIN, None)?;
    let mut counts = PairedCounts::default();
    // Cases asked until a stop, and whether it was a pass.
    let mut stop: Option<(usize, bool)> = None;
    for case in 0..planned {
        let (base, tuned) = truth.pair(rng.unit());
        duel.set(case, base, tuned);
        if stop.is_some() {
            continue;
        }
        let d = tuned - base;
        counts.gained += u64::from(d > 0.0);
        counts.lost += u64::from(d < 0.0);
        counts.both += u64::from(d == 0.0);
        process.push(d)?;
        if design.passes_early(&process) {
            stop = Some((case + 1, true));
        } else if is_futility_look(case + 1, planned) && futile(&design, &counts, planned)? {
            stop = Some((case + 1, false));
        }
    }
    let fixed = duel.answer(MARGIN, ALPHA) == Answer::Yes;
    let (asked, split) = stop.unwrap_or_else(|| (planned, duel.answer(MARGIN, design.final_alpha()) == Answer::Yes));
    let looks = (BATCH..=planned).step_by(BATCH);
    let yes = |cases| answer(duel.compare_first(cases, ALPHA).as_ref(), MARGIN, ALPHA) == Answer::Yes;
    let peeked = peek && looks.into_iter().any(yes);
    Ok(Outcome { split, asked, fixed, peeked })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number of cases"
)]
fn is_futility_look(seen: usize, planned: usize) -> bool {
    FUTILITY_LOOKS.iter().any(|share| (share * planned as f64).round() as usize == seen)
}

fn futile(design: &SplitDesign, counts: &PairedCounts, planned: usize) -> Result<bool, StatsError> {
    design.is_futile(&Look {
        seen: counts.n(),
        planned: planned as u64,
        z: tango_test(counts, -MARGIN)?.z,
        difference: counts.difference()?,
        variance: counts.discordance()?,
    })
}

fn outcomes(lab: &Lab, stream: &str, full: usize, truth: Truth, planned: usize, peek: bool) -> Vec<Outcome> {
    // A replicate whose process failed counts as the worst of both: passed, and nothing saved.
    let failed = |_| Outcome { split: true, asked: planned, fixed: true, peeked: true };
    lab.runs(
        stream,
        full,
        || Duel::new(MetricKind::Binary, &independent(planned), 1),
        |duel, rng| run(duel, rng, truth, planned, peek).unwrap_or_else(failed),
    )
}

/// Row 9.
pub(super) fn false_pass(lab: &Lab) -> Row {
    let bound = Bound::AtMost(ALPHA);
    let (mut checks, mut naive) = (Vec::new(), Vec::new());
    for (planned, psi) in lab.designs(
        &[(300, 0.05), (300, 0.1), (300, 0.2), (1_000, 0.05), (1_000, 0.1), (1_000, 0.2)],
        &[(300, 0.1), (1_000, 0.2)],
    ) {
        let design = format!("n {planned}, discordance {psi}");
        let peek = planned == 300 && psi == 0.1;
        let full = if planned == 300 { 6_000 } else { 3_000 };
        let runs = outcomes(lab, &format!("row 9 {design}"), full, Truth::new(psi, -MARGIN), planned, peek);
        checks.push(Check::new(design.clone(), bound, Figure::rate(runs.iter().map(|o| o.split))));
        if peek {
            let rate = Figure::rate(runs.iter().map(|o| o.peeked));
            let design = format!("{design}, a look every {BATCH} cases");
            naive.push(Naive::new("peeking at the ordinary interval", design, bound, rate));
        }
    }
    Row {
        number: 9,
        title: "early stopping at the margin",
        scenario: "The candidate has truly lost 5 points. `stats::SplitDesign` may pass it after any case (evidence at 1 %), ends futile runs, and \
                   tests the rest by `compare` and `no_worse` at 4 %. How often does it pass?",
        requirement: "false pass <= 5 %",
        reference: "at most 4.3 %",
        checks,
        naive,
        note: "The gate does not stop early yet: the design of the library is simulated, with the real comparison at its end.",
    }
}

/// Row 10.
pub(super) fn saving(lab: &Lab) -> Row {
    let planned = 1_000;
    let mut checks = Vec::new();
    for (gain, least) in [(0.0, 0.5), (0.03, 0.75), (0.06, 0.85)] {
        let words = format!("gain {:.0} points", gain * 100.0);
        let runs = outcomes(lab, &format!("row 10 {gain}"), 2_000, Truth::new(0.1, gain), planned, false);
        #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
        let saved = Figure::mean(runs.iter().map(|o| 1.0 - o.asked as f64 / planned as f64));
        checks.push(Check::new(format!("{words}: cases saved"), Bound::AtLeast(least), saved));
        let number = |b: bool| f64::from(u8::from(b));
        let loss = Figure::mean(runs.iter().map(|o| number(o.fixed) - number(o.split)));
        checks.push(Check::new(format!("{words}: power lost"), Bound::AtMost(0.03), loss));
    }
    Row {
        number: 10,
        title: "early stopping: cases saved",
        scenario: "1,000 cases planned, discordance 10 %, and a candidate that is equal or better: the share of cases that `stats::SplitDesign` \
                   need not ask, and the power that it loses against the ordinary rule on all cases of the same runs.",
        requirement: "saved >= 50 / 75 / 85 % at gains of 0 / 3 / 6 points; power lost <= 3 points",
        reference: "55 / 82 / 90 %",
        checks,
        naive: Vec::new(),
        note: "As in row 9: the library's design, not yet the gate's.",
    }
}
