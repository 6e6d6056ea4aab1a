//! What asking costs: questions, tokens, money and minutes.

use crate::types::TargetName;
use serde::Serialize;

/// What a target's tokens cost, US dollars per million.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Of the prompt.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
}

/// How much a target may be asked; what is not limited is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Questions per minute.
    pub requests_per_minute: Option<f64>,
    /// Tokens of prompts and answers per minute.
    pub tokens_per_minute: Option<f64>,
}

/// What is known of a target before it is asked.
#[derive(Clone, Debug)]
pub struct CostRequest {
    /// Its name.
    pub target: TargetName,
    /// Cases of the suite: each is asked once.
    pub trials: usize,
    /// The longest answer, tokens.
    pub max_new_tokens: u32,
    /// Of the pilot: prompt tokens, answer tokens and seconds per case that was answered.
    pub per_case: Option<[f64; 3]>,
    /// Its price, if it has one.
    pub price: Option<Price>,
    /// Its limits, if it has any.
    pub limits: Option<Limits>,
}

/// A quantity that may be known in part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// An estimate from the pilot, or exact.
    About(f64),
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Not known before asking.
    Unknown,
}

impl Amount {
    /// The number, if there is one.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Self::About(v) | Self::AtMost(v) | Self::AtLeast(v) => Some(v),
            Self::Unknown => None,
        }
    }

    fn plus(self, other: Self) -> Self {
        self.joined(other, |a, b| a + b)
    }

    fn longer(self, other: Self) -> Self {
        self.joined(other, f64::max)
    }

    /// Two amounts as one: a bound stays a bound of its kind, and bounds of opposite kinds bound nothing.
    fn joined(self, other: Self, with: impl Fn(f64, f64) -> f64) -> Self {
        let (Some(a), Some(b)) = (self.value(), other.value()) else { return Self::Unknown };
        let value = with(a, b);
        match (self, other) {
            (Self::About(_), Self::About(_)) => Self::About(value),
            (Self::AtMost(_) | Self::About(_), Self::AtMost(_) | Self::About(_)) => Self::AtMost(value),
            (Self::AtLeast(_) | Self::About(_), Self::AtLeast(_) | Self::About(_)) => Self::AtLeast(value),
            _ => Self::Unknown,
        }
    }
}

/// What asking one target costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetCost {
    /// Who.
    pub target: TargetName,
    /// Questions.
    pub trials: usize,
    /// Tokens of all prompts.
    pub prompt_tokens: Amount,
    /// Tokens of all answers.
    pub completion_tokens: Amount,
    /// US dollars; `None` without a price.
    pub usd: Option<Amount>,
    /// Wall time, minutes: at the limits, or without limits what the pilot's questions took one after the other.
    pub minutes: Amount,
    /// Whether limits are what the time follows from.
    pub limited: bool,
}

/// What asking all targets costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TotalCost {
    /// Questions.
    pub trials: usize,
    /// Tokens of all prompts.
    pub prompt_tokens: Amount,
    /// Tokens of all answers.
    pub completion_tokens: Amount,
    /// US dollars; `None` if some target has no price.
    pub usd: Option<Amount>,
    /// Wall time, minutes: targets without limits answer one after the other, and those with limits fill theirs side by side.
    pub minutes: Amount,
}

/// The sum over targets; of limited times the longest.
pub(super) fn total(costs: &[TargetCost]) -> TotalCost {
    let sum = |of: &dyn Fn(&TargetCost) -> Amount| costs.iter().map(of).fold(Amount::About(0.0), Amount::plus);
    let usd = costs.iter().map(|c| c.usd).collect::<Option<Vec<_>>>();
    let free = costs.iter().filter(|c| !c.limited).map(|c| c.minutes).fold(Amount::About(0.0), Amount::plus);
    let limited = costs.iter().filter(|c| c.limited).map(|c| c.minutes);
    TotalCost {
        trials: costs.iter().map(|c| c.trials).sum(),
        prompt_tokens: sum(&|c| c.prompt_tokens),
        completion_tokens: sum(&|c| c.completion_tokens),
        usd: usd.map(|all| all.into_iter().fold(Amount::About(0.0), Amount::plus)),
        minutes: limited.fold(free, Amount::longer),
    }
}

/// What asking a target costs.
///
/// Without a pilot only the longest answer bounds the tokens, and prompts are not known: a price of prompts then leaves the money
/// unknown, and a limit on tokens leaves the minutes at least what the limit on questions says.
#[must_use]
pub fn cost(request: &CostRequest) -> TargetCost {
    let trials = request.trials as f64;
    let (prompt, completion, asked) = match request.per_case {
        Some([p, c, s]) => (Amount::About(trials * p), Amount::About(trials * c), Some(trials * s / 60.0)),
        None => (Amount::Unknown, Amount::AtMost(trials * f64::from(request.max_new_tokens)), None),
    };
    TargetCost {
        target: request.target.clone(),
        trials: request.trials,
        prompt_tokens: prompt,
        completion_tokens: completion,
        usd: request.price.map(|price| money(price, prompt, completion)),
        minutes: minutes(request, prompt, completion, asked),
        limited: request.limits.is_some(),
    }
}

fn money(price: Price, prompt: Amount, completion: Amount) -> Amount {
    let output = completion.value().unwrap_or(0.0) * price.output / 1e6;
    match prompt {
        Amount::About(tokens) => Amount::About(tokens * price.input / 1e6 + output),
        _ if price.input == 0.0 => Amount::AtMost(output),
        _ => Amount::Unknown,
    }
}

fn minutes(request: &CostRequest, prompt: Amount, completion: Amount, asked: Option<f64>) -> Amount {
    let Some(limits) = request.limits else {
        return asked.map_or(Amount::Unknown, Amount::About);
    };
    let questions = limits.requests_per_minute.map(|r| request.trials as f64 / r);
    match (limits.tokens_per_minute, prompt, completion) {
        (Some(rate), Amount::About(p), Amount::About(c)) => Amount::About(questions.unwrap_or(0.0).max((p + c) / rate)),
        (Some(_), ..) => questions.map_or(Amount::Unknown, Amount::AtLeast),
        (None, ..) => questions.map_or(Amount::Unknown, Amount::About),
    }
}
