//! Numbers as people read them: one way to write each kind, with no more digits than the interval supports.
//!
//! A minus is U+2212, groups and units are set off by a narrow no-break space, a locale never changes anything. How many decimals are
//! shown follows from the width of the interval (two significant digits of it), with one exception: where rounding would lay a limit
//! of the interval onto the threshold that it is held against, digits are added until a reader can see on which side it lies.

use super::{Interval, Metric, MetricKind};

/// The narrow no-break space between a number and its unit, and between groups of digits.
pub const THIN: char = '\u{202f}';
/// What stands where there is no number.
pub const NOTHING: &str = "—";
const MINUS: char = '\u{2212}';
/// More would be noise in any report.
const MOST_DECIMALS: usize = 2;
/// Unless a limit could not be told from its threshold.
const APART_DECIMALS: usize = 4;

/// How a change or a level of one metric is scaled for the eye.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    factor: f64,
    unit: &'static str,
}

impl Scale {
    /// Differences of shares, in points.
    pub const POINTS: Self = Self { factor: 100.0, unit: "pp" };
    /// Shares and relative changes, in per cent.
    pub const PERCENT: Self = Self { factor: 100.0, unit: "%" };

    /// Values of a metric of which nothing is known.
    pub const PLAIN: Self = Self { factor: 1.0, unit: "" };

    /// The scale of changes of a metric: points for shares, per cent for what is compared as a ratio.
    pub fn of_change(metric: &Metric) -> Self {
        if metric.is_share() { Self::POINTS } else { Self::PERCENT }
    }

    /// The scale of a metric's own values, given one of them.
    pub fn of_level(metric: &Metric, near: f64) -> Self {
        match metric.kind {
            MetricKind::Binary | MetricKind::Bounded | MetricKind::Event => Self::PERCENT,
            MetricKind::Duration if near.abs() < 0.9995 => Self { factor: 1000.0, unit: "ms" },
            MetricKind::Duration => Self { factor: 1.0, unit: "s" },
            MetricKind::Count => Self { factor: 1.0, unit: "" },
        }
    }

    /// The decimals that an interval of this width supports.
    pub fn decimals(self, width: f64) -> usize {
        let width = (width * self.factor).abs();
        if !(width.is_finite() && width > 0.0) {
            return 1;
        }
        let places = 1.0 - width.log10().floor();
        if places <= 0.0 { 0 } else { (places as usize).min(MOST_DECIMALS) }
    }

    /// The decimals for an estimate with its interval, raised where any of them would be rounded onto a threshold that it does not touch.
    pub fn decimals_against(self, estimate: f64, interval: &Interval, thresholds: &[f64]) -> usize {
        let mut decimals = self.decimals(interval.upper() - interval.lower());
        let hides = |decimals: usize| {
            thresholds.iter().any(|t| {
                [interval.lower(), estimate, interval.upper()]
                    .iter()
                    .any(|l| l != t && self.digits(*l, decimals) == self.digits(*t, decimals))
            })
        };
        while decimals < APART_DECIMALS && hides(decimals) {
            decimals += 1;
        }
        decimals
    }

    fn digits(self, value: f64, decimals: usize) -> String {
        grouped(&format!("{:.decimals$}", value * self.factor))
    }

    fn with_unit(self, digits: String) -> String {
        if self.unit.is_empty() { digits } else { format!("{digits}{THIN}{}", self.unit) }
    }

    /// A level with its unit: `61.3 %`, `840 ms`.
    pub fn level(self, value: f64, decimals: usize) -> String {
        if value.is_finite() { self.with_unit(self.digits(value, decimals)) } else { NOTHING.to_owned() }
    }

    /// A change with sign and unit: `+12.3 pp`, `−86 %`.
    pub fn change(self, value: f64, decimals: usize) -> String {
        if value.is_finite() { self.with_unit(signed(&self.digits(value, decimals))) } else { NOTHING.to_owned() }
    }

    /// An interval of changes, the unit once: `+9.1 to +15.4 pp`.
    pub fn changes(self, interval: &Interval, decimals: usize) -> String {
        self.span(interval, |v| signed(&self.digits(v, decimals)))
    }

    /// An interval of levels, the unit once: `0 to 1.2 %`.
    pub fn levels(self, interval: &Interval, decimals: usize) -> String {
        self.span(interval, |v| self.digits(v, decimals))
    }

    fn span(self, interval: &Interval, write: impl Fn(f64) -> String) -> String {
        match (interval.lower().is_finite(), interval.upper().is_finite()) {
            (true, true) => self.with_unit(format!("{} to {}", write(interval.lower()), write(interval.upper()))),
            (true, false) => format!("at least {}", self.with_unit(write(interval.lower()))),
            (false, true) => format!("at most {}", self.with_unit(write(interval.upper()))),
            (false, false) => "not estimable".to_owned(),
        }
    }

    /// A number that a person wrote in a policy, with the digits that it needs and no more.
    pub fn exact(self, value: f64) -> String {
        self.with_unit(self.exact_digits(value))
    }

    /// The same with its sign.
    pub fn exact_change(self, value: f64) -> String {
        self.with_unit(signed(&self.exact_digits(value)))
    }

    fn exact_digits(self, value: f64) -> String {
        let text = format!("{:.4}", value * self.factor);
        grouped(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A whole number with its digits in groups of three.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A wall time: `840 ms`, `12.4 s`, `3 min 05 s`, `2 h 07 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NOTHING.to_owned();
    }
    let whole = seconds.round() as u64;
    match seconds {
        // A fast local model answers in a few of them.
        s if s < 0.009_95 => format!("{:.1}{THIN}ms", s * 1000.0),
        s if s < 0.9995 => format!("{:.0}{THIN}ms", s * 1000.0),
        s if s < 99.95 => format!("{s:.1}{THIN}s"),
        _ if whole < 3600 => format!("{}{THIN}min {:02}{THIN}s", whole / 60, whole % 60),
        _ => format!("{}{THIN}h {:02}{THIN}min", whole / 3600, whole % 3600 / 60),
    }
}

/// A level of confidence: `90 %`, `97.5 %`.
pub fn confidence(level: f64) -> String {
    Scale::PERCENT.exact((level * 1e6).round() / 1e6)
}

/// Digits with a real minus and in groups of three; a rounded zero has no sign.
fn grouped(plain: &str) -> String {
    let (negative, plain) = plain.strip_prefix('-').map_or((false, plain), |rest| (true, rest));
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    if negative && plain.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        out.push(MINUS);
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(THIN);
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Digits with a plus where they are above zero; a zero has no sign.
fn signed(digits: &str) -> String {
    let is_zero = digits.chars().all(|c| matches!(c, '0' | '.'));
    if digits.starts_with(MINUS) || is_zero { digits.to_owned() } else { format!("+{digits}") }
}

/// The same text in ASCII, for terminals that know nothing else.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            MINUS | '–' | '—' => out.push('-'),
            // A zero-width space stands where a command of a CI system was broken up: it must not vanish.
            THIN | '\u{a0}' | '\u{200b}' => out.push(' '),
            '→' => out.push_str("->"),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            '±' => out.push_str("+/-"),
            '…' => out.push_str("..."),
            '·' => out.push('|'),
            '×' => out.push('x'),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&c.escape_unicode().to_string()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Direction, MetricName};

    fn interval(lower: f64, upper: f64) -> Interval {
        Interval::new(lower, upper, 0.9).unwrap()
    }

    fn metric(kind: MetricKind) -> Metric {
        Metric { name: MetricName::new("m").unwrap(), kind, direction: Direction::Higher }
    }

    #[test]
    fn digits_follow_the_width_of_the_interval() {
        for (width, want) in [(0.5, 0), (0.123, 0), (0.045, 1), (0.0045, 2), (0.000_45, 2), (0.000_001, 2)] {
            assert_eq!(Scale::POINTS.decimals(width), want, "{width}");
        }
        for strange in [0.0, f64::INFINITY, f64::NAN] {
            assert_eq!(Scale::POINTS.decimals(strange), 1);
        }
    }

    #[test]
    fn a_limit_is_never_rounded_onto_the_threshold_it_misses() {
        let close = interval(-0.0496, 0.12);
        assert_eq!(Scale::POINTS.decimals(0.1696), 0);
        let decimals = Scale::POINTS.decimals_against(0.03, &close, &[-0.05]);
        assert_eq!(Scale::POINTS.changes(&close, decimals), "−4.96 to +12.00\u{202f}pp");
        assert_eq!(Scale::POINTS.decimals_against(0.0, &interval(-0.2, 0.2), &[-0.05]), 0);
    }

    #[test]
    fn changes_have_a_sign_a_unit_and_a_real_minus() {
        assert_eq!(Scale::POINTS.change(0.1234, 1), "+12.3\u{202f}pp");
        assert_eq!(Scale::PERCENT.change(-0.864, 0), "−86\u{202f}%");
        assert_eq!(Scale::POINTS.change(-0.0001, 1), "0.0\u{202f}pp");
        assert_eq!(Scale::POINTS.change(f64::NAN, 1), NOTHING);
        assert_eq!(Scale::POINTS.changes(&interval(f64::NEG_INFINITY, f64::INFINITY), 0), "not estimable");
        assert_eq!(Scale::POINTS.changes(&interval(0.1, f64::INFINITY), 0), "at least +10\u{202f}pp");
    }

    #[test]
    fn levels_take_the_unit_of_their_metric() {
        let level = |kind, v, d| Scale::of_level(&metric(kind), v).level(v, d);
        assert_eq!(level(MetricKind::Binary, 0.6134, 1), "61.3\u{202f}%");
        assert_eq!(level(MetricKind::Duration, 0.0421, 1), "42.1\u{202f}ms");
        assert_eq!(level(MetricKind::Duration, 1.5, 2), "1.50\u{202f}s");
        assert_eq!(level(MetricKind::Count, 52431.0, 0), "52\u{202f}431");
    }

    #[test]
    fn policy_numbers_keep_their_own_digits() {
        assert_eq!(Scale::POINTS.exact(0.05), "5\u{202f}pp");
        assert_eq!(Scale::PERCENT.exact(0.0125), "1.25\u{202f}%");
        assert_eq!(Scale::PERCENT.exact(0.0), "0\u{202f}%");
        assert_eq!(Scale::POINTS.exact_change(-0.02), "−2\u{202f}pp");
        assert_eq!(confidence(0.9), "90\u{202f}%");
        assert_eq!(confidence(1.0 - 2.0 * 0.05), "90\u{202f}%");
    }

    #[test]
    fn wall_times_and_counts_are_grouped_and_short() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(12), "12");
        assert_eq!(duration(0.0031), "3.1\u{202f}ms");
        assert_eq!(duration(0.0421), "42\u{202f}ms");
        assert_eq!(duration(12.44), "12.4\u{202f}s");
        assert_eq!(duration(185.2), "3\u{202f}min 05\u{202f}s");
        assert_eq!(duration(7620.0), "2\u{202f}h 07\u{202f}min");
    }

    #[test]
    fn ascii_has_no_other_character() {
        let text = ascii("−86\u{202f}% → ≤ 2 ± 1 — … é");
        assert_eq!(text, "-86 % -> <= 2 +/- 1 - ... \\u{e9}");
    }
}
