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
