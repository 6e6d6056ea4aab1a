//! Asks what is not yet recorded, a bounded number of questions at a time, and records each answer as it comes.

use super::events::Event;
use super::plan::{Plan, Trial};
use crate::store::{OpenRun, Record, StoreError, TrialResult};
use crate::suite::Suite;
use crate::target::{Question, Target, TrialRef};
use crate::types::{Failure, FailureKind, Response, TargetName};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinError, JoinSet};

/// Why a run stopped before its end. What was recorded stays recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A record could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A target is gone, or asking it may go on no further.
    #[error(
        "target `{target}` is asked no more: {message}; what was answered is recorded, and the same command with `--run-dir` and this run's folder goes on"
    )]
    Unavailable {
        /// Which.
        target: TargetName,
        /// What it said last.
        message: String,
    },
    /// A prompt does not render.
    #[error("{0}")]
    Prompt(String),
}

/// Runs a plan to its end and returns how long asking took.
///
/// # Errors
/// When a record cannot be written or a target is gone; the run can be resumed.
pub async fn execute(
    suite: &Suite,
    plan: &Plan,
    targets: &[Arc<dyn Target>],
    open: &mut OpenRun,
    concurrency: usize,
    mut observe: impl FnMut(&Event),
) -> Result<Duration, RunError> {
    let mut waiting: VecDeque<&Trial> = plan.trials.iter().filter(|t| !open.recorded.contains_key(&t.id)).collect();
    let already = plan.trials.len() - waiting.len();
    observe(&Event::Started { planned: plan.trials.len(), already });
    let began = Instant::now();
    let mut in_flight: JoinSet<(Trial, Result<Response, Failure>)> = JoinSet::new();
    let mut stopped = None;
    loop {
        while stopped.is_none() && in_flight.len() < concurrency.max(1) {
            let Some(trial) = waiting.pop_front() else { break };
            let case = &suite.cases()[trial.case];
            let turns =
                suite.prompt(&plan.arms[trial.arm].prompt, case).map_err(|d| RunError::Prompt(d.to_string()))?;
            let asks = TrialRef { case: case.id.clone(), repeat: trial.repeat };
            let question = Question { turns, max_new_tokens: suite.max_new_tokens(), trial: Some(asks) };
            let answer = targets[trial.arm].ask(question);
            let trial = trial.clone();
            in_flight.spawn(async move { (trial, answer.await) });
        }
        let Some(done) = in_flight.join_next().await else { break };
        match record(suite, plan, open, done, &mut observe) {
            // What is under way may have been paid for: its answers are waited for, and no new question is asked.
            Err(e @ RunError::Unavailable { .. }) => {
                stopped.get_or_insert(e);
            }
            other => other?,
        }
    }
    open.journal.sync()?;
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    observe(&Event::Finished);
    Ok(began.elapsed())
}

fn record(
    suite: &Suite,
    plan: &Plan,
    open: &mut OpenRun,
    done: Result<(Trial, Result<Response, Failure>), JoinError>,
    observe: &mut impl FnMut(&Event),
) -> Result<(), RunError> {
    let (trial, result) = done.map_err(|e| RunError::Unavailable {
        target: plan.arms[0].name.clone(),
        message: format!("the task of some question died: {e}"),
    })?;
    let arm = plan.arms[trial.arm].name.clone();
    if let Err(f @ Failure { kind: FailureKind::Unavailable, .. }) = &result {
        return Err(RunError::Unavailable { target: arm, message: f.message.for_terminal(400) });
    }
    let failed = result.is_err();
    let record = Record {
        seq: 0,
        trial: trial.id,
        case: suite.cases()[trial.case].id.clone(),
        target: arm.clone(),
        repeat: trial.repeat,
        result: match result {
            Ok(response) => TrialResult::Response(response),
            Err(failure) => TrialResult::Failure(failure),
        },
    };
    open.journal.append(record)?;
    observe(&Event::Recorded { target: arm, failed });
    Ok(())
}
