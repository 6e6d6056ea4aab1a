//! What a run may cost: the cap of `--max-cost`, and what earlier sittings of the run have spent of it.

use super::CliError;
use super::config::Config;
use super::pipeline::Loaded;
use super::provider::Provider;
use crate::gate::{Limits, Price};
use crate::run::{self, Plan};
use crate::store::{OpenRun, TrialResult};
use crate::target::{RateLimits, Spend, TokenPrice};
use crate::types::TargetName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A target's price, as the one who asks it knows it.
pub fn price(price: Price) -> TokenPrice {
    TokenPrice { input: price.input, output: price.output }
}

/// A target's limits, as the one who asks it knows them.
pub fn limits(limits: Option<Limits>) -> RateLimits {
    let limits = limits.unwrap_or_default();
    RateLimits { requests_per_minute: limits.requests_per_minute, tokens_per_minute: limits.tokens_per_minute }
}

/// The cap of a run, if it is to have one.
///
/// # Errors
/// When a remote target has no price, so that nobody could say what it costs.
pub fn cap(
    config: &Config,
    roles: &[(TargetName, TargetName)],
    usd: Option<f64>,
) -> Result<Option<Arc<Spend>>, CliError> {
    let Some(usd) = usd else { return Ok(None) };
    for (_, target) in roles {
        let c = config.target(target)?;
        if matches!(c.provider, Provider::Remote(_)) && c.price.is_none() {
            return Err(CliError::Usage(format!(
                "`--max-cost` needs to know what target `{target}` costs; write `price = {{ input = …, output = … }}` into its table in \
                 `{}`, US dollars per million tokens",
                config.file.path
            )));
        }
    }
    Ok(Some(Arc::new(Spend::new(usd))))
}

/// What the trials and probes of a run have cost until now, US dollars, those that were left without a record included; where a server did
/// not count, the most that it can have been.
///
/// # Errors
/// When a target is unknown or a prompt does not render.
pub fn spent(
    loaded: &Loaded,
    config: &Config,
    roles: &[(TargetName, TargetName)],
    plan: &Plan,
    open: &OpenRun,
) -> Result<f64, CliError> {
    let mut spent = 0.0;
    for probe in &open.probes {
        let price = config.target(&probe.target)?.price.map(price);
        spent += price.map_or(0.0, |p| cost(p, p.worst(&run::question_of(probe)), &probe.result));
    }
    let mut lost: BTreeMap<_, f64> = BTreeMap::new();
    for unrecorded in &open.unrecorded {
        *lost.entry(unrecorded.trial).or_default() += f64::from(unrecorded.uncounted);
    }
    for trial in &plan.trials {
        let (record, lost) = (open.recorded.get(&trial.id), lost.get(&trial.id));
        if record.is_none() && lost.is_none() {
            continue;
        }
        let c = config.target(&roles[trial.arm].1)?;
        let (Provider::Remote(_), Some(price)) = (&c.provider, c.price.map(price)) else { continue };
        let case = &loaded.suite.cases()[trial.case];
        let question = run::question(&loaded.suite, &c.prompt, case).map_err(|d| CliError::Usage(d.to_string()))?;
        let worst = price.worst(&question);
        spent += record.map_or(0.0, |r| cost(price, worst, &r.result)) + worst * lost.copied().unwrap_or_default();
    }
    Ok(spent)
}

/// What a recorded question has cost: an answer its tokens; attempts before it, and those of a failure, what they may have cost.
fn cost(price: TokenPrice, worst: f64, result: &TrialResult) -> f64 {
    let (usage, served) = match result {
        TrialResult::Response(r) => (Some(r.usage), &r.served),
        TrialResult::Failure(f) => (None, &f.served),
    };
    let answer = usage.map_or(0.0, |usage| usage.map_or(worst, |u| price.of(u)));
    answer + worst * f64::from(served.as_ref().map_or(0, |s| s.uncounted))
}
