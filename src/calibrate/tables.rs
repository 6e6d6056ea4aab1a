//! Every outcome of n right-or-wrong pairs with its probability: error rates without Monte-Carlo error.

use super::arena::Truth;

/// Outcomes rarer than `e^-60` are left out: together they weigh less than 1e-20.
const RAREST: f64 = -60.0;

/// All tables of `n` pairs by their numbers gained and lost.
pub(super) struct Tables {
    n: usize,
    ln_factorial: Vec<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
impl Tables {
    pub fn new(n: usize) -> Self {
        let mut ln_factorial = vec![0.0; n + 1];
        for i in 1..=n {
            ln_factorial[i] = ln_factorial[i - 1] + (i as f64).ln();
        }
        Self { n, ln_factorial }
    }

    /// The probability that `claim(gained, lost)` holds.
    pub fn probability(&self, truth: Truth, claim: impl Fn(usize, usize) -> bool) -> f64 {
        // 0^0 is 1, though the logarithm of 0 is not finite.
        let power = |ln: f64, k: usize| if k == 0 { 0.0 } else { k as f64 * ln };
        let (ln_gained, ln_lost) = (truth.gained.ln(), truth.lost.ln());
        let ln_same = (1.0 - truth.gained - truth.lost).ln();
        let mut total = 0.0;
        for gained in 0..=self.n {
            for lost in 0..=self.n - gained {
                let rest = self.n - gained - lost;
                let ln = self.ln_factorial[self.n]
                    - self.ln_factorial[gained]
                    - self.ln_factorial[lost]
                    - self.ln_factorial[rest]
                    + power(ln_gained, gained)
                    + power(ln_lost, lost)
                    + power(ln_same, rest);
                if ln > RAREST && claim(gained, lost) {
                    total += ln.exp();
                }
            }
        }
        total
    }
}

/// Where a claim stands, for every table of n pairs: remembered, so that the real code is asked some hundred times and not half a
/// million times.
///
/// It takes a claim that more gains never destroy and more losses never create; `calibrate::tests` asks the real code all tables of a
/// smaller n to see that its claims are so.
pub(super) struct Frontier {
    /// By number of gains: with how many losses the claim no longer stands.
    falls_at: Vec<usize>,
}

impl Frontier {
    /// Walks along the frontier, for discordance up to a half: at every number of gains it goes on from the losses borne with one
    /// fewer.
    pub fn walk(n: usize, mut claim: impl FnMut(usize, usize) -> bool) -> Self {
        let reach = reach(n);
        let mut falls_at = Vec::with_capacity(reach + 1);
        let mut lost = 0;
        for gained in 0..=reach {
            while lost <= reach.min(n - gained) && claim(gained, lost) {
                lost += 1;
            }
            falls_at.push(lost);
        }
        Self { falls_at }
    }

    /// Whether the claim stands. Beyond the reach of the walk it is taken not to; such tables weigh less than 1e-15.
    pub fn stands(&self, gained: usize, lost: usize) -> bool {
        self.falls_at.get(gained).is_some_and(|fall| lost < *fall)
    }
}

/// The largest number of gains, or of losses, that the study's truths (at most 0.175 each) reach with any weight: nine standard
/// deviations above the mean, and some.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number below n"
)]
fn reach(n: usize) -> usize {
    let n_real = n as f64;
    ((0.175 * n_real + 9.0 * (0.175 * 0.825 * n_real).sqrt() + 10.0) as usize).min(n)
}
