//! `goldgate compare --scores`: anybody's scores, the known failures of other tools, and what is refused where.

use crate::project::{Outcome, Project};
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Writes a table and compares `new` with `old` on it.
fn compare(p: &Project, table: &str, args: &[&str]) -> Outcome {
    p.write("s.csv", table);
    p.run(&[&["compare", "--scores", "s.csv", "--baseline", "old"], args].concat())
}

fn json(p: &Project, table: &str, args: &[&str]) -> Value {
    let out = compare(p, table, &[args, &["--json"]].concat());
    assert_eq!(out.code, 0, "{out:?}");
    serde_json::from_str(&out.stdout).unwrap()
}

/// A table of one metric from `(old, new)` pairs of texts.
fn table(pairs: impl IntoIterator<Item = (&'static str, &'static str)>) -> String {
    let mut text = String::from("case,target,metric,value\n");
    for (i, (old, new)) in pairs.into_iter().enumerate() {
        text.push_str(&format!("c{i},old,m,{old}\nc{i},new,m,{new}\n"));
    }
    text
}

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap()
}

/// The files of scores: what lm-evaluation-harness and Inspect wrote, and a plain table.
pub const SCORES: [&str; 7] = [
    "lm-eval/sums-base/samples_sums_choice_2026-11-21T05-00-00.000000.jsonl",
    "lm-eval/sums-base/samples_sums_write_2026-11-21T05-00-00.000000.jsonl",
    "lm-eval/sums-tuned/samples_sums_choice_2026-11-21T05-00-00.000000.jsonl",
    "lm-eval/sums-tuned/samples_sums_write_2026-11-21T05-00-00.000000.jsonl",
    "inspect/sums_base.json",
    "inspect/sums_tuned.json",
    "plain.csv",
];

pub fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scores").join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn zero_variance_at_small_n_is_not_certainty() {
    let p = Project::new();
    for (value, n, why) in [("1", 5, "at least 10"), ("0.5", 5, "at least 10"), ("1", 58, "at least 59")] {
        let out = json(&p, &table(vec![(value, value); n]), &["--margin", "m=0.05"]);
        let row = &out["comparisons"][0];
        assert!(number(&row["interval"]["lower"]) < 0.0 && number(&row["interval"]["upper"]) > 0.0, "{row}");
        assert_eq!(row["no-worse"]["answer"], "unproven", "{row}");
        assert!(row["no-worse"]["why"].as_str().unwrap().contains(why), "{row}");
    }
    // Durations that never differ show no spread to compute with: that is said, and is no proof of equality.
    let equal = table(vec![("1.5", "1.5"); 40]).replace("value\n", "value,kind\n").replace("1.5\n", "1.5,duration\n");
    let out = compare(&p, &equal, &["--margin", "m=0.1"]);
    assert!(out.code == 0 && out.stdout.contains("m cannot be compared"), "{out:?}");
    assert!(!out.stdout.contains("yes"), "{out:?}");
}

#[test]
fn not_significant_is_not_no_regression() {
    let p = Project::new();
    // Five of a hundred answers lost and two gained: no test finds a difference, and a loss of five points is not excluded.
    let mut pairs = vec![("1", "1"); 93];
    pairs.extend([("1", "0"); 5]);
    pairs.extend([("0", "1"); 2]);
    let out = json(&p, &table(pairs.clone()), &["--margin", "m=0.05"]);
    let row = &out["comparisons"][0];
    assert!(number(&row["interval"]["upper"]) > 0.0, "not significantly worse: {row}");
    assert_eq!(row["no-worse"]["answer"], "unproven", "{row}");
    // Without a margin there is no claim to be had at all.
    assert_eq!(json(&p, &table(pairs.clone()), &[])["comparisons"][0]["no-worse"], Value::Null);
    // A larger margin can be proven, and a real loss is refuted.
    let wide = json(&p, &table(pairs), &["--margin", "m=0.2"]);
    assert_eq!(wide["comparisons"][0]["no-worse"]["answer"], "yes");
    let mut lost = vec![("1", "1"); 60];
    lost.extend([("1", "0"); 40]);
    assert_eq!(json(&p, &table(lost), &["--margin", "m=0.05"])["comparisons"][0]["no-worse"]["answer"], "no");
}

#[test]
fn repeats_are_not_counted_as_cases() {
    let p = Project::new();
    let mut text = String::from("case,target,metric,value,repeat\n");
    for i in 0..40 {
        // Twelve wins from four cases: the four cases are what was sampled.
        text.push_str(&format!(
            "c{},old,m,0,{}\nc{},new,m,{},{}\n",
            i / 10,
            i % 10,
            i / 10,
            u8::from(i % 10 < 3),
            i % 10
        ));
    }
    let out = json(&p, &text, &["--margin", "m=0.05"]);
    let row = &out["comparisons"][0];
    assert_eq!((&row["pairs"], &row["clusters"]), (&Value::from(4), &Value::from(4)), "{row}");
    assert!(number(&row["p-better"]) > 0.03, "1/16 and not 1/4096: {row}");
    assert_eq!(row["no-worse"]["answer"], "unproven");
    // Nor are the members of a family.
    let family: String = (0..40).map(|i| format!("c{i},old,m,1,f{}\nc{i},new,m,1,f{}\n", i / 4, i / 4)).collect();
    let out = json(&p, &format!("case,target,metric,value,cluster\n{family}"), &[]);
    assert_eq!(out["comparisons"][0]["clusters"], 10);
}

#[test]
fn dropped_errors_are_named_and_count_at_their_worst() {
    let p = Project::new();
    let mut pairs = vec![("1", "1"); 200];
    let answer = |text: &str, margin: &str| json(&p, text, &["--margin", margin])["comparisons"][0].clone();
    assert_eq!(answer(&table(pairs.clone()), "m=0.02")["no-worse"]["answer"], "yes");
    pairs.extend([("1", ""), ("", "1")]);
    let text = format!("{}c999,old,m,1\n", table(pairs.clone()));
    let row = answer(&text, "m=0.02");
    assert_eq!(row["unscored"], serde_json::json!(["c200", "c201", "c999"]), "an empty value and a missing row alike");
    // The candidate's two are lost, and what the baseline lacks was right at best: two of 203.
    assert!((number(&row["imputed"]["against"]["change"]) + 2.0 / 203.0).abs() < 1e-12, "{row}");
    assert!((number(&row["imputed"]["in-favour"]["change"]) - 1.0 / 203.0).abs() < 1e-12, "{row}");
    assert_eq!(row["no-worse"]["answer"], "unproven", "{row}");
    assert_eq!(answer(&text, "m=0.05")["no-worse"]["answer"], "yes");
    let out = compare(&p, &text, &["--margin", "m=0.02"]);
    assert!(out.stdout.contains("m: 3 cases lack a score, or one side of it: c200, c201, c999"), "{}", out.stdout);
    assert!(out.stdout.contains("with the 3 unscored cases counted against the candidate"), "{}", out.stdout);
    // Two more, and what lacks a score is more than 2 %.
    pairs.extend([("1", ""), ("1", "")]);
    let row = answer(&format!("{}c999,old,m,1\n", table(pairs)), "m=0.1");
    assert!(row["no-worse"]["why"].as_str().unwrap().contains("at most 2\u{202f}% may lack a score"), "{row}");
}

#[test]
fn swapped_roles_mirror() {
    let p = Project::new();
    p.write("s.csv", fixture("plain.csv"));
    let of = |baseline: &str, candidate: &str| -> Value {
        let args = ["compare", "--scores", "s.csv", "--baseline", baseline, "--candidate", candidate, "--json"];
        serde_json::from_str(&p.run(&args).stdout).unwrap()
    };
    let (there, back) = (of("base", "tuned-a"), of("tuned-a", "base"));
    let (a, b) = (&there["comparisons"][0], &back["comparisons"][0]);
    assert_eq!((&a["baseline-value"], &a["flips"]["gained"]), (&b["candidate-value"], &b["flips"]["lost"]));
    assert!((number(&a["change"]) + number(&b["change"])).abs() < 1e-12);
    assert!((number(&a["interval"]["lower"]) + number(&b["interval"]["upper"])).abs() < 1e-9);
    assert!((number(&a["p-better"]) + number(&b["p-better"]) - 1.0).abs() < 1e-9);
}

#[test]
fn the_order_of_the_rows_changes_nothing() {
    let p = Project::new();
    let text = fixture("plain.csv");
    let (header, rows) = text.split_once('\n').unwrap();
    let mut turned: Vec<_> = rows.lines().collect();
    turned.reverse();
    let of = |table: &str| json(&p, &table.replace(",base,", ",old,"), &["--by-slice"]);
    assert_eq!(of(&text), of(&format!("{header}\r\n{}\r\n", turned.join("\r\n"))));
}

#[test]
fn the_best_of_ten_must_be_better_for_all_ten() {
    let p = Project::new();
    let mut text = table((0..60).map(|i| {
        if i < 9 {
            ("0", "1")
        } else if i < 12 {
            ("1", "0")
        } else {
            ("1", "1")
        }
    }));
    let alone = json(&p, &text, &[]);
    let (p1, holm1) = (&alone["comparisons"][0]["p-better"], &alone["comparisons"][0]["p-better-holm"]);
    assert_eq!(p1, holm1, "one candidate needs no adjustment");
    assert!(number(p1) < 0.05 && compare(&p, &text, &[]).stdout.contains("better"));
    for k in 0..9 {
        text.push_str(&(0..60).map(|i| format!("c{i},same{k},m,1\n")).collect::<String>());
        // As good as the baseline, but for chance.
        text = text.replace(&format!("c{},same{k},m,1\n", 12 + k), &format!("c{},same{k},m,0\n", 12 + k));
        for i in 0..9 {
            text = text.replace(&format!("c{i},same{k},m,1\n"), &format!("c{i},same{k},m,0\n"));
        }
    }
    let many = json(&p, &text, &[]);
    assert_eq!((&many["candidates"][0], many["candidates"].as_array().unwrap().len()), (&Value::from("new"), 10));
    let holm = number(&many["comparisons"][0]["p-better-holm"]);
    assert!((holm - 10.0 * number(p1)).abs() < 1e-12, "{holm}");
    let shown = compare(&p, &text, &[]);
    assert!(!shown.stdout.contains("better"), "{}", shown.stdout);
    let two = compare(&p, &text, &["--candidate", "new"]);
    assert!(two.stdout.contains("better"), "a candidate that was chosen before is held against itself alone");
}

#[test]
fn slices_to_look_at_are_marked_and_small_ones_are_not_tested() {
    let p = Project::new();
    p.write("s.csv", fixture("plain.csv") + "tiny-1,base,tiny,correct,1\ntiny-1,tuned-b,tiny,correct,0\n");
    let args = ["compare", "--scores", "s.csv", "--baseline", "base", "--candidate", "tuned-b", "--by-slice", "--json"];
    let out: Value = serde_json::from_str(&p.run(&args).stdout).unwrap();
    for row in out["comparisons"].as_array().unwrap() {
        let slice = row["slice"].as_str().unwrap();
        assert_eq!(row["look-here"], slice == "orders", "{row}");
        assert_eq!(row["q-worse"].is_null(), slice == "all" || slice == "tiny", "{row}");
    }
}

#[test]
fn a_mistake_in_a_table_is_placed() {
    const HEAD: &str = "case,target,metric,value\nc1,old,m,1\n";
    let p = Project::new();
    for (text, place, what) in [
        ("case,target,metric,valeu\nc1,old,m,1\n".to_owned(), "1:20", "did you mean `value`?"),
        ("case,target,value\nc1,old,1\n".to_owned(), "1:1", "the column `metric` is missing"),
        ("case,target,metric,value,case\n".to_owned(), "1:26", "stands twice"),
        (String::new(), "1:1", "the table is empty"),
        ("case,target,metric,value\n".to_owned(), "1:1", "no row below its header"),
        (format!("{HEAD}c2,old,m\n"), "3:1", "3 fields, where the header has 4"),
        (format!("{HEAD}c2,old,\"m\",NaN\n"), "3:12", "`NaN` is no finite number"),
        (format!("{HEAD}\r\nc2,old,m,inf\n"), "4:10", "`inf` is no finite number"),
        (format!("{HEAD}c2,old,m,1e999\n"), "3:10", "no finite number"),
        (format!("{HEAD}c2,old,m,wrong\n"), "3:10", "`wrong` is no finite number"),
        (format!("{HEAD}c2,old,m,7\n"), "3:10", "say in a column `kind`"),
        (format!("{HEAD}c2,a b,m,1\n"), "3:4", "is not a target name"),
        (format!("{HEAD}c1,new,m,1\nc1,old,m,0\n"), "4:1", "is already on line 2"),
        (
            "case,target,metric,value,kind\nc1,old,m,0.5,binary\n".to_owned(),
            "2:10",
            "no value of the binary metric `m`",
        ),
        ("case,target,metric,value,kind\nc1,old,m,-1,duration\n".to_owned(), "2:10", "seconds above 0"),
        ("case,target,metric,value,kind\nc1,old,m,1.5,count\n".to_owned(), "2:10", "whole number"),
        ("case,target,metric,value,kind\nc1,old,m,2,bounded\n".to_owned(), "2:10", "from 0 to 1"),
        ("case,target,metric,value,kind\nc1,old,m,1,bianry\n".to_owned(), "2:12", "did you mean `binary`?"),
        (
            "case,target,metric,value,kind\nc1,old,m,1,event\nc1,new,m,1,binary\n".to_owned(),
            "3:12",
            "is another than on line 2",
        ),
        (
            "case,target,metric,value,slice\nc1,old,m,1,x\nc1,new,m,1,y\n".to_owned(),
            "3:12",
            "is another than on line 2",
        ),
        ("case,target,metric,value,slice\nc1,old,m,1,all\n".to_owned(), "2:12", "means every case"),
        (
            "case,target,metric,value,cluster\nc1,old,m,1,x\nc1,new,m,1,y\n".to_owned(),
            "3:12",
            "the cluster of the case `c1`",
        ),
        ("case,target,metric,value,repeat\nc1,old,m,1,-1\n".to_owned(), "2:12", "no whole number from 0"),
        ("case,target,metric,value\nc1,old,m,\n".to_owned(), "2:8", "has no value in any row"),
    ] {
        let out = compare(&p, &text, &[]);
        assert_eq!(out.code, 2, "{text}{out:?}");
        assert!(out.stderr.contains(&format!("s.csv:{place}")) && out.stderr.contains(what), "{text}{}", out.stderr);
    }
}

#[test]
fn a_mistake_in_json_lines_is_placed() {
    const GOOD: &str = "{\"case\":1,\"target\":\"old\",\"metric\":\"m\",\"value\":1}\n";
    const SECOND: &str = "{\"case\":2,\"target\":\"old\",\"metric\":\"m\",\"value\":1}";
    let p = Project::new();
    for (from, to, column, what) in [
        ("\"value\"", "\"valeu\"", 39, "did you mean `value`?"),
        (",\"value\":1", "", 1, "the key `value` is missing"),
        (":1}", ":\"1\"}", 47, "is not a number"),
        (":1}", ":true}", 47, "is not a number"),
        (":1}", ":1,\"case\":2}", 0, "stands twice"),
        (":1}", ":NaN}", 0, "not JSON"),
        (SECOND, "[1]", 1, "no JSON object"),
        ("\"old\"", "\"o/d\"", 20, "is not a target name"),
    ] {
        p.write("s.jsonl", format!("{GOOD}{}\n", SECOND.replace(from, to)));
        let out = p.run(&["compare", "--scores", "s.jsonl", "--baseline", "old"]);
        assert_eq!(out.code, 2, "{to}: {out:?}");
        let place = if column == 0 { "s.jsonl:2:".to_owned() } else { format!("s.jsonl:2:{column}\n") };
        assert!(out.stderr.contains(&place) && out.stderr.contains(what), "{to}: {}", out.stderr);
    }
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_shown() {
    let p = Project::new();
    let text = table(vec![("1", "0"); 3]);
    p.write("bad.csv", [0x63, 0xe9, 0x0a]);
    fs::File::create(p.path("large.csv")).unwrap().set_len((64 << 20) + 1).unwrap();
    for (args, what) in [
        (&["--baseline", "odl"][..], "did you mean `old`?"),
        (&["--baseline", "old", "--candidate", "nobody"], "there is `new`, `old`"),
        (&["--baseline", "old", "--candidate", "old"], "not its own candidate"),
        (&["--baseline", "old", "--candidate", "new", "--candidate", "new"], "named twice"),
        (&["--baseline", "old", "--margin", "x.y=0.1"], "there is `m`"),
        (&["--baseline", "old", "--margin", "m=1.5"], "100 points or more"),
        (&["--baseline", "old", "--margin", "m=0"], "a number above 0"),
        (&["--baseline", "old", "--margin", "m=NaN"], "a number above 0"),
        (&["--baseline", "old", "--margin", "m"], "METRIC=VALUE"),
        (&["--baseline", "old", "--margin", "m=0.1", "--margin", "m=0.2"], "names `m` twice"),
        (&["--scores", "bad.csv", "--baseline", "old"], "is not UTF-8 at byte 1"),
        (&["--scores", "new=s.csv", "--baseline", "old"], "the table names its targets itself"),
        (&["--scores", "n w=s.csv", "--baseline", "old"], "is not a target name"),
        (&["--scores", "new=", "--baseline", "old"], "write FILE or NAME=FILE"),
        (&["run", "--baseline", "old"], "cannot be used with"),
        (&[], "--baseline"),
    ] {
        p.write("s.csv", &text);
        let out = p.run(&[&["compare", "--scores", "s.csv"], args].concat());
        assert!(out.code == 2 && out.stderr.contains(what) && out.stdout.is_empty(), "{args:?}: {out:?}");
    }
    for (file, what) in
        [("bad.csv", "is not UTF-8 at byte 1"), ("large.csv", "larger than 64 MiB"), ("no.csv", "cannot be read")]
    {
        let out = p.run(&["compare", "--scores", file, "--baseline", "old"]);
        assert!(out.code == 2 && out.stderr.contains(what), "{file}: {out:?}");
    }
    assert_eq!(p.run(&["compare"]).code, 2, "a run or a table, one of them");
    assert_eq!(p.run(&["compare", "r", "--baseline", "old"]).code, 2, "a run has its own baseline");
}

#[test]
fn a_systematic_mistake_is_counted_and_what_a_table_says_is_shown_inert() {
    let p = Project::new();
    let out = compare(&p, &table(vec![("\u{1b}[2Jx", "1"); 300]), &[]);
    assert!(out.code == 2 && out.stderr.contains("280 more mistakes are not shown"), "{}", out.stderr);
    assert!(!out.stderr.contains('\u{1b}'));
}

/// Every object of the output has exactly the keys that the schema gives it, and its words are those of the schema.
pub fn check(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(path) = schema["$ref"].as_str() {
        return check(root, root.pointer(&path[1..]).unwrap_or(&Value::Null), value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        // Forms are told apart by being null, by a constant, or by their keys.
        let fitting = any.iter().find(|s| {
            let keys = s["required"].as_array();
            let object = value.as_object();
            (s["type"] == "null") == value.is_null()
                && s.get("const").is_none_or(|word| word == value)
                && keys.is_none_or(|k| object.is_some_and(|o| k.iter().all(|k| o.contains_key(k.as_str().unwrap()))))
        });
        return check(root, fitting.unwrap_or_else(|| panic!("{at}: {value}")), value, at);
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    if let Some(word) = schema.get("const") {
        assert_eq!(word, value, "{at}");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if let Some(wanted) = schema.get("type") {
        let wanted: Vec<_> = wanted.as_array().map_or_else(|| vec![wanted], |all| all.iter().collect());
        let fits = |w: &&Value| **w == kind || (kind == "integer" && **w == "number");
        assert!(wanted.iter().any(fits), "{at}: {value} is no {wanted:?}");
    }
    match value {
        Value::Array(items) => items.iter().for_each(|v| check(root, &schema["items"], v, &format!("{at}[]"))),
        Value::Object(object) => {
            let empty = Map::new();
            let documented = schema["properties"].as_object().unwrap_or(&empty);
            let sorted = |keys: Vec<&str>| {
                let mut keys = keys;
                keys.sort_unstable();
                keys.join(" ")
            };
            let has = sorted(object.keys().map(String::as_str).collect());
            assert_eq!(has, sorted(documented.keys().map(String::as_str).collect()), "{at}: keys and `properties`");
            let required = schema["required"].as_array().unwrap();
            assert_eq!(has, sorted(required.iter().filter_map(Value::as_str).collect()), "{at}: keys and `required`");
            assert_eq!(schema["additionalProperties"], false, "{at}");
            object.iter().for_each(|(k, v)| check(root, &documented[k], v, &format!("{at}.{k}")));
        }
        _ => {}
    }
}

#[test]
fn the_json_has_exactly_the_documented_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read_to_string(root.join("schemas/comparison.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let p = Project::new();
    p.write("sums_base.json", fixture("inspect/sums_base.json"));
    p.write("sums_tuned.json", fixture("inspect/sums_tuned.json"));
    p.write("s.csv", fixture("plain.csv"));
    p.write("gap.csv", "case,target,metric,value\nc1,old,m,1\nc2,new,m,1\n");
    p.write("few.csv", "case,target,metric,value\nc1,old,m,1\nc1,new,m,1\nc1,third,m,1\n");
    p.run(&["run", "suites/mini", "--run-dir", "r"]);
    for args in [
        &["--scores=old=sums_base.json", "--scores=sums_tuned.json", "--baseline=old", "--margin=total_time=0.1"][..],
        &["--scores", "s.csv", "--baseline", "base", "--margin", "correct=0.05", "--by-slice"],
        &["--scores", "s.csv", "--baseline", "base", "--margin", "correct=0.05", "--select", "correct", "--by-slice"],
        &["--scores", "gap.csv", "--baseline", "old"],
        &["--scores", "few.csv", "--baseline", "old"],
        &["r", "--by-slice", "--margin", "tokens=0.1"],
    ] {
        let out = p.run(&[&["compare", "--json"], args].concat());
        let json: Value = serde_json::from_str(&out.stdout).unwrap();
        assert!(
            !json["comparisons"].as_array().unwrap().is_empty()
                || !json["not-comparable"].as_array().unwrap().is_empty()
        );
        check(&schema, &schema, &json, "$");
    }
    let page = fs::read_to_string(root.join("docs/compare.md")).unwrap();
    for row in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        for key in row["properties"].as_object().into_iter().flat_map(Map::keys) {
            assert!(page.contains(&format!("`{key}`")), "docs/compare.md says nothing of `{key}`");
        }
    }
}

#[test]
fn the_page_shows_what_the_program_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/compare.md")).unwrap();
    let p = Project::new();
    for file in SCORES {
        p.write(&format!("tests/fixtures/scores/{file}"), fixture(file));
    }
    let mut shown = 0;
    for block in page.split("```text\n$ goldgate ").skip(1) {
        let (command, rest) = block.split_once('\n').unwrap();
        let out = p.run(&command.split_whitespace().collect::<Vec<_>>());
        assert_eq!(rest.split("```").next().unwrap(), out.stdout, "{command}");
        shown += 1;
    }
    assert_eq!(shown, 5);
}
