//! Two answers side by side, with the words that differ marked.

use crate::types::Untrusted;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Longer answers are cut for the comparison: the explorer holds them whole.
const LONGEST: usize = 4_000;
/// Below this share of common characters, marks on nearly every word would only be noise.
const ALIKE: f64 = 0.4;

/// A run of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece {
    /// Whether the other side lacks it.
    differs: bool,
    text: String,
}

/// The two sides of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sides {
    pub(super) baseline: Vec<Piece>,
    pub(super) candidate: Vec<Piece>,
}

/// Compares two answers word by word; what cannot be seen in them is made visible first, so that it shows as a difference too.
pub(super) fn words(baseline: &Untrusted, candidate: &Untrusted) -> Sides {
    let (old, new) = (shown(baseline), shown(candidate));
    // Unicode words: in `"code":"E203"` only the code is a word, so that only the code is marked.
    let diff = TextDiff::from_unicode_words(&old, &new);
    if likeness(&diff) < ALIKE {
        let whole = |text: String| vec![Piece { differs: false, text }];
        return Sides { baseline: whole(old), candidate: whole(new) };
    }
    let mut sides = Sides { baseline: Vec::new(), candidate: Vec::new() };
    for change in diff.iter_all_changes() {
        let text: &str = change.value();
        match change.tag() {
            ChangeTag::Equal => {
                push(&mut sides.baseline, false, text);
                push(&mut sides.candidate, false, text);
            }
            ChangeTag::Delete => push(&mut sides.baseline, true, text),
            ChangeTag::Insert => push(&mut sides.candidate, true, text),
        }
    }
    sides
}

/// The share of visible characters that both sides have in common.
fn likeness<'a>(diff: &TextDiff<'a, 'a, str>) -> f64 {
    let (mut common, mut all) = (0, 0);
    for change in diff.iter_all_changes() {
        let visible = change.value().chars().filter(|c| !c.is_whitespace()).count();
        let sides = if change.tag() == ChangeTag::Equal { 2 } else { 1 };
        all += sides * visible;
        common += if sides == 2 { 2 * visible } else { 0 };
    }
    if all == 0 { 1.0 } else { common as f64 / all as f64 }
}

fn push(side: &mut Vec<Piece>, differs: bool, text: &str) {
    match side.last_mut() {
        Some(last) if last.differs == differs => last.text.push_str(text),
        _ => side.push(Piece { differs, text: text.to_owned() }),
    }
}

fn shown(text: &Untrusted) -> String {
    capped(text, LONGEST)
}

/// The text for a page, cut after `most` characters.
pub(super) fn capped(text: &Untrusted, most: usize) -> String {
    let whole = text.for_html();
    match whole.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &whole[..at]),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_differ_are_marked() {
        let sides = words(&"send it to line four".into(), &"send it to line five".into());
        let texts = |side: &[Piece]| side.iter().map(|p| (p.differs, p.text.clone())).collect::<Vec<_>>();
        assert_eq!(texts(&sides.baseline), [(false, "send it to line ".to_owned()), (true, "four".to_owned())]);
        assert_eq!(texts(&sides.candidate), [(false, "send it to line ".to_owned()), (true, "five".to_owned())]);
    }

    #[test]
    fn a_field_inside_json_is_marked_by_itself() {
        let sides = words(&r#"{"unit":"PLC7","code":"E203"}"#.into(), &r#"{"unit":"PLC7","code":"E302"}"#.into());
        let marked: Vec<&str> = sides.candidate.iter().filter(|p| p.differs).map(|p| p.text.as_str()).collect();
        assert_eq!(marked, ["E302"]);
    }

    #[test]
    fn answers_with_nothing_in_common_are_shown_plain_and_long_ones_are_cut() {
        let sides = words(&"send it to the line".into(), &"Put a jumper on the pins".into());
        assert!(sides.baseline.iter().chain(&sides.candidate).all(|p| !p.differs));
        assert_eq!(capped(&"ä".repeat(9).as_str().into(), 3), "äää…");
    }
}
