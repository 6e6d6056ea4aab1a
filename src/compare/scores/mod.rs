//! Anybody's scores: the files that other tools wrote, checked and turned into samples.
//!
//! Four formats, told apart by what is in the file and not by its name: a table of `case, target, metric, value` as CSV ([`csv`]) or JSON
//! lines ([`jsonl`]), the per-sample files of lm-evaluation-harness ([`lm_eval`]) and the logs of Inspect ([`inspect`]). Each reader turns
//! rows into entries; the [`collect::Collector`] holds what all entries, of whatever file, must agree on.

mod cells;
mod collect;
mod csv;
mod form;
mod inspect;
mod jsonl;
mod lm_eval;
mod python;
mod readings;

use crate::score::Sample;
use crate::suite::diag::{Diagnostics, SourceFile};
use crate::types::{Metric, SliceName, TargetName};
use collect::Collector;
use form::Form;

/// One file of scores.
#[derive(Clone, Debug)]
pub struct ScoreFile {
    /// The file with its text.
    pub source: SourceFile,
    /// Whose scores these are, for a file that holds those of one target; by default what the file or its folder says.
    pub target: Option<TargetName>,
}

/// Checked scores.
#[derive(Clone, Debug)]
pub struct Scores {
    /// One sample per case, target and repeat.
    pub samples: Vec<Sample>,
    /// The metrics by name, with their kinds as declared or as the values show.
    pub metrics: Vec<Metric>,
    /// The targets by name.
    pub targets: Vec<TargetName>,
    /// The slices: all cases, then those of the files by name.
    pub slices: Vec<SliceName>,
    /// What the files hold and was not taken over, and why: a sentence each.
    pub notes: Vec<String>,
}

impl Scores {
    /// Reads files, which together say of each case, target, repeat and metric at most one thing.
    ///
    /// # Errors
    /// All mistakes found, each with its file, its line and the column at which the wrong field begins.
    pub fn read(files: &[ScoreFile]) -> Result<Self, Diagnostics> {
        let mut found = Collector::default();
        let (mut harness, mut logs) = (lm_eval::Samples::default(), inspect::Logs::default());
        for file in files {
            match form::of(&file.source) {
                Ok(Form::Csv) => csv::read(&mut found, file),
                Ok(Form::Jsonl) => jsonl::read(&mut found, file),
                Ok(Form::LmEval) => harness.read(&mut found, file),
                Ok(Form::Inspect) => logs.read(&mut found, file),
                Err((message, help)) => {
                    let index = found.open(&file.source, collect::Layout::Exact);
                    found.error(index, 0..0, message, Some(help));
                }
            }
        }
        // Which filters a task has, and which scores its samples should have, is known once every file has been read.
        readings::hand_over(&mut found, harness.finish());
        let of_logs = logs.finish(&mut found);
        readings::hand_over(&mut found, of_logs);
        found.finish()
    }
}
