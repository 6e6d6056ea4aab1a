//! Golden baselines: an accepted run's answers and scores, kept in the repository, that later runs are held against.
//!
//! The same lines are a run's `results.jsonl`: everything that a rerun must reproduce byte for byte, and no timing.

use super::{StoreError, SuiteRef, write_atomically};
use crate::types::{CaseId, Digest, MetricName, Outcome, TargetName, ToolCall, Untrusted, VariantName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const GOLDEN_FORMAT: &str = "goldgate.golden/1";

/// One answer with its scores, timings left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GoldenAnswer {
    /// The case.
    pub case: CaseId,
    /// Who answered.
    pub target: TargetName,
    /// Which repeat, from 0.
    pub repeat: u32,
    /// What became of the trial.
    pub outcome: Outcome,
    /// The answer, or the failure's message.
    pub text: Untrusted,
    /// The tools that the answer calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Scores by metric; `null` is unscored.
    pub scores: BTreeMap<MetricName, Option<f64>>,
}

impl GoldenAnswer {
    /// Writes it as a line of JSON.
    pub(super) fn write_line(&self, to: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *to, self)?;
        to.write_all(b"\n")
    }
}

/// `golden.json`: where the accepted answers came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GoldenFile {
    format: String,
    /// The suite that was asked.
    pub suite: SuiteRef,
    /// Who answered.
    pub targets: Vec<GoldenTarget>,
    /// The run directory's name.
    pub run: String,
    /// When the run began, UTC, RFC 3339.
    pub started: String,
    /// Digest of `answers.jsonl`.
    pub answers: Digest,
}

/// Who gave accepted answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GoldenTarget {
    /// The target.
    pub name: TargetName,
    /// Digest of what answered.
    pub digest: Digest,
    /// The prompt variant.
    pub prompt: VariantName,
}

/// One difference between the accepted answers and a run's.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenChange {
    /// The case.
    pub case: CaseId,
    /// Who answered.
    pub target: TargetName,
    /// The accepted answer, if there is one.
    pub accepted: Option<GoldenAnswer>,
    /// The run's answer, if there is one.
    pub now: Option<GoldenAnswer>,
}

impl GoldenChange {
    /// The metrics whose value changed, with the accepted and the new value.
    #[must_use]
    pub fn scores(&self) -> Vec<(MetricName, Option<f64>, Option<f64>)> {
        let (Some(was), Some(now)) = (&self.accepted, &self.now) else { return Vec::new() };
        let names: std::collections::BTreeSet<_> = was.scores.keys().chain(now.scores.keys()).collect();
        let value = |a: &GoldenAnswer, m: &MetricName| a.scores.get(m).copied().flatten();
        names.into_iter().map(|m| (m.clone(), value(was, m), value(now, m))).filter(|(_, a, b)| a != b).collect()
    }
}

impl GoldenFile {
    /// Keeps answers as the accepted baseline in a folder, in place of what was accepted before.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn accept(
        folder: &Path,
        suite: SuiteRef,
        targets: Vec<GoldenTarget>,
        run: String,
        started: String,
        answers: &[GoldenAnswer],
    ) -> Result<(), StoreError> {
        let lines = to_lines(answers);
        let format = GOLDEN_FORMAT.to_owned();
        let file = Self { format, suite, targets, run, started, answers: Digest::of(&lines) };
        write_atomically(&folder.join("answers.jsonl"), &lines)?;
        let mut json = serde_json::to_vec_pretty(&file).expect("plain data with text keys always serialises");
        json.push(b'\n');
        write_atomically(&folder.join("golden.json"), &json)
    }

    /// Reads the accepted baseline in a folder.
    ///
    /// # Errors
    /// When there is none, or it is not what was accepted.
    pub fn read(folder: &Path) -> Result<(Self, Vec<GoldenAnswer>), StoreError> {
        let path = folder.join("golden.json");
        let bytes = fs::read(&path).map_err(|e| StoreError::io("read", &path, e))?;
        let corrupt = |path: &Path, what: String, reason: String| StoreError::Corrupt {
            path: path.display().to_string(),
            what,
            reason,
        };
        let file: Self =
            serde_json::from_slice(&bytes).map_err(|e| corrupt(&path, format!("line {}", e.line()), e.to_string()))?;
        if file.format != GOLDEN_FORMAT {
            return Err(corrupt(&path, "`format`".to_owned(), format!("this program reads `{GOLDEN_FORMAT}`")));
        }
        let path = folder.join("answers.jsonl");
        let lines = fs::read(&path).map_err(|e| StoreError::io("read", &path, e))?;
        if Digest::of(&lines) != file.answers {
            let reason = "it was changed after it was accepted; accept a run to replace it".to_owned();
            return Err(corrupt(&path, "its digest".to_owned(), reason));
        }
        let answers = lines
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .enumerate()
            .map(|(i, l)| {
                serde_json::from_slice(l).map_err(|e| corrupt(&path, format!("line {}", i + 1), e.to_string()))
            })
            .collect::<Result<_, _>>()?;
        Ok((file, answers))
    }
}

/// Answers as JSON lines, in the order given.
#[must_use]
pub fn to_lines(answers: &[GoldenAnswer]) -> Vec<u8> {
    let mut out = Vec::new();
    for answer in answers {
        answer.write_line(&mut out).expect("plain data with text keys always serialises");
    }
    out
}

/// Every difference between accepted answers and a run's, by case and target; targets that only one side asked are left out.
#[must_use]
pub fn diff_golden(accepted: &[GoldenAnswer], now: &[GoldenAnswer]) -> Vec<GoldenChange> {
    let index = |list: &[GoldenAnswer]| -> BTreeMap<(CaseId, TargetName, u32), GoldenAnswer> {
        list.iter().map(|a| ((a.case.clone(), a.target.clone(), a.repeat), a.clone())).collect()
    };
    let (was, is) = (index(accepted), index(now));
    let both = |t: &TargetName| accepted.iter().any(|a| a.target == *t) && now.iter().any(|a| a.target == *t);
    let keys: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).filter(|(_, t, _)| both(t)).collect();
    keys.into_iter()
        .map(|k| GoldenChange {
            case: k.0.clone(),
            target: k.1.clone(),
            accepted: was.get(k).cloned(),
            now: is.get(k).cloned(),
        })
        .filter(|c| c.accepted != c.now)
        .collect()
}
