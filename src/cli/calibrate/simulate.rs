//! `goldgate calibrate --simulate`: the gate's own error rates, on models whose truth is known.

use crate::calibrate::{self, Effort, Facts, Row, Verdict};
use crate::cli::CliError;
use crate::cli::output::{Terminal, to_stderr};
use crate::cli::run::DEFAULT_SEED;
use crate::store::write_atomically;
use crate::types::ExitCode;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How the gate is measured.
#[derive(Args)]
pub(super) struct SimulateArgs {
    /// Simulate pairs of models whose truth is known, and hold the gate's error rates to their bounds
    #[arg(long)]
    simulate: bool,
    /// Only the critical designs, with fewer runs: for continuous integration
    #[arg(long, requires = "simulate")]
    quick: bool,
    /// Write the page too (docs/calibration.md is one)
    #[arg(short, long, value_name = "FILE", requires = "simulate")]
    out: Option<PathBuf>,
}

impl SimulateArgs {
    /// Whether `--simulate` was written.
    pub fn is_asked(&self) -> bool {
        self.simulate
    }

    /// Whether anything was written that only a simulation knows.
    pub fn is_touched(&self) -> bool {
        self.simulate || self.quick || self.out.is_some()
    }

    /// Runs the command.
    ///
    /// # Errors
    /// When the page cannot be written.
    pub fn run(&self, seed: u64, json: bool, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let effort = if self.quick { Effort::QUICK } else { Effort::FULL };
        let started = Instant::now();
        let study = calibrate::simulate(effort, seed, &|row| self.note(terminal, row, started));
        if let Some(out) = &self.out {
            let facts = Facts {
                command: self.command(out, seed),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                seconds: started.elapsed().as_secs_f64(),
                threads: rayon::current_num_threads(),
            };
            write_atomically(out, calibrate::markdown(&study, &facts).as_bytes())?;
        }
        terminal.say(&if json { calibrate::json(&study) } else { calibrate::terminal(&study) });
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

    fn command(&self, out: &Path, seed: u64) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let seed = if seed == DEFAULT_SEED { String::new() } else { format!(" --seed {seed}") };
        format!("goldgate calibrate --simulate{quick}{seed} --out {}", out.display())
    }
}
