//! `goldgate run`: ask, record, seal; no judgement.

use super::CliError;
use super::config::Config;
use super::output::Terminal;
use super::pipeline::{self, Loaded};
use super::progress::Progress;
use super::tape::TapeArgs;
use crate::types::{ExitCode, TargetName};
use clap::Args;
use std::path::{Path, PathBuf};

/// The seed when none is named: any fixed number serves, since it only orders the questions.
pub const DEFAULT_SEED: u64 = 1;
/// Questions in flight when nothing is named: one, so that no target slows another and times mean something.
pub const DEFAULT_CONCURRENCY: usize = 1;

/// The most questions in flight at a stated arrival rate when nothing is named: so many that reaching it means that the rate is too high.
pub const DEFAULT_BOUND: usize = 256;

/// Ask a suite of the targets and record the answers.
#[derive(Args)]
pub struct Run {
    /// The suite's folder
    suite: PathBuf,
    /// The policy to pin before the first question [default: policy.toml beside the suite]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// How a suite is asked.
#[derive(Args)]
pub struct RunArgs {
    /// A candidate to ask in place of the policy's (repeatable); the baseline itself makes an A/A run
    #[arg(long, value_name = "NAME", value_parser = target_name)]
    pub candidate: Vec<TargetName>,
    /// Where the run lies; an unfinished run there goes on [default: a new folder under reports/]
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// The seed of the questions' order [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "replay")]
    pub seed: Option<u64>,
    /// Questions in flight at once; above 1 a run is faster and its times prove nothing. With --arrival-rate the most that may be [default:
    /// 1; with --arrival-rate 256]
    #[arg(short = 'j', long, value_name = "N", value_parser = in_flight, conflicts_with = "replay")]
    pub concurrency: Option<usize>,
    /// Ask so many questions per second, evenly, whether those before have been answered or not; times count from when each was due. Remote
    /// targets only
    #[arg(long, value_name = "PER-SECOND", value_parser = per_second, conflicts_with = "replay")]
    pub arrival_rate: Option<f64>,
    /// Stop before the run's remote targets could cost more than this, US dollars; each needs a `price`
    #[arg(long, value_name = "USD", value_parser = dollars, conflicts_with = "replay")]
    pub max_cost: Option<f64>,
    #[command(flatten)]
    pub tape: TapeArgs,
    /// Ask remote targets without the small questions before and after that show what they give and who answers
    #[arg(long, conflicts_with = "replay")]
    pub no_probe: bool,
}

pub(super) fn target_name(text: &str) -> Result<TargetName, String> {
    TargetName::new(text).map_err(|e| e.to_string())
}

pub(super) fn in_flight(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=4096) => Ok(n),
        _ => Err("write a number from 1 to 4096".to_owned()),
    }
}

fn per_second(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (1e-3..=1e4).contains(&rate) => Ok(rate),
        _ => Err("write questions per second as a number from 0.001 to 10000, such as 2.5".to_owned()),
    }
}

fn dollars(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(usd) if usd > 0.0 && usd <= 1e9 => Ok(usd),
        _ => Err("write US dollars as a number above 0, such as 2.50".to_owned()),
    }
}

impl RunArgs {
    /// Whether nothing was named.
    pub fn is_default(&self) -> bool {
        self.candidate.is_empty()
            && self.run_dir.is_none()
            && self.seed.is_none()
            && self.concurrency.is_none()
            && self.arrival_rate.is_none()
            && self.max_cost.is_none()
            && self.tape.is_default()
            && !self.no_probe
    }
}

impl Run {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever stopped the run before its end.
    pub fn run(&self, config: Option<&Path>, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let loaded = Loaded::new(&self.suite, self.policy.as_deref())?;
        let config = Config::load(config, &self.suite)?;
        terminal.warn_of_impossible(&loaded.policy, &loaded.suite);
        let run = pipeline::ask(&loaded, &config, self.run.options(), &mut Progress::new(terminal.quiet))?;
        let samples = pipeline::score_all(&run, &loaded.suite)?;
        run.dir.write_lines("results.jsonl", pipeline::results(&run, &samples, &loaded.suite.metrics()))?;
        let failed = pipeline::failures(&samples);
        let failed = if failed > 0 { format!(", {failed} without an answer") } else { String::new() };
        let path = run.dir.path().display();
        terminal.say(&format!(
            "{} trials recorded{failed} in {path}\njudge them with: goldgate gate {path}",
            samples.len()
        ));
        Ok(ExitCode::Promote)
    }
}
