//! The only way that progress leaves this room.

use crate::types::TargetName;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A remote target is asked what it gives or who answers: the answer may take its time.
    Probing {
        /// Which, by its name in the project's file.
        target: TargetName,
    },
    /// The run begins or goes on.
    Started {
        /// Trials of the whole run.
        planned: usize,
        /// Trials that an earlier sitting recorded.
        already: usize,
    },
    /// One more trial is recorded.
    Recorded {
        /// Who was asked.
        target: TargetName,
        /// Whether no answer came back.
        failed: bool,
    },
    /// Every trial is recorded.
    Finished,
}
