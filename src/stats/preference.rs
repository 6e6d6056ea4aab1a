//! Ordinal grades and pairwise preferences: who is better, when "by how much" has no unit.

use super::error::{Result, at_least, interval, out_of_range, same_length, sample};
use super::gaffke::gaffke_interval;
use super::mcnemar::{McNemar, mcnemar};
use super::paired::{PairedCounts, tango_interval};
use super::proportion::wilson_interval;
use crate::types::Interval;

/// Grades `1..=k` on the unit scale: `(g - 1)/(k - 1)`. A declared choice, since grades are not equally spaced; show
/// [`ordinal_superiority`] beside any mean of these.
///
/// # Errors
/// When there are fewer than two grades on the scale, or a grade is outside `1..=k`.
pub fn grades_to_unit(grades: &[u32], k: u32) -> Result<Vec<f64>> {
    at_least("grades on the scale", k as usize, 2)?;
    grades
        .iter()
        .map(|&g| {
            if g == 0 || g > k {
                return Err(out_of_range("grade", f64::from(g), "between 1 and the highest grade"));
            }
            Ok(f64::from(g - 1) / f64::from(k - 1))
        })
        .collect()
}

/// How often the tuned model is graded higher on the same prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrdinalSuperiority {
    /// Prompts on which the tuned model is graded higher.
    pub wins: u64,
    /// Prompts on which both are graded alike.
    pub ties: u64,
    /// Prompts on which the tuned model is graded lower.
    pub losses: u64,
    /// `P(T > B) + P(T = B)/2`; 1/2 = no preference.
    pub superiority: f64,
    /// Its interval: Tango on wins and losses, mapped by `(1 + d)/2`.
    pub interval: Interval,
}

impl OrdinalSuperiority {
    /// Wins and losses as a paired table, for [`super::tango_test`] at any margin.
    #[must_use]
    pub fn counts(&self) -> PairedCounts {
        PairedCounts { both: self.ties, gained: self.wins, lost: self.losses, neither: 0 }
    }
}

/// The probability of superiority of paired scores, by their order alone.
///
/// # Errors
/// When the samples are empty or differ in length, a score is NaN or infinite, or the level is outside `(0, 1)`.
pub fn ordinal_superiority(tuned: &[f64], base: &[f64], level: f64) -> Result<OrdinalSuperiority> {
    same_length("paired grades", tuned.len(), base.len())?;
    sample("grades", tuned, 1)?;
    sample("grades", base, 1)?;
    let (mut wins, mut ties, mut losses) = (0, 0, 0);
    for (t, b) in tuned.iter().zip(base) {
        if t > b {
            wins += 1;
        } else if t < b {
            losses += 1;
        } else {
            ties += 1;
        }
    }
    let counts = PairedCounts { both: ties, gained: wins, lost: losses, neither: 0 };
    let i = tango_interval(&counts, level)?;
    Ok(OrdinalSuperiority {
        wins,
        ties,
        losses,
        superiority: 0.5 * (1.0 + counts.difference()?),
        interval: interval(0.5 * (1.0 + i.lower()), 0.5 * (1.0 + i.upper()), level)?,
    })
}

/// What a judge said of two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// The tuned model's answer is better.
    Tuned,
    /// Neither is better.
    Tie,
    /// The base model's answer is better.
    Base,
}

impl Preference {
    fn score(self) -> f64 {
        match self {
            Self::Tuned => 1.0,
            Self::Tie => 0.0,
            Self::Base => -1.0,
        }
    }
}

/// One prompt, judged in both orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BothOrders {
    /// The judgement with the tuned model's answer shown first.
    pub tuned_first: Preference,
    /// The judgement with the base model's answer shown first.
    pub base_first: Preference,
}

impl BothOrders {
    /// The mean score of both orders: -1, -1/2, 0, 1/2 or 1.
    #[must_use]
    pub fn difference(&self) -> f64 {
        0.5 * (self.tuned_first.score() + self.base_first.score())
    }

    /// A win in one order and a loss in the other.
    #[must_use]
    pub fn is_inconsistent(&self) -> bool {
        self.tuned_first.score() * self.base_first.score() < 0.0
    }
}

/// Preference over a suite that was judged in both orders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreferenceSummary {
    /// Number of prompts; ties are kept in it.
    pub n: usize,
    /// Prompts won on balance.
    pub wins: u64,
    /// Prompts lost on balance.
    pub losses: u64,
    /// Net win rate, the mean of the differences.
    pub net: f64,
    /// Gaffke's interval of the net win rate.
    pub interval: Interval,
    /// Win rate for display, `(1 + net)/2`.
    pub win_rate: f64,
    /// The sign test of "no preference" on prompts won and lost; the default is its mid-p.
    pub test: McNemar,
    /// Share of prompts with a win in one order and a loss in the other; above 0.30 the judge is unreliable.
    pub inconsistency: f64,
    /// Share of decided judgements in which the answer shown first won, with its Wilson interval; none when nothing was
    /// decided. 1/2 = no position bias.
    pub first_position: Option<(f64, Interval)>,
}

/// Summarises pairwise preferences with position swap.
///
/// # Errors
/// When there is no prompt, or the level is outside `(0, 1)`.
pub fn preference_summary(prompts: &[BothOrders], level: f64) -> Result<PreferenceSummary> {
    at_least("prompts", prompts.len(), 1)?;
    let d: Vec<f64> = prompts.iter().map(BothOrders::difference).collect();
    let n = d.len() as f64;
    let wins = d.iter().filter(|&&x| x > 0.0).count() as u64;
    let losses = d.iter().filter(|&&x| x < 0.0).count() as u64;
    let net = d.iter().sum::<f64>() / n;
    let count = |f: fn(&BothOrders) -> u64| prompts.iter().map(f).sum::<u64>();
    let decided = count(|p| u64::from(p.tuned_first != Preference::Tie) + u64::from(p.base_first != Preference::Tie));
    let first = count(|p| u64::from(p.tuned_first == Preference::Tuned) + u64::from(p.base_first == Preference::Base));
    let first_position =
        if decided > 0 { Some((first as f64 / decided as f64, wilson_interval(first, decided, level)?)) } else { None };
    Ok(PreferenceSummary {
        n: d.len(),
        wins,
        losses,
        net,
        interval: gaffke_interval(&d, -1.0, 1.0, level)?,
        win_rate: 0.5 * (1.0 + net),
        test: mcnemar(wins, losses),
        inconsistency: prompts.iter().filter(|p| p.is_inconsistent()).count() as f64 / n,
        first_position,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winning_more_decisively_does_not_hurt_the_order() {
        let base = [2.0, 2.0, 2.0, 2.0];
        let narrow = ordinal_superiority(&[3.0, 3.0, 3.0, 1.0], &base, 0.9).unwrap();
        let decisive = ordinal_superiority(&[5.0, 3.0, 5.0, 1.0], &base, 0.9).unwrap();
        assert_eq!(narrow, decisive);
        assert_eq!(narrow.superiority, 0.75);
        assert_eq!(narrow.counts().gained, 3);
    }

    #[test]
    fn grades_map_onto_the_unit_scale() {
        assert_eq!(grades_to_unit(&[1, 3, 5], 5).unwrap(), [0.0, 0.5, 1.0]);
        assert!(
            grades_to_unit(&[0], 5).is_err() && grades_to_unit(&[6], 5).is_err() && grades_to_unit(&[1], 1).is_err()
        );
    }

    #[test]
    fn a_judge_that_always_likes_the_first_answer_prefers_nobody() {
        let p = BothOrders { tuned_first: Preference::Tuned, base_first: Preference::Base };
        let s = preference_summary(&[p; 40], 0.9).unwrap();
        assert_eq!((s.net, s.inconsistency, s.test.midp_two_sided), (0.0, 1.0, 1.0));
        assert_eq!(s.first_position.unwrap().0, 1.0);
        assert!(s.interval.lower() < 0.0 && s.interval.upper() > 0.0);
    }

    #[test]
    fn ties_stay_in_the_number_of_prompts() {
        let tie = BothOrders { tuned_first: Preference::Tie, base_first: Preference::Tie };
        let win = BothOrders { tuned_first: Preference::Tuned, base_first: Preference::Tie };
        let s = preference_summary(&[tie, tie, tie, win], 0.9).unwrap();
        assert_eq!((s.n, s.wins, s.losses, s.net), (4, 1, 0, 0.125));
        assert_eq!(preference_summary(&[tie], 0.9).unwrap().first_position, None);
        assert!(preference_summary(&[], 0.9).is_err());
    }

    #[test]
    fn bad_grades_are_errors() {
        assert!(ordinal_superiority(&[1.0], &[1.0, 2.0], 0.9).is_err());
        assert!(ordinal_superiority(&[f64::NAN], &[1.0], 0.9).is_err());
        assert!(ordinal_superiority(&[], &[], 0.9).is_err());
    }
}
