//! What differs between a recorded request and one that would be sent, in a person's words.

use super::Request;
use crate::types::Untrusted;
use serde_json::Value;

/// The most characters of a value that are shown.
const SHOWN: usize = 60;
/// The characters before the first difference of two texts that are shown with it.
const BEFORE: usize = 12;

/// The first difference; `None` for equal requests.
pub(super) fn requests(was: &Request, is: &Request) -> Option<String> {
    if was == is {
        return None;
    }
    let said = |what: &str, was: &str, is: &str| {
        let (was, is) = around(was, is);
        format!("{what} was {was} and is {is}")
    };
    if was.method != is.method {
        return Some(said("the method", &was.method, &is.method));
    }
    if was.address != is.address {
        return Some(said("the address", &was.address, &is.address));
    }
    if was.headers != is.headers {
        let name = was.headers.keys().chain(is.headers.keys()).find(|n| was.headers.get(*n) != is.headers.get(*n))?;
        let value = |r: &Request| r.headers.get(name).cloned().unwrap_or_default();
        return Some(said(&format!("the header {}", shown(name)), &value(was), &value(is)));
    }
    let json = |r: &Request| serde_json::from_slice::<Value>(&r.body.0).ok();
    if let (Some(was), Some(is)) = (json(was), json(is))
        && let Some(found) = values("", &was, &is)
    {
        return Some(found);
    }
    let text = |r: &Request| String::from_utf8_lossy(&r.body.0).into_owned();
    Some(said("the body", &text(was), &text(is)))
}

/// The first difference of two JSON values, with its place as a JSON pointer.
fn values(place: &str, was: &Value, is: &Value) -> Option<String> {
    let here = |name: &dyn std::fmt::Display| format!("{place}/{name}");
    let one_sided = |name: &dyn std::fmt::Display, was: Option<&Value>, is: Option<&Value>| match (was, is) {
        (Some(was), Some(is)) => values(&here(name), was, is),
        (Some(was), None) => Some(format!("{} was {} and is gone", shown(&here(name)), shown(&was.to_string()))),
        (None, Some(is)) => Some(format!("{} was not there and is {}", shown(&here(name)), shown(&is.to_string()))),
        (None, None) => None,
    };
    match (was, is) {
        _ if was == is => None,
        (Value::Object(was), Value::Object(is)) => {
            let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            names.into_iter().find_map(|name| one_sided(name, was.get(name), is.get(name)))
        }
        (Value::Array(was), Value::Array(is)) => {
            (0..was.len().max(is.len())).find_map(|i| one_sided(&i, was.get(i), is.get(i)))
        }
        _ => {
            let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            let (was, is) = around(&text(was), &text(is));
            Some(format!("{} was {was} and is {is}", shown(place)))
        }
    }
}

/// Both texts from shortly before they part.
fn around(was: &str, is: &str) -> (String, String) {
    let same = was.chars().zip(is.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(BEFORE);
    let part = |text: &str| {
        let rest: String = text.chars().skip(from).collect();
        shown(&if from > 0 { format!("…{rest}") } else { rest })
    };
    (part(was), part(is))
}

fn shown(text: &str) -> String {
    format!("`{}`", Untrusted::from(text).for_terminal(SHOWN))
}
