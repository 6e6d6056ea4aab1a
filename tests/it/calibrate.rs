//! One target several times: the noise floor, from the command line to `noise.json`.

use crate::project::{CASES, Project};
use crate::scores::check;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

const CALIBRATE: [&str; 6] = ["calibrate", "suites/mini", "--repeats", "3", "--run-dir", "n"];

fn noise(p: &Project, dir: &str) -> Value {
    serde_json::from_str(&p.read(&format!("{dir}/noise.json"))).unwrap()
}

fn metric<'a>(noise: &'a Value, name: &str) -> &'a Value {
    let all = noise["metrics"].as_array().unwrap();
    all.iter().find(|m| m["metric"]["name"] == name && m["slice"] == "all").unwrap()
}

#[test]
fn a_deterministic_target_has_no_noise_but_that_of_its_times() {
    let p = Project::new();
    let out = p.run(&CALIBRATE);
    assert_eq!(out.code, 0, "{out:?}");
    let n = noise(&p, "n");
    assert_eq!((n["target"].as_str(), n["repeats"].as_u64(), n["cases"].as_u64()), (Some("base"), Some(3), Some(60)));
    assert_eq!(n["moved"].as_array().unwrap().len(), 0);
    for name in ["accuracy", "leak", "tokens", "prompt-tokens"] {
        let m = metric(&n, name);
        assert_eq!((m["sd"].as_f64(), m["difference-se"].as_f64()), (Some(0.0), Some(0.0)), "{m}");
        assert_eq!(m["scores"].as_array().unwrap().len(), 3, "{m}");
    }
    assert_eq!(metric(&n, "leak")["discordance"], 0.0);
    assert!(metric(&n, "latency")["difference-se"].as_f64().unwrap() > 0.0, "a clock always moves");
    // Six ordered pairs: a gain is never proven of a target against itself.
    let tokens = &n["criteria"][0];
    assert_eq!((tokens["met"].as_u64(), tokens["false-alarms"].as_u64()), (Some(0), Some(0)), "{tokens}");
    assert_eq!(["met", "unproven", "violated"].iter().filter_map(|k| tokens[k].as_u64()).sum::<u64>(), 6);
    assert_eq!(n["decisions"]["promote"], 0);
    assert_eq!(n["by-case"].as_array().unwrap().len(), 2 * CASES, "accuracy and leak of every case");
    assert!(n["by-case"].as_array().unwrap().iter().all(|c| c["flip-rate"] == 0.0 && c["flaky"] == false));
    assert!(out.stdout.contains("no answer moved"), "{}", out.stdout);
    assert!(out.stdout.lines().all(|l| l.chars().count() <= 80), "{}", out.stdout);
    let json: Value = serde_json::from_str(&p.run(&[&CALIBRATE[..], &["--json"]].concat()).stdout).unwrap();
    assert_eq!(json, n, "`--json` prints what the file holds");
}

#[test]
fn nothing_is_promoted_from_a_calibration() {
    let p = Project::new();
    // A policy that every run meets, so that only what the run is can stand against it.
    p.edit("suites/mini/policy.toml", "require = \"superior\"\nby = 0.1", "require = \"at-most\"\nlimit = 1000");
    assert_eq!(p.run(&["gate", "suites/mini", "--candidate", "base", "--run-dir", "r"]).code, 0);
    assert_eq!(p.run(&CALIBRATE).code, 0);
    for args in [&["gate", "n"][..], &["gate", "n", "--policy", "suites/mini/policy.toml"], &["report", "n"]] {
        let out = p.run(args);
        assert_eq!(out.code, 2, "{out:?}");
        assert!(out.stderr.contains("holds a calibration"), "{}", out.stderr);
    }
    assert_eq!(p.run(&["golden", "accept", "n"]).code, 2);
    assert!(!p.path("n/verdict.json").exists() && !p.path("golden").exists());
    let gate = p.run(&["gate", "suites/mini", "--run-dir", "n"]);
    assert_eq!(gate.code, 5, "another run lies there: {gate:?}");
    assert!(gate.stderr.contains("purpose: calibration in the run, judgement now"), "{}", gate.stderr);
    // Whoever takes the word out of run.json breaks the seal.
    p.edit("n/run.json", "  \"purpose\": \"calibration\",\n", "");
    assert_eq!(p.run(&["gate", "n", "--policy", "suites/mini/policy.toml"]).code, 5);
    // And without a seal of its own making, no policy was pinned.
    let seal: Value = serde_json::from_str(&p.read("n/seal.json")).unwrap();
    let manifest = goldgate::types::Digest::of(p.read("n/run.json").as_bytes()).to_string();
    p.edit("n/seal.json", seal["manifest"].as_str().unwrap(), &manifest);
    let forged = p.run(&["gate", "n", "--policy", "suites/mini/policy.toml"]);
    assert_eq!(forged.code, 3, "{forged:?}");
    assert!(forged.stdout.contains("no policy was pinned"), "{}", forged.stdout);
}

#[test]
fn an_interrupted_calibration_goes_on() {
    let p = Project::new();
    p.run(&CALIBRATE);
    let whole = p.read("n/journal.jsonl");
    let trials: std::collections::BTreeSet<_> = whole
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["trial"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(trials.len(), 3 * CASES, "every asking has an id of its own");
    let cut: usize = whole.split_inclusive('\n').take(70).map(str::len).sum();
    p.write("n/journal.jsonl", &whole[..cut + 20]);
    let results = p.read("n/results.jsonl");
    for later in ["seal.json", "noise.json", "results.jsonl"] {
        fs::remove_file(p.path("n").join(later)).unwrap();
    }
    let unfinished = p.run(&["compare", "n"]);
    let hint = "goldgate calibrate suites/mini --target base --repeats 3 --seed 1 -j 1 --run-dir n";
    assert!(unfinished.code == 3 && unfinished.stderr.contains(hint), "{unfinished:?}");
    let command: Vec<_> = hint.split(' ').skip(1).collect();
    let out = p.run(&command);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stderr.contains("70 of 180 trials are already recorded"), "{}", out.stderr);
    assert_eq!(p.read("n/results.jsonl"), results);
    let other = p.run(&["calibrate", "suites/mini", "--repeats", "4", "--run-dir", "n"]);
    assert_eq!(other.code, 5, "another number of repeats is another run: {other:?}");
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let p = Project::new();
    for (args, want) in [
        (&["--repeats", "1"][..], "write a number from 2 to 50: a difference needs two runs"),
        (&["--repeats", "51"], "write a number from 2 to 50"),
        (&["--target", "bas"], "has no target `bas`; did you mean `base`?"),
        (&["--target", "a b"], "is not a target name"),
        (&["-j", "0"], "write a number from 1 to 4096"),
        (&["--quick"], "`--quick` and `--out` belong to `--simulate`"),
        (&["--out", "page.md"], "`--quick` and `--out` belong to `--simulate`"),
    ] {
        let out = p.run(&[&["calibrate", "suites/mini", "--run-dir", "x"], args].concat());
        assert_eq!(out.code, 2, "{out:?}");
        assert!(out.stderr.contains(want), "{want}: {}", out.stderr);
        assert!(!p.path("x").exists(), "nothing is begun");
    }
    let name = "n".repeat(96);
    p.edit("goldgate.toml", "[target.cand]", &format!("[target.{name}]"));
    p.edit("suites/mini/policy.toml", "candidates = [\"cand\"]", &format!("candidates = [\"{name}\"]"));
    let out = p.run(&["calibrate", "suites/mini", "--target", &name]);
    assert!(out.code == 2 && out.stderr.contains("the name of a repeat would be too long"), "{out:?}");
}

#[test]
fn another_target_and_a_shared_batch_are_said() {
    let p = Project::new();
    let args =
        ["calibrate", "suites/mini", "--target", "cand", "--repeats", "2", "-j", "8", "--run-dir", "c", "--seed", "7"];
    let out = p.run(&args);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stdout.contains("cand asked 2 times on mini"), "{}", out.stdout);
    assert!(out.stdout.contains("8 questions were in flight at once"), "{}", out.stdout);
    assert_eq!(noise(&p, "c")["target"], "cand");
}

#[test]
fn the_json_has_exactly_the_documented_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(root.join("schemas/noise.schema.json")).unwrap()).unwrap();
    let p = Project::new();
    // A margin that no clock can hold, a secret that is always told, and a slice.
    let more = "\n[[criterion]]\nid = \"fast\"\nmetric = \"latency\"\nslice = \"qa\"\nrequire = \"non-inferior\"\nmargin = 0.000001\n";
    let policy = p.read("suites/mini/policy.toml");
    p.write("suites/mini/policy.toml", policy + more);
    let out = p.run(&CALIBRATE);
    let n = noise(&p, "n");
    check(&schema, &schema, &n, "$");
    let fast = &n["criteria"][2];
    assert!(fast["undecidable"].as_str().unwrap().contains("cannot be decided with this suite"), "{fast}");
    assert!(out.stdout.contains("fast: the margin of 0.0001\u{202f}% lies below"), "{}", out.stdout);
    let page = fs::read_to_string(root.join("docs/calibrate.md")).unwrap();
    for row in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        for key in row["properties"].as_object().into_iter().flat_map(Map::keys) {
            assert!(page.contains(&format!("`{key}`")), "docs/calibrate.md says nothing of `{key}`");
        }
    }
}
