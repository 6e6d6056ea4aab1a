//! `goldgate golden`: accept a run's answers as the baseline that later runs are held against, and list what changed since.

use super::output::Terminal;
use super::{CliError, pipeline};
use crate::store::{GoldenAnswer, GoldenChange, GoldenFile, GoldenTarget, RunDir, SealedRun, diff_golden};
use crate::types::{ExitCode, TargetName, ToolCall};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Keep a run as the accepted baseline, or list what changed since.
#[derive(Subcommand)]
pub enum Golden {
    /// Keep a run's answers and scores under golden/SUITE/
    Accept {
        /// The folder of a complete run
        run: PathBuf,
        /// Where baselines lie
        #[arg(long, value_name = "DIR", default_value = "golden")]
        golden: PathBuf,
    },
    /// List what changed since the accepted baseline; exits 8 if anything did
    Diff {
        /// The folder of a complete run
        run: PathBuf,
        /// Where baselines lie
        #[arg(long, value_name = "DIR", default_value = "golden")]
        golden: PathBuf,
    },
}

impl Golden {
    /// Runs the command.
    ///
    /// # Errors
    /// When the run is not complete, its suite has changed, or a baseline cannot be written or read.
    pub fn run(&self, terminal: &Terminal) -> Result<ExitCode, CliError> {
        match self {
            Self::Accept { run, golden } => accept(run, golden, terminal),
            Self::Diff { run, golden } => diff(run, golden, terminal),
        }
    }
}

fn answers(path: &Path) -> Result<(SealedRun, Vec<GoldenAnswer>), CliError> {
    let run = RunDir::new(path).open_sealed()?;
    let suite = pipeline::suite_of(&run)?;
    let samples = pipeline::score_all(&run, &suite)?;
    let answers = pipeline::results(&run, &samples, &suite.metrics()).collect();
    Ok((run, answers))
}

fn accept(path: &Path, golden: &Path, terminal: &Terminal) -> Result<ExitCode, CliError> {
    let (run, answers) = answers(path)?;
    pipeline::refuse_calibration(&run)?;
    pipeline::refuse_replay(&run)?;
    let m = &run.manifest;
    let folder = golden.join(m.suite.name.as_str());
    let targets = m
        .arms
        .iter()
        .map(|a| GoldenTarget { name: a.name.clone(), digest: a.digest, prompt: a.prompt.clone() })
        .collect();
    let name = run.dir.path().file_name().map_or_else(|| "run".to_owned(), |n| n.to_string_lossy().into_owned());
    GoldenFile::accept(&folder, m.suite.clone(), targets, name, m.started.clone(), &answers)?;
    terminal.say(&format!("{} answers accepted in {}", answers.len(), folder.display()));
    Ok(ExitCode::Promote)
}

fn diff(path: &Path, golden: &Path, terminal: &Terminal) -> Result<ExitCode, CliError> {
    let (run, now) = answers(path)?;
    let folder = golden.join(run.manifest.suite.name.as_str());
    if !folder.join("golden.json").is_file() {
        let golden = folder.display();
        return Err(CliError::Usage(format!(
            "nothing is accepted in {golden} yet; `goldgate golden accept RUN` keeps a run there"
        )));
    }
    let (file, accepted) = GoldenFile::read(&folder)?;
    if file.suite.digest != run.manifest.suite.digest {
        terminal.say("the suite has changed since the baseline was accepted");
    }
    let known = |name: &TargetName| file.targets.iter().find(|t| t.name == *name);
    let mut new_targets = 0;
    for arm in &run.manifest.arms {
        match known(&arm.name) {
            None => {
                new_targets += 1;
                terminal.say(&format!("target {}: no accepted answers", arm.name));
            }
            Some(t) if t.digest != arm.digest => {
                terminal.say(&format!("target {}: another model than the accepted one", arm.name));
            }
            Some(_) => {}
        }
    }
    let changes = diff_golden(&accepted, &now);
    for change in &changes {
        terminal.say(&describe(change));
    }
    let compared = now.iter().filter(|a| known(&a.target).is_some()).count();
    let unchanged = compared.saturating_sub(changes.iter().filter(|c| c.now.is_some()).count());
    terminal.say(&format!("{} changed, {unchanged} as accepted", changes.len()));
    // A target that nobody accepted waits for review like a changed answer; comparing nothing is never "unchanged".
    let clean = changes.is_empty() && new_targets == 0 && compared > 0;
    Ok(if clean { ExitCode::Promote } else { ExitCode::GoldenChanges })
}

fn describe(change: &GoldenChange) -> String {
    let head = format!("{} [{}]", change.case, change.target);
    let (was, now) = match (&change.accepted, &change.now) {
        (Some(was), Some(now)) => (was, now),
        (Some(_), None) => return format!("{head}: no longer asked"),
        _ => return format!("{head}: new"),
    };
    let shown = |v: Option<f64>| v.map_or_else(|| "unscored".to_owned(), |v| format!("{v}"));
    let scores: Vec<_> =
        change.scores().into_iter().map(|(m, a, b)| format!("{m} {} -> {}", shown(a), shown(b))).collect();
    let scores = if scores.is_empty() { "scores unchanged".to_owned() } else { scores.join(", ") };
    let shown = |a: &GoldenAnswer| ToolCall::behind(&a.text, &a.tool_calls);
    let (was, now) = (shown(was), shown(now));
    if was == now {
        return format!("{head}: {scores}");
    }
    format!("{head}: {scores}\n  - {}\n  + {}", was.for_terminal(74), now.for_terminal(74))
}
