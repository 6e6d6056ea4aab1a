//! Writes cassettes: one line per attempt, whole or not at all.

use super::super::super::TrialRef;
use super::super::secret::Key;
use super::format::{Exchange, FORMAT, Header, MAX_LINE};
use super::{CassetteError, Draft, End, Ending, Tape, TapedRun, index};
use crate::types::{Digest, TargetName};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The cassettes of a run that is recorded: a folder with one file per remote target.
pub struct Recording {
    dir: PathBuf,
    seq: Arc<AtomicU64>,
    recorders: Vec<Arc<Recorder>>,
}

/// The cassette of one target.
pub struct Recorder {
    name: TargetName,
    path: PathBuf,
    seq: Arc<AtomicU64>,
    whose: OnceLock<Whose>,
    out: Mutex<Option<Out>>,
}

struct Whose {
    kind: &'static str,
    model: String,
    address: String,
    digest: Digest,
}

struct Out {
    file: File,
    sitting: u32,
}

impl Recording {
    /// A recording in a folder. Nothing is written before [`Recording::begin`].
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), seq: Arc::default(), recorders: Vec::new() }
    }

    /// The tape of one target, by its name in the run.
    pub fn target(&mut self, name: &TargetName) -> Tape {
        let path = self.dir.join(format!("{name}.jsonl"));
        let recorder = Arc::new(Recorder {
            name: name.clone(),
            path,
            seq: Arc::clone(&self.seq),
            whose: OnceLock::new(),
            out: Mutex::new(None),
        });
        self.recorders.push(Arc::clone(&recorder));
        Tape::Record(recorder)
    }

    /// Opens every file for a run, new ones with their header; `goes_on` says that trials of the run are recorded already. Before it,
    /// a target of the recording answers nothing.
    ///
    /// # Errors
    /// When a file belongs to another run or is damaged, when there is none of a run that goes on, or the file system refuses.
    pub fn begin(&self, run: TapedRun, goes_on: bool) -> Result<(), CassetteError> {
        fs::create_dir_all(&self.dir).map_err(|e| CassetteError::io("create", &self.dir, e))?;
        let mut found = Vec::new();
        for r in &self.recorders {
            let old = index::read(&r.path)?;
            let shown = r.path.display();
            match &old {
                Some(old) if old.header.run != run.run || old.header.target != r.name => {
                    return Err(CassetteError::OtherRun(format!(
                        "`{shown}` is the cassette of another run; record into a new folder, or go on with that run"
                    )));
                }
                None if goes_on => {
                    return Err(CassetteError::Missing(format!(
                        "the run goes on, and `{shown}`, which holds its exchanges so far, is not there; name the folder that the run \
                         was begun with"
                    )));
                }
                _ => {}
            }
            found.push(old);
        }
        let sitting = 1 + found.iter().flatten().map(|i| i.last_sitting).max().unwrap_or(0);
        let seq = found.iter().flatten().filter_map(|i| i.last_seq).max().map_or(0, |last| last + 1);
        self.seq.store(seq, Ordering::SeqCst);
        for (r, old) in self.recorders.iter().zip(found) {
            r.open(run, old.map(|i| i.whole), sitting)?;
        }
        Ok(())
    }

    /// Makes all that was written survive a power loss.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<(), CassetteError> {
        for r in &self.recorders {
            if let Some(out) = &*r.out.lock().unwrap_or_else(PoisonError::into_inner) {
                out.file.sync_data().map_err(|e| CassetteError::io("sync", &r.path, e))?;
            }
        }
        Ok(())
    }
}

impl Recorder {
    /// Whose exchanges these are.
    pub(in super::super) fn introduce(&self, kind: &'static str, model: &str, address: &str, digest: Digest) {
        let whose = Whose { kind, model: model.to_owned(), address: address.to_owned(), digest };
        // A target is loaded once; a second time it is the same.
        let _ = self.whose.set(whose);
    }

    /// Opens the file behind its last whole line: what a process that died while writing left of another is cut off.
    fn open(&self, run: TapedRun, whole: Option<u64>, sitting: u32) -> Result<(), CassetteError> {
        let io = |e| CassetteError::io("write", &self.path, e);
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        if let Some(whole) = whole.filter(|whole| *whole != length) {
            file.set_len(whole).map_err(io)?;
        }
        if whole.is_none() {
            if length > 0 {
                return Err(CassetteError::corrupt(
                    &self.path,
                    1,
                    "this is no cassette, and nothing is written over it",
                ));
            }
            let whose = self.whose.get().expect("a target says who it is when it is loaded, before its run begins");
            let header = Header {
                format: FORMAT.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                target: self.name.clone(),
                kind: whose.kind.to_owned(),
                model: whose.model.clone(),
                address: whose.address.clone(),
                digest: whose.digest,
                run: run.run,
                seed: run.seed,
                concurrency: run.concurrency,
                unprobed: run.unprobed,
            };
            file.write_all(&line(&header)).map_err(io)?;
        }
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = Some(Out { file, sitting });
        Ok(())
    }

    /// Writes one attempt without any of these secrets; when this returns it survives the death of the process.
    ///
    /// # Errors
    /// When it cannot be written: the run must stop, for it could not be replayed.
    pub(in super::super) fn keep(
        &self,
        trial: &TrialRef,
        attempt: u32,
        waited_us: u64,
        draft: Draft,
        secrets: &[Key],
    ) -> Result<(), CassetteError> {
        let (case, probe, repeat) = match trial {
            TrialRef::Case { case, repeat } => (Some(case.clone()), None, *repeat),
            TrialRef::Probe { when, question } => (None, Some(*when), *question),
        };
        let (request, reply, end) = draft.finish(secrets);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = &mut *out else {
            return Err(CassetteError::Missing(format!("`{}` is not open", self.path.display())));
        };
        let mut exchange = Exchange {
            seq: self.seq.fetch_add(1, Ordering::SeqCst),
            sitting: out.sitting,
            case,
            probe,
            repeat,
            attempt,
            waited_us,
            request,
            reply,
            end,
        };
        let mut text = line(&exchange);
        if text.len() > MAX_LINE
            && let Some(reply) = &mut exchange.reply
        {
            reply.pieces.clear();
            exchange.end = End { kind: Ending::NotKept, ..exchange.end };
            text = line(&exchange);
        }
        out.file.write_all(&text).map_err(|e| CassetteError::io("write", &self.path, e))
    }
}

fn line(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("plain data with text keys always serialises");
    text.push(b'\n');
    text
}
