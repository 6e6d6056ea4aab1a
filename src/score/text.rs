//! Right or wrong by text: exact, normalised, choice, contains.

use crate::suite::Expect;

/// A value in `[0, 1]` with its reason.
pub(super) type Scored = (f64, String);

pub(super) fn binary(right: bool, why: impl Into<String>) -> Scored {
    (f64::from(u8::from(right)), why.into())
}

/// Text for comparison: lower case, white space collapsed, sentence punctuation and quotes dropped.
///
/// What carries meaning stays: a point or comma between digits, signs, `%`, `/`, `#`, `+`.
pub(super) fn normalise(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (i, &c) in chars.iter().enumerate() {
        let between_digits = || {
            let digit = |j: Option<usize>| j.and_then(|j| chars.get(j)).is_some_and(char::is_ascii_digit);
            digit(i.checked_sub(1)) && digit(Some(i + 1))
        };
        let dropped = match c {
            '.' | ',' | ':' => !between_digits(),
            ';' | '!' | '?' | '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '*' => true,
            '\u{2018}'..='\u{201f}' | '«' | '»' | '…' => true,
            _ => c.is_control() && !c.is_whitespace(),
        };
        if c.is_whitespace() || dropped {
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out.truncate(out.trim_end().len());
    out
}

pub(super) fn exact(answer: &str, expect: &Expect) -> Scored {
    let wanted = expect.answer.as_deref().unwrap_or_default();
    binary(answer.trim() == wanted.trim(), format!("expected `{wanted}`"))
}

pub(super) fn normalised(answer: &str, expect: &Expect) -> Scored {
    let wanted = expect.answer.as_deref().unwrap_or_default();
    binary(normalise(answer) == normalise(wanted), format!("expected `{wanted}`"))
}

/// Right when the answer names the expected option and no other. An option inside a longer named option is not named by it.
pub(super) fn choice(answer: &str, expect: &Expect) -> Scored {
    let said = format!(" {} ", normalise(answer));
    let mut options: Vec<String> = expect.choices.iter().map(|c| normalise(c)).collect();
    options.sort_by_key(|o| std::cmp::Reverse(o.len()));
    let mut rest = said;
    let mut named = Vec::new();
    for option in options.iter().filter(|o| !o.is_empty()) {
        let word = format!(" {option} ");
        if rest.contains(&word) {
            rest = rest.replace(&word, " \u{0} ");
            named.push(option.clone());
        }
    }
    let wanted = normalise(expect.answer.as_deref().unwrap_or_default());
    let why = match named.as_slice() {
        [] => "names none of the options".to_owned(),
        [one] => format!("names `{one}`"),
        many => format!("names {} options", many.len()),
    };
    binary(named == [wanted.clone()], format!("{why}, expected `{wanted}`"))
}

pub(super) fn contains(answer: &str, expect: &Expect) -> Scored {
    let said = answer.to_lowercase();
    let has = |t: &&String| said.contains(&t.to_lowercase());
    let lacks: Vec<_> = expect.must_contain.iter().filter(|t| !has(t)).map(|t| format!("lacks `{t}`")).collect();
    let says = expect.must_not_contain.iter().filter(has).map(|t| format!("says `{t}`"));
    let wrong: Vec<String> = lacks.into_iter().chain(says).collect();
    let why = if wrong.is_empty() { "all required texts occur".to_owned() } else { wrong.join(", ") };
    binary(wrong.is_empty(), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expecting(answer: &str, choices: &[&str]) -> Expect {
        let choices = choices.iter().map(ToString::to_string).collect();
        Expect { answer: Some(answer.to_owned()), choices, ..Expect::default() }
    }

    fn right(scored: &Scored) -> bool {
        (scored.0 - 1.0).abs() < f64::EPSILON
    }

    #[test]
    fn normalising_keeps_what_carries_meaning() {
        assert_eq!(normalise("  The \"Answer\":\n 3.5 bar! "), "the answer 3.5 bar");
        assert_ne!(normalise("3.5"), normalise("35"));
        assert_ne!(normalise("-5"), normalise("5"));
        assert_ne!(normalise("C++"), normalise("C"));
        assert_eq!(normalise("Billing."), "billing");
        assert_eq!(normalise("…"), "");
    }

    #[test]
    fn exact_and_normalised_differ_in_case_only() {
        let e = expecting("Billing", &[]);
        assert!(right(&exact(" Billing\n", &e)) && !right(&exact("billing", &e)));
        assert!(right(&normalised("billing.", &e)) && !right(&normalised("billings", &e)));
        assert!(!right(&normalised("", &e)));
    }

    #[test]
    fn a_choice_names_one_option_and_no_other() {
        let e = expecting("relief valve", &["relief valve", "valve", "gauge"]);
        assert!(right(&choice("It is the Relief Valve.", &e)));
        assert!(!right(&choice("valve", &e)), "another option");
        assert!(!right(&choice("relief valve or gauge", &e)), "hedging");
        assert!(!right(&choice("", &e)));
        assert!(!right(&choice("relief valves", &e)), "another word");
    }

    #[test]
    fn contains_says_what_is_missing() {
        let e =
            Expect { must_contain: vec!["Dana".into()], must_not_contain: vec!["cheap".into()], ..Expect::default() };
        assert!(right(&contains("hello DANA", &e)));
        let (value, why) = contains("a cheap one", &e);
        assert!(value < 0.5);
        assert_eq!(why, "lacks `Dana`, says `cheap`");
    }
}
