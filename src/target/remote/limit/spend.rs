//! What a run may cost. A request goes out only if the cap holds even when it and all that is under way cost the most that they can.

use super::super::super::Question;
use crate::types::Usage;
use std::sync::{Mutex, PoisonError};

/// Tokens that a chat template may add to each turn, and once more to the prompt: above what any known one adds.
const TEMPLATE: u64 = 16;
/// Tokens that a chat template may add where there are tools or a schema: what it says of them, above what any known one says.
const EXPLAINED: u64 = 1024;
/// How many bytes a template may make of each byte of tools and schema: some write them indented.
const INDENTED: u64 = 4;

/// What a target's tokens cost, US dollars per million.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPrice {
    /// Of the prompt.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
}

impl TokenPrice {
    /// US dollars that tokens cost.
    #[must_use]
    pub fn of(self, usage: Usage) -> f64 {
        (usage.prompt as f64 * self.input + usage.completion as f64 * self.output) / 1e6
    }

    /// The most that one attempt at a question can cost, US dollars: a token is at least one byte, and an answer as long as it may be.
    #[must_use]
    pub fn worst(self, question: &Question) -> f64 {
        let turns: u64 = question.turns.iter().map(|t| t.text.len() as u64 + TEMPLATE).sum();
        let wants = match question.wants.bytes() as u64 {
            0 => 0,
            bytes => bytes * INDENTED + EXPLAINED,
        };
        self.of(Usage { prompt: turns + wants + TEMPLATE, completion: question.max_new_tokens.into(), reasoning: None })
    }
}

/// Whether a request may go out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Affordable {
    /// It may, and its price is set aside.
    Yes,
    /// Not as long as others might cost the most that they can.
    Later,
    /// No: the cap could be passed. So much is spent.
    No(f64),
}

#[derive(Debug, Default)]
struct Ledger {
    spent: f64,
    set_aside: f64,
    under_way: u32,
}

/// The cap of a run and what it has cost so far, over all its targets.
#[derive(Debug)]
pub struct Spend {
    cap: f64,
    ledger: Mutex<Ledger>,
}

impl Spend {
    /// A cap in US dollars, with nothing spent.
    #[must_use]
    pub fn new(cap: f64) -> Self {
        Self { cap, ledger: Mutex::default() }
    }

    /// Adds what earlier sittings of the run have spent, US dollars.
    pub fn add(&self, usd: f64) {
        self.locked(|l| l.spent += usd);
    }

    /// The cap, US dollars.
    pub(super) fn cap(&self) -> f64 {
        self.cap
    }

    fn locked<T>(&self, f: impl FnOnce(&mut Ledger) -> T) -> T {
        f(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the worst price of a request aside, if that keeps the cap.
    pub(super) fn set_aside(&self, worst: f64) -> Affordable {
        self.locked(|l| {
            if l.spent + l.set_aside + worst <= self.cap {
                l.set_aside += worst;
                l.under_way += 1;
                Affordable::Yes
            } else if l.under_way > 0 && l.spent + worst <= self.cap {
                Affordable::Later
            } else {
                Affordable::No(l.spent)
            }
        })
    }

    /// Replaces what was set aside for a request by what it cost.
    pub(super) fn settle(&self, worst: f64, cost: f64) {
        self.locked(|l| {
            l.under_way = l.under_way.saturating_sub(1);
            // Nothing under way has nothing set aside, whatever rounding has left.
            l.set_aside = if l.under_way == 0 { 0.0 } else { l.set_aside - worst };
            l.spent += cost;
        });
    }
}
