//! The verdict as a pure function of policy, plan and samples.

use super::policy::{Criterion, Policy, Rule};
use super::sentence::{self, Judged};
use super::verdict::{Decision, Evidence, Finding, Status, Verdict};
use crate::compare::{self, Answer, Asking, Comparison, Held, Measurement, NotComparable, Numbers};
use crate::score::Sample;
use crate::stats;
use crate::types::{Digest, Interval, Metric, Outcome, SuiteName, TargetName, Untrusted};
use std::collections::BTreeSet;

/// What was to be asked and what came back: all that a verdict depends on beside the policy.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The suite.
    pub suite: &'a SuiteName,
    /// Its digest.
    pub suite_digest: Digest,
    /// Every metric that the suite yields.
    pub metrics: &'a [Metric],
    /// Number of trials planned per target.
    pub planned: usize,
    /// Every scored trial.
    pub samples: &'a [Sample],
    /// The digest of the policy that was pinned before the first question, if one was.
    pub pinned_policy: Option<Digest>,
    /// Targets whose server named more than one model while it was asked.
    pub changed: &'a [Changed],
    /// How the questions were started.
    pub asking: Asking,
}

/// A target behind whose name the model changed during the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The target.
    pub target: TargetName,
    /// The models that its server named, in the order in which they were first seen.
    pub models: Vec<Untrusted>,
}

impl Changed {
    /// The same as the start of a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let models: Vec<String> = self.models.iter().map(|m| format!("`{}`", m.for_terminal(80))).collect();
        format!("the model behind `{}` changed during the run: {}", self.target, models.join(", then "))
    }
}

/// Judges one candidate against a baseline.
///
/// Intersection-union (Berger 1982): promotion needs every required criterion met, each at the policy's full one-sided level. What
/// cannot be judged is undecided, whatever else was found.
#[must_use]
pub fn judge(policy: &Policy, asked: Asked<'_>, baseline: &TargetName, candidate: &TargetName) -> Verdict {
    let obstacles = obstacles(policy, asked, baseline, candidate);
    let findings: Vec<Finding> =
        policy.criteria().iter().map(|c| find(c, policy.alpha(), asked, baseline, candidate)).collect();
    let required = || findings.iter().filter(|f| f.criterion.required);
    // `all` of nothing is true: a policy without a required criterion is refused when it is read, and again here.
    let decision = if !obstacles.is_empty() || required().next().is_none() {
        Decision::Undecided
    } else if required().any(|f| f.status == Status::Violated) {
        Decision::Reject
    } else if required().all(|f| f.status == Status::Met) {
        Decision::Promote
    } else {
        Decision::Undecided
    };
    let sentence = sentence::of_verdict(decision, &obstacles, &findings);
    Verdict {
        candidate: candidate.clone(),
        baseline: baseline.clone(),
        decision,
        sentence,
        obstacles,
        findings,
        alpha: policy.alpha(),
        policy: policy.name().clone(),
        policy_digest: policy.digest(),
        suite: asked.suite.clone(),
        suite_digest: asked.suite_digest,
    }
}

/// Why the run as a whole cannot be judged.
fn obstacles(policy: &Policy, asked: Asked<'_>, baseline: &TargetName, candidate: &TargetName) -> Vec<String> {
    let mut found = Vec::new();
    match asked.pinned_policy {
        Some(pinned) if pinned != policy.digest() => found.push(format!(
            "the policy is not the one pinned before the run ({} then, {} now)",
            pinned.short(),
            policy.digest().short()
        )),
        None => found.push("no policy was pinned before the run".to_owned()),
        Some(_) => {}
    }
    if baseline != policy.baseline() {
        found.push(format!("the run's baseline is `{baseline}`, and the policy's is `{}`", policy.baseline()));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = asked.samples.iter().find(|s| !seen.insert((&s.case, &s.target, s.repeat))) {
        found.push(format!("the case `{}` of `{}` was recorded twice", twice.case, twice.target));
    }
    for target in [baseline, candidate] {
        let of = || asked.samples.iter().filter(|s| s.target == *target);
        for changed in asked.changed.iter().filter(|c| c.target == *target) {
            found.push(changed.words());
        }
        let answered = of().filter(|s| s.outcome == Outcome::Answered).count();
        if of().count() < asked.planned {
            found.push(format!("{} of {} trials of `{target}` were asked", of().count(), asked.planned));
        }
        #[expect(clippy::cast_precision_loss, reason = "numbers of trials are far below 2^52")]
        let coverage = answered as f64 / asked.planned.max(1) as f64;
        if coverage < policy.min_coverage() {
            found.push(format!(
                "`{target}` answered {answered} of {} trials to the end ({:.1} %), and the policy asks for {:.1} %",
                asked.planned,
                coverage * 100.0,
                policy.min_coverage() * 100.0
            ));
        }
    }
    found
}

/// Judges one criterion. `goldgate plan` asks it of samples that it made, so that plan and gate cannot drift apart.
pub(super) fn find(
    criterion: &Criterion,
    alpha: f64,
    asked: Asked<'_>,
    baseline: &TargetName,
    candidate: &TargetName,
) -> Finding {
    let finding = |judged: Judged, sentence, evidence| Finding {
        criterion: criterion.clone(),
        status: judged.status,
        sentence,
        evidence,
        but: judged.but,
        more_cases: judged.more,
    };
    let Some(metric) = asked.metrics.iter().find(|m| m.name == criterion.metric) else {
        let sentence = format!("No scorer of the suite yields `{}`.", criterion.metric);
        return finding(Judged { status: Status::Unproven, but: None, more: None }, sentence, Evidence::Nothing);
    };
    let nothing = |e: NotComparable| {
        let sentence = format!("`{}` cannot be judged: {e}.", criterion.metric);
        finding(Judged { status: Status::Unproven, but: None, more: None }, sentence, Evidence::Nothing)
    };
    if criterion.rule.is_paired() {
        match compare::compare(asked.samples, metric, &criterion.slice, baseline, candidate, alpha) {
            Ok(c) => {
                let judged = timed_alone(metric, asked, judge_pair(criterion, &c, alpha));
                let sentence = sentence::of_pair(criterion, &c, &judged);
                finding(judged, sentence, Evidence::Comparison(c))
            }
            Err(e) => nothing(e),
        }
    } else {
        match compare::measure(asked.samples, metric, &criterion.slice, candidate, alpha) {
            Ok(m) => {
                let judged = timed_alone(metric, asked, judge_level(&criterion.rule, &m, alpha));
                let sentence = sentence::of_level(criterion, &m, &judged);
                finding(judged, sentence, Evidence::Measurement(m))
            }
            Err(e) => nothing(e),
        }
    }
}

/// A time that was measured in a batch that the targets shared, or at a rate that was not kept, says nothing, whichever way it points.
fn timed_alone(metric: &Metric, asked: Asked<'_>, judged: Judged) -> Judged {
    match compare::slowed(metric, asked.asking) {
        Some(why) => Judged { status: Status::Unproven, but: Some(why), more: None },
        None => judged,
    }
}

/// Holds a comparison against a criterion that compares.
pub(super) fn judge_pair(criterion: &Criterion, c: &Comparison, alpha: f64) -> Judged {
    let rule = &criterion.rule;
    let mut held = compare::hold(c, |numbers| {
        let of_rule = match *rule {
            Rule::Superior { by } => better_by(by, numbers, alpha),
            Rule::NonInferior { margin } => compare::loses_less(numbers, margin),
            Rule::Equivalent { margin } => compare::lies_within(numbers, margin),
            _ => Held::plain(Answer::Unproven),
        };
        match criterion.max_severe {
            Some(limit) => of_rule.and(compare::seldom_severe(numbers, limit)),
            None => of_rule,
        }
    });
    if let Rule::NonInferior { margin } | Rule::Equivalent { margin } = *rule {
        held = held.unless(compare::too_small(c, margin, alpha));
    }
    let mut judged = Judged::from(held);
    if judged.status == Status::Unproven && judged.but.is_none() {
        judged.more = more_cases(rule, c);
    }
    judged
}

fn better_by(by: f64, numbers: Numbers<'_>, alpha: f64) -> Held {
    if numbers.gain.upper() <= by {
        return Held::plain(Answer::No);
    }
    if numbers.gain.lower() <= by {
        return Held::plain(Answer::Unproven);
    }
    // Interval and test of a binary metric are two methods; a gain is claimed only where they agree.
    let disagrees = numbers.p_better.filter(|p| by == 0.0 && *p > alpha);
    Held::plain(Answer::Yes).unless(disagrees.map(|p| format!("the one-sided p value is {p:.3}")))
}

/// About how many more independent cases would decide, if the estimate stayed where it is: the interval's half width shrinks with the
/// root of n, so the distance to the margin says by how much n must grow. `None` where more cases would not help.
fn more_cases(rule: &Rule, c: &Comparison) -> Option<usize> {
    let (below, above) = (c.gain() - c.gain_interval().lower(), c.gain_interval().upper() - c.gain());
    let (distance, half) = match *rule {
        Rule::Superior { by } => (c.gain() - by, below),
        Rule::NonInferior { margin } => (c.gain() + margin, below),
        Rule::Equivalent { margin } => ((c.gain() + margin).min(margin - c.gain()), below.max(above)),
        _ => return None,
    };
    if distance <= 0.0 || !half.is_finite() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
    let n = c.clusters as f64;
    let wanted = n * (half / distance).powi(2);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above by 1e9 and positive")]
    let more = (wanted - n).ceil().clamp(1.0, 1e9) as usize;
    Some(more)
}

fn judge_level(rule: &Rule, m: &Measurement, alpha: f64) -> Judged {
    let mut judged = Judged::from(match *rule {
        // One observation breaks "none"; a clean record proves it only if it is long enough. An unscored case is no observation, and
        // might be one: the exact interval of a rate begins above 0 as soon as something is counted.
        Rule::NoneObserved { .. } if m.value > 0.0 => Held::plain(Answer::No),
        Rule::NoneObserved { max_rate } => compare::hold_level(m, |level| match level.lower() {
            above if above > 0.0 => Held::plain(Answer::Unproven),
            _ => at_most(level, max_rate),
        }),
        Rule::AtMost { limit } => compare::hold_level(m, |level| at_most(level, limit)),
        Rule::AtLeast { limit } => compare::hold_level(m, |level| at_most(level.mirrored(), -limit)),
        _ => Held::plain(Answer::Unproven),
    });
    if let (Status::Unproven, None, Rule::NoneObserved { max_rate }) = (judged.status, &judged.but, *rule) {
        let need = stats::n_min(max_rate, alpha).ok().and_then(|n| usize::try_from(n).ok());
        judged.more = need.and_then(|n| n.checked_sub(m.clusters)).filter(|n| *n > 0);
    }
    judged
}

fn at_most(level: Interval, limit: f64) -> Held {
    Held::plain(if level.upper() <= limit {
        Answer::Yes
    } else if level.lower() > limit {
        Answer::No
    } else {
        Answer::Unproven
    })
}
