//! goldgate decides, with evidence, whether a fine-tuned language model may be promoted.

// pub mod cli;
pub mod compare;
pub mod engine;
pub mod gate;
pub mod report;
pub mod run;
pub mod score;
pub mod stats;
pub mod store;
pub mod suite;
pub mod target;
pub mod types;
