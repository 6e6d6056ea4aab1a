//! Runs at a stated arrival rate: whether the targets may be asked so often, and whether they were.

use super::CliError;
use super::config::Config;
use super::pipeline::Loaded;
use super::provider::Provider;
use super::spend;
use crate::compare::{Asking, IN_TIME_US};
use crate::run::{self, Load};
use crate::store::{SealedRun, TrialResult};
use crate::target::{RateLimits, estimated_tokens};
use crate::types::TargetName;
use std::collections::BTreeMap;

/// What is asked of one deployment.
#[derive(Default)]
struct Demand<'a> {
    limits: RateLimits,
    targets: Vec<&'a TargetName>,
}

/// A shorter run has no rate: the tolerance for late questions would be a part of it that counts.
const LEAST_SECONDS: f64 = 1.0;

/// How a run's questions are to be started, checked against what its targets can do and may be asked. Nothing is sent.
///
/// # Errors
/// When a target at a stated rate is local, the rate is above what a deployment's `limits` allow, or the run would be over before it could
/// be said to have had a rate.
pub fn load(
    concurrency: usize,
    rate: Option<f64>,
    loaded: &Loaded,
    config: &Config,
    roles: &[(TargetName, TargetName)],
) -> Result<Load, CliError> {
    let Some(rate) = rate else { return Ok(Load::InFlight(concurrency)) };
    let questions = (loaded.suite.cases().len() * roles.len()) as f64;
    if rate * LEAST_SECONDS > questions {
        return Err(CliError::Usage(format!(
            "`--arrival-rate {rate}` would start all {questions} questions of the run within {:.0} ms, which is a burst and no rate;              {:.3} questions per second are the most",
            1000.0 * questions / rate,
            questions / LEAST_SECONDS
        )));
    }
    let mut deployments: BTreeMap<String, Demand<'_>> = BTreeMap::new();
    for (_, target) in roles {
        let c = config.target(target)?;
        let Provider::Remote(remote) = &c.provider else {
            return Err(CliError::Usage(format!(
                "`--arrival-rate` is for remote targets, and `{target}` is local: it would take this machine from the others; ask without it"
            )));
        };
        let at = remote.spec()?.deployed_at().map_err(|e| CliError::Usage(format!("target `{target}`: {e}")))?;
        let demand = deployments.entry(at).or_default();
        demand.limits = demand.limits.stricter(spend::limits(c.limits));
        demand.targets.push(target);
    }
    for demand in deployments.values() {
        // Every case asks each target once, so that a deployment gets its targets' part of the questions.
        let per_minute = 60.0 * rate * demand.targets.len() as f64 / roles.len() as f64;
        let tokens = match demand.limits.tokens_per_minute {
            Some(limit) => Some((per_minute * mean_tokens(loaded, config, &demand.targets)?, limit, "tokens")),
            None => None,
        };
        let requests = demand.limits.requests_per_minute.map(|limit| (per_minute, limit, "requests"));
        for (asked, limit, what) in requests.into_iter().chain(tokens) {
            if asked > limit {
                let target = demand.targets[0];
                return Err(CliError::Usage(format!(
                    "`--arrival-rate {rate}` takes {asked:.0} {what} per minute of the deployment of target `{target}`, and its `limits` allow \
                     {limit}; {:.3} questions per second are the most",
                    rate * limit / asked
                )));
            }
        }
    }
    Ok(Load::Arriving { rate, bound: concurrency })
}

/// Mean tokens of a question of these targets, as the limits count them.
fn mean_tokens(loaded: &Loaded, config: &Config, targets: &[&TargetName]) -> Result<f64, CliError> {
    let (mut sum, mut questions) = (0.0, 0.0);
    for target in targets {
        let prompt = &config.target(target)?.prompt;
        for case in loaded.suite.cases() {
            let question = run::question(&loaded.suite, prompt, case).map_err(|d| CliError::Usage(d.to_string()))?;
            sum += estimated_tokens(&question);
            questions += 1.0;
        }
    }
    Ok(sum / questions)
}

/// How a run's questions were started, by its manifest and, at a stated rate, by how late each of them was sent.
#[must_use]
pub fn asking(run: &SealedRun) -> Asking {
    let bound = run.manifest.concurrency;
    if run.manifest.arrival_rate.is_none() {
        return Asking::InFlight(bound);
    }
    let mut at_bound = 0;
    let mut targets: BTreeMap<&TargetName, (usize, usize)> = BTreeMap::new();
    for record in &run.records {
        let served = match &record.result {
            TrialResult::Response(r) => &r.served,
            TrialResult::Failure(f) => &f.served,
        };
        let (questions, late) = targets.entry(&record.target).or_default();
        *questions += 1;
        // Whoever does not say when it was due was not asked at the stated rate.
        let in_time = served.as_ref().and_then(|s| s.sent_late_us()).is_some_and(|us| us <= IN_TIME_US);
        *late += usize::from(!in_time);
        at_bound += usize::from(served.as_ref().is_some_and(|s| s.at_bound));
    }
    // All targets have as many questions.
    let (questions, late) = targets.into_values().max_by_key(|(_, late)| *late).unwrap_or_default();
    Asking::Arriving { questions, late, at_bound, bound }
}
