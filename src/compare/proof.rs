//! What may be said of a comparison or a level: one set of rules, for the gate and for `goldgate compare`.

use super::{Comparison, Measurement, SEVERE, Severe};
use crate::stats;
use crate::types::number::Scale;
use crate::types::{CaseId, Interval};
use serde::Serialize;

/// Fewer independent units than this support no claim (statistics.md, section 2.3).
pub(super) const MIN_CLUSTERS: usize = 10;

/// With more than one unscored case in so many (2 %), nothing is shown (statistics.md, section 1).
pub(super) const SCORED_PER_UNSCORED: usize = 50;

/// Names of cases that a reason lists before the rest is counted.
const NAMED: usize = 3;

/// Whether a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Proven: the interval lies on the right side, on enough cases, and unscored ones could not change it.
    Yes,
    /// Refuted: the interval lies on the wrong side.
    No,
    /// Neither. "Not significantly worse" is this, and never a yes.
    Unproven,
}

/// A claim held against its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The answer.
    pub answer: Answer,
    /// Why, as a fragment, where the interval alone does not say it.
    pub why: Option<String>,
}

impl Held {
    /// An answer that the interval alone explains.
    #[must_use]
    pub fn plain(answer: Answer) -> Self {
        Self { answer, why: None }
    }

    /// Neither yes nor no, and why.
    #[must_use]
    pub fn unproven(why: String) -> Self {
        Self { answer: Answer::Unproven, why: Some(why) }
    }

    /// Both claims: refuted if either is, proven if both are.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.answer, other.answer) {
            (Answer::No, _) | (_, Answer::Yes) => self,
            (_, Answer::No) | (Answer::Yes, _) => other,
            _ => Self { answer: Answer::Unproven, why: self.why.or(other.why) },
        }
    }

    /// The same, unless it is a yes that something forbids.
    #[must_use]
    pub fn unless(self, obstacle: Option<String>) -> Self {
        match (self.answer, obstacle) {
            (Answer::Yes, Some(why)) => Self::unproven(why),
            _ => self,
        }
    }
}

/// What a claim on a pair looks at: the numbers of the scored cases, or those with the unscored ones made up.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// The interval of the change, turned so that more is better.
    pub gain: Interval,
    /// One-sided p value of "the candidate is better", where the method has one.
    pub p_better: Option<f64>,
    /// The severe changes of a bounded metric.
    pub severe: Option<&'a Severe>,
}

/// Holds a comparison against a claim, and keeps the answer only if the unscored cases could not change it.
///
/// More than 2 % of them forbid a yes; up to that, a yes needs to be one with all of them counted against the candidate, and a no needs to
/// be one with all of them counted for it. Durations and counts have no worst value: there, any unscored case forbids a yes. So do fewer
/// than 10 independent cases.
pub fn hold(c: &Comparison, claim: impl Fn(Numbers<'_>) -> Held) -> Held {
    let scored = claim(Numbers { gain: c.gain_interval(), p_better: c.p_better, severe: c.severe.as_ref() });
    let made_up = c.imputed.as_ref().map(|i| {
        [&i.against, &i.in_favour].map(|side| {
            let severe = side.severe.as_ref();
            claim(Numbers { gain: c.oriented(side.interval), p_better: side.p_better, severe }).answer
        })
    });
    certain(scored, &c.unscored, c.pairs, made_up, " on one side or both").unless(too_few(c.clusters))
}

/// Holds a level against a claim on its interval, with the same care for unscored and few cases as [`hold`].
pub fn hold_level(m: &Measurement, claim: impl Fn(Interval) -> Held) -> Held {
    let made_up = m.imputed.map(|i| [i.against, i.in_favour].map(|side| claim(side.interval).answer));
    certain(claim(m.interval), &m.unscored, m.cases, made_up, "").unless(too_few(m.clusters))
}

/// The answer on the scored cases, unless unscored ones forbid it or could turn it; `made_up` holds the answers with all of them counted
/// against the candidate, and for it.
fn certain(scored: Held, unscored: &[CaseId], valued: usize, made_up: Option<[Answer; 2]>, side: &str) -> Held {
    if unscored.is_empty() || scored.answer == Answer::Unproven {
        return scored;
    }
    let lacking = format!("{} could not be scored{side}", named(unscored));
    let Some([against, in_favour]) = made_up else {
        return scored.unless(Some(format!("{lacking}, and such a value has no worst")));
    };
    let total = unscored.len() + valued;
    if scored.answer == Answer::Yes && unscored.len() * SCORED_PER_UNSCORED > total {
        #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
        let share = Scale::PERCENT.level(unscored.len() as f64 / total as f64, 1);
        return Held::unproven(format!("{lacking}: {share} of the cases, and at most 2\u{202f}% may lack a score"));
    }
    let turned = |way: &str| {
        let them = if unscored.len() == 1 { "it" } else { "them" };
        let what = if scored.answer == Answer::Yes { "proof" } else { "disproof" };
        Held::unproven(format!("{lacking}, and there is no {what} with {them} counted {way} the candidate"))
    };
    match scored.answer {
        answer if answer != against => turned("against"),
        answer if answer != in_favour => turned("for"),
        _ => scored,
    }
}

/// The candidate is better: a no where it is worse.
#[must_use]
pub(super) fn is_better(numbers: Numbers<'_>) -> Held {
    Held::plain(match (numbers.gain.lower() > 0.0, numbers.gain.upper() < 0.0) {
        (true, _) => Answer::Yes,
        (_, true) => Answer::No,
        _ => Answer::Unproven,
    })
}

/// The candidate loses less than a margin (non-inferiority). The severe changes of a bounded metric must not by themselves be able to
/// spend the margin: their net share times [`SEVERE`], too, must be proven to be below it.
#[must_use]
pub fn loses_less(numbers: Numbers<'_>, margin: f64) -> Held {
    let gain = numbers.gain;
    let answer = if gain.upper() < -margin {
        Answer::No
    } else if gain.lower() > -margin {
        Answer::Yes
    } else {
        Answer::Unproven
    };
    Held::plain(answer).unless(numbers.severe.and_then(|s| unbalanced(s, margin)))
}

/// The candidate differs by less than a margin either way (equivalence), severe changes included.
#[must_use]
pub fn lies_within(numbers: Numbers<'_>, margin: f64) -> Held {
    let gain = numbers.gain;
    let answer = if gain.upper() < -margin || gain.lower() > margin {
        Answer::No
    } else if gain.lower() > -margin && gain.upper() < margin {
        Answer::Yes
    } else {
        Answer::Unproven
    };
    let rises = |s: &Severe| {
        let high = s.net_interval.upper();
        (high >= margin / SEVERE).then(|| {
            format!(
                "severe gains may exceed severe losses by {} of the cases, which would by itself be a difference of the margin",
                share(high, s.net_interval, margin / SEVERE)
            )
        })
    };
    Held::plain(answer).unless(numbers.severe.and_then(|s| unbalanced(s, margin).or_else(|| rises(s))))
}

/// Clusters with a severe regression are at most a share `limit` of all.
#[must_use]
pub fn seldom_severe(numbers: Numbers<'_>, limit: f64) -> Held {
    let Some(severe) = numbers.severe else {
        return Held::unproven("severe regressions are counted for bounded metrics only".to_owned());
    };
    let interval = severe.rate_interval;
    if interval.upper() <= limit {
        return Held::plain(Answer::Yes);
    }
    let answer = if interval.lower() > limit { Answer::No } else { Answer::Unproven };
    let decimals = Scale::PERCENT.decimals_against(severe.rate, &interval, &[limit]);
    let why = format!(
        "{} half the scale or more; the rate of clusters with one may lie anywhere in {}, and the policy allows {}",
        lost(severe),
        Scale::PERCENT.levels(&interval, decimals),
        Scale::PERCENT.exact(limit)
    );
    Held { answer, why: Some(why) }
}

/// Why severe losses could by themselves spend the margin, if they could.
fn unbalanced(severe: &Severe, margin: f64) -> Option<String> {
    let (low, bound) = (severe.net_interval.lower(), margin / SEVERE);
    (low <= -bound).then(|| {
        format!(
            "{} half the scale or more and {} gained as much: such losses may exceed such gains by {} of the cases, and {} would by \
             themselves spend the margin",
            lost(severe),
            severe.gained,
            share(-low, severe.net_interval, bound),
            Scale::PERCENT.exact(bound)
        )
    })
}

/// A share of cases with the digits that tell it from `bound`.
fn share(value: f64, interval: Interval, bound: f64) -> String {
    Scale::PERCENT.level(value, Scale::PERCENT.decimals_against(value, &interval, &[bound, -bound]))
}

/// ``2 cases (`a`, `b`) lost``
fn lost(severe: &Severe) -> String {
    match severe.lost_cases.as_slice() {
        [] => "no case lost".to_owned(),
        [one] => format!("1 case (`{one}`) lost"),
        more => format!("{} cases ({}) lost", more.len(), named(more)),
    }
}

/// The first few cases and the number of the rest.
fn named(cases: &[CaseId]) -> String {
    let names: Vec<_> = cases.iter().take(NAMED).map(|c| format!("`{c}`")).collect();
    let more = cases.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

/// What the comparison says of one margin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NoWorse {
    /// The loss that would be borne: a difference for shares, a relative change for durations and counts.
    pub margin: f64,
    /// The answer.
    pub answer: Answer,
    /// Why there is no yes, as a fragment.
    pub why: Option<String>,
}

/// Holds a comparison made at one-sided level `alpha` against a margin: the rule by which the gate judges `non-inferior`.
#[must_use]
pub fn no_worse(c: &Comparison, margin: f64, alpha: f64) -> NoWorse {
    let held = hold(c, |numbers| loses_less(numbers, margin)).unless(too_small(c, margin, alpha));
    let why = match held.answer {
        Answer::Yes => None,
        Answer::No => Some("the whole interval lies beyond the margin".to_owned()),
        // Where the suite is too small for any answer, its interval is no reason.
        Answer::Unproven => too_few(c.clusters)
            .or_else(|| too_small(c, margin, alpha))
            .or(held.why)
            .or_else(|| Some("the interval includes losses beyond the margin".to_owned())),
    };
    NoWorse { margin, answer: held.answer, why }
}

/// Why so few independent units support no claim at all, if they are too few: the intervals' own assumptions are then not worth one,
/// whatever they show.
#[must_use]
pub fn too_few(clusters: usize) -> Option<String> {
    let few = clusters < MIN_CLUSTERS;
    few.then(|| format!("{clusters} independent cases are too few: at least {MIN_CLUSTERS} are needed"))
}

/// Why the suite is too small for a margin, if it is (statistics.md, section 2.4): one in which even a flawless record does not exclude
/// that a share `margin` of the cases is worse supports no claim.
///
/// Of a share, such cases lose the margin. Of a duration or a count they spend it if they are worse by a factor e, which a spread of next
/// to nothing among the cases that were seen says nothing against. Where pairs share clusters, the record without any change must exclude
/// the margin by the metric's own interval, too: the first loss that is seen takes the design effect down from a cluster's whole size, and
/// must not make a proof.
#[must_use]
pub fn too_small(c: &Comparison, margin: f64, alpha: f64) -> Option<String> {
    let Ok(need) = stats::n_min(margin.min(1.0 - 1e-9), alpha) else {
        return Some("no number of cases is enough for this margin".to_owned());
    };
    if (c.clusters as u64) < need {
        return Some(format!(
            "{} independent cases are too few for this margin: at least {need} are needed",
            c.clusters
        ));
    }
    let reach = c.unchanged_reach.filter(|reach| *reach >= margin)?;
    let scale = Scale::of_change(&c.metric);
    Some(format!(
        "{} clusters of such sizes are too few for this margin: even with no pair changed, a change of {} would not be excluded",
        c.clusters,
        scale.exact((reach * 1e4).ceil() / 1e4)
    ))
}
