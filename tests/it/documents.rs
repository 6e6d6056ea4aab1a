//! What the documents promise, held to the program.

use goldgate::types::ExitCode;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_readme_lists_every_exit_code() {
    let readme = read("README.md");
    for (code, meaning) in ExitCode::TABLE {
        let row = format!("| {} | {meaning} |", code.number());
        assert!(readme.contains(&row), "README.md lacks the row\n{row}");
    }
}

#[test]
fn exit_codes_are_distinct_and_only_promotion_is_zero() {
    let mut numbers: Vec<u8> = ExitCode::TABLE.iter().map(|(c, _)| c.number()).collect();
    assert_eq!(numbers[0], 0);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), ExitCode::TABLE.len());
}

#[test]
fn the_shipped_evidence_is_of_the_shipped_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = goldgate::suite::Suite::load(&root.join("suites/service-desk")).unwrap();
    let digest = suite.digest().to_string();
    for file in ["golden/service-desk/golden.json", "reports/sample/run.json", "reports/sample/verdict.json"] {
        assert!(read(file).contains(&digest), "{file} is of another suite: make it again with the README's command");
    }
    let policy = goldgate::types::Digest::of(read("suites/service-desk/policy.toml").as_bytes()).to_string();
    assert!(read("reports/sample/run.json").contains(&policy), "the sample was judged by another policy");
}

#[test]
fn the_calibration_page_is_a_full_study_that_holds() {
    let page = read("docs/calibration.md");
    assert!(page.contains(&format!("(goldgate {}), full form, seed 1", env!("CARGO_PKG_VERSION"))));
    assert!(page.contains("All 17 rows hold."), "a promise is broken: do not ship it");
    let headings: Vec<&str> = page.lines().filter_map(|l| l.strip_prefix("### ")).collect();
    let numbers: Vec<String> = headings.iter().map(|h| h.split('.').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(numbers, (1..=17).map(|n: u8| n.to_string()).collect::<Vec<_>>());
    // The methods that other tools use are on the page to be seen failing.
    for method in [
        "Wald interval of the pairs",
        "unpaired z test at the margin",
        "not significantly worse (paired)",
        "peeking at the ordinary interval",
        "every answer counts as a case",
        "best of ten, tested as if alone",
        "paired t test",
        "delta-method interval",
    ] {
        let fails = page.lines().any(|l| l.contains(&format!("| {method} |")) && l.ends_with("| broken |"));
        assert!(fails, "{method} is not seen failing");
    }
}
