//! What `benches/engine.rs` needs from inside; not part of the public library.

use super::kernel::{Destination, Elements, Isa, Packed, Pool, View, matmul};

/// A matrix product with bf16 weights, repeated on all threads of the machine.
#[derive(Debug)]
pub struct Product {
    pool: Pool,
    weights: Packed,
    input: Vec<f32>,
    output: Vec<f32>,
    rows: usize,
}

impl Product {
    /// `rows` rows of `inputs` values by a matrix of `outputs` rows.
    pub fn new(rows: usize, inputs: usize, outputs: usize) -> Self {
        let weights = Elements::Bf16((0..inputs * outputs).map(|i| 0x3c00 + (i % 255) as u16).collect());
        let input = (0..rows * inputs).map(|i| (i % 97) as f32 / 97.0 - 0.5).collect();
        Self {
            pool: Pool::new(std::thread::available_parallelism().map_or(1, usize::from)),
            weights: Packed::new(&[&weights], inputs),
            input,
            output: vec![0.0; rows * outputs],
            rows,
        }
    }

    /// Computes it once; returns one of the results so that nothing can be left out.
    pub fn run(&mut self) -> f32 {
        let stride = self.weights.n();
        let input = View { data: &self.input, offset: 0, stride: self.input.len() / self.rows };
        let to = Destination { data: &mut self.output, offset: 0, stride, add_scaled: None };
        matmul(Isa::detect(), &self.pool, self.rows, input, &self.weights, to);
        self.output[self.output.len() - 1]
    }
}
