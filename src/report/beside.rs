//! What stands beside a change or a level: severe changes, unscored cases at their worst and best, tails. Words only, one fragment each.

use crate::compare::{Comparison, Measurement, Tail};
use crate::types::number::{self, Scale};
use crate::types::{CaseId, Interval};

/// Names of cases that a fragment lists before the rest is counted.
const NAMED: usize = 5;

/// What a comparison's interval does not show.
pub(super) fn change(c: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(s) = c.severe.as_ref().filter(|s| s.lost + s.gained > 0) {
        let cases = if s.lost_cases.is_empty() { String::new() } else { format!(" ({})", named(&s.lost_cases)) };
        notes.push(format!(
            "half the scale or more was lost in {} of {} cases{cases} and gained in {}; net {}",
            s.lost,
            c.pairs,
            s.gained,
            change_of(Scale::POINTS, s.net, &s.net_interval)
        ));
    }
    if let Some(i) = &c.imputed {
        let scale = Scale::of_change(&c.metric);
        let [against, in_favour] = [&i.against, &i.in_favour].map(|side| change_of(scale, side.change, &side.interval));
        notes.push(unscored(c.unscored.len(), &against, &in_favour));
    }
    if !c.tails.is_empty() {
        let tails: Vec<_> = c.tails.iter().map(tail).collect();
        notes.push(tails.join("; "));
    }
    notes
}

/// What a level's interval does not show.
pub(super) fn level(m: &Measurement) -> Vec<String> {
    let scale = Scale::of_level(&m.metric, m.value);
    let write = |value: f64, interval: &Interval| {
        let decimals = scale.decimals(interval.upper() - interval.lower());
        format!("{} ({})", scale.level(value, decimals), scale.levels(interval, decimals))
    };
    let sides = m.imputed.map(|i| [i.against, i.in_favour].map(|side| write(side.value, &side.interval)));
    sides.map(|[against, in_favour]| unscored(m.unscored.len(), &against, &in_favour)).into_iter().collect()
}

fn unscored(count: usize, against: &str, in_favour: &str) -> String {
    let what = if count == 1 { "the unscored case".to_owned() } else { format!("the {count} unscored cases") };
    format!("with {what} counted against the candidate {against}, for it {in_favour}")
}

/// `p95 1.2 → 0.8 s, −33 % (−41 to −22 %)`
fn tail(tail: &Tail) -> String {
    let name = format!("p{:.0}", tail.quantile * 100.0);
    match &tail.found {
        Some(t) => format!(
            "{name} {} → {}, {}",
            number::duration(t.baseline_value),
            number::duration(t.candidate_value),
            change_of(Scale::PERCENT, t.change, &t.interval)
        ),
        None => format!("{name} {}", tail.why.as_deref().unwrap_or("not estimable")),
    }
}

fn change_of(scale: Scale, change: f64, interval: &Interval) -> String {
    let decimals = scale.decimals_against(change, interval, &[0.0]);
    format!("{} ({})", scale.change(change, decimals), scale.changes(interval, decimals))
}

/// The first few cases and the number of the rest.
pub(super) fn named(cases: &[CaseId]) -> String {
    let names: Vec<_> = cases.iter().take(NAMED).map(CaseId::as_str).collect();
    let more = cases.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}
