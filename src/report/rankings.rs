//! Many candidates for a terminal: who was chosen and confirmed, and a ranking per metric.

use super::beside::named;
use super::comparisons::{EACH_BY_ITSELF, answer, change_with_interval, of_candidate, word, wrapped};
use crate::compare::{Best, ComparisonTable, Ranked, Ranking, Row, Selection};
use crate::types::number::{self, Scale};
use crate::types::{Metric, MetricName, TargetName};
use comfy_table::{ContentArrangement, Table, presets};
use std::collections::{BTreeMap, BTreeSet};

/// Above this number of candidates their tables are too long to read, and the rankings stand in for them.
const FEW: usize = 6;
/// Above this number of metrics, only those with a margin or a selection are ranked on the terminal, or else the first.
const METRICS: usize = 4;
/// Candidates that a note lists before the rest is counted.
const NAMED: usize = 5;
/// Letters in a row that are shortened to the first and the last.
const RUN: usize = 4;

/// The selection if there is one, the tables of the candidates if they are few, and the rankings; none of them without a use here.
pub(super) fn parts(table: &ComparisonTable, width: u16) -> Vec<String> {
    let (shown, hidden) = shown(table);
    let of_candidates = || table.candidates.iter().map(|name| of_candidate(table, name, "", width));
    let many = table.candidates.len() > FEW;
    // Where a metric has no ranking to stand in for the tables, or slices were asked for, nobody's table may be missing.
    let all_ranked = shown.len() + hidden.len() == table.rankings.len() && table.not_ranked.is_empty();
    let by_slice = table.comparisons.iter().any(|row| !row.comparison.slice.is_all());
    let instead = many && all_ranked && !by_slice && table.selection.is_none();
    let rankings = || shown.iter().map(|r| ranking(table, r, instead, width));
    let mut parts = Vec::new();
    match &table.selection {
        Some(selection) => parts.extend(chosen(table, selection, width)),
        None if !many => parts.extend(of_candidates()),
        None => {}
    }
    parts.extend(rankings());
    let notes = legend(table, &shown, &hidden, instead);
    if !notes.is_empty() {
        parts.push(notes.iter().map(|note| wrapped(note, usize::from(width))).collect::<Vec<_>>().join("\n"));
    }
    if table.selection.is_none() && many && !instead {
        parts.extend(of_candidates());
    }
    parts
}

/// The rankings for the terminal, and the names of those that only the JSON has.
fn shown(table: &ComparisonTable) -> (Vec<&Ranking>, Vec<&MetricName>) {
    if table.rankings.len() <= METRICS {
        return (table.rankings.iter().collect(), Vec::new());
    }
    let confirmed = table.selection.iter().flat_map(|s| &s.confirm);
    let rows = table.comparisons.iter().chain(confirmed).filter(|row| row.no_worse.is_some());
    let mut asked: BTreeSet<&MetricName> = rows.map(|row| &row.comparison.metric.name).collect();
    asked.extend(table.selection.iter().map(|s| &s.metric));
    if asked.is_empty() {
        asked.extend(table.rankings.iter().take(METRICS).map(|r| &r.metric.name));
    }
    let (shown, hidden): (Vec<_>, Vec<_>) = table.rankings.iter().partition(|r| asked.contains(&r.metric.name));
    (shown, hidden.into_iter().map(|r| &r.metric.name).collect())
}

/// Who was chosen, by what, and what is left of it; then the winner's own table.
fn chosen(table: &ComparisonTable, s: &Selection, width: u16) -> [String; 2] {
    let confirmed = ComparisonTable {
        candidates: vec![s.winner.clone()],
        comparisons: s.confirm.clone(),
        not_comparable: s.not_comparable.clone(),
        rankings: Vec::new(),
        not_ranked: Vec::new(),
        selection: None,
        ..table.clone()
    };
    let metric = s.confirm.iter().map(|row| &row.comparison.metric).find(|m| m.name == s.metric);
    let mut text =
        format!("{} was chosen by {} from {} candidates, on the select part of the cases", s.winner, s.metric, s.of);
    if let Some(metric) = metric {
        let mut scores = plain_table(width);
        scores.set_header(["part", "clusters", "its score", "change"]);
        let scale = Scale::of_level(metric, s.select_value.max(s.confirm_value));
        for (part, clusters, value, change) in [
            ("select", s.select_clusters, s.select_value, s.select_change),
            ("confirm", s.confirm_clusters, s.confirm_value, s.confirm_change),
        ] {
            let clusters = number::count(clusters as u64);
            scores.add_row([part.to_owned(), clusters, scale.level(value, decimals(metric)), changed(metric, change)]);
        }
        let difference = format!(
            "The change on the confirm part is the estimate; it differs by {} from the one that the choice was made by: the winner's \
             curse, and chance. Split with seed {}.",
            changed(metric, s.difference),
            s.seed
        );
        text.push_str(&format!("\n{}\n\n{}", scores.trim_fmt(), wrapped(&difference, usize::from(width))));
    }
    [text, of_candidate(&confirmed, &s.winner, ", confirm part", width)]
}

fn plain_table(width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table
}

fn decimals(metric: &Metric) -> usize {
    if metric.is_share() || metric.is_timing() { 1 } else { 0 }
}

/// A change with a decimal, since here it stands without an interval that would say how many it supports.
fn changed(metric: &Metric, change: f64) -> String {
    Scale::of_change(metric).change(change, 1)
}

/// The targets on one metric, best first; `instead` of the candidates' tables with what those would say.
fn ranking(table: &ComparisonTable, r: &Ranking, instead: bool, width: u16) -> String {
    let rows: BTreeMap<&TargetName, &Row> = table
        .comparisons
        .iter()
        .filter(|row| row.comparison.metric.name == r.metric.name && row.comparison.slice.is_all())
        .map(|row| (&row.comparison.candidate, row))
        .collect();
    let with_margin = instead && rows.values().any(|row| row.no_worse.is_some());
    let mut out = plain_table(width);
    let mut header = vec!["rank", "target", "value"];
    if instead {
        header.extend(["change (interval)", if with_margin { "no worse?" } else { "" }]);
    }
    header.push("groups");
    out.set_header(header);
    let scale = Scale::of_level(&r.metric, r.targets.iter().map(|t| t.value).fold(0.0, f64::max));
    for t in &r.targets {
        let mut cells = vec![place(t), t.target.to_string(), scale.level(t.value, decimals(&r.metric))];
        if instead {
            let row = rows.get(&t.target);
            let alone = if t.target == table.baseline { "baseline" } else { number::NOTHING };
            cells.push(row.map_or_else(|| alone.to_owned(), |row| change_with_interval(row)));
            // One column for both, since a row of a long table should be one line.
            let claim = row.and_then(|row| row.no_worse.as_ref()).map(|claim| answer(claim.answer));
            let said: Vec<_> = claim.into_iter().chain(row.map(|row| word(row))).filter(|w| !w.is_empty()).collect();
            cells.push(said.join(", "));
        }
        cells.push(letters(&t.groups));
        out.add_row(cells);
    }
    let part = if table.selection.is_some() { ", select part" } else { "" };
    let mut text = format!(
        "{}: {} targets ranked on {} independent cases{part}\n{}",
        r.metric.name,
        r.targets.len(),
        number::count(r.clusters as u64),
        out.trim_fmt()
    );
    let mut notes = notes(r);
    if instead {
        notes.extend(notes_of_candidates(table, r, &rows));
    }
    for (i, note) in notes.iter().enumerate() {
        text.push_str(if i == 0 { "\n\n" } else { "\n" });
        text.push_str(&wrapped(note, usize::from(width)));
    }
    text
}

/// `3 (1–7)`: the rank and its interval; a shared rank is `3.5`.
fn place(t: &Ranked) -> String {
    format!("{} ({}–{})", t.rank, t.rank_interval.lower(), t.rank_interval.upper())
}

/// `abc`, and `a–f` for a long run; longer names than one letter are set apart.
fn letters(groups: &[String]) -> String {
    let single: Option<Vec<u8>> = groups.iter().map(|g| <[u8; 1]>::try_from(g.as_bytes()).ok().map(|[l]| l)).collect();
    let Some(single) = single else { return groups.join(" ") };
    let runs = single.chunk_by(|a, b| a + 1 == *b).map(|run| {
        let text: String = run.iter().copied().map(char::from).collect();
        match (text.chars().next(), text.chars().last()) {
            (Some(first), Some(last)) if run.len() >= RUN => format!("{first}–{last}"),
            _ => text,
        }
    });
    runs.collect()
}

fn notes(r: &Ranking) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(best) = &r.best {
        notes.push(flattered(&r.metric, best));
    }
    if !r.left_out.is_empty() {
        let count = r.left_out.len();
        let cases = if count == 1 { "1 case is" } else { &format!("{count} cases are") };
        notes.push(format!("{cases} left out, since some target lacks a score: {}", named(&r.left_out)));
    }
    if !r.unranked.is_empty() {
        notes
            .push(format!("without a rank, since more than 2 % of the cases lack their score: {}", names(&r.unranked)));
    }
    notes
}

/// What the best of several must not be believed.
fn flattered(metric: &Metric, best: &Best) -> String {
    let Best { candidate, of, .. } = best;
    let (shown, shrunken) = match (best.change, best.shrunken_change) {
        (Some(change), Some(shrunken)) => (changed(metric, change), changed(metric, shrunken)),
        _ => {
            let scale = Scale::of_level(metric, best.value);
            (scale.level(best.value, decimals(metric)), scale.level(best.shrunken_value, decimals(metric)))
        }
    };
    let flattery = if shown == shrunken {
        format!("so {shown} may flatter it, though making the choice again on resamples finds nothing to take off")
    } else {
        format!("so {shown} flatters it; shrunken, about {shrunken} (approximate)")
    };
    format!(
        "{candidate} was chosen as the best of {of} candidates by these very scores, {flattery}. --select {} chooses and compares on different cases.",
        metric.name
    )
}

/// What the tables of the candidates would have said below them, by what it says and not by candidate.
fn notes_of_candidates(table: &ComparisonTable, r: &Ranking, rows: &BTreeMap<&TargetName, &Row>) -> Vec<String> {
    let mut notes = Vec::new();
    let mut reasons: BTreeMap<(&str, &str), Vec<TargetName>> = BTreeMap::new();
    let mut fallbacks: BTreeMap<&str, Vec<TargetName>> = BTreeMap::new();
    let (mut lacking, mut severe, mut margin, mut level) = (Vec::new(), Vec::new(), None, None);
    for (name, row) in rows {
        if let Some(claim) = &row.no_worse {
            margin = Some(claim.margin);
            if let Some(why) = &claim.why {
                reasons.entry((answer(claim.answer), why)).or_default().push((*name).clone());
            }
        }
        level = Some(row.comparison.interval.level());
        if !row.comparison.unscored.is_empty() {
            lacking.push((*name).clone());
        }
        if row.comparison.severe.as_ref().is_some_and(|s| s.lost > s.gained) {
            severe.push((*name).clone());
        }
        for fallback in &row.comparison.method.fallbacks {
            fallbacks.entry(fallback).or_default().push((*name).clone());
        }
    }
    if let Some(level) = level {
        notes.push(format!("change: against {}, {} intervals", table.baseline, number::confidence(level)));
    }
    if let Some(margin) = margin {
        let margin = Scale::of_change(&r.metric).exact(margin);
        notes.push(format!("no worse? = the loss is proven to be below the margin: {margin}"));
        notes.push(EACH_BY_ITSELF.to_owned());
    }
    notes.extend(reasons.into_iter().map(|((word, why), who)| format!("{word} for {}: {why}", names(&who))));
    if !lacking.is_empty() {
        notes.push(format!("a score is missing, or the baseline's, on some cases of {}", names(&lacking)));
    }
    if !severe.is_empty() {
        notes.push(format!("more cases lost half the scale or more than gained it at {}", names(&severe)));
    }
    notes.extend(fallbacks.into_iter().map(|(what, who)| format!("{}: {what}", names(&who))));
    let mut gaps: BTreeMap<&str, Vec<TargetName>> = BTreeMap::new();
    for gap in table.not_comparable.iter().filter(|g| g.metric == r.metric.name) {
        gaps.entry(&gap.reason).or_default().push(gap.candidate.clone());
    }
    notes.extend(gaps.into_iter().map(|(why, who)| format!("{} cannot be compared: {why}", names(&who))));
    notes
}

fn names(targets: &[TargetName]) -> String {
    let shown: Vec<_> = targets.iter().take(NAMED).map(TargetName::as_str).collect();
    let more = targets.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// What all rankings have in common, and what is not shown.
fn legend(table: &ComparisonTable, shown: &[&Ranking], hidden: &[&MetricName], instead: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !shown.is_empty() {
        notes.push("rank (interval) = its place, and 95 % of its places over resamples of the cases".to_owned());
        notes.push(format!(
            "groups = two targets share a letter unless a test tells them apart (all pairs, Holm, at {})",
            table.alpha
        ));
    }
    if instead && table.comparisons.iter().any(|row| word(row) == "better") {
        notes.push(format!(
            "better = for {} candidates at once (Holm), where there is a p value",
            table.candidates.len()
        ));
    }
    for gap in &table.not_ranked {
        notes.push(format!("{} cannot be ranked: {}", gap.metric, gap.reason));
    }
    if !hidden.is_empty() {
        let hidden: Vec<_> = hidden.iter().map(|name| name.as_str()).collect();
        notes.push(format!("not shown, but in --json, and with --margin: {}", hidden.join(", ")));
    }
    notes
}
