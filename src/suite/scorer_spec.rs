//! Which scorers a suite uses, on which cases, under which metric: the checked form of `[[scorer]]`.

use super::case::Case;
use super::diag::{self, Diagnostics, SourceFile};
use crate::types::{Direction, Metric, MetricKind, MetricName, SliceName};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use toml::Spanned;

/// Compiled size limit of one pattern, bytes: the engine is linear-time, so only its memory needs a bound.
const PATTERN_SIZE: usize = 1 << 20;

/// A scorer as a suite configures it.
#[derive(Clone, Debug)]
pub struct ScorerSpec {
    /// The metric it measures.
    pub metric: Metric,
    /// How.
    pub kind: ScorerKind,
    /// The slices it applies to; empty means every case that has what it needs.
    pub on: Vec<SliceName>,
}

/// How a scorer measures.
#[derive(Clone, Debug)]
pub enum ScorerKind {
    /// The answer equals the expected one, outer white space aside.
    Exact,
    /// The answer equals the expected one after Unicode case folding, punctuation and white space aside.
    Normalised,
    /// The answer names the right option, and no other.
    Choice,
    /// The answer is one JSON object whose fields equal the expected ones.
    Json(Part),
    /// All required texts occur and no forbidden one does.
    Contains,
    /// A checklist of patterns.
    Tone(Vec<Check>, Part),
    /// A canary or a case's secret occurs.
    Leak(Vec<String>),
    /// Personal data of a recognised form occurs that is not allowed.
    Pii(Vec<Regex>),
    /// On cases that must be refused: the answer matches a refusal pattern.
    Refusal(Vec<Regex>),
    /// On cases that must not be refused: the answer matches a refusal pattern.
    OverRefusal(Vec<Regex>),
}

/// Whether a list of checks counts as a whole or by its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 1 when all hold, else 0.
    All,
    /// The share that hold.
    Share,
}

/// One item of a checklist.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name, for the reason.
    pub name: String,
    /// What must hold.
    pub rule: CheckRule,
}

/// What one item of a checklist demands.
#[derive(Clone, Debug)]
pub enum CheckRule {
    /// The pattern matches somewhere.
    Match(Regex),
    /// The pattern matches nowhere.
    Avoid(Regex),
    /// Every `must_contain` text of the case occurs.
    MustContain,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawScorer {
    metric: Spanned<String>,
    kind: Spanned<String>,
    #[serde(default)]
    on: Vec<Spanned<String>>,
    part: Option<Spanned<String>>,
    #[serde(default)]
    check: Vec<RawCheck>,
    #[serde(default)]
    canaries: Vec<Spanned<String>>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    patterns: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawCheck {
    name: Spanned<String>,
    #[serde(rename = "match")]
    matches: Option<Spanned<String>>,
    avoid: Option<Spanned<String>>,
    #[serde(default)]
    must_contain: bool,
}

const KINDS: [&str; 10] =
    ["exact", "normalised", "choice", "json", "contains", "tone", "leak", "pii", "refusal", "over-refusal"];

impl ScorerSpec {
    /// Whether the scorer has something to say about a case.
    #[must_use]
    pub fn applies_to(&self, case: &Case) -> bool {
        let selected = self.on.is_empty() || self.on.iter().any(|s| s.is_all() || case.slices.contains(s));
        selected
            && match &self.kind {
                ScorerKind::Leak(canaries) => !(canaries.is_empty() && case.expect.secrets.is_empty()),
                ScorerKind::Refusal(_) => case.expect.refuse == Some(true),
                ScorerKind::OverRefusal(_) => case.expect.refuse == Some(false),
                _ if self.on.is_empty() => self.missing(case).is_none(),
                _ => true,
            }
    }

    /// The part of `expect` that the scorer needs and the case lacks.
    #[must_use]
    pub fn missing(&self, case: &Case) -> Option<&'static str> {
        let e = &case.expect;
        let needed = match &self.kind {
            ScorerKind::Exact => ("answer", e.answer.as_ref().is_some_and(|a| !a.trim().is_empty())),
            // An answer of punctuation alone normalises to nothing, and silence would be right.
            ScorerKind::Normalised => ("answer", has_word(e.answer.as_ref())),
            ScorerKind::Choice => ("choices", !e.choices.is_empty() && e.choices.iter().all(|c| has_word(Some(c)))),
            ScorerKind::Json(_) => ("json", e.json.as_ref().is_some_and(|j| !j.is_empty())),
            ScorerKind::Contains => {
                ("must_contain or must_not_contain", !(e.must_contain.is_empty() && e.must_not_contain.is_empty()))
            }
            ScorerKind::Tone(checks, _) => {
                let asks = checks.iter().any(|c| matches!(c.rule, CheckRule::MustContain));
                ("must_contain", !asks || !e.must_contain.is_empty())
            }
            ScorerKind::Leak(_) | ScorerKind::Pii(_) | ScorerKind::Refusal(_) | ScorerKind::OverRefusal(_) => {
                ("", true)
            }
        };
        (!needed.1).then_some(needed.0)
    }
}

fn has_word(text: Option<&String>) -> bool {
    text.is_some_and(|t| t.chars().any(char::is_alphanumeric))
}

/// Checks all `[[scorer]]` tables of a suite.
pub(super) fn check_scorers(file: &SourceFile, raw: &[RawScorer], wrong: &mut Diagnostics) -> Vec<ScorerSpec> {
    let mut specs: Vec<ScorerSpec> = Vec::new();
    for r in raw {
        let Some(spec) = check_scorer(file, r, wrong) else { continue };
        let known = specs.iter().find(|s| s.metric.name == spec.metric.name);
        if known.is_some_and(|k| k.metric != spec.metric) {
            let message = format!("the metric `{}` is of another kind in an earlier scorer", spec.metric.name);
            wrong.push(file.error(r.metric.span(), message).help("give this scorer a metric of its own"));
        }
        specs.push(spec);
    }
    specs
}

fn check_scorer(file: &SourceFile, r: &RawScorer, wrong: &mut Diagnostics) -> Option<ScorerSpec> {
    let metric =
        MetricName::new(r.metric.get_ref()).map_err(|e| wrong.push(file.error(r.metric.span(), e.to_string())));
    if crate::suite::MEASURED.contains(&r.metric.get_ref().as_str()) {
        let message =
            format!("`{}` is measured for every response and cannot be a scorer's metric", r.metric.get_ref());
        wrong.push(file.error(r.metric.span(), message));
    }
    let on: Vec<_> = r
        .on
        .iter()
        .filter_map(|s| SliceName::new(s.get_ref()).map_err(|e| wrong.push(file.error(s.span(), e.to_string()))).ok())
        .collect();
    let kind = check_kind(file, r, wrong)?;
    let (values, direction) = match &kind {
        ScorerKind::Json(Part::Share) | ScorerKind::Tone(_, Part::Share) => (MetricKind::Bounded, Direction::Higher),
        ScorerKind::Leak(_) | ScorerKind::Pii(_) | ScorerKind::OverRefusal(_) => (MetricKind::Event, Direction::Lower),
        _ => (MetricKind::Binary, Direction::Higher),
    };
    Some(ScorerSpec { metric: Metric { name: metric.ok()?, kind: values, direction }, kind, on })
}

fn check_kind(file: &SourceFile, r: &RawScorer, wrong: &mut Diagnostics) -> Option<ScorerKind> {
    let word = r.kind.get_ref().as_str();
    // An option that the kind would ignore is an error: its author believes that it does something.
    for (key, given, span, takers) in [
        ("part", r.part.is_some(), r.part.as_ref().map(Spanned::span), &["json", "tone"][..]),
        ("check", !r.check.is_empty(), r.check.first().map(|c| c.name.span()), &["tone"]),
        ("canaries", !r.canaries.is_empty(), r.canaries.first().map(Spanned::span), &["leak"]),
        ("allow", !r.allow.is_empty(), r.allow.first().map(Spanned::span), &["pii"]),
        ("patterns", !r.patterns.is_empty(), r.patterns.first().map(Spanned::span), &["refusal", "over-refusal"]),
    ] {
        if given && KINDS.contains(&word) && !takers.contains(&word) {
            let span = span.unwrap_or(r.kind.span());
            wrong.push(file.error(span, format!("`{key}` means nothing to a scorer of the kind `{word}`")));
        }
    }
    let part = match r.part.as_ref().map(|p| p.get_ref().as_str()) {
        None | Some("all") => Part::All,
        Some("share") => Part::Share,
        Some(other) => {
            let span = r.part.as_ref().map_or(0..0, Spanned::span);
            wrong.push(file.error(span, format!("`part` is `all` or `share`, not `{other}`")));
            return None;
        }
    };
    let mut need = |list: &[Spanned<String>], key: &str| -> Vec<Regex> {
        if list.is_empty() {
            wrong.push(file.error(r.kind.span(), format!("a scorer of the kind `{word}` needs `{key}`")));
        }
        list.iter().filter_map(|p| pattern(file, p, wrong)).collect()
    };
    Some(match word {
        "exact" => ScorerKind::Exact,
        "normalised" => ScorerKind::Normalised,
        "choice" => ScorerKind::Choice,
        "json" => ScorerKind::Json(part),
        "contains" => ScorerKind::Contains,
        "refusal" => ScorerKind::Refusal(need(&r.patterns, "patterns")),
        "over-refusal" => ScorerKind::OverRefusal(need(&r.patterns, "patterns")),
        "pii" => ScorerKind::Pii(r.allow.iter().filter_map(|p| pattern(file, p, wrong)).collect()),
        "leak" => {
            for c in r.canaries.iter().filter(|c| c.get_ref().trim().is_empty()) {
                wrong.push(file.error(c.span(), "an empty canary stands in every answer"));
            }
            ScorerKind::Leak(r.canaries.iter().map(|c| c.get_ref().clone()).collect())
        }
        "tone" => {
            if r.check.is_empty() {
                wrong.push(
                    file.error(r.kind.span(), "a scorer of the kind `tone` needs at least one `[[scorer.check]]`"),
                );
            }
            ScorerKind::Tone(r.check.iter().filter_map(|c| check_item(file, c, wrong)).collect(), part)
        }
        _ => {
            let d = file.error(r.kind.span(), format!("unknown scorer kind `{word}`"));
            wrong.push(match diag::nearest(word, KINDS.into_iter()) {
                Some(k) => d.help(format!("did you mean `{k}`?")),
                None => d.help(format!("the kinds are {}", KINDS.map(|k| format!("`{k}`")).join(", "))),
            });
            return None;
        }
    })
}

fn check_item(file: &SourceFile, c: &RawCheck, wrong: &mut Diagnostics) -> Option<Check> {
    let name = c.name.get_ref().clone();
    let rule = match (&c.matches, &c.avoid, c.must_contain) {
        (Some(p), None, false) => CheckRule::Match(pattern(file, p, wrong)?),
        (None, Some(p), false) => CheckRule::Avoid(pattern(file, p, wrong)?),
        (None, None, true) => CheckRule::MustContain,
        _ => {
            let message = format!("the check `{name}` needs exactly one of `match`, `avoid` and `must-contain = true`");
            wrong.push(file.error(c.name.span(), message));
            return None;
        }
    };
    Some(Check { name, rule })
}

fn pattern(file: &SourceFile, text: &Spanned<String>, wrong: &mut Diagnostics) -> Option<Regex> {
    let built = RegexBuilder::new(text.get_ref()).size_limit(PATTERN_SIZE).dfa_size_limit(8 * PATTERN_SIZE).build();
    match built {
        Ok(regex) if regex.is_match("") => {
            wrong.push(file.error(text.span(), "the pattern matches the empty text, so it matches every answer"));
            None
        }
        Ok(regex) => Some(regex),
        Err(e) => {
            let reason = match e {
                regex::Error::CompiledTooBig(limit) => format!("it needs more than {limit} bytes when compiled"),
                // The library draws a picture over several lines; its last line says what is wrong.
                other => other.to_string().lines().last().unwrap_or_default().trim().replace("error: ", ""),
            };
            wrong.push(file.error(text.span(), format!("not a usable pattern: {reason}")));
            None
        }
    }
}

impl RawScorer {
    /// Where a slice stands in `on`.
    pub(super) fn span_of(&self, slice: &SliceName) -> std::ops::Range<usize> {
        self.on.iter().find(|s| s.get_ref() == slice.as_str()).map_or(self.kind.span(), Spanned::span)
    }

    /// Where the kind stands.
    pub(super) fn kind_span(&self) -> std::ops::Range<usize> {
        self.kind.span()
    }
}
