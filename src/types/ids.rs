//! Names that people write and that files, reports and CI systems must carry unharmed.
//!
//! A copy of a name shares its text: the scores of a large comparison name each case and metric hundreds of times.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{shown}` is not a {what}: use 1 to 96 letters, digits, `.`, `_` or `-`, and start with a letter or digit",
    shown = super::Untrusted::new(text).for_terminal(96)
)]
pub struct NameError {
    what: &'static str,
    text: String,
}

fn checked(what: &'static str, text: &str) -> Result<(), NameError> {
    let mut bytes = text.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let continues = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if starts && continues && text.len() <= 96 { Ok(()) } else { Err(NameError { what, text: text.to_owned() }) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The checked name.
            ///
            /// # Errors
            /// When the text is not 1 to 96 ASCII letters, digits, `.`, `_` or `-`, starting with a letter or digit.
            pub fn new(text: &str) -> Result<Self, NameError> {
                checked($what, text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                checked($what, &text)?;
                Ok(Self(text.into()))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.as_str().to_owned()
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The id of a case, unique in its suite.
    CaseId, "case id");
name!(
    /// The name of a target in `goldgate.toml`.
    TargetName, "target name");
name!(
    /// The name of a suite.
    SuiteName, "suite name");
name!(
    /// The name of a prompt variant of a suite.
    VariantName, "prompt variant name");
name!(
    /// The name of a slice: a task, or a tag that cases carry. `all` means every case.
    SliceName, "slice name");
name!(
    /// The name of a cluster: cases that share one are not independent.
    ClusterName, "cluster name");
name!(
    /// The name of a metric.
    MetricName, "metric name");
name!(
    /// The id of a criterion, unique in its policy.
    CriterionId, "criterion id");
name!(
    /// The name of a policy.
    PolicyName, "policy name");

impl SliceName {
    /// The slice that holds every case.
    pub const ALL: &'static str = "all";

    /// The slice that holds every case.
    #[must_use]
    pub fn all() -> Self {
        Self(Self::ALL.into())
    }

    /// Whether this slice holds every case by definition.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.as_str() == Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_never_paths() {
        for good in ["a", "classify-001", "Base.v2_x", "7"] {
            assert_eq!(CaseId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".hidden", "-x", "a/b", "a b", "ä", "a\n", "..", &"x".repeat(97)] {
            assert!(CaseId::new(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn the_error_shows_control_characters_inert() {
        let text = SuiteName::new("\u{1b}[2J").unwrap_err().to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("suite name"), "{text}");
    }
}
