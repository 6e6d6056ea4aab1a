//! `probes.jsonl`: what targets answered to probes, apart from the journal, for a probe is no trial.

use super::TrialResult;
use crate::types::TargetName;
use serde::{Deserialize, Serialize};

/// When in a sitting a target was probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Before its first question.
    Before,
    /// After its last.
    After,
}

/// One probe of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProbeRecord {
    /// When.
    pub when: When,
    /// Who was probed: the target's name in `goldgate.toml`, whatever it is called in the run.
    pub target: TargetName,
    /// What it was asked for beside a text, as a suite names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// The longest answer that it was allowed, tokens.
    pub max_new_tokens: u32,
    /// What came back.
    pub result: TrialResult,
}
