//! Gathered samples to pairs: the same case asked of two targets, grouped by what is independent.

use super::gather::{Cases, Gathered, Rule, Side};
use crate::types::{CaseId, Direction, Metric, TargetName};

/// Both values of one case, repeats averaged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub case: &'a CaseId,
    /// The number of its cluster, in the order of the names.
    pub cluster: u32,
    pub baseline: f64,
    pub candidate: f64,
    /// Repeats behind each side, the larger number.
    pub repeats: usize,
    /// The values of each repeat, of the baseline and of the candidate, where both sides have the same ones; else empty.
    each: [&'a [f64]; 2],
}

impl<'a> Pair<'a> {
    fn new((case, cluster): (&'a CaseId, u32), [baseline, candidate]: [&'a [f64]; 2], aligned: bool) -> Self {
        Self {
            case,
            cluster,
            baseline: mean(baseline),
            candidate: mean(candidate),
            repeats: baseline.len().max(candidate.len()),
            each: if aligned { [baseline, candidate] } else { [&[], &[]] },
        }
    }

    /// Both values of each repeat, where both sides have the same ones; else none.
    pub fn completions(&self) -> impl ExactSizeIterator<Item = (f64, f64)> + use<'a> {
        let [baseline, candidate] = self.each;
        baseline.iter().copied().zip(candidate.iter().copied())
    }

    /// The change in the metric's own sense, turned so that more is better.
    pub fn gain(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Higher => self.candidate - self.baseline,
            Direction::Lower => self.baseline - self.candidate,
        }
    }
}

/// A case without a value on one side or both, the baseline's first.
struct Missing<'a> {
    name: (&'a CaseId, u32),
    sides: [Option<&'a [f64]>; 2],
}

/// The pairs of a slice, and the cases that have none.
pub(super) struct Pairs<'a> {
    pub found: Vec<Pair<'a>>,
    missing: Vec<Missing<'a>>,
    /// As many zeros and ones as a case can have repeats, to stand in where a value is missing.
    made_up: [Vec<f64>; 2],
}

/// Mean over repeats; of at least one.
#[expect(clippy::cast_precision_loss, reason = "repeats are few")]
pub(super) fn mean(repeats: &[f64]) -> f64 {
    repeats.iter().sum::<f64>() / repeats.len() as f64
}

impl<'a> Pairs<'a> {
    /// All pairs of some cases, and the cases that have no pair because a value is missing on a side.
    pub fn new(
        gathered: &'a Gathered<'_>,
        cases: &Cases,
        baseline: &TargetName,
        candidate: &TargetName,
        metric: &Metric,
    ) -> Self {
        let side =
            |target, only_answers| gathered.side(&metric.name, cases, target, Rule { only_answers, ..Rule::default() });
        let (base, cand): (Side, Side) = (side(baseline, true), side(candidate, false));
        let is_single = base.repeats.len() == 1 && cand.repeats.len() == 1;
        let aligned = is_single || base.repeats == cand.repeats;
        let (mut found, mut missing) = (Vec::with_capacity(base.rows.len()), Vec::new());
        for (name, sides) in gathered.names(cases).zip(base.rows.into_iter().zip(cand.rows)) {
            match sides {
                (Some(b), Some(c)) => found.push(Pair::new(name, [b, c], aligned)),
                (b, c) => missing.push(Missing { name, sides: [b, c] }),
            }
        }
        let most = base.repeats.len().max(cand.repeats.len()).max(1);
        Self { found, missing, made_up: [0.0, 1.0].map(|v| vec![v; most]) }
    }

    /// The cases without a pair.
    pub fn missing(&self) -> impl ExactSizeIterator<Item = &'a CaseId> {
        self.missing.iter().map(|m| m.name.0)
    }

    /// The pairs with those that are missing made up on the scale from 0 to 1, at their worst for the candidate or at their best: a side
    /// that has a value keeps it.
    pub fn imputed(&self, metric: &Metric, against: bool) -> Vec<Pair<'_>> {
        let repeats = self.found.iter().map(|p| p.completions().len()).max().unwrap_or(1).max(1);
        let high = (metric.direction == Direction::Higher) != against;
        let [zeros, ones] = &self.made_up;
        let extremes = if high { [zeros, ones] } else { [ones, zeros] };
        let made_up = self.missing.iter().map(|m| {
            let [baseline, candidate] = m.sides;
            let repeats = baseline.or(candidate).map_or(repeats, <[f64]>::len);
            let sides = [baseline.unwrap_or(&extremes[0][..repeats]), candidate.unwrap_or(&extremes[1][..repeats])];
            Pair::new(m.name, sides, true)
        });
        self.found.iter().copied().chain(made_up).collect()
    }
}

/// Items in the order of their clusters, those of one cluster as they came.
pub(super) fn by_cluster<T>(items: &[T], cluster: impl Fn(&T) -> u32) -> Vec<Vec<&T>> {
    let mut sorted: Vec<&T> = items.iter().collect();
    sorted.sort_by_key(|item| cluster(item));
    sorted.chunk_by(|a, b| cluster(a) == cluster(b)).map(<[&T]>::to_vec).collect()
}
