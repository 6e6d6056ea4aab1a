//! A row's bits depend on its own tokens, the weights and its adapter, and on nothing else.

use super::super::kernel::Pool;
use super::super::{AdapterId, RequestError};
use super::super::{Completion, Prompt, Request, Session, SessionOptions};
use super::{FIXTURES, all_logits, load};
use crate::types::SplitMix64;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

fn prompts(rng: &mut SplitMix64, count: usize, longest: usize) -> Vec<Vec<u32>> {
    (0..count).map(|_| (0..1 + rng.index(longest)).map(|_| rng.index(362) as u32).collect()).collect()
}

fn bits(rows: &[Vec<f32>]) -> Vec<Vec<u32>> {
    rows.iter().map(|row| row.iter().map(|x| x.to_bits()).collect()).collect()
}

#[test]
fn logits_do_not_depend_on_batch_order_neighbours_pieces_threads_or_instructions() {
    let mut rng = SplitMix64::new(1);
    for name in FIXTURES {
        let (engine, adapter) = load(name, 1, false);
        let prompts = prompts(&mut rng, 24, 70);
        let sequences: Vec<(&[u32], Option<AdapterId>)> =
            prompts.iter().enumerate().map(|(i, p)| (p.as_slice(), (i % 2 == 1).then_some(adapter))).collect();
        let alone: Vec<_> = sequences.iter().map(|s| bits(&all_logits(&engine, &[*s], 1000)[0])).collect();
        for (threads, portable) in [(1, false), (2, false), (3, false), (2, true)] {
            let (mut engine, _) = load(name, threads, portable);
            engine.pool = Pool::eager(threads);
            for round in 0..if portable { 1 } else { 6 } {
                let mut order: Vec<usize> = (0..sequences.len()).collect();
                rng.shuffle(&mut order);
                order.truncate([24, 1, 2, 7, 15, 17][round]);
                let batch: Vec<_> = order.iter().map(|i| sequences[*i]).collect();
                let piece = [64, 1, 5, 16, 65, 3][round];
                for (i, logits) in order.iter().zip(all_logits(&engine, &batch, piece)) {
                    assert!(bits(&logits) == alone[*i], "{name} {threads} {portable} {round} {i}");
                }
            }
        }
    }
}

fn request(prompt: &[u32], adapter: Option<AdapterId>, tag: usize) -> Request {
    let prompt = Prompt::Ids(prompt.to_vec());
    Request { prompt, adapter, max_new_tokens: 20, submitted: Instant::now(), tag: tag as u64 }
}

fn answers(session: &mut Session) -> BTreeMap<u64, Completion> {
    session.run().into_iter().map(|f| (f.tag, f.outcome.unwrap())).collect()
}

#[test]
fn answers_do_not_depend_on_how_a_session_schedules_them() {
    let mut rng = SplitMix64::new(2);
    for name in FIXTURES {
        let (mut engine, adapter) = load(name, 2, false);
        engine.pool = Pool::eager(2);
        let engine = Arc::new(engine);
        let prompts = prompts(&mut rng, 30, 90);
        let adapter_of = |i: usize| i.is_multiple_of(3).then_some(adapter);
        let mut alone = Vec::new();
        for (i, prompt) in prompts.iter().enumerate() {
            let mut session = Session::new(Arc::clone(&engine), SessionOptions::default());
            session.submit(request(prompt, adapter_of(i), i)).unwrap();
            alone.extend(answers(&mut session).into_values());
        }
        for (max_batch, prompt_tokens_per_step, kv_bytes) in
            [(64, 256, 1 << 30), (3, 7, 1 << 30), (1, 1, 1 << 30), (16, 64, 200_000)]
        {
            let options = SessionOptions { max_batch, prompt_tokens_per_step, kv_bytes };
            let mut session = Session::new(Arc::clone(&engine), options);
            let mut order: Vec<usize> = (0..prompts.len()).collect();
            rng.shuffle(&mut order);
            for i in order {
                session.submit(request(&prompts[i], adapter_of(i), i)).unwrap();
            }
            let answers = answers(&mut session);
            assert_eq!(answers.len(), prompts.len());
            for (i, answer) in answers {
                let alone = &alone[i as usize];
                assert_eq!(answer.token_ids, alone.token_ids);
                assert_eq!(answer.text, alone.text);
                assert_eq!(answer.smallest_gap.to_bits(), alone.smallest_gap.to_bits());
                assert!(answer.timing.largest_batch <= max_batch);
            }
        }
    }
}

#[test]
fn an_engine_can_be_shared_and_a_session_moved_between_threads() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<super::super::Engine>();
    moved::<Session>();
}

#[test]
fn a_request_that_cannot_be_answered_says_why_and_disturbs_nobody() {
    let (engine, adapter) = load("tied", 2, false);
    let context = engine.context();
    let mut session = Session::new(Arc::new(engine), SessionOptions { kv_bytes: 20_000, ..SessionOptions::default() });
    session.submit(request(&[1, 2, 3], Some(adapter), 0)).unwrap();
    let with_prompt = |prompt| Request { prompt, ..request(&[], None, 9) };
    let long = vec![1; context];
    for (bad, expected) in [
        (request(&[], None, 9), RequestError::EmptyPrompt),
        (with_prompt(Prompt::Text(String::new())), RequestError::EmptyPrompt),
        (Request { max_new_tokens: 0, ..request(&[1], None, 9) }, RequestError::NothingAsked),
        (request(&[1, 362], None, 9), RequestError::TokenOutOfRange { id: 362, vocabulary: 362 }),
        (request(&[1], Some(AdapterId(7)), 9), RequestError::UnknownAdapter),
        (request(&long, None, 9), RequestError::ContextExceeded { prompt: context, new: 20, context }),
        (
            Request { max_new_tokens: usize::MAX, ..request(&[1], None, 9) },
            RequestError::ContextExceeded { prompt: 1, new: usize::MAX, context },
        ),
        (request(&long[20..], None, 9), RequestError::MemoryExceeded { needed: 32_768, budget: 20_000 }),
    ] {
        assert_eq!(session.submit(bad), Err(expected));
    }
    assert_eq!(session.pending(), 1);
    assert_eq!(answers(&mut session).len(), 1);
    assert!(session.is_idle() && session.step().is_empty());
}
