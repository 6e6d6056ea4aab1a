//! When the next request may go out so that the server's count stays within its limits. Pure: the clock is an argument.
//!
//! Azure spreads requests per minute evenly and counts them over slices of 1 and 10 seconds, so that a minute's limit alone protects nobody.
//! What counts is when a request arrives there, which is not known: somewhere between its sending and the head of its reply. A request
//! therefore keeps its place in a window until the window has passed since the head, and no window of the server can hold more than its
//! share. Where heads come late (they wait for the first token), that would cost more than it saves: the mean of this caution is held to
//! [`CAUTION`] of the window.

use std::collections::VecDeque;
use std::time::Duration;

/// The windows of every limit, seconds.
const WINDOWS: [f64; 3] = [1.0, 10.0, 60.0];
/// The most of a window that is given away, on average, for not knowing when requests arrive.
const CAUTION: f64 = 0.03;
/// How much lateness of its own the even pace makes up for, seconds: timers and tasks are late now and then.
const CATCH_UP: f64 = 0.1;
/// The largest share of a slice's tokens that a single request may be for the slice to be kept to the token. Larger ones would leave much of
/// it empty; for them the even pace and the longer windows hold.
const GRAIN: f64 = 0.05;
/// The longest wait before looking again, seconds.
const LONGEST: f64 = 60.0;

/// How much a deployment may be asked; what is not limited is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateLimits {
    /// Requests per minute.
    pub requests_per_minute: Option<f64>,
    /// Tokens per minute: of the prompt, and as many for the answer as it may have.
    pub tokens_per_minute: Option<f64>,
}

impl RateLimits {
    /// The stricter of two, limit by limit.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let least = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            requests_per_minute: least(self.requests_per_minute, other.requests_per_minute),
            tokens_per_minute: least(self.tokens_per_minute, other.tokens_per_minute),
        }
    }
}

/// A request that was sent, times in seconds of the pace's clock.
struct Sent {
    id: u64,
    at: f64,
    head: Option<f64>,
    tokens: f64,
}

/// The requests of the last minute and the even pace. Times are durations since any fixed moment.
pub(super) struct Pace {
    limits: RateLimits,
    sent: VecDeque<Sent>,
    next_id: u64,
    /// When the even pace has the next request, for requests and for tokens, seconds.
    due: [f64; 2],
    /// Mean seconds from sending to the reply's head; recent ones count more.
    head_after: f64,
}

impl Pace {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self { limits, sent: VecDeque::new(), next_id: 0, due: [0.0; 2], head_after: 0.0 }
    }

    pub(super) fn tighten(&mut self, limits: RateLimits) {
        self.limits = self.limits.stricter(limits);
    }

    /// Tokens of one request, no more than a minute's limit: whether a larger one is let in is the server's to say, and a count that cannot be
    /// must not keep back all that come after it.
    pub(super) fn at_most_all(&self, tokens: f64) -> f64 {
        self.limits.tokens_per_minute.map_or(tokens, |limit| tokens.min(limit))
    }

    fn rates(&self, share: f64) -> [Option<f64>; 2] {
        [self.limits.requests_per_minute, self.limits.tokens_per_minute].map(|r| r.map(|r| r / 60.0 * share))
    }

    /// How long a request of so many tokens has to wait before it is worth looking again; zero if it may go now. `share` of the limits is
    /// used.
    pub(super) fn wait(&self, now: Duration, tokens: f64, share: f64) -> Duration {
        let now = now.as_secs_f64();
        let rates = self.rates(share);
        let paced = rates.iter().zip(self.due).filter(|(rate, _)| rate.is_some()).map(|(_, due)| due - now);
        let mut wait = paced.fold(0.0_f64, f64::max);
        for window in WINDOWS {
            for (rate, size) in rates.iter().zip([None, Some(tokens)]) {
                if let Some(rate) = rate {
                    wait = wait.max(self.until_room(now, window, rate * window, size));
                }
            }
        }
        Duration::from_secs_f64(wait.min(LONGEST))
    }

    /// Seconds until the first request leaves a window that has no room; 0 if it has. `size` is the tokens of the request, `None` where
    /// requests are counted.
    fn until_room(&self, now: f64, window: f64, budget: f64, size: Option<f64>) -> f64 {
        let budget = match size {
            // A limit that is no whole number of requests in a slice lets one more into some slices: the even pace sees to the rest.
            None => (budget - 1e-9).ceil(),
            Some(size) if size > GRAIN * budget && window < 60.0 => return 0.0,
            Some(_) => budget,
        };
        let (mut used, mut first_leaves) = (0.0, f64::INFINITY);
        for sent in &self.sent {
            let leaves = self.arrived_by(sent, now, window) + window;
            if leaves > now {
                used += if size.is_some() { sent.tokens } else { 1.0 };
                first_leaves = first_leaves.min(leaves);
            }
        }
        // One request always fits into an empty window: whether it is too large for the deployment is the server's to say.
        if used == 0.0 || used + size.unwrap_or(1.0) <= budget { 0.0 } else { first_leaves - now }
    }

    /// The latest moment at which the server may have counted a request, as far as caution goes.
    fn arrived_by(&self, sent: &Sent, now: f64, window: f64) -> f64 {
        let caution = if self.head_after > CAUTION * window { CAUTION * window / self.head_after } else { 1.0 };
        sent.at + (sent.head.unwrap_or(now) - sent.at) * caution
    }

    /// Notes a request as sent and says its number.
    pub(super) fn send(&mut self, now: Duration, tokens: f64, share: f64) -> u64 {
        let now = now.as_secs_f64();
        let rates = self.rates(share);
        for ((due, rate), size) in self.due.iter_mut().zip(rates).zip([1.0, tokens]) {
            if let Some(rate) = rate {
                *due = due.max(now - CATCH_UP) + size / rate;
            }
        }
        let longest = WINDOWS[WINDOWS.len() - 1];
        // Twice the longest window: whatever is older has left them all, unless it never got a reply.
        while self.sent.front().is_some_and(|s| s.head.is_some_and(|h| h + longest < now) || s.at + 2.0 * longest < now)
        {
            self.sent.pop_front();
        }
        let id = self.next_id;
        self.next_id += 1;
        if rates.iter().any(Option::is_some) {
            self.sent.push_back(Sent { id, at: now, head: None, tokens });
        }
        id
    }

    fn find(&mut self, id: u64) -> Option<&mut Sent> {
        // Numbers rise in the order of sending.
        let at = self.sent.binary_search_by_key(&id, |s| s.id).ok()?;
        self.sent.get_mut(at)
    }

    /// The head of a request's reply has come, or its end without one.
    pub(super) fn head(&mut self, id: u64, now: Duration) {
        let now = now.as_secs_f64();
        let Some(sent) = self.find(id).filter(|s| s.head.is_none()) else { return };
        sent.head = Some(now);
        let after = now - sent.at;
        self.head_after = if id == 0 { after } else { self.head_after + (after - self.head_after) / 20.0 };
    }

    /// Corrects what a request's tokens were taken for.
    pub(super) fn settle(&mut self, id: u64, tokens: f64) {
        let (rate, tokens) = (self.rates(1.0)[1], self.at_most_all(tokens));
        let Some(sent) = self.find(id) else { return };
        let surplus = sent.tokens - tokens;
        sent.tokens = tokens;
        if let Some(rate) = rate {
            self.due[1] -= surplus / rate;
        }
    }
}
