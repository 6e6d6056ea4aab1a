//! Asks what is not yet recorded, a bounded number of questions at a time or at a stated rate, and records each answer as it comes.

use super::events::Event;
use super::load::Load;
use super::plan::{Plan, Trial};
use crate::store::{OpenRun, Record, StoreError, TrialResult, Unrecorded};
use crate::suite::diag::Diagnostic;
use crate::suite::{Case, Suite};
use crate::target::{Question, Target, TrialRef};
use crate::types::{Failure, FailureKind, Response, TargetName, VariantName};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

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
    /// A target does not give what the run needs: its probe showed that, and nothing of the suite was asked.
    #[error(
        "target `{target}` does not give {what}, which this run needs: {why}; ask a server that gives it, or do without it (`[[ask]]` in the suite, token criteria in the policy, `--max-cost`); `--no-probe` asks without looking"
    )]
    Lacks {
        /// Which.
        target: TargetName,
        /// What is missing.
        what: String,
        /// How that showed.
        why: String,
    },
    /// A prompt does not render.
    #[error("{0}")]
    Prompt(String),
}

/// The question that a case is to who is asked with a prompt variant.
///
/// # Errors
/// When the suite has no such variant.
pub fn question(suite: &Suite, variant: &VariantName, case: &Case) -> Result<Question, Diagnostic> {
    let turns = suite.prompt(variant, case)?;
    Ok(Question { turns, max_new_tokens: suite.max_new_tokens(), wants: suite.wants(case).clone(), trial: None })
}
/// What a question under way comes back with.
type Asked = (Trial, Result<Response, Failure>);

/// Runs a plan to its end and returns how long asking took.
///
/// # Errors
/// When a record cannot be written or a target is gone; the run can be resumed.
pub async fn execute(
    suite: &Suite,
    plan: &Plan,
    targets: &[Arc<dyn Target>],
    open: &mut OpenRun,
    load: Load,
    mut observe: impl FnMut(&Event),
) -> Result<Duration, RunError> {
    let mut waiting: VecDeque<&Trial> = plan.trials.iter().filter(|t| !open.recorded.contains_key(&t.id)).collect();
    let already = plan.trials.len() - waiting.len();
    observe(&Event::Started { planned: plan.trials.len(), already });
    let began = Instant::now();
    let mut in_flight: JoinSet<Asked> = JoinSet::new();
    let mut stopped = None;
    // The place of the next question in the sitting, and whether its moment came while there was no room for it.
    let (mut place, mut at_bound) = (0, false);
    loop {
        let mut next = None;
        while stopped.is_none()
            && let Some(trial) = waiting.front()
        {
            let due = load.due(place).map(|after| began + after);
            let has_come = due.is_none_or(|due| due <= Instant::now());
            let is_full = in_flight.len() >= load.bound();
            at_bound |= is_full && has_come;
            if is_full || !has_come {
                next = due;
                break;
            }
            let case = &suite.cases()[trial.case];
            let question =
                question(suite, &plan.arms[trial.arm].prompt, case).map_err(|d| RunError::Prompt(d.to_string()))?;
            let asks = TrialRef::Case { case: case.id.clone(), repeat: trial.repeat };
            let answer = targets[trial.arm].ask(Question { trial: Some(asks), ..question });
            let trial = Trial::clone(trial);
            let late = due.map(|due| (due, at_bound));
            in_flight.spawn(async move {
                // Read when the question is really sent off: whatever kept this thread busy until now made it late.
                let late = late.map(|(due, at_bound)| Late { us: micros(due.elapsed()), at_bound });
                (trial, with_lateness(answer.await, late))
            });
            waiting.pop_front();
            (place, at_bound) = (place + 1, false);
        }
        let is_full = in_flight.len() >= load.bound();
        let done = tokio::select! {
            biased;
            () = until(next), if next.is_some() && !is_full => continue,
            Some(done) = in_flight.join_next() => done,
            else => break,
        };
        // Its moment may have come while there was no room and nobody looked.
        at_bound |= is_full && next.is_some_and(|due| due <= Instant::now());
        if let Err(e) = record_all(suite, plan, open, done, &mut in_flight, &mut observe) {
            match e {
                // What is under way may have been paid for: its answers are waited for, and no new question is asked.
                RunError::Unavailable { .. } => stopped = stopped.or(Some(e)),
                other => return Err(other),
            }
        }
    }
    open.journal.sync()?;
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    observe(&Event::Finished);
    Ok(began.elapsed())
}

/// Waits until a moment. Made where it is waited for only: a runtime that starts questions by each other needs no clock.
async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment).await;
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// How a question that was due at a moment was started.
#[derive(Clone, Copy)]
struct Late {
    us: u64,
    at_bound: bool,
}

/// Notes how late a question was started, where a server had a part in what came back.
fn with_lateness(mut result: Result<Response, Failure>, late: Option<Late>) -> Result<Response, Failure> {
    let served = match &mut result {
        Ok(response) => &mut response.served,
        Err(failure) => &mut failure.served,
    };
    if let (Some(served), Some(late)) = (served, late) {
        (served.late_us, served.at_bound) = (Some(late.us), late.at_bound);
    }
    result
}

/// Records what has come, all that came meanwhile with one write, and before anything else happens.
///
/// # Errors
/// The first trouble; what could be recorded is.
fn record_all(
    suite: &Suite,
    plan: &Plan,
    open: &mut OpenRun,
    done: Result<Asked, JoinError>,
    in_flight: &mut JoinSet<Asked>,
    observe: &mut impl FnMut(&Event),
) -> Result<(), RunError> {
    let (mut next, mut recorded, mut trouble) = (Some(done), Vec::new(), None);
    while let Some(done) = next {
        match record(suite, plan, open, done) {
            Ok(event) => recorded.push(event),
            Err(e) => trouble = trouble.or(Some(e)),
        }
        next = in_flight.try_join_next();
    }
    open.journal.commit()?;
    recorded.iter().for_each(observe);
    trouble.map_or(Ok(()), Err)
}

fn record(suite: &Suite, plan: &Plan, open: &mut OpenRun, done: Result<Asked, JoinError>) -> Result<Event, RunError> {
    let (trial, result) = done.map_err(|e| RunError::Unavailable {
        target: plan.arms[0].name.clone(),
        message: format!("the task of some question died: {e}"),
    })?;
    let arm = plan.arms[trial.arm].name.clone();
    if let Err(f @ Failure { kind: FailureKind::Unavailable, .. }) = &result {
        let uncounted = f.served.as_ref().map_or(0, |s| s.uncounted);
        if uncounted > 0 {
            // The question is asked again at the next sitting, and what was spent on it until now stays spent.
            open.note_unrecorded(Unrecorded { trial: trial.id, uncounted })?;
        }
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
    open.journal.add(record)?;
    Ok(Event::Recorded { target: arm, failed })
}
