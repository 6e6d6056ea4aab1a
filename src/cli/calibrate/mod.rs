//! `goldgate calibrate`: what to believe of the gate itself: how far scores move when nothing has changed, and how often it errs.

mod noise;
mod simulate;

use super::CliError;
use super::output::Terminal;
use super::run::DEFAULT_SEED;
use crate::types::ExitCode;
use clap::Args;
use std::path::{Path, PathBuf};

/// Ask one target several times, to see how far its scores move when nothing has changed; or measure the gate on simulated models.
#[derive(Args)]
pub struct Calibrate {
    /// The suite's folder
    #[arg(conflicts_with = "simulate")]
    suite: Option<PathBuf>,
    #[command(flatten)]
    noise: noise::NoiseArgs,
    #[command(flatten)]
    simulate: simulate::SimulateArgs,
    /// The seed of the questions' order, or of every simulated run
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED, conflicts_with = "replay")]
    seed: u64,
    /// The result as JSON in place of the table
    #[arg(long)]
    json: bool,
}

impl Calibrate {
    /// Runs the command.
    ///
    /// # Errors
    /// When nothing to calibrate is named, or whatever stopped the calibration before its end.
    pub fn run(&self, config: Option<&Path>, terminal: &Terminal) -> Result<ExitCode, CliError> {
        match &self.suite {
            Some(_) if self.simulate.is_touched() => {
                Err(CliError::Usage("`--quick` and `--out` belong to `--simulate`, which takes no suite".to_owned()))
            }
            Some(suite) => self.noise.run(suite, self.seed, self.json, config, terminal),
            None if !self.noise.tape.is_default() => {
                Err(CliError::Usage("`--record` and `--replay` belong to a suite".to_owned()))
            }
            None if self.simulate.is_asked() => self.simulate.run(self.seed, self.json, terminal),
            None => Err(CliError::Usage(
                "say what to calibrate: name a suite, or write `goldgate calibrate --simulate`".to_owned(),
            )),
        }
    }
}
