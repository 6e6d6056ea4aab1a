//! What stands between a question and its deployment: the deployment's limits, the waits that its server asked for, a rate that falls when it
//! turns questions away, a budget of retries, a circuit breaker, and the run's cap on money. One gate per deployment, whoever asks it.

mod breaker;
mod pace;
mod spend;
#[cfg(test)]
mod tests;

pub use pace::RateLimits;
pub use spend::{Spend, TokenPrice};

use super::super::http::Class;
use super::super::{Question, TrialRef};
use crate::types::Usage;
use breaker::{Breaker, Gate};
use pace::Pace;
use spend::Affordable;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The least share of its limits that a deployment is asked at, however often it turns questions away.
const LEAST_SHARE: f64 = 1.0 / 16.0;
/// How much of the full rate comes back in a second without a refusal: all of it within twenty.
const REGAIN: f64 = 1.0 / 20.0;
/// Retries that are always allowed: the start of a run has no requests yet to take a share of.
const FREE_RETRIES: f64 = 10.0;
/// How many questions are under way at most until the deployment has let one in: a key that it does not know is not tried more often, however
/// many are asked at once.
const STRANGERS: usize = 2;
/// How much of what a prompt was above its estimate is forgotten by the next that is less.
const FORGETTING: f64 = 1.0 / 20.0;
/// How often to look again while only time can help and nobody says when.
const GLANCE: Duration = Duration::from_millis(250);

/// What a deployment may be asked, and when to leave it alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// The deployment's limits.
    pub limits: RateLimits,
    /// What its tokens cost, where a run has a cap.
    pub price: Option<TokenPrice>,
    /// Retries per hundred questions, on top of ten; refusals for the load are not counted, since they have waits of their own.
    pub retry_percent: u32,
    /// Failures of the deployment in a row that open its circuit breaker.
    pub breaker_failures: u32,
    /// How long an open breaker keeps everybody from asking.
    pub breaker_cool_down: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            limits: RateLimits::default(),
            price: None,
            retry_percent: 20,
            breaker_failures: 5,
            breaker_cool_down: Duration::from_secs(10),
        }
    }
}

impl Allowance {
    /// Neither limits nor an end of patience: for a recording, whose server had its own.
    pub(super) fn boundless() -> Self {
        Self { retry_percent: u32::MAX, breaker_failures: u32::MAX, ..Self::default() }
    }
}

/// What all deployments of a run share: the cap, and that the run has stopped.
pub(super) struct Shared {
    spend: Option<Arc<Spend>>,
    stopped: Mutex<Option<String>>,
    /// Moves whenever something has changed that a waiting question may wait for.
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(spend: Option<Arc<Spend>>) -> Arc<Self> {
        Arc::new(Self { spend, stopped: Mutex::default(), changes: watch::Sender::new(0) })
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// From now on nothing is sent: one question has learnt what would meet them all.
    pub(super) fn stop(&self, why: &str) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
        self.changed();
    }

    fn why_stopped(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sleeps, unless the run stops; then says why.
    pub(super) async fn sleep(&self, wait: Duration) -> Result<(), String> {
        let mut changes = self.changes.subscribe();
        let end = Instant::now() + wait;
        loop {
            if let Some(why) = self.why_stopped() {
                return Err(why);
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => return Ok(()),
                // The sender lives in `self`.
                _ = changes.changed() => {}
            }
        }
    }
}

/// What a question asks of its deployment.
#[derive(Clone, Copy)]
pub(super) struct Demand {
    /// Tokens of the prompt, estimated.
    prompt: f64,
    /// Tokens of the longest answer.
    answer: f64,
    /// The most that an attempt can cost, US dollars.
    worst: f64,
    price: Option<TokenPrice>,
    /// Whether it is a probe's, whose few words say nothing about the prompts of a suite.
    probe: bool,
}

impl Demand {
    /// The demand of a question at a price.
    pub(super) fn new(question: &Question, price: Option<TokenPrice>) -> Self {
        // Three bytes to a token are few for most texts: an estimate that is too high costs a little time, one that is too low a refusal.
        let turns = question.turns.iter().map(|t| t.text.len() as f64 / 3.0 + 4.0).sum::<f64>();
        let prompt = turns + question.wants.bytes() as f64 / 3.0 + 4.0;
        let worst = price.map_or(0.0, |p| p.worst(question));
        let probe = matches!(question.trial, Some(TrialRef::Probe { .. }));
        Self { prompt: prompt.ceil(), answer: question.max_new_tokens.into(), worst, price, probe }
    }
}

/// The tokens that a question takes of a limit, as they are estimated before it is sent: its prompt and the longest answer.
#[must_use]
pub fn estimated_tokens(question: &Question) -> f64 {
    let demand = Demand::new(question, None);
    demand.prompt + demand.answer
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an answer; `None` where the server counts no tokens.
    Answered(Option<Usage>),
    /// With trouble.
    Trouble(Class),
}

impl Class {
    /// Whether the server may have worked, and billed, for a question that got no answer.
    pub(super) fn may_be_billed(self) -> bool {
        !matches!(
            self,
            Self::Throttled
                | Self::Unreachable
                | Self::Distrusted
                | Self::Auth
                | Self::Missing
                | Self::Rejected
                | Self::LimitName
                | Self::Unrecorded
        )
    }

    /// Whether whoever says so has let the question in, so that the credential is one that it knows.
    fn is_let_in(self) -> bool {
        matches!(
            self,
            Self::Filtered | Self::TooLong | Self::Throttled | Self::Server | Self::Unreadable | Self::Elsewhere
        )
    }

    /// Whether it is the deployment that is ill, whatever the question.
    fn is_outage(self) -> bool {
        matches!(self, Self::Server | Self::Cut | Self::Late | Self::Unreachable)
    }
}

/// What one deployment has to do with the questions of a run.
pub(super) struct Deployment {
    began: Instant,
    state: Mutex<State>,
    /// Whoever holds it is the next to be sent: first come, first served.
    turn: tokio::sync::Mutex<()>,
    shared: Arc<Shared>,
}

struct State {
    pace: Pace,
    breaker: Breaker,
    retry_percent: u32,
    /// Until when nothing is sent, because the server said so.
    pause: Option<Duration>,
    /// The share of the full rate at a moment, from which it grows.
    share: (f64, Duration),
    in_flight: usize,
    /// Whether it has let a question in.
    known: bool,
    /// The most that were ever in flight: what a share of the full rate is a share of where no limit is written.
    most_in_flight: usize,
    /// Tokens that a prompt has above its estimate: what the server puts before it that nobody here sees. The largest of late; it falls again.
    hidden: f64,
    firsts: u64,
    retries: u64,
}

impl State {
    fn share(&self, now: Duration) -> f64 {
        (self.share.0 + now.saturating_sub(self.share.1).as_secs_f64() * REGAIN).min(1.0)
    }

    fn tokens(&self, demand: Demand) -> f64 {
        self.pace.at_most_all((demand.prompt + self.hidden).ceil() + demand.answer)
    }

    /// Learns from the server's count of a prompt. An addend and no factor: what a server adds is the same for short prompts and for long
    /// ones, and of a short one it would be many times as much.
    fn learn(&mut self, demand: Demand, prompt: f64) {
        if demand.probe {
            return;
        }
        let above = self.pace.at_most_all(prompt - demand.prompt).max(0.0);
        self.hidden = above.max(self.hidden + (above - self.hidden) * FORGETTING);
    }

    /// Sends a question, or says how long to wait before looking again, or why not to wait at all.
    fn step(
        &mut self,
        now: Duration,
        gate: Gate,
        demand: Demand,
        shared: &Shared,
    ) -> Result<Result<(u64, bool), Duration>, String> {
        match gate {
            Gate::Closed | Gate::Probe => {}
            Gate::Open(wait) => return Ok(Err(wait)),
            Gate::Probing => return Ok(Err(GLANCE)),
            Gate::Gone => {
                let n = self.breaker.in_a_row();
                return Err(format!("the deployment failed {n} times in a row and did not come back"));
            }
        }
        if let Some(end) = self.pause.filter(|end| *end > now) {
            return Ok(Err(end - now));
        }
        if !self.known && self.in_flight >= STRANGERS {
            return Ok(Err(GLANCE));
        }
        let share = self.share(now);
        if share < 1.0 && self.in_flight as f64 >= (share * self.most_in_flight as f64).ceil().max(1.0) {
            return Ok(Err(GLANCE));
        }
        let tokens = self.tokens(demand);
        let wait = self.pace.wait(now, tokens, share);
        if !wait.is_zero() {
            return Ok(Err(wait));
        }
        if let (Some(spend), Some(_)) = (&shared.spend, demand.price) {
            match spend.set_aside(demand.worst) {
                Affordable::Yes => {}
                Affordable::Later => return Ok(Err(GLANCE)),
                Affordable::No(spent) => {
                    return Err(format!(
                        "the next request could cost US$ {:.6}, and of the US$ {} that `--max-cost` allows {spent:.6} are spent; allow more \
                         to go on",
                        demand.worst,
                        spend.cap()
                    ));
                }
            }
        }
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        Ok(Ok((self.pace.send(now, tokens, share), self.breaker.send())))
    }
}

impl Deployment {
    pub(super) fn new(allowance: Allowance, shared: Arc<Shared>) -> Arc<Self> {
        let state = State {
            pace: Pace::new(allowance.limits),
            breaker: Breaker::new(allowance.breaker_failures, allowance.breaker_cool_down),
            retry_percent: allowance.retry_percent,
            pause: None,
            share: (1.0, Duration::ZERO),
            in_flight: 0,
            known: false,
            most_in_flight: 0,
            hidden: 0.0,
            firsts: 0,
            retries: 0,
        };
        Arc::new(Self { began: Instant::now(), state: Mutex::new(state), turn: tokio::sync::Mutex::default(), shared })
    }

    /// Another target asks the same deployment: the stricter word of the two holds.
    pub(super) fn tighten(&self, allowance: Allowance) {
        self.with(|s, _| {
            s.pace.tighten(allowance.limits);
            s.retry_percent = s.retry_percent.min(allowance.retry_percent);
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.began.elapsed();
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// Waits until a question may be sent.
    ///
    /// # Errors
    /// Why it will not be sent: the run has stopped, or this question found that it must.
    pub(super) async fn admit(self: &Arc<Self>, demand: Demand, first: bool) -> Result<Ticket, String> {
        loop {
            if let Some(ticket) = self.enter(demand, first, true).await? {
                return Ok(ticket);
            }
        }
    }

    /// The same for whoever has somewhere else to go: `None` at once where the circuit breaker keeps everybody from asking. One that is gone
    /// is tried again each time its rest is over.
    ///
    /// # Errors
    /// Why it will not be sent anywhere.
    pub(super) async fn admit_unless_open(
        self: &Arc<Self>,
        demand: Demand,
        first: bool,
    ) -> Result<Option<Ticket>, String> {
        self.enter(demand, first, false).await
    }

    /// Whether the deployment did not come back at several probes.
    pub(super) fn is_gone(&self) -> bool {
        self.with(|s, now| s.breaker.gate(now) == Gate::Gone)
    }

    /// Waits for leave, for an open breaker too if `patient`.
    async fn enter(self: &Arc<Self>, demand: Demand, first: bool, patient: bool) -> Result<Option<Ticket>, String> {
        let mut changes = self.shared.changes.subscribe();
        let turn = self.turn.lock().await;
        loop {
            if let Some(why) = self.shared.why_stopped() {
                return Err(why);
            }
            changes.mark_unchanged();
            let step = self.with(|s, now| {
                let gate = if patient { s.breaker.gate(now) } else { s.breaker.gate_of_several(now) };
                match gate {
                    Gate::Open(_) | Gate::Probing | Gate::Gone if !patient => None,
                    _ => Some(s.step(now, gate, demand, &self.shared)),
                }
            });
            let Some(step) = step else { return Ok(None) };
            let wait = match step? {
                Ok((id, probe)) => {
                    drop(turn);
                    self.with(|s, _| if first { s.firsts += 1 } else { s.retries += 1 });
                    let sent = Instant::now();
                    let deployment = Arc::clone(self);
                    return Ok(Some(Ticket { deployment, id, probe, demand, sent, ended: false }));
                }
                Err(wait) => wait,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Whether a question may be asked again. Refusals for the load do not count.
    ///
    /// # Errors
    /// What has been retried already: the deployment is ill, and more attempts would only add to its load.
    pub(super) fn allow_retry(&self, class: Class) -> Result<(), String> {
        self.with(|s, _| {
            if class == Class::Throttled
                || (s.retries as f64) < FREE_RETRIES + f64::from(s.retry_percent) / 100.0 * s.firsts as f64
            {
                return Ok(());
            }
            Err(format!(
                "{} retries of {} questions are all that this run allows (`retry-percent`)",
                s.retries, s.firsts
            ))
        })
    }

    /// Lets nobody ask for a while.
    pub(super) fn pause(&self, wait: Duration) {
        self.with(|s, now| s.pause = s.pause.max(Some(now + wait)));
    }
}

/// Leave to send one request. What was set aside for it comes back when it ends, or is dropped.
pub(super) struct Ticket {
    deployment: Arc<Deployment>,
    id: u64,
    probe: bool,
    demand: Demand,
    sent: Instant,
    ended: bool,
}

impl Ticket {
    /// The head of the reply has come: the server has counted the request. `let_in` says that it knows the credential.
    pub(super) fn head(&self, let_in: bool) {
        let first = self.deployment.with(|s, now| {
            s.pace.head(self.id, now);
            let first = let_in && !s.known;
            s.known |= let_in;
            first
        });
        if first {
            self.deployment.shared.changed();
        }
    }

    /// The attempt has ended.
    pub(super) fn end(mut self, ending: Ending) {
        self.ended = true;
        let d = self.demand;
        let sent = self.sent.duration_since(self.deployment.began);
        let cost = match (ending, d.price) {
            (_, None) => 0.0,
            (Ending::Answered(Some(usage)), Some(price)) => price.of(usage),
            (Ending::Answered(None), _) => d.worst,
            (Ending::Trouble(class), _) => {
                if class.may_be_billed() {
                    d.worst
                } else {
                    0.0
                }
            }
        };
        self.deployment.with(|s, now| {
            s.in_flight = s.in_flight.saturating_sub(1);
            s.pace.head(self.id, now);
            s.known |= match ending {
                Ending::Answered(_) => true,
                Ending::Trouble(class) => class.is_let_in(),
            };
            match ending {
                Ending::Trouble(class) if class.is_outage() => s.breaker.failed(self.probe, now),
                _ => s.breaker.alive(),
            }
            match ending {
                Ending::Answered(Some(usage)) => {
                    // The service counts the answer as long as it might have become, so that only the prompt is corrected.
                    s.pace.settle(self.id, usage.prompt as f64 + d.answer);
                    s.learn(d, usage.prompt as f64);
                }
                // Requests that were under way together are turned away together, and mean one thing.
                Ending::Trouble(Class::Throttled) if sent >= s.share.1 => {
                    s.share = ((s.share(now) / 2.0).max(LEAST_SHARE), now);
                }
                _ => {}
            }
        });
        self.give_back(cost);
    }

    fn give_back(&self, cost: f64) {
        let shared = &self.deployment.shared;
        if let (Some(spend), Some(_)) = (&shared.spend, self.demand.price) {
            spend.settle(self.demand.worst, cost);
        }
        shared.changed();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            self.deployment.with(|s, now| {
                s.in_flight = s.in_flight.saturating_sub(1);
                s.pace.head(self.id, now);
                s.breaker.abandoned(self.probe);
            });
            // Nobody will learn what it cost.
            self.give_back(self.demand.worst);
        }
    }
}
