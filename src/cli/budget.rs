//! The money and the limits of a target, as `goldgate.toml` writes them.

use crate::gate::{Limits, Price};
use crate::suite::diag::{Diagnostics, SourceFile};
use serde::Deserialize;
use toml::Spanned;

/// `price = { input = …, output = … }`, US dollars per million tokens.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawPrice {
    input: Spanned<f64>,
    output: Spanned<f64>,
}

/// `limits = { requests-per-minute = …, tokens-per-minute = … }`, either or both.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct RawLimits(Spanned<Inner>);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Inner {
    requests_per_minute: Option<Spanned<f64>>,
    tokens_per_minute: Option<Spanned<f64>>,
}

/// Checks a target's price and limits; what is wrong is pushed to `wrong`.
pub fn read(
    file: &SourceFile,
    price: Option<&RawPrice>,
    limits: Option<&RawLimits>,
    wrong: &mut Diagnostics,
) -> (Option<Price>, Option<Limits>) {
    let mut number = |key: &str, value: &Spanned<f64>, least: f64| {
        let v = *value.get_ref();
        if !(v >= least && v <= 1e12) {
            let wanted =
                if least > 0.0 { "a number above 0" } else { "a number from 0, US dollars per million tokens" };
            wrong.push(file.error(value.span(), format!("`{key}` must be {wanted}, not {v}")));
        }
        v
    };
    let price =
        price.map(|p| Price { input: number("input", &p.input, 0.0), output: number("output", &p.output, 0.0) });
    let rate = f64::MIN_POSITIVE;
    let limits = limits.map(|RawLimits(l)| {
        let found = Limits {
            requests_per_minute: l
                .get_ref()
                .requests_per_minute
                .as_ref()
                .map(|v| number("requests-per-minute", v, rate)),
            tokens_per_minute: l.get_ref().tokens_per_minute.as_ref().map(|v| number("tokens-per-minute", v, rate)),
        };
        (found, l.span())
    });
    let limits = limits.map(|(found, span)| {
        if found == Limits::default() {
            let empty = file.error(span, "`limits` limits nothing");
            wrong.push(empty.help("write `requests-per-minute`, `tokens-per-minute` or both"));
        }
        found
    });
    (price, limits)
}
