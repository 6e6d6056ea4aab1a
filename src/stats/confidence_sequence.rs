//! Betting capital against a mean, and the hedged confidence sequence that inverts it: an interval that holds at all times
//! at once.

use super::error::{Result, StatsError, at_least, closed_unit, interval, open_unit, out_of_range};
use crate::types::Interval;

/// Where a bet is cut off: this share of the largest one that cannot go bankrupt.
const TRUNCATION: f64 = 0.5;

/// The predictable plug-in bets of the empirical-Bernstein kind: prior mean 1/2, prior variance 1/4, worth one
/// observation.
///
/// Source: Waudby-Smith & Ramdas 2024, JRSSB 86:1 (arXiv 2010.09686).
#[derive(Clone, Debug)]
struct Bets {
    /// `2 ln(2/alpha)`: half of alpha for each side.
    scale: f64,
    seen: f64,
    total: f64,
    squares: f64,
}

impl Bets {
    fn new(alpha: f64) -> Self {
        Self { scale: 2.0 * (2.0 / alpha).ln(), seen: 0.0, total: 0.0, squares: 0.0 }
    }

    /// The bet on the next observation, before truncation.
    fn next(&self) -> f64 {
        let t = self.seen + 1.0;
        let variance = (0.25 + self.squares) / t;
        (self.scale / (t * t.ln_1p() * variance)).sqrt()
    }

    fn push(&mut self, x: f64) {
        self.seen += 1.0;
        self.total += x;
        let mean = (0.5 + self.total) / (self.seen + 1.0);
        self.squares += (x - mean) * (x - mean);
    }
}

/// The capital of two gamblers, one on each side of a mean.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Capital {
    above: f64,
    below: f64,
}

impl Capital {
    const START: Self = Self { above: 1.0, below: 1.0 };

    /// Plays one observation against the mean `m` that the rest must have; an impossible mean makes the one rich who bet
    /// against it.
    fn play(&mut self, x: f64, m: f64, bet: f64) {
        // An impossible mean stays impossible: the sum so far only grows.
        if m < 0.0 {
            *self = Self { above: f64::INFINITY, below: 0.0 };
        } else if m > 1.0 {
            *self = Self { above: 0.0, below: f64::INFINITY };
        } else {
            // With m = 0 or 1 one side has no largest bet; its bet is the raw one.
            self.above *= 1.0 + bet.min(TRUNCATION / m) * (x - m);
            self.below *= 1.0 - bet.min(TRUNCATION / (1.0 - m)) * (x - m);
        }
    }
}

/// The mean that the rest of a population of `n` must have for the whole to have mean `m`.
fn rest_mean(m: f64, population: Option<u64>, seen: u64, total: f64) -> f64 {
    match population {
        None => m,
        Some(n) => {
            let need = n as f64 * m - total;
            // What is nothing but rounding is 0.
            let need = if need.abs() <= 1e-12 * n as f64 { 0.0 } else { need };
            need / (n - seen) as f64
        }
    }
}

fn checked(x: &[f64], population: Option<u64>) -> Result<()> {
    at_least("observations", x.len(), 1)?;
    x.iter().try_for_each(|&x| closed_unit("observation", x).map(|_| ()))?;
    if let Some(n) = population
        && (x.len() as u64) > n
    {
        return Err(out_of_range("number of observations", x.len() as f64, "at most the size of the population"));
    }
    Ok(())
}

/// Betting capital after each observation.
#[derive(Clone, Debug, PartialEq)]
pub struct BettingCapital {
    /// The bets before truncation.
    pub bets: Vec<f64>,
    /// Evidence that the mean is above m; infinite once the rest of the population cannot bring it down to m.
    pub above: Vec<f64>,
    /// Evidence that the mean is below m.
    pub below: Vec<f64>,
}

/// The capital processes against the mean `m` of observations in `[0, 1]`, with plug-in bets at level alpha (half per
/// side), truncated at half of the admissible maximum. `population` = its size, when sampling without replacement.
///
/// Source: Waudby-Smith & Ramdas 2024, JRSSB 86:1 (arXiv 2010.09686).
///
/// # Errors
/// When there is no observation, one is NaN or outside `[0, 1]`, there are more than the population holds, or `m` or alpha
/// is outside `(0, 1)`.
pub fn betting_capital(x: &[f64], m: f64, population: Option<u64>, alpha: f64) -> Result<BettingCapital> {
    checked(x, population)?;
    open_unit("mean", m)?;
    let mut bets = Bets::new(open_unit("alpha", alpha)?);
    let mut capital = Capital::START;
    let n = x.len();
    let mut out =
        BettingCapital { bets: Vec::with_capacity(n), above: Vec::with_capacity(n), below: Vec::with_capacity(n) };
    for (seen, &x) in x.iter().enumerate() {
        let bet = bets.next();
        capital.play(x, rest_mean(m, population, seen as u64, bets.total), bet);
        bets.push(x);
        out.bets.push(bet);
        out.above.push(capital.above);
        out.below.push(capital.below);
    }
    Ok(out)
}

/// The hedged confidence sequence of the mean of observations in `[0, 1]`: at every time the means that neither gambler has
/// refuted, on a grid, widened by one step and intersected with all before.
///
/// For the running display of a score; the decision of a run is [`super::MixtureProcess`]'s. Cost per observation: the
/// grid. Source: Waudby-Smith & Ramdas 2024, JRSSB 86:1 (arXiv 2010.09686).
#[derive(Clone, Debug)]
pub struct HedgedSequence {
    alpha: f64,
    population: Option<u64>,
    bets: Bets,
    capital: Vec<Capital>,
    seen: u64,
    limits: (f64, f64),
}

impl HedgedSequence {
    /// A sequence at confidence `1 - alpha` on a grid of `steps + 1` means (1,000 by convention).
    ///
    /// # Errors
    /// When alpha is outside `(0, 1)`, there are fewer than two steps, or the population is empty.
    pub fn new(alpha: f64, population: Option<u64>, steps: usize) -> Result<Self> {
        open_unit("alpha", alpha)?;
        at_least("grid steps", steps, 2)?;
        if population == Some(0) {
            return Err(StatsError::TooFew { what: "members of the population", need: 1, got: 0 });
        }
        Ok(Self {
            alpha,
            population,
            bets: Bets::new(alpha),
            capital: vec![Capital::START; steps + 1],
            seen: 0,
            limits: (0.0, 1.0),
        })
    }

    /// Takes the next observation and returns the interval that holds from now on.
    ///
    /// # Errors
    /// When the observation is NaN or outside `[0, 1]`, or the population is complete. Nothing changes then.
    pub fn push(&mut self, x: f64) -> Result<Interval> {
        closed_unit("observation", x)?;
        if self.population == Some(self.seen) {
            return Err(out_of_range("number of observations", self.seen as f64 + 1.0, "at most the population"));
        }
        let bet = self.bets.next();
        let step = 1.0 / (self.capital.len() - 1) as f64;
        let threshold = 2.0 / self.alpha;
        let (mut first, mut last) = (None, None);
        for (i, capital) in self.capital.iter_mut().enumerate() {
            let m = i as f64 * step;
            capital.play(x, rest_mean(m, self.population, self.seen, self.bets.total), bet);
            // Each gambler starts with half of the capital.
            if capital.above.max(capital.below) <= threshold {
                first = first.or(Some(m));
                last = Some(m);
            }
        }
        self.bets.push(x);
        self.seen += 1;
        let (mut low, mut high) = match (first, last) {
            (Some(first), Some(last)) => (first - step, last + step),
            // The grid is too coarse for what is left.
            _ => self.limits,
        };
        if let Some(n) = self.population {
            // What was seen bounds the mean of all by itself.
            let n = n as f64;
            low = low.max(self.bets.total / n);
            high = high.min(1.0 - (self.seen as f64 - self.bets.total) / n);
        }
        let (before_low, before_high) = self.limits;
        let (low, high) = (low.clamp(before_low, 1.0), high.clamp(0.0, before_high));
        if low <= high {
            self.limits = (low, high);
        } else {
            let middle = (0.5 * (low + high)).clamp(before_low, before_high);
            self.limits = (middle, middle);
        }
        self.interval()
    }

    /// The interval that holds now.
    ///
    /// # Errors
    /// Never for a sequence that was made by [`HedgedSequence::new`]; the type is that of every interval.
    pub fn interval(&self) -> Result<Interval> {
        interval(self.limits.0, self.limits.1, 1.0 - self.alpha)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_population_is_known() {
        let x = [0.2, 0.9, 0.4, 0.7, 0.55];
        let mut s = HedgedSequence::new(0.05, Some(5), 1_000).unwrap();
        let mut last = None;
        for v in x {
            last = Some(s.push(v).unwrap());
        }
        let mean = x.iter().sum::<f64>() / 5.0;
        let i = last.unwrap();
        assert!((i.lower() - mean).abs() < 1e-9 && (i.upper() - mean).abs() < 1e-9);
        assert!(s.push(0.5).is_err());
    }

    #[test]
    fn a_sequence_only_narrows_and_keeps_the_mean() {
        let mut s = HedgedSequence::new(0.05, None, 500).unwrap();
        let mut width = 1.0;
        for i in 0..300 {
            let now = s.push(f64::from((i * 7) % 10) / 10.0).unwrap();
            assert!(now.upper() - now.lower() <= width && now.lower() <= 0.45 && now.upper() >= 0.45);
            width = now.upper() - now.lower();
        }
        assert!(width < 0.2);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(betting_capital(&[], 0.5, None, 0.05).is_err());
        assert!(betting_capital(&[1.1], 0.5, None, 0.05).is_err());
        assert!(betting_capital(&[f64::NAN], 0.5, None, 0.05).is_err());
        assert!(betting_capital(&[0.5, 0.5], 0.5, Some(1), 0.05).is_err());
        assert!(betting_capital(&[0.5], 1.0, None, 0.05).is_err());
        let mut s = HedgedSequence::new(0.05, None, 10).unwrap();
        assert!(s.push(f64::NAN).is_err() && s.interval().unwrap().upper() == 1.0);
        assert!(HedgedSequence::new(f64::NAN, None, 10).is_err() && HedgedSequence::new(0.05, Some(0), 10).is_err());
    }
}
