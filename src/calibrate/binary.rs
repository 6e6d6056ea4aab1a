//! Rows 1, 2, 3 and 8: right or wrong, once per case. Every outcome is listed, so goldgate's figures have no Monte-Carlo error.

use super::arena::{Contest, Duel, Truth, answer, independent, metric};
use super::lab::Lab;
use super::naive::{self, Z95, Z975};
use super::row::{Bound, Check, Figure, Naive, Row};
use super::tables::{Frontier, Tables};
use super::{ALPHA, MARGIN};
use crate::compare::Answer;
use crate::gate::Status;
use crate::stats::{Discordance, noninferiority_power_exact};
use crate::types::{MetricKind, SplitMix64};
use rayon::prelude::*;

/// Numbers of cases, and those of them that a quick study looks at.
const SIZES: [usize; 4] = [60, 100, 300, 1_000];
const QUICK_SIZES: [usize; 3] = [60, 100, 300];
const DISCORDANCES: [f64; 4] = [0.05, 0.1, 0.2, 0.3];

/// Runs `of` for every size at once, with the size's tables.
fn per_size<T: Send>(sizes: &[usize], of: impl Fn(usize, &Tables) -> T + Sync + Send) -> Vec<(usize, T)> {
    sizes.par_iter().map(|n| (*n, of(*n, &Tables::new(*n)))).collect()
}

fn duel(n: usize) -> Duel {
    Duel::new(MetricKind::Binary, &independent(n), 1)
}

/// The tables of n pairs on which the real code says that the candidate is no worse.
pub(super) fn no_worse_frontier(n: usize) -> Frontier {
    let mut duel = duel(n);
    Frontier::walk(n, |gained, lost| {
        duel.fill(n, gained, lost);
        duel.answer(MARGIN, ALPHA) == Answer::Yes
    })
}

/// Row 1.
pub(super) fn false_pass(lab: &Lab) -> Row {
    let bound = Bound::AtMost(0.055);
    let found = per_size(&lab.designs(&SIZES, &QUICK_SIZES), |n, tables| {
        let ours = no_worse_frontier(n);
        let wald = |gained, lost| naive::wald(gained, lost, n, Z95).0 > -MARGIN;
        DISCORDANCES.map(|psi| {
            let truth = Truth::new(psi, -MARGIN);
            let rate = |claim: &dyn Fn(usize, usize) -> bool| Figure::exact(tables.probability(truth, claim));
            (psi, rate(&|g, l| ours.stands(g, l)), rate(&wald))
        })
    });
    let mut checks = Vec::new();
    let mut walds = Vec::new();
    for (n, by_psi) in found {
        for (psi, ours, wald) in by_psi {
            checks.push(Check::new(design(n, psi), bound, ours));
            walds.push(Naive::new("Wald interval of the pairs", design(n, psi), bound, wald));
        }
    }
    let mut others = worst_of(walds, 2);
    others.extend(unpaired_rules(lab, bound));
    Row {
        number: 1,
        title: "binary, truth at the margin",
        scenario: "The candidate has truly lost 5 points. How often does `compare` with `no_worse` at a margin of 5 points say \
                   that it is no worse?",
        requirement: "false pass <= 5.5 %",
        reference: "0.0 to 5.0 % (Tango)",
        checks,
        naive: others,
        note: "All outcomes are listed with their probabilities. Of the Wald interval the two worst designs are shown; the unpaired z \
               test and the rule \"promote unless significantly worse\" are simulated, since they need the baseline's accuracy too (100 % \
               and 80 %). What the unpaired test costs elsewhere is seen in row 8.",
    }
}

fn design(n: usize, psi: f64) -> String {
    format!("n {n}, discordance {psi}")
}

/// The figures that are farthest beyond their bounds.
fn worst_of(mut all: Vec<Naive>, keep: usize) -> Vec<Naive> {
    all.sort_by(|a, b| b.check.figure.value.total_cmp(&a.check.figure.value));
    all.truncate(keep);
    all
}

/// The same rule with an unpaired test, and the rule that takes "not significant" for "no loss".
fn unpaired_rules(lab: &Lab, bound: Bound) -> Vec<Naive> {
    let loss = |n: usize, psi: f64, accuracy: f64, name: &str| {
        let stream = format!("row 1 unpaired {n} {psi} {accuracy} {name}");
        let truth = Truth::new(psi, -MARGIN);
        lab.runs(&stream, 20_000, || (), |(), rng| draw_counts(rng, truth, accuracy, n))
    };
    let z = |c: &Counts, n| naive::unpaired(c.base_right, c.tuned_right, n, Z95);
    let mut found = Vec::new();
    // A baseline without a mistake: every difference is a loss, and the unpaired variance is then the smaller one.
    let (n, psi) = (100, 0.05);
    let claims = loss(n, psi, 1.0, "z");
    let rate = Figure::rate(claims.iter().map(|c| z(c, n).0 > -MARGIN));
    found.push(Naive::new("unpaired z test at the margin", design(n, psi), bound, rate));
    for (n, psi) in [(100, 0.08), (100, 0.2)] {
        let runs = loss(n, psi, 0.8, "rule");
        let pairs = Figure::rate(runs.iter().map(|c| naive::wald(c.gained, c.lost, n, Z95).1 >= 0.0));
        let halves = Figure::rate(runs.iter().map(|c| z(c, n).1 >= 0.0));
        found.push(Naive::new("not significantly worse (paired)", design(n, psi), bound, pairs));
        found.push(Naive::new("not significantly worse (unpaired)", design(n, psi), bound, halves));
    }
    found
}

/// What a right-or-wrong run is reduced to.
struct Counts {
    gained: usize,
    lost: usize,
    base_right: usize,
    tuned_right: usize,
}

/// One run of n cases of a baseline of known accuracy.
fn draw_counts(rng: &mut SplitMix64, truth: Truth, accuracy: f64, n: usize) -> Counts {
    let mut c = Counts { gained: 0, lost: 0, base_right: 0, tuned_right: 0 };
    // The baseline is right where the candidate lost, and on enough of the cases on which both agree.
    let both = accuracy - truth.lost;
    for _ in 0..n {
        let u = rng.unit();
        let (base, tuned) = if u < truth.gained {
            (0, 1)
        } else if u < truth.gained + truth.lost {
            (1, 0)
        } else if u < truth.gained + truth.lost + both {
            (1, 1)
        } else {
            (0, 0)
        };
        c.base_right += base;
        c.tuned_right += tuned;
        c.gained += usize::from(tuned > base);
        c.lost += usize::from(base > tuned);
    }
    c
}

/// Row 2.
pub(super) fn coverage(lab: &Lab) -> Row {
    let bound = Bound::AtLeast(0.94);
    let found = per_size(&lab.designs(&SIZES, &QUICK_SIZES), |n, tables| {
        [0.0, -MARGIN].map(|difference| {
            let mut duel = duel(n);
            let mut limits = |gained, lost| {
                duel.fill(n, gained, lost);
                // Without an interval nothing is covered.
                duel.compare(0.5 * ALPHA).map_or((f64::NAN, f64::NAN), |c| (c.interval.lower(), c.interval.upper()))
            };
            let above = Frontier::walk(n, |g, l| limits(g, l).0 > difference);
            let not_below = Frontier::walk(n, |g, l| limits(g, l).1 >= difference);
            DISCORDANCES.map(|psi| {
                let truth = Truth::new(psi, difference);
                let ours = tables.probability(truth, |g, l| not_below.stands(g, l) && !above.stands(g, l));
                let wald = tables.probability(truth, |g, l| {
                    let (lower, upper) = naive::wald(g, l, n, Z975);
                    lower <= difference && difference <= upper
                });
                (format!("{}, difference {difference}", design(n, psi)), Figure::exact(ours), Figure::exact(wald))
            })
        })
    });
    let mut checks = Vec::new();
    let mut walds = Vec::new();
    for (design, ours, wald) in found.into_iter().flat_map(|(_, by_truth)| by_truth.into_iter().flatten()) {
        checks.push(Check::new(design.clone(), bound, ours));
        walds.push(Naive::new("Wald interval of the pairs", design, bound, wald));
    }
    walds.sort_by(|a, b| a.check.figure.value.total_cmp(&b.check.figure.value));
    walds.truncate(2);
    Row {
        number: 2,
        title: "binary, coverage of the interval",
        scenario: "How often does the 95 % interval of `compare` hold the true difference, 0 or a loss of 5 points?",
        requirement: "coverage >= 94.0 %",
        reference: "at least 94.8 %",
        checks,
        naive: walds,
        note: "All outcomes are listed with their probabilities. Of the Wald interval the two worst designs are shown.",
    }
}

/// Row 3.
pub(super) fn size(lab: &Lab) -> Row {
    let bound = Bound::AtMost(0.052);
    let found = per_size(&lab.designs(&[30, 60, 100, 300, 1_000], &[30, 60, 100, 300]), |n, tables| {
        let mut duel = duel(n);
        // A two-sided test at 5 % claims a difference if either side does at half of it.
        let better = Frontier::walk(n, |gained, lost| {
            duel.fill(n, gained, lost);
            duel.compare(ALPHA).and_then(|c| c.p_better).is_some_and(|p| p <= 0.5 * ALPHA)
        });
        [0.02, 0.05, 0.1, 0.2, 0.3].map(|psi| {
            let equal = Truth::new(psi, 0.0);
            (psi, tables.probability(equal, |g, l| better.stands(g, l) || better.stands(l, g)))
        })
    });
    let mut checks = Vec::new();
    for (n, by_psi) in found {
        checks.extend(by_psi.map(|(psi, size)| Check::new(design(n, psi), bound, Figure::exact(size))));
    }
    let gate = per_size(&[100, 300], |n, tables| {
        let gained = gate_frontier(n, "superior", "");
        tables.probability(Truth::new(0.1, 0.0), |g, l| gained.stands(g, l))
    });
    checks.extend(gate.into_iter().map(|(n, rate)| {
        let design = format!("gate: `superior` to an equal model, one-sided 5 %, {}", design(n, 0.1));
        Check::new(design, Bound::Reported, Figure::exact(rate))
    }));
    Row {
        number: 3,
        title: "mid-p McNemar on equal models",
        scenario: "Two equally good models. How often is the p value of `compare` for either side at most 2.5 %: the two-sided test at 5 %?",
        requirement: "size <= 5.2 %",
        reference: "at most 4.98 %",
        checks,
        naive: Vec::new(),
        note: "All outcomes are listed with their probabilities. The gate claims a gain only where the interval agrees with this test.",
    }
}

/// The tables on which the whole gate finds its one criterion met.
fn gate_frontier(n: usize, rule: &str, number: &str) -> Frontier {
    let criteria = format!("[[criterion]]\nid = \"c\"\nmetric = \"accuracy\"\nrequire = \"{rule}\"\n{number}\n");
    let mut contest = Contest::new(&criteria, vec![metric("accuracy", MetricKind::Binary)], n);
    Frontier::walk(n, |gained, lost| {
        for case in 0..n {
            let (b, c) = if case < gained { (0.0, 1.0) } else { (1.0, if case < gained + lost { 0.0 } else { 1.0 }) };
            contest.set(case, 0, b, c);
        }
        contest.judge().findings()[0].status == Status::Met
    })
}

/// Row 8.
pub(super) fn equal_models(lab: &Lab) -> Row {
    let psi = 0.1;
    let equal = Truth::new(psi, 0.0);
    let found = per_size(&lab.designs(&[100, 300, 1_000], &[100, 300]), |n, tables| {
        let yes = no_worse_frontier(n);
        let mut duel = duel(n);
        let not_no = Frontier::walk(n, |gained, lost| {
            duel.fill(n, gained, lost);
            answer(duel.compare(ALPHA).as_ref(), MARGIN, ALPHA) != Answer::No
        });
        let no = 1.0 - tables.probability(equal, |g, l| not_no.stands(g, l));
        let planned = Discordance::from_difference(psi, 0.0)
            .and_then(|truth| noninferiority_power_exact(n as u64, truth, MARGIN, ALPHA))
            .unwrap_or(f64::NAN);
        (tables.probability(equal, |g, l| yes.stands(g, l)), no.max(0.0), planned)
    });
    let mut checks = Vec::new();
    for (n, (yes, no, planned)) in found {
        checks.push(Check::new(format!("answers no, n {n}"), Bound::AtMost(0.005), Figure::exact(no)));
        let as_planned = Bound::Between(planned - 0.005, (planned + 0.005).min(1.0));
        checks.push(Check::new(format!("answers yes, n {n}"), as_planned, Figure::exact(yes)));
    }
    let mut others = Vec::new();
    for n in [100, 300] {
        let runs = lab.runs(&format!("row 8 {n}"), 20_000, || (), |(), rng| draw_counts(rng, equal, 0.8, n));
        let planned = checks.iter().find(|c| c.design == format!("answers yes, n {n}")).map_or(1.0, |c| c.figure.value);
        let unpaired =
            Figure::rate(runs.iter().map(|c| naive::unpaired(c.base_right, c.tuned_right, n, Z95).0 > -MARGIN));
        let design = format!("answers yes, n {n}");
        others.push(Naive::new("unpaired z test at the margin", design, Bound::AtLeast(planned - 0.005), unpaired));
        let blocks = Figure::rate(runs.iter().map(|c| c.lost > c.gained));
        others.push(Naive::new("block on any drop", format!("answers no, n {n}"), Bound::AtMost(0.005), blocks));
    }
    Row {
        number: 8,
        title: "A/A: equal models",
        scenario: "Two equally good models that differ on 10 % of the cases; margin 5 points. How often does `no_worse` answer yes, and \
                   how often no?",
        requirement: "no <= 0.5 %; yes as planned (+- 0.5 points)",
        reference: "yes 44 / 84 / 99.9 % at n 100 / 300 / 1,000",
        checks,
        naive: others,
        note: "All outcomes are listed with their probabilities; the plan is `stats::noninferiority_power_exact`. The unpaired test and \
               \"block on any drop\" are simulated at an accuracy of 80 %.",
    }
}
