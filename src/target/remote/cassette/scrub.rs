//! Takes secrets out of what is kept, wherever a server put them: in one piece, across pieces that the network cut, across the events of a
//! stream, or behind JSON's escapes.
//!
//! This is no second reader of answers: it looks at the strings of a body, whatever they mean, and where it cannot make sure that a secret is
//! gone, nothing of the body is kept.

use super::super::secret::{Key, WITHHELD};
use super::Wire;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// A text without secrets.
pub(super) fn text(text: String, keys: &[Key]) -> String {
    keys.iter().fold(text, |text, key| key.redact(text))
}

/// A whole body without secrets; `None` where one stays in it.
pub(super) fn body(body: Wire, keys: &[Key]) -> Option<Wire> {
    let mut pieces = vec![(0, body)];
    pieces_of(&mut pieces, keys).then(|| pieces.pop().map(|(_, body)| body)).flatten()
}

/// Takes secrets out of a body in pieces; says whether none stays in it. The pieces and their times stay: what stands in a secret's place
/// came with its first byte.
pub(super) fn pieces_of(pieces: &mut [(u64, Wire)], keys: &[Key]) -> bool {
    if keys.is_empty() {
        return true;
    }
    let mut parts: Vec<Vec<u8>> = pieces.iter_mut().map(|(_, piece)| std::mem::take(&mut piece.0)).collect();
    // Strings first: of a key that lies in two of them, the bytes show no more than an end.
    let (hidden, tokens) = hidden(&parts.concat(), keys);
    edit(&mut parts, &hidden);
    let plain: Vec<Edit> = spans(&parts.concat(), keys).into_iter().map(|s| (s, WITHHELD.into())).collect();
    edit(&mut parts, &plain);
    let mut clean = true;
    if !hidden.is_empty() || !plain.is_empty() {
        let whole = parts.concat();
        // Lists of tokens hold an answer a second time, cut where no string shows it.
        clean = !tokens && spans(&whole, keys).is_empty() && self::hidden(&whole, keys).0.is_empty();
    }
    for ((_, piece), part) in pieces.iter_mut().zip(parts) {
        piece.0 = part;
    }
    clean
}

/// Bytes, and what is to stand in their place.
type Edit = (Range<usize>, Vec<u8>);

fn spans(text: &[u8], keys: &[Key]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = keys.iter().flat_map(|k| k.spans(text)).collect();
    all.sort_by_key(|s| (s.start, s.end));
    // Of two secrets that overlap, both go.
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(all.len());
    for span in all {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// Makes edits, in order and apart from each other, in a text that lies in parts: the new bytes stand in the part where the old began.
fn edit(parts: &mut [Vec<u8>], edits: &[Edit]) {
    let mut edits = edits.iter().peekable();
    let mut start = 0;
    for part in parts {
        let end = start + part.len();
        let (mut out, mut at) = (Vec::with_capacity(part.len()), start);
        while let Some((old, new)) = edits.peek().filter(|(old, _)| old.start < end) {
            if old.start >= start {
                out.extend_from_slice(&part[at - start..old.start - start]);
                out.extend_from_slice(new);
            }
            at = old.end.min(end);
            if old.end > end {
                break;
            }
            edits.next();
        }
        out.extend_from_slice(&part[at - start..]);
        (*part, start) = (out, end);
    }
}

/// What must change in a body so that no string of it, or of its events together, holds a secret; and whether it lists tokens.
fn hidden(whole: &[u8], keys: &[Key]) -> (Vec<Edit>, bool) {
    let mut documents = documents(whole);
    let before: Vec<Value> = documents.iter().map(|(_, value)| value.clone()).collect();
    let mut strings: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut tokens = false;
    for (_, value) in &mut documents {
        unpack(value, keys);
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        tokens |= lists_tokens(value);
        leaves(value, kind, &mut |place, text| strings.entry(place).or_default().push(text.as_bytes().to_vec()));
    }
    for parts in strings.values_mut() {
        let found = spans(&parts.concat(), keys);
        edit(parts, &found.into_iter().map(|s| (s, WITHHELD.into())).collect::<Vec<_>>());
        // The strings come out again in the order in which they went in.
        parts.reverse();
    }
    let mut edits = Vec::new();
    for ((lines, value), before) in documents.iter_mut().zip(before) {
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        replace(value, kind, &mut strings);
        if *value != before {
            let mut new = value.to_string().into_bytes();
            for line in lines {
                edits.push((line.clone(), std::mem::take(&mut new)));
            }
        }
    }
    (edits, tokens)
}

fn lists_tokens(value: &Value) -> bool {
    match value {
        Value::Object(all) => all.iter().any(|(k, v)| (k.contains("logprobs") && !v.is_null()) || lists_tokens(v)),
        Value::Array(all) => all.iter().any(lists_tokens),
        _ => false,
    }
}

/// Every JSON document of a body with the bytes that it lies in: the body itself, or the data of each of its events.
fn documents(whole: &[u8]) -> Vec<(Vec<Range<usize>>, Value)> {
    if let Ok(value) = serde_json::from_slice(whole) {
        let start = whole.len() - whole.trim_ascii_start().len();
        return vec![(std::iter::once(start..start + whole.trim_ascii().len()).collect(), value)];
    }
    let (mut all, mut data, mut start) = (Vec::new(), Vec::<Range<usize>>::new(), 0);
    let mut end = |data: &mut Vec<Range<usize>>| {
        let lines = std::mem::take(data);
        let text: Vec<u8> = lines.iter().flat_map(|l| whole[l.clone()].iter().copied().chain([b'\n'])).collect();
        if let Ok(value) = serde_json::from_slice(&text) {
            all.push((lines, value));
        }
    };
    for line in whole.split_inclusive(|b| matches!(b, b'\r' | b'\n')) {
        let text = line.len() - usize::from(matches!(line.last(), Some(b'\r' | b'\n')));
        // Between the two bytes of one line end lies an empty line that is none.
        let inside = line == b"\n" && start > 0 && whole[start - 1] == b'\r';
        let mark = if start == 0 && line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        if line[mark..text].starts_with(b"data:") {
            let from = mark + 5 + usize::from(line.get(mark + 5) == Some(&b' '));
            data.push(start + from..start + text);
        } else if text == 0 && !inside {
            end(&mut data);
        }
        start += line.len();
    }
    end(&mut data);
    all
}

/// Every string of a document, with its place; keys of objects are strings too.
fn leaves(value: &Value, place: String, take: &mut impl FnMut(String, &str)) {
    match value {
        Value::String(text) => take(place, text),
        Value::Array(all) => all.iter().enumerate().for_each(|(i, v)| leaves(v, format!("{place}/{i}"), take)),
        Value::Object(all) => {
            for (key, v) in all {
                leaves(v, format!("{place}/{key}"), take);
            }
        }
        _ => {}
    }
}

/// Puts the strings back, in the order in which [`leaves`] took them.
fn replace(value: &mut Value, place: String, strings: &mut BTreeMap<String, Vec<Vec<u8>>>) {
    match value {
        Value::String(text) => {
            if let Some(new) = strings.get_mut(&place).and_then(Vec::pop) {
                // A secret is ASCII: what is left of the text is still UTF-8.
                *text = String::from_utf8_lossy(&new).into_owned();
            }
        }
        Value::Array(all) => {
            all.iter_mut().enumerate().for_each(|(i, v)| replace(v, format!("{place}/{i}"), strings));
        }
        Value::Object(all) => {
            for (key, v) in all {
                replace(v, format!("{place}/{key}"), strings);
            }
        }
        _ => {}
    }
}

/// Looks into a document that is a string of JSON, as some scoring scripts reply, and at the names of objects. A string within an answer is
/// the model's own, whatever is packed into it.
fn unpack(value: &mut Value, keys: &[Key]) {
    if let Value::String(packed) = value {
        let Ok(mut inner) = serde_json::from_str::<Value>(packed) else { return };
        let before = inner.clone();
        leaf_by_leaf(&mut inner, keys);
        if inner != before {
            *packed = inner.to_string();
        }
    } else {
        rename(value, keys);
    }
}

fn rename(value: &mut Value, keys: &[Key]) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|v| rename(v, keys)),
        Value::Object(all) => {
            if all.keys().any(|k| !spans(k.as_bytes(), keys).is_empty()) {
                let old = std::mem::take(all);
                all.extend(old.into_iter().map(|(k, v)| (text(k, keys), v)));
            }
            all.values_mut().for_each(|v| rename(v, keys));
        }
        _ => {}
    }
}

fn leaf_by_leaf(value: &mut Value, keys: &[Key]) {
    rename(value, keys);
    match value {
        Value::String(s) => *s = text(std::mem::take(s), keys),
        Value::Array(all) => all.iter_mut().for_each(|v| leaf_by_leaf(v, keys)),
        Value::Object(all) => all.values_mut().for_each(|v| leaf_by_leaf(v, keys)),
        _ => {}
    }
}
