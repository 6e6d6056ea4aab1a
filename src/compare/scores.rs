//! Anybody's scores: a table of `case, target, metric, value` that another tool wrote, checked and turned into samples.

use crate::score::{Sample, Score};
use crate::suite::diag::{self, Diagnostics, SourceFile};
use crate::suite::json;
use crate::types::{
    CaseId, ClusterName, Direction, Metric, MetricKind, MetricName, NameError, Outcome, SliceName, TargetName,
    Untrusted,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The columns, those that must be there first.
const COLUMNS: [&str; 8] = ["case", "target", "metric", "value", "cluster", "repeat", "slice", "kind"];
const REQUIRED: usize = 4;
const CASE: usize = 0;
const TARGET: usize = 1;
const METRIC: usize = 2;
const VALUE: usize = 3;
const CLUSTER: usize = 4;
const REPEAT: usize = 5;
const SLICE: usize = 6;
const KIND: usize = 7;
const KINDS: [(&str, MetricKind); 5] = [
    ("binary", MetricKind::Binary),
    ("bounded", MetricKind::Bounded),
    ("event", MetricKind::Event),
    ("duration", MetricKind::Duration),
    ("count", MetricKind::Count),
];
/// Mistakes shown before the rest is only counted: a wrong column is one message, not one per row.
const MAX_SHOWN: usize = 20;

/// How the table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values under a header.
    Csv,
    /// One JSON object per line, with the columns as keys.
    Jsonl,
}

/// A checked table of scores.
#[derive(Clone, Debug)]
pub struct Scores {
    /// The rows, one sample per case, target and repeat.
    pub samples: Vec<Sample>,
    /// The metrics by name, with their kinds as declared or as the values show.
    pub metrics: Vec<Metric>,
    /// The targets by name.
    pub targets: Vec<TargetName>,
    /// The slices: all cases, then those of the table by name.
    pub slices: Vec<SliceName>,
}

impl Scores {
    /// Reads a table. An empty value is a case that could not be scored; whatever else is no value is a mistake.
    ///
    /// # Errors
    /// All mistakes found, each with its line and the column at which the wrong field begins.
    pub fn parse(file: &SourceFile, form: Form) -> Result<Self, Diagnostics> {
        let mut table = Table::new(file, form);
        match form {
            Form::Csv => table.read_csv(),
            Form::Jsonl => table.read_jsonl(),
        }
        table.finish()
    }
}

/// One row's texts by column; `None` where the row or the table has no such column.
type Cells = [Option<String>; COLUMNS.len()];

/// What all rows of a case must agree on.
struct CaseFacts {
    cluster: ClusterName,
    slices: Vec<SliceName>,
    row: usize,
}

/// What the rows of a metric say of it.
struct MetricFacts {
    declared: Option<(MetricKind, usize)>,
    values: Vec<(f64, usize)>,
    row: usize,
}

struct Table<'a> {
    file: &'a SourceFile,
    form: Form,
    /// Where each column stands in the header of a CSV file.
    fields: [Option<usize>; COLUMNS.len()],
    wrong: Diagnostics,
    hidden: usize,
    /// A sample with the byte at which the row of each of its scores begins.
    samples: BTreeMap<(CaseId, TargetName, u32), (Sample, Vec<usize>)>,
    cases: BTreeMap<CaseId, CaseFacts>,
    metrics: BTreeMap<MetricName, MetricFacts>,
    targets: BTreeSet<TargetName>,
}

impl<'a> Table<'a> {
    fn new(file: &'a SourceFile, form: Form) -> Self {
        Self {
            file,
            form,
            fields: [None; COLUMNS.len()],
            wrong: Diagnostics::default(),
            hidden: 0,
            samples: BTreeMap::new(),
            cases: BTreeMap::new(),
            metrics: BTreeMap::new(),
            targets: BTreeSet::new(),
        }
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        if self.wrong.all().len() >= MAX_SHOWN {
            self.hidden += 1;
            return;
        }
        let diagnostic = self.file.error(span, message);
        self.wrong.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// A mistake in one field of the row that begins at a byte.
    fn field_error(&mut self, row: usize, column: usize, message: impl Into<String>, help: impl Into<Option<String>>) {
        let span = self.span(row, column);
        self.error(span, message, help.into());
    }

    /// Where a field stands. It is looked for only when it is wrong, so that a good table pays nothing for it.
    fn span(&self, row: usize, column: usize) -> Range<usize> {
        let text = &*self.file.text;
        match (self.form, self.fields[column]) {
            (Form::Csv, Some(field)) => csv_field(text, row, field),
            (Form::Csv, None) => csv_field(text, row, 0),
            (Form::Jsonl, _) => {
                let line = text[row..].lines().next().unwrap_or_default();
                let at = row + json::locate(line, &[COLUMNS[column]]);
                at..at + 1
            }
        }
    }

    /// The line of a row; 0 once no more mistakes are shown, since counting lines in a large table takes its time.
    fn line(&self, row: usize) -> usize {
        if self.wrong.all().len() < MAX_SHOWN { self.file.position(row).0 } else { 0 }
    }

    fn read_csv(&mut self) {
        let text = self.file.text.clone();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let mut width = None;
        loop {
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    self.error(0..0, format!("the table cannot be read: {e}"), None);
                    return;
                }
            }
            let at = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX)).min(text.len());
            // The reader counts a line break that it has not yet skipped, and blank lines, to the row behind them.
            let row = at + text[at..].len() - text[at..].trim_start_matches(['\r', '\n']).len();
            let Some(width) = width else {
                width = Some(record.len());
                if !self.read_header(&record, row) {
                    return;
                }
                continue;
            };
            if record.len() != width {
                let message = format!("{} fields, where the header has {width}", record.len());
                let help = "a field that holds a comma or a quote stands in double quotes".to_owned();
                self.error(csv_field(&text, row, 0), message, Some(help));
                continue;
            }
            let cells =
                std::array::from_fn(|c| self.fields[c].and_then(|f| record.get(f)).map(|cell| cell.trim().to_owned()));
            self.add(row, &cells);
        }
        if width.is_none() {
            self.error(0..0, "the table is empty", Some(format!("its first line names the columns: {}", required())));
        }
    }

    /// Whether the header names every column that must be there, and none that is unknown.
    fn read_header(&mut self, header: &csv::StringRecord, row: usize) -> bool {
        let text = self.file.text.clone();
        for (i, name) in header.iter().map(str::trim).enumerate() {
            let span = csv_field(&text, row, i);
            match COLUMNS.iter().position(|c| *c == name) {
                None => {
                    let (message, help) = unknown(name);
                    self.error(span, message, Some(help));
                }
                Some(c) if self.fields[c].is_some() => {
                    self.error(span, format!("the column `{name}` stands twice"), None);
                }
                Some(c) => self.fields[c] = Some(i),
            }
        }
        let missing: Vec<_> = (0..REQUIRED).filter(|c| self.fields[*c].is_none()).collect();
        for c in missing {
            let message = format!("the column `{}` is missing", COLUMNS[c]);
            self.error(row..row, message, Some(format!("the header needs {}", required())));
        }
        self.wrong.all().is_empty()
    }

    fn read_jsonl(&mut self) {
        let text = self.file.text.clone();
        let mut row = 0;
        for line in text.split_inclusive('\n') {
            let start = row;
            row += line.len();
            if line.trim().is_empty() {
                continue;
            }
            match json::parse_strict(line.trim_end()) {
                Ok(Value::Object(object)) => {
                    if let Some(cells) = self.cells_of(start, line, &object) {
                        self.add(start, &cells);
                    }
                }
                Ok(_) => self.error(
                    start..start + 1,
                    "this line is no JSON object",
                    Some(format!("each line is one object with the keys {}", required())),
                ),
                Err(e) => {
                    // Serde counts columns in bytes from 1, and a mistake at the end of the line behind its last byte.
                    let at = (start + e.column().saturating_sub(1)).min(start + line.trim_end().len());
                    let message = e.to_string();
                    let message = message.split(" at line ").next().unwrap_or_default();
                    self.error(at..at, format!("not JSON: {message}"), None);
                }
            }
        }
        if row == 0 {
            self.error(
                0..0,
                "the table is empty",
                Some(format!("each line is one object with the keys {}", required())),
            );
        }
    }

    fn cells_of(&mut self, row: usize, line: &str, object: &serde_json::Map<String, Value>) -> Option<Cells> {
        let mut good = true;
        let mut cells = Cells::default();
        for (key, value) in object {
            let place = json::locate(line, &[key]);
            let at = row + place;
            let Some(c) = COLUMNS.iter().position(|c| c == key) else {
                let (message, help) = unknown(key);
                // The key itself, unless it is written with escapes.
                let at = line[..place].rfind(&format!("\"{key}\"")).map_or(at, |key| row + key);
                self.error(at..at + 1, message, Some(help));
                good = false;
                continue;
            };
            cells[c] = Some(match value {
                Value::Null => String::new(),
                Value::String(text) if c != VALUE => text.clone(),
                // Other tools number their cases.
                Value::Number(number) if matches!(c, CASE | VALUE | REPEAT) => number.to_string(),
                _ => {
                    let wanted = if c == VALUE { "a number, or null where there is no score" } else { "a text" };
                    self.error(at..at + 1, format!("`{key}` is not {wanted}"), None);
                    good = false;
                    continue;
                }
            });
        }
        for key in &COLUMNS[..REQUIRED] {
            if !object.contains_key(*key) {
                self.error(row..row + 1, format!("the key `{key}` is missing"), None);
                good = false;
            }
        }
        good.then_some(cells)
    }

    fn name<T>(
        &mut self,
        row: usize,
        column: usize,
        cells: &Cells,
        new: fn(&str) -> Result<T, NameError>,
    ) -> Option<T> {
        match new(cells[column].as_deref().unwrap_or_default()) {
            Ok(name) => Some(name),
            Err(e) => {
                self.field_error(row, column, e.to_string(), None);
                None
            }
        }
    }

    /// Adds a row; what is wrong in it is noted, and the row is then left out of what cannot succeed any more.
    fn add(&mut self, row: usize, cells: &Cells) {
        let case = self.name(row, CASE, cells, CaseId::new);
        let target = self.name(row, TARGET, cells, TargetName::new);
        let metric = self.name(row, METRIC, cells, MetricName::new);
        let value = self.value(row, cells);
        let repeat = self.repeat(row, cells);
        let kind = self.kind(row, cells);
        let slices = self.slices(row, cells);
        let given = |c: usize| cells[c].as_deref().is_some_and(|t| !t.is_empty());
        let cluster = if given(CLUSTER) { self.name(row, CLUSTER, cells, ClusterName::new) } else { None };
        let (Some(case), Some(target), Some(metric), Some(value), Some(repeat), Some(kind), Some(slices)) =
            (case, target, metric, value, repeat, kind, slices)
        else {
            return;
        };
        let cluster = match cluster {
            Some(cluster) => cluster,
            None if given(CLUSTER) => return,
            // A case of which nothing else is said is independent of all others, and its repeats are not.
            None => match ClusterName::new(case.as_str()) {
                Ok(cluster) => cluster,
                Err(e) => return self.field_error(row, CASE, e.to_string(), None),
            },
        };
        self.agree_on_case(row, &case, &cluster, &slices);
        self.agree_on_metric(row, &metric, kind, value);
        self.targets.insert(target.clone());
        let key = (case.clone(), target.clone(), repeat);
        let (sample, rows) = self.samples.entry(key).or_insert_with(|| {
            let outcome = Outcome::Answered;
            (
                Sample { case: case.clone(), cluster, slices, target: target.clone(), repeat, outcome, scores: vec![] },
                vec![],
            )
        });
        if let Some(i) = sample.scores.iter().position(|s| s.metric == metric) {
            let first = rows[i];
            let message =
                format!("`{metric}` of the case `{case}` and `{target}` is already on line {}", self.line(first));
            let help = "answers to the same case are numbered in a column `repeat`".to_owned();
            return self.field_error(row, CASE, message, help);
        }
        sample.scores.push(Score { metric, value, why: Untrusted::default() });
        rows.push(row);
    }

    /// The value; inside, `None` for a case without a score.
    #[expect(clippy::option_option, reason = "a wrong value and a missing one are two things")]
    fn value(&mut self, row: usize, cells: &Cells) -> Option<Option<f64>> {
        let text = cells[VALUE].as_deref().unwrap_or_default();
        if text.is_empty() {
            return Some(None);
        }
        match text.parse::<f64>() {
            Ok(v) if v.is_finite() => Some(Some(v)),
            _ => {
                let message = format!("`{}` is no finite number", shown(text));
                let help = "leave the field empty where there is no score; a wrong answer is a 0".to_owned();
                self.field_error(row, VALUE, message, help);
                None
            }
        }
    }

    fn repeat(&mut self, row: usize, cells: &Cells) -> Option<u32> {
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
    fn kind(&mut self, row: usize, cells: &Cells) -> Option<Option<MetricKind>> {
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
    fn slices(&mut self, row: usize, cells: &Cells) -> Option<Vec<SliceName>> {
        let text = cells[SLICE].as_deref().unwrap_or_default();
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
        Some(slices)
    }

    /// A case that changes its cluster or slices from row to row would be compared with other cases than itself.
    fn agree_on_case(&mut self, row: usize, case: &CaseId, cluster: &ClusterName, slices: &[SliceName]) {
        let Some(first) = self.cases.get(case) else {
            let facts = CaseFacts { cluster: cluster.clone(), slices: slices.to_vec(), row };
            self.cases.insert(case.clone(), facts);
            return;
        };
        let (column, line) = match first {
            f if f.cluster != *cluster => (CLUSTER, self.line(f.row)),
            f if f.slices != slices => (SLICE, self.line(f.row)),
            _ => return,
        };
        let message = format!("the {} of the case `{case}` is another than on line {line}", COLUMNS[column]);
        self.field_error(row, column, message, "all rows of a case say the same of it".to_owned());
    }

    fn agree_on_metric(&mut self, row: usize, metric: &MetricName, kind: Option<MetricKind>, value: Option<f64>) {
        let facts = self.metrics.entry(metric.clone()).or_insert(MetricFacts { declared: None, values: vec![], row });
        facts.values.extend(value.map(|v| (v, row)));
        match (facts.declared, kind) {
            (Some((first, at)), Some(now)) if first != now => {
                let message = format!("the kind of `{metric}` is another than on line {}", self.line(at));
                self.field_error(row, KIND, message, None);
            }
            (None, Some(now)) => facts.declared = Some((now, row)),
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Scores, Diagnostics> {
        let mut metrics = Vec::new();
        for (name, facts) in std::mem::take(&mut self.metrics) {
            if let Some(kind) = self.kind_of(&name, &facts) {
                let direction = match kind {
                    MetricKind::Binary | MetricKind::Bounded => Direction::Higher,
                    MetricKind::Event | MetricKind::Duration | MetricKind::Count => Direction::Lower,
                };
                metrics.push(Metric { name, kind, direction });
            }
        }
        if self.wrong.all().is_empty() && self.samples.is_empty() {
            self.error(0..0, "the table has no row below its header", None);
        }
        let mut wrong = std::mem::take(&mut self.wrong);
        if self.hidden > 0 {
            let end = self.file.text.len();
            wrong.push(self.file.error(end..end, format!("{} more mistakes are not shown", self.hidden)));
        }
        let named: BTreeSet<SliceName> = self.cases.into_values().flat_map(|c| c.slices).collect();
        wrong.or(Scores {
            samples: self.samples.into_values().map(|(sample, _)| sample).collect(),
            metrics,
            targets: self.targets.into_iter().collect(),
            slices: std::iter::once(SliceName::all()).chain(named).collect(),
        })
    }

    /// The declared kind, or the one that all values fit; every value that does not fit is noted.
    fn kind_of(&mut self, name: &MetricName, facts: &MetricFacts) -> Option<MetricKind> {
        let inferred = || {
            let all = |f: fn(f64) -> bool| facts.values.iter().all(|(v, _)| f(*v));
            let kinds = [MetricKind::Binary, MetricKind::Bounded];
            kinds.into_iter().find(|kind| all(fits(*kind))).filter(|_| !facts.values.is_empty())
        };
        let Some(kind) = facts.declared.map(|(kind, _)| kind).or_else(inferred) else {
            let known: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
            let help = format!("say in a column `kind` what it is: {}", known.join(", "));
            match facts.values.iter().find(|(v, _)| !fits(MetricKind::Bounded)(*v)) {
                Some((v, row)) => {
                    let message = format!("`{name}` has the value {v}, and nothing says of what kind it is");
                    self.field_error(*row, VALUE, message, help);
                }
                None => self.field_error(facts.row, METRIC, format!("`{name}` has no value in any row"), None),
            }
            return None;
        };
        let fits = fits(kind);
        for (v, row) in facts.values.iter().filter(|(v, _)| !fits(*v)) {
            let (word, wanted) = match kind {
                MetricKind::Binary => ("binary", "0 or 1"),
                MetricKind::Event => ("event", "0 or 1"),
                MetricKind::Bounded => ("bounded", "a number from 0 to 1"),
                MetricKind::Duration => ("duration", "a number of seconds above 0"),
                MetricKind::Count => ("count", "a whole number from 0"),
            };
            self.field_error(*row, VALUE, format!("{v} is no value of the {word} metric `{name}`: {wanted}"), None);
        }
        Some(kind)
    }
}

/// What a value of a kind may be.
fn fits(kind: MetricKind) -> fn(f64) -> bool {
    match kind {
        MetricKind::Binary | MetricKind::Event => |v| v == 0.0 || v == 1.0,
        MetricKind::Bounded => |v| (0.0..=1.0).contains(&v),
        MetricKind::Duration => |v| v > 0.0,
        // Beyond 2^53 not every whole number is one of its own.
        MetricKind::Count => |v| (0.0..=9_007_199_254_740_992.0).contains(&v) && v.fract() == 0.0,
    }
}

fn required() -> String {
    format!("`{}`", COLUMNS[..REQUIRED].join("`, `"))
}

fn shown(text: &str) -> String {
    Untrusted::new(text).for_terminal(40)
}

fn unknown(name: &str) -> (String, String) {
    (format!("unknown column `{}`", shown(name)), nearest_or(name, COLUMNS.into_iter(), "the columns are"))
}

fn nearest_or<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone, otherwise: &str) -> String {
    match diag::nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{otherwise} `{}`", known.collect::<Vec<_>>().join("`, `")),
    }
}

/// The bytes of a field of the row that begins at a byte, quotes included.
fn csv_field(text: &str, row: usize, field: usize) -> Range<usize> {
    let (mut start, mut index, mut quoted) = (row, 0, false);
    for (i, b) in text.as_bytes()[row..].iter().enumerate().map(|(i, b)| (row + i, *b)) {
        match b {
            b'"' => quoted = !quoted,
            b',' | b'\n' | b'\r' if !quoted => {
                if index == field || b != b',' {
                    return start..i;
                }
                index += 1;
                start = i + 1;
            }
            _ => {}
        }
    }
    start..text.len()
}
