//! JSON as Python writes it: `NaN` and `Infinity`, which JSON does not have, stand where a score could not be computed.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// The words that Python writes for numbers that are none, longest first.
const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// A text in which each such word is `null`, and which still knows where everything stood.
pub(super) struct Lenient<'a> {
    /// The text, which is JSON if nothing else was wrong with it.
    pub text: Cow<'a, str>,
    /// For each word replaced: the byte behind its `null`, and how much longer than in the file the text is up to there.
    shifts: Vec<(usize, isize)>,
}

impl<'a> Lenient<'a> {
    /// Replaces the words; those inside of texts stay.
    pub fn new(original: &'a str) -> Self {
        if !original.contains("NaN") && !original.contains("Infinity") {
            return Self { text: original.into(), shifts: vec![] };
        }
        let (mut text, mut shifts) = (String::with_capacity(original.len()), vec![]);
        let (mut quoted, mut escaped, mut skip) = (false, false, 0);
        let mut shift = 0;
        for (at, c) in original.char_indices() {
            if at < skip {
                continue;
            }
            match c {
                // No text goes over the end of a line: one that is cut short does not swallow the lines behind it.
                '\n' => (quoted, escaped) = (false, false),
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                'N' | 'I' | '-' if !quoted => {
                    if let Some(word) = WORDS.iter().find(|word| original[at..].starts_with(**word)) {
                        text.push_str("null");
                        skip = at + word.len();
                        shift += 4 - isize::try_from(word.len()).expect("a word is short");
                        shifts.push((text.len(), shift));
                        continue;
                    }
                }
                _ => {}
            }
            text.push(c);
        }
        Self { text: text.into(), shifts }
    }

    /// Where in the file a byte of the text stood.
    fn original(&self, at: usize) -> usize {
        let before = self.shifts.partition_point(|(end, _)| *end <= at);
        let shift = before.checked_sub(1).map_or(0, |last| self.shifts[last].1);
        at.saturating_add_signed(-shift)
    }

    /// Where in the file a part of the text begins.
    pub fn offset(&self, part: &str) -> usize {
        self.original(part.as_ptr() as usize - self.text.as_ptr() as usize)
    }

    /// Where in the file the reading of a part of the text went wrong, and how.
    pub fn fault(&self, part: &str, e: &serde_json::Error) -> (usize, String) {
        let line = e.line().saturating_sub(1);
        let start: usize = part.split_inclusive('\n').take(line).map(str::len).sum();
        // Serde counts columns in bytes from 1, and a mistake at the end of the text behind its last byte.
        let at = (start + e.column().saturating_sub(1)).min(part.trim_end().len());
        let begin = part.as_ptr() as usize - self.text.as_ptr() as usize;
        let message = e.to_string();
        (self.original(begin + at), message.split(" at line ").next().unwrap_or_default().to_owned())
    }
}

/// A value that may be a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found {
    /// A finite number.
    Value(f64),
    /// Null, or a number that is none: the scoring failed.
    Missing,
    /// A text, a list or an object.
    Unusable,
}

/// The number, boolean or null of a value; anything else is unusable.
pub(super) fn number(raw: &RawValue) -> Found {
    match raw.get() {
        "null" => Found::Missing,
        "true" => Found::Value(1.0),
        "false" => Found::Value(0.0),
        text => match text.parse::<f64>() {
            Ok(v) if v.is_finite() => Found::Value(v),
            Ok(_) => Found::Missing,
            Err(_) => Found::Unusable,
        },
    }
}

/// A name out of what another tool calls things: `/` becomes `.`, what no name may hold `_`, and it starts with a letter or digit.
pub(super) fn lawful(text: &str) -> String {
    let plain = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().map(|c| match c {
        '/' => '.',
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => c,
        _ => '_',
    });
    plain.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_null_outside_of_texts_and_places_stay() {
        let file = "{\"a\": NaN, \"NaN\": \"x \\\" NaN\", \"b\": -Infinity, \"c\": Infinity, \"d\": 7}";
        let lenient = Lenient::new(file);
        let expected = "{\"a\": null, \"NaN\": \"x \\\" NaN\", \"b\": null, \"c\": null, \"d\": 7}";
        assert_eq!(lenient.text, expected);
        for part in ["\"a\"", "\"NaN\":", "\"b\"", "\"c\"", "7}"] {
            let at = lenient.text.find(part).unwrap();
            assert_eq!(lenient.offset(&lenient.text[at..]), file.find(part).unwrap(), "{part}");
        }
    }

    #[test]
    fn a_text_cut_short_does_not_swallow_the_next_line() {
        assert_eq!(Lenient::new("{\"a\": \"b\n{\"c\": NaN}").text, "{\"a\": \"b\n{\"c\": null}");
    }

    #[test]
    fn a_fault_is_placed_in_the_file() {
        let file = "{\"a\": NaN,\n \"b\": x}";
        let lenient = Lenient::new(file);
        let e = serde_json::from_str::<serde_json::Value>(&lenient.text).unwrap_err();
        let (at, message) = lenient.fault(&lenient.text, &e);
        assert_eq!((&file[at..=at], message.as_str()), ("x", "expected value"));
    }

    #[test]
    fn names_of_other_tools_become_names() {
        for (theirs, ours) in
            [("meta-llama/Llama 3", "meta-llama.Llama_3"), ("__tmp__x", "tmp__x"), ("é", ""), ("a:b", "a_b")]
        {
            assert_eq!(lawful(theirs), ours);
        }
    }
}
