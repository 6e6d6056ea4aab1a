//! Every statistic against the reference vectors of `tests/fixtures/stats`, or of the folder that `GOLDGATE_REFERENCE` names.
//!
//! The vectors come from independent implementations (Boost, mpmath, R, statsmodels, confseq, ppi-python); schema and
//! tolerances: `|got - want| <= abs_tol + rel_tol * |want|` for each number. A family or method that is not known here
//! fails the test, so that no vector is ever skipped in silence.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "reference_vectors/checks.rs"]
mod checks;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

/// One vector.
struct Case<'a> {
    id: &'a str,
    input: &'a Value,
    output: &'a Value,
    rel_tol: f64,
    abs_tol: f64,
    /// The outputs that were compared.
    seen: RefCell<BTreeSet<String>>,
}

/// A number of the schema, which writes the three that JSON lacks as strings.
fn number(v: &Value) -> f64 {
    match v {
        Value::Number(n) => n.as_f64().unwrap(),
        Value::String(s) => match s.as_str() {
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            "nan" => f64::NAN,
            other => panic!("`{other}` is no number"),
        },
        other => panic!("{other} is no number"),
    }
}

impl Case<'_> {
    fn num(&self, key: &str) -> f64 {
        number(&self.input[key])
    }

    fn count(&self, key: &str) -> u64 {
        self.input[key].as_u64().unwrap()
    }

    fn nums(&self, key: &str) -> Vec<f64> {
        self.input[key].as_array().unwrap().iter().map(number).collect()
    }

    fn counts(&self, key: &str) -> Vec<u64> {
        self.input[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.input[key].as_str().unwrap()
    }

    fn flag(&self, key: &str) -> bool {
        self.input[key].as_bool().unwrap()
    }

    /// Fails unless `got` is within the tolerance of the output named `key`.
    fn check(&self, key: &str, got: f64) {
        self.see(key);
        self.check_value(key, &self.output[key], got);
    }

    /// Notes that the output named `key` was compared.
    fn see(&self, key: &str) {
        self.seen.borrow_mut().insert(key.to_owned());
    }

    fn check_all(&self, key: &str, got: &[f64]) {
        self.see(key);
        let want = self.output[key].as_array().unwrap();
        assert_eq!(want.len(), got.len(), "{} {key}: length", self.id);
        for (i, (want, &got)) in want.iter().zip(got).enumerate() {
            self.check_value(&format!("{key}[{i}]"), want, got);
        }
    }

    fn check_value(&self, key: &str, want: &Value, got: f64) {
        let want = number(want);
        let close = got == want || (got - want).abs() <= self.abs_tol + self.rel_tol * want.abs();
        assert!(close, "{} {key}: got {got:e}, want {want:e}, off by {:e}", self.id, got - want);
    }
}

#[test]
fn every_vector_is_met() {
    let folder = std::env::var_os("GOLDGATE_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stats"), PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    let mut checked: BTreeMap<(String, String), usize> = BTreeMap::new();
    for path in &files {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(file["schema"], "goldgate-stats-ref/1", "{}", path.display());
        let family = file["family"].as_str().unwrap();
        for case in file["cases"].as_array().unwrap() {
            let method = case["method"].as_str().unwrap();
            let case = Case {
                id: case["id"].as_str().unwrap(),
                input: &case["input"],
                output: &case["output"],
                rel_tol: number(&case["rel_tol"]),
                abs_tol: number(&case["abs_tol"]),
                seen: RefCell::default(),
            };
            checks::check(family, method, &case);
            let outputs: BTreeSet<String> = case.output.as_object().unwrap().keys().cloned().collect();
            assert_eq!(outputs, case.seen.take(), "{}: outputs and what was compared", case.id);
            *checked.entry((family.to_owned(), method.to_owned())).or_default() += 1;
        }
    }
    let total: usize = checked.values().sum();
    for ((family, method), n) in &checked {
        println!("{n:5}  {family}/{method}");
    }
    println!("{total:5}  vectors");
}
