//! Where a cassette holds which exchange. A cassette may be longer than the memory: it is read line by line, and an exchange again when it is
//! asked for.

use super::super::super::TrialRef;
use super::CassetteError;
use super::format::{Exchange, FORMAT, Header, MAX_LINE};
use crate::types::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// A line of a cassette.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its number, from 1.
    pub line: u64,
    start: u64,
    length: usize,
    /// The exchange's place in the run.
    pub seq: u64,
}

/// What a cassette holds.
#[derive(Debug)]
pub(super) struct Index {
    pub header: Header,
    /// The attempts of every trial, of the last sitting that asked it: what an earlier one had asked was not recorded in its run.
    pub trials: BTreeMap<TrialRef, Vec<Entry>>,
    /// Exchanges of earlier sittings that a later one asked again.
    pub passed_over: usize,
    /// The last exchange's place in the run.
    pub last_seq: Option<u64>,
    pub last_sitting: u32,
    /// Bytes of all whole lines.
    pub whole: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Whether the last line has no end.
    pub torn: bool,
}

/// Reads a cassette and checks every line; `None` where it is missing, or has not one whole line.
pub(super) fn read(path: &Path) -> Result<Option<Index>, CassetteError> {
    let io = |e| CassetteError::io("read", path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let mut input = BufReader::new(file);
    let (mut index, mut hash): (Option<Index>, _) = (None, Sha256::new());
    let (mut sittings, mut line, mut start) = (BTreeMap::new(), Vec::new(), 0);
    for number in 1.. {
        line.clear();
        let length = input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line).map_err(io)?;
        let corrupt = |reason: String| CassetteError::corrupt(path, number, reason);
        if length > MAX_LINE {
            return Err(corrupt(format!("the line is longer than {} MiB", MAX_LINE >> 20)));
        }
        hash.update(&line);
        if line.last() != Some(&b'\n') {
            if let Some(index) = &mut index {
                (index.torn, index.whole) = (length > 0, start);
            }
            break;
        }
        match &mut index {
            None => index = Some(begin(&line).map_err(corrupt)?),
            Some(index) => {
                let exchange: Exchange = serde_json::from_slice(&line).map_err(|e| corrupt(e.to_string()))?;
                exchange.check().map_err(corrupt)?;
                let entry = Entry { line: number, start, length, seq: exchange.seq };
                index.add(&exchange, entry, &mut sittings).map_err(corrupt)?;
            }
        }
        start += length as u64;
    }
    if let Some(index) = &mut index {
        index.digest = Digest::from_bytes(hash.finalize().into());
    }
    Ok(index)
}

fn begin(line: &[u8]) -> Result<Index, String> {
    // A later format may have other keys: it is named before they are looked at.
    #[derive(serde::Deserialize)]
    struct Any {
        format: String,
    }
    let any: Any = serde_json::from_slice(line).map_err(|e| format!("this is no header of a cassette: {e}"))?;
    if any.format != FORMAT {
        let format = crate::types::Untrusted::new(any.format).for_terminal(60);
        return Err(format!("the format is `{format}`, and this program reads `{FORMAT}`"));
    }
    let header: Header = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    if !(1..=4096).contains(&header.concurrency) {
        return Err(format!("`concurrency` goes from 1 to 4096, and is {}", header.concurrency));
    }
    Ok(Index {
        header,
        trials: BTreeMap::new(),
        passed_over: 0,
        last_seq: None,
        last_sitting: 0,
        whole: 0,
        digest: Digest::of(&[]),
        torn: false,
    })
}

impl Index {
    fn add(&mut self, e: &Exchange, entry: Entry, sittings: &mut BTreeMap<TrialRef, u32>) -> Result<(), String> {
        if self.last_seq.is_some_and(|last| e.seq <= last) || e.sitting < self.last_sitting {
            return Err("it stands behind an exchange that came later".to_owned());
        }
        (self.last_seq, self.last_sitting) = (Some(e.seq), e.sitting);
        let trial = e.trial()?;
        let before = sittings.insert(trial.clone(), e.sitting);
        let attempts = self.trials.entry(trial.clone()).or_default();
        if before.is_some_and(|before| before < e.sitting) {
            self.passed_over += attempts.len();
            attempts.clear();
        }
        let due = attempts.len() as u64 + 1;
        match u64::from(e.attempt) {
            attempt if attempt < due => Err(format!("attempt {attempt} at {trial} stands twice")),
            attempt if attempt > due => Err(format!("attempt {due} at {trial} is gone, and {attempt} is there")),
            _ => {
                attempts.push(entry);
                Ok(())
            }
        }
    }
}

/// Reads one exchange again.
pub(super) fn fetch(path: &Path, entry: Entry) -> Result<Exchange, CassetteError> {
    let io = |e| CassetteError::io("read", path, e);
    let mut file = File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(entry.start)).map_err(io)?;
    let mut line = vec![0; entry.length];
    file.read_exact(&mut line).map_err(io)?;
    let corrupt = |reason: String| CassetteError::corrupt(path, entry.line, reason);
    let exchange: Exchange = serde_json::from_slice(&line).map_err(|e| corrupt(e.to_string()))?;
    exchange.check().map_err(corrupt)?;
    Ok(exchange)
}
