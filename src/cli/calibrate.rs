//! `goldgate calibrate --simulate`: the gate's own error rates, on models whose truth is known.

use super::CliError;
use super::output::{Terminal, to_stderr};
use crate::calibrate::{self, Effort, Facts, Row, Verdict};
use crate::store::write_atomically;
use crate::types::ExitCode;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The seed of docs/calibration.md.
const DEFAULT_SEED: u64 = 1;

/// Measure the gate's own error rates on simulated models
#[derive(Args)]
pub struct Calibrate {
    /// Simulate pairs of models whose truth is known, and hold the gate's error rates to their bounds
    #[arg(long)]
    simulate: bool,
    /// Only the critical designs, with fewer runs: for continuous integration
    #[arg(long)]
    quick: bool,
    /// Write the page too (docs/calibration.md is one)
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The seed of every simulated run
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Print the study as JSON in place of the table
    #[arg(long)]
    json: bool,
}

impl Calibrate {
    /// Runs the command.
    ///
    /// # Errors
    /// When nothing to calibrate is named, or the page cannot be written.
    pub fn run(&self, terminal: &Terminal) -> Result<ExitCode, CliError> {
        if !self.simulate {
            return Err(CliError::Usage("say what to calibrate: write `goldgate calibrate --simulate`".to_owned()));
        }
        let effort = if self.quick { Effort::QUICK } else { Effort::FULL };
        let started = Instant::now();
        let study = calibrate::simulate(effort, self.seed, &|row| self.note(terminal, row, started));
        if let Some(out) = &self.out {
            let facts = Facts {
                command: self.command(out),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                seconds: started.elapsed().as_secs_f64(),
                threads: rayon::current_num_threads(),
            };
            write_atomically(out, calibrate::markdown(&study, &facts).as_bytes())?;
        }
        terminal.say(&if self.json { calibrate::json(&study) } else { calibrate::terminal(&study) });
        Ok(if study.verdict() == Verdict::Ok { ExitCode::Promote } else { ExitCode::Reject })
    }

    fn note(&self, terminal: &Terminal, row: &Row, started: Instant) {
        if !terminal.quiet {
            let seconds = started.elapsed().as_secs_f64();
            to_stderr(&format!(
                "goldgate: {seconds:6.1} s  row {} ({}): {}",
                row.number,
                row.title,
                row.verdict().word()
            ));
        }
    }

    fn command(&self, out: &Path) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let seed = if self.seed == DEFAULT_SEED { String::new() } else { format!(" --seed {}", self.seed) };
        format!("goldgate calibrate --simulate{quick}{seed} --out {}", out.display())
    }
}
