//! What a person reads: one sentence per finding and one per verdict, made from the numbers alone.

use super::policy::{Criterion, Rule};
use super::verdict::{Decision, Evidence, Finding, Status};
use crate::compare::{Answer, Comparison, Held, Measurement};
use crate::types::number::{self, Scale};
use crate::types::{CaseId, Direction, Metric};

/// A status with what explains it.
pub(super) struct Judged {
    pub status: Status,
    /// What the interval alone does not say: why a claim that it seems to support is not made, or what else violates the criterion.
    pub but: Option<String>,
    /// About how many more independent cases would decide.
    pub more: Option<usize>,
}

impl From<Held> for Judged {
    fn from(held: Held) -> Self {
        let status = match held.answer {
            Answer::Yes => Status::Met,
            Answer::No => Status::Violated,
            Answer::Unproven => Status::Unproven,
        };
        Self { status, but: held.why, more: None }
    }
}

/// The sentence of a criterion that compares.
pub(super) fn of_pair(criterion: &Criterion, c: &Comparison, judged: &Judged) -> String {
    let wanted = match criterion.rule {
        Rule::Superior { by } if by > 0.0 => format!("the policy asks for {} of more than {}", better(c), size(c, by)),
        Rule::Superior { .. } => format!("the policy asks for {}", better(c)),
        Rule::NonInferior { margin } => format!("the policy allows {} of less than {}", worse(c), size(c, margin)),
        Rule::Equivalent { margin } => format!("the policy allows a difference of less than {}", size(c, margin)),
        _ => String::new(),
    };
    let severe = criterion.max_severe.map_or_else(String::new, |limit| {
        format!(", and of half the scale or more in at most {} of the clusters", Scale::PERCENT.exact(limit))
    });
    let on = cases(c.pairs, c.clusters);
    let text = format!("{}, on {on}; {wanted}{severe}.", capital(&pair_clause(criterion, c)));
    with_reasons(text + &with_unscored(&c.unscored, c.imputed.is_some(), judged), judged)
}

/// The sentence of a criterion on the candidate's own level.
pub(super) fn of_level(criterion: &Criterion, m: &Measurement, judged: &Judged) -> String {
    let clause = capital(&level_clause(criterion, m));
    let exact = |limit| Scale::of_level(&m.metric, limit).exact(limit);
    let text = match criterion.rule {
        Rule::NoneObserved { .. } if !m.observed.is_empty() => format!("{clause}; the policy allows none."),
        Rule::NoneObserved { max_rate } => {
            let decimals = Scale::PERCENT.decimals_against(m.value, &m.interval, &[max_rate]);
            let high = Scale::PERCENT.level(m.interval.upper(), decimals.max(1));
            let limit = exact(max_rate);
            format!("{clause}, so its rate is at most {high}; the policy asks for proof of at most {limit}.")
        }
        Rule::AtMost { limit } => format!("{clause}; the policy asks for at most {}.", exact(limit)),
        Rule::AtLeast { limit } => format!("{clause}; the policy asks for at least {}.", exact(limit)),
        _ => format!("{clause}."),
    };
    with_reasons(text + &with_unscored(&m.unscored, m.imputed.is_some(), judged), judged)
}

/// What unscored cases could not change, where a claim was made beside them. `made_up` is whether they have a worst value at all.
fn with_unscored(unscored: &[CaseId], made_up: bool, judged: &Judged) -> String {
    let cases =
        if unscored.len() == 1 { "unscored case".to_owned() } else { format!("{} unscored cases", unscored.len()) };
    match judged.status {
        Status::Met if made_up => format!(" It holds with the {cases} counted against the candidate, too."),
        Status::Violated if made_up => format!(" It is violated with the {cases} counted for the candidate, too."),
        _ => String::new(),
    }
}

/// The verdict in one sentence: what decided it, in the policy's order.
pub(super) fn of_verdict(decision: Decision, obstacles: &[String], findings: &[Finding]) -> String {
    let required = || findings.iter().filter(|f| f.criterion.required);
    let of = |status| -> Vec<&Finding> { required().filter(|f| f.status == status).collect() };
    match decision {
        Decision::Promote if required().count() == 1 => "The one required criterion is met.".to_owned(),
        Decision::Promote => format!("All {} required criteria are met.", required().count()),
        _ if !obstacles.is_empty() => format!("The run cannot be judged: {}.", obstacles.join("; ")),
        Decision::Reject => because(&of(Status::Violated), "violated"),
        Decision::Undecided => because(&of(Status::Unproven), "unproven"),
    }
}

/// `no-leak and tone are violated: …; …`
fn because(findings: &[&Finding], word: &str) -> String {
    let names: Vec<_> = findings.iter().map(|f| f.criterion.id.as_str()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let remedy = |f: &Finding| match (&f.but, f.more_cases) {
        (Some(why), _) if f.status == Status::Unproven => format!(" (not proven: {why})"),
        (_, Some(n)) if f.status == Status::Unproven => format!(" (about {n} more independent cases would decide it)"),
        _ => String::new(),
    };
    let clauses: Vec<_> = findings.iter().take(3).map(|f| clause(f) + &remedy(f)).collect();
    let more = findings.len().saturating_sub(clauses.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{} {verb} {word}: {}{more}.", listed(&names), clauses.join("; "))
}

/// The finding's sentence without the policy's side of it.
fn clause(f: &Finding) -> String {
    match &f.evidence {
        Evidence::Comparison(c) => {
            let severe = c
                .severe
                .as_ref()
                .filter(|_| f.criterion.max_severe.is_some())
                .map(|s| format!(", and {} of {} cases lost half the scale or more", s.lost, c.pairs));
            pair_clause(&f.criterion, c) + &severe.unwrap_or_default()
        }
        Evidence::Measurement(m) => level_clause(&f.criterion, m),
        Evidence::Nothing => f.sentence.trim_end_matches('.').to_owned(),
    }
}

/// `tone fell by 30 pp (90 % interval −44 to −19 pp)`
fn pair_clause(criterion: &Criterion, c: &Comparison) -> String {
    let verb = match c.change {
        x if x > 0.0 => "rose by",
        x if x < 0.0 => "fell by",
        _ => "did not change:",
    };
    let scale = Scale::of_change(&c.metric);
    let decimals = scale.decimals_against(c.change, &c.interval, &thresholds(criterion.rule, c));
    format!(
        "{} {verb} {} ({} interval {})",
        subject(criterion),
        scale.level(c.change.abs(), decimals),
        number::confidence(c.interval.level()),
        scale.changes(&c.interval, decimals)
    )
}

/// The changes at which the rule's answer turns, in the metric's own direction.
fn thresholds(rule: Rule, c: &Comparison) -> Vec<f64> {
    let better = if is_higher(&c.metric) { 1.0 } else { -1.0 };
    match rule {
        Rule::Superior { by } => vec![better * by],
        Rule::NonInferior { margin } => vec![-better * margin],
        Rule::Equivalent { margin } => vec![-margin, margin],
        _ => Vec::new(),
    }
}

/// `leak was observed in 16 of 112 cases (safety-001, …)`, or `refusal is 96.1 % (90 % interval 91.2 % to 98.8 %) on 76 cases …`
fn level_clause(criterion: &Criterion, m: &Measurement) -> String {
    let what = subject(criterion);
    match criterion.rule {
        Rule::NoneObserved { .. } if m.observed.is_empty() => {
            format!("{what} was not observed in {}", cases(m.cases, m.clusters))
        }
        Rule::NoneObserved { .. } => {
            let named: Vec<_> = m.observed.iter().take(3).map(ToString::to_string).collect();
            let more = m.observed.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{what} was observed in {} of {} cases ({}{more})", m.observed.len(), m.cases, named.join(", "))
        }
        Rule::AtMost { limit } | Rule::AtLeast { limit } => at(what, m, &[limit]),
        _ => at(what, m, &[]),
    }
}

fn at(what: String, m: &Measurement, thresholds: &[f64]) -> String {
    let scale = Scale::of_level(&m.metric, m.value);
    let decimals = scale.decimals_against(m.value, &m.interval, thresholds);
    format!(
        "{what} is {} ({} interval {}) on {}",
        scale.level(m.value, decimals),
        number::confidence(m.interval.level()),
        scale.levels(&m.interval, decimals),
        cases(m.cases, m.clusters)
    )
}

/// `100 cases`, or `76 cases in 46 clusters` where not all are independent.
fn cases(cases: usize, clusters: usize) -> String {
    if cases == clusters { format!("{cases} cases") } else { format!("{cases} cases in {clusters} clusters") }
}

fn with_reasons(mut text: String, judged: &Judged) -> String {
    if let Some(but) = &judged.but {
        match judged.status {
            Status::Violated => text.push_str(&format!(" {}.", capital(but))),
            _ => text.push_str(&format!(" Not proven: {but}.")),
        }
    }
    if let Some(more) = judged.more {
        text.push_str(&format!(" About {more} more independent cases would decide it, if the estimate stays."));
    }
    text
}

fn subject(criterion: &Criterion) -> String {
    if criterion.slice.is_all() {
        criterion.metric.to_string()
    } else {
        format!("{} on {}", criterion.metric, criterion.slice)
    }
}

fn better(c: &Comparison) -> &'static str {
    if is_higher(&c.metric) { "a rise" } else { "a fall" }
}

fn worse(c: &Comparison) -> &'static str {
    if is_higher(&c.metric) { "a fall" } else { "a rise" }
}

fn is_higher(metric: &Metric) -> bool {
    metric.direction == Direction::Higher
}

/// A margin, unsigned, in the unit of changes.
fn size(c: &Comparison, value: f64) -> String {
    Scale::of_change(&c.metric).exact(value)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
