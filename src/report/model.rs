//! All that a rendering may show: values in, bytes out. No rendering computes a statistic.

use crate::compare::Comparison;
use crate::gate::Verdict;
use crate::score::Score;
use crate::types::{CaseId, Digest, Interval, Outcome, SliceName, SuiteName, TargetName, Untrusted, VariantName};
use serde::Serialize;

/// One run with its verdicts, ready to be shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportModel {
    /// The run and what it was made of.
    pub run: RunFacts,
    /// Baseline first, then the candidates.
    pub targets: Vec<TargetFacts>,
    /// One per candidate; empty for a run that was not judged.
    pub verdicts: Vec<Verdict>,
    /// Every metric on every slice, for every candidate: context, which does not gate.
    pub comparisons: Vec<Comparison>,
    /// Token savings, one per candidate.
    pub savings: Vec<TokenSaving>,
    /// Every case with every answer, by case id.
    pub cases: Vec<CaseRow>,
}

/// The run and what it was made of.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunFacts {
    /// The run directory's name.
    pub name: String,
    /// The suite.
    pub suite: SuiteName,
    /// Its version, as its author writes it.
    pub suite_version: String,
    /// One sentence on what the suite measures.
    pub suite_description: Untrusted,
    /// Digest of everything in the suite that an answer or a score depends on.
    pub suite_digest: Digest,
    /// The seed of every random choice.
    pub seed: u64,
    /// When the run began, UTC, RFC 3339.
    pub started: String,
    /// Wall time from the first question to the last answer, seconds.
    pub seconds: f64,
    /// Trials planned.
    pub planned: usize,
    /// Trials recorded.
    pub recorded: usize,
    /// The version of the program.
    pub version: String,
    /// The command that repeats the run.
    pub command: String,
    /// Whether a recording answered: then it recomputes what was true of the recorded run, and is no evidence of what answers today.
    #[serde(skip_serializing_if = "is_false")]
    pub replay: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// One target of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetFacts {
    /// Its name.
    pub name: TargetName,
    /// Whether it is the baseline.
    pub is_baseline: bool,
    /// Its provider, such as `local`.
    pub kind: String,
    /// Checkpoint folder or deployment.
    pub model: String,
    /// Adapter folder, if any.
    pub adapter: Option<String>,
    /// Digest of the weights, tokenizer and templates that answered.
    pub digest: Digest,
    /// The prompt variant it was asked with.
    pub prompt: VariantName,
}

/// What a candidate saves against the baseline, summed over the cases that both answered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenSaving {
    /// Who.
    pub candidate: TargetName,
    /// Cases that both answered.
    pub cases: usize,
    /// The baseline's prompt tokens.
    pub baseline_prompt: u64,
    /// The baseline's completion tokens.
    pub baseline_completion: u64,
    /// The candidate's prompt tokens.
    pub candidate_prompt: u64,
    /// The candidate's completion tokens.
    pub candidate_completion: u64,
    /// `1 - candidate total / baseline total`.
    pub saved: f64,
    /// Its interval; an infinite limit means "not estimable".
    pub interval: Interval,
}

/// One case with every answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaseRow {
    /// The case.
    pub id: CaseId,
    /// Its task.
    pub task: SliceName,
    /// Its tags.
    pub slices: Vec<SliceName>,
    /// The user turn as the baseline saw it.
    pub question: Untrusted,
    /// What was expected, in words.
    pub expected: Untrusted,
    /// One per target, in the order of [`ReportModel::targets`].
    pub answers: Vec<AnswerRow>,
}

/// One answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnswerRow {
    /// Who answered.
    pub target: TargetName,
    /// What became of the trial.
    pub outcome: Outcome,
    /// The answer, or the failure's message.
    pub text: Untrusted,
    /// Scores with reasons.
    pub scores: Vec<Score>,
    /// Tokens of the prompt; `None` for a failure.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
    /// Seconds from submission to the first token.
    pub first_token_seconds: Option<f64>,
    /// Seconds from submission to the last token.
    pub total_seconds: Option<f64>,
}
