//! A JSON log of Inspect (version 2): one document per evaluation of one model on one task, with its samples and their scores.

use super::ScoreFile;
use super::cells::shown;
use super::collect::{At, Collector, Content, Layout};
use super::python::{Found, Lenient, lawful, number};
use super::readings::Reading;
use crate::suite::json::UniqueMap;
use crate::types::{CaseId, ClusterName, Digest, MetricKind, MetricName, Outcome, SliceName, TargetName};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The most values that the samples of all logs may have. A file may name many metrics once and many samples without any.
const MAX_VALUES: usize = 2_000_000;
const TOTAL_TIME: &str = "total_time";
const OUTPUT_TOKENS: &str = "output_tokens";

/// The samples of all logs.
#[derive(Default)]
pub(super) struct Logs {
    found: Vec<Asked>,
}

/// One sample: one epoch of one case.
struct Asked {
    at: At,
    case: CaseId,
    cluster: ClusterName,
    task: SliceName,
    target: TargetName,
    repeat: u32,
    content: Option<Content>,
    /// Whether the sample ended in an error, so that nothing of it was scored or it does not count.
    failed: bool,
    values: BTreeMap<MetricName, (Found, At)>,
    seconds: Option<(Found, At)>,
    tokens: Option<(Found, At)>,
}

/// What the log says of itself.
struct Header {
    file: usize,
    model: String,
    target: TargetName,
    task: SliceName,
}

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Where in the file something is wrong, what, and what to do.
struct Fault {
    byte: usize,
    message: String,
    help: Option<&'static str>,
}

impl Logs {
    /// Reads a log.
    pub fn read(&mut self, found: &mut Collector, file: &ScoreFile) {
        let index = found.open(&file.source, Layout::Exact);
        let doc = Doc(Lenient::new(&file.source.text));
        let (header, samples) = match header(&doc, file, index) {
            Ok(read) => read,
            Err(f) => return found.error(index, f.byte..f.byte, f.message, f.help.map(str::to_owned)),
        };
        for raw in samples {
            match asked(&doc, raw, &header) {
                Ok(sample) => self.found.push(sample),
                Err(f) => found.error(index, f.byte..f.byte, f.message, f.help.map(str::to_owned)),
            }
        }
    }

    /// All values. A score that the other samples of the task have and this one lacks is missing, unless the sample failed: that is the
    /// model's error, and a 0.
    pub fn finish(self, found: &mut Collector) -> Vec<Reading> {
        let mut expected: BTreeMap<SliceName, BTreeSet<MetricName>> = BTreeMap::new();
        let (mut timed, mut counted) = (BTreeSet::new(), BTreeSet::new());
        for sample in &self.found {
            expected.entry(sample.task.clone()).or_default().extend(sample.values.keys().cloned());
            timed.extend(sample.seconds.is_some().then(|| sample.task.clone()));
            counted.extend(sample.tokens.is_some().then(|| sample.task.clone()));
        }
        let values = self.found.iter().map(|s| expected.get(&s.task).map_or(0, BTreeSet::len) + 2).sum::<usize>();
        if let (Some(first), true) = (self.found.first(), values > MAX_VALUES) {
            found.error(first.at.file, 0..0, format!("the samples have more than {MAX_VALUES} values"), None);
            return vec![];
        }
        let mut readings = Vec::new();
        for sample in self.found {
            let outcome = if sample.failed { Outcome::Failed } else { Outcome::Answered };
            let mut push = |metric: MetricName, kind, (value, at): (Found, At)| {
                readings.push(Reading {
                    at,
                    case: sample.case.clone(),
                    cluster: sample.cluster.clone(),
                    slice: sample.task.clone(),
                    target: sample.target.clone(),
                    repeat: sample.repeat,
                    outcome,
                    metric,
                    kind,
                    value,
                    content: sample.content,
                });
            };
            for metric in expected.get(&sample.task).into_iter().flatten() {
                let value = match sample.values.get(metric) {
                    // A score that cannot be compared is none for a failed sample either.
                    Some((Found::Unusable, at)) => (Found::Unusable, *at),
                    _ if sample.failed => (Found::Value(0.0), sample.at),
                    Some(read) => *read,
                    None => (Found::Missing, sample.at),
                };
                push(metric.clone(), None, value);
            }
            // The time and the tokens up to an error are those of no answer.
            for (name, kind, tasks, read) in [
                (TOTAL_TIME, MetricKind::Duration, &timed, sample.seconds),
                (OUTPUT_TOKENS, MetricKind::Count, &counted, sample.tokens),
            ] {
                if tasks.contains(&sample.task) {
                    let read = read.filter(|_| !sample.failed).unwrap_or((Found::Missing, sample.at));
                    push(MetricName::new(name).expect("a plain name"), Some(kind), read);
                }
            }
        }
        readings
    }
}

/// The document, with the places of its parts.
struct Doc<'a>(Lenient<'a>);

impl Doc<'_> {
    fn fault(&self, part: &RawValue, message: impl Into<String>) -> Fault {
        Fault { byte: self.0.offset(part.get()), message: message.into(), help: None }
    }

    fn object<'d>(&self, part: &'d str, what: &str) -> Result<Object<'d>, Fault> {
        let read = serde_json::from_str::<UniqueMap<&RawValue>>(part);
        read.map(|UniqueMap(object)| object).map_err(|e| {
            let (byte, message) = self.0.fault(part, &e);
            Fault { byte, message: format!("no {what} of an Inspect log: {message}"), help: None }
        })
    }

    /// A field that may be absent or null.
    fn field<T: DeserializeOwned>(&self, object: &Object, key: &str, wanted: &str) -> Result<Option<T>, Fault> {
        let Some(raw) = present(object, key) else { return Ok(None) };
        let read = serde_json::from_str(raw.get());
        read.map(Some).map_err(|_| self.fault(raw, format!("`{key}` is not {wanted}")))
    }

    fn at(&self, file: usize, raw: &RawValue) -> At {
        At { file, byte: self.0.offset(raw.get()) }
    }
}

/// The value of a key that is there and not null.
fn present<'a>(object: &Object<'a>, key: &str) -> Option<&'a RawValue> {
    object.get(key).copied().filter(|raw| raw.get() != "null")
}

fn header<'d>(doc: &'d Doc, file: &ScoreFile, index: usize) -> Result<(Header, Vec<&'d RawValue>), Fault> {
    let first = |message: String, help| Fault { byte: 0, message, help: Some(help) };
    let top = doc.object(&doc.0.text, "document")?;
    let Some(eval) = present(&top, "eval") else {
        let message = "this JSON is no Inspect log: it has no key `eval`".to_owned();
        return Err(first(message, "tables are CSV or JSON lines; logs are made with `inspect log dump LOG.eval`"));
    };
    let version: u64 = doc.field(&top, "version", "a whole number")?.unwrap_or(1);
    if version != 2 {
        let message = format!("the log is of version {version}, and goldgate reads version 2");
        return Err(first(message, "write it anew with `inspect log convert --to json`, of a newer Inspect"));
    }
    let status: String = doc.field(&top, "status", "a text")?.unwrap_or_default();
    if status != "success" {
        let message = format!("the status of the log is `{}`, so that cases may be missing", shown(&status));
        return Err(first(message, "finish the evaluation with `inspect eval-retry`"));
    }
    let eval = doc.object(eval.get(), "`eval`")?;
    let missing = |key| first(format!("the log's `eval` has no `{key}`"), "give the log as Inspect wrote it");
    let model: String = doc.field(&eval, "model", "a text")?.ok_or_else(|| missing("model"))?;
    let task: String = doc.field(&eval, "task", "a text")?.ok_or_else(|| missing("task"))?;
    let target = match &file.target {
        Some(target) => target.clone(),
        None => TargetName::new(&lawful(&model))
            .map_err(|e| first(format!("the log's model: {e}"), "name the target: --scores NAME=FILE"))?,
    };
    let task = SliceName::new(&lawful(&task)).ok().filter(|task| !task.is_all()).ok_or_else(|| {
        first(format!("the log's task `{}` can be no slice", shown(&task)), "give the task another name")
    })?;
    let Some(samples) = present(&top, "samples") else {
        return Err(first("the log has no samples".to_owned(), "dump it without --header-only"));
    };
    let read = serde_json::from_str::<Vec<&RawValue>>(samples.get());
    let list = read.map_err(|_| doc.fault(samples, "`samples` is no list"))?;
    if list.is_empty() {
        return Err(first("the log has no samples".to_owned(), "dump it without --header-only"));
    }
    Ok((Header { file: index, model, target, task }, list))
}

fn asked(doc: &Doc, raw: &RawValue, header: &Header) -> Result<Asked, Fault> {
    let sample = doc.object(raw.get(), "sample")?;
    let at = doc.at(header.file, raw);
    let Some(id) = present(&sample, "id") else { return Err(doc.fault(raw, "the sample has no `id`")) };
    let text = if id.get().starts_with('"') { serde_json::from_str(id.get()).ok() } else { None };
    // A number stands for itself; whatever is neither becomes no name.
    let text = text.or_else(|| id.get().parse::<i64>().ok().map(|n| n.to_string()));
    let text = text.ok_or_else(|| doc.fault(id, "`id` is no text and no whole number"))?;
    let name = format!("{}-{}", header.task, lawful(&text));
    if lawful(&text).is_empty() {
        return Err(doc.fault(id, format!("the id `{}` holds no letter or digit", shown(&text))));
    }
    let epoch: u32 = doc.field(&sample, "epoch", "a whole number from 1")?.unwrap_or(1);
    let repeat = epoch.checked_sub(1).ok_or_else(|| doc.fault(raw, "`epoch` is not a whole number from 1"))?;
    let invalid = present(&sample, "invalidation").is_some();
    let mut values = BTreeMap::new();
    if let Some(scores) = present(&sample, "scores") {
        for (scorer, raw) in doc.object(scores.get(), "`scores`")? {
            score(doc, header, &scorer, raw, &mut values)?;
        }
    }
    if invalid {
        values.values_mut().for_each(|(value, _)| *value = Found::Missing);
    }
    Ok(Asked {
        at,
        case: CaseId::new(&name).map_err(|e| doc.fault(id, e.to_string()))?,
        cluster: ClusterName::new(&name).map_err(|e| doc.fault(id, e.to_string()))?,
        task: header.task.clone(),
        target: header.target.clone(),
        repeat,
        content: content(doc, header.file, &sample)?,
        failed: present(&sample, "error").is_some() && !invalid,
        values,
        seconds: present(&sample, TOTAL_TIME).map(|raw| (number(raw), doc.at(header.file, raw))),
        tokens: tokens(doc, header, &sample)?,
    })
}

/// What was asked. The samples of a data set without ids are numbered, and the same number may be another question elsewhere.
fn content(doc: &Doc, file: usize, sample: &Object) -> Result<Option<Content>, Fault> {
    let Some(raw) = present(sample, "input") else { return Ok(None) };
    let at = doc.at(file, raw);
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|e| doc.fault(raw, e.to_string()))?;
        return Ok(Some(Content { what: "input", at, digest: Digest::of(text.as_bytes()) }));
    }
    // Messages carry an id that is new in each run: what they say is what was asked.
    let messages = serde_json::from_str::<Vec<BTreeMap<String, serde_json::Value>>>(raw.get());
    let mut messages = messages.map_err(|_| doc.fault(raw, "`input` is no text and no list of messages"))?;
    messages.iter_mut().for_each(|message| drop(message.remove("id")));
    let text = serde_json::to_vec(&messages).expect("plain data with text keys always serialises");
    Ok(Some(Content { what: "input", at, digest: Digest::of(&text) }))
}

/// The tokens that the model under test wrote; those of a model that grades are not its own.
fn tokens(doc: &Doc, header: &Header, sample: &Object) -> Result<Option<(Found, At)>, Fault> {
    let Some(usage) = present(sample, "model_usage") else { return Ok(None) };
    let usage = doc.object(usage.get(), "`model_usage`")?;
    let Some(own) = present(&usage, &header.model) else { return Ok(None) };
    let own = doc.object(own.get(), "`model_usage`")?;
    Ok(present(&own, OUTPUT_TOKENS).map(|raw| (number(raw), doc.at(header.file, raw))))
}

/// The values of one scorer: one by its name, or one per key of an object.
fn score(
    doc: &Doc,
    header: &Header,
    scorer: &str,
    raw: &RawValue,
    values: &mut BTreeMap<MetricName, (Found, At)>,
) -> Result<(), Fault> {
    let score = doc.object(raw.get(), "score")?;
    let Some(value) = score.get("value") else { return Err(doc.fault(raw, "the score has no `value`")) };
    let parts = if value.get().starts_with('{') {
        let object = doc.object(value.get(), "`value`")?;
        object.into_iter().map(|(key, raw)| (format!("{scorer}.{key}"), raw)).collect()
    } else {
        vec![(scorer.to_owned(), *value)]
    };
    for (name, raw) in parts {
        let metric = MetricName::new(&lawful(&name)).map_err(|e| doc.fault(raw, e.to_string()))?;
        if [TOTAL_TIME, OUTPUT_TOKENS].contains(&metric.as_str()) {
            return Err(doc.fault(raw, format!("a scorer may not be called `{metric}`: Inspect measures that itself")));
        }
        if values.insert(metric.clone(), (grade(raw), doc.at(header.file, raw))).is_some() {
            return Err(doc.fault(raw, format!("two scores of the sample are called `{metric}`")));
        }
    }
    Ok(())
}

/// A value by Inspect's own rule (`value_to_float`), but that a text that is no grade is no 0.
fn grade(raw: &RawValue) -> Found {
    let read = number(raw);
    let Ok(text) = serde_json::from_str::<String>(raw.get()) else { return read };
    match text.as_str() {
        "C" => Found::Value(1.0),
        "P" => Found::Value(0.5),
        "I" | "N" => Found::Value(0.0),
        _ => match text.to_lowercase().as_str() {
            "yes" | "true" => Found::Value(1.0),
            "no" | "false" => Found::Value(0.0),
            number => number.parse().ok().filter(|v: &f64| v.is_finite()).map_or(Found::Unusable, Found::Value),
        },
    }
}
