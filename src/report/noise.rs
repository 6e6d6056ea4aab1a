//! The noise floor of a target, as tables for a terminal.

use super::beside::named;
use super::comparisons::wrapped;
use crate::compare::MetricNoise;
use crate::gate::{CriterionNoise, Noise};
use crate::types::MetricKind;
use crate::types::number::{self, Scale};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// What moved between the repeats of one target, and what the policy's criteria make of it; at most `width` columns wide.
#[must_use]
pub fn noise_table(noise: &Noise, width: u16) -> String {
    let answers = number::count((noise.cases * noise.repeats) as u64);
    let head = format!(
        "{} asked {} times on {}: {} cases, {answers} answers",
        noise.target, noise.repeats, noise.suite, noise.cases
    );
    let mut parts = vec![wrapped(&format!("{head}; {}", answers_moved(noise)), usize::from(width))];
    parts.push(metrics(noise, width));
    parts.push(criteria(noise, width));
    let notes = notes(noise);
    if !notes.is_empty() {
        let lines: Vec<_> = notes.iter().map(|n| wrapped(n, usize::from(width))).collect();
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

fn answers_moved(noise: &Noise) -> String {
    match noise.moved.len() {
        0 => "no answer moved".to_owned(),
        n => format!("the answers to {n} cases moved: {}", named(&noise.moved)),
    }
}

fn plain(width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table
}

fn right(table: &mut Table, columns: std::ops::Range<usize>) {
    for i in columns {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn metrics(noise: &Noise, width: u16) -> String {
    let mut table = plain(width);
    table.set_header(["metric", "slice", "score", "SD of a run", "SE of a difference", "per case", "n"]);
    for m in &noise.metrics {
        let scale = Scale::of_level(&m.metric, m.mean);
        let spread = if m.metric.is_share() { Scale::POINTS } else { scale };
        let change = Scale::of_change(&m.metric);
        table.add_row([
            m.metric.name.to_string(),
            m.slice.to_string(),
            // Ten standard deviations: one digit more than what moves.
            scale.level(m.mean, if m.metric.kind == MetricKind::Count { 0 } else { scale.decimals(10.0 * m.sd) }),
            amount(spread, m.sd),
            amount(change, m.difference_se),
            per_case(m),
            m.clusters.to_string(),
        ]);
    }
    right(&mut table, 2..7);
    table.trim_fmt()
}

/// A spread with the digits that it needs; exactly nothing is shown as 0.
fn amount(scale: Scale, value: f64) -> String {
    if value == 0.0 { scale.exact(0.0) } else { scale.level(value, scale.decimals(value)) }
}

fn per_case(m: &MetricNoise) -> String {
    match (m.discordance, m.case_sd) {
        (Some(share), _) => amount(Scale::PERCENT, share),
        (None, Some(sd)) if m.metric.is_share() => amount(Scale::POINTS, sd),
        (None, Some(sd)) if m.metric.is_timing() => amount(Scale::PERCENT, sd),
        (None, Some(sd)) => amount(Scale::PLAIN, sd),
        (None, None) => number::NOTHING.to_owned(),
    }
}

fn criteria(noise: &Noise, width: u16) -> String {
    let mut table = plain(width);
    table.set_header(["criterion", "rule", "met", "unproven", "violated", ""]);
    for c in &noise.criteria {
        table.add_row([
            c.criterion.to_string(),
            c.rule.word().to_owned(),
            c.met.to_string(),
            c.unproven.to_string(),
            c.violated.to_string(),
            word(c).to_owned(),
        ]);
    }
    right(&mut table, 2..5);
    table.trim_fmt()
}

fn word(c: &CriterionNoise) -> &'static str {
    match (c.false_alarms > 0, c.undecidable.is_some()) {
        (true, _) => "false alarm",
        (false, true) => "margin too small",
        _ => "",
    }
}

/// How the tables are to be read, and what they would hide.
fn notes(noise: &Noise) -> Vec<String> {
    let pairs = noise.repeats * noise.repeats.saturating_sub(1);
    let d = noise.decisions;
    let mut notes = vec![
        "SD of a run = standard deviation of a run's score between repeats; SE of a difference = of two runs in which nothing changed; per \
         case = share of cases that differ between two repeats, or the SD of one case's difference (of times: of the log ratio); n = \
         independent cases"
            .to_owned(),
        format!(
            "the policy {} on {pairs} ordered pairs of repeats, nothing having changed: promote {}, undecided {}, reject {}",
            noise.policy, d.promote, d.undecided, d.reject
        ),
    ];
    for c in &noise.criteria {
        notes.extend(c.undecidable.as_ref().map(|why| format!("{}: {why}", c.criterion)));
        if c.false_alarms > 0 {
            notes.push(format!("{}: false alarm in {} of {pairs} pairs", c.criterion, c.false_alarms));
        }
    }
    for gap in &noise.no_floor {
        notes.push(format!("{} on {} has no noise floor: {}", gap.metric, gap.slice, gap.reason));
    }
    for m in noise.metrics.iter().filter(|m| m.slice.is_all() && !m.unscored.is_empty()) {
        let what = format!("{}: {} cases lack a score in some repeat", m.metric.name, m.unscored.len());
        notes.push(format!("{what}: {}", named(&m.unscored)));
    }
    let flaky: Vec<_> = noise.flaky().into_iter().cloned().collect();
    if !flaky.is_empty() {
        notes.push(format!("flaky: {} of {} cases: {}", flaky.len(), noise.cases, named(&flaky)));
    }
    if noise.moved.is_empty() {
        notes.push(
            "answers did not move, so that the floor of what is scored in them is 0; times have theirs".to_owned(),
        );
    }
    if noise.concurrency > 1 {
        notes
            .push(format!("{} questions were in flight at once: times are those of shared batches", noise.concurrency));
    }
    notes
}
