//! `run.json`: what a run is made of, written before the first question and never changed.

use crate::types::{Digest, PolicyName, SuiteName, TargetName, VariantName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this program reads and writes.
pub const RUN_FORMAT: &str = "goldgate.run/1";

/// What a run was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Candidates against a baseline.
    #[default]
    Judgement,
    /// One target several times: nothing can be promoted from it.
    Calibration,
}

impl Purpose {
    /// Runs that judge say nothing of it, so that their `run.json` is what it was before there were others.
    fn is_judgement(&self) -> bool {
        *self == Self::Judgement
    }

    fn word(self) -> &'static str {
        match self {
            Self::Judgement => "judgement",
            Self::Calibration => "calibration",
        }
    }
}

/// What a run is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Always [`RUN_FORMAT`].
    pub format: String,
    /// The version of the program that began the run.
    pub version: String,
    /// What it was made for.
    #[serde(default, skip_serializing_if = "Purpose::is_judgement")]
    pub purpose: Purpose,
    /// When it began, UTC, RFC 3339.
    pub started: String,
    /// The suite.
    pub suite: SuiteRef,
    /// The policy, pinned before the first question.
    pub policy: Option<PolicyRef>,
    /// The seed of every random choice.
    pub seed: u64,
    /// Questions in flight at once: times of runs that differ in it are not comparable.
    pub concurrency: usize,
    /// Questions per second, where they were asked at a stated rate; `concurrency` is then the most that may be in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival_rate: Option<f64>,
    /// Who is asked: the baseline first.
    #[serde(rename = "targets")]
    pub arms: Vec<ArmRef>,
    /// How many trials are planned.
    pub trials: usize,
    /// The folder of the cassettes that every sitting records its exchanges into, as it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// The recording that answers in the servers' place: the run is a replay, which promotes nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayRef>,
    /// Whether its remote targets were asked without any probe before and after: nobody looked whether they give what the suite asks for,
    /// nor who answered first and last.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unprobed: bool,
}

/// A recording, by the digests of its cassettes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReplayRef {
    /// Its folder, as it was named.
    pub path: String,
    /// SHA-256 of the cassette of every target that it answers for.
    pub cassettes: BTreeMap<TargetName, Digest>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A suite, by digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SuiteRef {
    /// Its folder, as it was named on the command line.
    pub path: String,
    /// Its name.
    pub name: SuiteName,
    /// Its version.
    pub version: String,
    /// Digest of its files.
    pub digest: Digest,
}

/// A policy, by digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolicyRef {
    /// Its file, as it was named.
    pub path: String,
    /// Its name.
    pub name: PolicyName,
    /// Digest of its text.
    pub digest: Digest,
}

/// Someone who is asked in a run: a target in one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArmRef {
    /// The name in journal, verdict and report: the target's, but for an A/A run, where the second asking of the baseline has its own.
    pub name: TargetName,
    /// The target in `goldgate.toml`.
    pub target: TargetName,
    /// The provider: `local`, `openai`, `azure-openai` or `azure-ml`.
    pub kind: String,
    /// Checkpoint folder or deployment.
    pub model: String,
    /// Adapter folder, if any.
    pub adapter: Option<String>,
    /// The address that is posted to, for a remote target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The prompt variant.
    pub prompt: VariantName,
    /// Digest of what answers.
    pub digest: Digest,
}

impl Manifest {
    /// The command that goes on with this run in its folder.
    #[must_use]
    pub fn resume_command(&self, folder: &str) -> String {
        let record = self.recording.as_ref().map(|dir| format!(" --record {dir}")).unwrap_or_default();
        format!("{} --run-dir {folder}{record}", self.repeat_command())
    }

    /// The command that asks the same again.
    #[must_use]
    pub fn repeat_command(&self) -> String {
        // Of a recording come the seed, how many questions are in flight, and whether anybody was probed.
        let of_run = match &self.replay {
            Some(replay) => format!("--replay {}", replay.path),
            None => {
                let rate = self.arrival_rate.map(|rate| format!(" --arrival-rate {rate}")).unwrap_or_default();
                let probe = if self.unprobed { " --no-probe" } else { "" };
                format!("--seed {} -j {}{rate}{probe}", self.seed, self.concurrency)
            }
        };
        if let (Purpose::Calibration, Some(first)) = (self.purpose, self.arms.first()) {
            let (suite, target, repeats) = (&self.suite.path, &first.target, self.arms.len());
            return format!("goldgate calibrate {suite} --target {target} --repeats {repeats} {of_run}");
        }
        // A target that is a second asking of the baseline is named by the baseline on the command line.
        let candidates: String = self.arms.iter().skip(1).map(|a| format!(" --candidate {}", a.target)).collect();
        let policy = match &self.policy {
            Some(p) if p.path != format!("{}/policy.toml", self.suite.path) => format!(" --policy {}", p.path),
            _ => String::new(),
        };
        format!("goldgate gate {}{candidates}{policy} {of_run}", self.suite.path)
    }

    /// The fields in which another manifest asks for another run, with both values; when it began and by which version does not count.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ = |field: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{field}: {ours} in the run, {theirs} now"));
            }
        };
        differ("format", self.format.clone(), other.format.clone());
        let recorded = |m: &Self| if m.recording.is_some() { "recorded" } else { "not recorded" }.to_owned();
        differ("exchanges (`--record`)", recorded(self), recorded(other));
        let replay = |m: &Self| match &m.replay {
            None => "none".to_owned(),
            Some(r) => {
                r.cassettes.iter().map(|(name, digest)| format!("{name} {digest}")).collect::<Vec<_>>().join(", ")
            }
        };
        differ("recording that answers (`--replay`)", replay(self), replay(other));
        differ("purpose", self.purpose.word().to_owned(), other.purpose.word().to_owned());
        differ("suite", self.suite.name.to_string(), other.suite.name.to_string());
        differ("suite digest", self.suite.digest.to_string(), other.suite.digest.to_string());
        let policy = |m: &Self| m.policy.as_ref().map_or("none".to_owned(), |p| p.digest.to_string());
        differ("policy digest", policy(self), policy(other));
        differ("seed", self.seed.to_string(), other.seed.to_string());
        differ("questions in flight (`-j`)", self.concurrency.to_string(), other.concurrency.to_string());
        let rate = |m: &Self| m.arrival_rate.map_or("none".to_owned(), |rate| rate.to_string());
        differ("questions per second (`--arrival-rate`)", rate(self), rate(other));
        let names = |m: &Self| m.arms.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ");
        differ("targets", names(self), names(other));
        for (a, b) in self.arms.iter().zip(&other.arms) {
            differ(&format!("digest of target `{}`", a.name), a.digest.to_string(), b.digest.to_string());
            differ(&format!("prompt of target `{}`", a.name), a.prompt.to_string(), b.prompt.to_string());
        }
        let probes = |m: &Self| if m.unprobed { "off" } else { "on" }.to_owned();
        differ("probes of remote targets", probes(self), probes(other));
        differ("trials", self.trials.to_string(), other.trials.to_string());
        found
    }
}
