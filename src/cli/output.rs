//! Where results and errors go: results to standard output, everything else to standard error.

use super::{CliError, Colour};
use crate::gate::{self, Policy};
use crate::report::{self, ReportModel, Style};
use crate::store::{GoldenAnswer, RunDir, SealedRun};
use crate::suite::Suite;
use crate::types::{Digest, TargetName};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

/// How this process may write.
pub struct Terminal {
    colour: Colour,
    /// Whether progress is unwanted.
    pub quiet: bool,
}

impl Terminal {
    /// Decides once what later writing needs to know.
    pub fn new(colour: Colour, quiet: bool) -> Self {
        Self { colour, quiet }
    }

    fn coloured(&self, is_terminal: bool) -> bool {
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
                is_terminal && !dumb && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        }
    }

    /// Width of the terminal in columns; 80 where there is none.
    pub fn columns(&self) -> u16 {
        comfy_table::Table::new().width().unwrap_or(80)
    }

    /// Writes a result. A reader that closed the pipe has read enough: that is no error.
    pub fn say(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
    }

    /// Writes what went wrong.
    pub fn error(&self, e: &CliError) {
        to_stderr(&e.render(self.coloured(std::io::stderr().is_terminal())));
    }

    /// Warns of criteria that no outcome of a suite could meet: the verdict will be undecided, and asking may cost money.
    pub fn warn_of_impossible(&self, policy: &Policy, suite: &Suite) {
        let coloured = self.coloured(std::io::stderr().is_terminal());
        for (_, d) in gate::check_possible(policy, suite) {
            to_stderr(&super::error::warning(&d, coloured));
        }
    }

    /// Shows verdicts and findings.
    pub fn show(&self, model: &ReportModel) {
        let coloured = self.coloured(std::io::stdout().is_terminal());
        let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|k| std::env::var(k).ok().filter(|v| !v.is_empty()));
        // Without any locale setting (containers, CI) everything of today reads UTF-8; a locale that names another charset does not.
        let ascii = utf8.is_some_and(|v| v.contains('.') && !v.to_uppercase().replace('-', "").contains("UTF8"));
        self.say(&report::terminal(model, self.columns(), Style { colour: coloured, ascii }));
    }
}

/// Writes a line to standard error. Nobody may read it any more, and that must not end the program.
pub fn to_stderr(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One self-contained page.
    Html,
    /// For CI systems that show tests.
    Junit,
    /// For job summaries and pull requests.
    Md,
    /// Everything, versioned.
    Json,
    /// One row per case and target.
    Csv,
}

impl Format {
    /// Every format, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::Html, Self::Junit, Self::Md, Self::Json, Self::Csv];

    fn file(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Junit => "junit.xml",
            Self::Md => "summary.md",
            Self::Json => "report.json",
            Self::Csv => "cases.csv",
        }
    }
}

/// Writes reports into a folder and returns their paths.
pub fn write_reports(dir: &RunDir, model: &ReportModel, formats: &[Format]) -> Result<Vec<PathBuf>, CliError> {
    let mut written = Vec::new();
    for format in formats {
        let text = match format {
            Format::Html => report::html(model)?,
            Format::Junit => report::junit(model)?,
            Format::Md => report::markdown(model),
            Format::Json => report::json(model)?,
            Format::Csv => report::csv(model)?,
        };
        written.push(dir.write(format.file(), text.as_bytes())?);
    }
    Ok(written)
}

/// Writes `verdict.json`, bound by digest to what it speaks of, and `results.jsonl`. A replay's is called `recomputed.json`: it is what the
/// recorded run's verdict was, byte for byte, and whoever looks for a verdict finds none.
pub fn write_verdict(
    run: &SealedRun,
    model: &ReportModel,
    results: impl Iterator<Item = GoldenAnswer>,
) -> Result<(), CliError> {
    #[derive(serde::Serialize)]
    struct File<'a> {
        format: &'static str,
        version: &'static str,
        journal: Digest,
        targets: BTreeMap<&'a TargetName, Digest>,
        verdicts: &'a [crate::gate::Verdict],
    }
    let file = File {
        format: "goldgate.verdict/1",
        version: env!("CARGO_PKG_VERSION"),
        journal: run.journal_digest,
        targets: run.manifest.arms.iter().map(|a| (&a.name, a.digest)).collect(),
        verdicts: &model.verdicts,
    };
    let mut json = serde_json::to_vec_pretty(&file).expect("plain data with text keys always serialises");
    json.push(b'\n');
    run.dir.write_lines("results.jsonl", results)?;
    let name = if run.manifest.replay.is_some() { "recomputed.json" } else { "verdict.json" };
    run.dir.write(name, &json)?;
    Ok(())
}
