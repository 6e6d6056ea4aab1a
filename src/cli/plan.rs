//! `goldgate plan`: what a suite can show and what asking it costs, before anything is asked.

use super::config::Config;
use super::output::Terminal;
use super::pipeline::{self, Loaded};
use super::{CliError, listed};
use crate::gate::{self, CostRequest, Pilot, PlanRequest, Policy, TargetCost};
use crate::report;
use crate::score::Sample;
use crate::store::{RunDir, SealedRun, TrialResult};
use crate::suite::Suite;
use crate::suite::diag::{Diagnostics, nearest};
use crate::types::{ExitCode, Metric, MetricName, TargetName, Untrusted};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Say what a suite can show under its policy, and what asking it costs, without asking anything.
#[derive(Args)]
pub struct PlanArgs {
    /// The suite's folder
    suite: PathBuf,
    /// The policy [default: policy.toml beside the suite]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A complete run of this suite, or of an earlier one like it, to take the figures from
    #[arg(long, value_name = "RUN")]
    pilot: Option<PathBuf>,
    /// The candidate of the pilot to take them from [default: the policy's first that the pilot asked]
    #[arg(long, value_name = "NAME", requires = "pilot", value_parser = TargetName::new)]
    candidate: Option<TargetName>,
    /// A figure to plan with in place of the pilot's or the default: a share of answers that change, a standard deviation, or the
    /// candidate's own level; may be repeated
    #[arg(long = "assume", value_name = "METRIC=VALUE", value_parser = pair)]
    assumed: Vec<(MetricName, f64)>,
    /// A true gain to compute the power at, such as accuracy=0.15 (15 points) or tokens=0.6 (60 % fewer); may be repeated
    #[arg(long = "gain", value_name = "METRIC=VALUE", value_parser = pair)]
    gains: Vec<(MetricName, f64)>,
    /// The power that is wanted of each criterion
    #[arg(long, default_value_t = 0.8, value_parser = power)]
    power: f64,
    /// The plan as JSON
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(MetricName, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write METRIC=VALUE, such as accuracy=0.1")?;
    let name = MetricName::new(name).map_err(|e| e.to_string())?;
    match value.parse::<f64>() {
        Ok(v) if v.is_finite() => Ok((name, v)),
        _ => Err("the value is a number, such as 0.1".to_owned()),
    }
}

fn power(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(p) if (0.5..=0.999).contains(&p) => Ok(p),
        _ => Err("write a number from 0.5 to 0.999".to_owned()),
    }
}

/// A pilot run as it was read.
struct Read {
    shown: String,
    run: SealedRun,
    samples: Vec<Sample>,
    baseline: TargetName,
    candidate: TargetName,
}

impl PlanArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// When suite, policy, project file or pilot is wrong, a figure makes no sense, or no outcome of the suite could meet a required
    /// criterion.
    pub fn run(&self, config: Option<&Path>, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let loaded = Loaded::new(&self.suite, self.policy.as_deref())?;
        let (suite, policy) = (&loaded.suite, &loaded.policy);
        let config = Config::load(config, &self.suite)?;
        let stated = figures("--assume", &self.assumed, policy, suite, check_assumed)?;
        let gains = figures("--gain", &self.gains, policy, suite, check_gain)?;
        refuse_impossible(policy, suite)?;
        let pilot = self.pilot.as_deref().map(|p| self.read_pilot(p, policy)).transpose()?;
        let costs = costs(&loaded, &config, pilot.as_ref())?;
        let plan = gate::plan(PlanRequest {
            suite,
            policy,
            pilot: pilot.as_ref().map(|p| Pilot {
                run: &p.shown,
                samples: &p.samples,
                baseline: &p.baseline,
                candidate: &p.candidate,
            }),
            stated: &stated,
            gains: &gains,
            power: self.power,
            costs: &costs,
        });
        if self.json {
            terminal.say(&serde_json::to_string_pretty(&plan).expect("plain data with text keys always serialises"));
        } else {
            terminal.warn_of_impossible(policy, suite);
            terminal.say(&report::plan_text(&plan, terminal.columns()));
        }
        Ok(ExitCode::Promote)
    }

    fn read_pilot(&self, path: &Path, policy: &Policy) -> Result<Read, CliError> {
        let run = RunDir::new(path).open_sealed()?;
        let suite = pipeline::suite_of(&run)?;
        let samples = pipeline::score_all(&run, &suite)?;
        let shown = Untrusted::new(path.display().to_string()).for_terminal(200);
        let names: Vec<&TargetName> = run.manifest.arms.iter().map(|a| &a.name).collect();
        let Some((first, candidates)) = names.split_first() else {
            return Err(CliError::Usage(format!("the pilot `{shown}` asked nobody")));
        };
        let known = |wanted: &TargetName| candidates.iter().find(|c| **c == wanted).copied();
        let candidate = match &self.candidate {
            Some(wanted) => known(wanted).ok_or_else(|| {
                let names: Vec<_> = candidates.iter().map(|c| c.as_str()).collect();
                CliError::Usage(format!("the pilot `{shown}` has no candidate `{wanted}`; it has {}", listed(&names)))
            })?,
            None => policy.candidates().iter().find_map(known).or(candidates.first().copied()).ok_or_else(|| {
                CliError::Usage(format!("the pilot `{shown}` asked one target only: a pilot compares two"))
            })?,
        };
        let (baseline, candidate) = ((*first).clone(), candidate.clone());
        Ok(Read { shown, run, samples, baseline, candidate })
    }
}

/// A required criterion that no outcome of the suite could meet is a mistake in the policy or a suite that is too small.
fn refuse_impossible(policy: &Policy, suite: &Suite) -> Result<(), CliError> {
    let mut wrong = Diagnostics::default();
    for (_, d) in gate::check_possible(policy, suite).into_iter().filter(|(required, _)| *required) {
        wrong.push(d);
    }
    Ok(wrong.or(())?)
}

/// The figures of an option by metric, each checked against the criteria that it is for.
fn figures(
    option: &str,
    given: &[(MetricName, f64)],
    policy: &Policy,
    suite: &Suite,
    check: fn(&Policy, &Metric, f64) -> Result<(), String>,
) -> Result<BTreeMap<MetricName, f64>, CliError> {
    let metrics = suite.metrics();
    let mut figures = BTreeMap::new();
    for (name, value) in given {
        let used = policy.criteria().iter().any(|c| c.metric == *name);
        let Some(metric) = metrics.iter().find(|m| m.name == *name && used) else {
            let mut names: Vec<_> = policy.criteria().iter().map(|c| c.metric.as_str()).collect();
            names.dedup();
            let near = nearest(name.as_str(), names.iter().copied());
            let hint =
                near.map_or_else(|| format!("they ask for {}", listed(&names)), |n| format!("did you mean `{n}`?"));
            return Err(CliError::Usage(format!("{option}: no criterion of the policy asks for `{name}`; {hint}")));
        };
        check(policy, metric, *value).map_err(|why| CliError::Usage(format!("{option} {name}={value}: {why}")))?;
        if figures.insert(name.clone(), *value).is_some() {
            return Err(CliError::Usage(format!("{option} names `{name}` twice")));
        }
    }
    Ok(figures)
}

/// How a policy uses a metric: whether it compares it, and whether it asks for the candidate's own level.
fn uses(policy: &Policy, metric: &Metric) -> (bool, bool) {
    let of = || policy.criteria().iter().filter(|c| c.metric == metric.name);
    (of().any(|c| c.rule.is_paired()), of().any(|c| !c.rule.is_paired()))
}

fn check_assumed(policy: &Policy, metric: &Metric, value: f64) -> Result<(), String> {
    let what = match uses(policy, metric) {
        (true, true) => {
            return Err(
                "the policy compares this metric and asks for its level too: one figure cannot be both".to_owned()
            );
        }
        (true, false) if metric.is_share() => "a share of answers that change, or a standard deviation",
        (true, false) => "a relative standard deviation",
        (false, _) => "the candidate's own level",
    };
    let (low, high) = match (uses(policy, metric), metric.is_share()) {
        ((true, _), true) => (1e-6, 1.0),
        ((true, _), false) => (1e-6, 100.0),
        (_, true) => (0.0, 1.0),
        (_, false) => (1e-9, 1e15),
    };
    if (low..=high).contains(&value) { Ok(()) } else { Err(format!("{what} lies between {low} and {high}")) }
}

fn check_gain(policy: &Policy, metric: &Metric, value: f64) -> Result<(), String> {
    if !uses(policy, metric).0 {
        return Err("the policy asks for this metric's own level, of which there is no gain; use --assume".to_owned());
    }
    let low = if metric.is_share() { -1.0 } else { -100.0 };
    if value >= low && value < 1.0 {
        return Ok(());
    }
    Err(format!("a gain lies between {low} and 1, where 0.05 is 5 points or 5 per cent"))
}

/// What asking each target costs.
fn costs(loaded: &Loaded, config: &Config, pilot: Option<&Read>) -> Result<Vec<TargetCost>, CliError> {
    let mut costs = Vec::new();
    for (name, target) in pipeline::roles(loaded, config, &[])? {
        let c = config.target(&target)?;
        costs.push(gate::cost(&CostRequest {
            per_case: pilot.and_then(|p| per_case(p, &name)),
            target: name,
            trials: loaded.suite.cases().len(),
            max_new_tokens: loaded.suite.max_new_tokens(),
            price: c.price,
            limits: c.limits,
        }));
    }
    Ok(costs)
}

/// Prompt tokens, answer tokens and seconds per case that a target answered in a pilot and counted.
fn per_case(pilot: &Read, target: &TargetName) -> Option<[f64; 3]> {
    let mut sums = [0.0; 3];
    let mut answered = 0_u32;
    for record in pilot.run.records.iter().filter(|r| r.target == *target) {
        let TrialResult::Response(r) = &record.result else { continue };
        // A server that does not say what it counted says nothing of the cost.
        let Some(usage) = r.usage else { continue };
        #[expect(clippy::cast_precision_loss, reason = "tokens and microseconds of one question are far below 2^52")]
        let values = [usage.prompt as f64, usage.completion as f64, r.timing.total_us as f64 / 1e6];
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
        answered += 1;
    }
    (answered > 0).then(|| sums.map(|s| s / f64::from(answered)))
}
