//! JSON: the stable contract for other programs, with every text exact.

use super::{ReportError, ReportModel};
use serde::Serialize;
use std::fmt::Write as _;

/// The format's name and version.
pub const FORMAT: &str = "goldgate.report/1";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    #[serde(flatten)]
    model: &'a ReportModel,
}

/// The model as one JSON document. Texts are exact, but whatever a terminal, a browser or an editor could obey stands as `\u` escapes.
///
/// # Errors
/// When the JSON writer refuses a value.
pub fn json(model: &ReportModel) -> Result<String, ReportError> {
    let mut text = inert(&serde_json::to_string(&Document { format: FORMAT, model })?);
    text.push('\n');
    Ok(text)
}

/// The same JSON, safe inside a `<script>` element and on a screen: markup, bidirectional, invisible and control characters can only stand
/// inside JSON strings, where `\u` escapes mean the same.
pub(super) fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 16);
    for c in json.chars() {
        match c {
            '<'
            | '>'
            | '&'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            '\u{e0000}'..='\u{e007f}' => {
                let mut pair = [0; 2];
                for unit in c.encode_utf16(&mut pair) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_means_the_same_and_can_end_no_script() {
        let hostile = "</script><!--\u{2028}\u{202e}\u{e0041}\u{1b}[2J&\u{fffd}";
        let text = inert(&serde_json::to_string(hostile).unwrap());
        assert!(text.is_ascii() && !text.contains(['<', '>', '&', '\u{1b}']), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}
