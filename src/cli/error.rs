//! Everything that can end a command early, as an exit code and a message for the person who ran it.

use crate::report::ReportError;
use crate::run::RunError;
use crate::store::StoreError;
use crate::suite::SuiteError;
use crate::suite::diag::{Diagnostic, Diagnostics};
use crate::target::{CassetteError, LocalError, RemoteError};
use crate::types::ExitCode;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file that a person wrote is wrong.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// A local checkpoint cannot be used.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A remote target cannot be asked; nothing was sent.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A recording cannot be written or used.
    #[error(transparent)]
    Cassette(#[from] CassetteError),
    /// A run or a golden baseline cannot be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run stopped before its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run is bound to other files than those at hand.
    #[error("{0}")]
    Integrity(String),
    /// A run's answers are those of two models where they had to be one's.
    #[error("{0}")]
    Exchanged(String),
    /// A report cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl From<Diagnostics> for CliError {
    fn from(d: Diagnostics) -> Self {
        Self::Suite(d.into())
    }
}

impl CliError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Suite(_) => ExitCode::Usage,
            Self::Remote(RemoteError::Cassette(e)) | Self::Cassette(e) => cassette_code(e),
            Self::Local(LocalError::Gone { .. }) => ExitCode::Endpoint,
            Self::Local(_) | Self::Remote(_) => ExitCode::Usage,
            Self::Store(e) | Self::Run(RunError::Store(e)) => store_code(e),
            Self::Run(RunError::Unavailable { .. } | RunError::Lacks { .. }) => ExitCode::Endpoint,
            Self::Run(_) => ExitCode::Usage,
            Self::Integrity(_) => ExitCode::Integrity,
            Self::Exchanged(_) => ExitCode::Undecided,
            Self::Report(_) => ExitCode::Io,
        }
    }

    /// The message; mistakes in files are shown with the lines that they stand in.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Suite(SuiteError::Wrong(all)) => {
                let shown: Vec<String> = all.all().iter().map(|d| snippet(d, colour)).collect();
                shown.join("\n\n")
            }
            other => format!("error: {other}"),
        }
    }
}

fn store_code(e: &StoreError) -> ExitCode {
    match e {
        StoreError::Io { .. } => ExitCode::Io,
        StoreError::Corrupt { .. } | StoreError::OtherRun { .. } => ExitCode::Integrity,
        StoreError::Locked { .. } => ExitCode::Locked,
        StoreError::NoRun { .. } => ExitCode::Usage,
        StoreError::Unsealed { .. } => ExitCode::Undecided,
    }
}

fn cassette_code(e: &CassetteError) -> ExitCode {
    match e {
        CassetteError::Io { .. } => ExitCode::Io,
        CassetteError::Missing(_) => ExitCode::Usage,
        _ => ExitCode::Integrity,
    }
}

/// A warning with the lines that it speaks of.
pub fn warning(d: &Diagnostic, colour: bool) -> String {
    shown(d, Level::WARNING, colour)
}

fn snippet(d: &Diagnostic, colour: bool) -> String {
    shown(d, Level::ERROR, colour)
}

fn shown(d: &Diagnostic, level: Level<'_>, colour: bool) -> String {
    let text = &*d.file.text;
    // A span must lie on character boundaries and inside the text, whatever a parser said.
    let floor = |mut i: usize| {
        i = i.min(text.len());
        while !text.is_char_boundary(i) {
            i -= 1;
        }
        i
    };
    let span = floor(d.span.start)..floor(d.span.end.max(d.span.start));
    let source = Snippet::source(text).path(d.file.path.as_str()).annotation(AnnotationKind::Primary.span(span));
    let mut group = level.primary_title(d.message.as_str()).element(source);
    if let Some(help) = &d.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).clone()
}
