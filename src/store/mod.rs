//! What is kept: run directories and golden baselines.

mod golden;
mod journal;
mod lines;
mod manifest;
mod probes;
mod run_dir;
#[cfg(test)]
mod tests;
mod unrecorded;

pub use golden::{GoldenAnswer, GoldenChange, GoldenFile, GoldenTarget, diff_golden, to_lines};
pub use journal::{JournalWriter, Record, TrialResult};
pub use manifest::{ArmRef, Manifest, PolicyRef, Purpose, RUN_FORMAT, ReplayRef, SuiteRef};
pub use probes::{ProbeRecord, When};
pub use run_dir::{OpenRun, RunDir, SealedRun, write_atomically};
pub use unrecorded::Unrecorded;

use std::path::Path;

/// Why something could not be kept or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
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
    /// A stored file is not what was written.
    #[error(
        "`{path}` is damaged at {what}: {reason}; the run cannot be judged: keep the folder for the audit and start a new run"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// The part of it.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The folder holds another run than the one asked for.
    #[error("`{path}` holds another run:\n  {}\nname another folder with `--run-dir`, or restore what changed", .differences.join("\n  "))]
    OtherRun {
        /// The run directory.
        path: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// Another process works in the folder.
    #[error("`{path}` is locked: another goldgate works in it; wait for it, or name another folder with `--run-dir`")]
    Locked {
        /// The run directory.
        path: String,
    },
    /// There is no run there.
    #[error("`{path}` is not a run directory: it has no run.json")]
    NoRun {
        /// The folder.
        path: String,
    },
    /// The run is not complete, so it has no seal.
    #[error("the run in `{path}` is not complete: {recorded} of {planned} trials are recorded; go on with\n  {resume}")]
    Unsealed {
        /// The run directory.
        path: String,
        /// Trials recorded.
        recorded: usize,
        /// Trials planned.
        planned: usize,
        /// The command that goes on with it.
        resume: String,
    },
}

impl StoreError {
    pub(crate) fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { verb, path: path.display().to_string(), source }
    }
}
