//! The arithmetic of the CPU backend, and the only place of the engine with `unsafe` besides the mapping of weight files.
//!
//! Every result is defined as a fixed chain or a fixed tree of IEEE operations on its own inputs: a matrix product's output is
//! `acc = fma(x[k], w[k], acc)` for `k = 0..K`, from zero. Hence no bit depends on how many rows stand in the batch, who the
//! neighbours are, how the work is blocked, how many threads share it, or how wide the machine's vectors are (lanes are always
//! independent outputs, or a fixed number of partial sums). Threads divide outputs, never a sum.

mod attention;
mod lanes;
mod matmul;
mod pool;
mod rowwise;

pub(crate) use attention::{AttentionShape, BLOCK, attend_row};
pub(crate) use lanes::Isa;
pub(crate) use matmul::{Destination, Elements, Packed, View, matmul};
pub(crate) use pool::Pool;
pub(crate) use rowwise::{rms_norm, rope_rotate, silu_times};
