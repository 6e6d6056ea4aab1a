//! Wilcoxon's signed-rank test and the Hodges-Lehmann estimate: the pseudo-median, not the mean.
//!
//! For description and superiority only. Neither takes a margin, and neither may be given one by shifting the data: with
//! 90 % ties a shift "proves" non-inferiority in 99.5 - 100 % of runs at a truth exactly at the margin.

use super::error::{Result, StatsError, interval, open_unit, sample};
use super::special::{normal_cdf, normal_quantile, normal_sf};
use super::sum::sum;
use crate::types::Interval;
use rayon::prelude::*;

/// The largest number of ranks for which the null distribution is computed exactly.
pub const EXACT_RANKS: usize = 1_000;

/// What becomes of differences of exactly 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zeros {
    /// They take part in the ranking and are dropped afterwards (Pratt 1959, JASA 54:655): the default.
    Pratt,
    /// They are dropped before the ranking (Wilcoxon 1945).
    Drop,
}

/// A signed-rank test. "greater" = evidence that the tuned model is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignedRank {
    /// Differences that are not 0.
    pub n: usize,
    /// Sum of the ranks of the positive differences.
    pub w_plus: f64,
    /// The standardised statistic; none for the exact test.
    pub z: Option<f64>,
    /// One-sided p value: small = the tuned model is better.
    pub p_greater: f64,
    /// One-sided p value: small = the tuned model is worse.
    pub p_less: f64,
    /// Two-sided p value.
    pub p_two_sided: f64,
}

/// Differences of one size, none of size 0.
struct Ties {
    /// Twice their mid-rank, a whole number.
    doubled_rank: u64,
    count: u64,
    positive: u64,
}

/// From so many differences on, all cores sort.
const SORT_TOGETHER: usize = 1 << 15;

/// The sizes of the differences that are not 0, ascending.
fn ties(d: &[f64], zeros: Zeros) -> Result<Vec<Ties>> {
    sample("paired differences", d, 1)?;
    // The size of a number and below it its sign, as an integer that orders alike and sorts faster.
    let mut keys: Vec<u64> =
        d.iter().filter(|&&x| x != 0.0).map(|x| x.to_bits() << 1 | u64::from(x.is_sign_positive())).collect();
    if keys.len() < SORT_TOGETHER {
        keys.sort_unstable()
    } else {
        keys.par_sort_unstable()
    }
    let mut before = if zeros == Zeros::Pratt { (d.len() - keys.len()) as u64 } else { 0 };
    let mut all = Vec::new();
    for equal in keys.chunk_by(|a, b| a >> 1 == b >> 1) {
        let count = equal.len() as u64;
        let positive = equal.iter().map(|key| key & 1).sum();
        // Ranks before+1 ..= before+count share their mean.
        all.push(Ties { doubled_rank: 2 * before + count + 1, count, positive });
        before += count;
    }
    Ok(all)
}

/// Twice the sum of the ranks of the positive differences.
fn w_plus(ties: &[Ties]) -> u64 {
    ties.iter().map(|t| t.doubled_rank * t.positive).sum()
}

/// The number of differences that are not 0.
fn differing(ties: &[Ties]) -> usize {
    ties.iter().map(|t| t.count as usize).sum()
}

/// The exact signed-rank test, conditional on the mid-ranks, so that it is valid with ties.
///
/// The null distribution by dynamic programming over doubled ranks. Without a difference that is not 0 every p is 1.
/// Source: Wilcoxon 1945, Biometrics Bull 1:80; Pratt 1959; Hollander, Wolfe & Chicken 2014, section 3.1.
///
/// # Errors
/// When the sample is empty, a difference is NaN or infinite, or more than [`EXACT_RANKS`] are not 0.
pub fn wilcoxon_exact(d: &[f64], zeros: Zeros) -> Result<SignedRank> {
    let ties = ties(d, zeros)?;
    let n = differing(&ties);
    if n > EXACT_RANKS {
        return Err(StatsError::OutOfRange {
            what: "number of differences that are not 0",
            value: n as f64,
            expected: "at most 1000 for the exact signed-rank test",
        });
    }
    let observed = w_plus(&ties);
    let law = null_law(ties.iter().flat_map(|t| (0..t.count).map(|_| t.doubled_rank)));
    let at = usize::try_from(observed).unwrap_or(usize::MAX).min(law.len() - 1);
    let p_greater = law[at..].iter().sum::<f64>().min(1.0);
    let p_less = law[..=at].iter().sum::<f64>().min(1.0);
    Ok(SignedRank {
        n,
        w_plus: observed as f64 / 2.0,
        z: None,
        p_greater,
        p_less,
        p_two_sided: (2.0 * p_greater.min(p_less)).min(1.0),
    })
}

/// The distribution of the sum of a random subset of `ranks`, each in it with probability 1/2.
fn null_law(ranks: impl Iterator<Item = u64>) -> Vec<f64> {
    let mut law = vec![1.0];
    for rank in ranks {
        let rank = usize::try_from(rank).unwrap_or(usize::MAX);
        let old = law.len();
        law.resize(old + rank, 0.0);
        // From above, so that each number is read before it is written.
        for sum in (0..law.len()).rev() {
            let without = if sum < old { law[sum] } else { 0.0 };
            let with = if sum >= rank { law[sum - rank] } else { 0.0 };
            law[sum] = 0.5 * (without + with);
        }
    }
    law
}

/// The signed-rank test by the normal approximation, with the variance for ties; `correction` moves the statistic by 1/2
/// towards its mean.
///
/// # Errors
/// When the sample is empty, a difference is NaN or infinite, or all differences are 0.
pub fn wilcoxon_normal(d: &[f64], zeros: Zeros, correction: bool) -> Result<SignedRank> {
    let ties = ties(d, zeros)?;
    if ties.is_empty() {
        return Err(StatsError::ZeroVariance);
    }
    let w = w_plus(&ties) as f64 / 2.0;
    let mean = ties.iter().map(|t| t.doubled_rank * t.count).sum::<u64>() as f64 / 4.0;
    let squares: Vec<f64> = ties.iter().map(|t| (t.doubled_rank * t.doubled_rank) as f64 * t.count as f64).collect();
    let variance = sum(&squares) / 16.0;
    let distance = w - mean;
    let moved = if correction { distance.signum() * (distance.abs() - 0.5).max(0.0) } else { distance };
    let z = moved / variance.sqrt();
    Ok(SignedRank {
        n: differing(&ties),
        w_plus: w,
        z: Some(z),
        p_greater: normal_sf(z),
        p_less: normal_cdf(z),
        p_two_sided: (2.0 * normal_sf(z.abs())).min(1.0),
    })
}

/// The signed-rank test as it should be run: exact up to 200 differences that are not 0, else normal without correction.
///
/// ```
/// use goldgate::stats::{Zeros, wilcoxon};
/// assert!(wilcoxon(&[0.1, 0.2, 0.3, 0.4, 0.5], Zeros::Pratt)?.p_greater < 0.05);
/// # Ok::<(), goldgate::stats::StatsError>(())
/// ```
///
/// There is no margin to test against, so that non-inferiority by this test cannot be written:
///
/// ```compile_fail
/// use goldgate::stats::{Zeros, wilcoxon};
/// assert!(wilcoxon(&[0.1, 0.2, 0.3, 0.4, 0.5], Zeros::Pratt, -0.05)?.p_greater < 0.05);
/// # Ok::<(), goldgate::stats::StatsError>(())
/// ```
///
/// # Errors
/// When the sample is empty, or a difference is NaN or infinite.
pub fn wilcoxon(d: &[f64], zeros: Zeros) -> Result<SignedRank> {
    sample("paired differences", d, 1)?;
    let n = d.iter().filter(|&&x| x != 0.0).count();
    if n <= 200 { wilcoxon_exact(d, zeros) } else { wilcoxon_normal(d, zeros, false) }
}

/// The Hodges-Lehmann estimate of the pseudo-median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HodgesLehmann {
    /// Median of the Walsh averages `(d_i + d_j)/2`, `i <= j`.
    pub estimate: f64,
    /// The interval between the k-th smallest and the k-th largest Walsh average.
    pub interval: Interval,
    /// That k.
    pub k: u64,
    /// Number of Walsh averages, n (n + 1)/2.
    pub walsh_averages: u64,
}

/// The Hodges-Lehmann estimate with its signed-rank interval; k from the exact null distribution up to 200 differences,
/// from the normal approximation beyond.
///
/// O(n log n) and without listing the n^2/2 averages: an order statistic of theirs is found by bisection on the numbers
/// themselves, counting with two pointers. Source: Hodges & Lehmann 1963, Ann Math Stat 34:598; Hollander, Wolfe & Chicken
/// 2014, sections 3.2 and 3.3.
///
/// # Errors
/// When there are fewer than two differences, one is NaN, infinite or beyond 1e300, or the level is outside `(0, 1)`.
pub fn hodges_lehmann(d: &[f64], level: f64) -> Result<HodgesLehmann> {
    sample("paired differences", d, 2)?;
    let tail = 0.5 * (1.0 - open_unit("level", level)?);
    let mut x = d.to_vec();
    x.sort_unstable_by(f64::total_cmp);
    if x[0] < -1e300 || x[x.len() - 1] > 1e300 {
        return Err(StatsError::NotFinite { what: "sum of two differences" });
    }
    let n = x.len() as u64;
    let total = n * (n + 1) / 2;
    let k = rank_quantile(n, tail).clamp(1, total.div_ceil(2));
    let estimate = 0.5 * (walsh(&x, total.div_ceil(2)) + walsh(&x, total / 2 + 1));
    let limits = interval(walsh(&x, k), walsh(&x, total + 1 - k), level)?;
    Ok(HodgesLehmann { estimate, interval: limits, k, walsh_averages: total })
}

/// The smallest w with `P(W <= w) >= tail` for the signed-rank statistic of n untied differences.
fn rank_quantile(n: u64, tail: f64) -> u64 {
    if n > 200 {
        let size = n as f64;
        let sd = (size * (size + 1.0) * (2.0 * size + 1.0) / 24.0).sqrt();
        return (size * (size + 1.0) / 4.0 + normal_quantile(tail) * sd).max(0.0) as u64;
    }
    let law = null_law(1..=n);
    let mut below = 0.0;
    law.iter()
        .position(|p| {
            below += p;
            below >= tail
        })
        .map_or(0, |w| w as u64)
}

/// The k-th smallest Walsh average (k from 1) of an ascending sample.
fn walsh(x: &[f64], k: u64) -> f64 {
    // Ordered integers stand for the numbers, so that the bisection ends at neighbouring ones.
    let (mut lo, mut hi) = (key(x[0]), key(x[x.len() - 1]));
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if walsh_count(x, number(middle)) >= k { hi = middle } else { lo = middle + 1 }
    }
    number(lo)
}

/// How many Walsh averages are at most `v`.
fn walsh_count(x: &[f64], v: f64) -> u64 {
    let mut end = x.len();
    let mut count = 0;
    for (i, &a) in x.iter().enumerate() {
        while end > i && 0.5 * (a + x[end - 1]) > v {
            end -= 1;
        }
        if end <= i {
            break;
        }
        count += (end - i) as u64;
    }
    count
}

/// An integer that orders like the number.
fn key(v: f64) -> i128 {
    let bits = i128::from(v.to_bits() & !(1 << 63));
    if v.is_sign_negative() { -bits } else { bits }
}

fn number(key: i128) -> f64 {
    let size = f64::from_bits(u64::try_from(key.unsigned_abs()).unwrap_or(0));
    if key < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walsh_by_listing(x: &[f64], k: usize) -> f64 {
        let mut all: Vec<f64> = (0..x.len()).flat_map(|i| (i..x.len()).map(move |j| 0.5 * (x[i] + x[j]))).collect();
        all.sort_unstable_by(f64::total_cmp);
        all[k - 1]
    }

    #[test]
    fn order_statistics_of_walsh_averages_without_listing_them() {
        let mut x: Vec<f64> = (0..31).map(|i| f64::from((i * 13) % 17) / 8.0 - 1.0).collect();
        x.sort_unstable_by(f64::total_cmp);
        for k in [1, 2, 100, 248, 400, 496] {
            assert_eq!(walsh(&x, k as u64), walsh_by_listing(&x, k));
        }
    }

    #[test]
    fn no_difference_is_no_evidence() {
        let t = wilcoxon_exact(&[0.0; 5], Zeros::Pratt).unwrap();
        assert_eq!((t.n, t.p_greater, t.p_two_sided), (0, 1.0, 1.0));
        assert_eq!(wilcoxon_normal(&[0.0; 5], Zeros::Drop, true), Err(StatsError::ZeroVariance));
    }

    #[test]
    fn five_wins_have_one_in_thirty_two() {
        let t = wilcoxon(&[0.1, 0.2, 0.3, 0.4, 0.5], Zeros::Pratt).unwrap();
        assert!((t.p_greater - 1.0 / 32.0).abs() < 1e-16 && t.p_less == 1.0);
    }

    #[test]
    fn exact_and_normal_agree_for_many_differences() {
        let d: Vec<f64> = (0..400).map(|i| f64::from((i * 37) % 401) / 401.0 - 0.47).collect();
        let (exact, normal) = (wilcoxon_exact(&d, Zeros::Pratt).unwrap(), wilcoxon(&d, Zeros::Pratt).unwrap());
        assert!((exact.p_greater - normal.p_greater).abs() < 2e-4);
    }

    #[test]
    fn a_pseudo_median_of_a_large_sample() {
        let d: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 1e5).collect();
        let h = hodges_lehmann(&d, 0.95).unwrap();
        assert!((h.estimate - 0.499_995).abs() < 1e-9);
        assert!(h.interval.lower() < h.estimate && h.interval.upper() > h.estimate);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(wilcoxon(&[], Zeros::Pratt).is_err());
        assert!(wilcoxon(&[f64::NAN], Zeros::Pratt).is_err());
        assert!(wilcoxon_exact(&vec![1.0; 1_001], Zeros::Pratt).is_err());
        assert!(hodges_lehmann(&[1.0], 0.9).is_err());
        assert!(hodges_lehmann(&[1.0, f64::INFINITY], 0.9).is_err());
        assert!(hodges_lehmann(&[1.0, 1e308], 0.9).is_err());
    }
}
