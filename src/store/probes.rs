//! `probes.jsonl`: what targets answered to probes, apart from the journal, for a probe is no trial.

use super::{StoreError, TrialResult};
use crate::types::TargetName;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

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

/// Appends one probe, behind the last whole line: a torn one was left by a process that died while writing.
pub(super) fn append(path: &Path, record: &ProbeRecord) -> Result<(), StoreError> {
    let (_, whole) = read(path)?;
    let io = |e| StoreError::io("write", path, e);
    let mut line = serde_json::to_vec(record).map_err(|e| io(e.into()))?;
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() != whole {
        file.set_len(whole).map_err(io)?;
    }
    file.write_all(&line).and_then(|()| file.sync_data()).map_err(io)
}

/// All whole probes, and the length in bytes that they take. A run that probed nobody has no such file.
pub(super) fn read(path: &Path) -> Result<(Vec<ProbeRecord>, u64), StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(b) => b,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(StoreError::io("read", path, e)),
    };
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let mut records = Vec::new();
    for (i, line) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
        let record = serde_json::from_slice(line).map_err(|e| StoreError::Corrupt {
            path: path.display().to_string(),
            what: format!("probe {i}"),
            reason: e.to_string(),
        })?;
        records.push(record);
    }
    Ok((records, whole as u64))
}
