//! A plan is every question once, in an order that only the seed knows; a run records every answer once, whatever becomes of it.

use super::*;
use crate::store::{Manifest, OpenRun, RUN_FORMAT, Record, RunDir, SealedRun, SuiteRef, TrialResult};
use crate::suite::Suite;
use crate::target::{Answer, Question, Target};
use crate::types::{
    Digest, Failure, FailureKind, Finish, Response, Served, TargetName, Timing, Untrusted, Usage, VariantName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SUITE: &str = r#"format = "goldgate.suite/1"
name = "desk"
version = "1"
cases = ["cases.jsonl"]
max-new-tokens = 16

[prompt.short]
user = "prompts/user.j2"

[prompt.long]
user = "prompts/user.j2"

[[scorer]]
metric = "accuracy"
kind = "exact"
"#;

/// A suite of `n` cases whose prompts are `q0`, `q1` and so on.
fn suite(n: usize, toml: &str) -> Suite {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("prompts")).unwrap();
    let case = |i| format!(r#"{{"id":"c{i:02}","task":"t","vars":{{"q":"q{i}"}},"expect":{{"answer":"x"}}}}"#);
    let lines: Vec<String> = (0..n).map(case).collect();
    for (name, text) in [("suite.toml", toml), ("cases.jsonl", &lines.join("\n")), ("prompts/user.j2", "{{ vars.q }}")]
    {
        fs::write(dir.path().join(name), text).unwrap();
    }
    Suite::load(dir.path()).unwrap()
}

fn name(text: &str) -> TargetName {
    TargetName::new(text).unwrap()
}

fn arm(who: &str, answers: &str, prompt: &str) -> Arm {
    Arm { name: name(who), digest: Digest::of(answers.as_bytes()), prompt: VariantName::new(prompt).unwrap() }
}

fn arms() -> Vec<Arm> {
    vec![arm("base", "b", "short"), arm("tuned", "t", "short"), arm("other", "o", "long")]
}

fn order(plan: &Plan) -> Vec<(usize, usize)> {
    plan.trials.iter().map(|t| (t.case, t.arm)).collect()
}

fn ids(plan: &Plan) -> BTreeMap<(usize, usize), Digest> {
    plan.trials.iter().map(|t| ((t.case, t.arm), t.id)).collect()
}

#[test]
fn a_plan_asks_every_case_of_every_arm_once_and_the_arms_of_a_case_together() {
    let plan = Plan::new(&suite(20, SUITE), arms(), 7);
    let all: BTreeSet<_> = (0..20).flat_map(|case| (0..3).map(move |arm| (case, arm))).collect();
    assert_eq!(plan.trials.len(), 60);
    assert_eq!(order(&plan).into_iter().collect::<BTreeSet<_>>(), all);
    assert!(plan.trials.iter().all(|t| t.repeat == 0));
    for together in plan.trials.chunks(3) {
        assert!(together.iter().all(|t| t.case == together[0].case), "{together:?}");
    }
    let firsts: BTreeSet<_> = plan.trials.chunks(3).map(|c| c[0].arm).collect();
    assert_eq!(firsts.len(), 3, "no arm is always asked first");
    let cases: Vec<_> = plan.trials.chunks(3).map(|c| c[0].case).collect();
    assert!(!cases.is_sorted(), "the cases are shuffled");
}

#[test]
fn the_order_is_the_seed_s_and_nothing_else_s() {
    let desk = suite(20, SUITE);
    let seven = order(&Plan::new(&desk, arms(), 7));
    assert_eq!(seven, order(&Plan::new(&desk, arms(), 7)));
    assert_ne!(seven, order(&Plan::new(&desk, arms(), 8)));
    let others = vec![arm("x", "1", "long"), arm("y", "2", "long"), arm("z", "3", "short")];
    let changed = suite(20, &SUITE.replace("= 16", "= 17"));
    assert_eq!(seven, order(&Plan::new(&changed, others, 7)), "who is asked what does not move the order");
}

#[test]
fn a_trial_s_id_says_what_is_asked_and_not_when() {
    let desk = suite(20, SUITE);
    let plain = ids(&Plan::new(&desk, arms(), 7));
    assert_eq!(plain.values().collect::<BTreeSet<_>>().len(), 60, "no two trials share an id");
    assert_eq!(plain, ids(&Plan::new(&desk, arms(), 8)));
    let changes = [
        ("name", arm("tuned-2", "t", "short")),
        ("digest", arm("tuned", "t2", "short")),
        ("prompt", arm("tuned", "t", "long")),
    ];
    for (what, changed) in changes {
        let mut arms = arms();
        arms[1] = changed;
        for (key, id) in ids(&Plan::new(&desk, arms, 7)) {
            assert_eq!(id == plain[&key], key.1 != 1, "the {what} of arm 1 changed: case and arm {key:?}");
        }
    }
    let other = ids(&Plan::new(&suite(20, &SUITE.replace("= 16", "= 17")), arms(), 7));
    assert!(plain.iter().all(|(key, id)| other[key] != *id), "another suite, other trials");
}

/// What the targets of one run saw together.
#[derive(Default)]
struct Seen {
    now: AtomicUsize,
    most: AtomicUsize,
    asked: Mutex<Vec<(String, String)>>,
}

/// A target that answers from a script: failures by question, `yes to QUESTION` to all else, some questions later than others.
struct Scripted {
    who: &'static str,
    failures: BTreeMap<&'static str, FailureKind>,
    seen: Arc<Seen>,
}

impl Target for Scripted {
    fn digest(&self) -> Digest {
        Digest::of(self.who.as_bytes())
    }

    fn ask(&self, question: Question) -> Answer {
        let text = question.turns.last().unwrap().text.clone();
        assert_eq!(question.max_new_tokens, 16);
        let seen = Arc::clone(&self.seen);
        seen.most.fetch_max(seen.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        seen.asked.lock().unwrap().push((self.who.to_owned(), text.clone()));
        let failure = self.failures.get(text.as_str()).copied();
        Box::pin(async move {
            // Later questions overtake earlier ones.
            for _ in 0..text.bytes().map(usize::from).sum::<usize>() % 4 {
                tokio::task::yield_now().await;
            }
            seen.now.fetch_sub(1, Ordering::SeqCst);
            match failure {
                Some(kind) => Err(Failure::new(kind, format!("no to {text}"))),
                None => Ok(answer(&text)),
            }
        })
    }
}

fn answer(text: &str) -> Response {
    Response {
        text: Untrusted::new(format!("yes to {text}")),
        tool_calls: Vec::new(),
        refused: false,
        logprobs: None,
        finish: Finish::Stop,
        usage: Some(Usage { prompt: 1, completion: 1, reasoning: None }),
        smallest_gap: None,
        timing: Timing { queued_us: 0, first_token_us: 1, total_us: 2 },
        served: None,
    }
}

type Script = BTreeMap<&'static str, FailureKind>;

fn targets(base: &Script, tuned: &Script) -> (Vec<Arc<dyn Target>>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let target = |who, failures: &Script| -> Arc<dyn Target> {
        Arc::new(Scripted { who, failures: failures.clone(), seen: Arc::clone(&seen) })
    };
    (vec![target("base", base), target("tuned", tuned)], seen)
}

/// Ten cases for two arms.
fn planned() -> (Suite, Plan) {
    let desk = suite(10, SUITE);
    let plan = Plan::new(&desk, vec![arm("base", "base", "short"), arm("tuned", "tuned", "short")], 3);
    (desk, plan)
}

fn open(folder: &Path, suite: &Suite, plan: &Plan) -> OpenRun {
    let manifest = Manifest {
        format: RUN_FORMAT.to_owned(),
        version: "0".to_owned(),
        purpose: crate::store::Purpose::Judgement,
        started: "2026-01-01T00:00:00Z".to_owned(),
        suite: SuiteRef {
            path: "desk".to_owned(),
            name: suite.name().clone(),
            version: suite.version().to_owned(),
            digest: suite.digest(),
        },
        policy: None,
        seed: 3,
        concurrency: 1,
        arrival_rate: None,
        arms: Vec::new(),
        trials: plan.trials.len(),
        recording: None,
        replay: None,
        unprobed: false,
    };
    RunDir::new(folder).open(manifest).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// One sitting: how it ended, what was told, and what was recorded.
fn sit(
    folder: &Path,
    (suite, plan): &(Suite, Plan),
    targets: &[Arc<dyn Target>],
    concurrency: usize,
) -> (Result<Duration, RunError>, Vec<Event>) {
    let (mut open, mut events) = (open(folder, suite, plan), Vec::new());
    let end =
        block_on(execute(suite, plan, targets, &mut open, Load::InFlight(concurrency), |e| events.push(e.clone())));
    (end, events)
}

fn sealed(folder: &Path, (suite, plan): &(Suite, Plan)) -> SealedRun {
    open(folder, suite, plan).seal(Duration::ZERO).unwrap();
    RunDir::new(folder).open_sealed().unwrap()
}

/// Every trial of the plan is recorded exactly once, under its own case and arm, with the answer to its own question.
fn assert_whole((suite, plan): &(Suite, Plan), records: &[Record], failures: &[(&str, &str, FailureKind)]) {
    assert_eq!(records.len(), plan.trials.len());
    let by_id: BTreeMap<Digest, &Record> = records.iter().map(|r| (r.trial, r)).collect();
    for trial in &plan.trials {
        let record = by_id[&trial.id];
        let (case, who) = (&suite.cases()[trial.case], &plan.arms[trial.arm].name);
        assert_eq!((&record.case, &record.target, record.repeat), (&case.id, who, 0));
        let q = case.vars.get("q").unwrap();
        let want = match failures.iter().find(|f| f.0 == who.as_str() && f.1 == q) {
            Some(&(_, _, kind)) => TrialResult::Failure(Failure::new(kind, format!("no to {q}"))),
            None => TrialResult::Response(answer(q)),
        };
        assert_eq!(record.result, want);
    }
}

#[test]
fn a_run_records_every_trial_once_failures_included() {
    let (run, dir) = (planned(), tempfile::tempdir().unwrap());
    let (base, tuned) = (Script::from([("q4", FailureKind::Refused)]), Script::from([("q7", FailureKind::Broken)]));
    let (targets, _) = targets(&base, &tuned);
    let (end, events) = sit(dir.path(), &run, &targets, 4);
    end.unwrap();
    let records = sealed(dir.path(), &run).records;
    assert_whole(&run, &records, &[("base", "q4", FailureKind::Refused), ("tuned", "q7", FailureKind::Broken)]);
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    let told = records
        .iter()
        .map(|r| Event::Recorded { target: r.target.clone(), failed: matches!(r.result, TrialResult::Failure(_)) });
    let mut want = vec![Event::Started { planned: 20, already: 0 }];
    want.extend(told);
    want.push(Event::Finished);
    assert_eq!(events, want, "events come in the journal's order");
}

#[test]
fn as_many_questions_are_in_flight_as_asked_for_and_never_more() {
    // None is taken for one; more than there are trials is all of them.
    for (concurrency, most) in [(0, 1), (1, 1), (2, 2), (3, 3), (7, 7), (100, 20)] {
        let (run, dir) = (planned(), tempfile::tempdir().unwrap());
        let (targets, seen) = targets(&Script::new(), &Script::new());
        sit(dir.path(), &run, &targets, concurrency).0.unwrap();
        assert_eq!(seen.most.load(Ordering::SeqCst), most, "concurrency {concurrency}");
        assert_eq!(seen.now.load(Ordering::SeqCst), 0);
        assert_whole(&run, &sealed(dir.path(), &run).records, &[]);
    }
}

#[test]
fn one_at_a_time_is_asked_in_the_plan_s_order() {
    let (run, dir) = (planned(), tempfile::tempdir().unwrap());
    let (targets, seen) = targets(&Script::new(), &Script::new());
    sit(dir.path(), &run, &targets, 1).0.unwrap();
    let text =
        |t: &Trial| (run.1.arms[t.arm].name.to_string(), run.0.cases()[t.case].vars.get("q").unwrap().to_owned());
    assert_eq!(*seen.asked.lock().unwrap(), run.1.trials.iter().map(text).collect::<Vec<_>>());
}

#[test]
fn a_target_that_is_gone_stops_the_run_and_the_next_sitting_asks_only_the_rest() {
    let (run, dir) = (planned(), tempfile::tempdir().unwrap());
    let refused = Script::from([("q2", FailureKind::Refused)]);
    // The eighth trial of the plan is where its target goes away.
    let gone = &run.1.trials[7];
    let question = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9"][gone.case];
    let mut scripts = [Script::new(), Script::new()];
    scripts[gone.arm].insert(question, FailureKind::Unavailable);
    let (dying, _) = targets(&scripts[0], &scripts[1]);
    let (end, events) = sit(dir.path(), &run, &dying, 1);
    match end.unwrap_err() {
        RunError::Unavailable { target, message } => {
            assert_eq!(target, run.1.arms[gone.arm].name);
            assert_eq!(message, format!("no to {question}"));
        }
        other => panic!("{other}"),
    }
    assert_eq!(events.len(), 8, "the start and seven records, no end: {events:?}");
    assert!(!events.contains(&Event::Finished));
    let kept = open(dir.path(), &run.0, &run.1);
    let first_seven: BTreeSet<_> = run.1.trials[..7].iter().map(|t| t.id).collect();
    assert_eq!(kept.recorded.keys().copied().collect::<BTreeSet<_>>(), first_seven);
    assert!(kept.seal(Duration::ZERO).is_err(), "a run with a hole has no seal");

    let (alive, seen) = targets(&refused, &refused);
    let (end, events) = sit(dir.path(), &run, &alive, 3);
    end.unwrap();
    assert_eq!(events.first(), Some(&Event::Started { planned: 20, already: 7 }));
    assert_eq!(events.len(), 15);
    let text =
        |t: &Trial| (run.1.arms[t.arm].name.to_string(), run.0.cases()[t.case].vars.get("q").unwrap().to_owned());
    let rest: Vec<_> = run.1.trials[7..].iter().map(text).collect();
    assert_eq!(*seen.asked.lock().unwrap(), rest, "what is recorded is not asked again");
    let failures: Vec<_> =
        rest.iter().filter(|a| a.1 == "q2").map(|a| (a.0.as_str(), "q2", FailureKind::Refused)).collect();
    assert_whole(&run, &sealed(dir.path(), &run).records, &failures);

    let (idle, seen) = targets(&Script::new(), &Script::new());
    let (end, events) = sit(dir.path(), &run, &idle, 3);
    end.unwrap();
    assert_eq!(events, [Event::Started { planned: 20, already: 20 }, Event::Finished]);
    assert!(seen.asked.lock().unwrap().is_empty(), "a complete run asks nothing");
}

/// A remote target whose every answer takes as long.
struct Slow(Duration);

impl Target for Slow {
    fn digest(&self) -> Digest {
        Digest::of(b"slow")
    }

    fn ask(&self, question: Question) -> Answer {
        let takes = self.0;
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            let served = Served { attempts: 1, ..Served::default() };
            Ok(Response { served: Some(Box::new(served)), ..answer(&question.turns[0].text) })
        })
    }
}

/// How late each of twenty questions was started that take 300 ms each and are asked ten times per second, in the order of the plan; and
/// how long the sitting took. The clock is the test's own, so that nothing but the schedule moves it.
fn arriving(bound: usize) -> (Vec<(u64, bool)>, Duration) {
    let (run, dir) = (planned(), tempfile::tempdir().unwrap());
    let targets: Vec<Arc<dyn Target>> =
        std::iter::repeat_with(|| Arc::new(Slow(Duration::from_millis(300))) as _).take(2).collect();
    let mut open = open(dir.path(), &run.0, &run.1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let load = Load::Arriving { rate: 10.0, bound };
    let took = runtime.block_on(execute(&run.0, &run.1, &targets, &mut open, load, |_| {})).unwrap();
    drop(open);
    let by_trial: BTreeMap<Digest, Record> =
        sealed(dir.path(), &run).records.into_iter().map(|r| (r.trial, r)).collect();
    let late = run.1.trials.iter().map(|t| match &by_trial[&t.id].result {
        TrialResult::Response(r) => {
            let served = r.served.as_ref().unwrap();
            assert_eq!(
                r.total_us(),
                r.timing.total_us + served.late_us.unwrap(),
                "times count from the moment it was due"
            );
            (served.late_us.unwrap(), served.at_bound)
        }
        TrialResult::Failure(f) => panic!("{f:?}"),
    });
    (late.collect(), took)
}

#[test]
fn at_a_stated_rate_questions_start_at_their_moments_whatever_is_in_flight() {
    let (late, took) = arriving(4);
    // The runtime's timers go by milliseconds.
    assert!(late.iter().all(|(us, at_bound)| *us <= 2_000 && !at_bound), "{late:?}");
    assert!(took.abs_diff(Duration::from_millis(19 * 100 + 300)) <= Duration::from_millis(5), "{took:?}");
}

#[test]
fn a_question_that_finds_no_room_at_its_moment_starts_late_and_says_so() {
    // Two every 300 ms, where three are due: each pair is 100 ms later than the one before.
    let (late, took) = arriving(2);
    assert!(late[..2].iter().all(|(us, at_bound)| *us <= 2_000 && !at_bound), "{late:?}");
    assert!(late[2..].iter().all(|(_, at_bound)| *at_bound), "{late:?}");
    for (pair, both) in late.chunks(2).enumerate() {
        assert!(both.iter().all(|(us, _)| us.abs_diff(100_000 * pair as u64) <= 25_000), "{pair}: {late:?}");
    }
    assert!(took.abs_diff(Duration::from_millis(3100)) <= Duration::from_millis(25), "{took:?}");
}

#[test]
fn questions_that_start_each_other_are_due_at_no_moment() {
    assert_eq!(Load::InFlight(0).bound(), 1, "none is taken for one");
    assert_eq!(Load::InFlight(7).due(3), None);
    let load = Load::Arriving { rate: 4.0, bound: 9 };
    assert_eq!((load.bound(), load.due(0), load.due(6)), (9, Some(Duration::ZERO), Some(Duration::from_millis(1500))));
    assert!(Load::Arriving { rate: 1e-300, bound: 1 }.due(u32::MAX).is_some());
}
