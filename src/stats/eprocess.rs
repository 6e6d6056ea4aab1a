//! Evidence that may be looked at after every prompt: the mixture betting e-process, for a population or for one suite.
//!
//! Valid only on an exchangeable order: shuffle the prompts once with a recorded seed.

use super::error::{Result, StatsError, at_least, finite, open_unit, out_of_range};

/// Bets of the default mixture.
const BETS: u32 = 15;

/// The largest bet, as a share of the largest admissible one.
const CAP: f64 = 0.9;

/// Two test martingales for paired differences in `[-1, 1]` against a margin: one that grows when the mean is above
/// `-margin` (evidence to pass), one that grows when it is below (evidence to fail).
///
/// With `x = (d + 1)/2`, `m = (1 - margin)/2` and weights `w_j = cap j/(J + 1)` each is the mean over j of
/// `prod (1 + w_j/m (x - m))` and of `prod (1 - w_j/(1 - m) (x - m))`. By Ville's inequality the probability that such a
/// process ever exceeds `1/alpha` under its null is at most alpha, so `1/max W` is a p value at any time.
///
/// With a population size N the claim is about this suite only: m becomes `(N m - sum so far)/(N - t + 1)`, and the process
/// decides outright when the rest of the suite cannot change the answer.
///
/// Source: Waudby-Smith & Ramdas 2024, JRSSB 86:1 (arXiv 2010.09686); without replacement, 2020, NeurIPS.
#[derive(Clone, Debug)]
pub struct MixtureProcess {
    mean: f64,
    population: Option<u64>,
    weights: Vec<f64>,
    /// Logarithm of each bet's wealth: above, below.
    above: Vec<f64>,
    below: Vec<f64>,
    seen: u64,
    total: f64,
    best_above: f64,
    best_below: f64,
}

impl MixtureProcess {
    /// The default mixture (15 bets up to 0.9) against a margin in `[0, 1)`; `population` = the number of prompts when the
    /// claim is about this suite only.
    ///
    /// # Errors
    /// When the margin is outside `[0, 1)`, or the population is empty.
    pub fn new(margin: f64, population: Option<u64>) -> Result<Self> {
        Self::with_bets(margin, population, BETS, CAP)
    }

    /// A mixture of another number of bets and another cap in `(0, 1)`.
    ///
    /// # Errors
    /// As [`MixtureProcess::new`], and when there is no bet or the cap is outside `(0, 1)`.
    pub fn with_bets(margin: f64, population: Option<u64>, bets: u32, cap: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&margin) {
            return Err(out_of_range("margin", margin, "at least 0 and below 1"));
        }
        at_least("bets", bets as usize, 1)?;
        open_unit("largest bet", cap)?;
        if population == Some(0) {
            return Err(StatsError::TooFew { what: "prompts of the suite", need: 1, got: 0 });
        }
        let weights: Vec<f64> = (1..=bets).map(|j| cap * f64::from(j) / (f64::from(bets) + 1.0)).collect();
        Ok(Self {
            mean: 0.5 * (1.0 - margin),
            population,
            above: vec![0.0; weights.len()],
            below: vec![0.0; weights.len()],
            weights,
            seen: 0,
            total: 0.0,
            best_above: 0.0,
            best_below: 0.0,
        })
    }

    /// Takes the next difference (with repeats or families: the next cluster's mean).
    ///
    /// # Errors
    /// When `d` is NaN or outside `[-1, 1]`, or the suite is already complete. The process is unchanged then.
    pub fn push(&mut self, d: f64) -> Result<()> {
        if !(-1.0..=1.0).contains(&d) {
            return Err(out_of_range("paired difference", d, "between -1 and 1"));
        }
        if self.population == Some(self.seen) {
            return Err(out_of_range("number of prompts", self.seen as f64 + 1.0, "at most the size of the suite"));
        }
        let x = 0.5 * (d + 1.0);
        let m = self.rest_mean();
        for ((w, above), below) in self.weights.iter().zip(&mut self.above).zip(&mut self.below) {
            // What the rest of the suite cannot reach is decided; the decision stays.
            if m <= 0.0 {
                (*above, *below) = (f64::INFINITY, f64::NEG_INFINITY);
            } else if m >= 1.0 {
                (*above, *below) = (f64::NEG_INFINITY, f64::INFINITY);
            } else {
                *above += (w / m * (x - m)).ln_1p();
                *below += (-w / (1.0 - m) * (x - m)).ln_1p();
            }
        }
        self.total += x;
        self.seen += 1;
        self.best_above = self.best_above.max(self.log_wealth_above());
        self.best_below = self.best_below.max(self.log_wealth_below());
        Ok(())
    }

    /// The mean that the rest must have for the whole to have the mean tested.
    fn rest_mean(&self) -> f64 {
        match self.population {
            None => self.mean,
            Some(n) => (n as f64 * self.mean - self.total) / (n - self.seen) as f64,
        }
    }

    /// Number of differences taken.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Logarithm of the evidence that the mean is above `-margin`.
    #[must_use]
    pub fn log_wealth_above(&self) -> f64 {
        log_mean_exp(&self.above)
    }

    /// Logarithm of the evidence that the mean is below `-margin`.
    #[must_use]
    pub fn log_wealth_below(&self) -> f64 {
        log_mean_exp(&self.below)
    }

    /// The p value, valid at any time, of "the mean is at most `-margin`": `1/max W`.
    #[must_use]
    pub fn p_above(&self) -> f64 {
        (-self.best_above).exp()
    }

    /// The p value, valid at any time, of "the mean is at least `-margin`".
    #[must_use]
    pub fn p_below(&self) -> f64 {
        (-self.best_below).exp()
    }
}

fn log_mean_exp(x: &[f64]) -> f64 {
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top.is_infinite() {
        return top;
    }
    let total: f64 = x.iter().map(|v| (v - top).exp()).sum();
    top + (total / x.len() as f64).ln()
}

/// The parts of alpha in the split design: 0.2 for stopping early, 0.8 for the test at the end.
const EARLY_SHARE: f64 = 0.2;

/// Looks at which futility is judged, as shares of the planned prompts.
pub const FUTILITY_LOOKS: [f64; 3] = [0.25, 0.50, 0.75];

/// Conditional power below which a run is futile.
const FUTILE: f64 = 0.10;

/// Early stopping with a fixed end: pass early by the e-process at 0.2 alpha, test at N at 0.8 alpha, and stop for futility
/// without binding. By the union bound the level is at most alpha under any dependence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitDesign {
    alpha: f64,
    margin: f64,
}

/// What is known at a futility look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Prompts seen.
    pub seen: u64,
    /// Prompts planned.
    pub planned: u64,
    /// The statistic of the ordinary test at `-margin` on what was seen.
    pub z: f64,
    /// The difference observed so far.
    pub difference: f64,
    /// The variance of one difference, so far; for binary outcomes the discordance.
    pub variance: f64,
}

impl SplitDesign {
    /// A design for one-sided level `alpha` and a margin in `(0, 1)`.
    ///
    /// # Errors
    /// When `alpha` or `margin` is outside `(0, 1)`.
    pub fn new(alpha: f64, margin: f64) -> Result<Self> {
        open_unit("alpha", alpha)?;
        open_unit("margin", margin)?;
        Ok(Self { alpha, margin })
    }

    /// The level of the e-process, 0.2 alpha.
    #[must_use]
    pub fn early_alpha(&self) -> f64 {
        EARLY_SHARE * self.alpha
    }

    /// The level of the test at N, 0.8 alpha.
    #[must_use]
    pub fn final_alpha(&self) -> f64 {
        (1.0 - EARLY_SHARE) * self.alpha
    }

    /// Whether the evidence suffices to pass now: `W+ >= 1/(0.2 alpha)`. To be asked after every prompt.
    #[must_use]
    pub fn passes_early(&self, process: &MixtureProcess) -> bool {
        process.log_wealth_above() >= -self.early_alpha().ln()
    }

    /// The conditional power of the test at N under the better of "no change" and the current trend:
    /// `Phi((z sqrt(t) + theta sqrt(I_N) (1 - t) - z_{1-alpha2}) / sqrt(1 - t))`, `theta = max(difference + margin, margin)`,
    /// `I_N = N/variance`.
    ///
    /// Source: Lachin 2005, Stat Med 24:2747.
    ///
    /// # Errors
    /// When not `0 < seen < planned`, `z` or the difference is NaN, or the variance is negative or not finite.
    pub fn conditional_power(&self, look: &Look) -> Result<f64> {
        if look.seen == 0 || look.seen >= look.planned {
            return Err(out_of_range(
                "number of prompts seen",
                look.seen as f64,
                "above 0 and below the number planned",
            ));
        }
        finite("difference so far", look.difference)?;
        if look.z.is_nan() {
            return Err(StatsError::NotFinite { what: "statistic so far" });
        }
        if finite("variance so far", look.variance)? < 0.0 {
            return Err(out_of_range("variance so far", look.variance, "0 or above"));
        }
        let t = look.seen as f64 / look.planned as f64;
        let theta = (look.difference + self.margin).max(self.margin);
        if look.variance == 0.0 || look.z == f64::INFINITY {
            // Nothing has been lost yet.
            return Ok(1.0);
        }
        let drift = theta * (look.planned as f64 / look.variance).sqrt() * (1.0 - t);
        let critical = -super::special::normal_quantile(self.final_alpha());
        Ok(super::special::normal_cdf((look.z * t.sqrt() + drift - critical) / (1.0 - t).sqrt()))
    }

    /// Whether the run is futile: conditional power below 10 %. Stopping for it cannot raise the false-pass rate.
    ///
    /// # Errors
    /// As [`SplitDesign::conditional_power`].
    pub fn is_futile(&self, look: &Look) -> Result<bool> {
        Ok(self.conditional_power(look)? < FUTILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flawless_run_passes_early_and_a_bad_one_never() {
        let design = SplitDesign::new(0.05, 0.05).unwrap();
        let mut good = MixtureProcess::new(0.05, None).unwrap();
        let mut bad = MixtureProcess::new(0.05, None).unwrap();
        for _ in 0..400 {
            good.push(0.0).unwrap();
            bad.push(-0.5).unwrap();
        }
        assert!(design.passes_early(&good) && good.p_above() < 0.01 && good.p_below() > 0.99);
        assert!(!design.passes_early(&bad) && bad.p_below() < 1e-6);
    }

    #[test]
    fn a_complete_suite_is_decided() {
        let mut p = MixtureProcess::new(0.05, Some(10)).unwrap();
        for _ in 0..10 {
            p.push(0.5).unwrap();
        }
        assert_eq!(p.log_wealth_above(), f64::INFINITY);
        assert_eq!((p.p_above(), p.log_wealth_below()), (0.0, f64::NEG_INFINITY));
        assert!(p.push(0.5).is_err());
        assert_eq!(p.seen(), 10);
    }

    #[test]
    fn the_level_is_split_and_adds_up() {
        let d = SplitDesign::new(0.05, 0.05).unwrap();
        assert!((d.early_alpha() + d.final_alpha() - 0.05).abs() < 1e-17);
    }

    #[test]
    fn a_hopeless_trend_is_futile_and_a_fair_one_is_not() {
        let d = SplitDesign::new(0.05, 0.05).unwrap();
        let look = |z, difference| Look { seen: 225, planned: 300, z, difference, variance: 0.1 };
        assert!(d.is_futile(&look(-2.0, -0.09)).unwrap());
        assert!(!d.is_futile(&look(2.0, -0.01)).unwrap());
        assert!(d.is_futile(&look(f64::NAN, 0.0)).is_err());
        assert_eq!(d.conditional_power(&Look { variance: 0.0, ..look(1.0, 0.0) }), Ok(1.0));
        assert!(d.conditional_power(&Look { seen: 300, ..look(1.0, 0.0) }).is_err());
    }

    #[test]
    fn bad_input_is_an_error_and_changes_nothing() {
        let mut p = MixtureProcess::new(0.05, None).unwrap();
        assert!(p.push(f64::NAN).is_err() && p.push(1.5).is_err());
        assert_eq!(p.seen(), 0);
        assert!(MixtureProcess::new(f64::NAN, None).is_err() && MixtureProcess::new(1.0, None).is_err());
        assert!(MixtureProcess::new(0.05, Some(0)).is_err());
        assert!(SplitDesign::new(0.0, 0.05).is_err());
    }
}
