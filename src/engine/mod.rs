//! Local inference in process: a base checkpoint and its `LoRA` adapters, answered together in one batch on the CPU.
//!
//! [`Engine::load`] reads a checkpoint as Hugging Face lays it out (the Llama architecture, in f32, f16 or bf16) and
//! [`Engine::load_adapter`] a PEFT adapter for it. A [`Session`] takes requests and computes them step by step; requests join
//! and leave the batch as they come and end, each with its own adapter or none, and the shared weights are read once for all.
//!
//! What holds:
//! - An answer's bits depend on the weights, the adapter and the prompt, never on the batch, its order, the other requests,
//!   how a prompt was cut into steps, the number of threads or the vector width. See `kernel`.
//! - Checkpoints, adapters, tokenizers and templates are hostile until checked: an [`EngineError`] names the file, no memory
//!   is taken on a header's word, and what is not supported is refused by name.
//! - A request that cannot be answered ends in a [`RequestError`] of its own; the session goes on.
//!
//! It is not a server and has no async code: a thread owns the session and calls [`Session::step`] while it has work.
//! It knows no other room but `types`.
#![deny(unsafe_code)]

#[doc(hidden)]
pub mod bench;
mod cache;
mod chat;
mod checkpoint;
mod config;
mod error;
mod files;
#[allow(unsafe_code, reason = "vector instructions and one slice divided among threads; each use says why it is sound")]
mod kernel;
mod load;
mod lora;
mod model;
mod session;
mod tokenizer;
mod weights;

#[cfg(test)]
mod tests;

pub use chat::ChatMessage;
pub use error::{EngineError, RequestError};
pub use load::{AdapterId, Engine, EngineOptions};
pub use session::{Completion, Finish, Finished, Prompt, Request, Session, SessionOptions, Timing};
