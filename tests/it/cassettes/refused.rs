//! What a replay does not answer, and what it is not.

use super::{REPLAY, assert_replays, lines, recorded, with_key};
use crate::mock::{Mock, answer, status};
use crate::project::Project;

#[test]
fn what_was_not_recorded_is_no_answer() {
    let (p, _) = recorded(Mock::start(|_| answer("x")), "", &[]);
    let whole = p.read("tapes/cand.jsonl");
    let gone = lines(&p, "tapes/cand.jsonl")[5]["case"].as_str().unwrap().to_owned();
    let without: String =
        whole.split_inclusive('\n').filter(|l| !l.contains(&format!("\"case\":\"{gone}\""))).collect();
    p.write("tapes/cand.jsonl", without);
    let out = p.run(&REPLAY);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains(&format!("case `{gone}` is not in the recording `tapes/cand.jsonl`")), "{out:?}");
    assert!(!p.path("again/recomputed.json").exists() && !p.path("again/seal.json").exists());
    p.write("tapes/cand.jsonl", whole);
    let out = p.run(&REPLAY);
    assert_eq!(out.code, 5, "another recording is another run: {out:?}");
}

#[test]
fn what_is_asked_otherwise_is_no_question_of_the_recording() {
    for (file, from, to, want) in [
        ("suites/mini/suite.toml", "max-new-tokens = 24", "max-new-tokens = 25", "/max_tokens` was `24` and is `25`"),
        ("suites/mini/prompts/user.j2", "{{ vars.q }}", "Please: {{ vars.q }}", "is `Please: "),
        ("goldgate.toml", "attempts = 2", "attempts = 1", "the recording goes on after attempt 1"),
        ("goldgate.toml", "model = \"small\"", "model = \"large\"", "the target is openai `large` at http://"),
        ("goldgate.toml", "model = \"small\"", "model = \"small\"\nseed = 5", "is not what was recorded"),
    ] {
        let mock = Mock::start(|a| if a.nth == 0 && a.question == "fox" { status(503, "") } else { answer("x") });
        let (p, out) = recorded(mock, "attempts = 2\n", &[]);
        assert_eq!(out.code, 0, "{out:?}");
        p.edit(file, from, to);
        let out = p.run(&REPLAY);
        assert_eq!(out.code, if want.contains("the target") || want.contains("not what") { 5 } else { 4 }, "{out:?}");
        assert!(out.stderr.contains(want), "wanted {want}: {}", out.stderr);
        if out.code == 4 {
            let asked = ["case `c", "the probe before the first question was asked otherwise"];
            assert!(asked.iter().any(|a| out.stderr.contains(a)), "{}", out.stderr);
        }
        assert!(!p.path("again/recomputed.json").exists());
    }
}

#[test]
fn exchanges_that_nobody_asks_for_are_said() {
    let (p, _) = recorded(Mock::start(|_| answer("x")), "", &[]);
    let cases = p.read("suites/mini/cases.jsonl");
    p.write("suites/mini/cases.jsonl", cases.lines().skip(2).map(|l| format!("{l}\n")).collect::<String>());
    let out = p.run(&REPLAY);
    assert!(out.stderr.contains("4 exchanges in tapes are of trials that this run does not have"), "{out:?}");
}

#[test]
fn a_damaged_cassette_is_refused_by_file_and_line() {
    let (p, _) = recorded(Mock::start(|_| answer("x")), "", &[]);
    let whole = p.read("tapes/cand.jsonl");
    let all: Vec<&str> = whole.lines().collect();
    let at = |n: usize, line: &str| {
        let mut changed = all.clone();
        changed[n - 1] = line;
        (changed.join("\n") + "\n").into_bytes()
    };
    let twice = format!("{whole}{}\n", all[2].replace("\"seq\":", "\"seq\":9999"));
    let nobody = all[1].replace("\"probe\":\"before\",", "");
    let both = all[1].replace("\"probe\":", "\"case\":\"c1\",\"probe\":");
    let skips = all[2].replace("\"attempt\":1", "\"attempt\":2");
    let mut bad_utf8 = whole.clone().into_bytes();
    let place = whole.find("\"body\":\"").unwrap() + 10;
    bad_utf8[place] = 0xff;
    let deep = format!("{{\"seq\":{}", "[".repeat(100_000));
    let long = format!("{{\"seq\":\"{}", "x".repeat(70 << 20));
    let files: Vec<(Vec<u8>, &str)> = vec![
        (at(3, "{\"seq\": }"), "tapes/cand.jsonl:3:"),
        (at(3, ""), "tapes/cand.jsonl:3:"),
        (at(3, "[]"), "tapes/cand.jsonl:3:"),
        (at(3, &deep), "tapes/cand.jsonl:3:"),
        (at(3, &long), "tapes/cand.jsonl:3: the line is longer than 64 MiB"),
        (at(2, &all[1].replace("\"method\"", "\"mode\"")), "tapes/cand.jsonl:2:"),
        (at(2, &all[1].replace("\"status\":200", "\"status\":99")), "tapes/cand.jsonl:2: 99 is no status"),
        (at(2, &all[1].replace("\"apim-request-id\"", "\"a b\"")), "tapes/cand.jsonl:2: `a b` is no header"),
        (at(2, &all[1].replace("\"head-us\":", "\"head-us\":99999")), "stands behind what came at"),
        (at(3, &skips), "tapes/cand.jsonl:3: attempt 1 at case"),
        (at(2, &nobody), "tapes/cand.jsonl:2: an exchange is of a `case` or of a `probe`"),
        (at(2, &both), "tapes/cand.jsonl:2: an exchange is of a `case` or of a `probe`"),
        (twice.into_bytes(), "attempt 1 at case"),
        (at(2, all[2]), "tapes/cand.jsonl:3: it stands behind an exchange that came later"),
        (at(1, &all[0].replace("cassette/1", "cassette/2")), "tapes/cand.jsonl:1: the format is `goldgate.cassette/2`"),
        (at(1, &all[0].replace("\"cand\"", "\"base\"")), "is of target `base`"),
        (at(1, &all[0].replace("\"seed\":1", "\"seed\":2")), "is not what the folder's other cassettes are of"),
        (at(1, &all[0].replace("\"concurrency\":1", "\"concurrency\":0")), "`concurrency` goes from 1 to 4096"),
        (at(1, "{}"), "tapes/cand.jsonl:1: this is no header"),
        (bad_utf8, "tapes/cand.jsonl:2:"),
        (b"\xff\xfe\0\n".to_vec(), "tapes/cand.jsonl:1:"),
        (Vec::new(), "there is no cassette of target `cand`"),
    ];
    for (bytes, want) in files {
        p.write("tapes/cand.jsonl", &bytes);
        let out = p.run(&REPLAY);
        assert_eq!(out.code, if bytes.is_empty() { 2 } else { 5 }, "{want}: {}", out.stderr);
        assert!(out.stderr.contains(want), "wanted {want}: {}", out.stderr);
        assert!(out.stderr.len() < 2_000, "{}", out.stderr);
        assert!(!p.path("again").exists(), "nothing is begun on what is damaged");
    }
}

#[test]
fn a_replay_is_no_evidence() {
    let (p, _) = recorded(Mock::start(|_| answer("x")), "", &[]);
    assert_replays(&p, 0);
    let out = p.run(&["golden", "accept", "again"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("`again` is a replay"), "{out:?}");
    // A live run cannot be finished from a recording, nor the other way round.
    let out = p.run(&["gate", "suites/mini", "--run-dir", "r", "--replay", "tapes"]);
    assert_eq!(out.code, 5, "{out:?}");
    for more in [
        &["--seed", "1"][..],
        &["-j", "1"],
        &["--max-cost", "1"],
        &["--record", "other"],
        &["--arrival-rate", "5"],
        &["--no-probe"],
    ] {
        let out = p.run(&[&REPLAY[..], more].concat());
        assert_eq!(out.code, 2, "{out:?}");
        assert!(out.stderr.contains("--replay"), "{out:?}");
    }
    let out =
        with_key(&p, &["run", "suites/mini", "--arrival-rate", "50", "--run-dir", "paced", "--record", "paced-tapes"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("a run with `--arrival-rate` is not recorded"), "{out:?}");
    assert!(!p.path("paced").exists() && !p.path("paced-tapes").exists());
    // Answers of this machine can be asked again.
    let local = Project::new();
    for flag in ["--record", "--replay"] {
        let out = local.run(&["run", "suites/mini", flag, "tapes"]);
        assert_eq!(out.code, 2, "{out:?}");
        assert!(out.stderr.contains("no target of this run is remote"), "{out:?}");
    }
}
