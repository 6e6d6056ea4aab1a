//! An interval that knows its confidence level, and that cannot hold a NaN.

use serde::{Deserialize, Serialize};

/// A two-sided interval `[lower, upper]` at confidence `level`.
///
/// A limit may be infinite where the method found none ("not estimable"); it is never NaN, and `lower <= upper`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Interval {
    lower: f64,
    upper: f64,
    level: f64,
}

/// Why two numbers and a level are no interval.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("[{lower}, {upper}] at level {level} is not an interval")]
pub struct IntervalError {
    lower: f64,
    upper: f64,
    level: f64,
}

impl Interval {
    /// An interval from its limits and its two-sided level in `(0, 1)`.
    ///
    /// # Errors
    /// When a limit is NaN, `lower > upper`, or the level is outside `(0, 1)`.
    pub fn new(lower: f64, upper: f64, level: f64) -> Result<Self, IntervalError> {
        if lower <= upper && level > 0.0 && level < 1.0 {
            Ok(Self { lower, upper, level })
        } else {
            Err(IntervalError { lower, upper, level })
        }
    }

    /// The lower limit; `-inf` where the method found none.
    #[must_use]
    pub fn lower(&self) -> f64 {
        self.lower
    }

    /// The upper limit; `+inf` where the method found none.
    #[must_use]
    pub fn upper(&self) -> f64 {
        self.upper
    }

    /// The two-sided confidence level, such as 0.90.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The same interval for the quantity with its sign turned.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self { lower: -self.upper, upper: -self.lower, level: self.level }
    }
}

/// The stored form: an absent limit is an infinite one, since JSON has no infinities.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    lower: Option<f64>,
    upper: Option<f64>,
    level: f64,
}

impl From<Interval> for Raw {
    fn from(i: Interval) -> Self {
        let finite = |x: f64| x.is_finite().then_some(x);
        Raw { lower: finite(i.lower), upper: finite(i.upper), level: i.level }
    }
}

impl TryFrom<Raw> for Interval {
    type Error = IntervalError;

    fn try_from(r: Raw) -> Result<Self, Self::Error> {
        Self::new(r.lower.unwrap_or(f64::NEG_INFINITY), r.upper.unwrap_or(f64::INFINITY), r.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_crossed_limits_are_refused() {
        assert!(Interval::new(f64::NAN, 1.0, 0.9).is_err());
        assert!(Interval::new(0.0, f64::NAN, 0.9).is_err());
        assert!(Interval::new(1.0, 0.0, 0.9).is_err());
        assert!(Interval::new(0.0, 1.0, f64::NAN).is_err());
    }

    #[test]
    fn an_infinite_limit_survives_json() {
        let i = Interval::new(f64::NEG_INFINITY, 0.5, 0.9).unwrap();
        let text = serde_json::to_string(&i).unwrap();
        assert_eq!(text, r#"{"lower":null,"upper":0.5,"level":0.9}"#);
        assert_eq!(serde_json::from_str::<Interval>(&text).unwrap(), i);
    }
}
