//! `goldgate compare` with several candidates: rankings, the choice of one and its confirmation, from a table and from a run.

use crate::project::{Outcome, Project};
use serde_json::Value;

/// Scores of `base` and `c01`, `c02` and so on, on independent cases; the last is better and the rest are as good as the baseline.
fn table(candidates: usize, cases: usize) -> String {
    let mut text = String::from("case,target,metric,value\n");
    for t in 0..=candidates {
        let name = if t == 0 { "base".to_owned() } else { format!("c{t:02}") };
        for i in 0..cases {
            let right = (i * 7 + t * 3) % 10 < if t == candidates { 9 } else { 5 };
            text.push_str(&format!("q{i},{name},m,{}\n", u8::from(right)));
        }
    }
    text
}

fn compare(p: &Project, table: &str, args: &[&str]) -> Outcome {
    p.write("s.csv", table);
    p.run(&[&["compare", "--scores", "s.csv", "--baseline", "base"], args].concat())
}

fn json(p: &Project, table: &str, args: &[&str]) -> Value {
    let out = compare(p, table, &[args, &["--json"]].concat());
    assert_eq!(out.code, 0, "{out:?}");
    serde_json::from_str(&out.stdout).unwrap()
}

#[test]
fn a_ranking_needs_several_candidates() {
    let p = Project::new();
    let one = json(&p, &table(1, 40), &[]);
    assert_eq!((one["rankings"].as_array().unwrap().len(), &one["selection"]), (0, &Value::Null));
    let out = compare(&p, &table(1, 40), &[]);
    assert!(!out.stdout.contains("rank"), "{}", out.stdout);
    let two = json(&p, &table(2, 40), &[]);
    let ranking = &two["rankings"][0];
    assert_eq!((&ranking["metric"]["name"], ranking["targets"].as_array().unwrap().len()), (&"m".into(), 3));
    assert_eq!((&ranking["targets"][0]["target"], &ranking["targets"][0]["rank"]), (&"c02".into(), &1.0.into()));
    assert_eq!((&ranking["best"]["candidate"], &ranking["best"]["of"]), (&"c02".into(), &2.into()));
    let few = json(&p, &table(2, 9), &[]);
    assert_eq!(few["rankings"].as_array().unwrap().len(), 0);
    assert!(few["not-ranked"][0]["reason"].as_str().unwrap().contains("9 independent cases are too few"), "{few}");
    assert!(compare(&p, &table(2, 9), &[]).stdout.contains("m cannot be ranked"));
}

/// How many candidates have a table of their own.
fn tables_in(shown: &str) -> usize {
    shown.lines().filter(|l| l.starts_with('c') && l.contains(" against base, ")).count()
}

#[test]
fn few_candidates_have_tables_of_their_own_and_many_are_ranked_in_their_place() {
    let p = Project::new();
    for (candidates, tables) in [(3, 3), (6, 6), (7, 0), (20, 0)] {
        let out = compare(&p, &table(candidates, 60), &["--margin", "m=0.1"]);
        let shown = &out.stdout;
        assert_eq!(tables_in(shown), tables, "{shown}");
        assert!(shown.contains(&format!("m: {} targets ranked on 60 independent cases", candidates + 1)), "{shown}");
        assert!(shown.contains("--select m"), "{shown}");
        assert!(shown.lines().all(|l| l.chars().count() <= 80), "{shown}");
        // Nothing that the tables said is lost: the answer for the margin, and better or worse.
        let best = shown.lines().find(|l| l.starts_with(" 1 (")).unwrap();
        assert!(tables > 0 || best.contains("yes, better"), "{best}");
    }
    // Slices have no ranking: who asks for them gets the tables too, behind the rankings.
    let sliced = table(7, 60).replace(",m,", ",left,m,").replace("target,metric", "target,slice,metric");
    let out = compare(&p, &sliced, &["--by-slice"]);
    assert_eq!(tables_in(&out.stdout), 7, "{}", out.stdout);
    assert!(out.stdout.starts_with("m: 8 targets ranked"), "{}", out.stdout);
}

#[test]
fn missing_scores_of_many_candidates_are_named() {
    let p = Project::new();
    let lacks = |text: String, case: &str| {
        text.replace(&format!("{case},c08,m,1\n"), &format!("{case},c08,m,\n"))
            .replace(&format!("{case},c08,m,0\n"), &format!("{case},c08,m,\n"))
    };
    let text = lacks(lacks(table(8, 60), "q5"), "q6");
    let out = compare(&p, &text, &["--margin", "m=0.1"]);
    // Of sixty, two are more than 2 %: whoever lacks them is not to win by absence.
    let lacking = "without a rank, since more than 2 % of the cases lack their score: c08";
    assert!(out.stdout.contains(lacking), "{}", out.stdout);
    assert!(out.stdout.starts_with("m: 8 targets ranked on 60"), "{}", out.stdout);
    let one = compare(&p, &lacks(table(8, 60), "q5"), &["--margin", "m=0.1"]).stdout;
    assert!(one.contains("1 case is left out, since some target lacks a score: q5"), "{one}");
    assert!(one.contains("a score is missing, or the baseline's, on some cases of c08"), "{one}");
}

#[test]
fn many_metrics_are_ranked_where_they_were_asked_for() {
    let p = Project::new();
    let one = table(2, 30);
    let (header, rows) = one.split_once('\n').unwrap();
    let more: String = (1..7).map(|k| rows.replace(",m,", &format!(",m{k},"))).collect();
    let text = format!("{header}\n{more}");
    let shown = |args: &[&str]| {
        let out = compare(&p, &text, args).stdout;
        let names = (1..7).filter(|k| out.contains(&format!("m{k}: 3 targets ranked"))).collect::<Vec<_>>();
        (names, out)
    };
    assert_eq!(shown(&[]).0, [1, 2, 3, 4]);
    let (names, out) = shown(&["--margin", "m5=0.1", "--margin", "m2=0.1"]);
    assert_eq!(names, [2, 5]);
    assert!(out.contains("not shown, but in --json, and with --margin: m1, m3, m4, m6"), "{out}");
    assert_eq!(shown(&["--select", "m6", "--margin", "m1=0.1"]).0, [1, 6]);
}

#[test]
fn the_chosen_candidate_is_confirmed_on_cases_of_its_own() {
    let p = Project::new();
    let args = ["--select", "m", "--margin", "m=0.1"];
    let out = json(&p, &table(10, 120), &args);
    let s = &out["selection"];
    assert_eq!(
        (&s["winner"], &s["of"], &s["seed"], &s["confirm-share"]),
        (&"c10".into(), &10.into(), &1.into(), &0.5.into())
    );
    assert_eq!((&s["select-clusters"], &s["confirm-clusters"]), (&60.into(), &60.into()));
    assert_eq!(s["confirm"].as_array().unwrap().len(), 1, "one comparison of one pair");
    let row = &s["confirm"][0];
    assert_eq!(
        (&row["candidate"], &row["clusters"], &row["no-worse"]["answer"]),
        (&"c10".into(), &60.into(), &"yes".into())
    );
    assert_eq!(row["p-better"], row["p-better-holm"], "nothing to adjust for");
    assert_eq!(row["change"], s["confirm-change"]);
    // Of the confirm part nobody else is shown, and a margin is answered there only.
    for row in out["comparisons"].as_array().unwrap() {
        assert_eq!((&row["clusters"], &row["no-worse"]), (&60.into(), &Value::Null));
    }
    assert_eq!((&out["rankings"][0]["clusters"], &out["rankings"][0]["best"]), (&60.into(), &Value::Null));
    let shown = compare(&p, &table(10, 120), &args).stdout;
    assert!(shown.starts_with("c10 was chosen by m from 10 candidates, on the select part of the cases\n"), "{shown}");
    for text in
        ["\n select   60 ", "\n confirm  60 ", "winner's curse", "c10 against base, confirm part", ", select part\n"]
    {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(shown.lines().all(|l| l.chars().count() <= 80), "{shown}");
    // Another seed splits otherwise; another share splits as it says.
    let turned = json(&p, &table(10, 120), &[&args[..], &["--seed", "2", "--confirm-share", "0.25"]].concat());
    let s = &turned["selection"];
    assert_eq!((&s["select-clusters"], &s["confirm-clusters"], &s["seed"]), (&90.into(), &30.into(), &2.into()));
}

#[test]
fn a_choice_that_cannot_be_made_is_refused() {
    let p = Project::new();
    for (text, args, what) in [
        (table(1, 40), &["--select", "m"][..], "one candidate"),
        (table(2, 40), &["--select", "m", "--candidate", "c01"], "one candidate"),
        (table(2, 19), &["--select", "m"], "at least 10 are needed in each part"),
        (table(2, 40), &["--select", "x.y"], "--select: there is no metric `x.y`; there is `m`"),
        (table(2, 40), &["--select", "m", "--confirm-share", "1"], "above 0 and below 1"),
        (table(2, 40), &["--select", "m", "--confirm-share", "NaN"], "above 0 and below 1"),
        (table(2, 40), &["--confirm-share", "0.5"], "--select"),
        (table(2, 40), &["--seed", "x"], "--seed"),
    ] {
        let out = compare(&p, &text, args);
        assert!(out.code == 2 && out.stderr.contains(what) && out.stdout.is_empty(), "{args:?}: {out:?}");
    }
}

#[test]
fn several_candidates_of_a_run_are_ranked_and_chosen_from() {
    let p = Project::new();
    let config = p.read("goldgate.toml");
    p.write(
        "goldgate.toml",
        format!("{config}\n[target.plain]\nkind = \"local\"\nmodel = \"model\"\nprompt = \"short\"\n"),
    );
    let ran = p.run(&["run", "suites/mini", "--candidate", "cand", "--candidate", "plain", "--run-dir", "r"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let out = p.run(&["compare", "r", "--select", "tokens", "--margin", "tokens=0.1", "--json"]);
    assert_eq!(out.code, 0, "{out:?}");
    let out: Value = serde_json::from_str(&out.stdout).unwrap();
    let names: Vec<_> = out["rankings"].as_array().unwrap().iter().map(|r| &r["metric"]["name"]).collect();
    assert!(names.contains(&&"tokens".into()) && names.contains(&&"accuracy".into()), "{names:?}");
    for ranking in out["rankings"].as_array().unwrap() {
        assert_eq!(ranking["targets"].as_array().unwrap().len(), 3, "{ranking}");
    }
    assert!(["cand", "plain"].contains(&out["selection"]["winner"].as_str().unwrap()));
    let shown = p.run(&["compare", "r"]).stdout;
    assert!(shown.contains("tokens: 3 targets ranked on"), "{shown}");
}
