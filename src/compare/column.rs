//! The values of one metric of one target, case by case.

use super::gather::{Rule, Side};
use crate::score::Sample;
use crate::types::MetricName;
use std::collections::HashMap;

/// A sample with the number of its case.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub case: u32,
    pub sample: &'a Sample,
}

/// One metric of one target. A row is a case on which the target was scored, with a value or without one; its cells are the repeats.
#[derive(Default)]
pub(super) struct Column {
    /// The case of each row, ascending.
    cases: Vec<u32>,
    /// Where the cells of each row end; they begin where those of the row before end.
    ends: Vec<usize>,
    /// The repeat of each cell, ascending within the row.
    repeats: Vec<u32>,
    /// The value of each cell; NaN where it is missing.
    values: Vec<f64>,
    lacks: Vec<Lack>,
}

/// What is missing of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// Every sample has a value, and one of them is no answer.
    Answer,
    Value,
}

impl Column {
    pub fn cases(&self) -> &[u32] {
        &self.cases
    }

    /// The values on some cases, which are ascending.
    pub fn side(&self, cases: &[u32], rule: Rule) -> Side<'_> {
        let mut row = 0;
        let mut rows = Vec::with_capacity(cases.len());
        let mut asked: Vec<u32> = Vec::new();
        for case in cases {
            while self.cases.get(row).is_some_and(|c| c < case) {
                row += 1;
            }
            let found = self.cases.get(row) == Some(case);
            if found && self.repeats[self.cells(row)] != asked {
                add(&mut asked, &self.repeats[self.cells(row)]);
            }
            rows.push(found.then_some(row));
        }
        let values = |row: usize| {
            let values = &self.values[self.cells(row)];
            let is_whole = match self.lacks[row] {
                Lack::Nothing => true,
                Lack::Answer => !rule.only_answers,
                Lack::Value => false,
            };
            let is_value = is_whole && values.len() == asked.len();
            (is_value && !(rule.only_positive && values.iter().any(|v| *v <= 0.0))).then_some(values)
        };
        let rows = rows.into_iter().map(|row| row.and_then(values)).collect();
        Side { repeats: asked, rows }
    }

    fn cells(&self, row: usize) -> std::ops::Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        start..self.ends[row]
    }

    /// Adds a cell to the last row. Of two samples of one repeat the later has the value, unless either lacks it.
    fn push(&mut self, case: u32, repeat: u32, value: Option<f64>) {
        let value = value.filter(|v| v.is_finite()).unwrap_or(f64::NAN);
        if self.cases.last() != Some(&case) {
            self.cases.push(case);
            self.ends.push(self.values.len());
            self.lacks.push(Lack::Nothing);
        }
        let row = self.cases.len() - 1;
        let is_again = self.cells(row).last().is_some_and(|cell| self.repeats[cell] == repeat);
        match self.values.last_mut().filter(|_| is_again) {
            Some(earlier) if earlier.is_nan() => {}
            Some(earlier) => *earlier = value,
            None => {
                self.repeats.push(repeat);
                self.values.push(value);
                self.ends[row] = self.values.len();
            }
        }
        if value.is_nan() {
            self.lacks[row] = Lack::Value;
        }
    }
}

/// Adds repeats to others, both ascending and each once.
fn add(all: &mut Vec<u32>, more: &[u32]) {
    for repeat in more {
        if let Err(at) = all.binary_search(repeat) {
            all.insert(at, *repeat);
        }
    }
}

/// A column that is being filled.
#[derive(Default)]
struct Filling {
    column: Column,
    /// Samples of the last row.
    samples: usize,
    /// The number of the last sample, from 1.
    last: usize,
}

/// The columns of one target by metric, from its trials by case and repeat; `None` for a metric on which it was never scored.
pub(super) fn columns(trials: Vec<Trial<'_>>, metrics: &[&MetricName]) -> Vec<Option<Column>> {
    let numbers: HashMap<&str, usize> = metrics.iter().enumerate().map(|(i, m)| (m.as_str(), i)).collect();
    let mut filling: Vec<Filling> = metrics.iter().map(|_| Filling::default()).collect();
    // Samples mostly have the same metrics in the same order.
    let mut like_last: Vec<(&MetricName, Option<usize>)> = Vec::new();
    let (mut touched, mut number) = (Vec::new(), 0);
    for of_case in trials.chunk_by(|a, b| a.case == b.case) {
        for Trial { case, sample } in of_case {
            number += 1;
            for (i, score) in sample.scores.iter().enumerate() {
                let known = like_last.get(i).filter(|(name, _)| **name == score.metric);
                let metric = known.map_or_else(|| numbers.get(score.metric.as_str()).copied(), |(_, m)| *m);
                if known.is_none() {
                    like_last.truncate(i);
                    like_last.push((&score.metric, metric));
                }
                let Some(metric) = metric else { continue };
                let at = &mut filling[metric];
                // Of two scores of one metric in a sample the first counts.
                if at.last == number {
                    continue;
                }
                if at.column.cases.last() != Some(case) {
                    touched.push(metric);
                    at.samples = 0;
                }
                (at.last, at.samples) = (number, at.samples + 1);
                at.column.push(*case, sample.repeat, score.value);
            }
        }
        let is_answered = of_case.iter().all(|t| t.sample.outcome.is_answer());
        for metric in touched.drain(..) {
            let Filling { column, samples, .. } = &mut filling[metric];
            let Some(lack) = column.lacks.last_mut() else { continue };
            if *samples < of_case.len() {
                *lack = Lack::Value;
            } else if !is_answered && *lack == Lack::Nothing {
                *lack = Lack::Answer;
            }
        }
    }
    filling.into_iter().map(|f| Some(f.column).filter(|c| !c.cases.is_empty())).collect()
}
