//! One root finder for all increasing functions of this room.

/// The root of an increasing function in `[lo, hi]` by Newton's method kept inside a shrinking bracket.
///
/// `f` returns value and derivative; a derivative that is not positive, or a step out of the bracket, bisects instead.
pub(super) fn increasing(lo: f64, hi: f64, start: f64, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    increasing_to(2e-16, lo, hi, start, f)
}

/// As [`increasing`], but content with a relative error of about `tolerance`.
pub(super) fn increasing_to(
    tolerance: f64,
    mut lo: f64,
    mut hi: f64,
    start: f64,
    f: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let mut x = if start > lo && start < hi { start } else { 0.5 * (lo + hi) };
    let mut last = hi - lo;
    for _ in 0..200 {
        let (value, slope) = f(x);
        if value == 0.0 {
            return x;
        }
        if value > 0.0 {
            hi = x;
        } else {
            lo = x;
        }
        let newton = x - value / slope;
        let inside = newton > lo && newton < hi;
        // A Newton step must at least halve the one before, or bisection is the faster way.
        let next = if inside && (newton - x).abs() <= 0.5 * last { newton } else { 0.5 * (lo + hi) };
        last = (next - x).abs();
        if last <= tolerance * x.abs() || next == x || (hi - lo) <= tolerance * x.abs() {
            return next;
        }
        x = next;
    }
    x
}

/// The root in `(lo, hi)` of a nearly linear increasing function that is costly to evaluate: secant steps from `start`
/// with a first guess of the slope, kept inside a shrinking bracket, until a step is below `tolerance`.
///
/// Returns the root and the last slope.
pub(super) fn nearly_linear(
    tolerance: f64,
    (mut lo, mut hi): (f64, f64),
    start: f64,
    mut slope: f64,
    f: impl Fn(f64) -> f64,
) -> (f64, f64) {
    let mut x = if start > lo && start < hi { start } else { 0.5 * (lo + hi) };
    let mut value = f(x);
    for _ in 0..100 {
        if value == 0.0 {
            break;
        }
        if value > 0.0 {
            hi = x;
        } else {
            lo = x;
        }
        let secant = x - value / slope;
        let next = if secant > lo && secant < hi { secant } else { 0.5 * (lo + hi) };
        let step = next - x;
        if step.abs() <= tolerance {
            return (next, slope);
        }
        let next_value = f(next);
        slope = (next_value - value) / step;
        (x, value) = (next, next_value);
    }
    (x, slope)
}

/// The root of a decreasing function in `[lo, hi]` by bisection down to neighbouring numbers.
pub(super) fn decreasing(mut lo: f64, mut hi: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (lo + hi);
        if middle <= lo || middle >= hi || hi - lo < 1e-17 {
            break;
        }
        if f(middle) > 0.0 {
            lo = middle;
        } else {
            hi = middle;
        }
    }
    0.5 * (lo + hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_find_a_cube_root() {
        let r = increasing(0.0, 10.0, 9.0, |x| (x * x * x - 2.0, 3.0 * x * x));
        assert!((r - 2f64.cbrt()).abs() < 1e-15);
        let r = decreasing(0.0, 10.0, |x| 2.0 - x * x * x);
        assert!((r - 2f64.cbrt()).abs() < 1e-15);
    }

    #[test]
    fn a_useless_slope_falls_back_to_bisection() {
        let r = increasing(-5.0, 7.0, 0.0, |x| (x - 1.25, f64::NAN));
        assert!((r - 1.25).abs() < 1e-14);
    }
}
