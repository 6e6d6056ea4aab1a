//! Tests of the whole engine: against transformers, for equal bits, and with hostile files.

mod bits;
mod hostile;
mod reference;

use super::cache::KvCache;
use super::load::{AdapterId, Engine, EngineOptions};
use super::model::{Scratch, Work};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Folders under `tests/fixtures/engine`, written by `tests/reference/make_engine_fixtures.py`.
const FIXTURES: [&str; 2] = ["tied", "llama3"];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/engine").join(name)
}

fn load(name: &str, threads: usize, portable: bool) -> (Engine, AdapterId) {
    let options = EngineOptions { threads: NonZeroUsize::new(threads), portable, ..EngineOptions::default() };
    let mut engine = Engine::load(&fixture(name), &options).unwrap();
    let adapter = engine.load_adapter(&fixture(name).join("adapter")).unwrap();
    (engine, adapter)
}

/// The logits of every position of every sequence; the sequences stand in one batch and are computed in pieces of at most
/// `piece` tokens, all at the same pace.
fn all_logits(engine: &Engine, sequences: &[(&[u32], Option<AdapterId>)], piece: usize) -> Vec<Vec<Vec<f32>>> {
    let mut cache = KvCache::new(engine.model.attention_shape(), engine.model.config.layers, 1 << 26);
    let tables: Vec<_> = sequences.iter().map(|(ids, _)| cache.reserve(ids.len()).unwrap()).collect();
    let mut scratch = Scratch::default();
    let mut result = vec![Vec::new(); sequences.len()];
    let longest = sequences.iter().map(|(ids, _)| ids.len()).max().unwrap();
    for start in (0..longest).step_by(piece) {
        let live: Vec<usize> = (0..sequences.len()).filter(|i| sequences[*i].0.len() > start).collect();
        let works: Vec<Work<'_>> = live
            .iter()
            .map(|i| Work {
                tokens: &sequences[*i].0[start..sequences[*i].0.len().min(start + piece)],
                start,
                table: &tables[*i],
                adapter: sequences[*i].1.and_then(|id| engine.adapter(id)),
                logits_from: 0,
            })
            .collect();
        engine.model.forward(&engine.pool, &works, &mut cache, &mut scratch);
        let mut rows = scratch.logits.chunks_exact(engine.vocabulary());
        for (i, work) in live.iter().zip(&works) {
            result[*i].extend(rows.by_ref().take(work.tokens.len()).map(<[f32]>::to_vec));
        }
    }
    result
}
