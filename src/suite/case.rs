//! One golden item, and the lines of JSONL that it is written in.

use super::diag::{self, Diagnostic, Diagnostics, SourceFile};
use super::json::{self, StrictValue, UniqueMap};
use crate::types::{CaseId, ClusterName, SliceName};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest line of a case file that is read, bytes.
const MAX_LINE: usize = 1 << 20;

/// One golden item.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id, unique in the suite.
    pub id: CaseId,
    /// What kind of question it is; also the first of its slices.
    pub task: SliceName,
    /// Cases that share a cluster are not independent: the statistics count clusters.
    pub cluster: ClusterName,
    /// Its task, then its tags.
    pub slices: Vec<SliceName>,
    /// What the prompt templates see as `vars`.
    pub vars: Vars,
    /// What a good answer is.
    pub expect: Expect,
    /// Index of its file among the suite's case files, and the byte offset and length of its line there.
    pub(crate) place: CasePlace,
}

/// Names with their texts, by name. A suite has as many of them as cases, and each has few: a tree for each would take ten times its room.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vars(Box<[(String, String)]>);

impl Vars {
    /// Names and texts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The text of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, text)| text)
    }
}

impl From<BTreeMap<String, String>> for Vars {
    fn from(texts: BTreeMap<String, String>) -> Self {
        Self(texts.into_iter().collect())
    }
}

/// Where a case is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CasePlace {
    pub file: usize,
    pub start: usize,
    pub len: usize,
}

/// What a good answer is; each scorer reads the part that it needs.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The answer, for exact, normalised and choice scoring.
    pub answer: Option<String>,
    /// The options, for choice scoring; the answer is one of them.
    pub choices: Vec<String>,
    /// The object, for JSON scoring.
    pub json: Option<BTreeMap<String, Value>>,
    /// Texts that must occur, case-insensitively.
    pub must_contain: Vec<String>,
    /// Texts that must not occur, case-insensitively.
    pub must_not_contain: Vec<String>,
    /// Whether the model must refuse (`true`) or must not (`false`).
    pub refuse: Option<bool>,
    /// Training canaries and personal data that must never occur.
    pub secrets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    id: String,
    task: String,
    cluster: Option<String>,
    #[serde(default)]
    slices: Vec<String>,
    #[serde(default)]
    vars: UniqueMap<String>,
    expect: RawExpect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    answer: Option<String>,
    #[serde(default)]
    choices: Vec<String>,
    json: Option<UniqueMap<StrictValue>>,
    #[serde(default)]
    must_contain: Vec<String>,
    #[serde(default)]
    must_not_contain: Vec<String>,
    refuse: Option<bool>,
    #[serde(default)]
    secrets: Vec<String>,
}

impl Case {
    /// What was expected, in words, for a report.
    #[must_use]
    pub fn expected_text(&self) -> String {
        let e = &self.expect;
        let mut parts = Vec::new();
        parts.extend(e.answer.clone());
        parts.extend(e.json.as_ref().and_then(|j| serde_json::to_string(j).ok()));
        match e.refuse {
            Some(true) => parts.push("a refusal".to_owned()),
            Some(false) => parts.push("help, not a refusal".to_owned()),
            None => {}
        }
        for (word, list) in [("says", &e.must_contain), ("does not say", &e.must_not_contain)] {
            if !list.is_empty() {
                parts.push(format!("{word}: {}", list.join(", ")));
            }
        }
        // The secrets themselves stay out: reports travel further than suites.
        match e.secrets.len() {
            0 => {}
            1 => parts.push("does not leak a secret".to_owned()),
            n => parts.push(format!("does not leak any of {n} secrets")),
        }
        parts.join("; ")
    }
}

#[cfg(test)]
impl Case {
    /// A case without a file, for the tests of rooms that only score cases.
    pub(crate) fn for_tests(id: CaseId, task: SliceName, cluster: ClusterName, expect: Expect) -> Self {
        let place = CasePlace { file: 0, start: 0, len: 0 };
        Self { id, slices: vec![task.clone()], task, cluster, vars: Vars::default(), expect, place }
    }
}

/// Reads the cases of one file into `cases`; every mistake is pushed to `wrong` with its line and column.
pub(super) fn read_cases(index: usize, file: &SourceFile, cases: &mut Vec<Case>, wrong: &mut Diagnostics) {
    let mut start = 0;
    for line in file.text.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        let place = CasePlace { file: index, start, len: text.len() };
        start += line.len();
        if text.trim().is_empty() {
            continue;
        }
        match read_line(file, text, place) {
            Ok(case) => cases.push(case),
            Err(d) => wrong.push(d),
        }
    }
}

fn read_line(file: &SourceFile, text: &str, place: CasePlace) -> Result<Case, Diagnostic> {
    let error_at = |path: &[&str], message: String| {
        let offset = place.start + json::locate(text, path);
        file.error(offset..offset + 1, message)
    };
    if text.len() > MAX_LINE {
        return Err(file.error(place.start..place.start + 1, format!("the line is longer than {MAX_LINE} bytes")));
    }
    let raw: RawCase = serde_json::from_str(text).map_err(|e| {
        // The position is given beside the message, so serde's own "at line 1 column n" is dropped.
        let message = e.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m).to_owned();
        let offset = place.start + e.column().saturating_sub(1).min(text.len());
        let d = file.error(offset..offset + 1, message);
        match diag::nearest_key(&d.message) {
            Some(key) => d.help(format!("did you mean `{key}`?")),
            None => d,
        }
    })?;
    let id = CaseId::new(&raw.id).map_err(|e| error_at(&["id"], e.to_string()))?;
    let task = SliceName::new(&raw.task).map_err(|e| error_at(&["task"], e.to_string()))?;
    // A case that names no cluster is independent of all others: it is its own.
    let cluster = raw.cluster.as_deref().unwrap_or(&raw.id);
    let cluster = ClusterName::new(cluster).map_err(|e| error_at(&["cluster"], e.to_string()))?;
    if task.is_all() {
        return Err(error_at(&["task"], "`all` is the slice of every case and no task".to_owned()));
    }
    let mut slices = vec![task.clone()];
    for slice in &raw.slices {
        let slice = SliceName::new(slice).map_err(|e| error_at(&["slices"], e.to_string()))?;
        if slice.is_all() || slices.contains(&slice) {
            return Err(error_at(&["slices"], format!("the slice `{slice}` is implied or stands twice")));
        }
        slices.push(slice);
    }
    let e = raw.expect;
    let blank = |list: &[String]| list.iter().any(|t| t.trim().is_empty());
    for (key, list) in
        [("must_contain", &e.must_contain), ("must_not_contain", &e.must_not_contain), ("secrets", &e.secrets)]
    {
        if blank(list) {
            return Err(error_at(&["expect", key], format!("`{key}` has an empty text, which every answer contains")));
        }
    }
    if !e.choices.is_empty() && !e.answer.as_ref().is_some_and(|a| e.choices.contains(a)) {
        return Err(error_at(&["expect", "choices"], "the answer is not one of the choices".to_owned()));
    }
    let json = e.json.map(|m| m.0.into_iter().map(|(k, v)| (k, v.0)).collect());
    let expect = Expect {
        answer: e.answer,
        choices: e.choices,
        json,
        must_contain: e.must_contain,
        must_not_contain: e.must_not_contain,
        refuse: e.refuse,
        secrets: e.secrets,
    };
    Ok(Case { id, task, cluster, slices, vars: raw.vars.0.into(), expect, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Case>, String) {
        let (mut cases, mut wrong) = (Vec::new(), Diagnostics::default());
        read_cases(0, &SourceFile::new("cases.jsonl", text), &mut cases, &mut wrong);
        (cases, wrong.to_string())
    }

    #[test]
    fn a_case_is_read_with_its_implied_slices_and_cluster() {
        let (cases, wrong) = read(
            "{\"id\":\"a-1\",\"task\":\"t\",\"slices\":[\"x\"],\"vars\":{\"q\":\"?\"},\"expect\":{\"answer\":\"y\"}}\r\n\n",
        );
        assert_eq!(wrong, "");
        assert_eq!(cases[0].cluster.as_str(), "a-1");
        assert_eq!(cases[0].slices.iter().map(SliceName::as_str).collect::<Vec<_>>(), ["t", "x"]);
    }

    #[test]
    fn every_mistake_names_line_and_column() {
        let table = [
            (r#"{"id":"a","task":"t","expct":{}}"#, "cases.jsonl:1:28: unknown field `expct`"),
            (r#"{"id":"a","task":"t"}"#, "cases.jsonl:1:21: missing field `expect`"),
            (r#"{"id":"a b","task":"t","expect":{}}"#, "cases.jsonl:1:7: `a b` is not a case id"),
            (r#"{"id":"a","id":"b","task":"t","expect":{}}"#, "duplicate field `id`"),
            (r#"{"id":"a","task":"t","vars":{"q":"1","q":"2"},"expect":{}}"#, "the key `q` stands twice"),
            (r#"{"id":"a","task":"t","expect":{"json":{"x":{"y":1,"y":2}}}}"#, "the key `y` stands twice"),
            (r#"{"id":"a","task":"t","expect":{"secrets":[""]}}"#, "cases.jsonl:1:42: `secrets` has an empty text"),
            (
                r#"{"id":"a","task":"t","expect":{"answer":"z","choices":["x"]}}"#,
                "cases.jsonl:1:55: the answer is not one",
            ),
            (r#"{"id":"a","task":"t","slices":["t"],"expect":{}}"#, "cases.jsonl:1:31: the slice `t` is implied"),
            (r#"{"id":"a","task":"t","expect":{}"#, "EOF while parsing"),
            ("[1]", "cases.jsonl:1:"),
        ];
        for (line, want) in table {
            let (_, got) = read(line);
            assert!(got.contains(want), "{line}\nwanted {want}\ngot    {got}");
        }
        let (_, second) = read("{\"id\":\"a\",\"task\":\"t\",\"expect\":{}}\n{\"id\":7}\n");
        assert!(second.starts_with("cases.jsonl:2:7: invalid type: integer `7`"), "{second}");
    }
}
