//! `goldgate compare`: the paired table of a run, without a policy.

use super::output::Terminal;
use super::{CliError, pipeline, view};
use crate::report;
use crate::store::RunDir;
use crate::types::ExitCode;
use clap::Args;
use std::path::PathBuf;

/// Compare the targets of a run, with intervals and without a policy.
#[derive(Args)]
pub struct Compare {
    /// The folder of a complete run
    run: PathBuf,
    /// One-sided level: intervals are at 1 - 2 alpha, of counts at 1 - alpha
    #[arg(long, default_value_t = 0.05, value_parser = level)]
    alpha: f64,
    /// Every slice, not only all cases
    #[arg(long)]
    by_slice: bool,
    /// The comparisons as JSON
    #[arg(long)]
    json: bool,
}

fn level(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(a) if (1e-6..=0.25).contains(&a) => Ok(a),
        _ => Err("write a number from 0.000001 to 0.25".to_owned()),
    }
}

impl Compare {
    /// Runs the command.
    ///
    /// # Errors
    /// When the run is not complete or its suite has changed.
    pub fn run(&self, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let run = RunDir::new(&self.run).open_sealed()?;
        let suite = pipeline::suite_of(&run)?;
        let samples = pipeline::score_all(&run, &suite)?;
        let mut model = view::build(&run, &suite, &samples, Vec::new(), self.alpha)?;
        if !self.by_slice {
            model.comparisons.retain(|c| c.slice.is_all());
        }
        if self.json {
            let json =
                serde_json::to_string_pretty(&model.comparisons).expect("plain data with text keys always serialises");
            terminal.say(&json);
        } else {
            terminal.show_comparisons(&model.comparisons);
        }
        Ok(ExitCode::Promote)
    }
}

impl Terminal {
    fn show_comparisons(&self, comparisons: &[crate::compare::Comparison]) {
        self.say(&report::comparison_table(comparisons, self.columns()));
    }
}
