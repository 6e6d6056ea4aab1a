//! Row 15: data in which nothing differs. Equal answers are not certainty.

use super::arena::{Contest, Duel, answer, independent, metric};
use super::lab::Lab;
use super::naive::{self, Z95, Z975};
use super::row::{Bound, Check, Figure, Naive, Row};
use super::{ALPHA, MARGIN};
use crate::compare::Answer;
use crate::gate::Status;
use crate::types::MetricKind;

/// Two models of which every value of every case is the same.
fn equal(kind: MetricKind, n: usize, value: f64) -> Duel {
    let mut duel = Duel::new(kind, &independent(n), 1);
    for case in 0..n {
        duel.set(case, value, value);
    }
    duel
}

/// 1 for yes, so that an answer can be held to a bound.
fn is(yes: bool) -> Figure {
    Figure::exact(f64::from(u8::from(yes)))
}

/// Row 15.
pub(super) fn row(_: &Lab) -> Row {
    let half_width = |kind, value| {
        let c = equal(kind, 100, value).compare(0.5 * ALPHA);
        Figure::exact(c.map_or(f64::NAN, |c| 0.5 * (c.interval.upper() - c.interval.lower())))
    };
    let says_yes = |n: usize| {
        let c = equal(MetricKind::Binary, n, 1.0).compare(ALPHA);
        is(answer(c.as_ref(), MARGIN, ALPHA) == Answer::Yes)
    };
    let (never, always) = (Bound::AtMost(0.0), Bound::AtLeast(1.0));
    let width = Bound::Between(0.036_95, 0.037_05);
    let (lower, upper) = naive::wald(0, 0, 100, Z975);
    let wald_claims = naive::wald(0, 0, 10, Z95).0 > -MARGIN;
    Row {
        number: 15,
        title: "nothing differs",
        scenario: "Every answer of both models is the same. Is the interval of `compare` still as wide as the number of cases makes it, and is \"no \
                   worse by 5 points\" refused below 59 cases?",
        requirement: "width above 0; verdict by n_min",
        reference: "+-3.70 points at n 100",
        checks: vec![
            Check::new("right or wrong, n 100: half the 95 % interval", width, half_width(MetricKind::Binary, 1.0)),
            Check::new(
                "scores, n 100: half the 95 % interval",
                Bound::AtLeast(0.01),
                half_width(MetricKind::Bounded, 0.5),
            ),
            Check::new("right or wrong, n 58: answers yes", never, says_yes(58)),
            Check::new("right or wrong, n 59: answers yes", always, says_yes(59)),
            Check::new("equal durations, n 100: the gate finds it met", never, is(gate_meets(MetricKind::Duration))),
            Check::new("equal token counts, n 100: the gate finds it met", never, is(gate_meets(MetricKind::Count))),
        ],
        naive: vec![
            Naive::new(
                "Wald interval of the pairs",
                "n 100: half the 95 % interval",
                width,
                Figure::exact(0.5 * (upper - lower)),
            ),
            Naive::new("Wald interval of the pairs", "n 10: answers yes", never, is(wald_claims)),
        ],
        note: "Nothing is simulated. Durations and counts that are equal to the last digit have no spread to judge by: their criterion is \
               unproven.",
    }
}

/// Whether the gate finds a criterion of "no worse by 10 %" met when every value is 100 on both sides.
fn gate_meets(kind: MetricKind) -> bool {
    let criterion = "[[criterion]]\nid = \"c\"\nmetric = \"value\"\nrequire = \"non-inferior\"\nmargin = 0.1\n";
    let mut contest = Contest::new(criterion, vec![metric("value", kind)], 100);
    for case in 0..100 {
        contest.set(case, 0, 100.0, 100.0);
    }
    contest.judge().findings().iter().any(|f| f.status == Status::Met)
}
