//! Cassettes: every exchange with a remote target as it went over the wire, kept so that the run can be asked again of the recording.
//!
//! A folder holds one file per target of a run, JSON lines: a header, then one line per attempt in the order in which they ended. What is
//! kept are bytes and times and no meaning, so that the code that reads a connection reads a recording. `docs/targets.md` describes the
//! format, `schemas/cassette.schema.json` is its schema.

mod differ;
mod draft;
mod format;
mod index;
mod record;
mod replay;
mod scrub;
#[cfg(test)]
mod tests;

pub(super) use draft::Draft;
use format::Reply;
pub(super) use format::{End, Ending, Exchange, Request, Wire, headers_of};
pub use record::{Recorder, Recording};
pub use replay::{Player, Replay};

use super::super::Question;
use crate::types::Digest;
use std::path::Path;
use std::sync::Arc;

/// How a target's questions travel.
#[derive(Clone, Default)]
pub enum Tape {
    /// To its server.
    #[default]
    Live,
    /// To its server, and every exchange is kept.
    Record(Arc<Recorder>),
    /// Nowhere: what was kept answers.
    Replay(Arc<Player>),
}

impl Tape {
    /// Whether a recording answers: then nothing is sent, and nobody waits.
    pub(super) fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    /// Whether more attempts at a question were recorded than these.
    pub(super) fn goes_on(&self, question: &Question, attempts: u32) -> bool {
        match (self, &question.trial) {
            (Self::Replay(player), Some(trial)) => player.goes_on(trial, attempts),
            _ => false,
        }
    }

    /// A question is through with so many attempts.
    ///
    /// # Errors
    /// When more were recorded: the recorded run did not end here.
    pub(super) fn ended(&self, question: &Question, attempts: u32) -> Result<(), String> {
        match &question.trial {
            Some(trial) if self.goes_on(question, attempts) => Err(format!(
                "{trial}: the recording goes on after attempt {attempts}, which ends it now: is `attempts`, `timeout-seconds` or \
                 `longest-wait-seconds` another than it was?"
            )),
            _ => Ok(()),
        }
    }
}

/// The run that a cassette belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapedRun {
    /// Digest of its `run.json`.
    pub run: Digest,
    /// The seed of every random choice.
    pub seed: u64,
    /// Questions in flight at once.
    pub concurrency: usize,
    /// Whether nobody was probed before the first question and after the last.
    pub unprobed: bool,
}

/// Why a cassette cannot be written or used; nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CassetteError {
    /// The file system refused.
    #[error("cannot {verb} `{path}`: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A cassette is not what was written.
    #[error("{path}:{line}: {reason}; a cassette that was changed replays nothing: take the one that was recorded")]
    Corrupt {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file belongs to another run than the one that is recorded or replayed.
    #[error("{0}")]
    OtherRun(String),
    /// There is no cassette where one is needed.
    #[error("{0}")]
    Missing(String),
}

impl CassetteError {
    fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { verb, path: path.display().to_string(), source }
    }

    fn corrupt(path: &Path, line: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.display().to_string(), line, reason: reason.into() }
    }
}
