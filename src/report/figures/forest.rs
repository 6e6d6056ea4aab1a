//! The forest plot: one row per criterion, on an axis that unlike units share.
//!
//! The unit is the share of what the policy allows. For an allowance (non-inferior, equivalent, at-most, none-observed, and at-least of
//! a share) 0 means that nothing of it is used and -1 that all of it is: the decision line. For a demand (superior, and at-least of
//! anything but a share) 0 is the demand itself and one unit is its size. Right is always better. A rule whose number is zero has no
//! size of its own; there one unit is ten points or ten per cent. The zone that the rule forbids is hatched: an interval clear of it
//! is met, one inside it is violated, one across its edge is unproven. The scale changes nothing of the decision, which is the gate's.

use super::coordinate;
use crate::gate::{Evidence, Finding, Rule};
use crate::types::Interval;
use serde::Serialize;

const WIDTH: f64 = 280.0;
const PAD: f64 = 12.0;
/// The axis ends here; what lies beyond is drawn as an arrow.
const END: f64 = 2.5;
/// One unit for rules whose number is zero.
const PLAIN_UNIT: f64 = 0.1;

/// One row of the plot, ready to print.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::report) struct ForestRow {
    width: String,
    /// Where zero lies.
    zero: String,
    /// The decision lines: one, or two for equivalence.
    lines: Vec<String>,
    /// Zones that the rule forbids.
    forbidden: Vec<Zone>,
    /// The interval and the estimate; `None` where nothing could be computed.
    bar: Option<Bar>,
    /// `met`, `violated` or `unproven`: decides the marker's shape.
    status: &'static str,
    advisory: bool,
    title: String,
    description: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Zone {
    x: String,
    width: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Bar {
    low: String,
    high: String,
    point: String,
    square: String,
    more_left: bool,
    more_right: bool,
}

/// The labelled axis above the rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::report) struct ForestAxis {
    width: String,
    ticks: Vec<(String, &'static str)>,
}

/// The axis.
pub(in crate::report) fn axis() -> ForestAxis {
    let ticks = [(-2.0, "−2"), (-1.0, "−1"), (0.0, "0"), (1.0, "+1"), (2.0, "+2")];
    ForestAxis { width: coordinate(WIDTH), ticks: ticks.map(|(x, label)| (coordinate(place(x)), label)).to_vec() }
}

fn place(x: f64) -> f64 {
    PAD + (x.clamp(-END, END) + END) / (2.0 * END) * (WIDTH - 2.0 * PAD)
}

/// How a rule lays values on the axis: `line + (value - threshold) / unit`, on values turned so that more is better.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mapping {
    line: f64,
    threshold: f64,
    unit: f64,
    both_sides: bool,
}

impl Mapping {
    fn of(rule: &Rule, is_share: bool) -> Self {
        let size = |x: f64| if x > 0.0 { x } else { PLAIN_UNIT };
        let one = |line, threshold, unit| Self { line, threshold, unit, both_sides: false };
        match *rule {
            Rule::Superior { by } => one(0.0, by, size(by)),
            Rule::NonInferior { margin } => one(-1.0, -margin, size(margin)),
            Rule::Equivalent { margin } => Self { both_sides: true, ..one(-1.0, -margin, size(margin)) },
            // Levels for which less is better are mirrored, so that right stays better.
            Rule::AtMost { limit } => one(-1.0, -limit, size(limit)),
            Rule::NoneObserved { max_rate } => one(-1.0, -max_rate, size(max_rate)),
            Rule::AtLeast { limit } if is_share => one(-1.0, limit, size(1.0 - limit)),
            Rule::AtLeast { limit } => one(0.0, limit, size(limit)),
        }
    }

    fn on_axis(self, value: f64) -> f64 {
        self.line + (value - self.threshold) / self.unit
    }
}

/// The row of a finding; `title` and `description` say in words what the picture shows.
pub(in crate::report) fn forest_row(finding: &Finding, title: String, description: String) -> ForestRow {
    let rule = &finding.criterion.rule;
    let (is_share, drawn) = match &finding.evidence {
        Evidence::Comparison(c) => (c.metric.is_share(), Some((c.gain(), c.gain_interval()))),
        Evidence::Measurement(m) if matches!(rule, Rule::AtLeast { .. }) => {
            (m.metric.is_share(), Some((m.value, m.interval)))
        }
        Evidence::Measurement(m) => (m.metric.is_share(), Some((-m.value, m.interval.mirrored()))),
        Evidence::Nothing => (true, None),
    };
    let mapping = Mapping::of(rule, is_share);
    let lines = if mapping.both_sides { vec![-1.0, 1.0] } else { vec![mapping.line] };
    let left = place(-END) - PAD;
    let mut forbidden = vec![zone(left, place(lines[0]))];
    if mapping.both_sides {
        forbidden.push(zone(place(1.0), WIDTH));
    }
    ForestRow {
        width: coordinate(WIDTH),
        zero: coordinate(place(0.0)),
        lines: lines.into_iter().map(|x| coordinate(place(x))).collect(),
        forbidden,
        bar: drawn.and_then(|(value, interval)| bar(mapping, value, &interval)),
        status: finding.status.word(),
        advisory: !finding.criterion.required,
        title,
        description,
    }
}

fn zone(from: f64, to: f64) -> Zone {
    Zone { x: coordinate(from), width: coordinate(to - from) }
}

fn bar(mapping: Mapping, value: f64, interval: &Interval) -> Option<Bar> {
    let point = mapping.on_axis(value);
    if !point.is_finite() {
        return None;
    }
    let (low, high) = (mapping.on_axis(interval.lower()), mapping.on_axis(interval.upper()));
    Some(Bar {
        low: coordinate(place(low)),
        high: coordinate(place(high)),
        point: coordinate(place(point)),
        square: coordinate(place(point) - 5.0),
        more_left: low < -END,
        more_right: high > END,
    })
}

/// Whether a picture and a status tell the same story; the tests hold every sample to it.
#[cfg(test)]
fn agrees(finding: &Finding) -> bool {
    let (Evidence::Comparison(c), crate::gate::Status::Met) = (&finding.evidence, finding.status) else { return true };
    let mapping = Mapping::of(&finding.criterion.rule, c.metric.is_share());
    mapping.on_axis(c.gain_interval().lower()) >= mapping.line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn at(rule: Rule, value: f64) -> f64 {
        let x = Mapping::of(&rule, true).on_axis(value);
        (x * 1e9).round() / 1e9
    }

    #[test]
    fn allowances_run_from_zero_to_minus_one() {
        assert_eq!([0.0, -0.05, 0.05].map(|g| at(Rule::NonInferior { margin: 0.05 }, g)), [0.0, -1.0, 1.0]);
        assert_eq!([0.0, -0.05, 0.05].map(|g| at(Rule::Equivalent { margin: 0.05 }, g)), [0.0, -1.0, 1.0]);
        assert_eq!([0.0, -0.2].map(|v| at(Rule::AtMost { limit: 0.2 }, v)), [0.0, -1.0]);
        assert_eq!([0.0, -0.01].map(|v| at(Rule::NoneObserved { max_rate: 0.01 }, v)), [0.0, -1.0]);
        assert_eq!([1.0, 0.9].map(|v| at(Rule::AtLeast { limit: 0.9 }, v)), [0.0, -1.0]);
    }

    #[test]
    fn demands_are_met_to_the_right_of_zero() {
        assert_eq!([0.0, 0.05, 0.1].map(|g| at(Rule::Superior { by: 0.05 }, g)), [-1.0, 0.0, 1.0]);
        assert_eq!([-0.1, 0.0, 0.1].map(|g| at(Rule::Superior { by: 0.0 }, g)), [-1.0, 0.0, 1.0]);
    }

    #[test]
    fn what_is_met_lies_clear_of_the_forbidden_zone() {
        for verdict in sample::model(12).verdicts {
            assert!(verdict.findings().iter().all(agrees), "{}", verdict.candidate());
        }
    }

    #[test]
    fn what_lies_beyond_the_axis_becomes_an_arrow() {
        let verdicts = sample::model(12).verdicts;
        let leak = verdicts[1].findings().iter().find(|f| f.criterion.id.as_str() == "no-canary").unwrap();
        let row = forest_row(leak, String::new(), String::new());
        let bar = row.bar.unwrap();
        assert!(bar.more_left && !bar.more_right);
        assert_eq!(bar.low, coordinate(PAD));
        let nothing = verdicts[2].findings().last().unwrap();
        assert_eq!(forest_row(nothing, String::new(), String::new()).bar, None);
    }
}
