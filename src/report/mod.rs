//! Renderings of one model: terminal, HTML, JUnit, Markdown, JSON and CSV. Values in, bytes out; no statistic is computed here.
//!
//! Called by `cli` with a finished [`ReportModel`]. The same model gives the same bytes on every machine. Whatever a model, a suite or a
//! server said reaches a rendering only through [`Untrusted`](crate::types::Untrusted), which has one form per sink.

mod beside;
mod comparisons;
mod csp;
mod csv;
mod diff;
mod error;
mod figures;
mod flips;
mod heat;
mod html;
mod json;
mod junit;
mod markdown;
mod model;
mod noise;
mod page;
mod payload;
mod plan;
mod rankings;
mod safety;
mod terminal;
mod view;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use comparisons::comparison_table;
pub use csv::csv;
pub use error::ReportError;
pub use html::html;
pub use json::{FORMAT, json};
pub use junit::junit;
pub use markdown::{BUDGET as MARKDOWN_BUDGET, markdown};
pub use model::{AnswerRow, CaseRow, ReportModel, RunFacts, TargetFacts, TokenSaving};
pub use noise::noise_table;
pub use plan::plan_text;
pub use terminal::{Style, terminal, wrap};
