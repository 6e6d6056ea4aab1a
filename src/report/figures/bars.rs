//! Token bars: prompt and completion of the baseline above those of the candidate, on one scale.

use super::coordinate;
use crate::report::TokenSaving;
use crate::types::number;
use serde::Serialize;

const WIDTH: f64 = 340.0;

/// Two stacked bars, ready to print.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::report) struct TokenBars {
    width: String,
    bars: [TokenBar; 2],
    title: String,
    description: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct TokenBar {
    label: String,
    prompt: String,
    completion_at: String,
    completion: String,
    end: String,
    total: String,
}

/// The bars of one saving; the longer total fills most of the width, so that its label fits beside it.
pub(in crate::report) fn token_bars(saving: &TokenSaving, baseline: &str) -> TokenBars {
    let before = saving.baseline_prompt + saving.baseline_completion;
    let after = saving.candidate_prompt + saving.candidate_completion;
    let longest = before.max(after).max(1) as f64;
    let bar = |label: &str, prompt: u64, completion: u64| {
        let scale = |tokens: u64| tokens as f64 / longest * WIDTH * 0.78;
        TokenBar {
            label: label.to_owned(),
            prompt: coordinate(scale(prompt)),
            completion_at: coordinate(scale(prompt)),
            completion: coordinate(scale(completion)),
            end: coordinate(scale(prompt) + scale(completion) + 8.0),
            total: number::count(prompt + completion),
        }
    };
    TokenBars {
        width: coordinate(WIDTH),
        title: format!("Tokens of {baseline} and {}", saving.candidate),
        description: format!(
            "{baseline} used {} tokens, {} used {}, over the same {} cases.",
            number::count(before),
            saving.candidate,
            number::count(after),
            number::count(saving.cases as u64),
        ),
        bars: [
            bar(baseline, saving.baseline_prompt, saving.baseline_completion),
            bar(saving.candidate.as_str(), saving.candidate_prompt, saving.candidate_completion),
        ],
    }
}
