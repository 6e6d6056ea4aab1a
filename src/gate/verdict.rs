//! What was found: one finding per criterion, and the verdict that follows from them.

use super::policy::Criterion;
use crate::compare::{Comparison, Measurement};
use crate::types::{Digest, ExitCode, PolicyName, SuiteName, TargetName};
use serde::{Deserialize, Serialize};

/// Whether a criterion was proven, disproven, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Proven broken.
    Violated,
    /// The evidence shows neither.
    Unproven,
    /// Proven to hold.
    Met,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Unproven => "unproven",
            Self::Met => "met",
        }
    }
}

/// The evidence behind a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The pair was compared.
    Comparison(Comparison),
    /// The candidate was measured by itself.
    Measurement(Measurement),
    /// Nothing could be computed; the finding's sentence says why.
    Nothing,
}

/// A criterion judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Finding {
    /// What was required.
    pub criterion: Criterion,
    /// What was found.
    pub status: Status,
    /// The sentence that a person reads.
    pub sentence: String,
    /// The numbers behind it.
    pub evidence: Evidence,
    /// Why a claim that the numbers alone seem to support is not made, as a fragment.
    pub but: Option<String>,
    /// For an unproven criterion that more cases could decide: about how many more independent cases.
    pub more_cases: Option<usize>,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Every required criterion is met on complete evidence.
    Promote,
    /// Some is unproven, or the run cannot be judged.
    Undecided,
    /// Some required criterion is violated.
    Reject,
}

impl Decision {
    /// The word for it, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Undecided => "undecided",
            Self::Reject => "reject",
        }
    }

    /// The exit code of a gate that judged one candidate so; of several the most severe wins: reject, then undecided.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Promote => ExitCode::Promote,
            Self::Undecided => ExitCode::Undecided,
            Self::Reject => ExitCode::Reject,
        }
    }
}

/// The verdict on one candidate. Only [`judge`](super::judge) makes one: a stored verdict is read for display and never believed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    pub(super) candidate: TargetName,
    pub(super) baseline: TargetName,
    pub(super) decision: Decision,
    pub(super) sentence: String,
    pub(super) obstacles: Vec<String>,
    pub(super) findings: Vec<Finding>,
    pub(super) alpha: f64,
    pub(super) policy: PolicyName,
    pub(super) policy_digest: Digest,
    pub(super) suite: SuiteName,
    pub(super) suite_digest: Digest,
}

impl Verdict {
    /// Who was judged.
    #[must_use]
    pub fn candidate(&self) -> &TargetName {
        &self.candidate
    }

    /// Against whom.
    #[must_use]
    pub fn baseline(&self) -> &TargetName {
        &self.baseline
    }

    /// The decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// The decision in one sentence.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// Why the run could not be judged, if it could not: missing trials, say.
    #[must_use]
    pub fn obstacles(&self) -> &[String] {
        &self.obstacles
    }

    /// One finding per criterion, in the policy's order.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The one-sided level of each criterion.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The policy that was applied, and its digest.
    #[must_use]
    pub fn policy(&self) -> (&PolicyName, Digest) {
        (&self.policy, self.policy_digest)
    }

    /// The suite that was asked, and its digest.
    #[must_use]
    pub fn suite(&self) -> (&SuiteName, Digest) {
        (&self.suite, self.suite_digest)
    }
}

#[cfg(test)]
impl Verdict {
    /// A verdict with given contents, for the tests of rooms that only show verdicts.
    pub(crate) fn for_tests(
        candidate: &str,
        decision: Decision,
        sentence: &str,
        obstacles: Vec<String>,
        findings: Vec<Finding>,
    ) -> Self {
        let name = |t: &str| TargetName::new(t).expect("a valid name");
        Self {
            candidate: name(candidate),
            baseline: name("base"),
            decision,
            sentence: sentence.to_owned(),
            obstacles,
            findings,
            alpha: 0.05,
            policy: PolicyName::new("test-policy").expect("a valid name"),
            policy_digest: Digest::of(b"policy"),
            suite: SuiteName::new("test-suite").expect("a valid name"),
            suite_digest: Digest::of(b"suite"),
        }
    }
}
