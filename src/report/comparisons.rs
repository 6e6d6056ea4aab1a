//! Comparisons without a policy, as tables for a terminal.

use super::beside;
use super::rankings;
use crate::compare::{Answer, Comparison, ComparisonTable, Row};
use crate::types::TargetName;
use crate::types::number::{self, Scale};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use std::collections::BTreeMap;

/// What a margin's answers do not allow for.
pub(super) const EACH_BY_ITSELF: &str =
    "yes = of each candidate by itself: of many, some yes may be chance; --select answers for one that was chosen";
/// The longest name of a metric, in characters, that is not broken at its dots.
const LONG_NAME: usize = 16;
/// The longest part of such a name that keeps to one line, whatever the columns beside it are cut to.
const WHOLE_PART: usize = 20;

/// The comparisons at most `width` columns wide: one table per candidate with one row per comparison, and the notes that a reader must
/// not miss; for several candidates a ranking per metric; for many candidates the rankings in place of the tables; and first of all the
/// candidate that was chosen and confirmed, if that was asked for.
///
/// The last column of a table says `better` or `worse` where the interval excludes no change (`better` only where the p value agrees,
/// adjusted by Holm for several candidates), and `look here` for slices on the false-discovery-rate list. It is a place to look and no
/// verdict.
#[must_use]
pub fn comparison_table(table: &ComparisonTable, width: u16) -> String {
    rankings::parts(table, width).join("\n\n")
}

/// The table of one candidate and its notes; `part` says of which part of the cases, if not of all.
pub(super) fn of_candidate(all: &ComparisonTable, name: &TargetName, part: &str, width: u16) -> String {
    let rows: Vec<_> = all.comparisons.iter().filter(|r| r.comparison.candidate == *name).collect();
    let level = number::confidence(1.0 - 2.0 * all.alpha);
    let mut text = format!("{name} against {}{part}, {level} intervals", all.baseline);
    if !rows.is_empty() {
        text.push_str(&format!("\n{}", rows_of(&rows, width).trim_fmt()));
    }
    let notes = notes(all, &rows, name);
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        text.push('\n');
        text.push_str(&wrapped(&note, usize::from(width)));
    }
    text
}

fn rows_of(rows: &[&Row], width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let with_slices = rows.iter().any(|r| !r.comparison.slice.is_all());
    let with_margin = rows.iter().any(|r| r.no_worse.is_some());
    let mut header = vec!["metric"];
    header.extend(with_slices.then_some("slice"));
    header.extend(["level", "change (interval)", "n", ""]);
    let count = header.len() - 2;
    header.extend(with_margin.then_some("no worse?"));
    table.set_header(header);
    for row in rows {
        let c = &row.comparison;
        let mut cells = vec![in_parts(c.metric.name.as_str())];
        cells.extend(with_slices.then(|| c.slice.to_string()));
        cells.extend([levels(c), change_with_interval(row), c.clusters.to_string(), word(row).to_owned()]);
        if with_margin {
            cells.push(row.no_worse.as_ref().map_or("", |claim| answer(claim.answer)).to_owned());
        }
        table.add_row(cells);
    }
    let names = rows.iter().map(|r| in_parts(r.comparison.metric.name.as_str()));
    let longest = names.flat_map(|name| name.lines().map(str::len).collect::<Vec<_>>()).max().unwrap_or_default();
    if let (Some(names), ..=WHOLE_PART) = (table.column_mut(0), longest) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    if let Some(n) = table.column_mut(count) {
        n.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A long name with a line per dotted part, as in `exact_match.strict-match`: left to the table it would be cut anywhere.
fn in_parts(name: &str) -> String {
    if name.len() <= LONG_NAME { name.to_owned() } else { name.replace('.', "\n.") }
}

pub(super) fn word(row: &Row) -> &'static str {
    match row.better {
        _ if row.look_here => "look here",
        Answer::Yes => "better",
        Answer::No => "worse",
        Answer::Unproven => "",
    }
}

pub(super) fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Unproven => "?",
    }
}

/// What the table alone would hide: missing scores, margins, why an answer is no yes, what could not be compared.
fn notes(all: &ComparisonTable, rows: &[&Row], name: &TargetName) -> Vec<String> {
    let mut notes = Vec::new();
    let mut margins = Vec::new();
    // Metrics that lack the same cases, or a yes for the same reason, share a note.
    let mut reasons: BTreeMap<(&str, &String), Vec<String>> = BTreeMap::new();
    for row in rows {
        let c = &row.comparison;
        if let Some(claim) = &row.no_worse {
            if c.slice.is_all() {
                margins.push(format!("{} by {}", c.metric.name, Scale::of_change(&c.metric).exact(claim.margin)));
            }
            if let Some(why) = &claim.why {
                reasons.entry((answer(claim.answer), why)).or_default().push(subject(c));
            }
        }
        if c.slice.is_all() && (c.interval.level() - (1.0 - 2.0 * all.alpha)).abs() > 1e-9 {
            notes.push(format!(
                "{}: {} interval, since it is skewed",
                c.metric.name,
                number::confidence(c.interval.level())
            ));
        }
        if c.slice.is_all() && !c.unscored.is_empty() {
            let count = c.unscored.len();
            let cases = if count == 1 { "1 case lacks".to_owned() } else { format!("{count} cases lack") };
            notes.push(format!(
                "{}: {cases} a score, or one side of it: {}",
                c.metric.name,
                beside::named(&c.unscored)
            ));
        }
    }
    for c in rows.iter().map(|row| &row.comparison).filter(|c| c.slice.is_all()) {
        let said = beside::change(c).into_iter().chain(c.method.fallbacks.iter().cloned());
        notes.extend(said.map(|note| format!("{}: {note}", c.metric.name)));
    }
    if !margins.is_empty() {
        notes.push(format!("no worse? = the loss is proven to be below the margin: {}", margins.join(", ")));
        // Said where somebody might take the best yes of many.
        if all.candidates.len() > 1 {
            notes.push(EACH_BY_ITSELF.to_owned());
        }
    }
    notes.extend(reasons.into_iter().map(|((word, why), rows)| format!("{word} for {}: {why}", rows.join(", "))));
    if rows.iter().any(|r| r.look_here) {
        notes.push("look here = worse, at a false discovery rate of 10 % over slices and metrics".to_owned());
    }
    if all.candidates.len() > 1 && rows.iter().any(|r| r.p_better_holm.is_some() && word(r) == "better") {
        notes
            .push(format!("better = for {} candidates at once (Holm), where there is a p value", all.candidates.len()));
    }
    for gap in all.not_comparable.iter().filter(|g| g.candidate == *name) {
        let slice = if gap.slice.is_all() { String::new() } else { format!(" on {}", gap.slice) };
        notes.push(format!("{}{slice} cannot be compared: {}", gap.metric, gap.reason));
    }
    notes
}

fn subject(c: &Comparison) -> String {
    if c.slice.is_all() { c.metric.name.to_string() } else { format!("{} on {}", c.metric.name, c.slice) }
}

/// A note in lines of at most `width` characters, indented behind the first. A word that alone is longer is cut.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    const INDENT: &str = "  ";
    let width = width.max(20);
    let mut lines = vec![String::from(" ")];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            if used + usize::from(!line.ends_with(' ')) + word.len() <= width {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
                line.extend(word);
                break;
            }
            if INDENT.len() + word.len() > width && line.trim().is_empty() {
                let rest = word.split_off(width - used);
                line.extend(std::mem::replace(&mut word, rest));
            }
            lines.push(INDENT.to_owned());
        }
    }
    lines.join("\n")
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

/// `+1.2 pp (−0.3 to +2.7 pp)`, with the digits that show on which side of no change and of the margin a limit lies.
pub(super) fn change_with_interval(row: &Row) -> String {
    let c = &row.comparison;
    let scale = Scale::of_change(&c.metric);
    let mut thresholds = vec![0.0];
    thresholds.extend(row.no_worse.iter().flat_map(|claim| [claim.margin, -claim.margin]));
    let decimals = scale.decimals_against(c.change, &c.interval, &thresholds);
    format!("{} ({})", scale.change(c.change, decimals), scale.changes(&c.interval, decimals))
}
