//! Tone by checklist: each item is a pattern that must or must not occur.

use super::text::{Scored, binary, contains};
use crate::suite::{Check, CheckRule, Expect, Part};

/// Scores a checklist: with [`Part::All`], whether every item holds; with [`Part::Share`], the share that hold.
pub(super) fn tone(answer: &str, expect: &Expect, checks: &[Check], part: Part) -> Scored {
    let holds = |c: &&Check| match &c.rule {
        CheckRule::Match(p) => p.is_match(answer),
        CheckRule::Avoid(p) => !p.is_match(answer),
        CheckRule::MustContain => {
            let only_required = Expect { must_contain: expect.must_contain.clone(), ..Expect::default() };
            contains(answer, &only_required).0 > 0.5
        }
    };
    let failed: Vec<&str> = checks.iter().filter(|c| !holds(c)).map(|c| c.name.as_str()).collect();
    let why = if failed.is_empty() { "every check holds".to_owned() } else { format!("fails: {}", failed.join(", ")) };
    match part {
        Part::All => binary(failed.is_empty(), why),
        #[expect(clippy::cast_precision_loss, reason = "check counts are small")]
        Part::Share => ((checks.len() - failed.len()) as f64 / checks.len().max(1) as f64, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn every_failed_check_is_named() {
        let check = |name: &str, rule| Check { name: name.to_owned(), rule };
        let checks = [
            check("greeting", CheckRule::Match(Regex::new("^(Hi|Hello) ").unwrap())),
            check("no blame", CheckRule::Avoid(Regex::new("(?i)your fault").unwrap())),
            check("name", CheckRule::MustContain),
        ];
        let e = Expect { must_contain: vec!["Dana".into()], ..Expect::default() };
        assert_eq!(tone("Hello Dana, we are on it.", &e, &checks, Part::All), (1.0, "every check holds".to_owned()));
        let (value, why) = tone("That is your fault.", &e, &checks, Part::All);
        assert!(value < 0.5);
        assert_eq!(why, "fails: greeting, no blame, name");
        assert!((tone("Hello you", &e, &checks, Part::Share).0 - 2.0 / 3.0).abs() < 1e-12);
    }
}
