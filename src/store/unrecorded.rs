//! `unrecorded.jsonl`: attempts that may have been paid for at questions that a stopped run left without a record.

use crate::types::Digest;
use serde::{Deserialize, Serialize};

/// What one sitting spent on a question that it did not record: the question is asked again, and the money is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unrecorded {
    /// The trial.
    pub trial: Digest,
    /// Attempts without an answer that the server may have billed.
    pub uncounted: u32,
}
