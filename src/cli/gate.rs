//! `goldgate gate`: run what is missing, judge, report. The only command whose exit code is a decision.

use super::config::Config;
use super::output::{Format, Terminal, write_reports, write_verdict};
use super::pipeline::{self, Loaded, RunOptions};
use super::progress::Progress;
use super::run::RunArgs;
use super::{CliError, view};
use crate::gate::{self, Policy, Verdict};
use crate::store::{RunDir, SealedRun};
use crate::suite::{Suite, read_text};
use crate::types::ExitCode;
use clap::Args;
use std::path::{Path, PathBuf};

/// Run what is missing of a suite, judge and report; or judge a run that is complete.
#[derive(Args)]
pub struct Gate {
    /// A suite's folder, or the folder of a complete run
    path: PathBuf,
    /// The policy [default: policy.toml beside the suite; of a run, the policy that it was asked under]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

impl Gate {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever kept it from a verdict.
    pub fn run(&self, config: Option<&Path>, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let dir = RunDir::new(&self.path);
        let (suite, policy, run) = if dir.is_run() {
            self.run.refuse_for_a_complete_run()?;
            let run = dir.open_sealed()?;
            let suite = pipeline::suite_of(&run)?;
            let policy = policy_of(&run, self.policy.as_deref())?;
            gate::check_fit(&policy, &suite)?;
            (suite, policy, run)
        } else {
            let loaded = Loaded::new(&self.path, self.policy.as_deref())?;
            let config = Config::load(config, &self.path)?;
            terminal.warn_of_impossible(&loaded.policy, &loaded.suite);
            let run = pipeline::ask(&loaded, &config, self.run.options(), &mut Progress::new(terminal.quiet))?;
            (loaded.suite, loaded.policy, run)
        };
        let verdicts = judge_and_report(&suite, &policy, &run, terminal)?;
        let code = code_of(&verdicts);
        // What was true of the recorded run is no evidence of what answers today.
        Ok(if run.manifest.replay.is_some() && code == ExitCode::Promote { ExitCode::Undecided } else { code })
    }
}

/// The policy of a run: the one named, or the file that it was asked under. A calibration has none, and takes none.
pub fn policy_of(run: &SealedRun, named: Option<&Path>) -> Result<Policy, CliError> {
    pipeline::refuse_calibration(run)?;
    let path = match (named, &run.manifest.policy) {
        (Some(p), _) => p.to_owned(),
        (None, Some(p)) => PathBuf::from(&p.path),
        (None, None) => return Err(CliError::Usage("the run has no policy; name one with `--policy`".to_owned())),
    };
    Ok(Policy::parse(read_text(&path, &path.display().to_string())?)?)
}

fn judge_and_report(
    suite: &Suite,
    policy: &Policy,
    run: &SealedRun,
    terminal: &Terminal,
) -> Result<Vec<Verdict>, CliError> {
    let samples = pipeline::score_all(run, suite)?;
    let verdicts = pipeline::judge_all(policy, suite, run, &samples);
    let model = view::build(run, suite, &samples, verdicts, policy.alpha())?;
    write_verdict(run, &model, pipeline::results(run, &samples, &suite.metrics()))?;
    let written = write_reports(&run.dir, &model, &Format::ALL)?;
    terminal.show(&model);
    if let Some(html) = written.first() {
        terminal.say(&format!("report: {}", html.display()));
    }
    Ok(model.verdicts)
}

/// The most severe decision over all candidates: reject, then undecided, then promote. Nobody judged is undecided.
fn code_of(verdicts: &[Verdict]) -> ExitCode {
    verdicts.iter().map(Verdict::decision).max().map_or(ExitCode::Undecided, gate::Decision::exit_code)
}

impl RunArgs {
    fn refuse_for_a_complete_run(&self) -> Result<(), CliError> {
        if self.is_default() {
            return Ok(());
        }
        Err(CliError::Usage(
            "a complete run is only judged: `--candidate`, `--run-dir`, `--seed`, `--concurrency`, `--arrival-rate`, `--no-probe`, `--record`, `--replay` and `--max-cost` belong to a suite"
                .to_owned(),
        ))
    }

    /// The options of a run.
    pub fn options(&self) -> RunOptions<'_> {
        RunOptions {
            candidates: &self.candidate,
            run_dir: self.run_dir.clone(),
            seed: self.seed.unwrap_or(super::run::DEFAULT_SEED),
            concurrency: self.concurrency.unwrap_or(match self.arrival_rate {
                None => super::run::DEFAULT_CONCURRENCY,
                Some(_) => super::run::DEFAULT_BOUND,
            }),
            arrival_rate: self.arrival_rate,
            max_cost: self.max_cost,
            tape: &self.tape,
            probe: !self.no_probe,
        }
    }
}
