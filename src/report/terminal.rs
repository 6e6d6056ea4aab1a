//! The terminal's summary: verdicts in at most twelve lines, then one table of criteria per candidate.

use super::ReportModel;
use super::view::{self, CriterionView, Tally};
use crate::gate::{Decision, Status, Verdict};
use crate::types::Untrusted;
use crate::types::number::{self, Scale};
use anstyle::{AnsiColor, Style as Ansi};
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use std::fmt::Write as _;

/// How a terminal wants its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are wanted; they never carry anything alone.
    pub colour: bool,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
}

/// Below this width a table is no longer readable; narrower terminals wrap.
const NARROWEST: u16 = 60;
/// From this width on, levels and case numbers have columns of their own.
const WIDE: u16 = 110;
const SUMMARY_LINES: usize = 12;

/// The summary and the tables, no line longer than `width` columns.
#[must_use]
pub fn terminal(model: &ReportModel, width: u16, style: Style) -> String {
    let width = width.max(NARROWEST);
    let mut out = summary(model, width, style);
    for verdict in &model.verdicts {
        let head = format!("{} against {}: {}", verdict.candidate(), verdict.baseline(), Tally::of(verdict).text());
        out.push('\n');
        for line in wrap(&write(&head, style), usize::from(width)) {
            let _ = writeln!(out, "{line}");
        }
        let _ = writeln!(out, "{}", table(model, verdict, width, style));
    }
    out
}

/// Converting to ASCII makes text longer: it comes before anything is measured.
fn write(text: &str, style: Style) -> String {
    if style.ascii { number::ascii(text) } else { text.to_owned() }
}

fn mark(decision: Decision, ascii: bool) -> &'static str {
    match (decision, ascii) {
        (Decision::Promote, false) => "✔",
        (Decision::Promote, true) => "+",
        (Decision::Undecided, _) => "?",
        (Decision::Reject, false) => "✘",
        (Decision::Reject, true) => "x",
    }
}

fn colour(decision: Decision) -> Ansi {
    let colour = match decision {
        Decision::Promote => AnsiColor::Cyan,
        Decision::Undecided => AnsiColor::Magenta,
        Decision::Reject => AnsiColor::Red,
    };
    colour.on_default().bold()
}

fn summary(model: &ReportModel, width: u16, style: Style) -> String {
    let mut lines: Vec<String> = Vec::new();
    if model.run.replay {
        lines.extend(wrap(view::REPLAY, usize::from(width)));
    }
    let each = (SUMMARY_LINES - 1 - lines.len()) / model.verdicts.len().max(1);
    for verdict in &model.verdicts {
        lines.extend(verdict_lines(verdict, model, width, style, each.max(1)));
    }
    if model.verdicts.is_empty() {
        lines.push("This run was not judged.".to_owned());
    }
    let more = lines.len().saturating_sub(SUMMARY_LINES - 1);
    lines.truncate(SUMMARY_LINES - 1);
    let mut facts = format!(
        "{} {} · {} of {} trials · seed {} · {}",
        model.run.suite,
        Untrusted::new(&model.run.suite_version).for_terminal(20),
        number::count(model.run.recorded as u64),
        number::count(model.run.planned as u64),
        model.run.seed,
        number::duration(model.run.seconds),
    );
    if more > 0 {
        facts.push_str(" · more in report.html");
    }
    lines.push(clip(&write(&facts, style), usize::from(width), style));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The word and what it saves, then the sentence and the obstacles, in at most `most` lines.
fn verdict_lines(verdict: &Verdict, model: &ReportModel, width: u16, style: Style, most: usize) -> Vec<String> {
    let decision = verdict.decision();
    let word = format!("{} {}", mark(decision, style.ascii), decision.word().to_uppercase());
    let ansi = if style.colour { colour(decision) } else { Ansi::new() };
    let rest = format!("  {}{}", verdict.candidate(), saving(model, verdict));
    let rest = clip(&write(&rest, style), usize::from(width).saturating_sub(word.chars().count()), style);
    let mut lines = vec![format!("{ansi}{word}{ansi:#}{rest}")];
    let inner = usize::from(width) - 2;
    let untrusted = |text: &str, most: usize| write(&Untrusted::new(text).for_terminal(most), style);
    let mut body = wrap(&untrusted(verdict.sentence(), 1_200), inner);
    for obstacle in view::obstacles(verdict) {
        body.extend(wrap(&format!("- {}", untrusted(obstacle, 400)), inner));
    }
    if body.len() + 1 > most {
        body.truncate(most.saturating_sub(1));
        if let Some(last) = body.last_mut() {
            *last = clip(&format!("{last} {}", write("…", style)), inner, style);
        }
    }
    lines.extend(body.into_iter().map(|line| format!("  {line}")));
    lines
}

fn saving(model: &ReportModel, verdict: &Verdict) -> String {
    let Some(s) = model.savings.iter().find(|s| s.candidate == *verdict.candidate()) else { return String::new() };
    let decimals = Scale::PERCENT.decimals(s.interval.upper() - s.interval.lower());
    let before = number::count(s.baseline_prompt + s.baseline_completion);
    let after = number::count(s.candidate_prompt + s.candidate_completion);
    format!(" · tokens {before} → {after}, {} saved", Scale::PERCENT.level(s.saved, decimals))
}

fn table(model: &ReportModel, verdict: &Verdict, width: u16, style: Style) -> String {
    let mut table = Table::new();
    let dash = if style.ascii { '-' } else { '─' };
    let rule = LineStyle::none().fill(dash).junction(dash);
    table.load_style(TableStyle::new().top_border(rule).header_separator(rule).bottom_border(rule));
    table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic).force_no_tty();
    if style.colour {
        table.enforce_styling();
    }
    let wide = width >= WIDE;
    let mut head = vec!["criterion", "status"];
    head.extend(if wide { ["baseline", "candidate"].as_slice() } else { &[] });
    head.extend(["change", "interval", "allowed"]);
    head.extend(if wide { ["cases (clusters)"].as_slice() } else { &[] });
    table.set_header(head);
    for view in view::criteria(model, verdict) {
        table.add_row(row(&view, wide, style));
    }
    let lines: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn row(view: &CriterionView<'_>, wide: bool, style: Style) -> Vec<Cell> {
    let right = |text: &str| Cell::new(write(text, style)).set_alignment(CellAlignment::Right);
    let status = Cell::new(write(&view.status_text(), style)).fg(match view.finding.status {
        Status::Met => Color::DarkCyan,
        Status::Unproven => Color::DarkMagenta,
        Status::Violated => Color::DarkRed,
    });
    let mut cells = vec![Cell::new(view.finding.criterion.id.as_str()), status];
    if wide {
        cells.extend([right(&view.baseline), right(&view.candidate)]);
    }
    cells.extend([right(&view.change), right(&view.interval), Cell::new(write(&view.allowed, style))]);
    if wide {
        cells.push(right(&view.cases_short()));
    }
    cells
}

fn clip(text: &str, width: usize, style: Style) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let end = write("…", style);
    let kept: String = text.chars().take(width.saturating_sub(end.len().min(3))).collect();
    kept + &end
}

/// Breaks a line at spaces; a word longer than a line is cut.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for (i, piece) in letters.chunks(width).enumerate() {
            let space = usize::from(used > 0 && i == 0);
            if used + space + piece.len() > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            } else if space > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(piece);
            used += piece.len();
        }
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}
