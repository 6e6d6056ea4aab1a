//! The wire of remote targets without any socket: bytes in, answers or problems out. What reads and writes sockets is [`super::remote`].
//!
//! Servers differ from their specifications and from each other, so that every field of a reply may be missing or null, every word of a
//! reply may be one that nobody knew, and what a reply leaves open stays unknown: it is never filled with a zero.

mod chat;
mod error;
mod pieces;
mod request;
mod responses;
mod score;
mod sse;
#[cfg(test)]
mod tests;
mod wait;
mod wants;

pub(super) use chat::{Said, Stream, whole};
pub(super) use error::{Class, Problem, START, of_reply};
pub(super) use request::Ask;
pub use request::{LimitField, Sampling};
pub(super) use responses::body as responses_body;
pub use score::Mapping;
pub(super) use wait::{back_off, hint};

/// The most bytes of one reply that are read: far above any answer, far below what would hurt.
pub(super) const MAX_REPLY: usize = 8 << 20;

/// The form of questions and answers on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Chat completions.
    #[default]
    Chat,
    /// The Responses API.
    Responses,
    /// A form of the endpoint's own, as its project maps it.
    Score(Mapping),
}
