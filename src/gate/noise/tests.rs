//! What the gate says of a target held against itself.

use super::*;
use crate::score::Score;
use crate::suite::diag::SourceFile;
use crate::types::{ClusterName, Direction, MetricKind, Outcome, SplitMix64, Untrusted};

const POLICY: &str = r#"format = "goldgate.policy/1"
name = "p"
baseline = "base"
candidates = ["cand"]
alpha = 0.05

[[criterion]]
id = "better"
metric = "accuracy"
require = "superior"

[[criterion]]
id = "honest"
metric = "accuracy"
require = "non-inferior"
margin = 0.2

[[criterion]]
id = "greedy"
metric = "accuracy"
require = "equivalent"
margin = 0.01
advisory = true

[[criterion]]
id = "level"
metric = "accuracy"
require = "at-least"
limit = 0.5
"#;

/// Twelve ordered pairs of four repeats of 150 cases, each of which passes with this probability.
fn of(rate: f64, seed: u64) -> Noise {
    let mut rng = SplitMix64::new(seed);
    let names: Vec<_> = (1..=4).map(|k| TargetName::new(&format!("base-r{k}")).unwrap()).collect();
    let metric =
        Metric { name: MetricName::new("accuracy").unwrap(), kind: MetricKind::Binary, direction: Direction::Higher };
    let mut samples = Vec::new();
    for case in 0..150 {
        for name in &names {
            let value = f64::from(u8::from(rng.unit() < rate));
            samples.push(Sample {
                case: CaseId::new(&format!("c{case}")).unwrap(),
                cluster: ClusterName::new(&format!("c{case}")).unwrap(),
                slices: Vec::new(),
                target: name.clone(),
                repeat: 0,
                outcome: Outcome::Answered,
                scores: vec![Score { metric: metric.name.clone(), value: Some(value), why: Untrusted::default() }],
            });
        }
    }
    let policy = Policy::parse(SourceFile::new("policy.toml", POLICY)).unwrap();
    let repeated = Repeated {
        suite: &SuiteName::new("s").unwrap(),
        suite_digest: Digest::of(b"s"),
        metrics: &[metric],
        planned: 150,
        target: policy.baseline(),
        repeats: &names,
        samples: &samples,
        moved: &[],
        concurrency: 1,
    };
    noise(&policy, repeated)
}

fn counts(n: &Noise, id: &str) -> (usize, usize, usize, usize) {
    let c = n.criteria.iter().find(|c| c.criterion.as_str() == id).unwrap();
    (c.met, c.unproven, c.violated, c.false_alarms)
}

#[test]
fn a_target_that_does_not_move_is_never_better_than_itself() {
    let n = of(1.0, 1);
    assert_eq!(counts(&n, "better"), (0, 12, 0, 0));
    assert_eq!(counts(&n, "honest"), (12, 0, 0, 0));
    assert_eq!(counts(&n, "level"), (12, 0, 0, 0));
    assert_eq!((n.decisions.promote, n.decisions.undecided, n.decisions.reject), (0, 12, 0));
    assert!(n.criteria.iter().all(|c| c.undecidable.is_none()), "a floor of nothing refuses no margin");
    assert!(n.flaky().is_empty());
}

#[test]
fn a_margin_below_the_noise_is_named() {
    // Two runs of a coin differ by sqrt(0.5 / 150) = 5.8 points; a margin of 1 point is far below twice that, 20 points lie above.
    let n = of(0.5, 2);
    let said: Vec<_> =
        n.criteria.iter().filter_map(|c| c.undecidable.as_ref().map(|w| (c.criterion.as_str(), w))).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].0 == "greedy" && said[0].1.contains("cannot be decided with this suite"), "{said:?}");
    assert!(said[0].1.contains("the margin of 1\u{202f}pp"), "{said:?}");
    assert!(n.flaky().len() > 40, "most coins are flaky: {}", n.flaky().len());
}

#[test]
fn gains_are_proven_of_noise_about_as_often_as_the_level_says() {
    let (mut met, mut pairs) = (0, 0);
    for seed in 0..60 {
        let n = of(0.8, seed);
        let c = &n.criteria[0];
        met += c.met;
        pairs += c.met + c.unproven + c.violated;
        assert_eq!(c.false_alarms, c.met);
        assert!(c.violated >= c.met, "what one order proves, the other refutes: {c:?}");
    }
    let share = met as f64 / pairs as f64;
    // Pairs of one calibration share repeats, so the error of the share is that of 60 calibrations at worst.
    assert!(share > 0.0 && share <= 0.05 + 3.0 * (0.05_f64 * 0.95 / 60.0).sqrt(), "{met} of {pairs}");
}

#[test]
fn every_ordered_pair_is_judged_by_every_criterion() {
    let n = of(0.5, 3);
    for c in &n.criteria {
        assert_eq!(c.met + c.unproven + c.violated, 12, "{c:?}");
    }
    assert_eq!(n.decisions.promote + n.decisions.undecided + n.decisions.reject, 12);
    // A level is the candidate's own, whoever the baseline is.
    assert_eq!(counts(&n, "level").0 % 3, 0);
}
