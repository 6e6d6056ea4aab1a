//! Servers that have too much to do: C01 to C07.

use super::{project, run};
use crate::limits::{assert_all_answered, cases, records, served};
use crate::mock::{Mock, Reply, answer, status};
use crate::project::CASES;
use crate::quota::Quota;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

#[test]
fn c01_a_wait_of_seven_seconds_holds_for_everybody_who_asks_the_deployment() {
    let refused: Arc<Mutex<Option<Instant>>> = Arc::default();
    let later: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let (n, at, after) = (AtomicUsize::new(0), Arc::clone(&refused), Arc::clone(&later));
    // Four questions are under way when one of them is turned away; the others end a moment later, and their askers want to go on.
    let together = Barrier::new(4);
    let mock = Mock::start(move |_| match n.fetch_add(1, Ordering::SeqCst) {
        0..8 => answer("x"),
        8..12 => {
            if together.wait().is_leader() {
                *at.lock().unwrap() = Some(Instant::now());
                return Reply::Status(429, vec![("retry-after", "7".into())], String::new());
            }
            std::thread::sleep(Duration::from_millis(200));
            answer("x")
        }
        _ => {
            after.lock().unwrap().push(Instant::now());
            answer("x")
        }
    });
    let p = project(&mock.url(), "");
    assert_eq!(run(&p, &["-j", "4"]).code, 0);
    assert_all_answered(&p, 2 * CASES);
    let refused = refused.lock().unwrap().unwrap();
    let first = *later.lock().unwrap().iter().min().unwrap();
    assert_eq!(later.lock().unwrap().len(), 2 * CASES + 1 - 12);
    assert!(first - refused >= Duration::from_secs(7), "{:?} after the refusal", first - refused);
}

#[test]
fn c02_the_longest_of_several_waits_holds_and_one_that_nobody_can_read_is_a_back_off_of_our_own() {
    // The server's date is relative to its own clock, which is far from ours.
    let date = "Fri, 20 Nov 2026 23:59:20 GMT";
    type Hint = (&'static str, Vec<(&'static str, String)>, u64);
    let hints: [Hint; 6] = [
        ("date", vec![("date", date.into()), ("retry-after", "Fri, 20 Nov 2026 23:59:21 GMT".into())], 1000),
        ("ms", vec![("retry-after-ms", "700".into())], 700),
        ("longer ms", vec![("retry-after", "1".into()), ("retry-after-ms", "1300".into())], 1300),
        ("shorter ms", vec![("retry-after-ms", "200".into()), ("retry-after", "1".into())], 1000),
        ("a word", vec![("retry-after", "soon".into())], 0),
        ("less than nothing", vec![("retry-after", "-5".into()), ("retry-after-ms", "NaN".into())], 0),
    ];
    for (what, headers, least) in hints {
        let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let seen = Arc::clone(&arrivals);
        let mock = Mock::start(move |_| {
            let mut seen = seen.lock().unwrap();
            seen.push(Instant::now());
            if seen.len() == 3 { Reply::Status(429, headers.clone(), String::new()) } else { answer("x") }
        });
        let p = project(&mock.url(), "");
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "1"]).code, 0, "{what}");
        assert_all_answered(&p, 8);
        let arrivals = arrivals.lock().unwrap();
        let waited = arrivals[3] - arrivals[2];
        assert!(waited >= Duration::from_millis(least), "{what}: {waited:?}");
        let again: Vec<_> = records(&p).into_iter().filter(|r| served(r, "attempts") == 2).collect();
        assert_eq!(again.len(), 1, "{what}");
        assert!(served(&again[0], "waited-us") >= (1000 * least).max(1), "{what}: never nothing: {again:?}");
    }
}

#[test]
fn c03_a_storm_of_refusals_slows_everybody_down_and_nine_tenths_of_the_rate_are_back_within_thirty_seconds() {
    const AT_ONCE: usize = 16;
    const STORM: std::ops::Range<usize> = 60..130;
    #[derive(Default)]
    struct Seen {
        n: usize,
        under_way: usize,
        before: usize,
        late_in_the_storm: usize,
        over: Option<Instant>,
        back: Option<Instant>,
    }
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let state = Arc::clone(&seen);
    let mock = Mock::start(move |_| {
        let n = {
            let mut s = state.lock().unwrap();
            (s.n, s.under_way) = (s.n + 1, s.under_way + 1);
            let (n, together) = (s.n - 1, s.under_way);
            if n < STORM.start {
                s.before = s.before.max(together);
            } else if STORM.contains(&n) {
                // Once those who were under way when it began have been turned away.
                if n >= STORM.start + 50 {
                    s.late_in_the_storm = s.late_in_the_storm.max(together);
                }
                s.over = Some(Instant::now());
            } else if 10 * together >= 9 * AT_ONCE {
                s.back.get_or_insert_with(Instant::now);
            }
            n
        };
        let storm = STORM.contains(&n);
        std::thread::sleep(Duration::from_millis(if storm { 20 } else { 500 }));
        state.lock().unwrap().under_way -= 1;
        if storm { Reply::Status(429, vec![("retry-after-ms", "20".into())], String::new()) } else { answer("x") }
    });
    let p = project(&mock.url(), "attempts = 20\nlongest-wait-seconds = 1\n");
    cases(&p, 220);
    let out = run(&p, &["-j", "16"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_all_answered(&p, 440);
    let s = seen.lock().unwrap();
    assert_eq!(s.before, AT_ONCE, "the rate before the storm");
    assert!((1..=2).contains(&s.late_in_the_storm), "{} at once in the storm", s.late_in_the_storm);
    // With as many under way as before, and answers as quick as before, the rate is what it was.
    let back = s.back.expect("the rate came back") - s.over.unwrap();
    assert!(back <= Duration::from_secs(30), "{back:?}");
}

#[test]
fn c05_no_sliding_window_of_the_server_ever_holds_more_than_six_hundred_requests_or_a_hundred_thousand_tokens_a_minute()
{
    let quota = Arc::new(Quota::new(600.0, 100_000.0));
    let counted = Arc::clone(&quota);
    let mock = Mock::start(move |a| counted.ask(a));
    let p = project(&mock.url(), "limits = { requests-per-minute = 600, tokens-per-minute = 100000 }");
    // As long as to use both limits up: 24 tokens of answer and 128 or so of prompt. Longer than a window of ten seconds.
    cases(&p, 65);
    p.edit("suites/mini/cases.jsonl", "\"q\":\"", &format!("\"q\":\"{}", "ab ".repeat(126)));
    let out = run(&p, &["-j", "16"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(quota.violations(), 0, "{:?}", quota.arrivals());
    assert_all_answered(&p, 130);
    assert!(quota.used() >= 0.9, "{}", quota.used());
    assert!(*quota.arrivals().last().unwrap() > 11.0, "a window of ten seconds was full");
}

#[test]
fn c07_a_burst_of_server_errors_is_retried_with_jitter_counted_and_recorded_once() {
    let n = AtomicUsize::new(0);
    let mock = Mock::start(move |_| match n.fetch_add(1, Ordering::SeqCst) {
        k @ 10..25 => status([500, 502, 503][k % 3], "<html>bad gateway</html>"),
        _ => answer("x"),
    });
    let p =
        project(&mock.url(), "breaker-failures = 1000\nretry-percent = 100\nlongest-wait-seconds = 1\nattempts = 20\n");
    let out = run(&p, &["-j", "4"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_all_answered(&p, 2 * CASES);
    let attempts: u64 = records(&p).iter().map(|r| served(r, "attempts")).sum();
    assert_eq!(attempts as usize, mock.asked().len(), "every attempt is counted");
    assert_eq!(attempts as usize, 2 * CASES + 15);
    let again: Vec<_> = records(&p).into_iter().filter(|r| served(r, "attempts") > 1).collect();
    let waits: BTreeSet<u64> = again.iter().map(|r| served(r, "waited-us")).collect();
    assert!(again.len() >= 4 && waits.len() == again.len() && !waits.contains(&0), "no two wait alike: {waits:?}");
    assert!(again.iter().all(|r| served(r, "uncounted") == served(r, "attempts") - 1), "{again:?}");
}
