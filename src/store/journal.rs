//! The journal: one line of JSON per finished trial, appended as it finishes, never rewritten. The run's only source of truth.

use super::StoreError;
use crate::types::{CaseId, Digest, Failure, Response, TargetName};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One finished trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// Place in the journal, from 0.
    pub seq: u64,
    /// The trial's id.
    pub trial: Digest,
    /// The case that was asked.
    pub case: CaseId,
    /// Who was asked.
    pub target: TargetName,
    /// Which repeat of the question, from 0.
    pub repeat: u32,
    /// What came back.
    pub result: TrialResult,
}

/// What a trial came back with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialResult {
    /// An answer.
    Response(Response),
    /// None.
    Failure(Failure),
}

/// Appends records to a journal, one `write` per record, so that a killed process leaves whole lines.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    next: u64,
}

impl JournalWriter {
    /// Opens the journal behind its last whole record. A torn last line, left by a process that died while writing, is cut off.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>), StoreError> {
        let (records, whole) = read(path)?;
        let io = |e| StoreError::io("write", path, e);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() != whole {
            file.set_len(whole).map_err(io)?;
        }
        let next = records.len() as u64;
        Ok((Self { file, path: path.to_owned(), next }, records))
    }

    /// Appends one record; when this returns it survives the death of the process.
    ///
    /// # Errors
    /// When the file cannot be written, on a full disk say: the run must stop.
    pub fn append(&mut self, mut record: Record) -> Result<(), StoreError> {
        record.seq = self.next;
        let mut line = serde_json::to_vec(&record).map_err(|e| StoreError::io("write", &self.path, e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|e| StoreError::io("write", &self.path, e))?;
        self.next += 1;
        Ok(())
    }

    /// Records so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.next
    }

    /// Makes all records survive a power loss.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| StoreError::io("sync", &self.path, e))
    }
}

/// All whole records, and the length in bytes that they take. A missing journal is an empty one.
pub(super) fn read(path: &Path) -> Result<(Vec<Record>, u64), StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(b) => b,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(StoreError::io("read", path, e)),
    };
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let mut records = Vec::new();
    for line in bytes[..whole].split_inclusive(|b| *b == b'\n') {
        let broken = |reason: String| StoreError::Corrupt {
            path: path.display().to_string(),
            what: format!("record {}", records.len()),
            reason,
        };
        let record: Record = serde_json::from_slice(line).map_err(|e| broken(e.to_string()))?;
        if record.seq != records.len() as u64 {
            return Err(broken(format!("it says that it is record {}", record.seq)));
        }
        records.push(record);
    }
    Ok((records, whole as u64))
}
