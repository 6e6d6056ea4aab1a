//! From a judged run to the report's model. Every number comes from `compare`; nothing is computed here but lookups.

use super::CliError;
use crate::compare;
use crate::gate::Verdict;
use crate::report::{AnswerRow, CaseRow, ReportModel, RunFacts, TargetFacts, TokenSaving};
use crate::score::Sample;
use crate::store::{ArmRef, Record, SealedRun, TrialResult};
use crate::suite::{Case, ScorerKind, Suite};
use crate::types::{CaseId, Interval, MetricName, SliceName, TargetName, ToolCall, Untrusted};
use regex::RegexBuilder;
use std::collections::BTreeMap;

/// Builds the report's model.
///
/// # Errors
/// When a prompt does not render, which loading the suite has excluded.
pub fn build(
    run: &SealedRun,
    suite: &Suite,
    samples: &[Sample],
    verdicts: Vec<Verdict>,
    alpha: f64,
) -> Result<ReportModel, CliError> {
    let arms = &run.manifest.arms;
    let pairs = || arms.first().into_iter().flat_map(|b| arms[1..].iter().map(move |c| (&b.name, &c.name)));
    let (metrics, slices) = (suite.metrics(), suite.slices());
    let mut comparisons = Vec::new();
    let mut savings = Vec::new();
    for (baseline, candidate) in pairs() {
        for metric in &metrics {
            for slice in &slices {
                // A slice without the metric has no comparison; that is no mistake, since a metric belongs to some tasks only.
                comparisons.extend(compare::compare(samples, metric, slice, baseline, candidate, alpha));
            }
        }
        savings.extend(saving(samples, baseline, candidate, &comparisons));
    }
    Ok(ReportModel {
        run: facts(run, suite, samples.len()),
        targets: arms.iter().enumerate().map(|(i, a)| target(a, i == 0)).collect(),
        verdicts,
        comparisons,
        savings,
        cases: rows(run, suite, samples)?,
    })
}

fn facts(run: &SealedRun, suite: &Suite, recorded: usize) -> RunFacts {
    let m = &run.manifest;
    let name = run.dir.path().file_name().map_or_else(|| "run".to_owned(), |n| n.to_string_lossy().into_owned());
    RunFacts {
        name,
        suite: m.suite.name.clone(),
        suite_version: m.suite.version.clone(),
        suite_description: Untrusted::new(suite.description()),
        suite_digest: m.suite.digest,
        seed: m.seed,
        started: m.started.clone(),
        seconds: run.asked_seconds,
        planned: m.trials,
        recorded,
        version: m.version.clone(),
        command: m.repeat_command(),
        replay: m.replay.is_some(),
    }
}

fn target(arm: &ArmRef, is_baseline: bool) -> TargetFacts {
    TargetFacts {
        name: arm.name.clone(),
        is_baseline,
        kind: arm.kind.clone(),
        model: arm.model.clone(),
        adapter: arm.adapter.clone(),
        digest: arm.digest,
        prompt: arm.prompt.clone(),
    }
}

/// What a candidate saves, summed over the cases that both answered: the same cases as the comparison's.
fn saving(
    samples: &[Sample],
    baseline: &TargetName,
    candidate: &TargetName,
    comparisons: &[compare::Comparison],
) -> Option<TokenSaving> {
    let of = |metric: &str| {
        comparisons.iter().find(|c| c.metric.name.as_str() == metric && c.slice.is_all() && c.candidate == *candidate)
    };
    let (all, prompt, completion) = (of("tokens")?, of("prompt-tokens"), of("completion-tokens"));
    let interval = all.interval.mirrored();
    let total = |c: Option<&compare::Comparison>, name: &str, target: &TargetName| {
        // Without a comparison (all counts equal, say) the totals are still there to be summed.
        let value = match c {
            Some(c) if target == baseline => c.baseline_value,
            Some(c) => c.candidate_value,
            None => sum(samples, name, target),
        };
        whole(value)
    };
    Some(TokenSaving {
        candidate: candidate.clone(),
        cases: all.pairs,
        baseline_prompt: total(prompt, "prompt-tokens", baseline),
        baseline_completion: total(completion, "completion-tokens", baseline),
        candidate_prompt: total(prompt, "prompt-tokens", candidate),
        candidate_completion: total(completion, "completion-tokens", candidate),
        saved: -all.change,
        interval: Interval::new(interval.lower(), interval.upper(), interval.level()).ok()?,
    })
}

fn sum(samples: &[Sample], metric: &str, target: &TargetName) -> f64 {
    let Ok(metric) = MetricName::new(metric) else { return 0.0 };
    samples.iter().filter(|s| s.target == *target).filter_map(|s| s.score(&metric)?.value).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sums of token counts are whole, positive and below 2^52"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn rows(run: &SealedRun, suite: &Suite, samples: &[Sample]) -> Result<Vec<CaseRow>, CliError> {
    let mut records: BTreeMap<(&CaseId, &TargetName), &Record> = BTreeMap::new();
    for r in &run.records {
        records.insert((&r.case, &r.target), r);
    }
    let mut scored: BTreeMap<&CaseId, Vec<&Sample>> = BTreeMap::new();
    for s in samples {
        scored.entry(&s.case).or_default().push(s);
    }
    let baseline = run.manifest.arms.first();
    let canaries: Vec<&String> = suite
        .scorers()
        .iter()
        .filter_map(|s| if let ScorerKind::Leak(canaries) = &s.kind { Some(canaries) } else { None })
        .flatten()
        .collect();
    let mut rows = Vec::with_capacity(suite.cases().len());
    for case in suite.cases() {
        let question = match baseline {
            Some(b) => suite.prompt(&b.prompt, case).map_err(|d| CliError::Suite(d.into()))?,
            None => Vec::new(),
        };
        let answers = scored.get(&case.id).into_iter().flatten();
        rows.push(CaseRow {
            id: case.id.clone(),
            task: case.task.clone(),
            slices: case.slices.iter().filter(|s: &&SliceName| **s != case.task).cloned().collect(),
            question: withhold(question.last().map_or("", |t| &t.text), &canaries, case),
            expected: Untrusted::new(case.expected_text()),
            answers: answers
                .filter_map(|s| Some(answer(s, records.get(&(&s.case, &s.target))?, &canaries, case)))
                .collect(),
        });
    }
    Ok(rows)
}

fn answer(sample: &Sample, record: &Record, canaries: &[&String], case: &Case) -> AnswerRow {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a question are far below 2^52")]
    let seconds = |us: u64| us as f64 / 1e6;
    let (text, response) = match &record.result {
        TrialResult::Response(r) => (withhold(ToolCall::behind(&r.text, &r.tool_calls).raw(), canaries, case), Some(r)),
        TrialResult::Failure(f) => (f.message.clone(), None),
    };
    AnswerRow {
        target: sample.target.clone(),
        outcome: sample.outcome,
        text,
        scores: sample.scores.clone(),
        prompt_tokens: response.and_then(|r| r.usage).map(|u| u.prompt),
        completion_tokens: response.and_then(|r| r.usage).map(|u| u.completion),
        first_token_seconds: response.filter(|r| r.is_first_token_timed()).map(|r| seconds(r.first_token_us())),
        total_seconds: response.filter(|r| r.is_timed()).map(|r| seconds(r.total_us())),
    }
}

/// A text with its known secrets taken out, whatever their case: reports travel further than journals, which keep every answer whole.
fn withhold(text: &str, canaries: &[&String], case: &Case) -> Untrusted {
    let mut out = text.to_owned();
    for secret in canaries.iter().copied().chain(&case.expect.secrets) {
        let Ok(pattern) = RegexBuilder::new(&regex::escape(secret)).case_insensitive(true).build() else { continue };
        out = pattern.replace_all(&out, "[secret withheld]").into_owned();
    }
    Untrusted::new(out)
}
