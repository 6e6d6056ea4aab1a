//! What can be wrong with the input of a statistic, and the checks that every public function begins with.

use crate::types::Interval;

/// Why a statistic has no answer. Messages are fragments that fit after "cannot compute the interval: ".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// Fewer observations than the method needs.
    #[error("{what}: {got} given, at least {need} needed")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// The least number that the method can use.
        need: usize,
        /// The number given.
        got: usize,
    },
    /// An input is NaN or infinite.
    #[error("{what} is not a finite number")]
    NotFinite {
        /// Which input, or which intermediate result.
        what: &'static str,
    },
    /// An input is outside its domain.
    #[error("{what} is {value}, which is not {expected}")]
    OutOfRange {
        /// Which input.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The domain, in words.
        expected: &'static str,
    },
    /// Two inputs that belong together differ in length.
    #[error("{what} differ in length: {left} and {right}")]
    LengthMismatch {
        /// Which inputs.
        what: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// All observations are equal, so a method that scales by their spread has no answer.
    #[error("all observations are equal, so their spread says nothing about the error")]
    ZeroVariance,
    /// The method has no answer for these data.
    #[error("not estimable: {why}")]
    NotEstimable {
        /// What is missing.
        why: &'static str,
    },
}

/// The result of every statistic.
pub type Result<T> = std::result::Result<T, StatsError>;

/// `x` if it is finite.
pub(super) fn finite(what: &'static str, x: f64) -> Result<f64> {
    if x.is_finite() { Ok(x) } else { Err(StatsError::NotFinite { what }) }
}

/// Every element finite and at least `need` of them.
pub(super) fn sample(what: &'static str, xs: &[f64], need: usize) -> Result<()> {
    at_least(what, xs.len(), need)?;
    // One pass without branches: x * 0 is 0 for every finite x and NaN for the others.
    let poison: f64 = xs.iter().map(|x| x * 0.0).sum();
    finite(what, poison).map(|_| ())
}

/// At least `need` of `what`.
pub(super) fn at_least(what: &'static str, got: usize, need: usize) -> Result<()> {
    if got < need { Err(StatsError::TooFew { what, need, got }) } else { Ok(()) }
}

/// Equal lengths.
pub(super) fn same_length(what: &'static str, left: usize, right: usize) -> Result<()> {
    if left == right { Ok(()) } else { Err(StatsError::LengthMismatch { what, left, right }) }
}

/// A number in the open interval `(0, 1)`.
pub(super) fn open_unit(what: &'static str, p: f64) -> Result<f64> {
    if p > 0.0 && p < 1.0 { Ok(p) } else { Err(out_of_range(what, p, "between 0 and 1, both excluded")) }
}

/// A number in the closed interval `[0, 1]`.
pub(super) fn closed_unit(what: &'static str, p: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&p) { Ok(p) } else { Err(out_of_range(what, p, "between 0 and 1")) }
}

/// A finite number above 0.
pub(super) fn positive(what: &'static str, x: f64) -> Result<f64> {
    if x > 0.0 && x.is_finite() { Ok(x) } else { Err(out_of_range(what, x, "a finite number above 0")) }
}

/// The error for a value outside its domain; a NaN is named as such.
pub(super) fn out_of_range(what: &'static str, value: f64, expected: &'static str) -> StatsError {
    if value.is_nan() { StatsError::NotFinite { what } } else { StatsError::OutOfRange { what, value, expected } }
}

/// An interval of which the limits come from arithmetic: a NaN becomes an error, limits that crossed by rounding meet.
pub(super) fn interval(lower: f64, upper: f64, level: f64) -> Result<Interval> {
    let (lower, upper) = if lower > upper {
        let middle = 0.5 * (lower + upper);
        (middle, middle)
    } else {
        (lower, upper)
    };
    Interval::new(lower, upper, level).map_err(|_| StatsError::NotFinite { what: "interval limit" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_and_an_infinity_are_found_anywhere_in_a_sample() {
        assert!(sample("x", &[1.0, f64::NAN, 2.0], 1).is_err());
        assert!(sample("x", &[1.0, 2.0, f64::NEG_INFINITY], 1).is_err());
        assert!(sample("x", &[], 1).is_err());
        assert!(sample("x", &[f64::MAX, f64::MIN, 0.0], 3).is_ok());
    }

    #[test]
    fn messages_are_fragments() {
        let e = StatsError::TooFew { what: "clusters", need: 2, got: 1 };
        assert_eq!(e.to_string(), "clusters: 1 given, at least 2 needed");
        assert_eq!(open_unit("level", f64::NAN).unwrap_err().to_string(), "level is not a finite number");
    }
}
