//! `goldgate compare`: the paired table of a run, or of anybody's scores, without a policy.

use super::output::{Terminal, to_stderr};
use super::scores::{self, ScoresArg};
use super::{CliError, arrivals, listed, pipeline};
use crate::compare::{self, Asking, Choice, ComparisonTable, Request, Scores};
use crate::report;
use crate::score::Sample;
use crate::store::RunDir;
use crate::suite::diag::nearest;
use crate::types::{ExitCode, Metric, MetricName, SliceName, TargetName};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Compare the targets of a run, or of a table of scores, with intervals and without a policy.
#[derive(Args)]
pub struct Compare {
    /// The folder of a complete run
    #[arg(required_unless_present = "scores", conflicts_with = "scores")]
    run: Option<PathBuf>,
    /// Scores in place of a run: tables as CSV or JSON lines, samples of lm-evaluation-harness, or JSON logs of Inspect; may be
    /// repeated. NAME says whose scores a file holds
    #[arg(long, value_name = "[NAME=]FILE", requires = "baseline", value_parser = ScoresArg::parse)]
    scores: Vec<ScoresArg>,
    /// The target to compare with [default: of a run, its baseline]
    #[arg(long, value_name = "NAME", value_parser = TargetName::new)]
    baseline: Option<TargetName>,
    /// A target to compare; may be repeated [default: every other target]
    #[arg(long = "candidate", value_name = "NAME", value_parser = TargetName::new)]
    candidates: Vec<TargetName>,
    /// The loss that would be borne, such as accuracy=0.05 (5 points) or seconds=0.1 (10 %); may be repeated
    #[arg(long = "margin", value_name = "METRIC=VALUE", value_parser = margin)]
    margins: Vec<(MetricName, f64)>,
    /// One-sided level: intervals are at 1 - 2 alpha, of counts at 1 - alpha
    #[arg(long, default_value_t = 0.05, value_parser = level)]
    alpha: f64,
    /// Choose the best candidate by this metric on one part of the cases and compare it on the other
    #[arg(long, value_name = "METRIC", value_parser = MetricName::new)]
    select: Option<MetricName>,
    /// The share of the independent cases kept for the comparison of the chosen candidate
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, requires = "select", value_parser = share)]
    confirm_share: f64,
    /// The seed of the split, and of the resamples behind the rank intervals
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
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

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s < 1.0 => Ok(s),
        _ => Err("write a number above 0 and below 1, such as 0.5".to_owned()),
    }
}

fn margin(text: &str) -> Result<(MetricName, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write METRIC=VALUE, such as accuracy=0.05")?;
    let name = MetricName::new(name).map_err(|e| e.to_string())?;
    match value.parse::<f64>() {
        Ok(m) if m.is_finite() && m > 0.0 => Ok((name, m)),
        _ => Err("the margin is a number above 0, such as 0.05".to_owned()),
    }
}

/// What a run or a table of scores holds for the comparison.
struct Measured {
    samples: Vec<Sample>,
    metrics: Vec<Metric>,
    slices: Vec<SliceName>,
    baseline: TargetName,
    candidates: Vec<TargetName>,
    /// How the questions were started, as far as is known.
    asking: Asking,
}

impl Compare {
    /// Runs the command.
    ///
    /// # Errors
    /// When the run is not complete or its suite has changed, the table of scores has a mistake, or a name is none of its own.
    pub fn run(&self, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let measured = match (&self.baseline, &self.run) {
            (Some(baseline), None) if !self.scores.is_empty() => self.of_scores(baseline)?,
            (_, Some(run)) => self.of_run(run)?,
            _ => return Err(CliError::Usage("name a run, or --scores FILE with --baseline NAME".to_owned())),
        };
        let table = self.table(&measured)?;
        if self.json {
            let json = serde_json::to_string_pretty(&table).expect("plain data with text keys always serialises");
            terminal.say(&json);
        } else {
            terminal.say(&report::comparison_table(&table, terminal.columns()));
        }
        Ok(ExitCode::Promote)
    }

    fn of_run(&self, path: &Path) -> Result<Measured, CliError> {
        let run = RunDir::new(path).open_sealed()?;
        if run.manifest.replay.is_some() {
            to_stderr("note: REPLAY: these are the answers and the times of the recorded run");
        }
        let suite = pipeline::suite_of(&run)?;
        let targets: Vec<_> = run.manifest.arms.iter().map(|a| a.name.clone()).collect();
        let first = targets.first().ok_or_else(|| CliError::Usage(format!("`{}` asked nobody", path.display())))?;
        let baseline = self.baseline.as_ref().unwrap_or(first);
        Ok(Measured {
            samples: pipeline::score_all(&run, &suite)?,
            metrics: suite.metrics(),
            slices: suite.slices(),
            baseline: baseline.clone(),
            candidates: self.candidates_of(&targets, baseline, &format!("`{}` has", path.display()))?,
            asking: arrivals::asking(&run),
        })
    }

    fn of_scores(&self, baseline: &TargetName) -> Result<Measured, CliError> {
        let Scores { samples, metrics, targets, slices, notes } = scores::read(&self.scores)?;
        for note in notes {
            to_stderr(&format!("note: {note}"));
        }
        let candidates = self.candidates_of(&targets, baseline, &scores::who_has(&self.scores))?;
        Ok(Measured { samples, metrics, slices, baseline: baseline.clone(), candidates, asking: Asking::ALONE })
    }

    /// The candidates that were named, or every target but the baseline; `who_has` begins the sentence of a name that is none of them.
    fn candidates_of(
        &self,
        targets: &[TargetName],
        baseline: &TargetName,
        who_has: &str,
    ) -> Result<Vec<TargetName>, CliError> {
        let known = |name: &TargetName| {
            if targets.contains(name) {
                return Ok(());
            }
            let names: Vec<_> = targets.iter().map(TargetName::as_str).collect();
            let near = nearest(name.as_str(), names.iter().copied());
            Err(CliError::Usage(format!(
                "{who_has} no target `{name}`; {}",
                near.map_or_else(|| format!("there is {}", listed(&names)), |n| format!("did you mean `{n}`?"))
            )))
        };
        known(baseline)?;
        for (i, candidate) in self.candidates.iter().enumerate() {
            known(candidate)?;
            if candidate == baseline {
                return Err(CliError::Usage(format!(
                    "`{candidate}` is the baseline; a target is not its own candidate"
                )));
            }
            if self.candidates[..i].contains(candidate) {
                return Err(CliError::Usage(format!("the candidate `{candidate}` is named twice")));
            }
        }
        let candidates: Vec<_> = if self.candidates.is_empty() {
            targets.iter().filter(|t| *t != baseline).cloned().collect()
        } else {
            self.candidates.clone()
        };
        if candidates.is_empty() {
            let message = format!("{who_has} no target but `{baseline}`; a comparison needs the scores of two");
            return Err(CliError::Usage(message));
        }
        Ok(candidates)
    }

    fn table(&self, measured: &Measured) -> Result<ComparisonTable, CliError> {
        let margins = self.margins_of(&measured.metrics)?;
        let slices: Vec<_> = measured.slices.iter().filter(|s| self.by_slice || s.is_all()).cloned().collect();
        let request = Request {
            samples: &measured.samples,
            metrics: &measured.metrics,
            slices: &slices,
            baseline: &measured.baseline,
            candidates: &measured.candidates,
            alpha: self.alpha,
            margins: &margins,
            seed: self.seed,
            asking: measured.asking,
        };
        let Some(name) = &self.select else { return Ok(compare::tabulate(request)) };
        let choice = Choice { metric: metric("--select", &measured.metrics, name)?, confirm_share: self.confirm_share };
        compare::tabulate_with_choice(request, choice).map_err(|e| CliError::Usage(format!("--select {name}: {e}")))
    }

    fn margins_of(&self, metrics: &[Metric]) -> Result<BTreeMap<MetricName, f64>, CliError> {
        let mut margins = BTreeMap::new();
        for (name, margin) in &self.margins {
            let metric = metric("--margin", metrics, name)?;
            if metric.is_share() && *margin >= 1.0 {
                let message = format!("--margin {name}={margin}: a share cannot fall by 100 points or more; 0.05 is 5");
                return Err(CliError::Usage(message));
            }
            if margins.insert(name.clone(), *margin).is_some() {
                return Err(CliError::Usage(format!("--margin names `{name}` twice")));
            }
        }
        Ok(margins)
    }
}

/// The metric that an option names.
fn metric<'a>(option: &str, metrics: &'a [Metric], name: &MetricName) -> Result<&'a Metric, CliError> {
    metrics.iter().find(|m| m.name == *name).ok_or_else(|| {
        let names: Vec<_> = metrics.iter().map(|m| m.name.as_str()).collect();
        let near = nearest(name.as_str(), names.iter().copied());
        CliError::Usage(format!(
            "{option}: there is no metric `{name}`; {}",
            near.map_or_else(|| format!("there is {}", listed(&names)), |n| format!("did you mean `{n}`?"))
        ))
    })
}
