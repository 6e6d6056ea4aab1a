//! `goldgate report`: the reports of a complete run, written again.

use super::output::{Format, Terminal, write_reports};
use super::{CliError, gate, pipeline, view};
use crate::store::RunDir;
use crate::types::ExitCode;
use clap::Args;
use std::path::PathBuf;

/// Write the reports of a run again.
#[derive(Args)]
pub struct Report {
    /// The folder of a complete run
    run: PathBuf,
    /// The formats, separated by commas [default: all]
    #[arg(short, long, value_enum, value_delimiter = ',')]
    format: Vec<Format>,
    /// Where to write [default: the run's folder]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Report {
    /// Runs the command.
    ///
    /// # Errors
    /// When the run is not complete, its suite has changed, or a file cannot be written.
    pub fn run(&self, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let run = RunDir::new(&self.run).open_sealed()?;
        let suite = pipeline::suite_of(&run)?;
        let policy = gate::policy_of(&run, None)?;
        let samples = pipeline::score_all(&run, &suite)?;
        let verdicts = pipeline::judge_all(&policy, &suite, &run, &samples);
        let model = view::build(&run, &suite, &samples, verdicts, policy.alpha())?;
        let formats = if self.format.is_empty() { &Format::ALL[..] } else { &self.format };
        let out = self.output.as_ref().map_or_else(|| run.dir.clone(), RunDir::new);
        for path in write_reports(&out, &model, formats)? {
            terminal.say(&path.display().to_string());
        }
        Ok(ExitCode::Promote)
    }
}
