//! SHA-256 digests: what binds a run to the suite, the policy and the weights that it speaks of.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, BufRead};

/// A SHA-256 digest, written `sha256:<64 hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: write `sha256:` and 64 lower-case hex digits")]
pub struct DigestError;

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of all that a reader holds, of which no more than a piece is in memory at once.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_reader(mut reader: impl BufRead) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        loop {
            let piece = reader.fill_buf()?;
            if piece.is_empty() {
                return Ok(Self(hasher.finalize().into()));
            }
            hasher.update(piece);
            let read = piece.len();
            reader.consume(read);
        }
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 12 hex digits: enough for a person to compare, never for a decision.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }

    /// The 64 hex digits without the prefix.
    #[must_use]
    pub fn hex(&self) -> String {
        let mut text = String::with_capacity(64);
        self.push_hex(&mut text);
        text
    }

    /// Every record of a run holds one: formatting it byte by byte would take as long as writing the record.
    fn push_hex(&self, text: &mut String) {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digits = self.0.iter().flat_map(|b| [b >> 4, b & 15]);
        text.extend(digits.map(|d| char::from(DIGITS[usize::from(d)])));
    }

    /// The first 8 bytes as a number: the seed of a named random stream.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(first)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(d: Digest) -> Self {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        d.push_hex(&mut text);
        text
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        let hex = text.strip_prefix("sha256:").ok_or(DigestError)?.as_bytes();
        let nibble = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(DigestError),
        };
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return Err(DigestError);
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// Digests a sequence of named fields so that no two different sequences give the same bytes: each is length-prefixed.
#[derive(Clone)]
pub struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Starts a digest for one purpose; the purpose keeps digests of different things apart.
    #[must_use]
    pub fn new(purpose: &str) -> Self {
        Self(Sha256::new()).field(purpose.as_bytes())
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The digest of all fields.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_round_trips_and_is_the_known_hash() {
        let d = Digest::of(b"abc");
        let text = d.to_string();
        assert_eq!(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::try_from(text).unwrap(), d);
        for bad in ["", "sha256:", "md5:00", "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
        {
            assert!(Digest::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_cannot_be_shifted_into_each_other() {
        let a = DigestBuilder::new("t").field(b"ab").field(b"c").finish();
        let b = DigestBuilder::new("t").field(b"a").field(b"bc").finish();
        assert_ne!(a, b);
        assert_ne!(DigestBuilder::new("t").finish(), DigestBuilder::new("u").finish());
    }
}
