//! An exchange while it goes on, and what of it may be kept.

use super::super::secret::Key;
use super::format::MAX_PIECES;
use super::{End, Ending, Reply, Request, Wire, scrub};
use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::HeaderMap;
use std::collections::BTreeMap;

/// The headers of a request that are kept. A credential is none of them, whatever its name.
const SENT: [&str; 3] = ["accept", "azureml-model-deployment", "content-type"];

/// The headers of a reply that are kept: those that are read, and no cookie or other word of the server's.
const CAME: [&str; 19] = [
    "apim-request-id",
    "azureml-model-deployment",
    "content-encoding",
    "content-type",
    "date",
    "retry-after",
    "retry-after-ms",
    "x-ms-region",
    "x-ms-request-id",
    "x-ms-spillover-from-deployment",
    "x-rate-limit-remaining-requests",
    "x-rate-limit-remaining-tokens",
    "x-rate-limit-reset-requests",
    "x-rate-limit-reset-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-request-id",
];

/// An exchange while it goes on.
pub(in super::super) struct Draft {
    request: Request,
    reply: Option<Reply>,
    end: Option<End>,
    /// Whether it came in more pieces than are kept, or may not be kept.
    overflow: bool,
}

impl Request {
    /// What a request says beside its credential.
    pub(in super::super) fn new(url: &Url, headers: &HeaderMap, body: Vec<u8>) -> Self {
        Self { method: "POST".to_owned(), address: url.to_string(), headers: kept(headers, &SENT), body: Wire(body) }
    }
}

/// The headers of some names. What is no UTF-8 is kept as it will be read.
fn kept(headers: &HeaderMap, names: &[&str]) -> BTreeMap<String, String> {
    let text = |name: &&str| {
        let value = headers.get(*name)?;
        Some(((*name).to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    names.iter().filter_map(text).collect()
}

impl Draft {
    pub(in super::super) fn new(request: Request) -> Self {
        Self { request, reply: None, end: None, overflow: false }
    }

    /// The head of the reply has come.
    pub(in super::super) fn head(&mut self, status: u16, received: Timestamp, head_us: u64, headers: &HeaderMap) {
        self.reply = Some(Reply { status, received, head_us, headers: kept(headers, &CAME), pieces: Vec::new() });
    }

    /// A piece of the body has come.
    pub(in super::super) fn piece(&mut self, us: u64, bytes: &[u8]) {
        let Some(reply) = &mut self.reply else { return };
        if reply.pieces.len() == MAX_PIECES || self.overflow {
            self.overflow = true;
            reply.pieces.clear();
        } else {
            reply.pieces.push((us, Wire(bytes.to_vec())));
        }
        // Until something else ends it.
        self.end = Some(End { kind: Ending::Left, us, message: None });
    }

    /// Nothing of the body may be kept.
    pub(in super::super) fn withhold(&mut self) {
        self.overflow = true;
    }

    /// It has ended.
    pub(in super::super) fn end(&mut self, kind: Ending, us: u64, message: Option<String>) {
        self.end = Some(End { kind, us, message });
    }

    /// What is kept: nothing of a body in which a secret would stay.
    pub(super) fn finish(self, keys: &[Key]) -> (Request, Option<Reply>, End) {
        let Self { mut request, mut reply, end, overflow } = self;
        let head_us = reply.as_ref().map_or(0, |r| r.head_us);
        let mut end = end.unwrap_or(End { kind: Ending::Left, us: head_us, message: None });
        end.message = end.message.map(|m| scrub::text(m, keys));
        // A short key is a word that any question and any answer may hold; they stay as they were, and so they do in the journal.
        let long: Vec<Key> = keys.iter().filter(|k| k.is_long()).cloned().collect();
        let mut clean = true;
        request.body = scrub::body(request.body, &long).unwrap_or_else(|| {
            clean = false;
            Wire::default()
        });
        if let Some(reply) = &mut reply {
            for value in reply.headers.values_mut() {
                *value = scrub::text(std::mem::take(value), keys);
            }
            let is_answer = (200..300).contains(&reply.status);
            if overflow || !scrub::pieces_of(&mut reply.pieces, if is_answer { &long } else { keys }) {
                clean = false;
                reply.pieces.clear();
            }
        }
        if !clean && end.kind != Ending::TimeUp && reply.is_some() {
            end.kind = Ending::NotKept;
        }
        (request, reply, end)
    }
}
