//! What all entries of all files must agree on, and the samples that they add up to.

use super::Scores;
use super::cells::{COLUMNS, KIND, KINDS, METRIC, Names, VALUE};
use crate::score::{Sample, Score};
use crate::suite::diag::{Diagnostics, SourceFile};
use crate::suite::json;
use crate::types::{
    CaseId, ClusterName, Digest, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, TargetName, Untrusted,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Mistakes shown before the rest is only counted: a wrong column is one message, not one per row.
const MAX_SHOWN: usize = 20;
/// The most metrics that one comparison reads: nobody reads a table of more, and their number times that of the samples must stay small.
pub(super) const MAX_METRICS: usize = 1000;

/// Where a row begins, or in a file without columns the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// The number of the file.
    pub file: usize,
    /// The byte in its text.
    pub byte: usize,
}

/// How the fields of a row are found again when one of them is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    /// By where each column stands in the header.
    Csv([Option<usize>; COLUMNS.len()]),
    /// By the keys of the line.
    Jsonl,
    /// A place is that of the value.
    Exact,
}

/// What was asked in a case, as far as the file tells: two targets that were asked other things cannot be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    /// What of the case this is, in the words of the file.
    pub what: &'static str,
    /// Where it stands.
    pub at: At,
    /// Its digest.
    pub digest: Digest,
}

/// One value of one case.
pub(super) struct Entry {
    pub at: At,
    pub case: CaseId,
    pub cluster: ClusterName,
    /// Sorted, each once.
    pub slices: Vec<SliceName>,
    pub target: TargetName,
    pub repeat: u32,
    pub outcome: Outcome,
    pub metric: MetricName,
    pub kind: Option<MetricKind>,
    pub value: Option<f64>,
    pub content: Option<Content>,
}

/// What all rows of a case must agree on.
struct CaseFacts {
    cluster: ClusterName,
    slices: Vec<SliceName>,
    at: At,
    content: Option<(Content, TargetName)>,
}

/// What the rows of a metric say of it.
struct MetricFacts {
    declared: Option<(MetricKind, At)>,
    values: Vec<(f64, At)>,
    at: At,
}

/// The entries of all files so far, and what was wrong.
#[derive(Default)]
pub(super) struct Collector {
    files: Vec<(SourceFile, Layout)>,
    wrong: Diagnostics,
    hidden: usize,
    notes: Vec<String>,
    /// The names of the tables.
    pub names: Names,
    /// Samples, each with the place of each of its scores.
    samples: Vec<(Sample, Vec<At>)>,
    /// Where among them the one of a case, target and repeat is.
    numbers: HashMap<(CaseId, TargetName, u32), usize>,
    cases: HashMap<CaseId, CaseFacts>,
    metrics: BTreeMap<MetricName, MetricFacts>,
    targets: BTreeSet<TargetName>,
    /// The files and bytes at which another question than elsewhere stands, as far as told.
    told: BTreeSet<(usize, usize)>,
}

impl Collector {
    /// Takes up the next file and returns its number.
    pub fn open(&mut self, source: &SourceFile, layout: Layout) -> usize {
        self.files.push((source.clone(), layout));
        self.files.len() - 1
    }

    /// Sets how the fields of a file are found, once its header is known.
    pub fn lay_out(&mut self, file: usize, layout: Layout) {
        self.files[file].1 = layout;
    }

    /// Notes what is not taken over.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A mistake in a file.
    pub fn error(&mut self, file: usize, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        if self.wrong.all().len() >= MAX_SHOWN {
            self.hidden += 1;
            return;
        }
        let diagnostic = self.files[file].0.error(span, message);
        self.wrong.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// A mistake in one field of a row.
    pub fn field_error(&mut self, at: At, column: usize, message: impl Into<String>, help: impl Into<Option<String>>) {
        let span = self.span(at, column);
        self.error(at.file, span, message, help.into());
    }

    /// Where a field stands. It is looked for only when it is wrong, so that a good table pays nothing for it.
    fn span(&self, at: At, column: usize) -> Range<usize> {
        let (source, layout) = &self.files[at.file];
        let text = &*source.text;
        match layout {
            Layout::Csv(fields) => csv_field(text, at.byte, fields[column].unwrap_or(0)),
            Layout::Jsonl => {
                let line = text[at.byte..].lines().next().unwrap_or_default();
                let at = at.byte + json::locate(line, &[COLUMNS[column]]);
                at..at + 1
            }
            Layout::Exact => at.byte..at.byte + 1,
        }
    }

    /// Where an earlier row is, seen from a later one. Once no more mistakes are shown the line is 0, since counting lines in a large file
    /// takes its time.
    fn line(&self, earlier: At, from: At) -> String {
        let source = &self.files[earlier.file].0;
        let line = if self.wrong.all().len() < MAX_SHOWN { source.position(earlier.byte).0 } else { 0 };
        if earlier.file == from.file {
            format!("line {line}")
        } else {
            format!("line {line} of {}", shown_path(source))
        }
    }

    /// The line and file of a place, for a note.
    pub fn place(&self, at: At) -> String {
        let source = &self.files[at.file].0;
        format!("line {} of {}", source.position(at.byte).0, shown_path(source))
    }

    /// Adds an entry; what does not agree with earlier ones is noted.
    pub fn add(&mut self, entry: Entry) {
        if self.metrics.len() >= MAX_METRICS && !self.metrics.contains_key(&entry.metric) {
            return self.field_error(entry.at, METRIC, format!("there are more than {MAX_METRICS} metrics"), None);
        }
        self.agree_on_case(&entry);
        self.agree_on_metric(&entry);
        let Entry { at, case, cluster, slices, target, repeat, outcome, metric, value, .. } = entry;
        // Rows of one sample mostly follow each other.
        let is_last = |(s, _): &(Sample, Vec<At>)| s.case == case && s.target == target && s.repeat == repeat;
        let number = if self.samples.last().is_some_and(is_last) {
            self.samples.len() - 1
        } else {
            let next = self.samples.len();
            let number = *self.numbers.entry((case.clone(), target.clone(), repeat)).or_insert(next);
            if number == next {
                self.targets.insert(target.clone());
                let (case, target) = (case.clone(), target.clone());
                // Samples mostly have as many scores as the one before.
                let most = self.samples.last().map_or(0, |(s, _)| s.scores.len());
                let scores = Vec::with_capacity(most);
                let sample = Sample { case, cluster, slices, target, repeat, outcome, scores };
                self.samples.push((sample, Vec::with_capacity(most)));
            }
            number
        };
        let (sample, places) = &mut self.samples[number];
        if let Some(i) = sample.scores.iter().position(|s| s.metric == metric) {
            let first = places[i];
            let message =
                format!("`{metric}` of the case `{case}` and `{target}` is already on {}", self.line(first, at));
            let help = match self.files[at.file].1 {
                Layout::Exact => "if the files are of two targets, name them: --scores NAME=FILE",
                Layout::Csv(_) | Layout::Jsonl => "answers to the same case are numbered in a column `repeat`",
            };
            return self.field_error(at, super::cells::CASE, message, help.to_owned());
        }
        sample.scores.push(Score { metric, value, why: Untrusted::default() });
        places.push(at);
    }

    /// A case that changes its cluster, its slices or its question from row to row would be compared with other cases than itself.
    fn agree_on_case(&mut self, entry: &Entry) {
        let Entry { at, case, .. } = entry;
        let Some(first) = self.cases.get(case) else {
            let content = entry.content.map(|content| (content, entry.target.clone()));
            let facts = CaseFacts { cluster: entry.cluster.clone(), slices: entry.slices.clone(), at: *at, content };
            self.cases.insert(case.clone(), facts);
            return;
        };
        if let (Some((there, target)), Some(here)) = (&first.content, entry.content)
            && there.digest != here.digest
        {
            let message = format!(
                "`{case}` is another question for `{}` than for `{target}` on {}: their {} differs",
                entry.target,
                self.line(there.at, here.at),
                here.what
            );
            // Every metric of the sample says so; once is enough.
            if self.told.insert((here.at.file, here.at.byte)) {
                let help = "compare targets that were asked the same cases, of the same version of the data";
                self.field_error(here.at, super::cells::CASE, message, help.to_owned());
            }
            return;
        }
        let column = match first {
            f if f.cluster != entry.cluster => super::cells::CLUSTER,
            f if f.slices != entry.slices => super::cells::SLICE,
            _ => return,
        };
        let line = self.line(first.at, *at);
        let message = format!("the {} of the case `{case}` is another than on {line}", COLUMNS[column]);
        self.field_error(*at, column, message, "all rows of a case say the same of it".to_owned());
    }

    fn agree_on_metric(&mut self, entry: &Entry) {
        let Entry { at, metric, .. } = entry;
        let new = MetricFacts { declared: None, values: vec![], at: *at };
        let facts = self.metrics.entry(metric.clone()).or_insert(new);
        facts.values.extend(entry.value.map(|v| (v, *at)));
        match (facts.declared, entry.kind) {
            (Some((first, place)), Some(now)) if first != now => {
                let message = format!("the kind of `{metric}` is another than on {}", self.line(place, *at));
                self.field_error(*at, KIND, message, None);
            }
            (None, Some(now)) => facts.declared = Some((now, *at)),
            _ => {}
        }
    }

    /// The scores, if nothing was wrong.
    pub fn finish(mut self) -> Result<Scores, Diagnostics> {
        let mut metrics = Vec::new();
        for (name, facts) in std::mem::take(&mut self.metrics) {
            if let Some(kind) = self.kind_of(&name, &facts) {
                if facts.declared.is_none() && kind == MetricKind::Bounded {
                    // A time below a second and a rate of errors look like a score.
                    self.notes.push(format!(
                        "nothing says of what kind `{name}` is: it is taken as a score from 0 to 1 of which more is better"
                    ));
                }
                let direction = match kind {
                    MetricKind::Binary | MetricKind::Bounded => Direction::Higher,
                    MetricKind::Event | MetricKind::Duration | MetricKind::Count => Direction::Lower,
                };
                metrics.push(Metric { name, kind, direction });
            }
        }
        if self.wrong.all().is_empty() && self.samples.is_empty() {
            let help = (!self.notes.is_empty()).then(|| self.notes.join("; "));
            self.error(0, 0..0, "no metric can be compared", help);
        }
        let mut wrong = std::mem::take(&mut self.wrong);
        if let (Some((source, _)), 1..) = (self.files.last(), self.hidden) {
            let end = source.text.len();
            wrong.push(source.error(end..end, format!("{} more mistakes are not shown", self.hidden)));
        }
        let named: BTreeSet<SliceName> = self.cases.into_values().flat_map(|c| c.slices).collect();
        let mut samples: Vec<Sample> = self.samples.into_iter().map(|(sample, _)| sample).collect();
        samples.sort_by(|a, b| (&a.case, &a.target, a.repeat).cmp(&(&b.case, &b.target, b.repeat)));
        wrong.or(Scores {
            samples,
            metrics,
            targets: self.targets.into_iter().collect(),
            slices: std::iter::once(SliceName::all()).chain(named).collect(),
            notes: self.notes,
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
            let help = format!("say in a column `kind` what it is: {}; bring a score to 0 to 1", known.join(", "));
            match facts.values.iter().find(|(v, _)| !fits(MetricKind::Bounded)(*v)) {
                Some((v, at)) => {
                    let message = format!("`{name}` has the value {v}, and nothing says of what kind it is");
                    self.field_error(*at, VALUE, message, help);
                }
                None => self.field_error(facts.at, METRIC, format!("`{name}` has no value in any row"), None),
            }
            return None;
        };
        let fits = fits(kind);
        for (v, at) in facts.values.iter().filter(|(v, _)| !fits(*v)) {
            let (word, wanted) = match kind {
                MetricKind::Binary => ("binary", "0 or 1"),
                MetricKind::Event => ("event", "0 or 1"),
                MetricKind::Bounded => ("bounded", "a number from 0 to 1"),
                MetricKind::Duration => ("duration", "a number of seconds above 0"),
                MetricKind::Count => ("count", "a whole number from 0 to 9007199254740992"),
            };
            self.field_error(*at, VALUE, format!("{v} is no value of the {word} metric `{name}`: {wanted}"), None);
        }
        Some(kind)
    }
}

/// What a value of a kind may be.
pub(super) fn fits(kind: MetricKind) -> fn(f64) -> bool {
    match kind {
        MetricKind::Binary | MetricKind::Event => |v| v == 0.0 || v == 1.0,
        MetricKind::Bounded => |v| (0.0..=1.0).contains(&v),
        MetricKind::Duration => |v| v > 0.0,
        // Beyond 2^53 not every whole number is one of its own.
        MetricKind::Count => |v| (0.0..=9_007_199_254_740_992.0).contains(&v) && v.fract() == 0.0,
    }
}

fn shown_path(source: &SourceFile) -> String {
    format!("`{}`", Untrusted::new(source.path.as_str()).for_terminal(200))
}

/// The bytes of a field of the row that begins at a byte, quotes included.
pub(super) fn csv_field(text: &str, row: usize, field: usize) -> Range<usize> {
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
