//! The gatherer beside its rules, written down plainly.

use super::*;
use crate::compare::gather::{Gathered, Rule};
use crate::types::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};

const TARGETS: [&str; 4] = ["base", "one", "two", "three"];
const METRICS: [&str; 2] = ["m", "n"];
const SLICES: [&str; 3] = ["all", "even", "odd"];

/// Samples in any order that lack what samples can lack: cases, repeats, scores, values and answers; some come twice.
fn ragged(rng: &mut SplitMix64, lacking: f64) -> Vec<Sample> {
    let mut samples = Vec::new();
    for case in 0..12 {
        for who in TARGETS {
            for repeat in 0..u32::try_from(rng.index(4)).unwrap() {
                for _ in 0..if rng.unit() < lacking { 2 } else { 1 } {
                    let slice = if case % 2 == 0 { "even" } else { "odd" };
                    let score = |name: &&str| Score {
                        metric: MetricName::new(name).unwrap(),
                        value: Some(rng.unit() - 0.1).filter(|_| rng.unit() >= lacking),
                        why: Untrusted::default(),
                    };
                    let mut scores: Vec<Score> = METRICS.iter().map(score).collect();
                    if rng.unit() < lacking {
                        scores.remove(0);
                    }
                    if rng.unit() < lacking {
                        scores.reverse();
                    }
                    samples.push(Sample {
                        slices: vec![SliceName::new(slice).unwrap()],
                        repeat: if rng.unit() < lacking { repeat } else { 0 },
                        outcome: if rng.unit() < lacking { Outcome::Failed } else { Outcome::Answered },
                        scores,
                        ..sample(case, 11 - case / 3, who, None)
                    });
                }
            }
        }
    }
    rng.shuffle(&mut samples);
    samples
}

/// What a target has of each case that a metric was measured on.
fn plainly<'a>(
    samples: &'a [Sample],
    target: &TargetName,
    metric: &MetricName,
    slice: &SliceName,
    rule: Rule,
) -> BTreeMap<&'a CaseId, (&'a ClusterName, Option<Vec<f64>>)> {
    let relevant: Vec<&Sample> = samples.iter().filter(|s| s.is_in(slice)).collect();
    let own = || relevant.iter().filter(|s| s.target == *target);
    let asked: BTreeSet<u32> = own().filter(|s| s.score(metric).is_some()).map(|s| s.repeat).collect();
    let measured = relevant.iter().filter(|s| s.score(metric).is_some());
    let of_case = |s: &&'a Sample| {
        let mut values = Some(BTreeMap::new());
        for s in own().filter(|o| o.case == s.case) {
            let is_missing = rule.only_answers && !s.outcome.is_answer();
            let value = s.score(metric).and_then(|s| s.value).filter(|v| v.is_finite() && !is_missing);
            match (&mut values, value) {
                (Some(values), Some(v)) => drop(values.insert(s.repeat, v)),
                _ => values = None,
            }
        }
        let values = values.filter(|v| !v.is_empty() && v.len() == asked.len());
        let values = values.filter(|v| !rule.only_positive || v.values().all(|v| *v > 0.0));
        (&s.case, (&s.cluster, values.map(|v| v.into_values().collect())))
    };
    measured.map(of_case).collect()
}

#[test]
fn what_is_gathered_is_what_the_rules_say() {
    let mut rng = SplitMix64::new(3);
    let mut whole = 0;
    for round in 0..300 {
        let samples = ragged(&mut rng, f64::from(round % 4) / 10.0);
        let metrics = METRICS.map(|m| MetricName::new(m).unwrap());
        let gathered = Gathered::new(samples.iter(), &metrics);
        for (i, metric) in metrics.iter().enumerate() {
            for (k, slice) in SLICES.map(|s| SliceName::new(s).unwrap()).iter().enumerate() {
                let cases = gathered.cases(metric, slice);
                for (j, target) in TARGETS.map(target).iter().enumerate() {
                    let rule = Rule { only_answers: (i + j) % 2 == 0, only_positive: (j + k) % 2 == 0 };
                    let side = gathered.side(metric, &cases, target, rule);
                    let expected = plainly(&samples, target, metric, slice, rule);
                    let names: Vec<_> = gathered.names(&cases).collect();
                    assert!(names.iter().map(|(case, _)| case).eq(expected.keys()));
                    let clusters = names.iter().map(|(_, c)| c).zip(expected.values().map(|(c, _)| c));
                    let is_in_order = |(a, b): &((_, _), (_, _))| Ord::cmp(a.0, b.0) == Ord::cmp(a.1, b.1);
                    assert!(clusters.clone().zip(clusters.skip(1)).all(|ends| is_in_order(&ends)));
                    let rows: Vec<_> = side.rows.iter().map(|r| r.map(<[f64]>::to_vec)).collect();
                    whole += rows.iter().flatten().count();
                    assert_eq!(
                        rows,
                        expected.into_values().map(|(_, row)| row).collect::<Vec<_>>(),
                        "{round}: {target} {metric} {slice}"
                    );
                }
            }
        }
    }
    assert!(whole > 5_000, "{whole}");
}

#[test]
fn whoever_is_not_there_has_nothing() {
    let samples = paired(&[(1.0, 1.0); 3], 1);
    let [metric, other] = ["m", "other"].map(|m| MetricName::new(m).unwrap());
    let gathered = Gathered::new(samples.iter(), [&metric]);
    let cases = gathered.cases(&metric, &SliceName::all());
    assert_eq!(gathered.side(&metric, &cases, &target("nobody"), Rule::default()).rows, vec![None; 3]);
    assert!(gathered.cases(&other, &SliceName::all()).is_empty());
    assert!(gathered.cases(&metric, &SliceName::new("nowhere").unwrap()).is_empty());
}
