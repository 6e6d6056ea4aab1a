//! Files of JSON lines beside the journal, each line with a power loss in mind.

use super::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Appends one line, behind the last whole one: a torn one was left by a process that died while writing. `what` names a line.
pub(super) fn append<T: Serialize + DeserializeOwned>(path: &Path, what: &str, line: &T) -> Result<(), StoreError> {
    let (_, whole) = read::<T>(path, what)?;
    let io = |e| StoreError::io("write", path, e);
    let mut line = serde_json::to_vec(line).map_err(|e| io(e.into()))?;
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() != whole {
        file.set_len(whole).map_err(io)?;
    }
    file.write_all(&line).and_then(|()| file.sync_data()).map_err(io)
}

/// All whole lines, and the length in bytes that they take. Where there was nothing to note there is no such file.
pub(super) fn read<T: DeserializeOwned>(path: &Path, what: &str) -> Result<(Vec<T>, u64), StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(b) => b,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(StoreError::io("read", path, e)),
    };
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let mut lines = Vec::new();
    for (i, line) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
        let line = serde_json::from_slice(line).map_err(|e| StoreError::Corrupt {
            path: path.display().to_string(),
            what: format!("{what} {i}"),
            reason: e.to_string(),
        })?;
        lines.push(line);
    }
    Ok((lines, whole as u64))
}
