//! What a row of the study says: figures, the bounds that they are held to, and what other methods reach.

use serde::Serialize;

/// A figure is beyond its bound only if it is so by more than this many Monte-Carlo standard errors.
const BEYOND: f64 = 3.0;

/// What a figure has to be. All figures are shares: 0.05 is five per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Between these two.
    Between(f64, f64),
    /// Nothing is promised: the figure is told and not judged.
    Reported,
}

/// A share that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figure {
    /// The share.
    pub value: f64,
    /// Its Monte-Carlo standard error; 0 where it is exact.
    pub standard_error: f64,
    /// Simulated runs behind it; 0 where every possible outcome was listed with its probability.
    pub replicates: usize,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of replicates are far below 2^52")]
impl Figure {
    /// A figure without Monte-Carlo error.
    pub(super) fn exact(value: f64) -> Self {
        Self { value, standard_error: 0.0, replicates: 0 }
    }

    /// How often something happened.
    pub(super) fn rate(happened: impl IntoIterator<Item = bool>) -> Self {
        Self::mean(happened.into_iter().map(|h| f64::from(u8::from(h))))
    }

    /// The mean of one value per replicate, summed in the replicates' order.
    pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self { value: mean, standard_error: (squares / n / n).sqrt(), replicates: values.len() }
    }

    /// Whether the figure keeps to a bound, or misses it by no more than Monte-Carlo error explains. A figure that is no number
    /// keeps to none.
    #[must_use]
    pub fn keeps_to(&self, bound: Bound) -> bool {
        let error = BEYOND * self.standard_error;
        // Sums of exact probabilities end in rounding.
        let rounding = 1e-9;
        match bound {
            Bound::AtMost(most) => self.value <= most + error + rounding,
            Bound::AtLeast(least) => self.value >= least - error - rounding,
            Bound::Between(least, most) => self.keeps_to(Bound::AtLeast(least)) && self.keeps_to(Bound::AtMost(most)),
            Bound::Reported => !self.value.is_nan(),
        }
    }

    /// How far the figure is on the right side of a bound, as a share of the bound; negative beyond it.
    fn room(&self, bound: Bound) -> f64 {
        // A bound of 0 is a scale of no length.
        let share = |room: f64, bound: f64| room / bound.abs().max(0.001);
        match bound {
            Bound::AtMost(most) => share(most - self.value, most),
            Bound::AtLeast(least) => share(self.value - least, least),
            Bound::Between(least, most) => share(self.value - least, least).min(share(most - self.value, most)),
            Bound::Reported => f64::INFINITY,
        }
    }
}

/// Whether a promise was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Kept.
    Ok,
    /// Missed by more than three Monte-Carlo standard errors.
    Broken,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
        }
    }
}

/// One figure of goldgate's own code, in one design of a row's scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// What was measured, in which design.
    pub design: String,
    /// What it has to be.
    pub bound: Bound,
    /// What it is.
    pub figure: Figure,
    /// Whether the figure keeps to its bound.
    pub verdict: Verdict,
}

impl Check {
    pub(super) fn new(design: impl Into<String>, bound: Bound, figure: Figure) -> Self {
        let verdict = if figure.keeps_to(bound) { Verdict::Ok } else { Verdict::Broken };
        Self { design: design.into(), bound, figure, verdict }
    }
}

/// What a method of other tools reaches on the same data, held to the same bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Naive {
    /// The method.
    pub method: &'static str,
    /// Its figure.
    #[serde(flatten)]
    pub check: Check,
}

impl Naive {
    pub(super) fn new(method: &'static str, design: impl Into<String>, bound: Bound, figure: Figure) -> Self {
        Self { method, check: Check::new(design, bound, figure) }
    }
}

/// One promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Its number, from 1.
    pub number: u8,
    /// Its name, of at most 34 characters.
    pub title: &'static str,
    /// What is simulated, and through which code.
    pub scenario: &'static str,
    /// What is promised.
    pub requirement: &'static str,
    /// The figure that the study behind the design measured.
    pub reference: &'static str,
    /// goldgate's figures.
    pub checks: Vec<Check>,
    /// Other methods' figures on the same data.
    pub naive: Vec<Naive>,
    /// What a reader has to know beside the figures.
    pub note: &'static str,
}

impl Row {
    /// Broken if any of its figures is.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.checks.iter().all(|c| c.verdict == Verdict::Ok) { Verdict::Ok } else { Verdict::Broken }
    }

    /// The figure that lies closest to its bound, or farthest beyond it; the first where nothing is promised.
    #[must_use]
    pub fn worst(&self) -> Option<&Check> {
        let broken = |c: &Check| c.verdict == Verdict::Broken;
        let judged = self.checks.iter().filter(|c| c.bound != Bound::Reported);
        judged
            .min_by(|a, b| {
                let room = |c: &Check| c.figure.room(c.bound);
                (!broken(a)).cmp(&!broken(b)).then(room(a).total_cmp(&room(b)))
            })
            .or(self.checks.first())
    }

    /// The number of simulated runs behind all its figures.
    #[must_use]
    pub fn replicates(&self) -> usize {
        self.checks.iter().map(|c| c.figure.replicates).sum()
    }
}

/// All promises.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// `full` or `quick`.
    pub effort: &'static str,
    /// The seed of every stream.
    pub seed: u64,
    /// The rows, by number.
    pub rows: Vec<Row>,
}

impl Study {
    /// Broken if any row is.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.rows.iter().all(|r| r.verdict() == Verdict::Ok) { Verdict::Ok } else { Verdict::Broken }
    }
}
