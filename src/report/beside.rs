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

/// `p95 1.2 s → 840 ms, −30 % (−41 to −17 %)`
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Imputed, ImputedChange, ImputedLevel};
    use crate::gate::Evidence;
    use crate::report::sample;

    /// The first comparison and the first measurement among the sample's findings.
    fn evidence() -> (Comparison, Measurement) {
        let model = sample::model(12);
        let findings = model.verdicts[0].findings();
        let comparison = findings.iter().find_map(|f| match &f.evidence {
            Evidence::Comparison(c) => Some(c.clone()),
            _ => None,
        });
        let measurement = findings.iter().find_map(|f| match &f.evidence {
            Evidence::Measurement(m) => Some(m.clone()),
            _ => None,
        });
        (comparison.unwrap(), measurement.unwrap())
    }

    #[test]
    fn a_change_says_what_was_lost_and_what_unscored_cases_can_do() {
        let (mut c, _) = evidence();
        c.pairs = 50;
        assert_eq!(change(&c), Vec::<String>::new());
        c.severe = Some(sample::severe());
        let cases = named(&sample::severe().lost_cases);
        assert_eq!(
            change(&c),
            [format!(
                "half the scale or more was lost in 2 of 50 cases ({cases}) and gained in 1; net −2\u{202f}pp (−8 to +3\u{202f}pp)"
            )]
        );
        let side = |x: f64| ImputedChange {
            change: x,
            interval: Interval::new(x - 0.1, x + 0.1, 0.9).unwrap(),
            p_better: None,
            severe: None,
        };
        c.severe = None;
        c.imputed = Some(Box::new(Imputed { against: side(-0.02), in_favour: side(0.02) }));
        c.unscored = vec![sample::severe().lost_cases[0].clone()];
        assert_eq!(
            change(&c),
            [
                "with the unscored case counted against the candidate −2\u{202f}pp (−12 to +8\u{202f}pp), for it +2\u{202f}pp (−8 to \
              +12\u{202f}pp)"
            ]
        );
    }

    #[test]
    fn a_level_says_what_unscored_cases_can_do() {
        let (_, mut m) = evidence();
        assert_eq!(level(&m), Vec::<String>::new());
        let side = |x: f64| ImputedLevel { value: x, interval: Interval::new(x, x + 0.1, 0.9).unwrap() };
        m.imputed = Some(Imputed { against: side(0.05), in_favour: side(0.0) });
        m.unscored = sample::severe().lost_cases;
        assert_eq!(
            level(&m),
            [
                "with the 2 unscored cases counted against the candidate 5\u{202f}% (5 to 15\u{202f}%), for it 0\u{202f}% (0 to \
              10\u{202f}%)"
            ]
        );
    }

    #[test]
    fn long_lists_of_cases_are_cut() {
        let cases: Vec<CaseId> = (0..7).map(|i| CaseId::new(&format!("c{i}")).unwrap()).collect();
        assert_eq!(named(&cases), "c0, c1, c2, c3, c4 and 2 more");
    }
}
