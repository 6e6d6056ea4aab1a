//! Renderings of one model: terminal, HTML, JUnit, Markdown, JSON and CSV. Values in, bytes out; no statistic is computed here.

mod model;

pub use model::{AnswerRow, CaseRow, ReportModel, RunFacts, TargetFacts, TokenSaving};
