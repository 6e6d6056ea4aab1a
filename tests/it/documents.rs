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
