//! goldgate decides, with evidence, whether a fine-tuned language model may be promoted.
//!
//! One idea carries the design: **a verdict is a pure function of a sealed run, and a run is an append-only record.** What costs money or
//! time (asking models) happens once and is journaled; all that follows (scoring, comparing, judging, reporting) repeats offline from the
//! journal.
//!
//! # The way the data goes
//!
//! ```text
//! goldgate.toml   suite.toml + cases.jsonl + prompts/     policy.toml
//!      │                      │                                │
//!   Target              Suite → Case                        Policy
//!      └──────────┬───────────┘                                │
//!                Plan      every Trial in a seeded, interleaved order
//!                 │
//!              execute ──asks──▶ Target ──▶ Response | Failure
//!                 │
//!              journal     append-only, sealed at the end
//!                 │
//!               score ──▶ Sample ──▶ compare ──▶ Comparison | Measurement
//!                                                    │
//!                                     judge ◀── Policy
//!                                       │
//!                                    Verdict  promote | reject | undecided ──▶ report
//! ```
//!
//! It flows one way: nothing downstream writes into what is upstream of it.
//!
//! # Rooms, and who may open whose door
//!
//! | room | holds | uses |
//! | --- | --- | --- |
//! | [`types`] | leaf vocabulary: names, digests, intervals, metrics, responses, untrusted text | nothing |
//! | [`stats`] | mathematics, pure | types |
//! | [`engine`] | local inference: checkpoints, tokenizer, `LoRA`, KV cache, batches | types |
//! | [`suite`] | files → checked `Suite` | types |
//! | [`target`] | the `Target` trait and its providers | types, engine |
//! | [`score`] | scorers, one file per family, pure | types, suite |
//! | [`store`] | run directories, golden baselines | types |
//! | [`run`] | plan, execute, events | types, suite, target, store |
//! | [`compare`] | samples, or a table of scores, → comparisons: estimand, method, missing pairs; pure | types, suite (diagnostics), score, stats |
//! | [`gate`] | policy, verdict; pure | types, suite, score, stats, compare |
//! | [`calibrate`] | the gate's own error rates: its real code on simulated models; pure | types, suite (policy text), score, stats, compare, gate |
//! | [`report`] | model → bytes; never computes a statistic; pure | types, score, compare, gate |
//! | [`cli`] | the command line; the only user of clap, indicatif and the terminal | all but engine and stats |
//!
//! `tests/it/architecture.rs` holds the source to this table.

pub mod calibrate;
pub mod cli;
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
