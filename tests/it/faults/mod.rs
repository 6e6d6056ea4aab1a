//! What networks and servers may do to a run, and what then has to hold: one test for each row of the catalogue of faults, each over real
//! sockets, with a key in the environment that must show nowhere afterwards: in no file of the project, on no terminal, at no other host.
//!
//! | row | fault | what holds |
//! | --- | --- | --- |
//! | C01 | 429 with `Retry-After: 7` | nothing goes to the deployment for 7 s; all is answered in the end |
//! | C02 | 429 with a date, `retry-after-ms`, both, or nonsense | the longest holds; nonsense is a back-off of our own, never 0 |
//! | C03 | a storm of 429 | two questions at a time at the most, and nine tenths of the rate again within 30 s of its end |
//! | C05 | 600 requests and 100 000 tokens a minute, counted over sliding windows | no window ever holds more |
//! | C07 | bursts of 500, 502, 503 | asked again after a jittered wait, counted as such, recorded once |
//! | C09 | a region that refuses connections or only fails, and another in order | the other answers; every record names who did; times of two regions never meet |
//! | C11 | a connection that says nothing | the deadline of the first byte, within a tenth; asked again |
//! | C12 | a byte now and then | the deadline of the whole; where nothing comes for long, that of the idle |
//! | C13 | a stream that is cut (FIN, RST) | asked again; half an answer is none; both attempts cost |
//! | C16 | a letter cut in two; bytes that are no UTF-8 | joined; a failure that names byte and value |
//! | C17 | 200 with a web page | one error that quotes its start, and the end of the run |
//! | C18 | 200 with an error in it, or without an answer | a failure, never an empty answer |
//! | C19 | 100 MB of reply; 10 MB that unpack to 10 GB | cut at 8 MiB, or refused at the head; memory stays as it is |
//! | C21 | a redirect to another host | not followed; no key gets there |
//! | C22 | TLS: expired, of another name, self-signed, 1.0 | refused, naming the reason; nothing can be set to allow it |
//! | C25 | a token that ends during the run; a key that is wrong | one refresh for all; at most two questions |
//! | C27 | 404, the deployment is gone | the run ends at once, with the likely cause |
//! | C28 | the content filter refuses a prompt, or cuts an answer | outcome `filtered`: the failure `filtered`, or the answer's end `filtered` |
//! | C30 | the wall clock steps by an hour | times and order are those of the monotonic clock |

mod clock;
mod load;
mod network;
mod replies;
mod trust;

use crate::mock::{Act, Asked, Mock, frames};
use crate::project::{Outcome, Project, assert_hidden_everywhere};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The rows of the catalogue that are tested here.
const ROWS: [&str; 19] = [
    "c01", "c02", "c03", "c05", "c07", "c09", "c11", "c12", "c13", "c16", "c17", "c18", "c19", "c21", "c22", "c25",
    "c27", "c28", "c30",
];

/// The key that must show nowhere.
const KEY: &str = "sk-canary-9Xw2LrT6qBz4HnKe7MvPc1Ud";

/// A project whose baseline and candidate are one deployment, asked with two prompts and a key; `more` goes to both.
fn project(url: &str, more: &str) -> Project {
    let p = Project::new();
    let target = |name: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"openai\"\nbase-url = \"{url}/v1\"\nmodel = \"m\"\napi-key-env = \"MOCK_KEY\"\n\
             prompt = \"{prompt}\"\n{more}\n"
        )
    };
    p.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
    p
}

/// Runs the suite into `r`.
fn run(p: &Project, more: &[&str]) -> Outcome {
    run_with(p, more, &[])
}

/// Runs the suite into `r` with more variables. Whatever came of it, the key shows nowhere, nor in the reports of what there is.
fn run_with(p: &Project, more: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let variables = [&[("MOCK_KEY", KEY), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")], variables].concat();
    let args = [&["run", "suites/mini", "--run-dir", "r"], more].concat();
    let out = Outcome::of(p.command(&args, &variables).output().unwrap());
    assert_hidden_everywhere(p, &out, [KEY]);
    if p.path("r/journal.jsonl").exists() {
        let judged = p.run(&["gate", "r"]);
        assert_hidden_everywhere(p, &judged, [KEY]);
    }
    out
}

/// The rows of the table of cases, by column.
fn case_rows(p: &Project) -> Vec<BTreeMap<String, String>> {
    let text = p.read("r/cases.csv");
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize().map(Result::unwrap).collect::<Vec<_>>();
    assert!(!rows.is_empty());
    rows
}

/// Another host has got no request, and so no key.
fn assert_unseen(other: &Mock) {
    assert!(other.asked().is_empty(), "{:?}", other.asked());
}

/// The head of a stream whose end is the connection's.
fn stream_head() -> Act {
    Act::Head(200, vec![("content-type", "text/event-stream".to_owned()), ("connection", "close".to_owned())])
}

/// The first frames of an answer: the filter's, the role's and one of its words.
fn half(request: &Asked) -> Vec<u8> {
    frames("half an answer", "stop", request)[..3].concat().into_bytes()
}

/// Every source of these tests.
fn sources() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults");
    let all = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_row_of_the_catalogue_has_a_test_of_its_own_and_a_line_in_the_table() {
    let sources = sources();
    let lines: Vec<&str> = sources.lines().collect();
    for row in ROWS {
        let start = format!("fn {row}_");
        let found = lines.windows(2).filter(|w| w[0] == "#[test]" && w[1].starts_with(&start)).count();
        assert_eq!(found, 1, "tests of {row}");
        let line = format!("//! | {} |", row.to_uppercase());
        assert_eq!(lines.iter().filter(|l| l.starts_with(&line)).count(), 1, "lines of {row} in the table");
    }
    let tested = lines.windows(2).filter(|w| w[0] == "#[test]" && w[1].starts_with("fn c")).count();
    assert_eq!(tested, ROWS.len(), "a test of a row that no table knows");
}
