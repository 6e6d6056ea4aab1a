//! A wall clock that steps: C30.

use super::{case_rows, project, run_with};
use crate::limits::{assert_all_answered, cases, records};
use crate::mock::{Mock, Reply, answer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Stands between a process and its wall clock, which it moves by as many seconds as a file says. Nothing else is moved.
#[cfg(target_os = "linux")]
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
    const char *path = getenv("WALL_CLOCK_SHIFT");
    char text[32] = {0};
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec t;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t)) return -1;
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec t;
    if (clock_gettime(CLOCK_REALTIME, &t)) return -1;
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn c30_a_wall_clock_that_steps_by_an_hour_moves_no_time_and_no_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("shim.c"), SHIM).unwrap();
    // The linker of every Rust program is a C compiler.
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(path("shim.so")).arg(path("shim.c"));
    assert!(compiler.status().expect("a C compiler").success());
    let (shim, shift) = (path("shim.so").display().to_string(), path("shift"));
    let file = shift.display().to_string();
    let variables = [("LD_PRELOAD", shim.as_str()), ("WALL_CLOCK_SHIFT", file.as_str())];
    let set = |to: &Path, seconds: i64| fs::write(to, seconds.to_string()).unwrap();

    // The clock does step: what a run writes down as its start follows it.
    for hours in [-1, 1] {
        set(&shift, hours * 3600);
        let mock = Mock::start(|_| answer("x"));
        let p = project(&mock.url(), "");
        cases(&p, 1);
        assert_eq!(run_with(&p, &[], &variables).code, 0);
        let manifest: Value = serde_json::from_str(&p.read("r/run.json")).unwrap();
        let started: jiff::Timestamp = manifest["started"].as_str().unwrap().parse().unwrap();
        let off = started.duration_since(jiff::Timestamp::now()).as_secs() - hours * 3600;
        assert!((-1800..1800).contains(&off), "started {started}, shifted by {hours} h");
    }

    set(&shift, 0);
    let (n, moved) = (AtomicUsize::new(0), shift.clone());
    let mock = Mock::start(move |a| {
        match n.fetch_add(1, Ordering::SeqCst) {
            10 => set(&moved, -3600),
            20 => set(&moved, 3600),
            30 => set(&moved, -3600),
            _ => {}
        }
        // A busy server's date is its own, so that ours has no part in the wait.
        match a.question.as_str() {
            "lazy 7" if a.nth == 0 => Reply::Status(
                429,
                vec![
                    ("date", "Fri, 20 Nov 2026 23:59:20 GMT".into()),
                    ("retry-after", "Fri, 20 Nov 2026 23:59:21 GMT".into()),
                ],
                String::new(),
            ),
            _ => Reply::Answer { text: "x".to_owned(), think: Duration::from_millis(5) },
        }
    });
    let p = project(&mock.url(), "");
    cases(&p, 20);
    let out = run_with(&p, &["-j", "2"], &variables);
    assert_eq!(out.code, 0, "{out:?}");
    assert_all_answered(&p, 40);
    for (k, r) in records(&p).iter().enumerate() {
        assert_eq!(r["seq"], k, "the journal's order is that of its numbers");
        let timing = &r["result"]["response"]["timing"];
        let (first, total) = (timing["first-token-us"].as_u64().unwrap(), timing["total-us"].as_u64().unwrap());
        assert!((5_000..600_000_000).contains(&first) && first <= total && total < 600_000_000, "{r}");
        assert!(r["result"]["response"]["served"]["waited-us"].as_u64().unwrap() < 600_000_000, "{r}");
    }
    let times: Vec<f64> = case_rows(&p).iter().filter_map(|row| row["total_seconds"].parse().ok()).collect();
    assert!(
        times.len() >= 38 && times.iter().all(|s| (0.005..600.0).contains(s)),
        "all but the second attempt's: {times:?}"
    );
}

/// The rooms that ask and record read no wall clock but for what a server or a token says in dates.
#[test]
fn times_are_read_off_the_monotonic_clock() {
    fn files(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                files(&entry.path(), found);
            } else {
                found.push((entry.path().display().to_string(), fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    ["target", "run", "store"].into_iter().for_each(|room| files(&root.join(room), &mut all));
    assert!(all.len() > 20, "{}", all.len());
    let wall = |text: &str| ["SystemTime", "Timestamp::now", "Zoned::now"].iter().any(|clock| text.contains(clock));
    let short = |path: &str| path.rsplit("src/").next().unwrap().to_owned();
    let found: BTreeSet<String> = all.iter().filter(|(_, text)| wall(text)).map(|(path, _)| short(path)).collect();
    let dates = [
        // When a server says to come back, as a date.
        "target/remote/call.rs",
        "target/remote/identity/net.rs",
        // When a token ends, as a date; and the dates of an assertion.
        "target/remote/identity/token.rs",
        "target/remote/identity/certificate.rs",
        "target/remote/identity/tests.rs",
    ];
    assert_eq!(found, dates.map(str::to_owned).into());
}
