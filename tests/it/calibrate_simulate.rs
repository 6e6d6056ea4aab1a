//! `goldgate calibrate --simulate`: what can be said without the minute that a study takes; `.ci/run` runs one.

use crate::project::Project;

#[test]
fn calibrate_without_a_subject_says_what_to_write() {
    let p = Project::new();
    let out = p.run(&["calibrate"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("`goldgate calibrate --simulate`"), "{out:?}");
}

#[test]
fn a_seed_that_is_no_number_is_a_usage_error() {
    let p = Project::new();
    let out = p.run(&["calibrate", "--simulate", "--seed", "x"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("--seed"), "{out:?}");
}
