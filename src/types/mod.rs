//! Leaf vocabulary: the words that every other room uses. Nothing here knows another room, does I/O or decides anything.

mod digest;
mod exit;
mod ids;
mod interval;
mod metric;
pub mod number;
mod response;
mod rng;
mod said;
mod text;
mod turn;
mod wants;

pub use digest::{Digest, DigestBuilder, DigestError};
pub use exit::ExitCode;
pub use ids::{
    CaseId, ClusterName, CriterionId, MetricName, NameError, PolicyName, SliceName, SuiteName, TargetName, VariantName,
};
pub use interval::{Interval, IntervalError};
pub use metric::{Direction, Metric, MetricKind};
pub use response::{Failure, FailureKind, Finish, Outcome, Response, Served, Timing, Usage};
pub use rng::SplitMix64;
pub use said::{TokenAlternative, TokenLogprob, ToolCall};
pub use text::Untrusted;
pub use turn::{Role, Turn};
pub use wants::{JsonText, Offer, Schema, Tool, ToolChoice, Wants};
