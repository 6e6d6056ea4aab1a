//! What is kept is whole, or is refused by name.

use super::journal::{self, JournalWriter};
use super::*;
use crate::types::{
    CaseId, Digest, Failure, FailureKind, Finish, MetricName, Outcome, PolicyName, Response, SuiteName, TargetName,
    Timing, Untrusted, Usage, VariantName,
};
use std::fs;
use std::time::Duration;

fn name(text: &str) -> TargetName {
    TargetName::new(text).unwrap()
}

fn record(i: u64) -> Record {
    let response = Response {
        text: Untrusted::new(format!("schön {i}\n")),
        tool_calls: Vec::new(),
        refused: false,
        logprobs: None,
        finish: Finish::Stop,
        usage: Some(Usage { prompt: 3, completion: 2, reasoning: None }),
        smallest_gap: Some(0.5),
        timing: Timing { queued_us: 1, first_token_us: 2, total_us: 3 },
        served: None,
    };
    let failure = Failure::new(FailureKind::Refused, "too long");
    Record {
        seq: i,
        trial: Digest::of(&i.to_le_bytes()),
        case: CaseId::new(&format!("c{i}")).unwrap(),
        target: name("base"),
        repeat: 0,
        result: if i == 1 { TrialResult::Failure(failure) } else { TrialResult::Response(response) },
    }
}

fn manifest(trials: usize) -> Manifest {
    let arm = |who: &str| ArmRef {
        name: name(who),
        target: name(who),
        kind: "local".to_owned(),
        model: "models/m".to_owned(),
        adapter: None,
        endpoint: None,
        prompt: VariantName::new("short").unwrap(),
        digest: Digest::of(who.as_bytes()),
    };
    Manifest {
        format: RUN_FORMAT.to_owned(),
        version: "0.1.0".to_owned(),
        purpose: Purpose::Judgement,
        started: "2026-01-01T00:00:00Z".to_owned(),
        suite: suite_ref(),
        policy: Some(PolicyRef {
            path: "p.toml".to_owned(),
            name: PolicyName::new("p").unwrap(),
            digest: Digest::of(b"p"),
        }),
        seed: 1,
        concurrency: 8,
        arrival_rate: None,
        arms: vec![arm("base"), arm("tuned")],
        trials,
        recording: None,
        replay: None,
        unprobed: false,
    }
}

fn suite_ref() -> SuiteRef {
    SuiteRef {
        path: "desk".to_owned(),
        name: SuiteName::new("desk").unwrap(),
        version: "1".to_owned(),
        digest: Digest::of(b"s"),
    }
}

/// A run directory with three records, sealed or not.
fn run(seal: bool) -> (tempfile::TempDir, RunDir) {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::new(dir.path().join("run"));
    let mut open = run.open(manifest(3)).unwrap();
    (0..3).for_each(|i| open.journal.append(record(i)).unwrap());
    if seal {
        open.seal(Duration::from_millis(1500)).unwrap();
    }
    (dir, run)
}

/// The file, the part and the reason of a refusal.
fn corrupt<T>(result: Result<T, StoreError>) -> (String, String, String) {
    match result.map(|_| ()).expect_err("must be refused") {
        StoreError::Corrupt { path, what, reason } => {
            (path.rsplit('/').next().unwrap_or_default().to_owned(), what, reason)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_torn_tail_is_cut_wherever_it_tore_and_the_journal_goes_on() {
    let (_dir, run) = run(false);
    let path = run.file("journal.jsonl");
    let bytes = fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in last..bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let (mut writer, records) = JournalWriter::open(&path).unwrap();
        assert_eq!(records, [record(0), record(1)], "cut at {cut}");
        assert_eq!((writer.records(), fs::read(&path).unwrap().len()), (2, last), "cut at {cut}");
        writer.append(record(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "cut at {cut}");
    }
    assert_eq!(journal::read(&path).unwrap(), ((0..3).map(record).collect(), bytes.len() as u64));
}

#[test]
fn probes_lie_beside_the_journal_under_the_same_seal() {
    let probe = |when, who: &str| ProbeRecord {
        when,
        target: name(who),
        asked: vec!["tools".to_owned()],
        max_new_tokens: 64,
        result: record(1).result,
    };
    let (_dir, run) = run(false);
    let path = run.file("probes.jsonl");
    let mut open = run.open(manifest(3)).unwrap();
    open.record_probe(probe(When::Before, "base")).unwrap();
    drop(open);
    let first = fs::read(&path).unwrap();
    // A process died while it wrote the second.
    fs::write(&path, [&first[..], &first[..40]].concat()).unwrap();
    let mut open = run.open(manifest(3)).unwrap();
    assert_eq!(open.probes, [probe(When::Before, "base")]);
    open.record_probe(probe(When::After, "base")).unwrap();
    let both = [probe(When::Before, "base"), probe(When::After, "base")];
    assert_eq!(open.probes, both);
    assert!(!open.is_sealed());
    open.seal(Duration::ZERO).unwrap();
    assert_eq!(run.open_sealed().unwrap().probes, both);
    let sealed = fs::read(&path).unwrap();
    for (bytes, want) in [(Some(&first), "it was sealed as"), (None, "it is gone, and the seal knows of it")] {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (file, what, reason) = corrupt(run.open_sealed());
        assert_eq!((file.as_str(), what.as_str()), ("probes.jsonl", "the seal"));
        assert!(reason.contains(want), "{reason}");
    }
    fs::write(&path, &sealed).unwrap();
    run.open_sealed().unwrap();

    // A run that probed nobody must not find a probe.
    let (_dir, silent) = self::run(true);
    fs::write(silent.file("probes.jsonl"), &first).unwrap();
    assert!(corrupt(silent.open_sealed()).2.contains("it was sealed without it"));
    let (_dir, broken) = self::run(false);
    fs::write(broken.file("probes.jsonl"), "{}\n").unwrap();
    let (file, what, _) = corrupt(broken.open(manifest(3)));
    assert_eq!((file.as_str(), what.as_str()), ("probes.jsonl", "probe 0"));
    fs::remove_file(broken.file("run.json")).unwrap();
    fs::remove_file(broken.file("journal.jsonl")).unwrap();
    assert_eq!(corrupt(broken.open(manifest(3))).2, "it is gone, and `probes.jsonl` is still there");
}

#[test]
fn the_writer_numbers_records_whatever_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let (mut writer, none) = JournalWriter::open(&path).unwrap();
    assert!(none.is_empty());
    writer.append(Record { seq: 9, ..record(0) }).unwrap();
    writer.append(Record { seq: 9, ..record(1) }).unwrap();
    assert_eq!(journal::read(&path).unwrap().0, [record(0), record(1)]);
}

/// Runs of all versions so far, byte for byte: what a local target's answer looks like has not changed since the first.
#[test]
fn records_of_earlier_versions_are_read_and_written_as_they_were() {
    let trial = Digest::of(b"t");
    let head = format!(r#"{{"seq":0,"trial":"{trial}","case":"c0","target":"base","repeat":0,"result":"#);
    for result in [
        r#"{"response":{"text":"hi","finish":"length","usage":{"prompt":3,"completion":2},"smallest-gap":0.5,"timing":{"queued-us":1,"first-token-us":2,"total-us":3}}}"#,
        r#"{"failure":{"kind":"refused","message":"too long"}}"#,
    ] {
        let line = format!("{head}{result}}}");
        let record: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }
}

#[test]
fn a_damaged_record_is_named() {
    let (_dir, run) = run(false);
    let path = run.file("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let line: Vec<&str> = text.split_inclusive('\n').collect();
    let table = [
        (format!("{}no json\n{}", line[0], line[2]), "record 1", "expected ident"),
        (format!("{}\n{}{}", line[0], line[1], line[2]), "record 1", "EOF"),
        (format!("{}{}{}", line[0], &line[1][..20], line[2]), "record 1", ""),
        (text.replacen("\"seq\"", "\"sec\"", 1), "record 0", "unknown field `sec`"),
        (format!("{}{}", line[0], line[2]), "record 1", "it says that it is record 2"),
        (format!("{}{}{}", line[1], line[0], line[2]), "record 0", "it says that it is record 1"),
        (format!("{text}{}", line[2]), "record 3", "it says that it is record 2"),
    ];
    for (damaged, record, why) in table {
        fs::write(&path, &damaged).unwrap();
        let (file, what, reason) = corrupt(run.open(manifest(3)));
        assert_eq!((file.as_str(), what.as_str()), ("journal.jsonl", record), "{damaged}");
        assert!(reason.contains(why), "{reason}\n{damaged}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged, "the evidence stays as it is");
    }
}

#[test]
fn every_field_that_makes_another_run_is_named() {
    let same = manifest(3);
    let later = Manifest { started: "2027-01-01T00:00:00Z".to_owned(), version: "9".to_owned(), ..manifest(3) };
    assert_eq!(same.differences(&later), Vec::<String>::new(), "when and by which version does not count");
    let (s, x, p) = (Digest::of(b"s"), Digest::of(b"x"), Digest::of(b"p"));
    type Change = fn(&mut Manifest);
    let table: Vec<(Change, String)> = vec![
        (|m| m.format = "f".to_owned(), format!("format: {RUN_FORMAT} in the run, f now")),
        (|m| m.suite.name = SuiteName::new("d").unwrap(), "suite: desk in the run, d now".to_owned()),
        (|m| m.suite.digest = Digest::of(b"x"), format!("suite digest: {s} in the run, {x} now")),
        (|m| m.policy = None, format!("policy digest: {p} in the run, none now")),
        (|m| m.seed = 2, "seed: 1 in the run, 2 now".to_owned()),
        (|m| m.concurrency = 4, "questions in flight (`-j`): 8 in the run, 4 now".to_owned()),
        (
            |m| m.arrival_rate = Some(2.5),
            "questions per second (`--arrival-rate`): none in the run, 2.5 now".to_owned(),
        ),
        (|m| m.arms[1].name = name("else"), "targets: base, tuned in the run, base, else now".to_owned()),
        (|m| m.arms.truncate(1), "targets: base, tuned in the run, base now".to_owned()),
        (
            |m| m.arms[1].digest = Digest::of(b"x"),
            format!("digest of target `tuned`: {} in the run, {x} now", Digest::of(b"tuned")),
        ),
        (
            |m| m.arms[0].prompt = VariantName::new("long").unwrap(),
            "prompt of target `base`: short in the run, long now".to_owned(),
        ),
        (|m| m.trials = 4, "trials: 3 in the run, 4 now".to_owned()),
    ];
    for (change, want) in table {
        let mut other = manifest(3);
        change(&mut other);
        assert_eq!(same.differences(&other), [want]);
    }
}

#[test]
fn a_run_is_sealed_read_back_and_gone_on_with() {
    let (_dir, run) = run(false);
    assert!(matches!(run.open_sealed(), Err(StoreError::Unsealed { recorded: 3, planned: 3, .. })));
    let open = run.open(manifest(3)).unwrap();
    assert_eq!(open.recorded.len(), 3);
    assert_eq!(open.recorded[&record(1).trial], record(1));
    open.seal(Duration::from_millis(1500)).unwrap();
    let sealed = run.open_sealed().unwrap();
    assert_eq!((sealed.manifest, sealed.records), (manifest(3), (0..3).map(record).collect()));
    assert!((sealed.asked_seconds - 1.5).abs() < 1e-12);
    assert_eq!(sealed.journal_digest, Digest::of(&fs::read(run.file("journal.jsonl")).unwrap()));
    let seal = fs::read(run.file("seal.json")).unwrap();
    run.open(manifest(3)).unwrap().seal(Duration::ZERO).unwrap();
    assert_eq!(fs::read(run.file("seal.json")).unwrap(), seal, "a second sitting does not seal again");
    let nothing = RunDir::new(run.file("nowhere"));
    assert!(matches!(nothing.open_sealed(), Err(StoreError::NoRun { .. })));
}

#[test]
fn an_incomplete_run_has_no_seal_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::new(dir.path());
    let mut open = run.open(manifest(3)).unwrap();
    open.journal.append(record(0)).unwrap();
    match open.seal(Duration::ZERO).unwrap_err() {
        StoreError::Unsealed { recorded: 1, planned: 3, resume, .. } => {
            let command = "goldgate gate desk --candidate tuned --policy p.toml --seed 1 -j 8 --run-dir ";
            assert_eq!(resume, format!("{command}{}", dir.path().display()));
        }
        other => panic!("{other}"),
    }
    assert!(!run.file("seal.json").exists());
}

#[test]
fn a_run_from_which_something_was_taken_away_is_refused() {
    let (_dir, unsealed) = run(false);
    fs::remove_file(unsealed.file("run.json")).unwrap();
    let (_, what, reason) = corrupt(unsealed.open(manifest(3)));
    assert_eq!((what.as_str(), reason.as_str()), ("`run.json`", "it is gone, and `journal.jsonl` is still there"));
    assert!(!unsealed.is_run(), "no new manifest for old answers");

    let (_dir, judged) = run(true);
    judged.write("verdict.json", b"{}").unwrap();
    judged.open(manifest(3)).unwrap();
    fs::remove_file(judged.file("seal.json")).unwrap();
    let (_, what, reason) = corrupt(judged.open(manifest(3)));
    assert_eq!((what.as_str(), reason.as_str()), ("`seal.json`", "it is gone, and `verdict.json` is still there"));
}

#[test]
fn another_run_and_a_second_process_are_refused() {
    let (_dir, run) = run(false);
    match run.open(Manifest { seed: 2, ..manifest(4) }).unwrap_err() {
        StoreError::OtherRun { differences, .. } => {
            assert_eq!(differences, ["seed: 1 in the run, 2 now", "trials: 3 in the run, 4 now"]);
        }
        other => panic!("{other}"),
    }
    let first = run.open(manifest(3)).unwrap();
    assert!(matches!(run.open(manifest(3)), Err(StoreError::Locked { .. })));
    drop(first);
    assert_eq!(run.open(manifest(3)).unwrap().recorded.len(), 3, "the lock ends with its holder");
}

#[test]
fn a_sealed_run_that_was_edited_is_refused() {
    for (file, from, to) in [
        ("journal.jsonl", "schön 2", "schon 2"),
        ("journal.jsonl", "\"total-us\":3", "\"total-us\":2"),
        ("run.json", "\"seed\": 1", "\"seed\": 2"),
        ("run.json", "2026-01-01", "2026-01-02"),
    ] {
        let (_dir, run) = run(true);
        let text = fs::read_to_string(run.file(file)).unwrap();
        let edited = text.replace(from, to);
        assert_ne!(text, edited, "{from} stands in {file}");
        fs::write(run.file(file), &edited).unwrap();
        for (name, what, reason) in [corrupt(run.open_sealed()), corrupt(run.open(manifest(3)))] {
            assert_eq!((name.as_str(), what.as_str()), (file, "the seal"), "{from} → {to}");
            assert!(reason.starts_with(&format!("it was sealed as {}", Digest::of(text.as_bytes()))), "{reason}");
        }
        assert_eq!(fs::read_to_string(run.file(file)).unwrap(), edited, "the evidence stays as it is");
    }
    let (_dir, torn) = run(true);
    let bytes = fs::read(torn.file("journal.jsonl")).unwrap();
    fs::write(torn.file("journal.jsonl"), &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(corrupt(torn.open(manifest(3))).1, "the seal", "a torn tail of a sealed run is no tail to cut");
    assert_eq!(fs::read(torn.file("journal.jsonl")).unwrap().len(), bytes.len() - 1);
}

#[test]
fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/report.html");
    for text in ["a long first text", "short", ""] {
        write_atomically(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let blocked = dir.path().join("new/folder");
    fs::create_dir_all(blocked.join("full")).unwrap();
    let error = write_atomically(&blocked, b"x").unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write `{}`", blocked.display())), "{error}");
    let mut left: Vec<_> = fs::read_dir(dir.path().join("new")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["folder", "report.html"], "no temporary file stays, after a failure neither");
}

fn golden(case: &str, who: &str, text: &str, score: Option<f64>) -> GoldenAnswer {
    GoldenAnswer {
        case: CaseId::new(case).unwrap(),
        target: name(who),
        repeat: 0,
        outcome: Outcome::Answered,
        text: Untrusted::new(text),
        tool_calls: Vec::new(),
        scores: [(MetricName::new("accuracy").unwrap(), score), (MetricName::new("tone").unwrap(), Some(1.0))].into(),
    }
}

#[test]
fn every_golden_change_is_found_and_nothing_else() {
    let accepted = [
        golden("same", "base", "x", Some(1.0)),
        golden("unscored", "base", "x", None),
        golden("text", "base", "x", Some(1.0)),
        golden("score", "base", "x", Some(1.0)),
        golden("lost", "base", "x", Some(1.0)),
        golden("gone", "base", "x", Some(1.0)),
        golden("same", "old", "x", Some(1.0)),
    ];
    let now = [
        golden("new", "base", "x", Some(1.0)),
        golden("lost", "base", "x", None),
        golden("score", "base", "x", Some(0.0)),
        golden("text", "base", "y", Some(1.0)),
        golden("unscored", "base", "x", None),
        golden("same", "base", "x", Some(1.0)),
        golden("same", "tuned", "y", Some(0.0)),
    ];
    let changes = diff_golden(&accepted, &now);
    let cases: Vec<_> = changes.iter().map(|c| c.case.as_str()).collect();
    assert_eq!(
        cases,
        ["gone", "lost", "new", "score", "text"],
        "by case; `old` and `tuned` were asked on one side only"
    );
    assert!(changes.iter().all(|c| c.target == name("base")));
    let [gone, lost, new, score, text] = &changes[..] else { panic!("{changes:?}") };
    let accuracy = |was, is| vec![(MetricName::new("accuracy").unwrap(), was, is)];
    assert_eq!((&gone.accepted, &gone.now), (&Some(accepted[5].clone()), &None));
    assert_eq!((&new.accepted, &new.now), (&None, &Some(now[0].clone())));
    assert_eq!(score.scores(), accuracy(Some(1.0), Some(0.0)));
    assert_eq!(lost.scores(), accuracy(Some(1.0), None));
    assert_eq!(text.now.as_ref().map(|a| a.text.raw()), Some("y"));
    assert!(text.scores().is_empty() && gone.scores().is_empty());
    assert_eq!(diff_golden(&accepted, &accepted), []);
    assert_eq!(diff_golden(&[], &now), [], "with nothing accepted there is nothing to differ from");
}

#[test]
fn accepted_answers_come_back_and_edited_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let targets = vec![GoldenTarget {
        name: name("base"),
        digest: Digest::of(b"base"),
        prompt: VariantName::new("short").unwrap(),
    }];
    let answers = [golden("a", "base", "schön\n\u{2028}", Some(0.1)), golden("b", "base", "", None)];
    let accept = |answers: &[GoldenAnswer]| {
        let (run, started) = ("run-1".to_owned(), "2026-01-01T00:00:00Z".to_owned());
        GoldenFile::accept(dir.path(), suite_ref(), targets.clone(), run, started, answers).unwrap();
    };
    accept(&answers[..1]);
    accept(&answers);
    let (file, read) = GoldenFile::read(dir.path()).unwrap();
    assert_eq!(read, answers);
    assert_eq!((&file.suite, &file.targets, file.run.as_str()), (&suite_ref(), &targets, "run-1"));
    assert_eq!((file.started.as_str(), file.answers), ("2026-01-01T00:00:00Z", Digest::of(&to_lines(&answers))));

    let path = dir.path().join("answers.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("0.1", "1.0")).unwrap();
    let (name, what, reason) = corrupt(GoldenFile::read(dir.path()));
    assert_eq!((name.as_str(), what.as_str()), ("answers.jsonl", "its digest"));
    assert!(reason.starts_with("it was changed after it was accepted"), "{reason}");
    fs::write(&path, &text).unwrap();
    GoldenFile::read(dir.path()).unwrap();

    let path = dir.path().join("golden.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("golden/1", "golden/2")).unwrap();
    let (name, what, _) = corrupt(GoldenFile::read(dir.path()));
    assert_eq!((name.as_str(), what.as_str()), ("golden.json", "`format`"));
    fs::remove_file(&path).unwrap();
    assert!(matches!(GoldenFile::read(dir.path()), Err(StoreError::Io { verb: "read", .. })));
}

#[test]
fn a_recorded_run_and_a_replay_go_on_by_their_own_commands_and_not_as_each_other() {
    let live = manifest(3);
    let recorded = Manifest { recording: Some("tapes".to_owned()), ..manifest(3) };
    let replay = ReplayRef {
        path: "tapes".to_owned(),
        cassettes: std::iter::once((TargetName::new("base").unwrap(), Digest::of(b"c"))).collect(),
    };
    let replayed = Manifest { replay: Some(replay.clone()), ..manifest(3) };
    assert!(recorded.resume_command("r").ends_with(" --seed 1 -j 8 --run-dir r --record tapes"));
    assert!(!recorded.repeat_command().contains("--record"), "a cassette belongs to one run");
    assert!(replayed.resume_command("r").ends_with(" --replay tapes --run-dir r"));
    assert_eq!(live.differences(&recorded), ["exchanges (`--record`): not recorded in the run, recorded now"]);
    assert_eq!(live.differences(&replayed).len(), 1);
    let elsewhere = ReplayRef { path: "moved".to_owned(), ..replay };
    assert!(replayed.differences(&Manifest { replay: Some(elsewhere), ..manifest(3) }).is_empty(), "the digests count");
    assert!(!serde_json::to_string(&live).unwrap().contains("replay"), "who has none says nothing");
}
