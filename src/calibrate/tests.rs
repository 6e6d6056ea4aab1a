//! A study that could not notice a broken method would be decoration.

use super::arena::{Duel, Truth, answer, independent};
use super::naive::{self, Z95};
use super::row::{Bound, Check, Figure, Verdict};
use super::tables::{Frontier, Tables};
use super::*;
use crate::compare::Answer;
use crate::stats::{Discordance, noninferiority_power_exact};
use crate::types::MetricKind;
use serde_json::Value;

const SEED: u64 = 1;

fn in_threads(threads: usize) -> Study {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| simulate(Effort::TRIAL, SEED, &|_| {}))
}

#[test]
fn one_thread_and_four_find_the_same_and_the_page_has_all_rows() {
    let (one, four) = (in_threads(1), in_threads(4));
    assert_eq!(one, four);
    assert_eq!(one.rows.iter().map(|r| r.number).collect::<Vec<_>>(), (1..=17).collect::<Vec<_>>());
    let facts = Facts { command: "c".to_owned(), version: "v".to_owned(), seconds: 1.0, threads: 4 };
    let page = markdown(&one, &facts);
    let table = terminal(&one);
    for row in &one.rows {
        assert!(page.contains(&format!("### {}. {}", row.number, row.title)), "row {} is not on the page", row.number);
        assert!(table.contains(row.title), "row {} is not in the table", row.number);
        assert!(!row.checks.is_empty() && row.title.len() <= 34, "row {}", row.number);
    }
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn another_seed_is_another_simulation() {
    let row = |seed| early::false_pass(&Lab::new(Effort::TRIAL, seed));
    assert_ne!(row(1).checks, row(2).checks);
    assert_eq!(row(1).checks, row(1).checks);
}

#[test]
fn the_wald_interval_breaks_the_bounds_that_ours_keeps() {
    let lab = Lab::new(Effort::TRIAL, SEED);
    for row in [binary::false_pass(&lab), binary::coverage(&lab), edges::row(&lab)] {
        assert_eq!(row.verdict(), Verdict::Ok, "row {}: {:?}", row.number, row.worst());
        // The wrong method's figures through the row's own checker.
        let wald = row.naive.iter().filter(|n| n.method.contains("Wald")).map(|n| n.check.clone());
        let planted = Row { checks: wald.collect(), ..row };
        assert_eq!(planted.verdict(), Verdict::Broken, "row {} holds with the Wald interval", planted.number);
    }
}

#[test]
fn a_study_with_one_broken_figure_is_broken() {
    let lab = Lab::new(Effort::TRIAL, SEED);
    let mut row = edges::row(&lab);
    let study = |row: &Row| Study { effort: "trial", seed: SEED, rows: vec![row.clone()] };
    assert_eq!(study(&row).verdict(), Verdict::Ok);
    row.checks.push(Check::new("planted", Bound::AtMost(0.05), Figure::exact(0.06)));
    assert_eq!(study(&row).verdict(), Verdict::Broken);
    assert_eq!(row.worst().unwrap().design, "planted");
    assert!(terminal(&study(&row)).contains("broken: planted 6.00 %"));
}

/// A value against its schema: the keys are exactly the documented ones.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        return check(root, &root["$defs"][name], value, at);
    }
    if let Value::Array(items) = value {
        return items.iter().enumerate().for_each(|(i, v)| check(root, &schema["items"], v, &format!("{at}[{i}]")));
    }
    if let (Value::Object(object), Some(documented)) = (value, schema["properties"].as_object()) {
        let keys: Vec<&String> = object.keys().collect();
        let mut required: Vec<&str> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        required.sort_unstable();
        assert_eq!(sorted, required, "{at}");
        assert_eq!(schema["additionalProperties"], false, "{at}");
        object.iter().for_each(|(k, v)| check(root, &documented[k], v, &format!("{at}.{k}")));
    }
    assert!(!schema.is_null(), "{at} is not documented");
}

#[test]
fn the_json_has_exactly_the_documented_keys() {
    let lab = Lab::new(Effort::TRIAL, SEED);
    let rows = vec![binary::equal_models(&lab), conjunction::power(&lab), edges::row(&lab)];
    let json: Value = serde_json::from_str(&json(&Study { effort: "trial", seed: SEED, rows })).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../schemas/calibration.schema.json")).unwrap();
    assert_eq!(json["format"], schema["properties"]["format"]["const"]);
    assert_eq!((&json["verdict"], &json["rows"][2]["number"]), (&Value::from("ok"), &Value::from(15)));
    check(&schema, &schema, &json, "$");
}

#[test]
fn three_standard_errors_are_forgiven_and_no_more() {
    // 80 of 1,000: the standard error is 0.0086.
    let rate = |hits: usize| Figure::rate((0..1_000).map(|i| i < hits));
    assert!(rate(80).keeps_to(Bound::AtMost(0.055)));
    assert!(!rate(82).keeps_to(Bound::AtMost(0.055)));
    assert!(rate(80).keeps_to(Bound::AtLeast(0.105)) && !rate(80).keeps_to(Bound::AtLeast(0.107)));
    assert!(
        !Figure::exact(f64::NAN).keeps_to(Bound::AtMost(1.0)) && !Figure::exact(f64::NAN).keeps_to(Bound::Reported)
    );
}

#[test]
fn the_listed_outcomes_weigh_one_and_agree_with_the_power_formula() {
    for (n, psi, difference) in [(60, 0.05, -0.05), (100, 0.1, 0.0), (300, 0.3, -0.05)] {
        let truth = Truth::new(psi, difference);
        let tables = Tables::new(n);
        assert!((tables.probability(truth, |_, _| true) - 1.0).abs() < 1e-9);
        let ours = binary::no_worse_frontier(n);
        let found = tables.probability(truth, |g, l| ours.stands(g, l));
        let discordance = Discordance::from_difference(psi, difference).unwrap();
        let formula = noninferiority_power_exact(n as u64, discordance, MARGIN, ALPHA).unwrap();
        assert!((found - formula).abs() < 1e-9, "n {n} psi {psi}: {found} {formula}");
    }
}

#[test]
fn the_frontier_is_the_real_code_on_every_table() {
    let n = 60;
    let mut duel = Duel::new(MetricKind::Binary, &independent(n), 1);
    let mut claims = Vec::new();
    for gained in 0..=n {
        for lost in 0..=n - gained {
            duel.fill(n, gained, lost);
            let c = duel.compare(ALPHA);
            let coverage = duel.compare(0.5 * ALPHA).unwrap().interval;
            claims.push((
                (gained, lost),
                [
                    answer(c.as_ref(), MARGIN, ALPHA) == Answer::Yes,
                    answer(c.as_ref(), MARGIN, ALPHA) != Answer::No,
                    c.unwrap().p_better.unwrap() <= 0.5 * ALPHA,
                    coverage.lower() > -MARGIN,
                    coverage.upper() >= -MARGIN,
                ],
            ));
        }
    }
    for which in 0..5 {
        let holds = |g: usize, l: usize| claims.iter().find(|(at, _)| *at == (g, l)).unwrap().1[which];
        let frontier = Frontier::walk(n, holds);
        // Within the walk's reach, which is 47 of 60.
        for ((gained, lost), claim) in claims.iter().filter(|((g, l), _)| *g <= 46 && *l <= 46) {
            assert_eq!(frontier.stands(*gained, *lost), claim[which], "claim {which}: {gained} gained, {lost} lost");
        }
    }
}

#[test]
fn a_wald_frontier_is_not_what_it_seems() {
    // Why the walk is used for the real code only: with nothing lost, one gain makes the Wald interval wider than none does.
    let claim = |gained, lost| naive::wald(gained, lost, 100, Z95).0 > -0.003;
    assert!(claim(0, 0) && !claim(1, 0));
}
