//! Reading small files of a checkpoint, with a limit for each, and the digest of all of them.

use super::error::EngineError;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes of a configuration, a chat template or an index of weight files.
pub(super) const SMALL_FILE: u64 = 4 << 20;
/// Most bytes of a tokenizer; the largest of public models have about 34 MB.
pub(super) const TOKENIZER_FILE: u64 = 128 << 20;

/// Opens a regular file and returns its size with it.
pub(super) fn open(path: &Path, help: &'static str) -> Result<(File, u64), EngineError> {
    let io = |source| EngineError::Io { path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe would wait for its other end.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok((File::open(path).map_err(io)?, metadata.len())),
        Ok(_) => Err(EngineError::NotFound { path: path.to_owned(), help }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(EngineError::NotFound { path: path.to_owned(), help })
        }
        Err(e) => Err(io(e)),
    }
}

/// The bytes of a file that has at most `limit` of them.
pub(super) fn read(path: &Path, limit: u64, help: &'static str) -> Result<Vec<u8>, EngineError> {
    let (file, size) = open(path, help)?;
    if size > limit {
        return Err(EngineError::TooLarge { path: path.to_owned(), size, limit });
    }
    let mut bytes = Vec::new();
    // A file that grows while it is read is cut at the limit and then fails as what it is.
    file.take(limit).read_to_end(&mut bytes).map_err(|source| EngineError::Io { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// A JSON object from a small file.
pub(super) struct Object {
    pub(super) path: PathBuf,
    pub(super) values: serde_json::Map<String, Value>,
}

impl Object {
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        let values =
            serde_json::from_slice(bytes).map_err(|source| EngineError::Json { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), values })
    }

    /// The value, where null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|v| !v.is_null())
    }

    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> EngineError {
        EngineError::Config { path: self.path.clone(), key: key.to_owned(), problem: problem.into() }
    }

    pub(super) fn unsupported(&self, what: impl Into<String>, help: &'static str) -> EngineError {
        EngineError::Unsupported { path: self.path.clone(), what: what.into(), help }
    }

    /// A size: an integer from 1 to 2^24, which bounds every product of two of them by far less than a usize.
    pub(super) fn size(&self, key: &str) -> Result<Option<usize>, EngineError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64() {
            Some(n @ 1..=0x0100_0000) => Ok(Some(n as usize)),
            _ => Err(self.wrong(key, format!("is {}, expected an integer from 1 to {}", brief(value), 1 << 24))),
        }
    }

    pub(super) fn required_size(&self, key: &str) -> Result<usize, EngineError> {
        self.size(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, EngineError> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(self.wrong(key, format!("is {}, expected true or false", brief(other)))),
        }
    }

    /// A finite number above zero.
    pub(super) fn positive(&self, key: &str) -> Result<Option<f64>, EngineError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        positive(value)
            .map(Some)
            .ok_or_else(|| self.wrong(key, format!("is {}, expected a number above 0", brief(value))))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, EngineError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s)),
            Some(other) => Err(self.wrong(key, format!("is {}, expected text", brief(other)))),
        }
    }
}

/// The number, if it is finite and above zero.
pub(super) fn positive(value: &Value) -> Option<f64> {
    value.as_f64().filter(|x| x.is_finite() && *x > 0.0)
}

/// A value as an error message shows it: short, whatever the file holds.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// Collects the files that determine what a model answers, and digests names and contents.
#[derive(Default)]
pub(super) struct FileDigests(Vec<(String, [u8; 32])>);

impl FileDigests {
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) {
        self.0.push((name.to_owned(), Sha256::digest(bytes).into()));
    }

    /// SHA-256 over the length of the name, the name and the SHA-256 of the content of each file in the order of names.
    pub(super) fn finish(mut self) -> [u8; 32] {
        self.0.sort();
        let mut whole = Sha256::new();
        for (name, content) in &self.0 {
            whole.update((name.len() as u64).to_le_bytes());
            whole.update(name.as_bytes());
            whole.update(content);
        }
        whole.finalize().into()
    }
}
