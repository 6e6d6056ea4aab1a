//! A run is a directory: `run.json` first, `journal.jsonl` as it grows, `seal.json` last, and then what is derived.

use super::StoreError;
use super::golden::GoldenAnswer;
use super::journal::{self, JournalWriter, Record};
use super::lines;
use super::manifest::{Manifest, RUN_FORMAT};
use super::probes::ProbeRecord;
use super::unrecorded::Unrecorded;
use crate::types::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The seal that this program reads and writes.
const SEAL_FORMAT: &str = "goldgate.seal/1";
/// What targets answered to probes.
const PROBES: &str = "probes.jsonl";
/// One of its lines.
const PROBE: &str = "probe";
/// What was spent on questions that have no record.
const UNRECORDED: &str = "unrecorded.jsonl";

/// The files of a run directory.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

/// `seal.json`: the run is complete, and this is what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Seal {
    format: String,
    records: usize,
    journal: Digest,
    manifest: Digest,
    /// Of `probes.jsonl`, where somebody was probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probes: Option<Digest>,
    /// Wall time of the sitting that completed the run, milliseconds.
    asked_ms: u64,
}

/// A run that is being recorded; it holds the directory's lock.
#[derive(Debug)]
pub struct OpenRun {
    /// The directory.
    pub dir: RunDir,
    /// What is already recorded, by trial id.
    pub recorded: BTreeMap<Digest, Record>,
    /// Where new records go.
    pub journal: JournalWriter,
    /// What targets answered to probes in earlier sittings and in this one.
    pub probes: Vec<ProbeRecord>,
    /// What earlier sittings and this one spent on questions that they did not record.
    pub unrecorded: Vec<Unrecorded>,
    manifest: Manifest,
    _lock: File,
}

/// A complete run whose seal fits its journal: the only kind that can be judged.
#[derive(Clone, Debug)]
pub struct SealedRun {
    /// The directory.
    pub dir: RunDir,
    /// What the run is made of.
    pub manifest: Manifest,
    /// One record per trial, in the journal's order.
    pub records: Vec<Record>,
    /// What targets answered to probes, in their order.
    pub probes: Vec<ProbeRecord>,
    /// Wall time of the sitting that completed the run, seconds.
    pub asked_seconds: f64,
    /// Digest of the journal.
    pub journal_digest: Digest,
}

impl RunDir {
    /// The directory at a path; nothing is read or made.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of one of its files.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether a run lies here.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.file("run.json").is_file()
    }

    /// Begins the run that a manifest describes, or goes on with it if it already lies here.
    ///
    /// # Errors
    /// When another process works here, another run lies here, the journal is damaged, or the file system refuses.
    pub fn open(&self, manifest: Manifest) -> Result<OpenRun, StoreError> {
        fs::create_dir_all(&self.path).map_err(|e| StoreError::io("create", &self.path, e))?;
        let lock = self.lock()?;
        self.refuse_leftovers()?;
        if self.file("seal.json").is_file() {
            // A sealed run is checked before anything could be appended to it: a damaged one is evidence and stays as it is.
            self.open_sealed()?;
        }
        let manifest = if self.is_run() {
            let stored: Manifest = self.manifest()?;
            let differences = stored.differences(&manifest);
            if !differences.is_empty() {
                return Err(StoreError::OtherRun { path: self.path.display().to_string(), differences });
            }
            stored
        } else {
            write_atomically(&self.file("run.json"), &to_json(&manifest))?;
            manifest
        };
        let (journal, records) = JournalWriter::open(&self.file("journal.jsonl"))?;
        let recorded = records.into_iter().map(|r| (r.trial, r)).collect();
        let (probes, _) = lines::read(&self.file(PROBES), PROBE)?;
        let (unrecorded, _) = lines::read(&self.file(UNRECORDED), "line")?;
        Ok(OpenRun { dir: self.clone(), recorded, journal, probes, unrecorded, manifest, _lock: lock })
    }

    /// Reads a complete run back and checks that it is what was sealed.
    ///
    /// # Errors
    /// When there is no run, it is not complete, or seal, journal and manifest do not fit each other.
    pub fn open_sealed(&self) -> Result<SealedRun, StoreError> {
        let shown = self.path.display().to_string();
        if !self.is_run() {
            return Err(StoreError::NoRun { path: shown });
        }
        let manifest = self.manifest()?;
        self.refuse_leftovers()?;
        let path = self.file("journal.jsonl");
        let (records, _) = journal::read(&path)?;
        if !self.file("seal.json").is_file() {
            let resume = manifest.resume_command(&shown);
            return Err(StoreError::Unsealed {
                path: shown,
                recorded: records.len(),
                planned: manifest.trials,
                resume,
            });
        }
        let seal: Seal = self.read_json("seal.json")?;
        if seal.format != SEAL_FORMAT {
            let path = self.file("seal.json").display().to_string();
            let reason = format!("this program reads `{SEAL_FORMAT}`");
            return Err(StoreError::Corrupt { path, what: "`format`".to_owned(), reason });
        }
        let journal_digest = self.digest_of("journal.jsonl")?;
        for (what, file, sealed, now) in [
            ("the seal", "journal.jsonl", seal.journal, journal_digest),
            ("the seal", "run.json", seal.manifest, self.digest_of("run.json")?),
        ] {
            if sealed != now {
                let path = self.file(file).display().to_string();
                let reason = format!("it was sealed as {sealed} and is {now} now");
                return Err(StoreError::Corrupt { path, what: what.to_owned(), reason });
            }
        }
        self.check_probes(seal.probes)?;
        let (probes, _) = lines::read(&self.file(PROBES), PROBE)?;
        if records.len() != seal.records || records.len() != manifest.trials {
            let reason = format!("{} records are there, {} were planned", records.len(), manifest.trials);
            return Err(StoreError::Corrupt { path: shown, what: "its journal".to_owned(), reason });
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^52")]
        let asked_seconds = seal.asked_ms as f64 / 1000.0;
        Ok(SealedRun { dir: self.clone(), manifest, records, probes, asked_seconds, journal_digest })
    }

    /// The probes are those that were sealed: a probe taken away or put in would hide that a model was exchanged.
    fn check_probes(&self, sealed: Option<Digest>) -> Result<(), StoreError> {
        let path = self.file(PROBES);
        let now = if path.exists() { Some(self.digest_of(PROBES)?) } else { None };
        if now == sealed {
            return Ok(());
        }
        let word = |d: Option<Digest>| d.map_or("without it".to_owned(), |d| format!("as {d}"));
        let reason = match now {
            Some(now) => format!("it was sealed {} and is {now} now", word(sealed)),
            None => "it is gone, and the seal knows of it".to_owned(),
        };
        Err(StoreError::Corrupt { path: path.display().to_string(), what: "the seal".to_owned(), reason })
    }

    /// A journal without its manifest, or a judged run without its seal, is a run from which something was taken away: going on would
    /// give old answers a new policy or a new seal.
    fn refuse_leftovers(&self) -> Result<(), StoreError> {
        let there = |name: &str| self.file(name).exists();
        let (left, gone) = if !there("run.json") && there("journal.jsonl") {
            ("journal.jsonl", "run.json")
        } else if !there("run.json") && there("seal.json") {
            ("seal.json", "run.json")
        } else if !there("run.json") && there(PROBES) {
            (PROBES, "run.json")
        } else if !there("run.json") && there(UNRECORDED) {
            (UNRECORDED, "run.json")
        } else if there("seal.json") && !there("journal.jsonl") {
            ("seal.json", "journal.jsonl")
        } else if !there("seal.json") && there("verdict.json") {
            ("verdict.json", "seal.json")
        } else if !there("seal.json") && there("recomputed.json") {
            ("recomputed.json", "seal.json")
        } else {
            return Ok(());
        };
        Err(StoreError::Corrupt {
            path: self.path.display().to_string(),
            what: format!("`{gone}`"),
            reason: format!("it is gone, and `{left}` is still there"),
        })
    }

    fn manifest(&self) -> Result<Manifest, StoreError> {
        let manifest: Manifest = self.read_json("run.json")?;
        if manifest.format == RUN_FORMAT {
            return Ok(manifest);
        }
        Err(StoreError::Corrupt {
            path: self.file("run.json").display().to_string(),
            what: "`format`".to_owned(),
            reason: format!("this program reads `{RUN_FORMAT}`"),
        })
    }

    /// The kernel's lock: it ends with the process, however the process ends.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.file("LOCK");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| StoreError::io("create", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: self.path.display().to_string() }),
            Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path, e)),
        }
    }

    fn digest_of(&self, name: &str) -> Result<Digest, StoreError> {
        let path = self.file(name);
        let file = File::open(&path).map(BufReader::new);
        file.and_then(Digest::of_reader).map_err(|e| StoreError::io("read", &path, e))
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        let path = self.file(name);
        let bytes = fs::read(&path).map_err(|e| StoreError::io("read", &path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| StoreError::Corrupt {
            path: path.display().to_string(),
            what: format!("line {}", e.line()),
            reason: e.to_string(),
        })
    }

    /// Writes a derived file whole or not at all.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.file(name);
        write_atomically(&path, bytes)?;
        Ok(path)
    }

    /// Writes answers as JSON lines, in their order, whole or not at all; no more than one of them is in memory at once.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_lines(
        &self,
        name: &str,
        answers: impl IntoIterator<Item = GoldenAnswer>,
    ) -> Result<PathBuf, StoreError> {
        let path = self.file(name);
        write_in_place(&path, |file| {
            let mut out = BufWriter::new(file);
            answers.into_iter().try_for_each(|answer| answer.write_line(&mut out))?;
            out.flush()
        })?;
        Ok(path)
    }
}

impl OpenRun {
    /// Digest of the run's `run.json`, which never changes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn digest(&self) -> Result<Digest, StoreError> {
        self.dir.digest_of("run.json")
    }

    /// Whether the run is complete and sealed already.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.dir.file("seal.json").is_file()
    }

    /// Records a probe; when this returns it survives a power loss.
    ///
    /// # Errors
    /// When the file cannot be written: the run must stop.
    pub fn record_probe(&mut self, record: ProbeRecord) -> Result<(), StoreError> {
        lines::append(&self.dir.file(PROBES), PROBE, &record)?;
        self.probes.push(record);
        Ok(())
    }

    /// Notes what a question without a record has cost; when this returns it survives a power loss.
    ///
    /// # Errors
    /// When the file cannot be written: the run must stop.
    pub fn note_unrecorded(&mut self, spent: Unrecorded) -> Result<(), StoreError> {
        lines::append(&self.dir.file(UNRECORDED), "line", &spent)?;
        self.unrecorded.push(spent);
        Ok(())
    }

    /// Seals the run if every planned trial is recorded; a run that was sealed before stays as it is.
    ///
    /// # Errors
    /// When trials are missing or the file system refuses.
    pub fn seal(mut self, asked: std::time::Duration) -> Result<(), StoreError> {
        self.journal.sync()?;
        let planned = self.manifest.trials;
        let records = usize::try_from(self.journal.records()).unwrap_or(usize::MAX);
        if records != planned {
            let path = self.dir.path.display().to_string();
            let resume = self.manifest.resume_command(&path);
            return Err(StoreError::Unsealed { path, recorded: records, planned, resume });
        }
        if self.is_sealed() {
            return Ok(());
        }
        let seal = Seal {
            format: SEAL_FORMAT.to_owned(),
            records,
            journal: self.dir.digest_of("journal.jsonl")?,
            manifest: self.dir.digest_of("run.json")?,
            probes: if self.dir.file(PROBES).exists() { Some(self.dir.digest_of(PROBES)?) } else { None },
            asked_ms: u64::try_from(asked.as_millis()).unwrap_or(u64::MAX),
        };
        write_atomically(&self.dir.file("seal.json"), &to_json(&seal))
    }
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("plain data with text keys always serialises");
    bytes.push(b'\n');
    bytes
}

/// Writes a file so that a reader sees the old or the new content and nothing between: temporary file, sync, rename.
///
/// # Errors
/// When the file system refuses.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_in_place(path, |file| file.write_all(bytes))
}

fn write_in_place(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let io = |e| StoreError::io("write", path, e);
    fs::create_dir_all(folder).map_err(io)?;
    let mut file = tempfile::Builder::new().prefix(".goldgate-").tempfile_in(folder).map_err(io)?;
    write(file.as_file_mut()).map_err(io)?;
    file.as_file().sync_data().map_err(io)?;
    // A temporary file is private by default; a report is for everybody who may read the folder.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).map_err(io)?;
    }
    file.persist(path).map_err(|e| io(e.error))?;
    Ok(())
}
