//! goldgate decides, with evidence, whether a fine-tuned language model may be promoted.

pub mod engine;
pub mod stats;
pub mod types;
