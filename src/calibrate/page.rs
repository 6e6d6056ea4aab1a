//! A study as text: a table for a terminal, the page that is kept in docs/, and JSON.

use super::row::{Bound, Check, Figure, Row, Study, Verdict};
use serde::Serialize;
use std::fmt::Write as _;

/// What the page says of how it was made.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The command line that makes it again.
    pub command: String,
    /// The program's version.
    pub version: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Threads that simulated.
    pub threads: usize,
}

/// The format of the study as JSON; `schemas/calibration.schema.json` describes it.
pub const FORMAT: &str = "goldgate.calibration/1";

/// A share in per cent; enough digits to see a rate far below one.
fn percent(share: f64) -> String {
    if share.is_nan() { "none".to_owned() } else { format!("{:.2} %", share * 100.0) }
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::AtMost(most) => format!("<= {}", percent(most)),
        Bound::AtLeast(least) => format!(">= {}", percent(least)),
        Bound::Between(least, most) => format!("{} to {}", percent(least), percent(most)),
        Bound::Reported => "reported".to_owned(),
    }
}

/// The Monte-Carlo error as a reader needs it.
fn error(figure: &Figure) -> String {
    if figure.replicates == 0 { "exact".to_owned() } else { format!("+-{:.2}", figure.standard_error * 100.0) }
}

/// A number of simulated runs; none stand behind an exact figure.
fn runs(replicates: usize) -> String {
    if replicates == 0 { "-".to_owned() } else { replicates.to_string() }
}

fn verdict(check: &Check) -> &'static str {
    if check.bound == Bound::Reported { "-" } else { check.verdict.word() }
}

/// The study for a terminal of 80 columns: one line per row with the figure that lies closest to its bound, and below it the worst figure
/// of each other method.
#[must_use]
pub fn terminal(study: &Study) -> String {
    let mut out = format!("{:>2} {:<34} {:>12} {:>9} {:>7}  verdict\n", "#", "promise", "bound", "figure", "error");
    for row in &study.rows {
        let Some(worst) = row.worst() else { continue };
        // A range does not fit the column; the page has it.
        let short = match worst.bound {
            Bound::Between(..) => "in range".to_owned(),
            other => bound(other),
        };
        let _ = writeln!(
            out,
            "{:>2} {:<34} {short:>12} {:>9} {:>7}  {}",
            row.number,
            row.title,
            percent(worst.figure.value),
            error(&worst.figure),
            if row.verdict() == Verdict::Broken { "broken" } else { verdict(worst) },
        );
        for check in row.checks.iter().filter(|c| c.verdict == Verdict::Broken) {
            let _ = writeln!(out, "     broken: {} {}", check.design, percent(check.figure.value));
        }
        let mut seen = Vec::new();
        for naive in &row.naive {
            if !seen.contains(&naive.method) {
                seen.push(naive.method);
                let _ = writeln!(
                    out,
                    "     not: {:<42} {:>9} {:>7}  {}",
                    naive.method,
                    percent(naive.check.figure.value),
                    error(&naive.check.figure),
                    verdict(&naive.check),
                );
            }
        }
    }
    let _ = write!(
        out,
        "\nFigures in per cent; error: Monte-Carlo standard error in points. A bound is\nbroken by more than three of them. `not:` is what other methods reach.\n{}",
        closing(study)
    );
    out
}

fn closing(study: &Study) -> String {
    let broken: Vec<String> =
        study.rows.iter().filter(|r| r.verdict() == Verdict::Broken).map(|r| r.number.to_string()).collect();
    if broken.is_empty() {
        format!("All {} rows hold.", study.rows.len())
    } else {
        format!("Broken: {} of {} rows ({}).", broken.len(), study.rows.len(), broken.join(", "))
    }
}

/// The study as the page docs/calibration.md.
#[must_use]
pub fn markdown(study: &Study, facts: &Facts) -> String {
    let mut out = String::from("# Calibration: the gate's own error rates\n\n");
    let _ = writeln!(
        out,
        "<!-- Written by the program; do not edit. -->\n\n\
         Pairs of models whose truth is known are simulated and sent through the code that judges real ones (`compare`, `no_worse`, \
         `gate::judge`).\nA figure is *broken* when it is beyond its bound by more than three Monte-Carlo standard errors; the command then \
         ends with exit code 1.\n\n\
         - Made by `{}` (goldgate {}), {} form, seed {}\n\
         - Run time: {:.0} s on {} threads\n\
         - {}\n",
        facts.command,
        facts.version,
        study.effort,
        study.seed,
        facts.seconds,
        facts.threads,
        closing(study)
    );
    out.push_str("## The promises\n\nOf each row the figure closest to its bound; all figures follow below. The error is the Monte-Carlo \
                  standard error in points.\n\n");
    out.push_str("| # | promise | bound | reference | closest figure | error | in | runs | verdict |\n");
    out.push_str("| ---: | --- | --- | --- | ---: | ---: | --- | ---: | --- |\n");
    for row in &study.rows {
        let Some(worst) = row.worst() else { continue };
        let word = if row.verdict() == Verdict::Broken { "broken" } else { verdict(worst) };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {word} |",
            row.number,
            row.title,
            row.requirement,
            row.reference,
            percent(worst.figure.value),
            error(&worst.figure),
            worst.design,
            runs(row.replicates()),
        );
    }
    others(&mut out, study);
    out.push_str("\n## Every figure\n");
    for row in &study.rows {
        details(&mut out, row);
    }
    out
}

/// What other methods reach.
fn others(out: &mut String, study: &Study) {
    out.push_str(
        "\n## What other methods reach on the same data\n\nNone of these is offered by the program; they are here to be seen failing.\n\n",
    );
    out.push_str("| # | method | design | has to be | reaches | error | verdict |\n| ---: | --- | --- | --- | ---: | ---: | --- |\n");
    for row in &study.rows {
        for n in &row.naive {
            let c = &n.check;
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.number,
                n.method,
                c.design,
                bound(c.bound),
                percent(c.figure.value),
                error(&c.figure),
                verdict(c),
            );
        }
    }
}

fn details(out: &mut String, row: &Row) {
    let _ = write!(out, "\n### {}. {}\n\n{}\n\n{}\n\n", row.number, row.title, row.scenario, row.note);
    out.push_str("| design | bound | figure | error | runs | verdict |\n| --- | --- | ---: | ---: | ---: | --- |\n");
    for c in &row.checks {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            c.design,
            bound(c.bound),
            percent(c.figure.value),
            error(&c.figure),
            runs(c.figure.replicates),
            verdict(c),
        );
    }
}

/// The study as JSON, with the verdict on every row and on the whole.
#[must_use]
pub fn json(study: &Study) -> String {
    #[derive(Serialize)]
    struct Whole<'a> {
        format: &'static str,
        effort: &'static str,
        seed: u64,
        verdict: Verdict,
        rows: Vec<Judged<'a>>,
    }
    #[derive(Serialize)]
    struct Judged<'a> {
        verdict: Verdict,
        #[serde(flatten)]
        row: &'a Row,
    }
    let rows = study.rows.iter().map(|row| Judged { verdict: row.verdict(), row }).collect();
    let whole = Whole { format: FORMAT, effort: study.effort, seed: study.seed, verdict: study.verdict(), rows };
    serde_json::to_string_pretty(&whole).expect("plain data with text keys always serialises")
}
