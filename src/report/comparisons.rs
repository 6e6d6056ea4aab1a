//! Comparisons without a policy, as tables for a terminal.

use crate::compare::Comparison;
use crate::types::number::{self, Scale};
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

/// `62.5 → 91.0 %`: the unit once.
fn levels(c: &Comparison) -> String {
    let scale = Scale::of_level(&c.metric, c.baseline_value.max(c.candidate_value));
    let decimals = if c.metric.is_share() || c.metric.is_timing() { 1 } else { 0 };
    let (from, to) = (scale.level(c.baseline_value, decimals), scale.level(c.candidate_value, decimals));
    let bare = from.split(number::THIN).next().unwrap_or_default();
    // A count's digits are grouped by the same thin space that sets off a unit, and it has no unit to drop.
    if c.metric.is_share() || c.metric.is_timing() { format!("{bare} → {to}") } else { format!("{from} → {to}") }
}

/// `+1.2 pp (−0.3 to +2.7 pp)`.
fn change_with_interval(c: &Comparison) -> String {
    let scale = Scale::of_change(&c.metric);
    let decimals = scale.decimals_against(c.change, &c.interval, &[0.0]);
    format!("{} ({})", scale.change(c.change, decimals), scale.changes(&c.interval, decimals))
}
