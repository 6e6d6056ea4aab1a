//! A long sample as a few power sums: what Gaffke's bound needs of a million scores, from one pass over them.
//!
//! The bound asks for `sum ln(1 - t (x - m0))` and its derivatives by t, at many t and m0. In a long sample t is of the
//! order of one over the standard deviation times `sqrt(n)`, so that `t (x - m0)` is small, and the series
//! `-sum_k t^k M_k / k` with the power sums `M_k = sum (x - m0)^k` has all digits after a few terms. The sums are made once
//! about the mean, and moved to any m0 by the binomial theorem. Scores too far from the mean for that are few (Chebyshev) and stay
//! apart.

use super::sum::mean_variance;
use rayon::prelude::*;

/// Scores from which on the sums pay.
const LONG: usize = 1 << 15;

/// Terms of the series.
const ORDER: usize = 24;

/// The largest `|t (x - m0)|` that the series may meet, at the far end of the contour, where the integrand is below 1e-40.
/// Where it matters the argument is less than half of that, and the terms left out below `0.25^25`.
const RADIUS: f64 = 0.5;

/// The far end of the contour: `|t|` as a multiple of one over the root of the sum of squares.
const SPREADS: f64 = 16.0;

/// Scores that one task adds up: fixed, so that the sums do not depend on the number of threads.
const BLOCK: usize = 1 << 14;

/// Scores whose powers are formed side by side.
const STRIP: usize = 256;

/// A long sample.
pub(super) struct PowerSums {
    pub(super) mean: f64,
    pub(super) variance: f64,
    /// What the deviations are divided by, so that no power of them overflows.
    scale: f64,
    /// The largest deviation in the sums, scaled.
    reach: f64,
    /// Sums of the powers 0 to [`ORDER`] of the scaled deviations from the mean.
    about_mean: [f64; ORDER + 1],
    /// The scores that are not in the sums.
    pub(super) apart: Vec<f64>,
}

impl PowerSums {
    /// The sums of a long sample of finite scores between `worst` and `best`, and none of a short one.
    pub(super) fn of(x: &[f64], worst: f64, best: f64) -> Option<Self> {
        let scale = best - worst;
        if x.len() < LONG || scale <= 0.0 {
            return None;
        }
        let (mean, variance) = mean_variance(x);
        // The worst case stands beside the sample in all that is calculated.
        let squares = variance * (x.len() - 1) as f64 + (mean - worst) * (mean - worst);
        let reach = (RADIUS / SPREADS * squares.sqrt() / scale).min(1.0);
        let blocks: Vec<Block> = x.par_chunks(BLOCK).map(|x| Block::of(x, mean, scale, reach)).collect();
        let mut about_mean = [0.0; ORDER + 1];
        for block in &blocks {
            for (total, sum) in about_mean.iter_mut().zip(&block.sums) {
                *total += sum;
            }
        }
        let apart = blocks.into_iter().flat_map(|b| b.apart).collect();
        Some(Self { mean, variance, scale, reach, about_mean, apart })
    }

    /// The sums about `m0`, if the series holds for arguments up to `t`.
    pub(super) fn about(&self, m0: f64, t: f64) -> Option<Series> {
        let shift = (self.mean - m0) / self.scale;
        let largest = RADIUS / (self.reach + shift.abs());
        if (t * self.scale).abs() > largest {
            return None;
        }
        let mut sums = [0.0; ORDER + 1];
        let mut binomials = [0.0; ORDER + 1];
        binomials[0] = 1.0;
        for (k, sum) in sums.iter_mut().enumerate() {
            // The row k of Pascal's triangle, from the right.
            for j in (1..=k).rev() {
                binomials[j] += binomials[j - 1];
            }
            // Horner in the shift: the sum over j of C(k, j) shift^(k-j) P_j.
            *sum = (0..=k).fold(0.0, |total, j| total * shift + binomials[j] * self.about_mean[j]);
        }
        Some(Series { scale: self.scale, largest, sums })
    }
}

/// The power sums of one block.
struct Block {
    sums: [f64; ORDER + 1],
    apart: Vec<f64>,
}

impl Block {
    fn of(x: &[f64], mean: f64, scale: f64, reach: f64) -> Self {
        let mut sums = [0.0; ORDER + 1];
        let mut apart = Vec::new();
        for x in x.chunks(STRIP) {
            let mut deviations = [0.0; STRIP];
            let mut far = 0;
            for (deviation, x) in deviations.iter_mut().zip(x) {
                let a = (x - mean) / scale;
                let near = a.abs() <= reach;
                *deviation = if near { a } else { 0.0 };
                far += usize::from(!near);
            }
            if far > 0 {
                apart.extend(x.iter().filter(|&x| ((x - mean) / scale).abs() > reach));
            }
            sums[0] += (x.len() - far) as f64;
            let mut powers = deviations;
            for sum in &mut sums[1..] {
                let mut lanes = [0.0; 8];
                for (powers, deviations) in powers.as_chunks_mut::<8>().0.iter_mut().zip(deviations.as_chunks::<8>().0)
                {
                    for j in 0..8 {
                        lanes[j] += powers[j];
                        powers[j] *= deviations[j];
                    }
                }
                *sum += lanes.iter().sum::<f64>();
            }
        }
        Self { sums, apart }
    }
}

/// The power sums about one value tested.
pub(super) struct Series {
    scale: f64,
    largest: f64,
    sums: [f64; ORDER + 1],
}

impl Series {
    /// Whether the series holds at an argument of this modulus.
    pub(super) fn holds(&self, t: f64) -> bool {
        t * self.scale <= self.largest
    }

    /// The first three derivatives of `K(t) = -sum ln(1 - t a)`.
    pub(super) fn derivatives(&self, t: f64) -> (f64, f64, f64) {
        let u = t * self.scale;
        let (mut first, mut second, mut third) = (0.0, 0.0, 0.0);
        for k in (1..=ORDER).rev() {
            let (m, order) = (self.sums[k], k as f64);
            first = first * u + m;
            if k >= 2 {
                second = second * u + (order - 1.0) * m;
            }
            if k >= 3 {
                third = third * u + (order - 1.0) * (order - 2.0) * m;
            }
        }
        (first * self.scale, second * self.scale.powi(2), third * self.scale.powi(3))
    }

    /// `K` at a complex argument.
    pub(super) fn cumulant(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (x, y) = (x * self.scale, y * self.scale);
        let (mut re, mut im) = (0.0, 0.0);
        for k in (1..=ORDER).rev() {
            re += self.sums[k] / k as f64;
            (re, im) = (re * x - im * y, re * y + im * x);
        }
        (re, im)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Vec<f64> {
        let value = |i: usize| if i.is_multiple_of(5_000) { -1.0 } else { ((i * 37) % 1_009) as f64 / 8_072.0 - 0.05 };
        (0..LONG + 77).map(value).collect()
    }

    #[test]
    fn the_series_is_the_sum_it_stands_for() {
        let x = scores();
        let sums = PowerSums::of(&x, -1.0, 0.1).unwrap();
        assert_eq!(sums.apart, vec![-1.0; 7]);
        let m0 = sums.mean - 3e-4;
        let t = -0.1 / sums.reach / sums.scale;
        let series = sums.about(m0, t).unwrap();
        let near: Vec<f64> = x.iter().filter(|&&x| x > -1.0).map(|x| x - m0).collect();
        let total = |f: &dyn Fn(f64) -> f64| near.iter().map(|&a| f(a)).sum::<f64>();
        let (first, second, third) = series.derivatives(t);
        let q = |a: f64| a / (1.0 - t * a);
        for (got, wanted) in [
            (first, total(&q)),
            (second, total(&|a| q(a).powi(2))),
            (third, total(&|a| 2.0 * q(a).powi(3))),
            (series.cumulant((t, 0.0)).0, -total(&|a| (-t * a).ln_1p())),
        ] {
            assert!((got / wanted - 1.0).abs() < 1e-10, "{got} {wanted}");
        }
        // A complex argument: ln(1 - z a) = ln|1 - z a| + i arg(1 - z a).
        let (re, im) = series.cumulant((t, 2.0 * t));
        let modulus = total(&|a| -(1.0 - t * a).hypot(2.0 * t * a).ln());
        let argument = total(&|a| -(-2.0 * t * a).atan2(1.0 - t * a));
        assert!((re - modulus).abs() < 1e-10 && (im - argument).abs() < 1e-10, "{re} {modulus} {im} {argument}");
    }

    #[test]
    fn where_the_series_does_not_hold_there_is_none() {
        let sums = PowerSums::of(&scores(), -1.0, 0.1).unwrap();
        assert!(sums.about(sums.mean, 1.01 * RADIUS / sums.reach / sums.scale).is_none());
        let edge = 0.5 * RADIUS / sums.reach / sums.scale;
        let series = sums.about(sums.mean, edge).unwrap();
        assert!(series.holds(edge) && !series.holds(2.1 * edge));
        assert!(PowerSums::of(&[0.5; 100], 0.0, 1.0).is_none());
    }
}
