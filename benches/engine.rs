//! Rates of the engine: matrix products at the sizes of the demo model, and decode and prefill on a fixture checkpoint.
//!
//! `cargo bench --bench engine`; `GOLDGATE_BENCH_CHECKPOINT` names another checkpoint's folder for the second half.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use goldgate::engine::{Engine, EngineOptions, Prompt, Request, Session, SessionOptions, bench};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// `(inputs, outputs)` of the demo model: query with key and value, gate with up, down, head.
const SHAPES: [(usize, usize); 4] = [(128, 256), (128, 768), (384, 128), (128, 1536)];

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product");
    for (inputs, outputs) in SHAPES {
        for rows in [1, 8, 64] {
            // One element is one multiplication with its addition: two operations.
            group.throughput(Throughput::Elements((rows * inputs * outputs) as u64));
            let mut product = bench::Product::new(rows, inputs, outputs);
            group.bench_function(BenchmarkId::new(format!("{inputs}x{outputs}"), rows), |b| b.iter(|| product.run()));
        }
    }
    group.finish();
}

fn engine() -> Arc<Engine> {
    let fixture = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/engine/llama3");
    let dir = std::env::var_os("GOLDGATE_BENCH_CHECKPOINT").map_or_else(fixture, PathBuf::from);
    Arc::new(Engine::load(&dir, &EngineOptions::default()).expect("the checkpoint loads"))
}

/// Answers `batch` prompts of `prompt` tokens with up to `new` tokens each and returns the number of generated tokens.
fn answer(engine: &Arc<Engine>, batch: usize, prompt: usize, new: usize) -> usize {
    let mut session =
        Session::new(Arc::clone(engine), SessionOptions { max_batch: batch, ..SessionOptions::default() });
    for tag in 0..batch {
        let ids = (0..prompt).map(|i| ((i * 31 + tag * 7 + 11) % engine.vocabulary()) as u32).collect();
        let (prompt, submitted) = (Prompt::Ids(ids), Instant::now());
        let request = Request { prompt, adapter: None, max_new_tokens: new, submitted, tag: tag as u64 };
        session.submit(request).expect("the request fits");
    }
    session.run().into_iter().map(|f| f.outcome.expect("finite logits").completion_tokens).sum()
}

fn rates(c: &mut Criterion) {
    let engine = engine();
    let mut group = c.benchmark_group("engine");
    group.sample_size(20);
    for batch in [1, 8, 32] {
        let (prompt, new) = (engine.context() / 2, engine.context() / 4);
        group.throughput(Throughput::Elements((batch * prompt) as u64));
        group.bench_function(BenchmarkId::new("prefill", batch), |b| b.iter(|| answer(&engine, batch, prompt, 1)));
        group.throughput(Throughput::Elements(answer(&engine, batch, 1, new) as u64));
        group.bench_function(BenchmarkId::new("decode", batch), |b| b.iter(|| answer(&engine, batch, 1, new)));
    }
    group.finish();
}

criterion_group!(benches, products, rates);
criterion_main!(benches);
