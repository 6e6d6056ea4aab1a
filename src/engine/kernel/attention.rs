//! Attention of one query row over the keys of its sequence, read from blocks of the KV cache.
//!
//! Scores: one chain over the head's dimensions for each key. Softmax: maximum, then `exp`, then eight partial sums by
//! `key position mod 8` and a tree. Output: one chain over the keys in rising position. All of it is tied to absolute positions,
//! so it does not matter how a prompt was cut into steps.

use super::lanes::{LANES, Lanes, dispatch};
use super::rowwise::exp;
use std::cell::RefCell;

/// Positions in a block of the KV cache.
pub(crate) const BLOCK: usize = 32;
/// Vectors that one step of the score and output loops holds for each head.
const WIDE: usize = 4;

/// The sizes that attention needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttentionShape {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl AttentionShape {
    /// A value row's length in the cache: whole vectors.
    pub(crate) fn padded_dim(&self) -> usize {
        self.head_dim.next_multiple_of(LANES)
    }

    /// Length of a block's keys, laid out as `[kv head][dimension][position]`.
    pub(crate) fn key_block(&self) -> usize {
        self.kv_heads * self.head_dim * BLOCK
    }

    /// Length of a block's values, laid out as `[kv head][position][dimension, padded]`.
    pub(crate) fn value_block(&self) -> usize {
        self.kv_heads * BLOCK * self.padded_dim()
    }
}

thread_local! {
    /// Scores of two heads; kept, since a fresh buffer for each row would be cleared each time.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

dispatch! {
    /// `out = softmax(query · keys / sqrt(head_dim)) · values` for every head of a row that sees the first `seen` positions.
    /// `query` and `out` are `[head][dimension]`; `blocks` holds each block's keys and values.
    pub(crate) fn attend_row(
        shape: AttentionShape, query: &[f32], blocks: &[(&[f32], &[f32])], seen: usize, out: &mut [f32],
    ) = attend_row_body
}

#[inline(always)]
fn attend_row_body<L: Lanes>(
    shape: AttentionShape,
    query: &[f32],
    blocks: &[(&[f32], &[f32])],
    seen: usize,
    out: &mut [f32],
) {
    let group = shape.heads / shape.kv_heads;
    let mut scores = SCRATCH.take();
    scores.resize(scores.len().max(2 * seen.next_multiple_of(BLOCK)), 0.0);
    for kv in 0..shape.kv_heads {
        let mut head = 0;
        while head < group {
            // Two heads of a group together use each key and value twice while it is in a register.
            let (first, pair) = ((kv * group + head) * shape.head_dim, head + 1 < group);
            let width = shape.head_dim * if pair { 2 } else { 1 };
            let (query, out) = (&query[first..first + width], &mut out[first..first + width]);
            if pair {
                attend_heads::<L, 2>(shape, kv, query, blocks, seen, &mut scores, out);
            } else {
                attend_heads::<L, 1>(shape, kv, query, blocks, seen, &mut scores, out);
            }
            head += if pair { 2 } else { 1 };
        }
    }
    SCRATCH.set(scores);
}

#[inline(always)]
fn attend_heads<L: Lanes, const G: usize>(
    shape: AttentionShape,
    kv: usize,
    query: &[f32],
    blocks: &[(&[f32], &[f32])],
    seen: usize,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let length = seen.next_multiple_of(BLOCK);
    let keys_at = kv * shape.head_dim * BLOCK;
    for (b, (keys, _)) in blocks.iter().enumerate().take(seen.div_ceil(BLOCK)) {
        let keys = &keys[keys_at..keys_at + shape.head_dim * BLOCK];
        score_block::<L, G>(shape.head_dim, query, keys, scores, length, b * BLOCK);
    }
    let mut sums = [0.0; G];
    for (g, sum) in sums.iter_mut().enumerate() {
        *sum = softmax::<L>(&mut scores[g * length..(g + 1) * length], seen);
    }
    let dim = shape.padded_dim();
    let values_at = kv * BLOCK * dim;
    let mut from = 0;
    while from < dim {
        let place = ValuePlace { dim, values_at, from, length, seen, head_dim: shape.head_dim };
        if dim - from >= WIDE * LANES {
            weigh_values::<L, G, WIDE>(place, blocks, scores, &sums, out);
            from += WIDE * LANES;
        } else {
            weigh_values::<L, G, 1>(place, blocks, scores, &sums, out);
            from += LANES;
        }
    }
}

#[inline(always)]
fn score_block<L: Lanes, const G: usize>(
    head_dim: usize,
    query: &[f32],
    keys: &[f32],
    scores: &mut [f32],
    length: usize,
    at: usize,
) {
    let mut sums = [[L::splat(0.0); WIDE]; G];
    let (keys, _) = keys.as_chunks::<BLOCK>();
    let (query, _) = query.split_at(G * head_dim);
    for (d, keys) in keys.iter().enumerate().take(head_dim) {
        let (vectors, _) = keys.as_chunks::<LANES>();
        for g in 0..G {
            let q = L::splat(query[g * head_dim + d]);
            for c in 0..WIDE {
                sums[g][c] = q.fma(L::load(&vectors[c]), sums[g][c]);
            }
        }
    }
    let scale = L::splat(1.0 / (head_dim as f32).sqrt());
    for g in 0..G {
        let (to, _) = scores[g * length + at..][..BLOCK].as_chunks_mut::<LANES>();
        for c in 0..WIDE {
            sums[g][c].mul(scale).store(&mut to[c]);
        }
    }
}

/// Replaces the first `seen` scores by `exp(score - maximum)`, the rest by zero, and returns their sum.
#[inline(always)]
fn softmax<L: Lanes>(scores: &mut [f32], seen: usize) -> f32 {
    // Positions that are not seen may hold anything; from here on they count for nothing.
    scores[seen..].fill(f32::NEG_INFINITY);
    let (vectors, _) = scores.as_chunks_mut::<LANES>();
    let mut most = L::splat(f32::NEG_INFINITY);
    for v in vectors.iter() {
        most = most.greater(L::load(v));
    }
    let most = most.to_array().into_iter().fold(f32::NEG_INFINITY, f32::max);
    for v in vectors.iter_mut() {
        exp(L::load(v).sub(L::splat(most))).store(v);
    }
    scores[seen..].fill(0.0);
    let (vectors, _) = scores.as_chunks::<LANES>();
    let mut sum = L::splat(0.0);
    for v in vectors {
        sum = sum.add(L::load(v));
    }
    sum.sum()
}

#[derive(Clone, Copy)]
struct ValuePlace {
    dim: usize,
    values_at: usize,
    from: usize,
    length: usize,
    seen: usize,
    head_dim: usize,
}

#[inline(always)]
fn weigh_values<L: Lanes, const G: usize, const V: usize>(
    place: ValuePlace,
    blocks: &[(&[f32], &[f32])],
    scores: &[f32],
    sums: &[f32; G],
    out: &mut [f32],
) {
    let ValuePlace { dim, values_at, from, length, seen, head_dim } = place;
    let mut totals = [[L::splat(0.0); V]; G];
    for (b, (_, values)) in blocks.iter().enumerate().take(seen.div_ceil(BLOCK)) {
        let count = BLOCK.min(seen - b * BLOCK);
        let values = &values[values_at..values_at + BLOCK * dim];
        let mut weights: [&[f32]; G] = [&[]; G];
        for (g, weights) in weights.iter_mut().enumerate() {
            *weights = &scores[g * length + b * BLOCK..][..count];
        }
        for (j, row) in values.chunks_exact(dim).enumerate().take(count) {
            let (vectors, _) = row[from..from + V * LANES].as_chunks::<LANES>();
            for g in 0..G {
                let p = L::splat(weights[g][j]);
                for c in 0..V {
                    totals[g][c] = p.fma(L::load(&vectors[c]), totals[g][c]);
                }
            }
        }
    }
    for g in 0..G {
        for (c, total) in totals[g].iter().enumerate() {
            let at = from + c * LANES;
            let result = total.div(L::splat(sums[g])).to_array();
            // The last vector of a padded head reaches beyond it.
            let width = LANES.min(head_dim - at);
            out[g * head_dim + at..][..width].copy_from_slice(&result[..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Isa;
    use super::*;
    use crate::types::SplitMix64;

    /// Keys and values of one sequence in blocks, with garbage where no position was written.
    fn fill(shape: AttentionShape, seen: usize, rng: &mut SplitMix64) -> Vec<(Vec<f32>, Vec<f32>)> {
        (0..seen.div_ceil(BLOCK))
            .map(|b| {
                let (mut k, mut v) = (vec![f32::NAN; shape.key_block()], vec![f32::NAN; shape.value_block()]);
                for position in 0..BLOCK.min(seen - b * BLOCK) {
                    for head in 0..shape.kv_heads {
                        for d in 0..shape.head_dim {
                            k[(head * shape.head_dim + d) * BLOCK + position] = rng.unit() as f32 - 0.5;
                            v[(head * BLOCK + position) * shape.padded_dim() + d] = rng.unit() as f32 - 0.5;
                        }
                    }
                }
                (k, v)
            })
            .collect()
    }

    fn oracle(shape: AttentionShape, query: &[f32], blocks: &[(Vec<f32>, Vec<f32>)], seen: usize) -> Vec<f64> {
        let dim = shape.head_dim;
        let mut out = vec![0.0; shape.heads * dim];
        for head in 0..shape.heads {
            let kv = head * shape.kv_heads / shape.heads;
            let key = |j: usize, d: usize| f64::from(blocks[j / BLOCK].0[(kv * dim + d) * BLOCK + j % BLOCK]);
            let value =
                |j: usize, d: usize| f64::from(blocks[j / BLOCK].1[(kv * BLOCK + j % BLOCK) * shape.padded_dim() + d]);
            let score = |j: usize| {
                (0..dim).map(|d| f64::from(query[head * dim + d]) * key(j, d)).sum::<f64>() / (dim as f64).sqrt()
            };
            let weights: Vec<f64> = (0..seen).map(|j| score(j).exp()).collect();
            let total: f64 = weights.iter().sum();
            for d in 0..dim {
                out[head * dim + d] = (0..seen).map(|j| weights[j] / total * value(j, d)).sum();
            }
        }
        out
    }

    #[test]
    fn agrees_with_the_formula_and_between_instruction_sets() {
        let mut rng = SplitMix64::new(5);
        for (heads, kv_heads, head_dim) in [(4, 2, 32), (3, 1, 12), (2, 2, 8), (6, 2, 40)] {
            let shape = AttentionShape { heads, kv_heads, head_dim };
            for seen in [1, 7, 8, 31, 32, 33, 100] {
                let blocks = fill(shape, seen, &mut rng);
                let views: Vec<(&[f32], &[f32])> = blocks.iter().map(|(k, v)| (k.as_slice(), v.as_slice())).collect();
                let query: Vec<f32> = (0..heads * head_dim).map(|_| rng.unit() as f32 * 4.0 - 2.0).collect();
                let run = |isa| {
                    let mut out = vec![0.0; heads * head_dim];
                    attend_row(isa, shape, &query, &views, seen, &mut out);
                    out
                };
                let (wide, plain) = (run(Isa::detect()), run(Isa::portable()));
                assert!(wide.iter().zip(&plain).all(|(a, b)| a.to_bits() == b.to_bits()));
                for (ours, exact) in wide.iter().zip(oracle(shape, &query, &blocks, seen)) {
                    assert!((f64::from(*ours) - exact).abs() < 1e-6, "{ours} {exact}");
                }
            }
        }
    }
}
