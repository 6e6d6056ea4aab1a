//! The journal: one line of JSON per finished trial, appended as it finishes, never rewritten. The run's only source of truth.

use super::StoreError;
use crate::types::{CaseId, Digest, Failure, Response, TargetName};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
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

/// Appends records to a journal, those that finished together with one `write`, so that a killed process leaves whole lines.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    next: u64,
    /// The lines that are not yet written.
    lines: Vec<u8>,
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
        Ok((Self { file, path: path.to_owned(), next, lines: Vec::new() }, records))
    }

    /// Appends one record; when this returns it survives the death of the process.
    ///
    /// # Errors
    /// When the file cannot be written, on a full disk say: the run must stop.
    pub fn append(&mut self, record: Record) -> Result<(), StoreError> {
        self.add(record)?;
        self.commit()
    }

    /// Takes a record that [`Self::commit`] will write, together with whatever else is taken by then.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn add(&mut self, mut record: Record) -> Result<(), StoreError> {
        record.seq = self.next;
        let whole = self.lines.len();
        if let Err(e) = serde_json::to_writer(&mut self.lines, &record) {
            self.lines.truncate(whole);
            return Err(StoreError::io("write", &self.path, e.into()));
        }
        self.lines.push(b'\n');
        self.next += 1;
        Ok(())
    }

    /// Writes what was taken; when this returns it survives the death of the process.
    ///
    /// # Errors
    /// When the file cannot be written, on a full disk say: the run must stop.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if !self.lines.is_empty() {
            self.file.write_all(&self.lines).map_err(|e| StoreError::io("write", &self.path, e))?;
            self.lines.clear();
        }
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
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.file.sync_data().map_err(|e| StoreError::io("sync", &self.path, e))
    }
}

/// All whole records, and the length in bytes that they take. A missing journal is an empty one.
pub(super) fn read(path: &Path) -> Result<(Vec<Record>, u64), StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(StoreError::io("read", path, e)),
    };
    let (mut records, mut whole, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(|e| StoreError::io("read", path, e))?;
        if line.last() != Some(&b'\n') {
            return Ok((records, whole));
        }
        let broken = |reason: String| StoreError::Corrupt {
            path: path.display().to_string(),
            what: format!("record {}", records.len()),
            reason,
        };
        let record: Record = serde_json::from_slice(&line).map_err(|e| broken(e.to_string()))?;
        if record.seq != records.len() as u64 {
            return Err(broken(format!("it says that it is record {}", record.seq)));
        }
        records.push(record);
        whole += read as u64;
    }
}
