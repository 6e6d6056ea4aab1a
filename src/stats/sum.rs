//! Sums that stay accurate at a million terms, and the moments made from them.

use super::error::{Result, StatsError, sample};
use std::ops::Range;

/// Terms that are added plainly before the pairwise tree begins: eight lanes of sixteen, which vectorises.
const BLOCK: usize = 128;

/// The sum of `f(x)` over `xs` by pairwise summation: rounding error grows with `log2(n)`, not with `n`
/// (Higham 1993, SIAM J Sci Comput 14:783).
pub(super) fn sum_by(xs: &[f64], f: impl Fn(f64) -> f64 + Copy) -> f64 {
    if xs.len() <= BLOCK {
        let (chunks, rest) = xs.as_chunks::<8>();
        let mut lanes = [0.0; 8];
        for c in chunks {
            for (lane, &x) in lanes.iter_mut().zip(c) {
                *lane += f(x);
            }
        }
        let tail: f64 = rest.iter().map(|&x| f(x)).sum();
        let [a, b, c, d, e, g, h, i] = lanes;
        return (((a + b) + (c + d)) + ((e + g) + (h + i))) + tail;
    }
    // Cut at a multiple of the block so that every leaf but the last is full.
    let half = (xs.len() / 2).next_multiple_of(BLOCK);
    let (left, right) = xs.split_at(half);
    sum_by(left, f) + sum_by(right, f)
}

/// The pairwise sum.
pub(super) fn sum(xs: &[f64]) -> f64 {
    sum_by(xs, |x| x)
}

/// Terms of a half that is worth another thread.
const HALF: usize = 1 << 15;

/// Several sums over `0..n` in one pass, pairwise like [`sum_by`]. All cores take part; the tree does not depend on them.
pub(super) fn sums_over<const K: usize>(n: usize, f: impl Fn(usize) -> [f64; K] + Copy + Sync) -> [f64; K] {
    sums_within(0..n, f)
}

fn sums_within<const K: usize>(range: Range<usize>, f: impl Fn(usize) -> [f64; K] + Copy + Sync) -> [f64; K] {
    let plus = |a: [f64; K], b: [f64; K]| std::array::from_fn(|k| a[k] + b[k]);
    if range.len() <= BLOCK {
        return range.fold([0.0; K], |total, i| plus(total, f(i)));
    }
    let half = (range.len() / 2).next_multiple_of(BLOCK);
    let middle = range.start + half;
    let (left, right) = (range.start..middle, middle..range.end);
    let (left, right) = if half >= HALF {
        rayon::join(|| sums_within(left, f), || sums_within(right, f))
    } else {
        (sums_within(left, f), sums_within(right, f))
    };
    plus(left, right)
}

/// The mean of a non-empty slice, with one correction step for the rounding of the first.
pub(super) fn mean_of(xs: &[f64]) -> f64 {
    let n = xs.len() as f64;
    let first = sum(xs) / n;
    first + sum_by(xs, |x| x - first) / n
}

/// Mean and sample variance (divisor n - 1) of at least two values.
pub(super) fn mean_variance(xs: &[f64]) -> (f64, f64) {
    let mean = mean_of(xs);
    let residual = sum_by(xs, |x| x - mean);
    let n = xs.len() as f64;
    // The corrected two-pass algorithm (Chan, Golub & LeVeque 1983, Am Stat 37:242, equation 1.7).
    let ss = sum_by(xs, |x| (x - mean) * (x - mean)) - residual * residual / n;
    (mean, ss.max(0.0) / (n - 1.0))
}

/// Whether all values of a non-empty slice are equal.
pub(super) fn all_equal(xs: &[f64]) -> bool {
    xs.iter().all(|x| x == &xs[0])
}

/// Smallest and largest of a non-empty slice of finite values.
pub(super) fn min_max(xs: &[f64]) -> (f64, f64) {
    let (chunks, rest) = xs.as_chunks::<8>();
    let mut lo = [xs[0]; 8];
    let mut hi = [xs[0]; 8];
    for c in chunks {
        for k in 0..8 {
            lo[k] = if c[k] < lo[k] { c[k] } else { lo[k] };
            hi[k] = if c[k] > hi[k] { c[k] } else { hi[k] };
        }
    }
    let low = lo.iter().chain(rest).fold(xs[0], |a, &b| a.min(b));
    let high = hi.iter().chain(rest).fold(xs[0], |a, &b| a.max(b));
    (low, high)
}

/// Mean of a sample.
///
/// # Errors
/// When the sample is empty or holds a NaN or an infinity.
pub fn mean(xs: &[f64]) -> Result<f64> {
    sample("sample", xs, 1)?;
    super::error::finite("mean", mean_of(xs))
}

/// Standard deviation of a sample, divisor n - 1.
///
/// # Errors
/// When there are fewer than two values, or one is NaN or infinite.
pub fn standard_deviation(xs: &[f64]) -> Result<f64> {
    sample("sample", xs, 2)?;
    super::error::finite("standard deviation", mean_variance(xs).1.sqrt())
}

/// Sample skewness `g1 = m3 / m2^(3/2)`, the `g` of Sugden, Smith & Jones 2000 (JRSSA 163:285): a t interval wants
/// `n > 28 + 25 g^2`.
///
/// # Errors
/// When there are fewer than two values, one is NaN or infinite, or all are equal.
pub fn skewness(xs: &[f64]) -> Result<f64> {
    sample("sample", xs, 2)?;
    if all_equal(xs) {
        return Err(StatsError::ZeroVariance);
    }
    let n = xs.len() as f64;
    let mean = mean_of(xs);
    let m2 = sum_by(xs, |x| (x - mean) * (x - mean)) / n;
    let m3 = sum_by(xs, |x| (x - mean) * (x - mean) * (x - mean)) / n;
    super::error::finite("skewness", m3 / (m2 * m2.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tenths_sum_without_drift() {
        let xs = vec![0.1; 1_000_000];
        assert!((sum(&xs) - 100_000.0).abs() < 1e-9);
        assert!((mean_of(&xs) - 0.1).abs() < 1e-16);
    }

    #[test]
    fn several_sums_in_one_pass_are_the_sums_one_by_one() {
        let xs: Vec<f64> = (0..200_003).map(|i| f64::from((i * 31) % 1_009) / 1_009.0).collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| sums_over(xs.len(), |i| [xs[i], xs[i] * xs[i]]))
        };
        assert_eq!((on(2), on(4)), (on(1), on(1)));
        let [first, second] = on(1);
        assert!((first - sum(&xs)).abs() < 1e-9 && (second - sum_by(&xs, |x| x * x)).abs() < 1e-9);
        assert_eq!(sums_over(0, |_| [1.0]), [0.0]);
    }

    #[test]
    fn a_large_offset_does_not_eat_the_variance() {
        let xs: Vec<f64> = (0..1001).map(|i| 1e9 + f64::from(i % 3)).collect();
        let centred: Vec<f64> = xs.iter().map(|x| x - 1e9).collect();
        assert!((mean_variance(&xs).1 - mean_variance(&centred).1).abs() < 1e-9);
    }

    #[test]
    fn moments_of_a_known_sample() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]).unwrap(), 3.0);
        assert!((standard_deviation(&[1.0, 2.0, 6.0]).unwrap() - 7f64.sqrt()).abs() < 1e-15);
        assert!(skewness(&[1.0, 1.0, 1.0]).is_err());
        assert!(skewness(&[-1.0, 0.0, 1.0]).unwrap().abs() < 1e-15);
        assert_eq!(min_max(&[3.0, -2.0, 5.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]), (-2.0, 9.0));
    }
}
