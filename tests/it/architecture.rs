//! Which room may open whose door, and which rooms are pure: the table of the documentation, held to the source.

use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms that it may use, beside itself.
const DOORS: [(&str, &[&str]); 13] = [
    ("types", &[]),
    ("stats", &["types"]),
    ("engine", &["types"]),
    ("suite", &["types"]),
    ("target", &["types", "engine"]),
    ("score", &["types", "suite"]),
    ("store", &["types"]),
    ("run", &["types", "suite", "target", "store"]),
    // A table of scores is a file that a person wrote: its mistakes are told as the suite's are.
    ("compare", &["types", "suite", "score", "stats"]),
    ("gate", &["types", "suite", "score", "stats", "compare"]),
    ("calibrate", &["types", "suite", "score", "stats", "compare", "gate"]),
    ("report", &["types", "score", "compare", "gate"]),
    ("cli", &["types", "suite", "target", "score", "store", "run", "compare", "gate", "calibrate", "report"]),
];

/// Rooms without I/O, clock, threads of a runtime or terminal.
const PURE: [&str; 6] = ["stats", "score", "compare", "gate", "calibrate", "report"];
const IMPURE: [&str; 8] = ["tokio", "reqwest", "std::fs", "std::net", "SystemTime", "Instant", "indicatif", "clap"];

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // Comments may speak of anything.
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            found.push((path, code));
        }
    }
    found
}

fn room(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name)
}

#[test]
fn every_room_is_in_the_table() {
    let mut rooms: Vec<String> = fs::read_dir(room(""))
        .unwrap()
        .map(Result::unwrap)
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    rooms.sort();
    let mut known: Vec<_> = DOORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(rooms, known);
}

#[test]
fn rooms_open_only_the_doors_they_may() {
    let mut wrong = Vec::new();
    for (name, allowed) in DOORS {
        for (path, code) in sources(&room(name)) {
            for (at, _) in code.match_indices("crate::") {
                let rest = &code[at + "crate::".len()..];
                let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if DOORS.iter().any(|(room, _)| *room == used) && used != name && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{} uses `{used}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_stay_pure() {
    let mut wrong = Vec::new();
    for name in PURE {
        for (path, code) in sources(&room(name)) {
            let test = path.file_name().is_some_and(|f| f == "tests.rs" || f == "sample.rs");
            wrong.extend(
                IMPURE.iter().filter(|w| !test && code.contains(*w)).map(|w| format!("{} uses `{w}`", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn main_stays_thin_and_files_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(fs::read_to_string(root.join("main.rs")).unwrap().lines().count() <= 30);
    for (path, _) in sources(&root) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines: it is probably two rooms", path.display());
    }
}
