//! Whether a policy can be applied to a suite: checked before the first question is asked.

use super::policy::{Criterion, Policy, Rule};
use crate::suite::Suite;
use crate::suite::diag::{Diagnostics, nearest};
use crate::types::{Metric, MetricKind};

/// Checks that every criterion names a metric and a slice of the suite, and asks of the metric what its kind can answer.
///
/// # Errors
/// Every mismatch, placed in the policy.
pub fn check_fit(policy: &Policy, suite: &Suite) -> Result<(), Diagnostics> {
    let mut wrong = Diagnostics::default();
    let (metrics, slices) = (suite.metrics(), suite.slices());
    for c in policy.criteria() {
        let Some(metric) = metrics.iter().find(|m| m.name == c.metric) else {
            let message = format!("the suite `{}` has no metric `{}`", suite.name(), c.metric);
            let d = policy.error_at_metric(&c.id, message);
            let known = metrics.iter().map(|m| m.name.as_str());
            let list = format!(
                "its metrics are {}",
                metrics.iter().map(|m| format!("`{}`", m.name)).collect::<Vec<_>>().join(", ")
            );
            wrong.push(match nearest(c.metric.as_str(), known) {
                Some(k) => d.help(format!("did you mean `{k}`?")),
                None => d.help(list),
            });
            continue;
        };
        if !slices.contains(&c.slice) {
            let d = policy.error_at_slice(&c.id, format!("the suite `{}` has no slice `{}`", suite.name(), c.slice));
            wrong.push(match nearest(c.slice.as_str(), slices.iter().map(crate::types::SliceName::as_str)) {
                Some(k) => d.help(format!("did you mean `{k}`?")),
                None => d,
            });
        } else if !any_case(suite, c) {
            let message = format!("no case of the slice `{}` yields `{}`", c.slice, c.metric);
            wrong.push(policy.error_at_slice(&c.id, message));
        }
        if c.max_severe.is_some() && metric.kind != MetricKind::Bounded {
            let message = format!("`max-severe` needs a score between 0 and 1, and `{}` is none", metric.name);
            wrong.push(policy.error_at_metric(&c.id, message));
        }
        if let Some(message) = unanswerable(metric, &c.rule) {
            wrong.push(policy.error_at_metric(&c.id, message));
        }
    }
    wrong.or(())
}

fn any_case(suite: &Suite, c: &Criterion) -> bool {
    let in_slice = |case: &&crate::suite::Case| c.slice.is_all() || case.slices.contains(&c.slice);
    let mut cases = suite.cases().iter().filter(in_slice);
    let scorers: Vec<_> = suite.scorers().iter().filter(|s| s.metric.name == c.metric).collect();
    if scorers.is_empty() {
        cases.next().is_some()
    } else {
        cases.any(|case| scorers.iter().any(|s| s.applies_to(case)))
    }
}

/// Why a rule asks nothing, or something else than its author means.
fn unanswerable(metric: &Metric, rule: &Rule) -> Option<String> {
    let name = &metric.name;
    let share = metric.is_share();
    match *rule {
        Rule::NoneObserved { .. } if metric.kind != MetricKind::Event => {
            Some(format!("`none-observed` needs a metric of events, and `{name}` is none"))
        }
        Rule::NoneObserved { max_rate } if max_rate > 0.5 => {
            Some(format!("a `max-rate` of {max_rate} asks next to nothing: write at most 0.5"))
        }
        Rule::Superior { by: x }
        | Rule::NonInferior { margin: x }
        | Rule::Equivalent { margin: x }
        | Rule::AtMost { limit: x }
        | Rule::AtLeast { limit: x }
            if share && x > 1.0 =>
        {
            Some(format!("`{name}` is a share: write {} for {x} per cent", x / 100.0))
        }
        Rule::NonInferior { margin: x } | Rule::Equivalent { margin: x } if share && x > 0.5 => {
            Some(format!("a margin of {x} for the share `{name}` asks next to nothing: write at most 0.5"))
        }
        Rule::NonInferior { margin: x } | Rule::Equivalent { margin: x } if !share && x >= 1.0 => {
            let meant = x / 100.0;
            Some(format!("`{name}` is compared as a ratio: write {meant} for {x} per cent, and less than 1"))
        }
        Rule::Superior { by: x } if !share && x >= 1.0 => {
            Some(format!("`{name}` cannot fall by {:.0} per cent", x * 100.0))
        }
        Rule::AtLeast { limit: 0.0 } => Some(format!("`{name}` is always at least 0: the criterion asks nothing")),
        Rule::AtMost { limit: x } if share && x > 0.5 => {
            Some(format!("a limit of {x} for the share `{name}` asks next to nothing: write at most 0.5"))
        }
        _ => None,
    }
}
