//! Files that people write, checked into a `Suite`: cases, prompt variants and scorers.
//!
//! What leaves this room is right by construction: ids are unique, every prompt renders, every case is scored, and every scorer finds
//! what it needs. Nobody checks again.

mod ask;
mod case;
pub mod diag;
pub mod json;
mod load;
mod scorer_spec;
mod template;
#[cfg(test)]
mod tests;

pub use case::{Case, Expect, Vars};
pub use load::{SuiteError, read_text};
pub use scorer_spec::{Check, CheckRule, Part, ScorerKind, ScorerSpec};

use crate::types::{
    Digest, Direction, Metric, MetricKind, MetricName, Role, SliceName, SuiteName, Turn, VariantName, Wants,
};
use ask::AskSpec;
use diag::{Diagnostic, SourceFile};
use std::collections::{BTreeMap, BTreeSet};
use template::Templates;

/// The metrics that every response yields without a scorer.
pub const MEASURED: [&str; 5] = ["prompt-tokens", "completion-tokens", "tokens", "first-token", "latency"];

/// A named, versioned set of cases with the prompt variants and scorers they use.
#[derive(Debug)]
pub struct Suite {
    name: SuiteName,
    version: String,
    description: String,
    digest: Digest,
    max_new_tokens: u32,
    cases: Vec<Case>,
    scorers: Vec<ScorerSpec>,
    variants: BTreeMap<VariantName, PromptVariant>,
    templates: Templates,
    asks: Vec<AskSpec>,
    file: SourceFile,
}

/// What is asked of the answers to most cases.
static NOTHING: Wants = Wants { schema: None, tools: None, logprobs: None };

/// A named template pair.
#[derive(Clone, Debug)]
pub(crate) struct PromptVariant {
    system: Option<String>,
    user: String,
}

impl Suite {
    /// The suite's name.
    #[must_use]
    pub fn name(&self) -> &SuiteName {
        &self.name
    }

    /// The version that its author gave it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it measures, in its author's words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Digest of every file that an answer or a score depends on.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The longest answer, tokens.
    #[must_use]
    pub fn max_new_tokens(&self) -> u32 {
        self.max_new_tokens
    }

    /// All cases by id.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// All scorers in the file's order.
    #[must_use]
    pub fn scorers(&self) -> &[ScorerSpec] {
        &self.scorers
    }

    /// What the answer to a case is asked to be beside a text.
    #[must_use]
    pub fn wants(&self, case: &Case) -> &Wants {
        self.asks.iter().find(|a| a.applies_to(case)).map_or(&NOTHING, |a| &a.wants)
    }

    /// Everything that is asked of some answer beside a text.
    pub fn all_wants(&self) -> impl Iterator<Item = &Wants> {
        self.asks.iter().map(|a| &a.wants)
    }

    /// The names of the prompt variants.
    pub fn variants(&self) -> impl Iterator<Item = &VariantName> {
        self.variants.keys()
    }

    /// Whether the suite has a prompt variant.
    #[must_use]
    pub fn has_variant(&self, name: &VariantName) -> bool {
        self.variants.contains_key(name)
    }

    /// Every metric that a run of this suite yields: the scorers' in their order, then the measured ones.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        let mut metrics: Vec<Metric> = Vec::new();
        for scorer in &self.scorers {
            if !metrics.contains(&scorer.metric) {
                metrics.push(scorer.metric.clone());
            }
        }
        let measured = MEASURED.into_iter().filter_map(|name| {
            let timed = matches!(name, "first-token" | "latency");
            let kind = if timed { MetricKind::Duration } else { MetricKind::Count };
            MetricName::new(name).ok().map(|name| Metric { name, kind, direction: Direction::Lower })
        });
        metrics.extend(measured);
        metrics
    }

    /// Every slice that some case is in, `all` first.
    #[must_use]
    pub fn slices(&self) -> Vec<SliceName> {
        let used: BTreeSet<&SliceName> = self.cases.iter().flat_map(|c| &c.slices).collect();
        std::iter::once(SliceName::all()).chain(used.into_iter().cloned()).collect()
    }

    /// The prompt of a case in a variant.
    ///
    /// # Errors
    /// Every case was rendered with every variant when the suite was loaded, so only an unknown variant is left to fail.
    pub fn prompt(&self, variant: &VariantName, case: &Case) -> Result<Vec<Turn>, Diagnostic> {
        let Some(v) = self.variants.get(variant) else {
            return Err(self.file.error(0..0, format!("the suite has no prompt variant `{variant}`")));
        };
        let mut turns = Vec::with_capacity(2);
        if let Some(system) = &v.system {
            turns.push(Turn { role: Role::System, text: self.templates.render(system, case)? });
        }
        turns.push(Turn { role: Role::User, text: self.templates.render(&v.user, case)? });
        Ok(turns)
    }
}
