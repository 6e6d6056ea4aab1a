//! How long to wait before a question is sent again: what the server asks for, and a back-off of our own.

use crate::types::SplitMix64;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use regex::Regex;
use reqwest::header::HeaderMap;
use std::sync::LazyLock;
use std::time::Duration;

/// The back-off's first ceiling; it doubles with each attempt.
const FIRST: Duration = Duration::from_millis(500);
/// The back-off's last ceiling.
const LAST: Duration = Duration::from_secs(30);

/// Full jitter (Brooker 2015, "Exponential backoff and jitter", AWS Architecture Blog): uniform between nothing and a ceiling that doubles
/// with each failed attempt, so that questions which failed together do not come back together.
pub(in crate::target) fn back_off(stream: &mut SplitMix64, failed_attempts: u32) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << failed_attempts.saturating_sub(1).min(10)).min(LAST);
    ceiling.mul_f64(stream.unit())
}

/// How long the server asks us to wait: the longest of `retry-after-ms`, `retry-after` (seconds or a date) and the words of its message, for
/// whoever comes at the shortest is turned away again. Where none of them says anything that makes sense, the reset of a limit that is used
/// up: it says when all of the limit is free, which is longer than anybody has to wait.
pub(in crate::target) fn hint(headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = || text("retry-after-ms")?.parse().ok().and_then(|ms: f64| positive(ms / 1000.0));
    let after = || {
        let value = text("retry-after")?;
        value.parse().ok().and_then(positive).or_else(|| {
            // The server's date is relative to the server's clock.
            let parse = |text| DateTimeParser::new().parse_timestamp(text).ok();
            let sent = text("date").and_then(parse).unwrap_or(now);
            positive(parse(value)?.duration_since(sent).as_secs_f64())
        })
    };
    [milliseconds(), after(), in_words(message)].into_iter().flatten().max().or_else(|| reset(headers))
}

/// The longest reset of the limits that are used up. `-1` and `0` stand in these headers without meaning anything.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    let value = |name: String| headers.get(name)?.to_str().ok().map(str::trim);
    let mut longest = None;
    for prefix in ["x-ratelimit", "x-rate-limit"] {
        for what in ["tokens", "requests"] {
            let left = value(format!("{prefix}-remaining-{what}")).and_then(|v| v.parse::<i64>().ok());
            if left.is_none_or(|n| n <= 0) {
                longest = longest.max(value(format!("{prefix}-reset-{what}")).and_then(spell));
            }
        }
    }
    longest
}

static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)(?:retry|try again) (?:after|in) (\d+(?:\.\d+)?)\s*(ms|milliseconds?|m|minutes?|s|seconds?)?\b";
    Regex::new(pattern).expect("the pattern is one")
});

fn in_words(message: &str) -> Option<Duration> {
    let found = WORDS.captures(message)?;
    let unit = match found.get(2).map_or("s", |u| u.as_str()).to_ascii_lowercase().as_str() {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "m" | "minute" | "minutes" => 60.0,
        _ => 1.0,
    };
    positive(found[1].parse::<f64>().ok()? * unit)
}

static PARTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$").expect("the pattern is one")
});

/// A time as reset headers spell it: seconds (`55`, `0.5`), or `6m0s`, `1h2m3s`, `120ms`.
fn spell(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return positive(seconds);
    }
    let found = PARTS.captures(text)?;
    let part = |i: usize, unit: f64| found.get(i).and_then(|m| m.as_str().parse::<f64>().ok()).unwrap_or(0.0) * unit;
    positive(part(1, 3600.0) + part(2, 60.0) + part(3, 1.0) + part(4, 0.001))
}

fn positive(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn seconds(headers: &[(&str, &str)], message: &str) -> Option<f64> {
        let map = headers
            .iter()
            .map(|(k, v)| (HeaderName::try_from(*k).unwrap(), HeaderValue::from_str(v).unwrap()))
            .collect();
        hint(&map, message, "2026-11-20T23:59:00Z".parse().unwrap()).map(|d| d.as_secs_f64())
    }

    #[test]
    fn every_spelling_of_a_wait_is_understood() {
        for (headers, message, want) in [
            (&[("retry-after-ms", "5730"), ("retry-after", "6")][..], "retry after 9 seconds", Some(9.0)),
            (&[("retry-after-ms", "5730"), ("retry-after", "6")], "", Some(6.0)),
            (&[("retry-after-ms", "5730"), ("retry-after", "5")], "", Some(5.73)),
            (&[("retry-after-ms", "20000"), ("retry-after", "Fri, 20 Nov 2026 23:59:30 GMT")], "", Some(30.0)),
            (&[("retry-after", "2"), ("x-ratelimit-reset-tokens", "55")], "", Some(2.0)),
            (&[("retry-after", "7")], "", Some(7.0)),
            (&[("retry-after", "Fri, 20 Nov 2026 23:59:30 GMT")], "", Some(30.0)),
            (
                &[("retry-after", "Fri, 20 Nov 2026 23:59:30 GMT"), ("date", "Fri, 20 Nov 2026 23:59:20 GMT")],
                "",
                Some(10.0),
            ),
            (&[("retry-after", "Thu, 19 Nov 2026 23:59:30 GMT")], "", None),
            (&[("retry-after", "soon"), ("x-rate-limit-reset-tokens", "55")], "", Some(55.0)),
            (&[("x-ratelimit-reset-requests", "6m0s"), ("x-ratelimit-remaining-requests", "0")], "", Some(360.0)),
            (&[("x-ratelimit-reset-requests", "9"), ("x-ratelimit-remaining-requests", "241")], "", None),
            (&[("x-ratelimit-reset-tokens", "120ms"), ("x-ratelimit-remaining-tokens", "-1")], "", Some(0.12)),
            (&[("x-ratelimit-reset-tokens", "0"), ("x-ratelimit-reset-requests", "-1")], "", None),
            (&[("retry-after", "0")], "Please retry after 55 seconds.", Some(55.0)),
            (&[("retry-after", "-3"), ("retry-after-ms", "NaN")], "", None),
            (&[], "Please try again in 1.5s.", Some(1.5)),
            (&[], "try again in 20 ms", Some(0.02)),
            (&[], "Please retry after 2 minutes", Some(120.0)),
            (&[], "Please try again later.", None),
            (&[("retry-after", "1e300")], "", None),
        ] {
            assert_eq!(seconds(headers, message), want, "{headers:?} {message}");
        }
    }

    #[test]
    fn the_back_off_is_the_seed_s_spreads_and_grows_to_a_ceiling() {
        let draws = |seed, attempt| {
            let mut stream = SplitMix64::new(seed);
            (0..200).map(|_| back_off(&mut stream, attempt)).collect::<Vec<_>>()
        };
        assert_eq!(draws(3, 1), draws(3, 1));
        assert_ne!(draws(3, 1), draws(4, 1));
        for (attempt, ceiling) in [(1, 0.5), (2, 1.0), (4, 4.0), (30, 30.0), (u32::MAX, 30.0)] {
            let all = draws(1, attempt);
            let longest = all.iter().max().unwrap().as_secs_f64();
            let shortest = all.iter().min().unwrap().as_secs_f64();
            assert!(longest <= ceiling && longest > 0.9 * ceiling && shortest < 0.1 * ceiling, "{attempt}: {longest}");
        }
    }
}
