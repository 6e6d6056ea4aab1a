//! A table in the columns of goldgate: its texts, checked one by one and turned into entries.

use super::ScoreFile;
use super::collect::{At, Collector, Entry, Layout};
use crate::suite::diag;
use crate::types::{CaseId, ClusterName, MetricKind, MetricName, NameError, Outcome, SliceName, TargetName, Untrusted};
use std::borrow::{Borrow, Cow};
use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Range;

/// The columns, those that must be there first.
pub(super) const COLUMNS: [&str; 8] = ["case", "target", "metric", "value", "cluster", "repeat", "slice", "kind"];
const REQUIRED: usize = 4;
pub(super) const CASE: usize = 0;
pub(super) const TARGET: usize = 1;
pub(super) const METRIC: usize = 2;
pub(super) const VALUE: usize = 3;
pub(super) const CLUSTER: usize = 4;
pub(super) const REPEAT: usize = 5;
pub(super) const SLICE: usize = 6;
pub(super) const KIND: usize = 7;
pub(super) const KINDS: [(&str, MetricKind); 5] = [
    ("binary", MetricKind::Binary),
    ("bounded", MetricKind::Bounded),
    ("event", MetricKind::Event),
    ("duration", MetricKind::Duration),
    ("count", MetricKind::Count),
];

/// One row's texts by column; `None` where the row or the table has no such column.
pub(super) type Cells<'t> = [Option<Cow<'t, str>>; COLUMNS.len()];

/// A file that holds a table.
pub(super) struct Table<'a> {
    found: &'a mut Collector,
    file: usize,
    /// Whose scores the whole table holds, where that is said outside of it.
    target: Option<TargetName>,
    /// The slices of the row before, with the text that names them: they seldom change from row to row.
    slices: (String, Vec<SliceName>),
}

/// The names of all tables so far, each once: a case is named in every row that is of it.
#[derive(Default)]
pub(super) struct Names {
    cases: HashSet<CaseId>,
    targets: HashSet<TargetName>,
    metrics: HashSet<MetricName>,
    clusters: HashSet<ClusterName>,
}

/// The name that a text is, known or new.
fn named<T: Borrow<str> + Clone + Eq + Hash>(
    known: &mut HashSet<T>,
    text: &str,
    new: fn(&str) -> Result<T, NameError>,
) -> Result<T, NameError> {
    if let Some(name) = known.get(text) {
        return Ok(name.clone());
    }
    let name = new(text)?;
    known.insert(name.clone());
    Ok(name)
}

impl<'a> Table<'a> {
    /// Takes up a file.
    pub fn new(found: &'a mut Collector, file: &ScoreFile, layout: Layout) -> Self {
        let index = found.open(&file.source, layout);
        Self { found, file: index, target: file.target.clone(), slices: Default::default() }
    }

    /// Whether the target is said outside of the table.
    pub fn names_target(&self) -> bool {
        self.target.is_some()
    }

    /// The columns that must be there.
    pub fn required(&self) -> String {
        format!("`{}`", needed(self.names_target()).map(|c| COLUMNS[c]).collect::<Vec<_>>().join("`, `"))
    }

    /// Why a column may not be there, and what to do.
    pub fn refused(&self, column: usize) -> Option<(String, String)> {
        let name = self.target.as_ref().filter(|_| column == TARGET)?;
        let message = format!("the table names its targets itself, and is said to be that of `{name}`");
        Some((message, format!("leave out the column `target`, or `{name}=` before the file")))
    }

    /// Says where the columns stand.
    pub fn lay_out(&mut self, fields: [Option<usize>; COLUMNS.len()]) {
        self.found.lay_out(self.file, Layout::Csv(fields));
    }

    /// A mistake in the file.
    pub fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.found.error(self.file, span, message, help);
    }

    /// A mistake in one field of the row that begins at a byte.
    fn field_error(&mut self, row: usize, column: usize, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.found.field_error(At { file: self.file, byte: row }, column, message, help);
    }

    fn name<T: Borrow<str> + Clone + Eq + Hash>(
        &mut self,
        row: usize,
        column: usize,
        cells: &Cells<'_>,
        known: fn(&mut Names) -> &mut HashSet<T>,
        new: fn(&str) -> Result<T, NameError>,
    ) -> Option<T> {
        match named(known(&mut self.found.names), cells[column].as_deref().unwrap_or_default(), new) {
            Ok(name) => Some(name),
            Err(e) => {
                self.field_error(row, column, e.to_string(), None);
                None
            }
        }
    }

    /// Adds a row; what is wrong in it is noted, and the row is then left out of what cannot succeed any more.
    pub fn add(&mut self, row: usize, cells: &Cells<'_>) {
        let case = self.name(row, CASE, cells, |n| &mut n.cases, CaseId::new);
        let target = match &self.target {
            Some(target) => Some(target.clone()),
            None => self.name(row, TARGET, cells, |n| &mut n.targets, TargetName::new),
        };
        let metric = self.name(row, METRIC, cells, |n| &mut n.metrics, MetricName::new);
        let value = self.value(row, cells);
        let repeat = self.repeat(row, cells);
        let kind = self.kind(row, cells);
        let slices = self.slices(row, cells);
        let given = |c: usize| cells[c].as_deref().is_some_and(|t| !t.is_empty());
        let cluster =
            if given(CLUSTER) { self.name(row, CLUSTER, cells, |n| &mut n.clusters, ClusterName::new) } else { None };
        let (Some(case), Some(target), Some(metric), Some(value), Some(repeat), Some(kind), Some(slices)) =
            (case, target, metric, value, repeat, kind, slices)
        else {
            return;
        };
        let cluster = match cluster {
            Some(cluster) => cluster,
            None if given(CLUSTER) => return,
            // A case of which nothing else is said is independent of all others, and its repeats are not.
            None => match named(&mut self.found.names.clusters, case.as_str(), ClusterName::new) {
                Ok(cluster) => cluster,
                Err(e) => return self.field_error(row, CASE, e.to_string(), None),
            },
        };
        let at = At { file: self.file, byte: row };
        let outcome = Outcome::Answered;
        let content = None;
        self.found.add(Entry { at, case, cluster, slices, target, repeat, outcome, metric, kind, value, content });
    }

    /// The value; inside, `None` for a case without a score.
    #[expect(clippy::option_option, reason = "a wrong value and a missing one are two things")]
    fn value(&mut self, row: usize, cells: &Cells<'_>) -> Option<Option<f64>> {
        let text = cells[VALUE].as_deref().unwrap_or_default();
        if text.is_empty() {
            return Some(None);
        }
        match text.parse::<f64>() {
            Ok(v) if v.is_finite() => Some(Some(v)),
            // As pandas writes it.
            _ if text.eq_ignore_ascii_case("true") => Some(Some(1.0)),
            _ if text.eq_ignore_ascii_case("false") => Some(Some(0.0)),
            _ => {
                let message = format!("`{}` is no finite number", shown(text));
                let help = "leave the field empty where there is no score; a wrong answer is a 0".to_owned();
                self.field_error(row, VALUE, message, help);
                None
            }
        }
    }

    fn repeat(&mut self, row: usize, cells: &Cells<'_>) -> Option<u32> {
        let text = cells[REPEAT].as_deref().unwrap_or_default();
        if text.is_empty() {
            return Some(0);
        }
        let repeat = text.parse().ok();
        if repeat.is_none() {
            self.field_error(row, REPEAT, format!("`{}` is no whole number from 0", shown(text)), None);
        }
        repeat
    }

    #[expect(clippy::option_option, reason = "a wrong kind and an undeclared one are two things")]
    fn kind(&mut self, row: usize, cells: &Cells<'_>) -> Option<Option<MetricKind>> {
        let text = cells[KIND].as_deref().unwrap_or_default();
        if text.is_empty() {
            return Some(None);
        }
        let kind = KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
        if kind.is_none() {
            let help = nearest_or(text, KINDS.iter().map(|(name, _)| *name), "the kinds are");
            self.field_error(row, KIND, format!("unknown kind `{}`", shown(text)), help);
        }
        kind.map(Some)
    }

    /// The names of the slice field, which are set apart by `;`.
    fn slices(&mut self, row: usize, cells: &Cells<'_>) -> Option<Vec<SliceName>> {
        let text = cells[SLICE].as_deref().unwrap_or_default();
        if text == self.slices.0 {
            return Some(self.slices.1.clone());
        }
        let mut slices = Vec::new();
        for name in text.split(';').map(str::trim).filter(|name| !name.is_empty()) {
            match SliceName::new(name) {
                Ok(slice) if slice.is_all() => {
                    let message = format!("`{slice}` means every case, and no case belongs to it by being named");
                    self.field_error(row, SLICE, message, "leave the field empty, or take another name".to_owned());
                    return None;
                }
                Ok(slice) => slices.push(slice),
                Err(e) => {
                    self.field_error(row, SLICE, e.to_string(), "several slices are set apart by `;`".to_owned());
                    return None;
                }
            }
        }
        slices.sort();
        slices.dedup();
        self.slices = (text.to_owned(), slices.clone());
        Some(slices)
    }
}

/// The columns that must be there, without that of the target where it is said outside of the table.
pub(super) fn needed(names_target: bool) -> impl Iterator<Item = usize> {
    (0..REQUIRED).filter(move |c| !(names_target && *c == TARGET))
}

/// A text of a file, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    Untrusted::new(text).for_terminal(40)
}

/// What to say of a column that is none.
pub(super) fn unknown(name: &str) -> (String, Option<String>) {
    (format!("unknown column `{}`", shown(name)), Some(nearest_or(name, COLUMNS.into_iter(), "the columns are")))
}

fn nearest_or<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone, otherwise: &str) -> String {
    match diag::nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{otherwise} `{}`", known.collect::<Vec<_>>().join("`, `")),
    }
}
