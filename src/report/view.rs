//! What every rendering says of a criterion, in the same words and digits: derived once from a finding, shown many times.

use super::{ReportModel, beside, flips};
use crate::compare::{Comparison, Measurement, Method};
use crate::gate::{Decision, Evidence, Finding, Rule, Status, Verdict};
use crate::types::number::{self, NOTHING, Scale, THIN};
use crate::types::{Direction, Interval, Metric};

/// What a replay's reports say before anything else.
pub(super) const REPLAY: &str = "REPLAY: recomputed from a recording. It says what was true of the recorded run; it is no evidence of what \
                                 answers today, and promotes nobody.";

/// One criterion with its numbers in native units.
#[derive(Clone, Debug)]
pub(super) struct CriterionView<'a> {
    /// The finding itself.
    pub(super) finding: &'a Finding,
    /// The baseline's level; a dash for a criterion on the candidate alone.
    pub(super) baseline: String,
    /// The candidate's level.
    pub(super) candidate: String,
    /// The change, or the level's own estimate again for a criterion on the candidate alone.
    pub(super) change: String,
    /// The interval of the change, or of the level.
    pub(super) interval: String,
    /// What is allowed, written so that it can be held against `change` or `candidate` directly.
    pub(super) allowed: String,
    /// Cases with a value, and independent units among them.
    pub(super) cases: Option<(usize, usize)>,
    /// Cases of the slice that gave no value.
    pub(super) unscored: usize,
    /// The interval's two-sided level.
    pub(super) level: Option<String>,
}

/// All criteria of a verdict, in the policy's order.
pub(super) fn criteria<'a>(model: &ReportModel, verdict: &'a Verdict) -> Vec<CriterionView<'a>> {
    let metrics = flips::metrics(model);
    verdict.findings().iter().map(|f| CriterionView::new(f, metrics.get(&f.criterion.metric).copied())).collect()
}

impl<'a> CriterionView<'a> {
    fn new(finding: &'a Finding, metric: Option<&Metric>) -> Self {
        match &finding.evidence {
            Evidence::Comparison(c) => Self::compared(finding, c),
            Evidence::Measurement(m) => Self::measured(finding, m),
            Evidence::Nothing => Self {
                finding,
                baseline: NOTHING.to_owned(),
                candidate: NOTHING.to_owned(),
                change: NOTHING.to_owned(),
                interval: NOTHING.to_owned(),
                allowed: allowed(&finding.criterion.rule, metric),
                cases: None,
                unscored: 0,
                level: None,
            },
        }
    }

    fn compared(finding: &'a Finding, c: &Comparison) -> Self {
        let scale = Scale::of_change(&c.metric);
        let sign = if c.metric.direction == Direction::Higher { 1.0 } else { -1.0 };
        let thresholds: Vec<f64> = match finding.criterion.rule {
            Rule::Superior { by } => vec![sign * by],
            Rule::NonInferior { margin } => vec![-sign * margin],
            Rule::Equivalent { margin } => vec![-margin, margin],
            _ => Vec::new(),
        };
        let decimals = scale.decimals_against(c.change, &c.interval, &thresholds);
        Self {
            finding,
            baseline: level_of(c, c.baseline_value),
            candidate: level_of(c, c.candidate_value),
            change: scale.change(c.change, decimals),
            interval: scale.changes(&c.interval, decimals),
            allowed: match finding.criterion.max_severe {
                Some(limit) => format!(
                    "{}; severe losses ≤{THIN}{}",
                    allowed(&finding.criterion.rule, Some(&c.metric)),
                    Scale::PERCENT.exact(limit)
                ),
                None => allowed(&finding.criterion.rule, Some(&c.metric)),
            },
            cases: Some((c.pairs, c.clusters)),
            unscored: c.unscored.len(),
            level: Some(number::confidence(c.interval.level())),
        }
    }

    fn measured(finding: &'a Finding, m: &Measurement) -> Self {
        let scale = Scale::of_level(&m.metric, m.value);
        let threshold = match finding.criterion.rule {
            Rule::AtMost { limit } | Rule::AtLeast { limit } => limit,
            Rule::NoneObserved { max_rate } => max_rate,
            _ => f64::NAN,
        };
        let decimals = scale.decimals_against(m.value, &m.interval, &[threshold]);
        let level = scale.level(m.value, decimals);
        Self {
            finding,
            baseline: NOTHING.to_owned(),
            candidate: match finding.criterion.rule {
                // The rate beside it is that of clusters, so the count is too.
                Rule::NoneObserved { .. } if m.clusters != m.cases => {
                    let with = (m.value * m.clusters as f64).round() as u64;
                    format!("{} of {} clusters", number::count(with), number::count(m.clusters as u64))
                }
                Rule::NoneObserved { .. } => format!("{} of {}", m.observed.len(), number::count(m.cases as u64)),
                _ => level.clone(),
            },
            change: level,
            interval: scale.levels(&m.interval, decimals),
            allowed: allowed(&finding.criterion.rule, Some(&m.metric)),
            cases: Some((m.cases, m.clusters)),
            unscored: m.unscored.len(),
            level: Some(number::confidence(m.interval.level())),
        }
    }

    /// The method behind the numbers; none where nothing could be computed.
    pub(super) fn method(&self) -> Option<&'a Method> {
        match &self.finding.evidence {
            Evidence::Comparison(c) => Some(&c.method),
            Evidence::Measurement(m) => Some(&m.method),
            Evidence::Nothing => None,
        }
    }

    /// What the interval does not show, as fragments.
    pub(super) fn beside(&self) -> Vec<String> {
        match &self.finding.evidence {
            Evidence::Comparison(c) => beside::change(c),
            Evidence::Measurement(m) => beside::level(m),
            Evidence::Nothing => Vec::new(),
        }
    }

    /// `240`, or `240 in 60 clusters` where cases are not independent.
    pub(super) fn cases_text(&self) -> String {
        match self.cases {
            None => NOTHING.to_owned(),
            Some((cases, clusters)) if clusters == cases => number::count(cases as u64),
            Some((cases, clusters)) => {
                format!("{} in {} clusters", number::count(cases as u64), number::count(clusters as u64))
            }
        }
    }

    /// The same in few columns: `240 (60)`.
    pub(super) fn cases_short(&self) -> String {
        match self.cases {
            Some((cases, clusters)) if clusters != cases => {
                format!("{}{THIN}({})", number::count(cases as u64), number::count(clusters as u64))
            }
            _ => self.cases_text(),
        }
    }

    /// The word of the status, marked where the criterion gates nothing.
    pub(super) fn status_text(&self) -> String {
        let word = self.finding.status.word();
        if self.finding.criterion.required { word.to_owned() } else { format!("{word} (advisory)") }
    }
}

/// A level beside a change. Totals are whole; other levels have the digits that the interval of the change supports on their scale.
pub(super) fn level_of(c: &Comparison, value: f64) -> String {
    let scale = Scale::of_level(&c.metric, value);
    let width = c.interval.upper() - c.interval.lower();
    if c.metric.is_share() {
        return scale.level(value, scale.decimals(width));
    }
    // The interval is relative: a width of 4 % of a level of 50 supports what an absolute width of 2 would.
    let absolute = Interval::new(0.0, (width * value.abs()).max(0.0), c.interval.level());
    scale.level(value, absolute.map_or(0, |i| scale.decimals(i.upper())))
}

/// What a rule allows, oriented as the metric itself is, so that a reader can hold it against the change. Of a metric that no evidence
/// describes, neither direction nor unit is known: there the words say which way is better.
fn allowed(rule: &Rule, metric: Option<&Metric>) -> String {
    let change = metric.map_or(Scale::PERCENT, Scale::of_change);
    let level = |limit: f64| metric.map_or(Scale::PLAIN, |m| Scale::of_level(m, limit)).exact(limit);
    match (*rule, metric.map(|m| m.direction)) {
        (Rule::Superior { by }, None) => format!("better by over {}", change.exact(by)),
        (Rule::Superior { by }, Some(Direction::Lower)) => format!("below {}", change.exact_change(-by)),
        (Rule::Superior { by }, Some(Direction::Higher)) => format!("above {}", change.exact_change(by)),
        (Rule::NonInferior { margin }, None) => format!("worse by under {}", change.exact(margin)),
        (Rule::NonInferior { margin }, Some(Direction::Lower)) => format!("below {}", change.exact_change(margin)),
        (Rule::NonInferior { margin }, Some(Direction::Higher)) => format!("above {}", change.exact_change(-margin)),
        (Rule::Equivalent { margin }, _) => format!("within ±{}", change.exact(margin)),
        (Rule::AtMost { limit }, _) => format!("at most {}", level(limit)),
        (Rule::AtLeast { limit }, _) => format!("at least {}", level(limit)),
        (Rule::NoneObserved { max_rate }, _) => format!("none, ≤{THIN}{}", Scale::PERCENT.exact(max_rate)),
    }
}

/// How many required criteria have each status, and how many are advisory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) met: usize,
    pub(super) violated: usize,
    pub(super) unproven: usize,
    pub(super) advisory: usize,
}

impl Tally {
    /// Counts the findings of a verdict.
    pub(super) fn of(verdict: &Verdict) -> Self {
        let mut tally = Self::default();
        for finding in verdict.findings() {
            match (finding.criterion.required, finding.status) {
                (false, _) => tally.advisory += 1,
                (true, Status::Met) => tally.met += 1,
                (true, Status::Violated) => tally.violated += 1,
                (true, Status::Unproven) => tally.unproven += 1,
            }
        }
        tally
    }

    /// `8 of 9 required criteria met, 1 violated; 2 advisory`.
    pub(super) fn text(self) -> String {
        let required = self.met + self.violated + self.unproven;
        let mut out = format!("{} of {required} required criteria met", self.met);
        if self.violated > 0 {
            out.push_str(&format!(", {} violated", self.violated));
        }
        if self.unproven > 0 {
            out.push_str(&format!(", {} unproven", self.unproven));
        }
        if self.advisory > 0 {
            out.push_str(&format!("; {} advisory", self.advisory));
        }
        out
    }
}

/// The obstacles that the verdict's sentence does not already name.
pub(super) fn obstacles(verdict: &Verdict) -> impl Iterator<Item = &str> {
    verdict.obstacles().iter().map(String::as_str).filter(|o| !verdict.sentence().contains(o))
}

/// The decision's word as a sentence begins with it.
pub(super) fn capitalised(decision: Decision) -> &'static str {
    match decision {
        Decision::Promote => "Promote",
        Decision::Undecided => "Undecided",
        Decision::Reject => "Reject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_allowed_points_the_way_that_the_metric_points() {
        let [correct, .., tokens, _, _] = &sample::metrics();
        let superior = Rule::Superior { by: 0.5 };
        let no_worse = Rule::NonInferior { margin: 0.1 };
        assert_eq!(allowed(&superior, Some(correct)), "above +50\u{202f}pp");
        assert_eq!(allowed(&superior, Some(tokens)), "below −50\u{202f}%");
        assert_eq!(allowed(&no_worse, Some(correct)), "above −10\u{202f}pp");
        assert_eq!(allowed(&no_worse, Some(tokens)), "below +10\u{202f}%");
        assert_eq!(allowed(&superior, None), "better by over 50\u{202f}%");
        assert_eq!(allowed(&no_worse, None), "worse by under 10\u{202f}%");
        assert_eq!(allowed(&Rule::AtMost { limit: 2.0 }, None), "at most 2");
    }
}
