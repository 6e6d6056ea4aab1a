//! What works on one row at a time: norm, rotary positions, gated activation, and the exponential they need.

use super::lanes::{LANES, Lanes, dispatch};

/// Adding this to a small f32 leaves its nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
const LN2_HIGH: f32 = 355.0 / 512.0;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Minimax polynomial of `(exp(r) - 1 - r) / r²` on |r| <= ln 2 / 2, from the Cephes library's `expf`.
const EXP: [f32; 6] = [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `exp(x)` to about 1e-7 relative, for x held within [-87, 88]. Our own, because the system's differs between systems.
#[inline(always)]
pub(super) fn exp<L: Lanes>(x: L) -> L {
    // The variable stands second, so that a NaN comes through.
    let x = L::splat(88.0).lesser(L::splat(-87.0).greater(x));
    let magic = x.fma(L::splat(std::f32::consts::LOG2_E), L::splat(ROUND));
    let n = magic.sub(L::splat(ROUND));
    let r = n.fma(L::splat(-LN2_LOW), n.fma(L::splat(-LN2_HIGH), x));
    let mut p = L::splat(EXP[0]);
    for c in &EXP[1..] {
        p = p.fma(r, L::splat(*c));
    }
    p.fma(r.mul(r), r).add(L::splat(1.0)).scale_exponent(magic)
}

/// The values of a last, incomplete vector, filled up with zeros.
#[inline(always)]
fn padded(values: &[f32]) -> [f32; LANES] {
    let mut array = [0.0; LANES];
    array[..values.len()].copy_from_slice(values);
    array
}

dispatch! {
    /// `out = x / sqrt(mean(x²) + epsilon) * weight`, over slices of one length. The squares are summed in eight partial
    /// sums, then by a tree.
    pub(crate) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) = rms_norm_body
}

#[inline(always)]
fn rms_norm_body<L: Lanes>(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let (vectors, rest) = x.as_chunks::<LANES>();
    let mut squares = L::splat(0.0);
    for v in vectors {
        let v = L::load(v);
        squares = v.fma(v, squares);
    }
    let last = L::load(&padded(rest));
    squares = last.fma(last, squares);
    let factor = 1.0 / (squares.sum() / x.len() as f32 + epsilon).sqrt();
    for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
        *out = *x * factor * *w;
    }
}

dispatch! {
    /// `out = silu(gate) * up` with `silu(g) = g / (1 + exp(-g))`, over slices of one length.
    pub(crate) fn silu_times(gate: &[f32], up: &[f32], out: &mut [f32]) = silu_times_body
}

#[inline(always)]
fn silu_times_body<L: Lanes>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let ((gates, gate_rest), (ups, up_rest)) = (gate.as_chunks::<LANES>(), up.as_chunks::<LANES>());
    let (outs, out_rest) = out.as_chunks_mut::<LANES>();
    for ((gate, up), out) in gates.iter().zip(ups).zip(outs) {
        silu_times_lanes(L::load(gate), L::load(up)).store(out);
    }
    let last = silu_times_lanes(L::load(&padded(gate_rest)), L::load(&padded(up_rest))).to_array();
    out_rest.copy_from_slice(&last[..out_rest.len()]);
}

#[inline(always)]
fn silu_times_lanes<L: Lanes>(gate: L, up: L) -> L {
    let one = L::splat(1.0);
    gate.div(one.add(exp(L::splat(0.0).sub(gate)))).mul(up)
}

/// Rotates one head by its position: the first half of it pairs with the second (the layout of Hugging Face), `cos` and `sin`
/// have the length of a half.
pub(crate) fn rope_rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::{Isa, Portable};
    use super::*;
    use crate::types::SplitMix64;

    fn exp_of(x: f32) -> f32 {
        exp(Portable::splat(x)).to_array()[0]
    }

    #[test]
    fn exponential_is_close_over_its_range_and_passes_nan() {
        for i in -86_000..88_000 {
            let x = i as f32 / 1000.0;
            let (ours, exact) = (f64::from(exp_of(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 2e-7, "{x}: {ours} {exact}");
        }
        assert_eq!(exp_of(0.0).to_bits(), 1.0f32.to_bits());
        assert!(exp_of(f32::NAN).is_nan());
        assert!(exp_of(f32::NEG_INFINITY) < 1e-37);
        assert!(exp_of(f32::INFINITY).is_finite());
    }

    #[test]
    fn both_instruction_sets_give_the_same_bits() {
        let mut rng = SplitMix64::new(3);
        for n in [1, 7, 8, 9, 130] {
            let mut noise = || (0..n).map(|_| (rng.unit() as f32 - 0.5) * 30.0).collect::<Vec<f32>>();
            let (a, b) = (noise(), noise());
            let run = |isa| {
                let (mut x, mut y) = (vec![0.0; n], vec![0.0; n]);
                rms_norm(isa, &a, &b, 1e-5, &mut x);
                silu_times(isa, &a, &b, &mut y);
                x.iter().chain(&y).map(|v| v.to_bits()).collect::<Vec<_>>()
            };
            assert_eq!(run(Isa::detect()), run(Isa::portable()));
        }
    }

    #[test]
    fn norm_and_activation_follow_their_formulas() {
        let mut out = [0.0; 2];
        rms_norm(Isa::detect(), &[3.0, 4.0], &[1.0, 2.0], 0.0, &mut out);
        let rms = 12.5f32.sqrt();
        assert!((out[0] - 3.0 / rms).abs() < 1e-6 && (out[1] - 8.0 / rms).abs() < 1e-6);
        silu_times(Isa::detect(), &[1.0, -2.0], &[2.0, 1.0], &mut out);
        assert!((out[0] - 2.0 / (1.0 + (-1f32).exp())).abs() < 1e-6);
        assert!((out[1] + 2.0 / (1.0 + 2f32.exp())).abs() < 1e-6);
    }

    #[test]
    fn rotation_pairs_the_halves() {
        let mut head = [1.0, 2.0, 3.0, 4.0];
        rope_rotate(&mut head, &[0.0, 1.0], &[1.0, 0.0]);
        assert_eq!(head, [-3.0, 2.0, 1.0, 4.0]);
    }
}
