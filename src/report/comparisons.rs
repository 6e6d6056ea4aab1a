//! Comparisons without a policy, as tables for a terminal.

use crate::compare::Comparison;
use crate::types::{change_text, level_text};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// One table per candidate, at most `width` columns wide, one row per comparison. The last column says `better` or `worse` where the
/// interval excludes no change; nothing is corrected for the number of rows, so it is a place to look and no verdict.
#[must_use]
pub fn comparison_table(comparisons: &[Comparison], width: u16) -> String {
    let mut candidates: Vec<_> = comparisons.iter().map(|c| &c.candidate).collect();
    candidates.dedup();
    let tables = candidates.into_iter().map(|name| {
        let rows: Vec<_> = comparisons.iter().filter(|c| c.candidate == *name).collect();
        let against = rows.first().map_or(String::new(), |c| format!(" against {}", c.baseline));
        format!("{name}{against}\n{}", table(&rows, width))
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

fn table(rows: &[&Comparison], width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(["metric", "slice", "level", "change (interval)", "n", ""]);
    for c in rows {
        let gain = c.gain_interval();
        let shown = match (gain.lower() > 0.0, gain.upper() < 0.0) {
            (true, _) => "better",
            (_, true) => "worse",
            _ => "",
        };
        table.add_row([
            c.metric.name.to_string(),
            c.slice.to_string(),
            levels(c),
            change_with_interval(c),
            c.clusters.to_string(),
            shown.to_owned(),
        ]);
    }
    if let Some(n) = table.column_mut(4) {
        n.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// `62.5 → 91.0 %`: the unit once, and none for tokens, which the metric's name says.
fn levels(c: &Comparison) -> String {
    let (from, to) = (level_text(&c.metric, c.baseline_value), level_text(&c.metric, c.candidate_value));
    let (from, to) = (from.trim_end_matches(" %").trim_end_matches(" tokens"), to.trim_end_matches(" tokens"));
    format!("{from} → {to}")
}

/// `+1.2 pp (−0.3 to +2.7)`: the unit once.
fn change_with_interval(c: &Comparison) -> String {
    let limit = |x: f64| {
        let text = change_text(&c.metric, x);
        text.trim_end_matches(" points").trim_end_matches(" %").to_owned()
    };
    let change = change_text(&c.metric, c.change).replace(" points", " pp");
    format!("{change} ({} to {})", limit(c.interval.lower()), limit(c.interval.upper()))
}
