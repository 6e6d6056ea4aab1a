//! Connections that are refused, say nothing, or say it very slowly: C09 to C12.

use super::{half, project, run, stream_head};
use crate::limits::{assert_all_answered, cases, records, served};
use crate::mock::{Act, Mock, Reply, answer};
use serde_json::Value;
use std::time::Duration;

#[test]
fn c11_a_hang_ends_with_the_deadline_of_the_first_byte_and_is_asked_again() {
    let mock = Mock::start(|a| if a.question == "lazy 3" && a.nth == 0 { Reply::Hang } else { answer("x") });
    let p = project(&mock.url(), "first-byte-seconds = 5");
    cases(&p, 8);
    let out = run(&p, &["-j", "4"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_all_answered(&p, 16);
    let [hung] = mock.hung()[..] else { panic!("{:?}", mock.hung()) };
    assert!((4.5..=5.5).contains(&hung.as_secs_f64()), "five seconds and a tenth of that at the most: {hung:?}");
    let again: Vec<Value> = records(&p).into_iter().filter(|r| served(r, "attempts") == 2).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(served(&again[0], "uncounted"), 1, "the server may have worked for it: {}", again[0]);

    // With no attempt left it is a failure that says which deadline it was.
    for (more, want) in [
        ("first-byte-seconds = 1\nattempts = 1", "no byte of a reply within 1 s; attempt 1 of 1"),
        ("timeout-seconds = 1\nattempts = 1", "no whole answer within 1 s; attempt 1 of 1"),
    ] {
        let mock = Mock::start(|a| if a.question == "lazy 3" { Reply::Hang } else { answer("x") });
        let p = project(&mock.url(), more);
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "4"]).code, 0);
        let failed: Vec<Value> = records(&p).into_iter().filter_map(|r| r["result"].get("failure").cloned()).collect();
        assert_eq!(failed.len(), 2);
        assert!(failed.iter().all(|f| f["kind"] == "timed-out" && f["message"] == want), "{failed:?}");
    }
}

#[test]
fn c12_a_trickle_ends_with_the_deadline_of_the_whole_and_a_silence_with_that_of_the_idle() {
    // A comment four times a second keeps the connection alive and says nothing.
    let trickle = |a: &crate::mock::Asked| {
        let drop = || [Act::Pause(Duration::from_millis(250)), Act::Send(b":".to_vec())];
        Reply::Acts([stream_head(), Act::Send(half(a))].into_iter().chain((0..80).flat_map(|_| drop())).collect())
    };
    let silence = |a: &crate::mock::Asked| {
        Reply::Acts(vec![stream_head(), Act::Send(half(a)), Act::Pause(Duration::from_secs(20))])
    };
    // One byte a second, slower than the idle deadline, is a silence too.
    let drops = |_: &crate::mock::Asked| {
        let drop = || [Act::Send(b"d".to_vec()), Act::Pause(Duration::from_secs(3))];
        Reply::Acts([stream_head()].into_iter().chain((0..5).flat_map(|_| drop())).collect())
    };
    type Script = fn(&crate::mock::Asked) -> Reply;
    for (what, script, want) in [
        ("a trickle", trickle as Script, "no whole answer within 3 s"),
        ("a silence", silence, "nothing came for 2 s in the middle of the reply"),
        ("a drop now and then", drops, "nothing came for 2 s in the middle of the reply"),
    ] {
        let mock = Mock::start(move |a| if a.question == "lazy 3" { script(a) } else { answer("x") });
        let p = project(&mock.url(), "timeout-seconds = 3\nidle-seconds = 2\nattempts = 1");
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "4"]).code, 0, "{what}");
        let failed: Vec<Value> = records(&p).into_iter().filter(|r| r["result"].get("failure").is_some()).collect();
        assert_eq!(failed.len(), 2, "{what}");
        for r in failed {
            let failure = &r["result"]["failure"];
            assert_eq!(failure["kind"], "timed-out", "{what}: {failure}");
            assert_eq!(failure["message"], format!("{want}; attempt 1 of 1"), "{what}");
            assert_eq!(served(&r, "uncounted"), 1, "{what}: the server may have billed it");
        }
    }

    // Silence that is shorter than what is written, or where nothing is written, is a model that thinks.
    for more in ["idle-seconds = 10", ""] {
        let slow = || Reply::Answer { text: "x".to_owned(), think: Duration::from_millis(1500) };
        let mock = Mock::start(move |a| if a.question == "lazy 3" { slow() } else { answer("x") });
        let p = project(&mock.url(), more);
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "4"]).code, 0);
        assert_all_answered(&p, 8);
    }

    for (more, want) in [
        ("first-byte-seconds = 0", "`first-byte-seconds` goes from 1 to the 120 s"),
        ("idle-seconds = 121", "`idle-seconds` goes from 1 to the 120 s"),
        ("timeout-seconds = 9\nidle-seconds = 10", "`idle-seconds` goes from 1 to the 9 s"),
    ] {
        let out = run(&project("http://127.0.0.1:1", more), &[]);
        assert_eq!(out.code, 2, "{more}");
        assert!(out.stderr.contains(want), "{}", out.stderr);
    }
}
