//! McNemar's test of "the two models succeed equally often", exact and mid-p, from the discordant counts alone.

use super::special::{binomial_pmf, binomial_sf_from};

/// All six p values of McNemar's test. "greater" = evidence that the tuned model is better.
///
/// There is no margin here: this family tests no difference, and cannot show non-inferiority.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Exact, two-sided.
    pub exact_two_sided: f64,
    /// Exact, one-sided: tuned better.
    pub exact_greater: f64,
    /// Exact, one-sided: tuned worse.
    pub exact_less: f64,
    /// Mid-p, two-sided: the default for superiority.
    pub midp_two_sided: f64,
    /// Mid-p, one-sided: tuned better.
    pub midp_greater: f64,
    /// Mid-p, one-sided: tuned worse.
    pub midp_less: f64,
}

/// McNemar's test from the number of prompts `gained` and `lost`.
///
/// With `m = gained + lost` the gains are `Bin(m, 1/2)` under no difference. Exact two-sided is twice the smaller tail,
/// at most 1; mid-p gives half the probability of the observed table to the tail. Without a discordant prompt every exact
/// p is 1, the two-sided mid-p 1 and the one-sided 1/2.
///
/// Source: Fagerland, Lydersen & Laake 2013, BMC Med Res Methodol 13:91.
#[must_use]
pub fn mcnemar(gained: u64, lost: u64) -> McNemar {
    let m = gained.saturating_add(lost);
    let point = binomial_pmf(gained.min(lost), m, 0.5);
    let exact_greater = binomial_sf_from(gained, m, 0.5);
    let exact_less = binomial_sf_from(lost, m, 0.5);
    let exact_two_sided = (2.0 * exact_greater.min(exact_less)).min(1.0);
    // With gained = lost the observed table lies in both tails, so only half of it may be taken off.
    let midp_two_sided = if gained == lost && m > 0 {
        1.0 - 0.5 * point
    } else if m == 0 {
        1.0
    } else {
        exact_two_sided - point
    };
    McNemar {
        exact_two_sided,
        exact_greater,
        exact_less,
        midp_two_sided: midp_two_sided.clamp(0.0, 1.0),
        midp_greater: (exact_greater - 0.5 * point).clamp(0.0, 1.0),
        midp_less: (exact_less - 0.5 * point).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_discordant_prompt_is_no_evidence() {
        let t = mcnemar(0, 0);
        assert_eq!((t.exact_two_sided, t.exact_greater, t.exact_less), (1.0, 1.0, 1.0));
        assert_eq!((t.midp_two_sided, t.midp_greater, t.midp_less), (1.0, 0.5, 0.5));
    }

    #[test]
    fn four_wins_are_one_sixteenth() {
        assert!((mcnemar(4, 0).exact_greater - 1.0 / 16.0).abs() < 1e-15);
        assert!((mcnemar(4, 0).midp_greater - 1.0 / 32.0).abs() < 1e-15);
    }

    #[test]
    fn the_one_sided_midp_values_add_to_one() {
        for (b, c) in [(1, 0), (5, 5), (3, 17), (1_000, 1_100), (400_000, 401_000)] {
            let t = mcnemar(b, c);
            assert!((t.midp_greater + t.midp_less - 1.0).abs() < 1e-12);
            let swapped = mcnemar(c, b);
            assert_eq!((t.midp_greater, t.exact_less), (swapped.midp_less, swapped.exact_greater));
        }
    }
}
