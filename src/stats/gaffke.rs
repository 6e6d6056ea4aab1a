//! Gaffke's bound for the mean of a bounded score: the gate's method for judge grades, F1, similarities, preferences.
//!
//! It uses nothing but the range. The p value of `H0: mean <= m0` is the probability that a Bayesian bootstrap of the
//! sample *and one worst-case observation* has a mean of at most `m0`. On 0/1 data it is Clopper-Pearson; it is never of
//! zero width; for large samples it is the normal bound. A disaster that the sample has not seen stays possible.
//!
//! Source: Gaffke 2005; Learned-Miller & Thomas 2019, arXiv 1905.06208. General validity is conjectured there and proven
//! for binary data; Phan, Thomas & Learned-Miller 2021, arXiv 2106.03163, prove a close relative. A report that uses the
//! method has to say so.
//!
//! Two evaluations: Lugannani & Rice's saddlepoint (about 1 % of p) and the inversion of the characteristic function.
//! The inversion runs through the saddle of `exp(K(s))/s` along a curve that follows the path of steepest descent, where
//! the integrand neither oscillates nor cancels, with the trapezoidal rule; halving its step squares the error (Trefethen
//! & Weideman 2014, SIAM Review 56:385). All poles lie on the real axis, so every such curve gives the same answer. Both
//! cost O(n); of a long sample both need no more than its power sums, and so one pass.

use super::error::{Result, StatsError, finite, interval, open_unit, out_of_range, sample};
use super::power_sums::{PowerSums, Series};
use super::root;
use super::special::{normal_cdf, normal_pdf, normal_quantile};
use super::sum::{mean_variance, min_max, sum_by};
use crate::types::Interval;
use std::cell::OnceCell;

/// Nodes of the quadrature that go through the sample together.
const LANES: usize = 8;

/// Elements between two looks at the size of the products.
const CHUNK: usize = 16;

/// A product whose modulus is above this or below its reciprocal is brought back by this factor, and that is counted.
const RESCALE: f64 = 1e100;

/// Logarithm of a product so large that its reciprocal adds nothing to the integral.
const BEYOND: f64 = 80.0;

/// A count of [`RESCALE`] of which the reciprocal is 0.
const NOTHING: i32 = 10;

/// The steepest slope of the contour: well below 1, where the modulus of a normal integrand would cease to fall.
const BEND: f64 = 0.6;

/// The sample with its worst case, and what does not depend on the value tested.
struct Bounded<'a> {
    x: &'a [f64],
    worst: f64,
    best: f64,
    /// Of a long sample only.
    sums: Option<PowerSums>,
}

/// The scores that are taken one by one at some value tested, and the series for all others.
struct Parts<'a> {
    each: &'a [f64],
    series: Option<Series>,
}

/// How the value tested lies to the sample.
enum Position {
    /// The p value is this, without calculation.
    Certain(f64),
    /// Deviations from the value tested have both signs.
    Inside,
}

impl<'a> Bounded<'a> {
    fn new(x: &'a [f64], lower: f64) -> Result<Self> {
        sample("scores", x, 1)?;
        finite("lowest possible score", lower)?;
        let (least, best) = min_max(x);
        if least < lower {
            return Err(out_of_range("score", least, "at least the lowest possible score"));
        }
        let range = best - lower;
        if range != 0.0 && !(1e-100..=1e100).contains(&range) {
            return Err(out_of_range("range of the scores", range, "0 or between 1e-100 and 1e100"));
        }
        Ok(Self { x, worst: lower, best, sums: PowerSums::of(x, lower, best) })
    }

    /// The sample at the value tested, for arguments up to `s`.
    fn parts(&self, m0: f64, s: f64) -> Parts<'_> {
        let long = self.sums.as_ref().and_then(|sums| Some((sums, sums.about(m0, s)?)));
        match long {
            Some((sums, series)) => Parts { each: &sums.apart, series: Some(series) },
            None => Parts { each: self.x, series: None },
        }
    }

    fn position(&self, m0: f64) -> Position {
        if self.best <= m0 {
            Position::Certain(1.0)
        } else if self.worst >= m0 {
            Position::Certain(0.0)
        } else {
            Position::Inside
        }
    }

    /// `K'(s)` and `K''(s)` of the sum of `E_i a_i`: the sums of `q` and of `q^2`, `q = a/(1 - s a)`.
    fn slopes(&self, m0: f64, s: f64) -> (f64, f64) {
        let q0 = tilted(self.worst - m0, s);
        let parts = self.parts(m0, s);
        let (chunks, rest) = parts.each.as_chunks::<LANES>();
        let (mut k1, mut k2) = ([0.0; LANES], [0.0; LANES]);
        for c in chunks {
            for j in 0..LANES {
                let q = tilted(c[j] - m0, s);
                k1[j] += q;
                k2[j] += q * q;
            }
        }
        let (mut first, mut second) = (q0 + k1.iter().sum::<f64>(), q0 * q0 + k2.iter().sum::<f64>());
        for &x in rest {
            let q = tilted(x - m0, s);
            first += q;
            second += q * q;
        }
        if let Some(series) = parts.series {
            let (k1, k2, _) = series.derivatives(s);
            (first, second) = (first + k1, second + k2);
        }
        (first, second)
    }

    /// `K'''(s)`, twice the sum of `q^3`.
    fn third(&self, m0: f64, s: f64) -> f64 {
        let parts = self.parts(m0, s);
        let each = tilted(self.worst - m0, s).powi(3) + sum_by(parts.each, |x| tilted(x - m0, s).powi(3));
        2.0 * each + parts.series.map_or(0.0, |series| series.derivatives(s).2)
    }

    /// `K(s) = -sum ln(1 - s a)`, one logarithm for eight factors.
    fn cumulant(&self, m0: f64, s: f64) -> f64 {
        let parts = self.parts(m0, s);
        let (chunks, rest) = parts.each.as_chunks::<8>();
        let head = (1.0 - s * (self.worst - m0)).ln();
        let body: f64 = chunks.iter().map(|c| c.iter().map(|x| 1.0 - s * (x - m0)).product::<f64>().ln()).sum();
        let tail: f64 = rest.iter().map(|x| (1.0 - s * (x - m0)).ln()).sum();
        parts.series.map_or(0.0, |series| series.cumulant((s, 0.0)).0) - (head + body + tail)
    }

    /// Where the cumulant function lives: between the reciprocals of the extreme deviations.
    fn domain(&self, m0: f64) -> (f64, f64) {
        (1.0 / (self.worst - m0), 1.0 / (self.best - m0))
    }

    /// Lugannani & Rice 1980, Adv Appl Prob 12:475, in the form for `P(S <= 0)`.
    fn saddlepoint(&self, m0: f64) -> f64 {
        if let Position::Certain(p) = self.position(m0) {
            return p;
        }
        let (lo, hi) = self.domain(m0);
        let (first, second) = self.slopes(m0, 0.0);
        let s = root::increasing_to(1e-12, lo, hi, -first / second, |s| self.slopes(m0, s));
        let k2 = self.slopes(m0, s).1;
        let u = s * k2.sqrt();
        // Near the mean both corrections are large and cancel: use their limit.
        if u.abs() < 1e-4 {
            return (0.5 + self.third(m0, s) / (6.0 * std::f64::consts::TAU.sqrt() * k2 * k2.sqrt())).clamp(0.0, 1.0);
        }
        let w = (-2.0 * self.cumulant(m0, s)).max(0.0).sqrt().copysign(s);
        (normal_cdf(w) + normal_pdf(w) * (1.0 / w - 1.0 / u)).clamp(0.0, 1.0)
    }

    /// The exact p value by inversion; relative error about 1e-10.
    fn exact(&self, m0: f64) -> f64 {
        if let Position::Certain(p) = self.position(m0) {
            return p;
        }
        let (lo, hi) = self.domain(m0);
        let (first, second) = self.slopes(m0, 0.0);
        // The contour passes the pole at 0 on the side of the smaller tail.
        let below = first > 0.0;
        let spread = (first * first + 4.0 * second).sqrt();
        let start = if below { (-first - spread) / (2.0 * second) } else { (spread - first) / (2.0 * second) };
        let bracket = if below { (lo, 0.0) } else { (0.0, hi) };
        let s = root::increasing_to(1e-3, bracket.0, bracket.1, start, |s| {
            let (k1, k2) = self.slopes(m0, s);
            (k1 - 1.0 / s, k2 + 1.0 / (s * s))
        });
        // Second and third derivative of K(s) - ln|s| give the width of the saddle and the bend of its path.
        let curvature = self.slopes(m0, s).1 + 1.0 / (s * s);
        let sigma = curvature.sqrt().recip();
        let skew = (self.third(m0, s) - 2.0 / (s * s * s)) * sigma * sigma * sigma;
        let contour = Contour { s, sigma, bend: skew / 6.0 };
        let tail = self.cumulant(m0, s).exp() * integral(&self.factors(m0, s), &contour).abs() / std::f64::consts::PI;
        if below { tail.min(1.0) } else { (1.0 - tail).max(0.0) }
    }

    /// The factors of the integrand under the tilt `s`.
    fn factors(&self, m0: f64, s: f64) -> Factors<'_> {
        let Parts { each, series } = self.parts(m0, s);
        let each = std::iter::once(&self.worst).chain(each).map(|x| tilted(x - m0, s)).collect();
        let series = series.map(|series| (series.cumulant((s, 0.0)).0, series));
        Factors { sample: self, m0, s, each, series, all: OnceCell::new() }
    }

    /// The value of which the p value is alpha: saddlepoint first, then exact steps.
    fn lower_bound(&self, alpha: f64) -> f64 {
        if self.best <= self.worst {
            return self.worst;
        }
        let goal = normal_quantile(alpha);
        // On the normal scale p is nearly linear in the value tested.
        let probit = |p: f64| {
            if p <= 0.0 {
                -40.0
            } else if p >= 1.0 {
                40.0
            } else {
                normal_quantile(p)
            }
        };
        let (mean, variance) = match (&self.sums, self.x) {
            (Some(sums), _) => (sums.mean, sums.variance),
            (None, [only]) => (*only, 0.0),
            (None, x) => mean_variance(x),
        };
        let n = self.x.len() as f64;
        let range = self.best - self.worst;
        let error = (variance / n).sqrt().max(range / (n + 1.0));
        let bracket = (self.worst, self.best);
        let start = (mean - (mean - self.worst) / (n + 1.0) + goal * error)
            .clamp(self.worst + 0.01 * range / (n + 1.0), self.best - 1e-9 * range);
        let rough = |m0: f64| probit(self.saddlepoint(m0)) - goal;
        let (near, slope) = root::nearly_linear(1e-5 * error, bracket, start, 1.0 / error, rough);
        let fine = |m0: f64| probit(self.exact(m0)) - goal;
        root::nearly_linear(1e-11 * range.min(100.0 * error), bracket, near, slope, fine).0
    }
}

/// The deviation `a` seen under the tilt `s`.
fn tilted(a: f64, s: f64) -> f64 {
    a / (1.0 - s * a)
}

/// The upper half of the curve `s + sigma (g(v) + i v)`, `v = sinh u`, with `g(v) = bend v^2` near the saddle and the
/// slope [`BEND`] far from it.
struct Contour {
    s: f64,
    sigma: f64,
    bend: f64,
}

impl Contour {
    /// The distance from the saddle and the derivative by `u`, each as real and imaginary part.
    fn at(&self, u: f64) -> ((f64, f64), (f64, f64)) {
        let (v, dv) = (u.sinh(), u.cosh());
        let ratio = self.bend * v / BEND;
        let root = (1.0 + ratio * ratio).sqrt();
        let g = self.bend * v * v / root;
        let dg = self.bend * v * (2.0 + ratio * ratio) / (root * root * root);
        ((self.sigma * g, self.sigma * v), (self.sigma * dg * dv, self.sigma * dv))
    }
}

/// The product of the factors `1 - z q`, `z` counted from the saddle.
struct Factors<'a> {
    sample: &'a Bounded<'a>,
    m0: f64,
    s: f64,
    /// Those taken one by one.
    each: Vec<f64>,
    /// Those of which the series is taken, with its value at the saddle.
    series: Option<(f64, Series)>,
    /// All, should the contour go where the series does not hold.
    all: OnceCell<Vec<f64>>,
}

impl Factors<'_> {
    /// The product at each point, times `RESCALE^-k`, and `k`.
    fn at(&self, points: [(f64, f64); LANES]) -> [((f64, f64), i32); LANES] {
        let Some((at_saddle, series)) = &self.series else { return products(&self.each, points) };
        let arguments = points.map(|(x, y)| (self.s + x, y));
        let held = arguments.iter().take_while(|(x, y)| series.holds(x.hypot(*y))).count();
        let mut products = products(&self.each, points);
        for (((re, im), scale), argument) in products.iter_mut().zip(arguments).take(held) {
            let (size, angle) = series.cumulant(argument);
            let logarithm = at_saddle - size;
            let whole = (logarithm / RESCALE.ln()).floor();
            let modulus = (logarithm - whole * RESCALE.ln()).exp();
            let (sin, cos) = (-angle).sin_cos();
            (*re, *im) = (modulus * (*re * cos - *im * sin), modulus * (*re * sin + *im * cos));
            *scale += whole as i32;
        }
        if held == LANES {
            return products;
        }
        let large = |((re, im), scale): ((f64, f64), i32)| re.hypot(im).ln() + f64::from(scale) * RESCALE.ln() > BEYOND;
        if held > 0 && large(products[held - 1]) {
            // The moduli grow from node to node: what lies beyond adds nothing.
            products[held..].fill(((1.0, 0.0), NOTHING));
            return products;
        }
        let one = |x: &f64| tilted(x - self.m0, self.s);
        let all = || std::iter::once(&self.sample.worst).chain(self.sample.x).map(one).collect();
        self::products(self.all.get_or_init(all), points)
    }
}

/// The imaginary part of the integral of `1 / (z prod (1 - (z - s) q))` along the contour.
fn integral(factors: &Factors, contour: &Contour) -> f64 {
    let mut h = 0.25;
    let mut total = nodes(factors, contour, h, 0.0) * h;
    for _ in 0..8 {
        // The new nodes lie half-way between the old ones.
        let finer = 0.5 * total + 0.5 * h * nodes(factors, contour, h, 0.5);
        h *= 0.5;
        let change = (finer - total).abs();
        total = finer;
        if change <= 1e-7 * total.abs() {
            break;
        }
    }
    total
}

/// The sum of the integrand at `u = h (k + offset)`, `k = 0, 1, ..`; `u = 0` counts half.
fn nodes(factors: &Factors, contour: &Contour, h: f64, offset: f64) -> f64 {
    let mut total = 0.0;
    for group in 0..400 {
        let u: [f64; LANES] = std::array::from_fn(|j| h * ((group * LANES + j) as f64 + offset));
        let points = u.map(|u| contour.at(u));
        let products = factors.at(points.map(|(p, _)| p));
        let mut envelope = 0.0;
        for j in 0..LANES {
            let ((x, y), (dx, dy)) = points[j];
            let ((re, im), scale) = products[j];
            let x = contour.s + x;
            let (zr, zi) = (re * x - im * y, re * y + im * x);
            let weight = if u[j] == 0.0 { 0.5 } else { 1.0 } * RESCALE.powi(-scale) / (zr * zr + zi * zi);
            total += weight * (dy * zr - dx * zi);
            envelope = weight * dx.hypot(dy) * zr.hypot(zi);
        }
        // The moduli fall from node to node, so that the last one bounds what is left.
        if envelope <= 1e-17 * total.abs() {
            break;
        }
    }
    total
}

/// `prod (1 - (x + iy) q)` for each point, times `RESCALE^-k`, and `k`.
fn products(q: &[f64], points: [(f64, f64); LANES]) -> [((f64, f64), i32); LANES] {
    let (x, y) = (points.map(|p| p.0), points.map(|p| p.1));
    let (mut re, mut im, mut scale) = ([1.0; LANES], [0.0; LANES], [0; LANES]);
    for chunk in q.chunks(CHUNK) {
        for &q in chunk {
            for j in 0..LANES {
                let (fr, fi) = (1.0 - x[j] * q, -y[j] * q);
                (re[j], im[j]) = (re[j] * fr - im[j] * fi, re[j] * fi + im[j] * fr);
            }
        }
        for j in 0..LANES {
            let size = re[j].abs() + im[j].abs();
            if size > RESCALE {
                (re[j], im[j], scale[j]) = (re[j] / RESCALE, im[j] / RESCALE, scale[j] + 1);
            } else if size < 1.0 / RESCALE {
                (re[j], im[j], scale[j]) = (re[j] * RESCALE, im[j] * RESCALE, scale[j] - 1);
            }
        }
    }
    std::array::from_fn(|j| ((re[j], im[j]), scale[j]))
}

/// Gaffke's p value of `H0: mean <= m0` for scores that cannot be below `lower`; small = the mean is above `m0`.
///
/// Non-inferiority of paired differences in `[-1, 1]` at margin `delta`: `lower = -1`, `m0 = -delta`. By inversion, to a
/// relative error of about 1e-10.
///
/// # Errors
/// When the sample is empty, a value is NaN, infinite or below `lower`, the range is beyond 1e100,
/// or `m0` is not finite.
pub fn gaffke_p_above(x: &[f64], lower: f64, m0: f64) -> Result<f64> {
    finite("mean tested", m0)?;
    finite("p value", Bounded::new(x, lower)?.exact(m0))
}

/// Gaffke's p value of `H0: mean >= m0` for scores that cannot be above `upper`; small = the mean is below `m0`.
///
/// # Errors
/// When the sample is empty, a value is NaN, infinite or above `upper`, the range is beyond 1e100,
/// or `m0` is not finite.
pub fn gaffke_p_below(x: &[f64], upper: f64, m0: f64) -> Result<f64> {
    finite("mean tested", m0)?;
    let mirrored = mirror(x, upper)?;
    finite("p value", Bounded::new(&mirrored, -upper)?.exact(-m0))
}

/// The saddlepoint approximation of [`gaffke_p_above`], with a relative error of about 1 %: an independent check, and
/// faster from some ten thousand scores on.
///
/// # Errors
/// As [`gaffke_p_above`].
pub fn gaffke_p_saddlepoint(x: &[f64], lower: f64, m0: f64) -> Result<f64> {
    finite("mean tested", m0)?;
    finite("p value", Bounded::new(x, lower)?.saddlepoint(m0))
}

/// Gaffke's one-sided lower bound for the mean at confidence `1 - alpha`: the `m0` of which the p value is alpha.
///
/// # Errors
/// When the sample is empty, a value is NaN, infinite or below `lower`, the range is beyond 1e100,
/// or alpha is outside `(0, 1)`.
pub fn gaffke_lower_bound(x: &[f64], lower: f64, alpha: f64) -> Result<f64> {
    open_unit("alpha", alpha)?;
    finite("lower bound", Bounded::new(x, lower)?.lower_bound(alpha))
}

/// Gaffke's one-sided upper bound for the mean at confidence `1 - alpha`, by mirroring.
///
/// # Errors
/// When the sample is empty, a value is NaN, infinite or above `upper`, the range is beyond 1e100,
/// or alpha is outside `(0, 1)`.
pub fn gaffke_upper_bound(x: &[f64], upper: f64, alpha: f64) -> Result<f64> {
    open_unit("alpha", alpha)?;
    let mirrored = mirror(x, upper)?;
    finite("upper bound", -Bounded::new(&mirrored, -upper)?.lower_bound(alpha))
}

/// Both of Gaffke's bounds for scores in `[lower, upper]`, each at `(1 - level)/2`.
///
/// # Errors
/// When the sample is empty, a value is NaN or outside `[lower, upper]`, or the level is outside `(0, 1)`.
pub fn gaffke_interval(x: &[f64], lower: f64, upper: f64, level: f64) -> Result<Interval> {
    let alpha = 0.5 * (1.0 - open_unit("level", level)?);
    interval(gaffke_lower_bound(x, lower, alpha)?, gaffke_upper_bound(x, upper, alpha)?, level)
}

/// The scores with their sign turned, for a bound from above.
fn mirror(x: &[f64], upper: f64) -> Result<Vec<f64>> {
    sample("scores", x, 1)?;
    finite("highest possible score", upper)?;
    if let Some(&above) = x.iter().find(|&&v| v > upper) {
        return Err(StatsError::OutOfRange {
            what: "score",
            value: above,
            expected: "at most the highest possible score",
        });
    }
    Ok(x.iter().map(|v| -v).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{clopper_pearson_lower, clopper_pearson_upper};

    fn zero_one(successes: usize, n: usize) -> Vec<f64> {
        (0..n).map(|i| if i < successes { 1.0 } else { 0.0 }).collect()
    }

    #[test]
    fn on_zero_one_data_it_is_clopper_pearson() {
        for (x, n) in [(0, 1), (1, 1), (0, 30), (1, 30), (30, 30), (17, 20), (59, 60), (250, 1000), (1000, 1000)] {
            for alpha in [0.1, 0.05, 0.025] {
                let data = zero_one(x, n);
                let lower = gaffke_lower_bound(&data, 0.0, alpha).unwrap();
                let exact = clopper_pearson_lower(x as u64, n as u64, alpha).unwrap();
                assert!((lower - exact).abs() < 1e-9, "x {x} n {n}: {lower} against {exact}");
                let upper = gaffke_upper_bound(&data, 1.0, alpha).unwrap();
                let exact = clopper_pearson_upper(x as u64, n as u64, alpha).unwrap();
                assert!((upper - exact).abs() < 1e-9, "x {x} n {n}: {upper} against {exact}");
            }
        }
    }

    #[test]
    fn equal_scores_keep_a_width() {
        let data = vec![0.0; 59];
        let bound = gaffke_lower_bound(&data, -1.0, 0.05).unwrap();
        assert!((bound + (1.0 - 0.05f64.powf(1.0 / 59.0))).abs() < 1e-9);
        let i = gaffke_interval(&data, -1.0, 1.0, 0.9).unwrap();
        assert!((i.lower() + i.upper()).abs() < 1e-12 && i.upper() > 0.04);
        assert_eq!(gaffke_lower_bound(&[-1.0; 5], -1.0, 0.05).unwrap(), -1.0);
    }

    #[test]
    fn at_the_edges_of_the_scale_the_p_value_is_certain() {
        assert_eq!(gaffke_p_above(&[0.2, 0.4], -1.0, -1.0).unwrap(), 0.0);
        assert_eq!(gaffke_p_above(&[0.2, 0.4], -1.0, 0.4).unwrap(), 1.0);
        assert_eq!(gaffke_p_above(&[-1.0, -1.0], -1.0, -1.0).unwrap(), 1.0);
        assert_eq!(gaffke_p_below(&[0.2, 0.4], 1.0, 1.0).unwrap(), 0.0);
    }

    #[test]
    fn one_observation_has_the_closed_form() {
        // E0 (-1 - m) + E1 (x - m) <= 0 has probability (1 + m)/(1 + x).
        for (x, m) in [(0.5, 0.0), (1.0, -0.9), (-0.5, -0.75), (0.0, -1e-3)] {
            let p = gaffke_p_above(&[x], -1.0, m).unwrap();
            assert!((p - (1.0 + m) / (1.0 + x)).abs() < 1e-10, "x {x} m {m}: {p}");
        }
    }

    #[test]
    fn bound_and_p_value_agree() {
        let data: Vec<f64> = (0..200).map(|i| ((i * 37 % 101) as f64 / 101.0 - 0.5) * 0.6).collect();
        for alpha in [0.1, 0.05, 0.025, 1e-4] {
            let bound = gaffke_lower_bound(&data, -1.0, alpha).unwrap();
            let p = gaffke_p_above(&data, -1.0, bound).unwrap();
            assert!((p / alpha - 1.0).abs() < 1e-7, "{p} {alpha}");
        }
    }

    #[test]
    fn power_sums_give_what_all_scores_one_by_one_give() {
        let even = |i: usize| ((i * 37) % 10_007) as f64 / 20_014.0 - 0.253;
        let rare = |i: usize| if i.is_multiple_of(9_000) { -1.0 } else { 1e-3 };
        let skewed = |i: usize| ((i * 37) % 10_007) as f64 / 10_007.0;
        let skewed = |i: usize| 0.4 * skewed(i).powi(8) - 0.05;
        let shapes: [&dyn Fn(usize) -> f64; 4] = [&even, &rare, &skewed, &|i| f64::from(u8::from(i % 50 == 0))];
        for shape in shapes {
            let x: Vec<f64> = (0..40_000).map(shape).collect();
            let (least, best) = min_max(&x);
            let long = Bounded::new(&x, -1.0).unwrap();
            assert!(long.sums.is_some());
            let each = Bounded { x: &x, worst: -1.0, best, sums: None };
            for alpha in [0.3, 0.05, 1e-6] {
                let bound = each.lower_bound(alpha);
                assert!((long.lower_bound(alpha) - bound).abs() < 1e-10 * (best - least), "{least} {best} {alpha}");
                for m0 in [bound, bound - 2e-4, bound + 2e-4] {
                    let (a, b) = (long.exact(m0), each.exact(m0));
                    assert!((a / b - 1.0).abs() < 1e-8, "{least} {best} {alpha} {m0}: {a} {b}");
                    let (a, b) = (long.saddlepoint(m0), each.saddlepoint(m0));
                    assert!((a / b - 1.0).abs() < 1e-7, "{least} {best} {alpha} {m0}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_is_outside_the_range_is_an_error() {
        assert!(gaffke_p_above(&[], -1.0, 0.0).is_err());
        assert!(gaffke_p_above(&[-1.5], -1.0, 0.0).is_err());
        assert!(gaffke_p_above(&[f64::NAN], -1.0, 0.0).is_err());
        assert!(gaffke_p_above(&[0.0], f64::NEG_INFINITY, 0.0).is_err());
        assert!(gaffke_p_above(&[0.0], -1.0, f64::NAN).is_err());
        assert!(gaffke_upper_bound(&[1.5], 1.0, 0.05).is_err());
        assert!(gaffke_lower_bound(&[0.0], -1.0, 0.0).is_err());
    }
}
