//! The forward pass over a batch of rows, each with its own sequence, position and adapter.

use super::cache::KvCache;
use super::config::{ModelConfig, inverse_frequencies};
use super::kernel::{
    AttentionShape, Destination, Isa, Pool, View, attend_row, matmul, rms_norm, rope_rotate, silu_times,
};
use super::lora::{Adapter, LoraGroup};
use super::weights::{Layer, Weights};
use std::ops::Range;
use std::ptr;

/// Some consecutive positions of one sequence: a piece of a prompt, or the last token of an answer.
pub(super) struct Work<'a> {
    pub(super) tokens: &'a [u32],
    /// Position of the first of the tokens; all before it were computed in earlier calls.
    pub(super) start: usize,
    pub(super) table: &'a [usize],
    pub(super) adapter: Option<&'a Adapter>,
    /// From which of the tokens on logits are wanted; the number of tokens if none are.
    pub(super) logits_from: usize,
}

/// A model without its adapters and without any state.
pub(super) struct Model {
    pub(super) config: ModelConfig,
    pub(super) weights: Weights,
    pub(super) isa: Isa,
    frequencies: Vec<f32>,
}

/// Memory that calls reuse.
#[derive(Default)]
pub(super) struct Scratch {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    wide: Vec<f32>,
    inner: Vec<f32>,
    projected: Vec<f32>,
    low_rank: Vec<f32>,
    cosines: Vec<f32>,
    sines: Vec<f32>,
    /// `[wanted row][vocabulary]`, in the order of the works and their tokens.
    pub(super) logits: Vec<f32>,
}

/// Rows of one call that share an adapter and stand together.
struct Segment<'a> {
    rows: Range<usize>,
    adapter: Option<&'a Adapter>,
}

/// What every layer of one call needs.
struct Step<'a> {
    works: &'a [Work<'a>],
    /// For each row: its work and its position.
    rows: Vec<(usize, usize)>,
    segments: Vec<Segment<'a>>,
    pool: &'a Pool,
}

/// A slice of exactly this length; the contents are what an earlier call left.
fn sized(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

impl Model {
    pub(super) fn new(config: ModelConfig, weights: Weights, isa: Isa) -> Self {
        let frequencies = inverse_frequencies(&config.rope, config.head_dim);
        Self { config, weights, isa, frequencies }
    }

    pub(super) fn attention_shape(&self) -> AttentionShape {
        let ModelConfig { heads, kv_heads, head_dim, .. } = self.config;
        AttentionShape { heads, kv_heads, head_dim }
    }

    /// Computes all works in one pass and leaves the wanted logits in `scratch`. Token ids must be below the vocabulary and
    /// every table must reach the last position. Works of one adapter should stand together: each run of them is a product.
    pub(super) fn forward(&self, pool: &Pool, works: &[Work<'_>], cache: &mut KvCache, scratch: &mut Scratch) {
        let step = Step::new(works, pool);
        let rows = step.rows.len();
        let width = self.config.hidden;
        self.extend_rotations(step.rows.iter().map(|(_, position)| position + 1).max().unwrap_or(0), scratch);
        let tokens = works.iter().flat_map(|w| w.tokens);
        for (hidden, token) in sized(&mut scratch.hidden, rows * width).chunks_exact_mut(width).zip(tokens) {
            self.weights.embeddings.copy_to(*token as usize * width, hidden);
        }
        for (index, layer) in self.weights.layers.iter().enumerate() {
            self.attention(&step, index, layer, cache, scratch);
            self.mlp(&step, index, layer, scratch);
        }
        self.head(&step, scratch);
    }

    /// Rotations of all positions below `positions`: angles in f32 as transformers computes them, their sine and cosine
    /// through f64, where the differences between systems vanish in the rounding to f32.
    fn extend_rotations(&self, positions: usize, scratch: &mut Scratch) {
        let half = self.frequencies.len();
        for position in scratch.cosines.len() / half..positions {
            for frequency in &self.frequencies {
                let (sine, cosine) = f64::from(position as f32 * frequency).sin_cos();
                scratch.cosines.push(cosine as f32);
                scratch.sines.push(sine as f32);
            }
        }
    }

    fn norm(&self, pool: &Pool, x: &[f32], weight: &[f32], out: &mut [f32]) {
        let width = self.config.hidden;
        pool.for_rows(out, width, width * 4, &|row, out| {
            rms_norm(self.isa, &x[row * width..][..width], weight, self.config.epsilon, out);
        });
    }

    /// `hidden += output(attention(norm(hidden)))`.
    fn attention(&self, step: &Step<'_>, index: usize, layer: &Layer, cache: &mut KvCache, scratch: &mut Scratch) {
        let (rows, shape) = (step.rows.len(), self.attention_shape());
        let dim = shape.head_dim;
        let (query, kv) = (shape.heads * dim, shape.kv_heads * dim);
        let width = query + 2 * kv;
        let hidden = sized(&mut scratch.hidden, rows * self.config.hidden);
        let normed = sized(&mut scratch.normed, rows * self.config.hidden);
        self.norm(step.pool, hidden, &layer.attention_norm, normed);
        let wide = sized(&mut scratch.wide, rows * width);
        self.linear(step, index, 0, normed, wide, &mut scratch.low_rank);
        let (cosines, sines) = (&scratch.cosines, &scratch.sines);
        step.pool.for_rows(wide, width, (query + kv) * 4, &|row, values| {
            let range = step.rows[row].1 * dim / 2..(step.rows[row].1 + 1) * dim / 2;
            for head in values[..query + kv].chunks_exact_mut(dim) {
                rope_rotate(head, &cosines[range.clone()], &sines[range.clone()]);
            }
        });
        for (row, values) in wide.chunks_exact(width).enumerate() {
            let (work, position) = step.rows[row];
            let (key, value) = values[query..].split_at(kv);
            cache.write(step.works[work].table, index, position, key, value);
        }
        // Keys of this call are read back from the cache, so that it does not matter which call wrote them.
        let views: Vec<_> = step.works.iter().map(|w| cache.layer(w.table, index)).collect();
        let inner = sized(&mut scratch.inner, rows * query);
        let longest = step.rows.iter().map(|(_, position)| position + 1).max().unwrap_or(0);
        step.pool.for_rows(inner, query, query * longest * 2, &|row, out| {
            let (work, position) = step.rows[row];
            attend_row(self.isa, shape, &wide[row * width..][..query], &views[work], position + 1, out);
        });
        let projected = sized(&mut scratch.projected, rows * self.config.hidden);
        self.linear(step, index, 1, inner, projected, &mut scratch.low_rank);
        add(hidden, projected);
    }

    /// `hidden += down(silu(gate(norm(hidden))) * up(norm(hidden)))`.
    fn mlp(&self, step: &Step<'_>, index: usize, layer: &Layer, scratch: &mut Scratch) {
        let (rows, inner_width) = (step.rows.len(), self.config.intermediate);
        let hidden = sized(&mut scratch.hidden, rows * self.config.hidden);
        let normed = sized(&mut scratch.normed, rows * self.config.hidden);
        self.norm(step.pool, hidden, &layer.mlp_norm, normed);
        let wide = sized(&mut scratch.wide, rows * 2 * inner_width);
        self.linear(step, index, 2, normed, wide, &mut scratch.low_rank);
        let inner = sized(&mut scratch.inner, rows * inner_width);
        step.pool.for_rows(inner, inner_width, inner_width * 16, &|row, out| {
            let (gate, up) = wide[row * 2 * inner_width..][..2 * inner_width].split_at(inner_width);
            silu_times(self.isa, gate, up, out);
        });
        let projected = sized(&mut scratch.projected, rows * self.config.hidden);
        self.linear(step, index, 3, inner, projected, &mut scratch.low_rank);
        add(hidden, projected);
    }

    /// One group of modules for all rows: the shared weights once, then each adapter for its own rows.
    fn linear(&self, step: &Step<'_>, layer: usize, group: usize, x: &[f32], out: &mut [f32], low_rank: &mut Vec<f32>) {
        let rows = step.rows.len();
        let linear = &self.weights.layers[layer].groups[group];
        let (inputs, outputs) = (x.len() / rows.max(1), linear.weight.n());
        let input = View { data: x, offset: 0, stride: inputs };
        let to = Destination { data: out, offset: 0, stride: outputs, add_scaled: None };
        matmul(self.isa, step.pool, rows, input, &linear.weight, to);
        if let Some(bias) = &linear.bias {
            out.chunks_exact_mut(outputs).for_each(|row| add(row, bias));
        }
        for segment in &step.segments {
            if let Some(change) = segment.adapter.and_then(|a| a.layers[layer][group].as_ref()) {
                self.adapt(step.pool, change, segment.rows.clone(), input, (out, outputs), low_rank);
            }
        }
    }

    fn adapt(
        &self,
        pool: &Pool,
        change: &LoraGroup,
        rows: Range<usize>,
        x: View<'_>,
        (out, outputs): (&mut [f32], usize),
        low_rank: &mut Vec<f32>,
    ) {
        let ranks = change.down.n();
        let low = sized(low_rank, rows.len() * ranks);
        let input = View { offset: rows.start * x.stride, ..x };
        let to = Destination { data: low, offset: 0, stride: ranks, add_scaled: None };
        matmul(self.isa, pool, rows.len(), input, &change.down, to);
        for part in &change.parts {
            let input = View { data: low, offset: part.offset, stride: ranks };
            let offset = rows.start * outputs + part.column;
            let to = Destination { data: &mut *out, offset, stride: outputs, add_scaled: Some(part.scale) };
            matmul(self.isa, pool, rows.len(), input, &part.up, to);
        }
    }

    /// Logits of the rows that want them.
    fn head(&self, step: &Step<'_>, scratch: &mut Scratch) {
        let width = self.config.hidden;
        let wanted: Vec<usize> = (0..step.rows.len())
            .filter(|row| {
                let (work, position) = step.rows[*row];
                position - step.works[work].start >= step.works[work].logits_from
            })
            .collect();
        let normed = sized(&mut scratch.normed, wanted.len() * width);
        for (row, out) in wanted.iter().zip(normed.chunks_exact_mut(width)) {
            let hidden = &scratch.hidden[row * width..][..width];
            rms_norm(self.isa, hidden, &self.weights.norm, self.config.epsilon, out);
        }
        scratch.logits.resize(wanted.len() * self.config.vocabulary, 0.0);
        let input = View { data: normed, offset: 0, stride: width };
        let to = Destination { data: &mut scratch.logits, offset: 0, stride: self.config.vocabulary, add_scaled: None };
        matmul(self.isa, step.pool, wanted.len(), input, &self.weights.head, to);
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

impl<'a> Step<'a> {
    fn new(works: &'a [Work<'a>], pool: &'a Pool) -> Self {
        let mut rows = Vec::new();
        let mut segments: Vec<Segment<'a>> = Vec::new();
        for (index, work) in works.iter().enumerate() {
            let from = rows.len();
            rows.extend((0..work.tokens.len()).map(|i| (index, work.start + i)));
            match segments.last_mut() {
                Some(last) if same(last.adapter, work.adapter) => last.rows.end = rows.len(),
                _ => segments.push(Segment { rows: from..rows.len(), adapter: work.adapter }),
            }
        }
        Self { works, rows, segments, pool }
    }
}

fn same(a: Option<&Adapter>, b: Option<&Adapter>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => ptr::eq(a, b),
        _ => false,
    }
}
