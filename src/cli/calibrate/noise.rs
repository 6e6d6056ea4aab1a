//! `goldgate calibrate SUITE`: one target several times through the whole stack, to see how far its scores move when nothing has changed.

use crate::cli::CliError;
use crate::cli::config::Config;
use crate::cli::identities;
use crate::cli::output::Terminal;
use crate::cli::pipeline::{self, Loaded, RunOptions};
use crate::cli::progress::Progress;
use crate::cli::run::{DEFAULT_CONCURRENCY, in_flight, target_name};
use crate::cli::tape::TapeArgs;
use crate::gate::{self, Noise, Repeated};
use crate::report;
use crate::store::{GoldenAnswer, Purpose, SealedRun};
use crate::types::{CaseId, Digest, ExitCode, TargetName};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The format of `noise.json`; `schemas/noise.schema.json` describes it.
const FORMAT: &str = "goldgate.noise/1";
/// Repeats when no number is named (statistics.md, section 11).
const DEFAULT_REPEATS: usize = 5;
/// Every ordered pair of repeats is judged, so that their number costs its square.
const MOST_REPEATS: usize = 50;

/// How a suite is asked again and again.
#[derive(Args)]
pub(super) struct NoiseArgs {
    /// The target to ask [default: the policy's baseline]
    #[arg(long, value_name = "NAME", value_parser = target_name, conflicts_with = "simulate")]
    target: Option<TargetName>,
    /// How often every case is asked, from 2 to 50
    #[arg(long, value_name = "K", default_value_t = DEFAULT_REPEATS, value_parser = repeats, conflicts_with = "simulate")]
    repeats: usize,
    /// The policy to hold against the noise [default: policy.toml beside the suite]
    #[arg(long, value_name = "FILE", conflicts_with = "simulate")]
    policy: Option<PathBuf>,
    /// Where the run lies; an unfinished calibration there goes on [default: a new folder under reports/]
    #[arg(long, value_name = "DIR", conflicts_with = "simulate")]
    run_dir: Option<PathBuf>,
    /// Questions in flight at once; above 1 a run is faster and its times prove nothing
    #[arg(short = 'j', long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = in_flight, conflicts_with_all = ["simulate", "replay"])]
    concurrency: usize,
    #[command(flatten)]
    pub(super) tape: TapeArgs,
    /// Ask a remote target without the small questions before and after that show what it gives and who answers
    #[arg(long, conflicts_with_all = ["simulate", "replay"])]
    no_probe: bool,
}

fn repeats(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(k @ 2..=MOST_REPEATS) => Ok(k),
        _ => Err(format!("write a number from 2 to {MOST_REPEATS}: a difference needs two runs")),
    }
}

/// `noise.json`: the noise, bound by digest to what it speaks of.
#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct NoiseFile<'a> {
    format: &'static str,
    version: &'static str,
    journal: Digest,
    target_digest: Digest,
    #[serde(flatten)]
    noise: &'a Noise,
}

impl NoiseArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever stopped the run before its end.
    pub fn run(
        &self,
        suite: &Path,
        seed: u64,
        json: bool,
        config: Option<&Path>,
        terminal: &Terminal,
    ) -> Result<ExitCode, CliError> {
        let loaded = Loaded::new(suite, self.policy.as_deref())?;
        let config = Config::load(config, suite)?;
        let target = self.target.as_ref().unwrap_or(loaded.policy.baseline());
        let roles = (1..=self.repeats)
            .map(|k| TargetName::new(&format!("{target}-r{k}")).map(|name| (name, target.clone())))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| CliError::Usage(format!("the name of a repeat would be too long: {e}")))?;
        let options = RunOptions {
            candidates: &[],
            run_dir: self.run_dir.clone(),
            seed,
            concurrency: self.concurrency,
            arrival_rate: None,
            max_cost: None,
            tape: &self.tape,
            probe: !self.no_probe,
        };
        let mut progress = Progress::new(terminal.quiet);
        let run = pipeline::ask_roles(&loaded, &config, &roles, Purpose::Calibration, options, &mut progress)?;
        if let Some(changed) = identities::changed_over_repeats(&run).first() {
            return Err(CliError::Exchanged(format!(
                "{}; no noise can be told from it, for what moved may be the other model: calibrate again into another folder",
                changed.words()
            )));
        }
        let (noise, results) = measure(&loaded, &run, target)?;
        let digest = run.manifest.arms.first().map(|a| a.digest);
        let file = NoiseFile {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            journal: run.journal_digest,
            target_digest: digest.ok_or_else(|| CliError::Usage("the run asked nobody".to_owned()))?,
            noise: &noise,
        };
        let mut text = serde_json::to_string_pretty(&file).expect("plain data with text keys always serialises");
        run.dir.write_lines("results.jsonl", results)?;
        text.push('\n');
        let path = run.dir.write("noise.json", text.as_bytes())?;
        if json {
            terminal.say(text.trim_end());
        } else {
            terminal.say(&report::noise_table(&noise, terminal.columns()));
            terminal.say(&format!("noise: {}", path.display()));
        }
        Ok(ExitCode::Promote)
    }
}

fn measure(loaded: &Loaded, run: &SealedRun, target: &TargetName) -> Result<(Noise, Vec<GoldenAnswer>), CliError> {
    let suite = &loaded.suite;
    let samples = pipeline::score_all(run, suite)?;
    let metrics = suite.metrics();
    let results: Vec<_> = pipeline::results(run, &samples, &metrics).collect();
    let names: Vec<TargetName> = run.manifest.arms.iter().map(|a| a.name.clone()).collect();
    let noise = gate::noise(
        &loaded.policy,
        Repeated {
            suite: suite.name(),
            suite_digest: suite.digest(),
            metrics: &metrics,
            planned: suite.cases().len(),
            target,
            repeats: &names,
            samples: &samples,
            moved: &moved(&results),
            concurrency: run.manifest.concurrency,
        },
    );
    Ok((noise, results))
}

/// The cases whose answers are not the same in every repeat, in words and in how they ended.
fn moved(results: &[GoldenAnswer]) -> Vec<CaseId> {
    let mut first: BTreeMap<&CaseId, (&GoldenAnswer, bool)> = BTreeMap::new();
    for answer in results {
        let (one, differs) = first.entry(&answer.case).or_insert((answer, false));
        let said = |a: &GoldenAnswer| (a.text.clone(), a.tool_calls.clone(), a.outcome);
        *differs |= said(one) != said(answer);
    }
    first.into_iter().filter(|(_, (_, differs))| *differs).map(|(case, _)| case.clone()).collect()
}
