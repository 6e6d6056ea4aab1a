//! What transformers and PEFT compute for the same checkpoints is what this engine computes.

use super::super::{AdapterId, ChatMessage, Engine, EngineOptions, Finish, Prompt, Request, Session, SessionOptions};
use super::{FIXTURES, all_logits, fixture, load};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

#[derive(Deserialize)]
struct Expected {
    prompts: Vec<ExpectedPrompt>,
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct ExpectedPrompt {
    text: String,
    ids: Vec<u32>,
    middle: usize,
    base: Outcome,
    adapter: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    last_logits: Vec<f32>,
    middle_logits: Vec<f32>,
    greedy_ids: Vec<u32>,
    greedy_text: String,
    smallest_top2_gap: f32,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<ChatMessage>,
    add_generation_prompt: bool,
    text: String,
    ids: Vec<u32>,
}

const END: u32 = 5;

fn expected(name: &str) -> Expected {
    serde_json::from_slice(&std::fs::read(fixture(name).join("expected.json")).unwrap()).unwrap()
}

/// The largest difference, relative to the largest expected logit.
fn error(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |m, x| m.max(x.abs()));
    ours.iter().zip(theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest
}

#[test]
fn logits_are_those_of_transformers_for_base_and_adapter_in_one_ragged_batch() {
    for name in FIXTURES {
        let (engine, adapter) = load(name, 2, false);
        let expected = expected(name);
        let sequences: Vec<(&[u32], _)> = [None, Some(adapter)]
            .iter()
            .flat_map(|a| expected.prompts.iter().map(|p| (p.ids.as_slice(), *a)))
            .collect();
        let outcomes = expected.prompts.iter().map(|p| &p.base).chain(expected.prompts.iter().map(|p| &p.adapter));
        let middles = expected.prompts.iter().map(|p| p.middle).cycle();
        let logits = all_logits(&engine, &sequences, 17);
        let mut worst = 0f32;
        for ((logits, outcome), middle) in logits.iter().zip(outcomes).zip(middles) {
            worst = worst.max(error(logits.last().unwrap(), &outcome.last_logits));
            worst = worst.max(error(&logits[middle], &outcome.middle_logits));
        }
        println!("{name}: worst relative difference of a logit {worst:e}");
        assert!(worst <= 1e-4, "{name}: {worst:e}");
    }
}

#[test]
fn greedy_answers_are_those_of_transformers() {
    for name in FIXTURES {
        let (engine, adapter) = load(name, 2, false);
        let expected = expected(name);
        let mut session = Session::new(Arc::new(engine), SessionOptions { max_batch: 5, ..SessionOptions::default() });
        let mut outcomes = Vec::new();
        for (index, prompt) in expected.prompts.iter().enumerate() {
            for (adapter, outcome) in [(None, &prompt.base), (Some(adapter), &prompt.adapter)] {
                let tag = outcomes.len() as u64;
                let text =
                    if index % 2 == 0 { Prompt::Text(prompt.text.clone()) } else { Prompt::Ids(prompt.ids.clone()) };
                let submitted = Instant::now();
                let max_new_tokens = outcome.greedy_ids.len();
                session.submit(Request { prompt: text, adapter, max_new_tokens, submitted, tag }).unwrap();
                outcomes.push(outcome);
            }
        }
        let mut finished = session.run();
        finished.sort_by_key(|f| f.tag);
        assert_eq!(finished.len(), outcomes.len());
        for (finished, outcome) in finished.iter().zip(outcomes) {
            let answer = finished.outcome.as_ref().unwrap();
            // The reference runs on through an end token; an answer ends with it.
            let end = outcome.greedy_ids.iter().position(|id| *id == END);
            let ids = &outcome.greedy_ids[..end.map_or(outcome.greedy_ids.len(), |at| at + 1)];
            assert_eq!(answer.token_ids, ids, "{name} {}", finished.tag);
            assert_eq!(answer.completion_tokens, ids.len());
            assert_eq!(answer.finish, if end.is_some() { Finish::Stop } else { Finish::Length });
            if end.is_none() {
                // The reference writes special tokens out; an answer does not.
                if !outcome.greedy_text.contains("<|") {
                    assert_eq!(answer.text, outcome.greedy_text);
                }
                assert!((answer.smallest_gap - outcome.smallest_top2_gap).abs() < 1e-3);
            }
            let timing = answer.timing;
            assert!(timing.queued <= timing.first_token && timing.first_token <= timing.total);
            assert!((1..=5).contains(&timing.largest_batch) && timing.steps >= ids.len());
        }
    }
}

#[test]
fn texts_and_conversations_become_the_same_ids() {
    for name in FIXTURES {
        let engine = Engine::load(&fixture(name), &EngineOptions::default()).unwrap();
        let expected = expected(name);
        for prompt in &expected.prompts {
            assert_eq!(engine.tokenize(&prompt.text).unwrap(), prompt.ids);
        }
        for conversation in &expected.conversations {
            let template = engine.template().unwrap();
            let text = template.render_turns(&conversation.messages, conversation.add_generation_prompt).unwrap();
            assert_eq!(text, conversation.text);
            assert_eq!(engine.tokenize(&text).unwrap(), conversation.ids);
        }
    }
}

#[derive(Deserialize)]
struct Variant {
    prompts: Vec<Vec<u32>>,
    logits: BTreeMap<String, Vec<Vec<f32>>>,
}

#[test]
fn biases_scaling_odd_sizes_and_every_kind_of_adapter_are_those_of_transformers_and_peft() {
    let dir = tempfile::tempdir().unwrap();
    let sources = [("variant", "config.json"), ("variant", "generation_config.json"), ("variant", "model.safetensors")];
    for (from, file) in sources.into_iter().chain([("tied", "tokenizer.json")]) {
        std::fs::copy(fixture(from).join(file), dir.path().join(file)).unwrap();
    }
    let expected: Variant =
        serde_json::from_slice(&std::fs::read(fixture("variant").join("expected.json")).unwrap()).unwrap();
    let mut engine = Engine::load(dir.path(), &EngineOptions::default()).unwrap();
    assert_eq!(engine.model.config.end, [5, 2]);
    let mut sequences: Vec<(&[u32], Option<AdapterId>)> = Vec::new();
    let mut outcomes = Vec::new();
    for (name, logits) in &expected.logits {
        let adapter = (name != "base").then(|| engine.load_adapter(&fixture("variant").join(name)).unwrap());
        sequences.extend(expected.prompts.iter().map(|p| (p.as_slice(), adapter)));
        outcomes.extend(logits);
    }
    assert_eq!(outcomes.len(), 9);
    // Interleaved on purpose: rows of one adapter need not stand together.
    let order: Vec<usize> = (0..9).map(|i| i * 4 % 9).collect();
    let shuffled: Vec<_> = order.iter().map(|i| sequences[*i]).collect();
    let mut worst = 0f32;
    for (i, logits) in order.iter().zip(all_logits(&engine, &shuffled, 13)) {
        worst = worst.max(error(logits.last().unwrap(), outcomes[*i]));
    }
    println!("variant: worst relative difference of a logit {worst:e}");
    assert!(worst <= 1e-4, "{worst:e}");
}
