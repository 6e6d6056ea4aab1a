//! Power of a criterion that compares the candidate with the baseline.

use super::super::judge::judge_pair;
use super::super::policy::{Criterion, Rule};
use super::super::verdict::{Evidence, Status};
use super::basis::{Engine, Start, basis};
use super::draw::Bench;
use super::model::Figure;
use super::{REPLICATES, SEARCH_REPLICATES};
use crate::compare::{self, Comparison};
use crate::stats::{self, Discordance};
use crate::types::{Metric, SplitMix64};

/// The largest suite that is planned.
const MOST: u64 = 1_000_000;
/// The largest suite whose power is simulated.
const MOST_SIMULATED: u64 = 5_000;

/// The plan of one comparison.
pub(super) struct Paired<'a> {
    pub criterion: &'a Criterion,
    pub metric: &'a Metric,
    bench: &'a Bench,
    alpha: f64,
    seed: u64,
    engine: Engine,
    /// The figure that it rests on.
    pub figure: Figure,
}

impl<'a> Paired<'a> {
    /// Chooses figure and method.
    pub fn new(start: &Start<'a>) -> Self {
        let (engine, figure) = basis(start);
        let Start { bench, criterion, metric, alpha, seed, .. } = *start;
        Self { criterion, metric, bench, alpha, seed, engine, figure }
    }

    /// How the power is found, for the reader.
    pub fn calculation(&self) -> &'static str {
        match self.engine {
            Engine::Exact(_) => "exact enumeration of the gate's test",
            Engine::LogRatio(_) => "noncentral t on the log ratio",
            Engine::Totals(_) => "noncentral t on paired totals",
            Engine::Drawn(_) => "simulation through the gate's own judge, 2000 replicates",
        }
    }

    /// The probability that the criterion is met with `n` independent cases, if the true gain is `gain`.
    pub fn power(&self, n: u64, gain: f64) -> Option<f64> {
        self.power_of(&self.criterion.rule, n, gain, REPLICATES)
    }

    fn power_of(&self, rule: &Rule, n: u64, gain: f64, replicates: u64) -> Option<f64> {
        if let Engine::Drawn(_) = self.engine {
            let drawn = self.comparisons(n, gain, replicates)?;
            return Some(self.share_met(rule, &drawn));
        }
        let size = usize::try_from(n).ok()?;
        if compare::too_few(size).is_some() {
            return Some(0.0);
        }
        // The gate refuses a margin that even a flawless record of this size could not prove.
        if let Rule::NonInferior { margin } | Rule::Equivalent { margin } = rule
            && n < stats::n_min(margin.min(1.0 - 1e-9), self.alpha).ok()?
        {
            return Some(0.0);
        }
        match *rule {
            Rule::NonInferior { margin } => self.above(n, gain, -margin),
            Rule::Superior { by } => self.above(n, gain, by),
            Rule::Equivalent { margin } => {
                // Both one-sided claims; exact unless both could fail at once, and then too low.
                let (low, high) = (self.above(n, gain, -margin)?, self.below(n, gain, margin)?);
                Some((low + high - 1.0).max(0.0))
            }
            _ => None,
        }
    }

    /// The probability that the gain is shown to lie above a threshold.
    fn above(&self, n: u64, gain: f64, threshold: f64) -> Option<f64> {
        match &self.engine {
            Engine::Exact(psi) => {
                let truth = Discordance::from_difference(psi.max(gain.abs()), gain).ok()?;
                let tango = stats::noninferiority_power_exact(n, truth, -threshold, self.alpha).ok()?;
                if threshold == 0.0 {
                    // A gain is claimed only where interval and test agree.
                    let test = stats::mcnemar_power(n, truth, self.alpha).ok()?.midp_greater;
                    return Some(tango.min(test));
                }
                Some(tango)
            }
            Engine::LogRatio(sd) => {
                let distance = ratio(threshold)?.ln() - ratio(gain)?.ln();
                Some(stats::paired_t_power(n, distance, *sd, self.alpha).ok()?.one_sided)
            }
            Engine::Totals(totals) => {
                let (truth, tested) = (ratio(gain)?, ratio(threshold)?);
                let sd = totals.sd(truth, tested)?;
                Some(stats::paired_t_power(n, tested - truth, sd, 0.5 * self.alpha).ok()?.one_sided)
            }
            Engine::Drawn(_) => None,
        }
    }

    /// The probability that the gain is shown to lie below a threshold.
    fn below(&self, n: u64, gain: f64, threshold: f64) -> Option<f64> {
        match &self.engine {
            // The roles exchanged: the baseline gains what the candidate loses.
            Engine::Exact(_) => self.above(n, -gain, -threshold),
            Engine::LogRatio(sd) => {
                let distance = ratio(gain)?.ln() - ratio(threshold)?.ln();
                Some(stats::paired_t_power(n, distance, *sd, self.alpha).ok()?.one_sided)
            }
            Engine::Totals(totals) => {
                let (truth, tested) = (ratio(gain)?, ratio(threshold)?);
                let sd = totals.sd(truth, tested)?;
                Some(stats::paired_t_power(n, truth - tested, sd, 0.5 * self.alpha).ok()?.one_sided)
            }
            Engine::Drawn(_) => None,
        }
    }

    /// Comparisons of drawn suites, made by the gate's own code. One that cannot be made meets nothing.
    fn comparisons(&self, n: u64, gain: f64, replicates: u64) -> Option<Vec<Option<Comparison>>> {
        let Engine::Drawn(population) = &self.engine else { return None };
        let n = usize::try_from(n).ok()?;
        (0..replicates)
            .map(|i| {
                let mut rng = replicate(self.seed, i);
                let clusters = population.draw(n, gain, &mut rng)?;
                Some(match self.bench.find(self.criterion, self.metric, &clusters).evidence {
                    Evidence::Comparison(c) => Some(c),
                    _ => None,
                })
            })
            .collect()
    }

    /// What `n` independent cases show with the wanted power: the smallest margin if nothing changes, or for a superiority the smallest
    /// true gain.
    pub fn detectable(&self, n: u64, wanted: f64) -> Option<f64> {
        let share = self.metric.is_share();
        match self.criterion.rule {
            Rule::Superior { by } => {
                let most = match &self.engine {
                    Engine::Drawn(population) => population.most_gain(),
                    _ if share => 1.0,
                    _ => 1.0 - 1e-6,
                };
                let reached = |gain: f64| {
                    self.power_of(&self.criterion.rule, n, gain, SEARCH_REPLICATES).is_some_and(|p| p >= wanted)
                };
                let steps = if matches!(self.engine, Engine::Drawn(_)) { 8 } else { 40 };
                least(by, most, steps, reached)
            }
            rule => {
                let with = |margin: f64| match rule {
                    Rule::Equivalent { .. } => Rule::Equivalent { margin },
                    _ => Rule::NonInferior { margin },
                };
                let most = if share { 1.0 - 1e-6 } else { 100.0 };
                if let Engine::Drawn(_) = self.engine {
                    // One set of comparisons answers for every margin.
                    let drawn = self.comparisons(n, 0.0, REPLICATES)?;
                    return least(0.0, most, 40, |m| self.share_met(&with(m), &drawn) >= wanted);
                }
                least(0.0, most, 40, |m| self.power_of(&with(m), n, 0.0, 0).is_some_and(|p| p >= wanted))
            }
        }
    }

    /// About how many independent cases the wanted power takes, if the true gain is `gain`.
    pub fn needed(&self, from: u64, gain: f64, wanted: f64) -> Option<u64> {
        let rule = &self.criterion.rule;
        let promised = match *rule {
            Rule::NonInferior { margin } => gain > -margin,
            Rule::Superior { by } => gain > by,
            Rule::Equivalent { margin } => gain.abs() < margin,
            _ => false,
        };
        if !promised {
            return None;
        }
        match (&self.engine, rule) {
            (Engine::Exact(psi), Rule::NonInferior { margin }) => {
                let psi = psi.max(gain.abs());
                let n = stats::noninferiority_n(psi, gain, *margin, self.alpha, wanted).ok()?;
                let least = stats::n_min(margin.min(1.0 - 1e-9), self.alpha).ok()?;
                Some(whole(n)?.max(least).max(fewest()))
            }
            (Engine::Exact(psi), Rule::Superior { by }) => {
                let psi = psi.max(gain.abs());
                let n = if *by > 0.0 {
                    stats::noninferiority_n(psi, gain, -by, self.alpha, wanted)
                } else {
                    let truth = Discordance::from_difference(psi, gain).ok()?;
                    stats::mcnemar_n(truth, self.alpha, wanted, true)
                };
                Some(whole(n.ok()?)?.max(fewest()))
            }
            (Engine::Drawn(_), _) => self.needed_drawn(from, gain, wanted),
            _ => least_n(MOST, |n| self.power_of(rule, n, gain, 0).is_some_and(|p| p >= wanted)),
        }
    }

    /// The share of comparisons that meet the criterion, with a rule in place of its own. What cannot be compared, and what has too few
    /// cases, does not.
    fn share_met(&self, rule: &Rule, drawn: &[Option<Comparison>]) -> f64 {
        let criterion = Criterion { rule: *rule, ..self.criterion.clone() };
        let met = |c: &&Comparison| judge_pair(&criterion, c, self.alpha).status == Status::Met;
        drawn.iter().flatten().filter(met).count() as f64 / drawn.len().max(1) as f64
    }

    /// By simulation: doubled until enough, then halved down to a resolution of 4 %, which is what the replicates support.
    fn needed_drawn(&self, from: u64, gain: f64, wanted: f64) -> Option<u64> {
        let enough =
            |n: u64| self.power_of(&self.criterion.rule, n, gain, SEARCH_REPLICATES).is_some_and(|p| p >= wanted);
        let (mut low, mut high) = (fewest() - 1, from.max(fewest()));
        while !enough(high) {
            if high >= MOST_SIMULATED {
                return None;
            }
            (low, high) = (high, (high * 2).min(MOST_SIMULATED));
        }
        while high - low > 1 + high / 25 {
            let middle = low + (high - low) / 2;
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }
}

/// The generator of one replicate: its own stream, so that replicates may be made in any order.
pub(super) fn replicate(seed: u64, index: u64) -> SplitMix64 {
    SplitMix64::new(SplitMix64::new(seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15)).next_u64())
}

/// The candidate's total or time over the baseline's at a relative saving.
fn ratio(gain: f64) -> Option<f64> {
    let ratio = 1.0 - gain;
    (ratio > 0.0).then_some(ratio)
}

/// The fewest independent cases on which the gate makes any claim.
pub(super) fn fewest() -> u64 {
    (1..).find(|n| compare::too_few(*n).is_none()).unwrap_or(1) as u64
}

fn whole(n: f64) -> Option<u64> {
    (n.is_finite() && n < 1e15).then(|| n.ceil().max(1.0) as u64)
}

/// The least value in `[low, high]` for which something holds that goes on holding above it; `None` if it does not hold at the top.
pub(super) fn least(low: f64, high: f64, steps: u32, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if low > high || !holds(high) {
        return None;
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..steps {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The least n for which something holds that goes on holding above it.
pub(super) fn least_n(most: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (0, 1);
    while !holds(high) {
        if high >= most {
            return None;
        }
        (low, high) = (high, (high * 2).min(most));
    }
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle }
    }
    Some(high)
}
