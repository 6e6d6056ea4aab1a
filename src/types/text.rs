//! Text that a model, a server, a suite or a checkpoint wrote: hostile until rendered for one sink.

use serde::{Deserialize, Serialize};

/// Untrusted text. It has no `Display`: a caller must name the sink, and each sink has one rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Marks a text as untrusted.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The exact text, for scoring, digests and exact stores (JSON); never for a person's screen.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// One line for a terminal or a log, at most `max` characters: control, bidi and invisible characters become visible escapes, and
    /// what a CI system takes for a command is broken up wherever it stands (`##vso[` is obeyed in mid-line, `::` after spaces, and a
    /// table may wrap a text anywhere).
    #[must_use]
    pub fn for_terminal(&self, max: usize) -> String {
        let mut out = String::new();
        push_visible(&mut out, &self.0, max);
        break_pairs(&break_pairs(&out, ':'), '#')
    }

    /// Text for an HTML text node or attribute: characters that no eye can see are made visible, line breaks stay.
    /// The template engine escapes markup.
    #[must_use]
    pub fn for_html(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for (i, line) in self.0.split('\n').enumerate() {
            if i > 0 {
                out.push('\n');
            }
            push_visible(&mut out, line, usize::MAX);
        }
        out
    }

    /// One line for a Markdown table cell or paragraph, at most `max` characters: no markup, mention, link, image or table break survives.
    #[must_use]
    pub fn for_markdown(&self, max: usize) -> String {
        let mut visible = String::new();
        push_visible(&mut visible, &self.0, max);
        let mut out = String::with_capacity(visible.len());
        for c in visible.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '@' => out.push_str("@\u{200b}"),
                '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => {
                    out.push('\\');
                    out.push(c);
                }
                _ => out.push(c),
            }
        }
        // A bare URL or a leading CI command is a link or a command without any markup.
        break_pairs(&out.replace("://", ":\u{200b}//"), ':')
    }

    /// Text for an XML 1.0 node: characters that XML forbids, and the Azure attachment command, are made visible.
    #[must_use]
    pub fn for_xml(&self, max: usize) -> String {
        let mut out = String::new();
        for c in self.0.chars().take(max) {
            match c {
                '\n' | '\t' => out.push(c),
                _ => push_char(&mut out, c),
            }
        }
        if self.0.chars().nth(max).is_some() {
            out.push('…');
        }
        out.replace("[[ATTACHMENT|", "[[\u{200b}ATTACHMENT|")
    }

    /// A CSV cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").
    #[must_use]
    pub fn for_csv(&self) -> String {
        let risky = self.0.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        if risky { format!("'{}", self.0) } else { self.0.clone() }
    }
}

/// Puts a zero-width space between two neighbours of a kind.
fn break_pairs(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == mark && out.ends_with(mark) {
            out.push('\u{200b}');
        }
        out.push(c);
    }
    out
}

fn push_visible(out: &mut String, text: &str, max: usize) {
    let mut chars = text.chars();
    for c in chars.by_ref().take(max) {
        push_char(out, c);
    }
    if chars.next().is_some() {
        out.push('…');
    }
}

/// Writes one character so that a person sees it is there: C0 as its control picture, the rest of the invisible as `<U+XXXX>`.
fn push_char(out: &mut String, c: char) {
    match c {
        '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
        '\u{7f}' => out.push('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'
        | '\u{ffff}'
        | '\u{e0000}'..='\u{e007f}' => {
            use std::fmt::Write as _;
            let _ = write!(out, "‹U+{:04X}›", c as u32);
        }
        _ => out.push(c),
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_reaches_a_terminal() {
        let text = Untrusted::from("\u{1b}[2J\u{1b}]52;c;x\u{7}\rok\u{202e}evil\n::set-output");
        let shown = text.for_terminal(200);
        assert_eq!(shown, "␛[2J␛]52;c;x␇␍ok‹U+202E›evil␊:\u{200b}:set-output");
        for command in ["##vso[task.complete]", "x ##[error]", "  ::error::", ":::"] {
            let shown = Untrusted::from(command).for_terminal(99);
            assert!(!shown.contains("##") && !shown.contains("::"), "{shown}");
        }
        assert_eq!(Untrusted::from("abcdef").for_terminal(3), "abc…");
    }

    #[test]
    fn markdown_holds_no_mention_link_table_break_or_html() {
        let shown = Untrusted::from("@org/team ![x](https://evil) | <img> `a` ::error::").for_markdown(200);
        assert!(!shown.contains("@org") && !shown.contains("](https") && !shown.contains("<img"), "{shown}");
        assert!(shown.contains("\\|") && !shown.contains("://") && !shown.contains("::"), "{shown}");
    }

    #[test]
    fn xml_and_csv_commands_are_broken() {
        assert_eq!(
            Untrusted::from("a\u{0}b[[ATTACHMENT|/etc/passwd]]").for_xml(99),
            "a␀b[[\u{200b}ATTACHMENT|/etc/passwd]]"
        );
        assert_eq!(Untrusted::from("=1+1").for_csv(), "'=1+1");
        assert_eq!(Untrusted::from("plain").for_csv(), "plain");
    }

    #[test]
    fn html_keeps_line_breaks_and_shows_the_invisible() {
        assert_eq!(Untrusted::from("a\nb\u{200b}c").for_html(), "a\nb‹U+200B›c");
    }
}
