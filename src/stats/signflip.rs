//! The sign-flip permutation test: "both models are the same" for any paired score.
//!
//! It takes no margin, and must not be given one by shifting the data: with ties a shift turns every tie into a win. It
//! shows superiority only; non-inferiority is [`super::gaffke_p_above`]'s and [`super::tango_test`]'s.

use super::bootstrap::after;
use super::error::{Result, StatsError, at_least, sample};
use super::sum::sum;
use crate::types::SplitMix64;
use rayon::prelude::*;

/// The largest sample of which all patterns are counted.
pub const EXACT_LIMIT: usize = 40;

/// p values of the sign-flip test. "greater" = evidence that the tuned model is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignFlip {
    /// Patterns with a sum at least as large as the observed one, the identity included.
    pub count_greater: u64,
    /// Patterns with a sum at most the observed one.
    pub count_less: u64,
    /// Patterns with a sum at least as far from 0 as the observed one.
    pub count_two_sided: u64,
    /// Patterns in all: 2^n, or the number of random ones plus the identity.
    pub patterns: u64,
    /// One-sided p value: small = the tuned model is better.
    pub p_greater: f64,
    /// One-sided p value: small = the tuned model is worse.
    pub p_less: f64,
    /// Two-sided p value.
    pub p_two_sided: f64,
}

impl SignFlip {
    fn from_counts(greater: u64, less: u64, two: u64, patterns: u64) -> Self {
        let share = |k: u64| k as f64 / patterns as f64;
        Self {
            count_greater: greater,
            count_less: less,
            count_two_sided: two,
            patterns,
            p_greater: share(greater),
            p_less: share(less),
            p_two_sided: share(two),
        }
    }
}

/// The observed sum, and how near a sum counts as equal to it.
fn observed(d: &[f64]) -> Result<(f64, f64)> {
    sample("paired differences", d, 1)?;
    let size: f64 = d.iter().map(|x| x.abs()).sum();
    super::error::finite("sum of the differences", size)?;
    Ok((sum(d), 1e-12 * size.max(1.0)))
}

/// The exact test over all 2^n sign patterns, for n up to 40.
///
/// The patterns of the two halves of the sample are listed, sorted and merged, so that the cost is `2^(n/2)` and not `2^n`
/// (Horowitz & Sahni 1974, J ACM 21:277). Source of the test: Fisher 1935, The Design of Experiments, section 21.
///
/// # Errors
/// When the sample is empty or larger than [`EXACT_LIMIT`], or a difference is NaN or infinite.
pub fn sign_flip_exact(d: &[f64]) -> Result<SignFlip> {
    let (total, tolerance) = observed(d)?;
    if d.len() > EXACT_LIMIT {
        return Err(StatsError::OutOfRange {
            what: "number of differences",
            value: d.len() as f64,
            expected: "at most 40 for the exact sign-flip test",
        });
    }
    let (left, right) = d.split_at(d.len() / 2);
    let (left, right) = (sorted_sums(left), sorted_sums(right));
    let patterns = 1_u64 << d.len();
    let greater = count_at_least(&left, &right, total - tolerance);
    // The sums are symmetric about 0: as many lie at or below s as at or above -s.
    let less = count_at_least(&left, &right, -total - tolerance);
    let edge = total.abs() - tolerance;
    let two = if edge <= 0.0 { patterns } else { 2 * count_at_least(&left, &right, edge) };
    Ok(SignFlip::from_counts(greater, less, two, patterns))
}

/// All signed sums of a few numbers, ascending.
fn sorted_sums(d: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for &x in d {
        let mut next = Vec::with_capacity(2 * sums.len());
        next.extend(sums.iter().map(|s| s + x));
        next.extend(sums.iter().map(|s| s - x));
        sums = next;
    }
    sums.sort_unstable_by(f64::total_cmp);
    sums
}

/// How many pairs of a left and a right sum reach `edge`.
fn count_at_least(left: &[f64], right: &[f64], edge: f64) -> u64 {
    let mut first = right.len();
    left.iter()
        .map(|l| {
            while first > 0 && l + right[first - 1] >= edge {
                first -= 1;
            }
            (right.len() - first) as u64
        })
        .sum()
}

/// The test over random sign patterns, `p = (1 + #{as extreme}) / (patterns + 1)`: the identity is one of them, so that p
/// is never 0.
///
/// Source: Phipson & Smyth 2010, SAGMB 9:39.
///
/// # Errors
/// When the sample is empty, a difference is NaN or infinite, or there are no patterns.
pub fn sign_flip_random(d: &[f64], patterns: usize, seed: u64) -> Result<SignFlip> {
    let (total, tolerance) = observed(d)?;
    at_least("random patterns", patterns, 1)?;
    let count = |task: usize| {
        let mut counts = [0_u64; 3];
        let end = patterns.min((task + 1) * TASK);
        for first in (task * TASK..end).step_by(SIDE_BY_SIDE) {
            // The last eight may hold more than was asked for.
            for &flipped in flipped_sums(d, seed, first).iter().take(end - first) {
                counts[0] += u64::from(flipped >= total - tolerance);
                counts[1] += u64::from(flipped <= total + tolerance);
                counts[2] += u64::from(flipped.abs() >= total.abs() - tolerance);
            }
        }
        counts
    };
    let both = |a: [u64; 3], b: [u64; 3]| std::array::from_fn(|k| a[k] + b[k]);
    let [greater, less, two] = (0..patterns.div_ceil(TASK)).into_par_iter().map(count).reduce(|| [0; 3], both);
    Ok(SignFlip::from_counts(1 + greater, 1 + less, 1 + two, patterns as u64 + 1))
}

/// Patterns that are summed side by side, so that one does not wait for the sum of another.
const SIDE_BY_SIDE: usize = 8;

/// Patterns of one task.
const TASK: usize = 16 * SIDE_BY_SIDE;

/// The sums of the sample under the eight patterns from number `first` on: pattern p takes its bits, 64 at a time, from the
/// stream of `seed` after those of the patterns before it.
fn flipped_sums(d: &[f64], seed: u64, first: usize) -> [f64; SIDE_BY_SIDE] {
    let words = d.len().div_ceil(64) as u64;
    let mut streams: [SplitMix64; SIDE_BY_SIDE] = std::array::from_fn(|j| after(seed, (first + j) as u64, words));
    let mut sums = [0.0; SIDE_BY_SIDE];
    for chunk in d.chunks(64) {
        let mut bits = streams.each_mut().map(SplitMix64::next_u64);
        for x in chunk {
            for (sum, bits) in sums.iter_mut().zip(&mut bits) {
                // The sign bit of the number is turned by one random bit.
                *sum += f64::from_bits(x.to_bits() ^ (*bits << 63));
                *bits >>= 1;
            }
        }
    }
    sums
}

/// The sign-flip test: exact up to 40 differences, else with `patterns` random flips.
///
/// ```
/// use goldgate::stats::sign_flip;
/// assert!(sign_flip(&[0.1, 0.2, 0.3, 0.4, 0.5], 9_999, 1)?.p_greater < 0.05);
/// # Ok::<(), goldgate::stats::StatsError>(())
/// ```
///
/// There is no margin to test against, so that non-inferiority by this test cannot be written:
///
/// ```compile_fail
/// use goldgate::stats::sign_flip;
/// assert!(sign_flip(&[0.1, 0.2, 0.3, 0.4, 0.5], 9_999, 1, -0.05)?.p_greater < 0.05);
/// # Ok::<(), goldgate::stats::StatsError>(())
/// ```
///
/// # Errors
/// When the sample is empty, a difference is NaN or infinite, or random patterns are needed and there are none.
pub fn sign_flip(d: &[f64], patterns: usize, seed: u64) -> Result<SignFlip> {
    if d.len() <= EXACT_LIMIT { sign_flip_exact(d) } else { sign_flip_random(d, patterns, seed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_is_no_evidence() {
        let t = sign_flip_exact(&[0.0; 9]).unwrap();
        assert_eq!((t.p_greater, t.p_less, t.p_two_sided), (1.0, 1.0, 1.0));
    }

    #[test]
    fn forty_wins_are_counted_exactly() {
        let t = sign_flip_exact(&[1.0; 40]).unwrap();
        assert_eq!((t.count_greater, t.count_less), (1, 1 << 40));
        assert!(sign_flip_exact(&[1.0; 41]).is_err());
    }

    #[test]
    fn random_flips_agree_with_the_exact_count() {
        let d: Vec<f64> = (0..30).map(|i| f64::from((i * 7) % 11) / 10.0 - 0.42).collect();
        let (exact, random) = (sign_flip_exact(&d).unwrap(), sign_flip_random(&d, 20_000, 5).unwrap());
        assert!((exact.p_greater - random.p_greater).abs() < 0.02);
        assert!((exact.p_two_sided - random.p_two_sided).abs() < 0.02);
        assert_eq!(sign_flip(&d, 10, 1).unwrap(), exact);
    }

    #[test]
    fn the_patterns_are_those_of_one_stream() {
        let d: Vec<f64> = (0..130).map(|i| f64::from((i * 7) % 11) / 10.0 - 0.48).collect();
        let mut rng = SplitMix64::new(3);
        let mut one_after_the_other = || {
            let mut sum = 0.0;
            for chunk in d.chunks(64) {
                let bits = rng.next_u64();
                sum += chunk.iter().enumerate().fold(0.0, |s, (i, x)| if bits >> i & 1 == 1 { s - x } else { s + x });
            }
            sum
        };
        for first in [0, 8] {
            for sum in flipped_sums(&d, 3, first) {
                assert!((sum - one_after_the_other()).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let d: Vec<f64> = (0..200).map(|i| f64::from((i * 7) % 11) / 10.0 - 0.48).collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| sign_flip_random(&d, 1_003, 5).unwrap())
        };
        assert_eq!((on(2), on(4)), (on(1), on(1)));
        assert_eq!(on(1).patterns, 1_004);
    }

    #[test]
    fn a_random_p_value_is_never_zero() {
        assert_eq!(sign_flip_random(&[1.0; 200], 99, 1).unwrap().p_greater, 0.01);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(sign_flip(&[], 9, 1).is_err());
        assert!(sign_flip(&[f64::NAN], 9, 1).is_err());
        assert!(sign_flip_random(&[1.0], 0, 1).is_err());
    }
}
