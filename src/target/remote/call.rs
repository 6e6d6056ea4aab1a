//! One attempt at a question on its way: over a connection, over one that is recorded, or out of a recording. Whoever asks does not see which.

use super::super::TrialRef;
use super::super::http::{Class, LimitField, Problem};
use super::cassette::{Draft, End, Ending, Exchange, Request, Tape, Wire, headers_of};
use super::reply::{trouble, within};
use super::secret::Key;
use super::spec::Patience;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{Client, Url};
use std::time::{Duration, Instant};
use std::vec::IntoIter;

/// One attempt.
pub(super) struct Call<'a> {
    tape: &'a Tape,
    trial: Option<&'a TrialRef>,
    attempt: u32,
    waited_us: u64,
    /// When the question was begun, and how much of the time since then is known of the attempts before.
    begun: (Instant, u64),
    /// How long nothing may come within a reply.
    idle: Option<Duration>,
    sent: Instant,
    at: Duration,
    status: u16,
    head: HeaderMap,
    received: Timestamp,
    source: Source,
    /// What is kept of it.
    draft: Option<Draft>,
}

/// Where the reply comes from.
enum Source {
    Nothing,
    Connection(reqwest::Response),
    /// The recorded exchange, until it is compared with what would be sent.
    Recorded(Box<Exchange>),
    /// Nothing fits in the recording.
    Unrecorded(String),
    Pieces(IntoIter<(u64, Wire)>, End),
}

/// A reply that breaks off.
pub(super) struct Broken {
    /// Why.
    pub problem: Problem,
    /// Whether the head of a reply had come and its body was under way.
    pub in_body: bool,
}

impl<'a> Call<'a> {
    /// An attempt, from 1, of whoever asks.
    pub(super) fn new(tape: &'a Tape, trial: Option<&'a TrialRef>, attempt: u32) -> Self {
        let mut call = Self {
            tape,
            trial,
            attempt,
            waited_us: 0,
            begun: (Instant::now(), 0),
            idle: None,
            sent: Instant::now(),
            at: Duration::ZERO,
            status: 0,
            head: HeaderMap::new(),
            received: Timestamp::UNIX_EPOCH,
            source: Source::Nothing,
            draft: None,
        };
        if let Tape::Replay(player) = tape {
            let no_trial = || "a question that belongs to no run has no recording".to_owned();
            call.source = match trial.ok_or_else(no_trial).and_then(|t| player.attempt(t, attempt)) {
                Ok(exchange) => {
                    call.waited_us = exchange.waited_us;
                    Source::Recorded(Box::new(exchange))
                }
                Err(why) => Source::Unrecorded(why),
            };
        }
        call
    }

    /// The address that was recorded: which of several endpoints is asked depends on what others had met by then.
    pub(super) fn address(&self) -> Option<&str> {
        let Source::Recorded(exchange) = &self.source else { return None };
        Some(&exchange.request.address)
    }

    /// The moment at which the question was begun, and the microseconds from then on that the attempts before this one hold: what else there
    /// is until this one is sent is its own, whatever took that time.
    pub(super) fn begun(&mut self, at: Instant, known_us: u64) {
        self.begun = (at, known_us);
    }

    /// Microseconds from the sending of the attempt before, or from the question's begin, to this attempt's sending; of a replay, as was
    /// recorded.
    pub(super) fn waited_us(&self) -> u64 {
        self.waited_us
    }

    /// The token limit's name that was recorded: which one a question was sent with depends on what others had found out by then.
    pub(super) fn limit_field(&self) -> Option<LimitField> {
        let Source::Recorded(exchange) = &self.source else { return None };
        let body: serde_json::Value = serde_json::from_slice(&exchange.request.body.0).ok()?;
        let both = [LimitField::MaxTokens, LimitField::MaxCompletionTokens];
        both.into_iter().find(|field| body.get(field.as_str()).is_some())
    }

    /// Sends the request and waits for the reply's head. The credential goes to the connection and nowhere else.
    pub(super) async fn send(
        &mut self,
        client: &Client,
        url: &Url,
        headers: &HeaderMap,
        credential: HeaderMap,
        body: Vec<u8>,
        patience: Patience,
    ) -> Result<(), Problem> {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Recorded(exchange) => return self.play(*exchange, &Request::new(url, headers, body)),
            Source::Unrecorded(why) => return Err(Problem::new(Class::Unrecorded, why)),
            _ => {}
        }
        if let (Tape::Record(_), Some(_)) = (self.tape, self.trial) {
            self.draft = Some(Draft::new(Request::new(url, headers, body.clone())));
        }
        let request = client.post(url.clone()).headers(headers.clone()).headers(credential).body(body);
        self.sent = Instant::now();
        let (begin, known_us) = self.begun;
        self.waited_us = micros(self.sent.duration_since(begin)).saturating_sub(known_us);
        self.idle = patience.idle;
        let reply = within(patience.first_byte, request.send()).await;
        self.at = self.sent.elapsed();
        let reply = match reply {
            Ok(reply) => reply.map_err(|e| self.broke(e).problem)?,
            Err(s) => return Err(self.late(format!("no byte of a reply within {s} s"))),
        };
        (self.status, self.received) = (reply.status().as_u16(), Timestamp::now());
        self.head = reply.headers().clone();
        self.source = Source::Connection(reply);
        if let Some(draft) = &mut self.draft {
            draft.head(self.status, self.received, micros(self.at), &self.head);
        }
        Ok(())
    }

    /// Takes a recorded exchange in place of a connection, if it answers this request.
    fn play(&mut self, exchange: Exchange, request: &Request) -> Result<(), Problem> {
        let Tape::Replay(player) = self.tape else { return Ok(()) };
        let unrecorded = |why| Problem::new(Class::Unrecorded, why);
        player.compare(&exchange, request).map_err(unrecorded)?;
        let asked = exchange.trial().map_err(unrecorded)?;
        let end = exchange.end;
        self.at = Duration::from_micros(end.us);
        let message = end.message.clone().unwrap_or_default();
        match (end.kind, exchange.reply) {
            (Ending::NotKept, _) => {
                Err(unrecorded(format!("{asked}: the recording did not keep this reply, see docs/targets.md")))
            }
            // Whatever had come by then: the attempt got no further.
            (Ending::TimeUp, _) => Err(Problem::new(Class::Late, message)),
            (kind, None) => Err(Problem::new(class(kind), message)),
            (_, Some(reply)) => {
                self.head = headers_of(&reply.headers).map_err(unrecorded)?;
                (self.status, self.received) = (reply.status, reply.received);
                self.at = Duration::from_micros(reply.head_us);
                self.source = Source::Pieces(reply.pieces.into_iter(), end);
                Ok(())
            }
        }
    }

    /// The reply's status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The reply's headers; of a replay, those that are kept.
    pub(super) fn head(&self) -> &HeaderMap {
        &self.head
    }

    /// When the head came.
    pub(super) fn received(&self) -> Timestamp {
        self.received
    }

    /// When the last of it came, since it was sent: a piece, or the end.
    pub(super) fn at(&self) -> Duration {
        self.at
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        match &mut self.source {
            Source::Connection(reply) => {
                let chunk = within(self.idle, reply.chunk()).await;
                self.at = self.sent.elapsed();
                let chunk = match chunk {
                    Ok(chunk) => chunk.map_err(|e| self.broke(e))?,
                    Err(s) => {
                        let problem = self.late(format!("nothing came for {s} s in the middle of the reply"));
                        return Err(Broken { problem, in_body: false });
                    }
                };
                if let Some(draft) = &mut self.draft {
                    match &chunk {
                        Some(chunk) => draft.piece(micros(self.at), chunk),
                        None => draft.end(Ending::Whole, micros(self.at), None),
                    }
                }
                Ok(chunk)
            }
            Source::Pieces(pieces, end) => {
                if let Some((at, piece)) = pieces.next() {
                    self.at = Duration::from_micros(at);
                    return Ok(Some(Bytes::from(piece.0)));
                }
                self.at = Duration::from_micros(end.us);
                match end.kind {
                    Ending::Whole | Ending::Left => Ok(None),
                    kind => {
                        let message = end.message.clone().unwrap_or_default();
                        Err(Broken { problem: Problem::new(class(kind), message), in_body: kind == Ending::BrokenOff })
                    }
                }
            }
            _ => Ok(None),
        }
    }

    fn broke(&mut self, e: reqwest::Error) -> Broken {
        let in_body = e.is_body() || e.is_decode();
        let problem = trouble(e);
        if let Some(draft) = &mut self.draft {
            let kind = match problem.class {
                _ if in_body => Ending::BrokenOff,
                Class::Unreachable => Ending::Unreachable,
                Class::Distrusted => Ending::Distrusted,
                Class::Late => Ending::Late,
                _ => Ending::Cut,
            };
            draft.end(kind, micros(self.at), Some(problem.message.clone()));
        }
        Broken { problem, in_body }
    }

    /// Nothing came in time.
    fn late(&mut self, message: String) -> Problem {
        if let Some(draft) = &mut self.draft {
            draft.end(Ending::Late, micros(self.at), Some(message.clone()));
        }
        Problem::new(Class::Late, message)
    }

    /// Nothing of the reply may be kept.
    pub(super) fn withhold(&mut self) {
        if let Some(draft) = &mut self.draft {
            draft.withhold();
        }
    }

    /// The time of the attempt was up, which is told in these words.
    pub(super) fn time_up(&mut self, message: &str) {
        if let Some(draft) = &mut self.draft {
            draft.end(Ending::TimeUp, micros(self.sent.elapsed()), Some(message.to_owned()));
        }
    }

    /// The attempt is over: what there was of it is kept, without any of these secrets.
    ///
    /// # Errors
    /// When it cannot be kept: the run must stop, for it could not be replayed.
    pub(super) fn keep(self, secrets: &[Key]) -> Result<(), String> {
        let (Tape::Record(recorder), Some(trial), Some(draft)) = (self.tape, self.trial, self.draft) else {
            return Ok(());
        };
        recorder.keep(trial, self.attempt, self.waited_us, draft, secrets).map_err(|e| e.to_string())
    }
}

fn class(kind: Ending) -> Class {
    match kind {
        Ending::Unreachable => Class::Unreachable,
        Ending::Distrusted => Class::Distrusted,
        Ending::Late | Ending::TimeUp => Class::Late,
        _ => Class::Cut,
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
