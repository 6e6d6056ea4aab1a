//! `samples_<task>_<time>.jsonl`, which lm-evaluation-harness writes per task and model with `--log_samples`: one line per document and
//! filter, with a key per metric.

use super::ScoreFile;
use super::cells::shown;
use super::collect::{At, Collector, Content, Layout};
use super::python::{Found, Lenient, lawful, number};
use super::readings::Reading;
use crate::suite::json::UniqueMap;
use crate::types::{CaseId, ClusterName, Digest, MetricName, Outcome, SliceName, TargetName};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The keys of a line that are no metrics, for files of versions that do not list the metrics.
const BOOKKEEPING: [&str; 13] = [
    "arguments",
    "doc",
    "doc_hash",
    "doc_id",
    "filter",
    "filtered_resps",
    "metrics",
    "prompt_hash",
    "resps",
    "target",
    "target_hash",
    "task",
    "task_name",
];

/// The lines of all files of the harness.
#[derive(Default)]
pub(super) struct Samples {
    /// Each with its filter.
    found: Vec<(Reading, String)>,
}

/// What a line says of itself beside its metrics.
struct Head {
    case: CaseId,
    cluster: ClusterName,
    filter: String,
    content: Option<Content>,
}

type Row<'a> = BTreeMap<String, &'a RawValue>;
/// Where in the file something is wrong, and what.
type Fault = (usize, String);

impl Samples {
    /// Reads a file.
    pub fn read(&mut self, found: &mut Collector, file: &ScoreFile) {
        let index = found.open(&file.source, Layout::Exact);
        let (target, task) = match (target_of(file), task_of(&file.source.path)) {
            (Ok(target), Ok(task)) => (target, task),
            (Err((message, help)), _) | (_, Err((message, help))) => {
                return found.error(index, 0..0, message, Some(help));
            }
        };
        let lenient = Lenient::new(&file.source.text);
        for line in lenient.text.lines().filter(|line| !line.trim().is_empty()) {
            if let Err((byte, message)) = self.read_line(&lenient, line, index, &target, &task) {
                found.error(index, byte..byte, message, None);
            }
        }
    }

    fn read_line(
        &mut self,
        lenient: &Lenient,
        line: &str,
        file: usize,
        target: &TargetName,
        task: &str,
    ) -> Result<(), Fault> {
        let UniqueMap(row) = serde_json::from_str::<UniqueMap<&RawValue>>(line).map_err(|e| {
            let (at, message) = lenient.fault(line, &e);
            (at, format!("no line of lm-evaluation-harness: {message}"))
        })?;
        let Head { case, cluster, filter, content } = head(lenient, line, &row, task, file)?;
        let slice = SliceName::new(&lawful(task)).map_err(|e| (lenient.offset(line), e.to_string()))?;
        for name in metrics(lenient, &row)? {
            let Some(raw) = row.get(&name) else {
                let message = format!("the metric `{}` is listed, and the line has no such key", shown(&name));
                return Err((lenient.offset(line), message));
            };
            let byte = lenient.offset(raw.get());
            let metric = MetricName::new(&lawful(&name)).map_err(|e| (byte, e.to_string()))?;
            let reading = Reading {
                at: At { file, byte },
                case: case.clone(),
                cluster: cluster.clone(),
                slice: slice.clone(),
                target: target.clone(),
                repeat: 0,
                outcome: Outcome::Answered,
                metric,
                kind: None,
                value: number(raw),
                content,
            };
            self.found.push((reading, filter.clone()));
        }
        Ok(())
    }

    /// All values, those of a task with several filters under the name of the metric and the filter.
    pub fn finish(self) -> Vec<Reading> {
        let mut filters: BTreeMap<SliceName, BTreeSet<String>> = BTreeMap::new();
        for (reading, filter) in &self.found {
            filters.entry(reading.slice.clone()).or_default().insert(filter.clone());
        }
        let named = self.found.into_iter().map(|(mut reading, filter)| {
            if filters.get(&reading.slice).is_some_and(|all| all.len() > 1)
                && let Ok(metric) = MetricName::new(&format!("{}.{}", reading.metric, lawful(&filter)))
            {
                reading.metric = metric;
            }
            reading
        });
        named.collect()
    }
}

/// Whose scores these are: as said, or the folder that the harness names after the model.
fn target_of(file: &ScoreFile) -> Result<TargetName, (String, String)> {
    if let Some(target) = &file.target {
        return Ok(target.clone());
    }
    let folder = Path::new(&file.source.path).parent().and_then(Path::file_name).and_then(|f| f.to_str());
    TargetName::new(&lawful(folder.unwrap_or_default())).map_err(|_| {
        let message = "nothing says whose scores these are: the file lies in no folder that is named after a model";
        (message.to_owned(), "name the target: --scores NAME=FILE".to_owned())
    })
}

/// The task, which only the name of the file tells: `samples_<task>_<time>.jsonl`.
fn task_of(path: &str) -> Result<String, (String, String)> {
    let name = Path::new(path).file_name().and_then(|f| f.to_str()).unwrap_or_default();
    let stem = name.strip_prefix("samples_").and_then(|n| n.strip_suffix(".jsonl"));
    let task = stem.and_then(|stem| stem.rsplit_once('_')).filter(|(task, time)| {
        let day = time.as_bytes().get(..11).unwrap_or_default();
        !task.is_empty() && day.last() == Some(&b'T') && day[..10].iter().all(|b| b.is_ascii_digit() || *b == b'-')
    });
    task.map(|(task, _)| task.to_owned()).ok_or_else(|| {
        let message = "the name of the file does not say which task this is";
        (message.to_owned(), "keep the name that lm_eval gave: samples_<task>_<time>.jsonl".to_owned())
    })
}

fn text(lenient: &Lenient, row: &Row, key: &str) -> Result<Option<String>, Fault> {
    let Some(raw) = row.get(key).filter(|raw| raw.get() != "null") else { return Ok(None) };
    let text = serde_json::from_str(raw.get());
    text.map(Some).map_err(|_| (lenient.offset(raw.get()), format!("`{key}` is no text")))
}

fn head(lenient: &Lenient, line: &str, row: &Row, task: &str, file: usize) -> Result<Head, Fault> {
    let Some(raw) = row.get("doc_id") else {
        return Err((lenient.offset(line), "the key `doc_id` is missing".to_owned()));
    };
    let byte = lenient.offset(raw.get());
    let Ok(doc) = serde_json::from_str::<u64>(raw.get()) else {
        return Err((byte, "`doc_id` is no whole number from 0".to_owned()));
    };
    for key in ["task", "task_name"] {
        if let (Some(said), Some(raw)) = (text(lenient, row, key)?, row.get(key))
            && said != task
        {
            let message = format!("the line is of the task `{}`, and the file by its name of `{task}`", shown(&said));
            return Err((lenient.offset(raw.get()), message));
        }
    }
    let id = format!("{}-{doc}", lawful(task));
    let hash = text(lenient, row, "doc_hash")?.zip(row.get("doc_hash"));
    let content = hash.map(|(hash, raw)| {
        let at = At { file, byte: lenient.offset(raw.get()) };
        Content { what: "doc_hash", at, digest: Digest::of(hash.as_bytes()) }
    });
    Ok(Head {
        case: CaseId::new(&id).map_err(|e| (byte, e.to_string()))?,
        cluster: ClusterName::new(&id).map_err(|e| (byte, e.to_string()))?,
        filter: text(lenient, row, "filter")?.unwrap_or_default(),
        content,
    })
}

/// The metrics that the line lists; in older versions, every key with a number that is no other.
fn metrics(lenient: &Lenient, row: &Row) -> Result<Vec<String>, Fault> {
    if let Some(raw) = row.get("metrics") {
        return serde_json::from_str(raw.get())
            .map_err(|_| (lenient.offset(raw.get()), "`metrics` is no list of names".to_owned()));
    }
    let other = |(key, raw): &(&String, &&RawValue)| {
        !BOOKKEEPING.contains(&key.as_str()) && matches!(number(raw), Found::Value(_) | Found::Missing)
    };
    Ok(row.iter().filter(other).map(|(key, _)| key.clone()).collect())
}
