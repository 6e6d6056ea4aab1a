//! The lines of a cassette.

use super::super::super::http::MAX_REPLY;
use super::super::super::{Probing, TrialRef};
use crate::types::{CaseId, Digest, TargetName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this program reads and writes; `schemas/cassette.schema.json` describes it.
pub(super) const FORMAT: &str = "goldgate.cassette/1";

/// The most bytes of one line: far above a reply of the greatest length with every byte escaped.
pub(super) const MAX_LINE: usize = 64 << 20;

/// The most pieces of one reply that are kept; no server sends an answer of [`MAX_REPLY`] bytes in more.
pub(super) const MAX_PIECES: usize = 1 << 18;

/// The first line: whose exchanges these are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Header {
    /// Always [`FORMAT`].
    pub format: String,
    /// The version of the program that wrote it.
    pub version: String,
    /// The target's name in its run.
    pub target: TargetName,
    /// Its kind, such as `azure-openai`.
    pub kind: String,
    /// The model or deployment.
    pub model: String,
    /// The address that was posted to.
    pub address: String,
    /// Digest of what answered, as in the run's manifest.
    pub digest: Digest,
    /// Digest of the run's `run.json`.
    pub run: Digest,
    /// The run's seed.
    pub seed: u64,
    /// Questions that were in flight at once.
    pub concurrency: usize,
    /// Whether its targets were asked without any probe.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprobed: bool,
}

/// One attempt at one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in super::super) struct Exchange {
    /// Its place among all exchanges of the run, whoever was asked: the order in which they ended.
    pub seq: u64,
    /// The sitting of the run, from 1: a trial that was asked and not recorded is asked again in the next.
    pub sitting: u32,
    /// The case that was asked; a probe has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// When it was asked, of a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probing>,
    /// Which repeat of the case, or question of the probe, from 0.
    pub repeat: u32,
    /// Which attempt of the sitting, from 1.
    pub attempt: u32,
    /// Microseconds in which the question was kept back before this attempt.
    pub waited_us: u64,
    /// What was sent.
    pub request: Request,
    /// What came back; nothing where no head of a reply came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// How it ended.
    pub end: End,
}

/// What was sent. No credential is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in super::super) struct Request {
    pub method: String,
    pub address: String,
    pub headers: BTreeMap<String, String>,
    pub body: Wire,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in super::super) struct Reply {
    pub status: u16,
    /// When the head came, by the wall clock: waits that a server gives as dates are counted from here.
    pub received: Timestamp,
    /// Microseconds from the request to the head.
    pub head_us: u64,
    pub headers: BTreeMap<String, String>,
    /// The body as it came: microseconds since the request, and bytes.
    pub pieces: Vec<(u64, Wire)>,
}

/// How an exchange ended, and when, microseconds since the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in super::super) struct End {
    pub kind: Ending,
    pub us: u64,
    /// What the connection said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Ending {
    /// The reply's body ended.
    Whole,
    /// The rest of the reply was not read: what had come was enough.
    Left,
    /// The time of the attempt was up.
    TimeUp,
    /// No connection.
    Unreachable,
    /// The server's certificate, or its version of TLS, is not taken.
    Distrusted,
    /// The connection's own time was up.
    Late,
    /// The connection ended before the head of a reply.
    Cut,
    /// The connection ended within the body.
    BrokenOff,
    /// The reply was read and not kept: it was cut too small, or a secret in it could not be taken out.
    NotKept,
}

impl Ending {
    /// Whether there is a reply.
    fn has_reply(self) -> Option<bool> {
        match self {
            Self::Whole | Self::Left | Self::BrokenOff | Self::NotKept => Some(true),
            Self::Unreachable | Self::Distrusted | Self::Cut => Some(false),
            Self::TimeUp | Self::Late => None,
        }
    }
}

/// Bytes of the wire: text where they are text, base64 where they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Wire(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Written<'a> {
    Text(std::borrow::Cow<'a, str>),
    Bytes { base64: String },
}

impl Serialize for Wire {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Written::Text(text.into()),
            Err(_) => Written::Bytes { base64: STANDARD.encode(&self.0) },
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from)? {
            Written::Text(text) => Ok(Self(text.into_owned().into_bytes())),
            Written::Bytes { base64 } => STANDARD.decode(base64).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl Exchange {
    /// Who asked.
    ///
    /// # Errors
    /// When it is neither a trial nor a probe.
    pub(in super::super) fn trial(&self) -> Result<TrialRef, String> {
        match (&self.case, self.probe) {
            (Some(case), None) => Ok(TrialRef::Case { case: case.clone(), repeat: self.repeat }),
            (None, Some(when)) => Ok(TrialRef::Probe { when, question: self.repeat }),
            _ => Err("an exchange is of a `case` or of a `probe`".to_owned()),
        }
    }

    /// What no recording of this program has.
    pub(super) fn check(&self) -> Result<(), String> {
        self.trial()?;
        if self.sitting == 0 || self.attempt == 0 {
            return Err("sittings and attempts count from 1".to_owned());
        }
        if self.end.kind.has_reply().is_some_and(|needed| needed != self.reply.is_some()) {
            return Err("how it ended does not fit whether there is a reply".to_owned());
        }
        let Some(reply) = &self.reply else { return Ok(()) };
        StatusCode::from_u16(reply.status).map_err(|_| format!("{} is no status", reply.status))?;
        headers_of(&reply.headers)?;
        let mut last = reply.head_us;
        let times = reply.pieces.iter().map(|(at, _)| *at).chain([self.end.us]);
        for at in times {
            if at < last {
                return Err(format!("what came at {at} µs stands behind what came at {last} µs"));
            }
            last = at;
        }
        // One piece beyond the most that is read, for a reply that was refused for its length.
        let bytes: usize = reply.pieces.iter().map(|(_, piece)| piece.0.len()).sum();
        if reply.pieces.len() > MAX_PIECES || bytes > 2 * MAX_REPLY {
            return Err("its reply is longer than any that is read".to_owned());
        }
        Ok(())
    }
}

/// Recorded headers as a reply has them.
pub(in super::super) fn headers_of(written: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let wrong = || format!("`{}` is no header", crate::types::Untrusted::from(name.as_str()).for_terminal(60));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())?);
    }
    Ok(headers)
}
