//! JSON answers, field by field.

use super::text::{Scored, binary};
use crate::suite::{Expect, Part, json::parse_strict};
use serde_json::Value;

/// Scores a JSON answer: with [`Part::All`], the object has exactly the expected fields; with [`Part::Share`], the share of expected
/// fields that are right. A code fence around the object is tolerated; a second value, a duplicate key or prose is not JSON.
pub(super) fn json(answer: &str, expect: &Expect, part: Part) -> Scored {
    let Some(wanted) = &expect.json else { return (0.0, "the case expects no JSON".to_owned()) };
    let got = match parse_strict(unfenced(answer)) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return (0.0, "not a JSON object".to_owned()),
        Err(e) => return (0.0, format!("not JSON: {e}")),
    };
    let wrong: Vec<&str> =
        wanted.iter().filter(|(k, v)| !got.get(*k).is_some_and(|g| same(g, v))).map(|(k, _)| k.as_str()).collect();
    let extra: Vec<&str> = got.keys().filter(|k| !wanted.contains_key(*k)).map(String::as_str).collect();
    let mut why = Vec::new();
    if !wrong.is_empty() {
        why.push(format!("wrong: {}", wrong.join(", ")));
    }
    if !extra.is_empty() {
        why.push(format!("not asked for: {}", extra.join(", ")));
    }
    if why.is_empty() {
        why.push("every field is right".to_owned());
    }
    match part {
        Part::All => binary(wrong.is_empty() && extra.is_empty(), why.join("; ")),
        #[expect(clippy::cast_precision_loss, reason = "field counts are small")]
        Part::Share => ((wanted.len() - wrong.len()) as f64 / wanted.len().max(1) as f64, why.join("; ")),
    }
}

fn unfenced(answer: &str) -> &str {
    let text = answer.trim();
    let Some(inner) = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

/// Equality of values: numbers by value, texts with outer white space aside.
fn same(got: &Value, wanted: &Value) -> bool {
    match (got, wanted) {
        (Value::String(a), Value::String(b)) => a.trim() == b.trim(),
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => got == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expect() -> Expect {
        let object = [("part".to_owned(), json!("RV-2")), ("count".to_owned(), json!(3))];
        Expect { json: Some(object.into_iter().collect()), ..Expect::default() }
    }

    #[test]
    fn fields_are_compared_by_value() {
        let e = expect();
        let all = |t: &str| json(t, &e, Part::All).0;
        assert!(all("```json\n{\"count\": 3.0, \"part\": \"RV-2 \"}\n```") > 0.5);
        for bad in [
            r#"{"part":"RV-2"}"#,
            r#"{"part":"RV-2","count":3,"note":"x"}"#,
            r#"{"part":"RV-2","count":"3"}"#,
            r#"{"part":"RV-2","count":3,"count":3}"#,
            r#"Here: {"part":"RV-2","count":3}"#,
            r#"{"part":"RV-2","count":3} {}"#,
            "[]",
            "",
        ] {
            assert!(all(bad) < 0.5, "{bad}");
        }
    }

    #[test]
    fn the_share_counts_expected_fields() {
        let (value, why) = json(r#"{"part":"RV-3","count":3}"#, &expect(), Part::Share);
        assert!((value - 0.5).abs() < 1e-12);
        assert_eq!(why, "wrong: part");
    }
}
