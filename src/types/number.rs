//! Numbers as sentences say them: shares in points, changes in per cent, times in a unit that fits. Never more digits than help.

use super::{Metric, MetricKind};

/// A change of a metric: points for shares, per cent for durations and counts, always with its sign.
#[must_use]
pub fn change_text(metric: &Metric, change: f64) -> String {
    if !change.is_finite() {
        return "not estimable".to_owned();
    }
    let unit = if metric.is_share() { "points" } else { "%" };
    format!("{} {unit}", signed(change * 100.0))
}

/// A level of a metric: per cent for shares, a time, or a number of tokens.
#[must_use]
pub fn level_text(metric: &Metric, value: f64) -> String {
    if !value.is_finite() {
        return "not estimable".to_owned();
    }
    match metric.kind {
        MetricKind::Binary | MetricKind::Bounded | MetricKind::Event => format!("{:.1} %", value * 100.0),
        MetricKind::Duration if value < 1.0 => format!("{} ms", plain(value * 1e3)),
        MetricKind::Duration => format!("{} s", plain(value)),
        MetricKind::Count => format!("{} tokens", plain(value)),
    }
}

/// A number with its sign; the minus is the real one (U+2212), which no line break splits from its digits.
fn signed(value: f64) -> String {
    let digits = format!("{:.1}", value.abs());
    match digits.as_str() {
        "0.0" => digits,
        _ if value < 0.0 => format!("\u{2212}{digits}"),
        _ => format!("+{digits}"),
    }
}

fn plain(value: f64) -> String {
    if value >= 100.0 || (value.fract() == 0.0 && value >= 10.0) {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Direction, MetricName};

    fn metric(kind: MetricKind) -> Metric {
        Metric { name: MetricName::new("m").unwrap(), kind, direction: Direction::Higher }
    }

    #[test]
    fn changes_and_levels_read_well() {
        assert_eq!(change_text(&metric(MetricKind::Binary), -0.0213), "−2.1 points");
        assert_eq!(change_text(&metric(MetricKind::Count), 0.1), "+10.0 %");
        assert_eq!(change_text(&metric(MetricKind::Count), -1e-9), "0.0 %");
        assert_eq!(change_text(&metric(MetricKind::Count), f64::INFINITY), "not estimable");
        assert_eq!(level_text(&metric(MetricKind::Event), 0.05), "5.0 %");
        assert_eq!(level_text(&metric(MetricKind::Duration), 0.01234), "12.3 ms");
        assert_eq!(level_text(&metric(MetricKind::Duration), 2.5), "2.50 s");
        assert_eq!(level_text(&metric(MetricKind::Count), 25.0), "25 tokens");
    }
}
