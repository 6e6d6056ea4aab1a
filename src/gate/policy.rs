//! What would be enough, written before the run: `policy.toml`, checked into types that cannot hold a wrong state.

use crate::suite::diag::{self, Diagnostic, Diagnostics, SourceFile};
use crate::types::{CriterionId, Digest, MetricName, PolicyName, SliceName, TargetName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// The format that this program reads.
pub const FORMAT: &str = "goldgate.policy/1";

/// What a criterion requires of a metric. Margins of shares are in `[0, 1]` (0.05 = five points), of durations and counts relative
/// (0.10 = ten per cent); all are oriented so that more is better, whatever the metric's direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// The candidate is better than the baseline by more than `by`.
    Superior {
        /// The smallest useful gain, at least 0.
        by: f64,
    },
    /// The candidate is worse by less than `margin`.
    NonInferior {
        /// The largest loss that is agreed to mean "no worse", above 0.
        margin: f64,
    },
    /// The candidate differs by less than `margin` either way.
    Equivalent {
        /// The largest difference that is agreed to mean "the same", above 0.
        margin: f64,
    },
    /// The candidate's own level is at most `limit`.
    AtMost {
        /// In the metric's unit.
        limit: f64,
    },
    /// The candidate's own level is at least `limit`.
    AtLeast {
        /// In the metric's unit.
        limit: f64,
    },
    /// The event was never observed, on enough cases that its rate is shown to be at most `max_rate`.
    NoneObserved {
        /// The rate that the clean record must exclude, in `(0, 1)`.
        #[serde(rename = "max-rate")]
        max_rate: f64,
    },
}

impl Rule {
    /// The rule's name in `policy.toml`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Superior { .. } => "superior",
            Self::NonInferior { .. } => "non-inferior",
            Self::Equivalent { .. } => "equivalent",
            Self::AtMost { .. } => "at-most",
            Self::AtLeast { .. } => "at-least",
            Self::NoneObserved { .. } => "none-observed",
        }
    }

    /// Whether the rule compares the candidate with the baseline.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        matches!(self, Self::Superior { .. } | Self::NonInferior { .. } | Self::Equivalent { .. })
    }
}

/// One line of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Criterion {
    /// Its name in reports.
    pub id: CriterionId,
    /// What is measured.
    pub metric: MetricName,
    /// On which cases.
    pub slice: SliceName,
    /// What is required.
    pub rule: Rule,
    /// For `superior` and `non-inferior` on a bounded metric: the largest share of independent cases, in `(0, 0.5]`, that may fall by half
    /// the scale or more. Proven by the upper limit of that rate, like `at-most`.
    pub max_severe: Option<f64>,
    /// Whether it gates; an advisory criterion is judged and shown, and decides nothing.
    pub required: bool,
    /// Why the policy's author wants it.
    pub why: String,
}

/// A checked policy.
#[derive(Clone, Debug)]
pub struct Policy {
    name: PolicyName,
    baseline: TargetName,
    candidates: Vec<TargetName>,
    alpha: f64,
    min_coverage: f64,
    criteria: Vec<Criterion>,
    places: BTreeMap<CriterionId, CriterionPlace>,
    file: SourceFile,
    digest: Digest,
}

/// Where a criterion's words stand in the file, so that a later check can point at them.
#[derive(Clone, Debug)]
struct CriterionPlace {
    id: std::ops::Range<usize>,
    metric: std::ops::Range<usize>,
    slice: std::ops::Range<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawPolicy {
    format: Spanned<String>,
    name: Spanned<String>,
    baseline: Spanned<String>,
    candidates: Spanned<Vec<Spanned<String>>>,
    alpha: Spanned<f64>,
    min_coverage: Option<Spanned<f64>>,
    #[serde(default)]
    criterion: Vec<Spanned<RawCriterion>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawCriterion {
    id: Spanned<String>,
    metric: Spanned<String>,
    slice: Option<Spanned<String>>,
    require: Spanned<String>,
    by: Option<Spanned<f64>>,
    margin: Option<Spanned<f64>>,
    limit: Option<Spanned<f64>>,
    max_rate: Option<Spanned<f64>>,
    max_severe: Option<Spanned<f64>>,
    #[serde(default)]
    advisory: bool,
    #[serde(default)]
    why: String,
}

impl Policy {
    /// Reads and checks a policy.
    ///
    /// # Errors
    /// All mistakes found, each with its place: unknown keys, bad names, margins out of range, no required criterion.
    pub fn parse(file: SourceFile) -> Result<Self, Diagnostics> {
        let raw: RawPolicy = diag::parse_toml(&file)?;
        let mut wrong = Diagnostics::default();
        if raw.format.get_ref() != FORMAT {
            let message = format!("this program reads the format `{FORMAT}`");
            wrong.push(file.error(raw.format.span(), message));
        }
        let mut check = Checker { file: &file, wrong: &mut wrong };
        let name = check.name(&raw.name, PolicyName::new);
        let baseline = check.name(&raw.baseline, TargetName::new);
        let candidates: Vec<_> =
            raw.candidates.get_ref().iter().filter_map(|c| check.name(c, TargetName::new)).collect();
        if raw.candidates.get_ref().is_empty() {
            check.error(raw.candidates.span(), "a policy needs at least one candidate");
        }
        let alpha = check.within(&raw.alpha, "alpha", 1e-6, 0.25);
        let min_coverage = match &raw.min_coverage {
            Some(c) => check.within(c, "min-coverage", 0.5, 1.0),
            None => Some(1.0),
        };
        let (criteria, places) = check.criteria(&raw.criterion);
        if !raw.criterion.is_empty() && raw.criterion.iter().all(|c| c.get_ref().advisory) || raw.criterion.is_empty() {
            wrong.push(
                file.error(0..0, "a policy without a required criterion would promote everything")
                    .help("add a `[[criterion]]` that is not advisory"),
            );
        }
        let digest = Digest::of(file.text.as_bytes());
        match (name, baseline, alpha, min_coverage) {
            (Some(name), Some(baseline), Some(alpha), Some(min_coverage)) => {
                let policy = Self {
                    name,
                    baseline,
                    candidates,
                    alpha,
                    min_coverage,
                    criteria,
                    places,
                    digest,
                    file: file.clone(),
                };
                wrong.or(policy)
            }
            _ => Err(wrong),
        }
    }

    /// The policy's name.
    #[must_use]
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// Against whom candidates are compared.
    #[must_use]
    pub fn baseline(&self) -> &TargetName {
        &self.baseline
    }

    /// Who is judged when the command line names nobody.
    #[must_use]
    pub fn candidates(&self) -> &[TargetName] {
        &self.candidates
    }

    /// The one-sided level at which each criterion is decided.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The smallest share of planned trials that must have an answer.
    #[must_use]
    pub fn min_coverage(&self) -> f64 {
        self.min_coverage
    }

    /// The criteria in the file's order.
    #[must_use]
    pub fn criteria(&self) -> &[Criterion] {
        &self.criteria
    }

    /// Digest of the policy's text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A diagnostic at a criterion as a whole.
    #[must_use]
    pub fn error_at_criterion(&self, criterion: &CriterionId, message: String) -> Diagnostic {
        self.file.error(self.places.get(criterion).map_or(0..0, |p| p.id.clone()), message)
    }

    /// A diagnostic at a criterion's metric.
    #[must_use]
    pub fn error_at_metric(&self, criterion: &CriterionId, message: String) -> Diagnostic {
        self.file.error(self.places.get(criterion).map_or(0..0, |p| p.metric.clone()), message)
    }

    /// A diagnostic at a criterion's slice.
    #[must_use]
    pub fn error_at_slice(&self, criterion: &CriterionId, message: String) -> Diagnostic {
        self.file.error(self.places.get(criterion).map_or(0..0, |p| p.slice.clone()), message)
    }
}

struct Checker<'a> {
    file: &'a SourceFile,
    wrong: &'a mut Diagnostics,
}

impl Checker<'_> {
    fn error(&mut self, span: std::ops::Range<usize>, message: impl Into<String>) {
        self.wrong.push(self.file.error(span, message));
    }

    fn name<T, E: std::fmt::Display>(
        &mut self,
        raw: &Spanned<String>,
        make: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        make(raw.get_ref()).map_err(|e| self.error(raw.span(), e.to_string())).ok()
    }

    fn within(&mut self, raw: &Spanned<f64>, what: &str, low: f64, high: f64) -> Option<f64> {
        let value = *raw.get_ref();
        if (low..=high).contains(&value) {
            return Some(value);
        }
        self.error(raw.span(), format!("`{what}` must be between {low} and {high}, not {value}"));
        None
    }

    fn criteria(&mut self, raw: &[Spanned<RawCriterion>]) -> (Vec<Criterion>, BTreeMap<CriterionId, CriterionPlace>) {
        let mut criteria: Vec<Criterion> = Vec::new();
        let mut places = BTreeMap::new();
        for spanned in raw {
            let c = spanned.get_ref();
            let id = self.name(&c.id, CriterionId::new);
            let metric = self.name(&c.metric, MetricName::new);
            let slice = match &c.slice {
                Some(s) => self.name(s, SliceName::new),
                None => Some(SliceName::all()),
            };
            let (rule, max_severe) = (self.rule(c), self.max_severe(c));
            let (Some(id), Some(metric), Some(slice), Some(rule), Ok(max_severe)) =
                (id, metric, slice, rule, max_severe)
            else {
                continue;
            };
            let slice_span = c.slice.as_ref().map_or(c.metric.span(), Spanned::span);
            let place = CriterionPlace { id: c.id.span(), metric: c.metric.span(), slice: slice_span };
            if places.insert(id.clone(), place).is_some() {
                self.error(c.id.span(), format!("two criteria are called `{id}`"));
            }
            criteria.push(Criterion { id, metric, slice, rule, max_severe, required: !c.advisory, why: c.why.clone() });
        }
        (criteria, places)
    }

    /// The share of severe regressions that is allowed, if one is named; an error where it means nothing, or nothing much.
    fn max_severe(&mut self, c: &RawCriterion) -> Result<Option<f64>, ()> {
        let Some(given) = &c.max_severe else { return Ok(None) };
        let (value, word) = (*given.get_ref(), c.require.get_ref().as_str());
        if !matches!(word, "superior" | "non-inferior") {
            let message =
                format!("`max-severe` means nothing to the rule `{word}`: it goes with `superior` and `non-inferior`");
            self.error(given.span(), message);
        } else if !(value > 0.0 && value <= 0.5) {
            self.error(given.span(), format!("`max-severe` must be above 0 and at most 0.5, not {value}"));
        } else {
            return Ok(Some(value));
        }
        Err(())
    }

    /// The rule, with exactly the number that it needs: a number that the rule would ignore is an error, not a comment.
    fn rule(&mut self, c: &RawCriterion) -> Option<Rule> {
        let numbers = [("by", &c.by), ("margin", &c.margin), ("limit", &c.limit), ("max-rate", &c.max_rate)];
        let word = c.require.get_ref().as_str();
        let wanted = match word {
            "superior" => "by",
            "non-inferior" | "equivalent" => "margin",
            "at-most" | "at-least" => "limit",
            "none-observed" => "max-rate",
            _ => {
                let known = ["superior", "non-inferior", "equivalent", "at-most", "at-least", "none-observed"];
                let mut d = self.file.error(c.require.span(), format!("unknown rule `{word}`"));
                let list = format!("the rules are {}", known.map(|k| format!("`{k}`")).join(", "));
                d = match diag::nearest(word, known.into_iter()) {
                    Some(k) => d.help(format!("did you mean `{k}`?")),
                    None => d.help(list),
                };
                self.wrong.push(d);
                return None;
            }
        };
        for (key, value) in numbers {
            if let (true, Some(v)) = (key != wanted, value) {
                self.error(v.span(), format!("`{key}` means nothing to the rule `{word}`: it takes `{wanted}`"));
                return None;
            }
        }
        let given = numbers.into_iter().find(|(key, _)| *key == wanted).and_then(|(_, v)| v.as_ref());
        let Some(given) = given else {
            if word == "superior" {
                return Some(Rule::Superior { by: 0.0 });
            }
            self.error(c.require.span(), format!("the rule `{word}` needs `{wanted}`"));
            return None;
        };
        let tiny = f64::MIN_POSITIVE;
        Some(match word {
            "superior" => Rule::Superior { by: self.within(given, "by", 0.0, 1e9)? },
            "non-inferior" => Rule::NonInferior { margin: self.within(given, "margin", tiny, 1e9)? },
            "equivalent" => Rule::Equivalent { margin: self.within(given, "margin", tiny, 1e9)? },
            "at-most" => Rule::AtMost { limit: self.within(given, "limit", 0.0, 1e15)? },
            "at-least" => Rule::AtLeast { limit: self.within(given, "limit", 0.0, 1e15)? },
            _ => Rule::NoneObserved { max_rate: self.within(given, "max-rate", 1e-9, 1.0 - 1e-9)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"format = "goldgate.policy/1"
name = "p"
baseline = "base"
candidates = ["tuned"]
alpha = 0.05

[[criterion]]
id = "better"
metric = "accuracy"
require = "superior"
by = 0.1
"#;

    fn errors(text: &str) -> String {
        Policy::parse(SourceFile::new("policy.toml", text)).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_good_policy_is_read_whole() {
        let p = Policy::parse(SourceFile::new("policy.toml", GOOD)).unwrap();
        assert_eq!(p.criteria()[0].rule, Rule::Superior { by: 0.1 });
        assert_eq!(p.criteria()[0].max_severe, None);
        let severe = Policy::parse(SourceFile::new("policy.toml", format!("{GOOD}max-severe = 0.5\n"))).unwrap();
        assert_eq!(severe.criteria()[0].max_severe, Some(0.5));
        assert!(p.criteria()[0].required && p.criteria()[0].slice.is_all());
        assert!((p.min_coverage() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_mistake_is_placed() {
        let cases = [
            (GOOD.replace("by =", "bye ="), "policy.toml:11:1: unknown field `bye`"),
            (
                GOOD.replace("\"superior\"", "\"superiour\""),
                "policy.toml:10:11: unknown rule `superiour`; help: did you mean `superior`?",
            ),
            (
                GOOD.replace("by = 0.1", "margin = 0.1"),
                "policy.toml:11:10: `margin` means nothing to the rule `superior`: it takes `by`",
            ),
            (
                GOOD.replace("superior", "non-inferior"),
                "policy.toml:11:6: `by` means nothing to the rule `non-inferior`",
            ),
            (GOOD.replace("by = 0.1", "by = nan"), "policy.toml:11:6: `by` must be between 0 and 1000000000, not NaN"),
            (
                format!("{GOOD}max-severe = 0.6\n"),
                "policy.toml:12:14: `max-severe` must be above 0 and at most 0.5, not 0.6",
            ),
            (
                format!("{GOOD}max-severe = 0\n"),
                "policy.toml:12:14: `max-severe` must be above 0 and at most 0.5, not 0",
            ),
            (
                format!("{GOOD}max-severe = nan\n"),
                "policy.toml:12:14: `max-severe` must be above 0 and at most 0.5, not NaN",
            ),
            (
                format!("{}max-severe = 0.1\n", GOOD.replace("superior", "equivalent").replace("by =", "margin =")),
                "policy.toml:12:14: `max-severe` means nothing to the rule `equivalent`: it goes with `superior` and \
                 `non-inferior`",
            ),
            (GOOD.replace("alpha = 0.05", "alpha = 0.9"), "policy.toml:5:9: `alpha` must be between 0.000001 and 0.25"),
            (GOOD.replace("[\"tuned\"]", "[]"), "policy.toml:4:14: a policy needs at least one candidate"),
            (
                GOOD.replace("policy/1", "policy/9"),
                "policy.toml:1:10: this program reads the format `goldgate.policy/1`",
            ),
            (GOOD.replace("\"better\"", "\"a b\""), "policy.toml:8:6: `a b` is not a criterion id"),
            (
                format!("{GOOD}advisory = true\n"),
                "policy.toml:1:1: a policy without a required criterion would promote everything",
            ),
            (GOOD[..GOOD.find("[[").unwrap()].to_owned(), "would promote everything"),
        ];
        for (text, want) in cases {
            let got = errors(&text);
            assert!(got.contains(want), "wanted {want}\ngot    {got}");
        }
    }

    #[test]
    fn one_pass_reports_all_mistakes() {
        let text = GOOD.replace("0.05", "7").replace("\"better\"", "\"a b\"");
        assert_eq!(errors(&text).lines().count(), 2);
    }
}
