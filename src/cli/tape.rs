//! `--record` and `--replay`: a run whose exchanges with remote targets are kept, and a run that is answered from what was kept.

use super::CliError;
use super::config::Config;
use super::progress::Progress;
use super::provider::Provider;
use crate::run::{Plan, Trial};
use crate::store::{Manifest, OpenRun, ReplayRef};
use crate::suite::Suite;
use crate::target::{Recording, Replay, Tape, TapedRun, TrialRef};
use crate::types::TargetName;
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Whether a run is recorded or replayed.
#[derive(Args)]
pub struct TapeArgs {
    /// Keep every exchange with a remote target in this folder, without secrets, so that the run can be replayed
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// Answer from the exchanges recorded in this folder: nothing is sent, no key is needed and nobody is promoted
    #[arg(long, value_name = "DIR")]
    pub replay: Option<PathBuf>,
}

impl TapeArgs {
    /// Checks that the run may be recorded. A replay has no rate of its own.
    ///
    /// # Errors
    /// When its questions are asked at a stated rate.
    pub fn check(&self, arrival_rate: Option<f64>) -> Result<(), CliError> {
        if self.record.is_some() && arrival_rate.is_some() {
            return Err(CliError::Usage(
                "a run with `--arrival-rate` is not recorded: how late its questions started belongs to its answers, and no cassette holds \
                 that; record it with `-j` instead"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether nothing was named.
    pub fn is_default(&self) -> bool {
        self.record.is_none() && self.replay.is_none()
    }
}

/// The recording of a run, if it has to do with one.
pub enum Taping {
    /// It has not.
    Live,
    /// It is recorded, in this folder.
    Record(PathBuf, Recording),
    /// It is answered from this folder.
    Replay(PathBuf, Replay),
}

impl Taping {
    /// Opens what the command line names. Nothing is written yet.
    ///
    /// # Errors
    /// When nobody remote is asked, or what was recorded cannot be used.
    pub fn open(args: &TapeArgs, config: &Config, roles: &[(TargetName, TargetName)]) -> Result<Self, CliError> {
        let mut remote = Vec::new();
        for (name, target) in roles {
            if matches!(config.target(target)?.provider, Provider::Remote(_)) {
                remote.push(name);
            }
        }
        match (&args.record, &args.replay) {
            (None, None) => Ok(Self::Live),
            _ if remote.is_empty() => Err(CliError::Usage(
                "no target of this run is remote: answers of this machine need no recording, for they can be asked again".to_owned(),
            )),
            (Some(dir), _) => Ok(Self::Record(dir.clone(), Recording::new(dir))),
            (None, Some(dir)) => Ok(Self::Replay(dir.clone(), Replay::open(dir, remote)?)),
        }
    }

    /// Whether a recording answers.
    pub fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(..))
    }

    /// The run that was recorded, where it is replayed.
    pub fn recorded(&self) -> Option<TapedRun> {
        match self {
            Self::Replay(_, replay) => Some(replay.run()),
            _ => None,
        }
    }

    /// The tape of a remote target, by its name in the run.
    pub fn tape(&mut self, name: &TargetName) -> Tape {
        match self {
            Self::Live => Tape::Live,
            Self::Record(_, recording) => recording.target(name),
            Self::Replay(_, replay) => replay.target(name),
        }
    }

    /// The address that was recorded.
    pub fn address(&self, name: &TargetName) -> Option<String> {
        match self {
            Self::Replay(_, replay) => replay.address(name),
            _ => None,
        }
    }

    /// Says in the run's manifest what it has to do with a recording.
    pub fn sign(&self, manifest: Manifest) -> Manifest {
        match self {
            Self::Live => manifest,
            Self::Record(dir, _) => Manifest { recording: Some(dir.display().to_string()), ..manifest },
            Self::Replay(dir, replay) => {
                let replay = ReplayRef { path: dir.display().to_string(), cassettes: replay.digests() };
                Manifest { replay: Some(replay), ..manifest }
            }
        }
    }

    /// Begins to record, or goes on with the run that was recorded here.
    ///
    /// # Errors
    /// When the folder holds another run's cassettes, lacks this one's, or cannot be written.
    pub fn begin(&self, open: &OpenRun, seed: u64, concurrency: usize, unprobed: bool) -> Result<(), CliError> {
        if let Self::Record(_, recording) = self {
            let run = TapedRun { run: open.digest()?, seed, concurrency, unprobed };
            recording.begin(run, !open.recorded.is_empty())?;
        }
        Ok(())
    }

    /// Says before the first question what will be done.
    pub fn say(&self, progress: &Progress) {
        match self {
            Self::Live => {}
            Self::Record(dir, _) => progress.note(&format!("keeping every exchange in {}", dir.display())),
            Self::Replay(dir, _) => progress.note(&format!(
                "REPLAY: {} answers in place of the servers; nothing is sent, and nobody is promoted",
                dir.display()
            )),
        }
    }

    /// Puts the trials of a replay into the order in which they ended, and says how many are in flight: one, for nobody waits. So the journal
    /// becomes the recorded run's, however many were in flight there. A trial that was not recorded, or that a checkpoint of this machine
    /// answers, stays behind the one before it.
    pub fn line_up(&self, suite: &Suite, plan: &mut Plan) -> Option<usize> {
        let Self::Replay(_, replay) = self else { return None };
        let mut last = 0;
        let mut placed: Vec<(u64, Trial)> = Vec::with_capacity(plan.trials.len());
        for trial in std::mem::take(&mut plan.trials) {
            last = replay.place(&plan.arms[trial.arm].name, &trial_ref(suite, &trial)).unwrap_or(last);
            placed.push((last, trial));
        }
        placed.sort_by_key(|(place, _)| *place);
        plan.trials = placed.into_iter().map(|(_, trial)| trial).collect();
        Some(1)
    }

    /// Makes a recording last, or says what of it was not asked for.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn end(&self, suite: &Suite, plan: &Plan, progress: &Progress) -> Result<(), CliError> {
        match self {
            Self::Live => {}
            Self::Record(_, recording) => recording.sync()?,
            Self::Replay(dir, replay) => {
                let planned: BTreeSet<_> =
                    plan.trials.iter().map(|t| (&plan.arms[t.arm].name, trial_ref(suite, t))).collect();
                let (left, again) = replay.left_over(|target, trial| {
                    matches!(trial, TrialRef::Probe { .. }) || planned.contains(&(target, trial.clone()))
                });
                let dir = dir.display();
                if left > 0 {
                    progress.note(&format!("{left} exchanges in {dir} are of trials that this run does not have"));
                }
                if again > 0 {
                    progress.note(&format!(
                        "{again} exchanges in {dir} are of interrupted sittings, and were asked again in a later one"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn trial_ref(suite: &Suite, trial: &Trial) -> TrialRef {
    TrialRef::Case { case: suite.cases()[trial.case].id.clone(), repeat: trial.repeat }
}
