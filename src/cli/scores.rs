//! The files of scores that the command line names, read.

use super::CliError;
use crate::compare::{ScoreFile, Scores};
use crate::suite::read_text;
use crate::types::{TargetName, Untrusted};
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

/// `FILE`, or `NAME=FILE` for a file that holds the scores of one target.
#[derive(Clone, Debug)]
pub(super) struct ScoresArg {
    target: Option<TargetName>,
    path: PathBuf,
}

impl ScoresArg {
    /// Reads `FILE` or `NAME=FILE`. A file whose own name has a `=` is given with its folder, as `./a=b.csv`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (target, path) = match text.split_once('=') {
            // What stands before the `=` is a folder and no name.
            Some((name, _)) if name.contains(['/', '\\']) => (None, text),
            Some((name, path)) => (Some(TargetName::new(name).map_err(|e| e.to_string())?), path),
            None => (None, text),
        };
        if path.is_empty() {
            return Err("write FILE or NAME=FILE".to_owned());
        }
        Ok(Self { target, path: path.into() })
    }
}

/// How a sentence on all the files together begins: who has, or have, something.
pub(super) fn who_has(args: &[ScoresArg]) -> String {
    match args {
        [one] => format!("`{}` has", Untrusted::new(one.path.display().to_string()).for_terminal(200)),
        _ => format!("the {} files of scores have", args.len()),
    }
}

/// Reads all files as one set of scores.
pub(super) fn read(args: &[ScoresArg]) -> Result<Scores, CliError> {
    let mut files = Vec::with_capacity(args.len());
    for ScoresArg { target, path } in args {
        let shown = path.display().to_string();
        if is_zip(path) {
            let shown = Untrusted::new(shown).for_terminal(200);
            return Err(CliError::Usage(format!(
                "`{shown}` is a packed log of Inspect, which goldgate does not read; unpack it with \
                 `inspect log convert --to json --output-dir DIR {shown}` and give the file in DIR"
            )));
        }
        files.push(ScoreFile { source: read_text(path, &shown)?, target: target.clone() });
    }
    Ok(Scores::read(&files)?)
}

/// Whether a file begins as a zip archive does. One that cannot be read is told of by who reads it.
fn is_zip(path: &std::path::Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"PK\x03\x04"
}
