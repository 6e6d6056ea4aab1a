//! goldgate decides, with evidence, whether a fine-tuned language model may be promoted.

pub mod compare;
pub mod engine;
pub mod gate;
pub mod report;
pub mod score;
pub mod stats;
pub mod suite;
pub mod types;
