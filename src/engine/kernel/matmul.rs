//! `out[m][n] = x[m][k] · w[n][k]`, with `w` packed once into panels of sixteen columns.
//!
//! Each output is one chain `acc = fma(x[k], w[k], acc)` in rising `k`. Where `k` is blocked for the cache, the next block
//! continues the chain through the stored f32, which is exact; so a scalar loop is an oracle for every shape.

use super::lanes::{Isa, LANES, Lanes, dispatch};
use super::pool::{Pool, SharedSlice};
use std::cell::RefCell;
use std::ops::Range;

/// Columns of a panel.
const PANEL: usize = 16;
/// Depth of a block: a panel of this depth stays in the first-level cache.
const DEPTH: usize = 384;
/// Rows of a block: so many rows of this depth stay in the second-level cache.
const ROWS: usize = 48;

/// The numbers of a weight tensor in the precision they are kept in. bf16 stays bf16: half the memory to stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Elements {
    F32(Vec<f32>),
    Bf16(Vec<u16>),
}

impl Elements {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::Bf16(v) => v.len(),
        }
    }

    /// Whether no value is NaN or infinite.
    pub(crate) fn all_finite(&self) -> bool {
        match self {
            Self::F32(v) => v.iter().all(|x| x.is_finite()),
            // All exponent bits set is what infinities and NaNs share.
            Self::Bf16(v) => v.iter().all(|x| x & 0x7f80 != 0x7f80),
        }
    }

    /// Copies `to.len()` values from `from` on, widened to f32.
    pub(crate) fn copy_to(&self, from: usize, to: &mut [f32]) {
        let range = from..from + to.len();
        match self {
            Self::F32(v) => to.copy_from_slice(&v[range]),
            Self::Bf16(v) => {
                to.iter_mut().zip(&v[range]).for_each(|(to, bits)| *to = f32::from_bits(u32::from(*bits) << 16));
            }
        }
    }

    pub(crate) fn into_f32(self) -> Vec<f32> {
        match self {
            Self::F32(v) => v,
            Self::Bf16(v) => v.into_iter().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        }
    }
}

/// A weight matrix `[n][k]` in the order in which the kernel reads it.
#[derive(Debug)]
pub(crate) struct Packed {
    panels: Panels,
    n: usize,
    k: usize,
}

#[derive(Debug)]
enum Panels {
    F32(Vec<[f32; PANEL]>),
    Bf16(Vec<[u16; PANEL]>),
}

impl Packed {
    /// Packs the rows of several matrices `[n_i][k]` below one another. Stays bf16 if all of them are. An empty list is a
    /// matrix without outputs.
    pub(crate) fn new(parts: &[&Elements], k: usize) -> Self {
        let n = if k == 0 { 0 } else { parts.iter().map(|p| p.len() / k).sum() };
        let bf16: Option<Vec<&[u16]>> =
            parts.iter().map(|p| if let Elements::Bf16(v) = p { Some(v.as_slice()) } else { None }).collect();
        let panels = if let Some(parts) = bf16 {
            Panels::Bf16(pack(&parts, n, k))
        } else {
            let wide: Vec<Vec<f32>> = parts.iter().map(|p| (*p).clone().into_f32()).collect();
            Panels::F32(pack(&wide.iter().map(Vec::as_slice).collect::<Vec<_>>(), n, k))
        };
        Self { panels, n, k }
    }

    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    #[cfg(test)]
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Bytes that the packed weights take.
    pub(crate) fn bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(v) => size_of_val(v.as_slice()),
            Panels::Bf16(v) => size_of_val(v.as_slice()),
        }
    }
}

fn pack<T: Copy + Default>(parts: &[&[T]], n: usize, k: usize) -> Vec<[T; PANEL]> {
    let mut panels = vec![[T::default(); PANEL]; n.div_ceil(PANEL) * k];
    let rows = parts.iter().flat_map(|part| part.chunks_exact(k.max(1)));
    for (j, row) in rows.enumerate() {
        let panel = &mut panels[j / PANEL * k..][..k];
        panel.iter_mut().zip(row).for_each(|(columns, value)| columns[j % PANEL] = *value);
    }
    panels
}

/// Rows of f32 that lie `stride` apart; row `i` begins at `offset + i * stride`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) offset: usize,
    pub(crate) stride: usize,
}

/// Where a product goes, as [`View`], and whether it is stored or added.
pub(crate) struct Destination<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) offset: usize,
    pub(crate) stride: usize,
    /// `None` stores the product; `Some(s)` adds it: `out = fma(s, product, out)`.
    pub(crate) add_scaled: Option<f32>,
}

struct Output<'a> {
    slice: SharedSlice<'a>,
    offset: usize,
    stride: usize,
    add_scaled: Option<f32>,
}

/// Multiplies `rows` rows of `x` by `w`. Panics if a view is too short for that.
pub(crate) fn matmul(isa: Isa, pool: &Pool, rows: usize, x: View<'_>, w: &Packed, to: Destination<'_>) {
    if rows == 0 || w.n == 0 {
        return;
    }
    assert!(to.stride >= w.n && x.stride >= w.k, "rows of a matrix do not overlap");
    let panels = w.n.div_ceil(PANEL);
    let Destination { data, offset, stride, add_scaled } = to;
    let out = Output { slice: SharedSlice::new(data), offset, stride, add_scaled };
    let threads = pool.threads();
    let block = |rows: Range<usize>, panels: Range<usize>| match &w.panels {
        Panels::F32(p) => multiply(isa, rows, panels, x, p, (w.n, w.k), &out),
        Panels::Bf16(p) => multiply(isa, rows, panels, x, p, (w.n, w.k), &out),
    };
    if threads == 1 || rows * w.k * w.n < 2 * pool.smallest_piece() {
        block(0..rows, 0..panels);
    } else if rows >= ROWS * threads {
        pool.run(rows.div_ceil(ROWS), &|i| block(i * ROWS..((i + 1) * ROWS).min(rows), 0..panels));
    } else {
        let each = panels.div_ceil(threads);
        pool.run(panels.div_ceil(each), &|i| block(0..rows, i * each..((i + 1) * each).min(panels)));
    }
}

/// A weight that is kept in some precision and widened exactly when it is used.
trait Weight: Copy + Sync {
    fn widen<L: Lanes>(columns: &[Self; PANEL]) -> [L; 2];
}

impl Weight for f32 {
    #[inline(always)]
    fn widen<L: Lanes>(columns: &[f32; PANEL]) -> [L; 2] {
        let (halves, _) = columns.as_chunks::<LANES>();
        [L::load(&halves[0]), L::load(&halves[1])]
    }
}

impl Weight for u16 {
    #[inline(always)]
    fn widen<L: Lanes>(columns: &[u16; PANEL]) -> [L; 2] {
        let (halves, _) = columns.as_chunks::<LANES>();
        [L::load_bf16(&halves[0]), L::load_bf16(&halves[1])]
    }
}

dispatch! {
    /// The product of some rows and some panels on one thread; `shape` is `(n, k)`.
    fn multiply<W: Weight>(
        rows: Range<usize>, panels: Range<usize>, x: View<'_>, w: &[[W; PANEL]], shape: (usize, usize), out: &Output<'_>,
    ) = multiply_body
}

thread_local! {
    /// Rows in the order in which a tile reads them; kept, since a fresh one per product would be cleared each time.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

#[inline(always)]
fn multiply_body<L: Lanes, W: Weight>(
    rows: Range<usize>,
    panels: Range<usize>,
    x: View<'_>,
    w: &[[W; PANEL]],
    (n, k): (usize, usize),
    out: &Output<'_>,
) {
    // An added product cannot be continued through its destination, so its depth stays whole.
    let depth = if out.add_scaled.is_some() { k.max(1) } else { DEPTH };
    let mut scratch = SCRATCH.take();
    for first in rows.clone().step_by(ROWS) {
        let block = first..(first + ROWS).min(rows.end);
        for from in (0..k).step_by(depth) {
            let to = (from + depth).min(k);
            gather(&mut scratch, block.clone(), from..to, x);
            let place = Place { n, k, from, to };
            sweep::<L, W>(&scratch, block.clone(), panels.clone(), w, place, out);
        }
        if k == 0 && out.add_scaled.is_none() {
            for row in block {
                // SAFETY: this call alone owns these rows and columns; see `tile`.
                unsafe { out.slice.slice(out.offset + row * out.stride, n) }.fill(0.0);
            }
        }
    }
    SCRATCH.set(scratch);
}

/// How many rows the tile beginning at `left` rows before the block's end takes, for so many panels side by side: enough
/// independent chains to fill the multipliers, few enough to stay in registers.
#[inline(always)]
fn height(left: usize) -> usize {
    left.min(6)
}

/// Copies a block of rows as `[tile][depth][rows of the tile]`.
#[inline(always)]
fn gather(scratch: &mut Vec<f32>, rows: Range<usize>, depth: Range<usize>, x: View<'_>) {
    scratch.resize((rows.len() * depth.len()).max(scratch.len()), 0.0);
    let mut row = rows.start;
    let mut at = 0;
    while row < rows.end {
        let height = height(rows.end - row);
        let tile = &mut scratch[at..at + height * depth.len()];
        for j in 0..height {
            let source = &x.data[x.offset + (row + j) * x.stride..][depth.clone()];
            tile.iter_mut().skip(j).step_by(height).zip(source).for_each(|(to, from)| *to = *from);
        }
        at += height * depth.len();
        row += height;
    }
}

/// The weights' shape and the block of `k` that is being summed.
#[derive(Clone, Copy)]
struct Place {
    n: usize,
    k: usize,
    from: usize,
    to: usize,
}

#[inline(always)]
fn sweep<L: Lanes, W: Weight>(
    scratch: &[f32],
    rows: Range<usize>,
    panels: Range<usize>,
    w: &[[W; PANEL]],
    place: Place,
    out: &Output<'_>,
) {
    // With few rows a tile spans several panels: the chains of one row and one panel alone would wait for one another.
    let together = match rows.len() {
        1 => 4,
        2 | 3 => 2,
        _ => 1,
    };
    let mut panel = panels.start;
    while panel < panels.end {
        let wide = if panels.end - panel >= together { together } else { 1 };
        let mut row = rows.start;
        let mut at = 0;
        while row < rows.end {
            let height = height(rows.end - row);
            let x = &scratch[at..at + height * (place.to - place.from)];
            match (height, wide) {
                (6, _) => tile::<L, W, 6, 1>(x, w, row, panel, place, out),
                (5, _) => tile::<L, W, 5, 1>(x, w, row, panel, place, out),
                (4, _) => tile::<L, W, 4, 1>(x, w, row, panel, place, out),
                (3, 2) => tile::<L, W, 3, 2>(x, w, row, panel, place, out),
                (3, _) => tile::<L, W, 3, 1>(x, w, row, panel, place, out),
                (2, 2) => tile::<L, W, 2, 2>(x, w, row, panel, place, out),
                (2, _) => tile::<L, W, 2, 1>(x, w, row, panel, place, out),
                (_, 4) => tile::<L, W, 1, 4>(x, w, row, panel, place, out),
                _ => tile::<L, W, 1, 1>(x, w, row, panel, place, out),
            }
            at += x.len();
            row += height;
        }
        panel += wide;
    }
}

/// `M` rows by `P` panels, held in registers over the block's depth.
///
/// Written with loops instead of iterators and closures: a closure is a function without the vector instructions of its
/// caller, and where the compiler does not inline it, the sums leave their registers in every turn.
#[inline(always)]
fn tile<L: Lanes, W: Weight, const M: usize, const P: usize>(
    x: &[f32],
    w: &[[W; PANEL]],
    row: usize,
    panel: usize,
    place: Place,
    out: &Output<'_>,
) {
    let Place { n, k, from, to } = place;
    let mut sums = [[[L::splat(0.0); 2]; P]; M];
    if from > 0 {
        for (m, sums) in sums.iter_mut().enumerate() {
            for (p, sum) in sums.iter_mut().enumerate() {
                *sum = out.read((row + m, panel + p), n);
            }
        }
    }
    let depth = to - from;
    let mut columns: [&[[W; PANEL]]; P] = [&[]; P];
    for (p, columns) in columns.iter_mut().enumerate() {
        *columns = &w[(panel + p) * k + from..][..depth];
    }
    let x = &x.as_chunks::<M>().0[..depth];
    for i in 0..depth {
        let mut weights = [[L::splat(0.0); 2]; P];
        for p in 0..P {
            weights[p] = W::widen(&columns[p][i]);
        }
        for m in 0..M {
            let value = L::splat(x[i][m]);
            for p in 0..P {
                sums[m][p][0] = value.fma(weights[p][0], sums[m][p][0]);
                sums[m][p][1] = value.fma(weights[p][1], sums[m][p][1]);
            }
        }
    }
    for (m, sums) in sums.iter_mut().enumerate() {
        for (p, sum) in sums.iter_mut().enumerate() {
            if let Some(scale) = out.add_scaled {
                let before = out.read::<L>((row + m, panel + p), n);
                let scale = L::splat(scale);
                *sum = [scale.fma(sum[0], before[0]), scale.fma(sum[1], before[1])];
            }
            out.write((row + m, panel + p), n, *sum);
        }
    }
}

impl Output<'_> {
    /// A row's part that belongs to a panel; shorter than the panel at the matrix's edge.
    ///
    /// # Safety
    /// No other part of this row and panel lives at the same time.
    #[allow(clippy::mut_from_ref, reason = "the tasks of one product divide its output")]
    #[inline(always)]
    unsafe fn columns(&self, (row, panel): (usize, usize), n: usize) -> &mut [f32] {
        let first = panel * PANEL;
        // SAFETY: by this function's contract; other rows and panels do not overlap this one.
        unsafe { self.slice.slice(self.offset + row * self.stride + first, PANEL.min(n - first)) }
    }

    #[inline(always)]
    fn read<L: Lanes>(&self, at: (usize, usize), n: usize) -> [L; 2] {
        // SAFETY: only the task that owns this row and panel comes here, and `stored` ends before it asks again.
        let stored = unsafe { self.columns(at, n) };
        let mut copy = [0.0; PANEL];
        copy[..stored.len()].copy_from_slice(stored);
        f32::widen(&copy)
    }

    #[inline(always)]
    fn write<L: Lanes>(&self, at: (usize, usize), n: usize, values: [L; 2]) {
        // SAFETY: as in `read`.
        let stored = unsafe { self.columns(at, n) };
        let (halves, _) = stored.as_chunks_mut::<LANES>();
        if let [first, second] = halves {
            values[0].store(first);
            values[1].store(second);
        } else {
            let mut copy = [0.0; PANEL];
            let (halves, _) = copy.as_chunks_mut::<LANES>();
            values[0].store(&mut halves[0]);
            values[1].store(&mut halves[1]);
            stored.copy_from_slice(&copy[..stored.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SplitMix64;

    fn noise(rng: &mut SplitMix64, len: usize) -> Vec<f32> {
        (0..len).map(|_| (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32 - 0.5).collect()
    }

    fn bf16(values: &[f32]) -> Elements {
        Elements::Bf16(values.iter().map(|v| (v.to_bits() >> 16) as u16).collect())
    }

    /// The definition.
    fn oracle(x: &[f32], w: &[f32], k: usize) -> Vec<u32> {
        x.chunks(k)
            .flat_map(|x| w.chunks(k).map(|w| x.iter().zip(w).fold(0.0f32, |a, (x, w)| x.mul_add(*w, a)).to_bits()))
            .collect()
    }

    #[test]
    fn equals_the_scalar_chain_for_every_batch_thread_count_and_instruction_set() {
        let mut rng = SplitMix64::new(7);
        let pools = [Pool::new(1), Pool::new(2), Pool::eager(2), Pool::eager(3)];
        for (k, n) in [(1, 1), (8, 24), (128, 256), (385, 40), (800, 17)] {
            let x = noise(&mut rng, 97 * k);
            let weights = bf16(&noise(&mut rng, n * k));
            let narrow = Packed::new(&[&weights], k);
            let wide_values = weights.into_f32();
            let wide = Packed::new(&[&Elements::F32(wide_values.clone())], k);
            assert_eq!((wide.n(), wide.k(), wide.bytes()), (n, k, 2 * narrow.bytes()));
            let expected = oracle(&x, &wide_values, k);
            for m in [1, 2, 3, 5, 15, 16, 17, 64, 65, 97] {
                for pool in &pools {
                    for isa in [Isa::detect(), Isa::portable()] {
                        for w in [&narrow, &wide] {
                            let mut out = vec![f32::NAN; m * n];
                            let to = Destination { data: &mut out, offset: 0, stride: n, add_scaled: None };
                            matmul(isa, pool, m, View { data: &x, offset: 0, stride: k }, w, to);
                            let bits: Vec<u32> = out.iter().map(|v| v.to_bits()).collect();
                            assert!(bits == expected[..m * n], "m {m} n {n} k {k} {isa:?} {} threads", pool.threads());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn adds_a_scaled_product_into_some_columns_and_leaves_the_others() {
        let mut rng = SplitMix64::new(8);
        let (m, k, n, stride) = (7, 500, 20, 50);
        let (x, w, before) = (noise(&mut rng, m * k), noise(&mut rng, n * k), noise(&mut rng, m * stride));
        let product = oracle(&x, &w, k);
        let packed = Packed::new(&[&Elements::F32(w)], k);
        for isa in [Isa::detect(), Isa::portable()] {
            let mut out = before.clone();
            let to = Destination { data: &mut out, offset: 30, stride, add_scaled: Some(1.5) };
            matmul(isa, &Pool::eager(2), m, View { data: &x, offset: 0, stride: k }, &packed, to);
            for (i, (after, before)) in out.iter().zip(&before).enumerate() {
                let (row, column) = (i / stride, i % stride);
                let expected = if column < 30 {
                    *before
                } else {
                    1.5f32.mul_add(f32::from_bits(product[row * n + column - 30]), *before)
                };
                assert_eq!(after.to_bits(), expected.to_bits());
            }
        }
    }

    #[test]
    fn parts_are_packed_below_one_another_and_stay_narrow_only_together() {
        let (a, b) = (bf16(&[1.0, 2.0]), Elements::F32(vec![3.0, 4.0, 5.0, 6.0]));
        let both = Packed::new(&[&a, &b], 2);
        let mut out = [0.0; 3];
        let to = Destination { data: &mut out, offset: 0, stride: 3, add_scaled: None };
        matmul(Isa::detect(), &Pool::new(1), 1, View { data: &[1.0, 10.0], offset: 0, stride: 2 }, &both, to);
        assert_eq!(out, [21.0, 43.0, 65.0]);
        assert!(matches!(both.panels, Panels::F32(_)));
        assert!(matches!(Packed::new(&[&a, &a], 2).panels, Panels::Bf16(_)));
    }
}
