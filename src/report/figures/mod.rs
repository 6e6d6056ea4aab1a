//! Figures as typed models: coordinates are computed here, a template macro prints them as SVG. No markup is made in Rust.

mod bars;
mod forest;

pub(super) use bars::{TokenBars, token_bars};
pub(super) use forest::{ForestAxis, ForestRow, axis, forest_row};

/// A coordinate with one decimal: enough for a screen and a printer, and the same bytes everywhere.
fn coordinate(x: f64) -> String {
    format!("{x:.1}")
}
