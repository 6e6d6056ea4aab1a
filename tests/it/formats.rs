//! `goldgate compare --scores` on what lm-evaluation-harness and Inspect wrote: the numbers, and what is refused where.

use crate::project::{Outcome, Project};
use crate::scores::{SCORES, fixture};
use serde_json::Value;
use std::collections::BTreeMap;

const HARNESS: &str = "samples_sums_choice_2026-11-21T05-00-00.000000.jsonl";

/// A project with every file of scores.
fn project() -> Project {
    let p = Project::new();
    for file in SCORES {
        p.write(file, fixture(file));
    }
    p
}

fn compare(p: &Project, files: &[&str], baseline: &str, more: &[&str]) -> Outcome {
    let mut args = vec!["compare", "--baseline", baseline];
    files.iter().for_each(|file| args.extend(["--scores", file]));
    args.extend(more);
    p.run(&args)
}

fn json(p: &Project, files: &[&str], baseline: &str) -> Value {
    let out = compare(p, files, baseline, &["--json"]);
    assert_eq!(out.code, 0, "{out:?}");
    serde_json::from_str(&out.stdout).unwrap()
}

/// The values of a metric by case and by repeat.
type Cases = BTreeMap<String, Vec<f64>>;

/// The level of two targets and how many cases of two values each went which way, from scratch.
fn expected(base: &Cases, cand: &Cases) -> (f64, f64, usize) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let both: Vec<_> = base.iter().filter_map(|(case, b)| Some((mean(b), mean(cand.get(case)?)))).collect();
    let n = both.len();
    (both.iter().map(|p| p.0).sum::<f64>() / n as f64, both.iter().map(|p| p.1).sum::<f64>() / n as f64, n)
}

fn row<'a>(table: &'a Value, metric: &str) -> &'a Value {
    let rows = table["comparisons"].as_array().unwrap();
    rows.iter().find(|r| r["metric"]["name"] == metric).unwrap_or_else(|| panic!("no {metric}: {table}"))
}

/// The program's row of a metric is that of the numbers, and the table shows it in 80 columns.
fn check(table: &Value, shown: &str, metric: &str, (base, cand, n): (f64, f64, usize)) {
    let row = row(table, metric);
    let close = |key: &str, wanted: f64| {
        assert!((row[key].as_f64().unwrap() - wanted).abs() < 1e-12, "{metric} {key}: {wanted} and {row}");
    };
    close("baseline-value", base);
    close("candidate-value", cand);
    close("change", cand - base);
    assert_eq!(row["pairs"], n, "{row}");
    assert!(shown.lines().all(|l| l.chars().count() <= 80), "{shown}");
    let shown = shown.replace('\u{202f}', " ");
    let level = format!("{:.1} → {:.1} %", base * 100.0, cand * 100.0);
    // A long name goes on at its dot on the next line.
    let name = metric.split('.').next().unwrap();
    assert!(shown.lines().any(|l| l.starts_with(&format!(" {name} ")) && l.contains(&level)), "{level}: {shown}");
}

#[test]
fn the_samples_of_the_harness_are_compared() {
    let p = project();
    let files = &SCORES[..4];
    let table = json(&p, files, "sums-base");
    let out = compare(&p, files, "sums-base", &["--margin", "acc=0.05"]);
    assert!(out.stdout.starts_with("sums-tuned against sums-base, 90\u{202f}% intervals\n"), "{out:?}");
    let of = |file: &str, key: &str, filter: &str| -> Cases {
        let lines = fixture(file);
        let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let rows = rows.filter(|row| row["filter"] == filter);
        rows.map(|row| (row["doc_id"].to_string(), vec![row[key].as_f64().unwrap()])).collect()
    };
    for (file, key, filter, metric) in [
        (0, "acc", "none", "acc"),
        (0, "acc_norm", "none", "acc_norm"),
        (1, "exact_match", "strict-match", "exact_match.strict-match"),
        (1, "exact_match", "flexible-extract", "exact_match.flexible-extract"),
    ] {
        let numbers = expected(&of(SCORES[file], key, filter), &of(SCORES[file + 2], key, filter));
        assert_eq!(numbers.2, 60);
        check(&table, &out.stdout, metric, numbers);
    }
    assert_eq!(table["comparisons"].as_array().unwrap().len(), 4, "{table}");
    let note = format!("note: `brier_score` is left out: it is no single number on line 1 of `{}`", SCORES[0]);
    assert!(out.stderr.contains(&note), "{}", out.stderr);
    // The tasks are slices, and a name given on the command line goes before that of the folder.
    let sliced = compare(&p, &[SCORES[0], &format!("new={}", SCORES[2])], "sums-base", &["--by-slice"]);
    assert!(sliced.stdout.starts_with("new against sums-base") && sliced.stdout.contains("sums_choice"), "{sliced:?}");
}

#[test]
fn the_logs_of_inspect_are_compared() {
    let p = project();
    let files = &SCORES[4..6];
    let table = json(&p, files, "mockllm.base");
    let out = compare(&p, files, "mockllm.base", &["--margin", "match=0.05"]);
    assert!(out.stdout.starts_with("mockllm.tuned against mockllm.base, 90\u{202f}% intervals\n"), "{out:?}");
    // By case; a case with a missing value has none at all.
    let of = |file: &str, read: &dyn Fn(&Value) -> Option<f64>| -> Cases {
        let log: Value = serde_json::from_str(&fixture(file).replace("NaN", "null")).unwrap();
        let mut cases: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        for sample in log["samples"].as_array().unwrap() {
            cases.entry(format!("sums-{}", sample["id"])).or_default().push(read(sample));
        }
        cases
            .into_iter()
            .filter_map(|(case, values)| Some((case, values.into_iter().collect::<Option<_>>()?)))
            .collect()
    };
    let failed = |s: &Value| s.get("error").is_some_and(|e| !e.is_null());
    let right = |s: &Value| if failed(s) { Some(0.0) } else { Some(f64::from(s["scores"]["match"]["value"] == "C")) };
    let close = |s: &Value| if failed(s) { Some(0.0) } else { s["scores"]["closeness"]["value"].as_f64() };
    check(&table, &out.stdout, "match", expected(&of(files[0], &right), &of(files[1], &right)));
    let numbers = expected(&of(files[0], &close), &of(files[1], &close));
    assert!(numbers.2 < 60, "some answers of the baseline hold no number");
    check(&table, &out.stdout, "closeness", numbers);
    let (base, cand) = (of(files[0], &close), of(files[1], &right));
    let lacking: Vec<_> = cand.keys().filter(|case| !base.contains_key(*case)).collect();
    let mut named: Vec<_> = row(&table, "closeness")["unscored"].as_array().unwrap().iter().collect();
    named.sort_by_key(|v| v.to_string());
    assert_eq!(named, lacking, "a NaN is a missing score");
    // The tokens of two epochs are averaged, and a failed answer has none.
    let model = |name: &'static str| {
        move |s: &Value| {
            s["model_usage"][name]["output_tokens"].as_f64().filter(|_| s.get("error").is_none_or(Value::is_null))
        }
    };
    let (b, c) = (of(files[0], &model("mockllm/base")), of(files[1], &model("mockllm/tuned")));
    let total = |of: &Cases| c.keys().map(|case| of[case].iter().sum::<f64>() / 2.0).sum::<f64>();
    let tokens = row(&table, "output_tokens");
    assert_eq!((&tokens["pairs"], &tokens["unscored"][0]), (&Value::from(59), &Value::from("sums-42")), "{tokens}");
    assert!((tokens["baseline-value"].as_f64().unwrap() - total(&b)).abs() < 1e-9, "{tokens}");
    assert!((tokens["candidate-value"].as_f64().unwrap() - total(&c)).abs() < 1e-9, "{tokens}");
    assert_eq!(row(&table, "total_time")["metric"]["kind"], "duration");
}

#[test]
fn a_plain_table_is_compared() {
    let p = project();
    let table = json(&p, &["plain.csv"], "base");
    let out = compare(&p, &["plain.csv"], "base", &["--by-slice", "--margin", "correct=0.05"]);
    let of = |target: &str| -> Cases {
        let text = fixture("plain.csv");
        let rows = text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        rows.filter(|r| r[1] == target).map(|r| (r[0].clone(), vec![r[4].parse().unwrap()])).collect()
    };
    check(&table, &out.stdout, "correct", expected(&of("base"), &of("tuned-a")));
    // One file per target says the same, without the column.
    for target in ["base", "tuned-a", "tuned-b"] {
        let rows: String = of(target).iter().map(|(case, v)| format!("{case},correct,{}\n", v[0])).collect();
        p.write(&format!("{target}.csv"), format!("case,metric,value\n{rows}"));
    }
    assert_eq!(table, json(&p, &["base=base.csv", "tuned-a=tuned-a.csv", "tuned-b=tuned-b.csv"], "base"));
    let out = compare(&p, &["base=base.csv", "tuned-a.csv"], "base", &[]);
    assert!(out.code == 2 && out.stderr.contains("the column `target` is missing"), "{out:?}");
}

/// A line of the harness.
fn line(doc: usize, more: &str) -> String {
    format!("{{\"doc_id\": {doc}, \"doc\": {{}}, \"resps\": [], \"doc_hash\": \"h{doc}\", {more}}}\n")
}

#[test]
fn what_the_harness_may_write_is_read() {
    let p = Project::new();
    let (old, new) = (format!("old/{HARNESS}"), format!("new/{HARNESS}"));
    let both = [old.as_str(), new.as_str()];
    let write = |of: fn(usize) -> String| {
        for file in &both {
            p.write(file, (0..12).map(|doc| line(doc, &of(doc))).collect::<String>());
        }
    };
    // Before the metrics were listed: what is a number and no bookkeeping.
    write(|doc| format!("\"target\": 3, \"acc\": {}, \"words\": \"x\", \"flag\": true", doc % 2));
    let table = json(&p, &both, "old");
    let names: Vec<_> = table["comparisons"].as_array().unwrap().iter().map(|r| &r["metric"]["name"]).collect();
    assert_eq!(names, ["acc", "flag"]);
    // A filter that is alone is not named.
    write(|_| "\"filter\": \"strict\", \"metrics\": [\"acc\"], \"acc\": 1".to_owned());
    assert_eq!(json(&p, &both, "old")["comparisons"][0]["metric"]["name"], "acc");
    // A score that is none counts as missing, wherever it stands in the line.
    write(|doc| format!("\"x\": NaN, \"metrics\": [\"acc\"], \"acc\": {}", ["1", "NaN", "null", "-Infinity"][doc % 4]));
    assert_eq!(json(&p, &both, "old")["comparisons"][0]["unscored"].as_array().unwrap().len(), 9);
    // The prompts may differ, for that may be what is compared.
    write(|_| "\"prompt_hash\": \"a\", \"metrics\": [\"acc\"], \"acc\": 1".to_owned());
    p.edit(&new, "\"prompt_hash\": \"a\"", "\"prompt_hash\": \"b\"");
    assert_eq!(json(&p, &both, "old")["comparisons"][0]["pairs"], 12);
    // What cannot be compared is named, and the rest is.
    let metrics = "\"metrics\": [\"acc\", \"wer\", \"bleu\", \"len\", \"word\", \"none\"], \"acc\": 1, \"wer\": 0.5";
    for file in &both {
        let rest = "\"bleu\": [1, 2], \"len\": 7, \"word\": \"x\", \"none\": null";
        p.write(file, (0..12).map(|doc| line(doc, &format!("{metrics}, {rest}"))).collect::<String>());
    }
    let out = compare(&p, &both, "old", &[]);
    for note in [
        "`wer` is left out: less of it is better",
        "`bleu` is left out: it is no single number on line 1 of `old/",
        "`len` is left out: it is 7 on line 1",
        "`word` is left out: it is no single number",
        "`none` is left out: it has no value in any sample",
    ] {
        assert!(out.code == 0 && out.stderr.contains(note), "{note}: {out:?}");
    }
    let out = compare(&p, &both, "old", &["--margin", "wer=0.1"]);
    assert!(out.code == 2 && out.stderr.contains("there is no metric `wer`"), "{out:?}");
}

#[test]
fn a_mistake_in_the_samples_of_the_harness_is_placed() {
    let p = Project::new();
    let good = "\"metrics\": [\"acc\"], \"acc\": 1";
    let deep = format!("\"metrics\": [\"acc\"], \"acc\": {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut wrong = Vec::new();
    // What the second line of the candidate is, where the mistake is, and what it is called.
    for (second, place, what) in [
        (
            line(1, good).replace("\"h1\"", "\"other\""),
            "2:51",
            "`sums_choice-1` is another question for `new` than for `old` on line 2 of `old/",
        ),
        (line(0, good), "2:84", "`acc` of the case `sums_choice-0` and `new` is already on line 1"),
        (line(1, good).replace("\"doc_id\": 1, ", ""), "2:1", "the key `doc_id` is missing"),
        (line(1, good).replace(": 1,", ": -1,"), "2:12", "`doc_id` is no whole number"),
        (line(1, good).replace(": 1,", ": \"a\","), "2:12", "`doc_id` is no whole number"),
        (line(1, good).replace("\"h1\"", "7"), "2:51", "`doc_hash` is no text"),
        (line(1, "\"filter\": 1, \"metrics\": [\"acc\"], \"acc\": 1"), "2:67", "`filter` is no text"),
        (line(1, "\"metrics\": \"acc\", \"acc\": 1"), "2:68", "`metrics` is no list of names"),
        (
            line(1, "\"metrics\": [\"f1\"], \"acc\": 1"),
            "2:1",
            "the metric `f1` is listed, and the line has no such key",
        ),
        (line(1, "\"metrics\": [\"é\"], \"é\": 1"), "2:80", "is not a metric name"),
        (line(1, "\"task\": \"boolq\", \"metrics\": [\"acc\"], \"acc\": 1"), "2:65", "the line is of the task `boolq`"),
        (line(1, "\"acc\": 1, \"acc\": 0"), "2:", "the key `acc` stands twice"),
        (line(1, "\"x\": NaN, \"acc\": nope"), "2:75", "expected ident"),
        (line(1, good).replace("}\n", "\n"), "2:", "EOF while parsing"),
        ("[1]\n".to_owned(), "2:1", "no line of lm-evaluation-harness"),
        (deep, "2:", "no line of lm-evaluation-harness"),
    ] {
        for (file, text) in [("old", line(1, good)), ("new", second.clone())] {
            p.write(&format!("{file}/{HARNESS}"), line(0, good) + &text);
        }
        let out = compare(&p, &[&format!("old/{HARNESS}"), &format!("new/{HARNESS}")], "old", &[]);
        assert_eq!(out.code, 2, "{what}: {out:?}");
        if !out.stderr.contains(what) || !out.stderr.contains(&format!("new/{HARNESS}:{place}")) {
            wrong.push(format!("{what} at {place}: {}", out.stderr.chars().take(800).collect::<String>()));
        }
        out.assert_clean();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, what) in [
        ("renamed.jsonl", "the name of the file does not say which task this is"),
        ("samples_sums.jsonl", "the name of the file does not say which task this is"),
        (HARNESS, "nothing says whose scores these are"),
    ] {
        p.write(name, line(0, good));
        let name = if name == HARNESS { name.to_owned() } else { format!("x={name}") };
        let out = compare(&p, &[&name], "x", &[]);
        assert!(out.code == 2 && out.stderr.contains(what), "{name}: {out:?}");
    }
    p.write("r.json", "{\"results\": {\"sums\": {\"acc,none\": 0.5}}, \"configs\": {}}");
    let out = compare(&p, &["x=r.json"], "x", &[]);
    assert!(out.code == 2 && out.stderr.contains("run lm_eval with --log_samples"), "{out:?}");
}

/// A log with samples.
fn log(model: &str, samples: &[String]) -> String {
    let samples = samples.join(",\n");
    format!(
        "{{\"version\": 2, \"status\": \"success\", \"eval\": {{\"task\": \"qa\", \"model\": \"{model}\"}},\n\"samples\": [\n{samples}\n]}}"
    )
}

fn sample(id: usize, value: &str) -> String {
    format!("{{\"id\": {id}, \"epoch\": 1, \"input\": \"Q{id}\", \"scores\": {{\"s\": {{\"value\": {value}}}}}}}")
}

#[test]
fn what_inspect_may_write_is_read() {
    let p = Project::new();
    let both = |of: &dyn Fn(usize) -> String| {
        for model in ["m/old", "m/new"] {
            p.write(&format!("{}.json", &model[2..]), log(model, &(0..12).map(of).collect::<Vec<_>>()));
        }
        compare(&p, &["old.json", "new.json"], "m.old", &["--json"])
    };
    for (value, level) in [
        ("\"C\"", 1.0),
        ("\"P\"", 0.5),
        ("\"I\"", 0.0),
        ("\"N\"", 0.0),
        ("true", 1.0),
        ("\"Yes\"", 1.0),
        ("\"false\"", 0.0),
        ("\"0.25\"", 0.25),
        ("0.75", 0.75),
    ] {
        let table: Value = serde_json::from_str(&both(&|id| sample(id, value)).stdout).unwrap();
        assert_eq!(table["comparisons"][0]["baseline-value"], level, "{value}");
    }
    // The parts of an object are metrics of their own; what is no number is named.
    let out = both(&|id| sample(id, "{\"form\": \"C\", \"a/b\": 0.5, \"list\": [1]}"));
    let table: Value = serde_json::from_str(&out.stdout).unwrap();
    let names: Vec<_> = table["comparisons"].as_array().unwrap().iter().map(|r| &r["metric"]["name"]).collect();
    assert_eq!(names, ["s.a.b", "s.form"]);
    assert!(out.stderr.contains("`s.list` is left out: it is no single number on line 3 of `old.json`"), "{out:?}");
    for (value, what) in [
        ("\"good\"", "it is no single number"),
        ("7", "it is 7 on line 3 of `old.json`, which is no number from 0 to 1"),
        ("NaN", "it has no value in any sample"),
    ] {
        let out = both(&|id| sample(id, value));
        assert!(
            out.code == 2 && out.stderr.contains("no metric can be compared") && out.stderr.contains(what),
            "{out:?}"
        );
    }
    // A sample that was not scored, or does not count any more, is a missing score.
    for (from, to) in [
        (", \"scores\": {\"s\": {\"value\": 1}}", ", \"scores\": null"),
        (", \"epoch\"", ", \"invalidation\": {\"author\": \"x\"}, \"epoch\""),
        ("{\"value\": 1}", "{\"value\": null}"),
    ] {
        let out = both(&|id| if id == 7 { sample(id, "1").replace(from, to) } else { sample(id, "1") });
        let table: Value = serde_json::from_str(&out.stdout).unwrap();
        assert_eq!(table["comparisons"][0]["unscored"], serde_json::json!(["qa-7"]), "{to}");
    }
    // A model that failed is wrong if it is the candidate, and no measure of the candidate if it is the baseline.
    both(&|id| sample(id, "1"));
    p.edit("new.json", "\"input\": \"Q3\"", "\"error\": {\"message\": \"x\"}, \"input\": \"Q3\"");
    p.edit("old.json", "\"input\": \"Q4\"", "\"error\": {\"message\": \"x\"}, \"input\": \"Q4\"");
    let table = json(&p, &["old.json", "new.json"], "m.old");
    let row = &table["comparisons"][0];
    assert_eq!((&row["pairs"], &row["flips"]["lost"], &row["unscored"][0]), (&11.into(), &1.into(), &"qa-4".into()));
    // Messages are the same question though each run gives them new ids.
    let asked = |id: &str| format!("\"input\": [{{\"id\": \"{id}\", \"role\": \"user\", \"content\": \"Q\"}}]");
    for (model, id) in [("m/old", "a"), ("m/new", "b")] {
        let samples: Vec<_> =
            (0..12).map(|i| sample(i, "1").replace(&format!("\"input\": \"Q{i}\""), &asked(id))).collect();
        p.write(&format!("{}.json", &model[2..]), log(model, &samples));
    }
    assert_eq!(json(&p, &["old.json", "new.json"], "m.old")["comparisons"][0]["pairs"], 12);
}

#[test]
fn a_mistake_in_a_log_of_inspect_is_placed() {
    let p = Project::new();
    let good = log("m/new", &[sample(1, "1"), sample(2, "0")]);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut wrong = Vec::new();
    for (from, to, place, what) in [
        (
            "\"Q2\"",
            "\"other\"",
            "4:32",
            "`qa-2` is another question for `m.new` than for `m.old` on line 4 of `old.json`",
        ),
        ("\"id\": 2", "\"id\": 1", "4:64", "`s` of the case `qa-1` and `m.new` is already on line 3"),
        ("\"id\": 2", "\"id\": 2.5", "4:8", "`id` is no text and no whole number"),
        ("\"id\": 2", "\"id\": \"€\"", "4:8", "holds no letter or digit"),
        ("\"id\": 2, ", "", "4:1", "the sample has no `id`"),
        ("\"id\": 2, \"epoch\": 1", "\"id\": 2, \"epoch\": 0", "4:1", "`epoch` is not a whole number from 1"),
        ("\"id\": 2, \"epoch\": 1", "\"id\": 2, \"epoch\": \"x\"", "4:20", "`epoch` is not a whole number from 1"),
        ("\"Q2\"", "7", "4:32", "`input` is no text and no list of messages"),
        ("{\"value\": 0}", "{}", "4:54", "the score has no `value`"),
        ("{\"value\": 0}", "[]", "4:54", "no score of an Inspect log"),
        ("\"s\": {\"value\": 0}", "\"total_time\": {\"value\": 0}", "4:", "a scorer may not be called `total_time`"),
        ("\"s\": {\"value\": 0}", "\"s\": {\"value\": 0}, \"s\": {\"value\": 1}", "4:", "the key `s` stands twice"),
        ("\"success\"", "\"error\"", "1:1", "the status of the log is `error`"),
        ("\"version\": 2", "\"version\": 1", "1:1", "the log is of version 1"),
        ("\"version\": 2", "\"version\": \"2\"", "1:13", "`version` is not a whole number"),
        ("\"task\": \"qa\"", "\"task\": \"all\"", "1:1", "can be no slice"),
        (", \"model\": \"m/new\"", "", "1:1", "the log's `eval` has no `model`"),
        ("m/new", "//", "1:1", "name the target: --scores NAME=FILE"),
        ("\"samples\"", "\"smaples\"", "1:1", "the log has no samples"),
        ("\"samples\": [", "\"samples\": 7, \"x\": [", "2:12", "`samples` is no list"),
        ("\"eval\"", "\"evil\"", "1:1", "this JSON is no Inspect log"),
        ("{\"value\": 0}}}", "{\"value\": 0}}}}", "4:", "no document of an Inspect log"),
        ("\"Q2\"", &deep, "4:32", "`input` is no text and no list of messages"),
        ("{\"value\": 0}", &deep, "4:54", "no score of an Inspect log"),
    ] {
        assert!(good.contains(from), "{from}");
        p.write("old.json", log("m/old", &[sample(1, "1"), sample(2, "1")]));
        p.write("new.json", good.replacen(from, to, 1));
        let out = compare(&p, &["old.json", "new.json"], "m.old", &[]);
        assert_eq!(out.code, 2, "{what}: {out:?}");
        if !out.stderr.contains(what) || !out.stderr.contains(&format!("new.json:{place}")) {
            wrong.push(format!("{what} at {place}: {}", out.stderr.chars().take(800).collect::<String>()));
        }
        out.assert_clean();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A log whose size is in what it does not say.
    let many: Vec<_> = (0..1001).map(|i| format!("\"k{i}\": 1")).collect();
    p.write("old.json", log("m/old", &[sample(1, &format!("{{{}}}", many.join(", ")))]));
    let out = compare(&p, &["old.json"], "m.old", &[]);
    assert!(out.code == 2 && out.stderr.contains("there are more than 1000 metrics"), "{out:?}");
    let bare = (2..2_100).map(|i| format!("{{\"id\": {i}}}"));
    let first = sample(1, &format!("{{{}}}", many[..999].join(", ")));
    p.write("old.json", log("m/old", &std::iter::once(first).chain(bare).collect::<Vec<_>>()));
    let out = compare(&p, &["old.json"], "m.old", &[]);
    assert!(out.code == 2 && out.stderr.contains("the samples have more than 2000000 values"), "{out:?}");
    // What was packed is told how to be unpacked.
    p.write("log.eval", b"PK\x03\x04rest");
    let out = compare(&p, &["log.eval"], "x", &[]);
    assert!(out.code == 2 && out.stderr.contains("inspect log convert --to json"), "{out:?}");
    // The same log twice is not two targets.
    p.write("new.json", &good);
    let out = compare(&p, &["new.json", "new.json"], "m.new", &[]);
    assert!(out.code == 2 && out.stderr.contains("is already on line 3 of `new.json`"), "{out:?}");
    assert!(out.stderr.contains("--scores NAME=FILE"), "{out:?}");
}
