//! Samples read once: every value by metric, target, case and repeat, with cases and clusters as small numbers.
//!
//! Pairs, the many targets of a ranking, one target by itself and the noise floor are views of it, so that one set of rules says what is
//! missing:
//!
//! - A case belongs to a metric if any target has the metric on it: a score that is missing on one side only is missing evidence, not a
//!   case to leave out.
//! - A target has a value of a case if each of its samples of that case has a finite score; of two samples of one repeat the later counts.
//! - It has none where it lacks a repeat that it was scored for on another case of the slice, with a value or without one: averaging the
//!   others would drop what is missing.
//! - A case has the cluster and the slices of its last sample; a suite and the readers of scores let no two differ.
//!
//! [`Rule`] is what the views differ in.

use super::column::{Column, Trial, columns};
use crate::score::Sample;
use crate::types::{CaseId, ClusterName, MetricName, SliceName, TargetName};
use rayon::prelude::*;
use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};

/// From this many samples on they are sorted into columns on all cores: below it, waking them costs more.
const MANY: usize = 10_000;

/// What counts as a value beyond being a finite number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    /// Whether only an answer has a value. A failure scores 0, which is right for a candidate and would be a gift to it if the baseline
    /// failed.
    pub only_answers: bool,
    /// Whether only a number above 0 is a value, since a logarithm will be taken of it. A comparison of two has no answer where one is not;
    /// among many targets or repeats the case is left out and named.
    pub only_positive: bool,
}

struct Case<'a> {
    name: &'a CaseId,
    /// The place of its cluster among all by name.
    cluster: u32,
}

struct Measured {
    /// The cases that any target has the metric on, ascending.
    cases: Vec<u32>,
    /// By target.
    columns: Vec<Option<Column>>,
}

/// Samples, sorted into columns.
pub(super) struct Gathered<'a> {
    /// By name.
    cases: Vec<Case<'a>>,
    /// The cases of each slice, ascending.
    slices: BTreeMap<&'a SliceName, Vec<u32>>,
    targets: HashMap<&'a str, usize>,
    metrics: BTreeMap<&'a MetricName, Measured>,
}

/// The cases of a slice that a metric was measured on.
pub(super) struct Cases {
    numbers: Vec<u32>,
}

impl Cases {
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}

/// One target on some [`Cases`].
pub(super) struct Side<'a> {
    /// The repeats that it was scored for, ascending.
    pub repeats: Vec<u32>,
    /// By case, its values in all those repeats, in their order; `None` where one is missing.
    pub rows: Vec<Option<&'a [f64]>>,
}

impl<'a> Gathered<'a> {
    /// Reads the samples, and of their scores those of some metrics.
    pub fn new(
        samples: impl ExactSizeIterator<Item = &'a Sample>,
        metrics: impl IntoIterator<Item = &'a MetricName>,
    ) -> Self {
        let metrics: Vec<&MetricName> = BTreeMap::from_iter(metrics.into_iter().map(|m| (m, ()))).into_keys().collect();
        let is_many = samples.len() >= MANY;
        let mut cases = Interned::default();
        let mut targets = Interned::default();
        let mut last: Vec<&Sample> = Vec::new();
        let mut trials: Vec<Vec<Trial>> = Vec::new();
        for sample in samples {
            let case = cases.number(&sample.case);
            let target = targets.number(&sample.target);
            if case == last.len() {
                last.push(sample);
            }
            last[case] = sample;
            if target == trials.len() {
                trials.push(Vec::new());
            }
            trials[target].push(Trial { case: small(case), sample });
        }
        let place = by_name(&mut last, |s| &s.case);
        let of_target = |trials: Vec<Trial<'a>>| columns(sorted(trials, &place), &metrics);
        let of_targets: Vec<Vec<Option<Column>>> = if is_many {
            trials.into_par_iter().map(of_target).collect()
        } else {
            trials.into_iter().map(of_target).collect()
        };
        let mut by_metric: Vec<Vec<Option<Column>>> = metrics.iter().map(|_| Vec::new()).collect();
        for columns in of_targets {
            by_metric.iter_mut().zip(columns).for_each(|(metric, column)| metric.push(column));
        }
        let measured = |columns: Vec<Option<Column>>| Measured { cases: any_of(&columns, last.len()), columns };
        Self {
            slices: slices(&last),
            targets: targets.numbers,
            metrics: metrics.into_iter().zip(by_metric.into_iter().map(measured)).collect(),
            cases: cases_of(&last),
        }
    }

    /// The cases of a slice that any target has a metric on.
    pub fn cases(&self, metric: &MetricName, slice: &SliceName) -> Cases {
        let measured = self.metrics.get(metric).map_or(&[][..], |m| &m.cases);
        if slice.is_all() {
            return Cases { numbers: measured.to_vec() };
        }
        let mut within = self.slices.get(slice).map_or(&[][..], Vec::as_slice).iter().peekable();
        let is_within = |case: &&u32| {
            while within.next_if(|c| c < case).is_some() {}
            within.peek() == Some(case)
        };
        Cases { numbers: measured.iter().filter(is_within).copied().collect() }
    }

    /// The name and the cluster of each case; clusters are numbered by name.
    pub fn names(&self, cases: &Cases) -> impl Iterator<Item = (&'a CaseId, u32)> {
        cases.numbers.iter().map(|&c| &self.cases[c as usize]).map(|c| (c.name, c.cluster))
    }

    /// What one target has of some cases.
    pub fn side(&self, metric: &MetricName, cases: &Cases, target: &TargetName, rule: Rule) -> Side<'_> {
        let number = self.targets.get(target.as_str());
        match number.and_then(|&t| self.metrics.get(metric)?.columns[t].as_ref()) {
            Some(column) => column.side(&cases.numbers, rule),
            None => Side { repeats: Vec::new(), rows: vec![None; cases.numbers.len()] },
        }
    }
}

/// Texts by the order in which they came.
#[derive(Default)]
struct Interned<'a> {
    numbers: HashMap<&'a str, usize>,
    last: Option<(&'a str, usize)>,
}

impl<'a> Interned<'a> {
    fn number(&mut self, name: &'a impl Borrow<str>) -> usize {
        let name = name.borrow();
        // Samples of one case, or of one target, mostly follow each other.
        if let Some((last, number)) = self.last
            && last == name
        {
            return number;
        }
        let next = self.numbers.len();
        let number = *self.numbers.entry(name).or_insert(next);
        self.last = Some((name, number));
        number
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 2^32 cases fit into memory")
}

/// Sorts items by a name and returns where each has gone.
fn by_name<T: Copy, N: Ord + ?Sized>(items: &mut [T], name: impl Fn(&T) -> &N) -> Vec<u32> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| name(&items[a]).cmp(name(&items[b])));
    let mut place = vec![0; items.len()];
    for (to, &from) in order.iter().enumerate() {
        place[from] = small(to);
    }
    let sorted: Vec<T> = order.into_iter().map(|i| items[i]).collect();
    items.copy_from_slice(&sorted);
    place
}

/// The trials of one target by case and repeat, those of one repeat as they came.
fn sorted<'a>(mut trials: Vec<Trial<'a>>, place: &[u32]) -> Vec<Trial<'a>> {
    trials.iter_mut().for_each(|t| t.case = place[t.case as usize]);
    trials.sort_by_key(|t| (t.case, t.sample.repeat));
    trials
}

/// The cases that any of the columns has.
fn any_of(columns: &[Option<Column>], cases: usize) -> Vec<u32> {
    let mut is_there = vec![false; cases];
    columns.iter().flatten().flat_map(Column::cases).for_each(|&c| is_there[c as usize] = true);
    (0..).zip(is_there).filter(|(_, there)| *there).map(|(c, _)| c).collect()
}

/// The cases of every slice, from one sample of each case.
fn slices<'a>(witnesses: &[&'a Sample]) -> BTreeMap<&'a SliceName, Vec<u32>> {
    let mut slices: BTreeMap<&SliceName, Vec<u32>> = BTreeMap::new();
    for (case, sample) in (0..).zip(witnesses) {
        for slice in &sample.slices {
            let cases = slices.entry(slice).or_default();
            if cases.last() != Some(&case) {
                cases.push(case);
            }
        }
    }
    slices
}

/// The cases with their clusters as numbers, from one sample of each case.
fn cases_of<'a>(witnesses: &[&'a Sample]) -> Vec<Case<'a>> {
    let mut cases: Vec<Case> = witnesses.iter().map(|s| Case { name: &s.case, cluster: 0 }).collect();
    let mut by_cluster: Vec<(&ClusterName, usize)> = witnesses.iter().map(|s| &s.cluster).zip(0..).collect();
    by_cluster.sort();
    for (number, cluster) in (0..).zip(by_cluster.chunk_by(|a, b| a.0 == b.0)) {
        cluster.iter().for_each(|(_, case)| cases[*case].cluster = number);
    }
    cases
}
