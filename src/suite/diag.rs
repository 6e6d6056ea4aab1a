//! What is wrong in a file that a person wrote: where, what, and what to do.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file that a person wrote, with its text, so that a message can point into it.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as the person knows it.
    pub path: String,
    /// The whole text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// A file's path and text.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Line and column, both from 1, of a byte offset; columns count characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// A diagnostic that points at a byte range of this file.
    #[must_use]
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { file: self.clone(), span, message: message.into(), help: None }
    }
}

/// One mistake in a file that a person wrote.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The file.
    pub file: SourceFile,
    /// The bytes that are wrong.
    pub span: Range<usize>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The same with a word on what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.file.position(self.span.start);
        write!(f, "{}:{line}:{column}: {}", self.file.path, self.message)?;
        match &self.help {
            Some(help) => write!(f, "; help: {help}"),
            None => Ok(()),
        }
    }
}

/// All the mistakes found at once; never empty when returned as an error.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// All of them, in the order found.
    #[must_use]
    pub fn all(&self) -> &[Diagnostic] {
        &self.0
    }

    /// The value if nothing was wrong, else the mistakes.
    ///
    /// # Errors
    /// When there is a mistake.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Reads TOML into a type; the error points at the place and, for an unknown key, names the nearest known one.
///
/// # Errors
/// When the text is not TOML or does not fit the type.
pub fn parse_toml<T: serde::de::DeserializeOwned>(file: &SourceFile) -> Result<T, Diagnostic> {
    toml::from_str(&file.text).map_err(|e| {
        let message = e.message().trim().replace('\n', "; ");
        // The parser gives no place for a key that is missing from the top level: the file's first byte stands for the file.
        let diagnostic = file.error(e.span().unwrap_or(0..0), message);
        let help = nearest_key(&diagnostic.message);
        match help {
            Some(key) => diagnostic.help(format!("did you mean `{key}`?")),
            None => diagnostic,
        }
    })
}

/// The known word nearest to the unknown one of a serde message (``unknown field `x`, expected one of `a`, `b` ``), if it is near.
pub(crate) fn nearest_key(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted)
}

/// The candidate nearest to a word, if any is near enough to be meant.
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|k| (strsim::damerau_levenshtein(wrong, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only its name matters")]
        margin: f64,
    }

    #[test]
    fn an_unknown_key_is_placed_and_the_nearest_is_named() {
        let file = SourceFile::new("p.toml", "# first\nmargn = 0.1\n");
        let text = parse_toml::<Example>(&file).unwrap_err().to_string();
        assert_eq!(text, "p.toml:2:1: unknown field `margn`, expected `margin`; help: did you mean `margin`?");
    }

    #[test]
    fn positions_count_characters_and_survive_odd_offsets() {
        let file = SourceFile::new("x", "aé\nüb");
        assert_eq!(file.position(0), (1, 1));
        assert_eq!(file.position(2), (1, 2), "the middle of é belongs to é");
        assert_eq!(file.position(6), (2, 2));
        assert_eq!(file.position(999), (2, 3));
    }
}
