//! JSON that means one thing: a key that stands twice is an error, where `serde_json` alone would silently keep the last.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::fmt;

/// A JSON value in which no object has a key twice.
#[derive(Clone, Debug, PartialEq)]
pub struct StrictValue(pub Value);

/// A JSON object from text keys to values, in which no key stands twice.
#[derive(Clone, Debug, PartialEq)]
pub struct UniqueMap<V>(pub BTreeMap<String, V>);

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Reads one JSON value, refusing duplicate keys at every depth. The depth limit is `serde_json`'s, 128.
///
/// # Errors
/// When the text is not exactly one JSON value, or an object has a key twice.
pub fn parse_strict(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<StrictValue>(text).map(|v| v.0)
}

/// Byte offset in `line` of the value at a path of object keys, or of the nearest enclosing value that exists.
#[must_use]
pub fn locate(line: &str, path: &[&str]) -> usize {
    let mut at = line;
    for key in path {
        let Ok(object) = serde_json::from_str::<BTreeMap<String, &serde_json::value::RawValue>>(at) else { break };
        let Some(value) = object.get(*key) else { break };
        at = value.get();
    }
    // A raw value borrows from the line, so the distance of the two starts is its place.
    at.as_ptr() as usize - line.as_ptr() as usize
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for MapVisitor<V> {
            type Value = UniqueMap<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some(key) = access.next_key::<String>()? {
                    if map.contains_key(&key) {
                        return Err(duplicate(&key));
                    }
                    map.insert(key, access.next_value()?);
                }
                Ok(UniqueMap(map))
            }
        }
        deserializer.deserialize_map(MapVisitor(std::marker::PhantomData))
    }
}

fn duplicate<E: de::Error>(key: &str) -> E {
    E::custom(format_args!("the key `{}` stands twice", crate::types::Untrusted::new(key).for_terminal(60)))
}

impl<'de> Deserialize<'de> for StrictValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = StrictValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<StrictValue, E> {
                Ok(StrictValue(Value::Null))
            }
            fn visit_bool<E>(self, v: bool) -> Result<StrictValue, E> {
                Ok(StrictValue(Value::Bool(v)))
            }
            fn visit_i64<E>(self, v: i64) -> Result<StrictValue, E> {
                Ok(StrictValue(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<StrictValue, E> {
                Ok(StrictValue(v.into()))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<StrictValue, E> {
                Number::from_f64(v).map(|n| StrictValue(n.into())).ok_or_else(|| E::custom("a number is not finite"))
            }
            fn visit_str<E>(self, v: &str) -> Result<StrictValue, E> {
                Ok(StrictValue(v.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<StrictValue, A::Error> {
                let mut items = Vec::new();
                while let Some(StrictValue(item)) = access.next_element()? {
                    items.push(item);
                }
                Ok(StrictValue(Value::Array(items)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<StrictValue, A::Error> {
                let mut map = Map::new();
                while let Some(key) = access.next_key::<String>()? {
                    if map.contains_key(&key) {
                        return Err(duplicate(&key));
                    }
                    let StrictValue(value) = access.next_value()?;
                    map.insert(key, value);
                }
                Ok(StrictValue(Value::Object(map)))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(parse_strict(r#"{"a":1,"b":[{"c":1}]}"#).is_ok());
        for bad in [r#"{"a":1,"a":2}"#, r#"{"b":[{"c":1,"c":1}]}"#, r#"{"a":1} x"#, "{\"a\":1e999}", ""] {
            assert!(parse_strict(bad).is_err(), "{bad}");
        }
        assert!(parse_strict(&"[".repeat(10_000)).is_err(), "depth is bounded");
    }

    #[test]
    fn a_value_is_found_where_it_stands() {
        let line = r#"{"id": "x", "expect": {"answer" : 7}}"#;
        assert_eq!(&line[locate(line, &["expect", "answer"])..][..1], "7");
        assert_eq!(locate(line, &["expect", "nothing"]), line.find("{\"answer").unwrap());
        assert_eq!(locate("not json", &["id"]), 0);
    }
}
