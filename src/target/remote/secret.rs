//! The key of an endpoint: it comes from the environment, goes into one header, and is taken out of everything that a server says.

use secrecy::{ExposeSecret, SecretString};
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// The shortest piece of a long key that is taken out by itself: servers quote pieces of a key that they refuse.
const END: usize = 12;

/// The bytes of the shortest key that is looked for in answers.
const LEAST: usize = 16;

/// What stands in a key's place.
pub(super) const WITHHELD: &str = "[key withheld]";

/// A key. It has no text form; its memory is wiped when it goes.
#[derive(Clone)]
pub(super) struct Key(SecretString);

impl Key {
    /// Reads the key out of an environment variable.
    pub(super) fn from_env(variable: &str) -> Result<Self, String> {
        match std::env::var(variable) {
            Ok(text) if text.trim().is_empty() => Err(format!("the environment variable `{variable}` is empty")),
            Ok(text) if !text.trim().bytes().all(|b| b.is_ascii_graphic()) => {
                Err(format!("the environment variable `{variable}` holds something that cannot stand in a header"))
            }
            Ok(text) => Ok(Self(SecretString::from(text.trim()))),
            Err(std::env::VarError::NotPresent) => Err(format!("the environment variable `{variable}` is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("the environment variable `{variable}` is no text")),
        }
    }

    /// A secret that a service gave; `None` if it is empty or cannot stand in a header.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(SecretString::from(text)))
    }

    /// The key itself, for the header that carries it and nothing else.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A server's text without the key, whole or in pieces.
    pub(super) fn redact(&self, text: String) -> String {
        let spans = self.spans(text.as_bytes());
        if spans.is_empty() {
            return text;
        }
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        for span in spans {
            // A key is ASCII, so that its places are between characters.
            out.push_str(&text[done..span.start]);
            out.push_str(WITHHELD);
            done = span.end;
        }
        out + &text[done..]
    }

    /// Where a text holds the key, whole or in pieces, in order. Of a JSON web token the parts after the first have pieces; the first, which
    /// says how it is signed, is the same for every token of a service and no secret.
    pub(super) fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let key = self.expose();
        let parts: Vec<&str> = key.split('.').collect();
        let secret: Vec<&str> = if parts.len() >= 3 && key.starts_with("eyJ") {
            parts[1..].to_vec()
        } else if key.len() >= 2 * END {
            vec![key]
        } else {
            Vec::new()
        };
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while let Some(i) = find(&text[at..], key.as_bytes()) {
            pieces(text, at..at + i, &secret, &mut found);
            found.push(at + i..at + i + key.len());
            at += i + key.len();
        }
        pieces(text, at..text.len(), &secret, &mut found);
        found
    }

    /// Whether an answer that holds it shows the key, and not a word that any answer may hold.
    pub(super) fn is_long(&self) -> bool {
        self.expose().len() >= LEAST
    }
}

/// Finds the pieces of secrets in a part of a text: whatever is as long as [`END`] and stands in a secret in the same order, and what it goes on
/// with.
fn pieces(text: &[u8], within: Range<usize>, secrets: &[&str], found: &mut Vec<Range<usize>>) {
    let mut known = [false; 256];
    secrets.iter().flat_map(|s| s.bytes()).for_each(|b| known[usize::from(b)] = true);
    // Made when something may be a piece: twelve letters of a key in a row are seldom met.
    let mut windows: Option<HashSet<&[u8]>> = None;
    let mut at = within.start;
    while at + END <= within.end {
        if let Some(foreign) = text[at..at + END].iter().rposition(|b| !known[usize::from(*b)]) {
            at += foreign + 1;
            continue;
        }
        let windows = windows.get_or_insert_with(|| secrets.iter().flat_map(|s| s.as_bytes().windows(END)).collect());
        let mut end = at + END;
        if !windows.contains(&text[at..end]) {
            at += 1;
            continue;
        }
        while end < within.end && windows.contains(&text[end + 1 - END..=end]) {
            end += 1;
        }
        found.push(at..end);
        at = end;
    }
}

/// Where a text first holds another.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = 0;
    while let Some(i) = text[at..].iter().position(|b| *b == first) {
        at += i;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
    None
}

impl Key {
    /// A model's answer without the key. A short one is a word that any answer may hold, such as the `ollama` that local servers are given,
    /// and an answer that is measured stays as it came.
    pub(super) fn redact_answer(&self, text: String) -> String {
        if self.is_long() { self.redact(text) } else { text }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([withheld])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_nowhere() {
        let key = Key(SecretString::from("sk-canary-0123456789-abcdefghij"));
        assert_eq!(format!("{key:?}"), "Key([withheld])");
        for (said, want) in [
            ("bad key sk-canary-0123456789-abcdefghij!", "bad key [key withheld]!"),
            ("it begins sk-canary-01 and ends -abcdefghij", "it begins [key withheld] and ends -abcdefghij"),
            ("it ends 9-abcdefghij", "it ends [key withheld]"),
            ("in the middle ry-0123456789-abcd of it", "in the middle [key withheld] of it"),
            ("eleven are a word: 123456789-a", "eleven are a word: 123456789-a"),
            ("sk-other", "sk-other"),
        ] {
            assert_eq!(key.redact(said.to_owned()), want);
        }
        let token = Key::new("eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ").unwrap();
        let said = "eyJhbGciOiJSUzI1NiJ9 eyJhdWQiOiJjYW5hcnkifQ c2lnbmF0dXJlLWNhbmFyeQ F0dXJlLWNhbmFyeQ";
        let want = "eyJhbGciOiJSUzI1NiJ9 [key withheld] [key withheld] [key withheld]";
        assert_eq!(token.redact(said.to_owned()), want, "the first part is no secret");
        assert!(Key::new(" ").is_none() && Key::new("a\nb").is_none());
        let short = Key(SecretString::from("abc"));
        assert_eq!(short.redact("abc ab".to_owned()), "[key withheld] ab");
        for (key, want) in [
            ("ollama", "ollama 0123456789abcde 0123456789abcdef"),
            ("0123456789abcde", "ollama 0123456789abcde 0123456789abcdef"),
            ("0123456789abcdef", "ollama 0123456789abcde [key withheld]"),
        ] {
            let key = Key(SecretString::from(key));
            assert_eq!(key.redact_answer("ollama 0123456789abcde 0123456789abcdef".to_owned()), want);
        }
    }
}
