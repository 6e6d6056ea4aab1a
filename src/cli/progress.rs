//! Progress on standard error: a bar with ETA on a terminal, plain lines elsewhere.

use super::output::to_stderr;
use crate::run::Event;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Plain lines come no more often than this.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows a run's events.
pub struct Progress {
    view: View,
    planned: usize,
    done: usize,
    failed: usize,
    last: Instant,
}

enum View {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    /// A bar where a person watches a terminal, lines in CI and pipes, nothing when quiet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let watched = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let view = match (quiet, watched) {
            (true, _) => View::Quiet,
            (false, true) => View::Bar(ProgressBar::hidden()),
            (false, false) => View::Lines,
        };
        Self { view, planned: 0, done: 0, failed: 0, last: Instant::now() }
    }

    /// Says what is going on before the first question.
    pub fn note(&self, text: &str) {
        if matches!(self.view, View::Lines | View::Bar(_)) {
            to_stderr(&format!("goldgate: {text}"));
        }
    }

    /// Shows one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Probing { target } => self.note(&format!("probing `{target}`")),
            Event::Started { planned, already } => self.start(*planned, *already),
            Event::Recorded { failed, .. } => {
                self.done += 1;
                self.failed += usize::from(*failed);
                match &self.view {
                    View::Bar(bar) => {
                        bar.inc(1);
                        if self.failed > 0 {
                            bar.set_message(format!("{} failed", self.failed));
                        }
                    }
                    View::Lines if self.last.elapsed() >= LINE_EVERY => {
                        self.last = Instant::now();
                        self.line();
                    }
                    _ => {}
                }
            }
            Event::Finished => match &self.view {
                View::Bar(bar) => bar.finish_and_clear(),
                View::Lines => self.line(),
                View::Quiet => {}
            },
        }
    }

    fn start(&mut self, planned: usize, already: usize) {
        (self.planned, self.done, self.last) = (planned, already, Instant::now());
        if already > 0 {
            self.note(&format!("{already} of {planned} trials are already recorded"));
        }
        if let View::Bar(bar) = &mut self.view {
            let style = ProgressStyle::with_template(
                "{bar:32} {human_pos}/{human_len} {percent:>3} %  {per_sec:.1}  ETA {eta}  {msg}",
            );
            *bar = ProgressBar::new(planned as u64).with_position(already as u64);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }

    fn line(&self) {
        let percent = 100 * self.done / self.planned.max(1);
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        to_stderr(&format!("goldgate: {}/{} trials ({percent} %){failed}", self.done, self.planned));
    }
}
