//! Local checkpoints as targets, on a tiny real one.

use super::*;
use crate::types::{FailureKind, Role};
use std::path::{Path, PathBuf};

fn tied() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/engine/tied")
}

fn spec(adapter: bool) -> LocalSpec {
    LocalSpec { model: tied(), adapter: adapter.then(|| tied().join("adapter")) }
}

fn question(text: &str, max_new_tokens: u32) -> Question {
    Question {
        turns: vec![Turn { role: Role::User, text: text.to_owned() }],
        max_new_tokens,
        wants: Wants::default(),
        trial: None,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_digest_says_who_answers() {
    let targets = LocalModels::load(&[spec(false), spec(true), spec(false), spec(true)]).unwrap();
    let digests: Vec<Digest> = targets.iter().map(|t| t.digest()).collect();
    assert_eq!(digests.len(), 4, "one target per spec");
    assert_ne!(digests[0], digests[1], "an adapter makes another model of its base");
    assert_eq!(digests[..2], digests[2..], "the same spec twice is the same model, in the specs' order");
    let again = LocalModels::load(&[spec(true), spec(false)]).unwrap();
    assert_eq!([again[1].digest(), again[0].digest()], digests[..2], "and so it is in another process's order");
}

#[test]
fn an_answer_has_its_tokens_and_times() {
    let targets = LocalModels::load(&[spec(false), spec(true)]).unwrap();
    // All in flight at once: base and adapter share one batch.
    let pending: Vec<Answer> = targets.iter().map(|t| t.ask(question("hello there", 6))).collect();
    for answer in pending {
        let r = block_on(answer).unwrap();
        let usage = r.usage.unwrap();
        assert!(usage.prompt > 0 && (1..=6).contains(&usage.completion), "{r:?}");
        assert!(r.timing.queued_us <= r.timing.first_token_us, "{r:?}");
        assert!(r.timing.first_token_us <= r.timing.total_us && r.timing.total_us > 0, "{r:?}");
    }
}

#[test]
fn the_same_question_has_the_same_answer_alone_and_in_company() {
    let targets = LocalModels::load(&[spec(false), spec(true)]).unwrap();
    let alone = block_on(targets[0].ask(question("hello there", 8))).unwrap();
    let pending: Vec<Answer> =
        [0, 1, 0].into_iter().map(|i: usize| targets[i].ask(question("hello there", 8))).collect();
    let together: Vec<_> = pending.into_iter().map(|a| block_on(a).unwrap()).collect();
    assert_eq!((&together[0].text, together[0].usage), (&alone.text, alone.usage));
    assert_eq!((&together[2].text, together[2].usage), (&alone.text, alone.usage));
}

#[test]
fn a_question_that_is_too_long_is_refused_and_the_next_is_answered() {
    let targets = LocalModels::load(&[spec(false)]).unwrap();
    let long = targets[0].ask(question(&"hello there ".repeat(400), 4));
    let next = targets[0].ask(question("hello", 4));
    let failure = block_on(long).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.raw().contains("128"), "it names the model's limit: {}", failure.message.raw());
    assert!(block_on(next).unwrap().usage.unwrap().completion > 0);
}

#[test]
fn an_answer_nobody_waits_for_stops_nothing() {
    let targets = LocalModels::load(&[spec(false)]).unwrap();
    drop(targets[0].ask(question("hello", 4)));
    let kept = targets[0].ask(question("hello", 4));
    drop(targets);
    assert!(block_on(kept).unwrap().usage.unwrap().completion > 0, "a question outlives its target");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let refused = |spec: LocalSpec| LocalModels::load(&[spec]).map(|_| ()).expect_err("must be refused").to_string();
    let nowhere = tied().join("nowhere");
    for spec in [
        LocalSpec { model: nowhere.clone(), adapter: None },
        LocalSpec { model: tied(), adapter: Some(nowhere.clone()) },
    ] {
        let message = refused(spec.clone());
        assert!(message.starts_with("cannot load the checkpoint: "), "{message}");
        assert!(message.contains(&*nowhere.to_string_lossy()), "{spec:?}: {message}");
    }
}
