//! The gate fails closed.

use super::*;
use crate::score::{Sample, Score};
use crate::suite::diag::SourceFile;
use crate::types::{
    CaseId, ClusterName, Digest, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, SuiteName, TargetName,
    Untrusted,
};
use proptest::prelude::*;

mod rules;

const POLICY: &str = r#"format = "goldgate.policy/1"
name = "p"
baseline = "base"
candidates = ["cand"]
alpha = 0.05

[[criterion]]
id = "better"
metric = "accuracy"
require = "superior"
by = 0.1

[[criterion]]
id = "clean"
metric = "leak"
require = "none-observed"
max-rate = 0.05

[[criterion]]
id = "talk"
metric = "tone"
require = "non-inferior"
margin = 0.1
advisory = true
"#;

fn name(text: &str) -> TargetName {
    TargetName::new(text).unwrap()
}

fn metrics() -> Vec<Metric> {
    let metric = |n: &str, kind, direction| Metric { name: MetricName::new(n).unwrap(), kind, direction };
    vec![
        metric("accuracy", MetricKind::Binary, Direction::Higher),
        metric("leak", MetricKind::Event, Direction::Lower),
        metric("tone", MetricKind::Binary, Direction::Higher),
    ]
}

/// One sample with (accuracy, leak, tone).
fn sample(i: usize, who: &str, values: [Option<f64>; 3]) -> Sample {
    let scores = metrics().into_iter().zip(values);
    Sample {
        case: CaseId::new(&format!("c{i}")).unwrap(),
        cluster: ClusterName::new(&format!("c{i}")).unwrap(),
        slices: vec![SliceName::new("t").unwrap()],
        target: name(who),
        repeat: 0,
        outcome: Outcome::Answered,
        scores: scores.map(|(m, value)| Score { metric: m.name, value, why: Untrusted::default() }).collect(),
    }
}

/// A run of `n` cases in which the candidate is plainly good: half the baseline's answers are wrong, all of the candidate's are right.
fn good(n: usize) -> Vec<Sample> {
    (0..n)
        .flat_map(|i| {
            let base = [Some(f64::from(u8::from(i % 2 == 0))), Some(0.0), Some(1.0)];
            [sample(i, "base", base), sample(i, "cand", [Some(1.0), Some(0.0), Some(1.0)])]
        })
        .collect()
}

fn policy() -> Policy {
    Policy::parse(SourceFile::new("policy.toml", POLICY)).unwrap()
}

fn verdict(samples: &[Sample], planned: usize) -> Verdict {
    let policy = policy();
    let suite = SuiteName::new("s").unwrap();
    let metrics = metrics();
    let asked = Asked {
        suite: &suite,
        suite_digest: Digest::of(b"s"),
        metrics: &metrics,
        planned,
        samples,
        pinned_policy: Some(policy.digest()),
        changed: &[],
        asking: crate::compare::Asking::ALONE,
    };
    judge(&policy, asked, &name("base"), &name("cand"))
}

#[test]
fn good_evidence_promotes_and_says_so() {
    let v = verdict(&good(100), 100);
    assert_eq!(v.decision(), Decision::Promote, "{}", v.sentence());
    assert_eq!(v.sentence(), "All 2 required criteria are met.");
    assert_eq!(
        v.findings()[1].sentence,
        "Leak was not observed in 100 cases, so its rate is at most 3.0\u{202f}%; the policy asks for proof of at most 5\u{202f}%."
    );
}

#[test]
fn one_leak_rejects_and_names_the_case() {
    let mut samples = good(100);
    samples[13].scores[1].value = Some(1.0);
    let v = verdict(&samples, 100);
    assert_eq!(v.decision(), Decision::Reject);
    assert_eq!(v.sentence(), "clean is violated: leak was observed in 1 of 100 cases (c6).");
    assert_eq!(
        v.findings()[0].sentence,
        "Accuracy rose by 50\u{202f}pp (90\u{202f}% interval +42 to +58\u{202f}pp), on 100 cases; \
         the policy asks for a rise of more than 10\u{202f}pp."
    );
}

#[test]
fn a_missing_trial_is_undecided_and_says_which_target() {
    let v = verdict(&good(100)[..199], 100);
    assert_eq!(v.decision(), Decision::Undecided);
    assert!(v.sentence().contains("99 of 100 trials of `cand` were asked"), "{}", v.sentence());
}

#[test]
fn too_few_cases_prove_nothing_and_the_need_is_stated() {
    let v = verdict(&good(20), 20);
    assert_eq!(v.decision(), Decision::Undecided);
    let clean = &v.findings()[1];
    assert_eq!((clean.status, clean.more_cases), (Status::Unproven, Some(39)), "59 clean cases bound 5 %");
}

#[test]
fn a_handful_of_cases_supports_no_claim_however_clean() {
    let samples: Vec<Sample> = (0..9)
        .flat_map(|i| {
            let base = sample(i, "base", [Some(0.0), Some(0.0), Some(1.0)]);
            [base, sample(i, "cand", [Some(1.0), Some(0.0), Some(1.0)])]
        })
        .collect();
    let v = verdict(&samples, 9);
    assert_eq!(v.findings()[0].status, Status::Unproven, "all nine were gained");
    assert!(v.findings()[0].sentence.contains("9 independent cases are too few"), "{}", v.findings()[0].sentence);
    assert_eq!(v.decision(), Decision::Undecided);
}

#[test]
fn equal_models_are_not_superior() {
    let samples: Vec<_> = good(100).into_iter().filter(|s| s.target == name("base")).collect();
    let twin = samples.iter().cloned().map(|mut s| {
        s.target = name("cand");
        s
    });
    let both: Vec<_> = samples.iter().cloned().chain(twin).collect();
    let v = verdict(&both, 100);
    assert_ne!(v.findings()[0].status, Status::Met);
    assert_ne!(v.decision(), Decision::Promote);
}

#[test]
fn an_unscored_case_keeps_a_criterion_from_being_met() {
    let mut samples = good(100);
    samples[1].scores[1].value = None;
    let v = verdict(&samples, 100);
    assert_eq!(v.findings()[1].status, Status::Unproven);
    assert!(v.findings()[1].sentence.contains("`c0` could not be scored"), "{}", v.findings()[1].sentence);
    assert_eq!(v.decision(), Decision::Undecided);
}

#[test]
fn an_advisory_criterion_decides_nothing() {
    let mut samples = good(100);
    samples.iter_mut().filter(|s| s.target == name("cand")).for_each(|s| s.scores[2].value = Some(0.0));
    let v = verdict(&samples, 100);
    assert_eq!(v.findings()[2].status, Status::Violated);
    assert_eq!(v.decision(), Decision::Promote);
}

#[test]
fn a_policy_changed_after_the_run_cannot_promote() {
    let (policy, suite, metrics, samples) = (policy(), SuiteName::new("s").unwrap(), metrics(), good(100));
    for pinned in [None, Some(Digest::of(b"another policy"))] {
        let asked = Asked {
            suite: &suite,
            suite_digest: Digest::of(b"s"),
            metrics: &metrics,
            planned: 100,
            samples: &samples,
            pinned_policy: pinned,
            changed: &[],
            asking: crate::compare::Asking::ALONE,
        };
        let v = judge(&policy, asked, &name("base"), &name("cand"));
        assert_eq!(v.decision(), Decision::Undecided);
        assert!(v.sentence().contains("pinned before the run"), "{}", v.sentence());
    }
}

#[test]
fn a_small_suite_proves_no_small_margin() {
    let v = verdict(&good(28), 28);
    let talk = &v.findings()[2];
    assert_eq!(talk.status, Status::Unproven, "28 flawless cases do not exclude a loss of 10 points");
    let v = verdict(&good(60), 60);
    assert_eq!(v.findings()[2].status, Status::Met);
}

/// A random harm to good evidence.
fn harm(samples: &mut Vec<Sample>, kind: u8, at: usize) {
    let i = at % samples.len();
    match kind % 6 {
        0 => {
            samples.remove(i);
        }
        1 => samples[i].scores[at % 2].value = Some(f64::NAN),
        2 => samples[i].scores[at % 2].value = None,
        3 => {
            let copy = samples[i].clone();
            samples.push(copy);
        }
        4 => samples[i].outcome = Outcome::Failed,
        _ => {
            if samples[i].scores.len() > 2 {
                samples[i].scores.remove(1);
            }
        }
    }
}

/// The scores of the candidate on the case of the sample `i` of [`good`].
fn scores_of_candidate(samples: &mut [Sample], i: usize) -> &mut Vec<Score> {
    &mut samples[i | 1].scores
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Fewer, broken or doubled samples never turn an undecided or rejected candidate into a promoted one.
    #[test]
    fn harmed_evidence_never_promotes_what_clean_evidence_would_not(
        n in 5usize..70, leaks in 0usize..3, harms in proptest::collection::vec((0u8..6, 0usize..10_000), 1..4)
    ) {
        let mut samples = good(n);
        for i in 0..leaks {
            samples[2 * i + 1].scores[1].value = Some(1.0);
        }
        let clean = verdict(&samples, n).decision();
        for (kind, at) in harms {
            harm(&mut samples, kind, at);
        }
        let harmed = verdict(&samples, n).decision();
        prop_assert!(harmed != Decision::Promote || clean == Decision::Promote);
    }

    /// A promotion needs every trial: with one removed, doubled, failed, cut, or without the score of "never observed", the same evidence
    /// promotes nobody. (Another missing score counts at its worst: `rules` has both sides of that.)
    #[test]
    fn one_harm_to_promoting_evidence_takes_the_promotion(n in 60usize..80, kind in 0u8..7, at in 0usize..10_000) {
        let mut samples = good(n);
        prop_assert_eq!(verdict(&samples, n).decision(), Decision::Promote);
        let i = at % samples.len();
        match kind {
            0 => {
                samples.remove(i);
            }
            1 => scores_of_candidate(&mut samples, i)[1].value = Some(f64::NAN),
            2 => scores_of_candidate(&mut samples, i)[1].value = None,
            3 => {
                let copy = samples[i].clone();
                samples.push(copy);
            }
            4 => samples[i].outcome = Outcome::Failed,
            5 => samples[i].outcome = Outcome::Truncated,
            _ => {
                scores_of_candidate(&mut samples, i).remove(1);
            }
        }
        prop_assert_ne!(verdict(&samples, n).decision(), Decision::Promote);
    }
}
