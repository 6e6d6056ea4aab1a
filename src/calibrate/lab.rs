//! Replicates: as many as the effort allows, each from a random stream of its own, on all cores.

use crate::types::{DigestBuilder, SplitMix64};
use rayon::prelude::*;

/// How much is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    word: &'static str,
    /// Replicates in per cent of the full number.
    percent: usize,
    /// Whether every design of a grid is simulated, or only the ones that came closest to their bounds.
    every_design: bool,
}

impl Effort {
    /// Every design, with Monte-Carlo errors well below the room that the bounds leave.
    pub const FULL: Self = Self { word: "full", percent: 100, every_design: true };
    /// The critical designs, with enough replicates to notice a broken method: for continuous integration.
    pub const QUICK: Self = Self { word: "quick", percent: 20, every_design: false };
    /// A few replicates, for unit tests of the machinery.
    #[cfg(test)]
    pub(super) const TRIAL: Self = Self { word: "trial", percent: 1, every_design: false };

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.word
    }
}

/// Where simulations run.
pub(super) struct Lab {
    effort: Effort,
    seed: u64,
}

impl Lab {
    pub fn new(effort: Effort, seed: u64) -> Self {
        Self { effort, seed }
    }

    /// All designs, or those that matter most.
    pub fn designs<T: Copy>(&self, all: &[T], critical: &[T]) -> Vec<T> {
        if self.effort.every_design { all.to_vec() } else { critical.to_vec() }
    }

    /// Runs `full` replicates, or the effort's share of them. A workspace is made once per piece of work and reused, since building
    /// samples would cost more than judging them: a replicate has to overwrite all of it.
    ///
    /// The results are in the replicates' order, and each depends on the stream's name, the seed and its own number alone.
    pub fn runs<W, T: Send>(
        &self,
        stream: &str,
        full: usize,
        workspace: impl Fn() -> W + Sync + Send,
        replicate: impl Fn(&mut W, &mut SplitMix64) -> T + Sync + Send,
    ) -> Vec<T> {
        let root = DigestBuilder::new("goldgate calibrate").field(stream.as_bytes()).field(&self.seed.to_le_bytes());
        (0..(full * self.effort.percent / 100).max(10) as u64)
            .into_par_iter()
            .map_init(workspace, |work, i| {
                let mut rng = SplitMix64::new(root.clone().field(&i.to_le_bytes()).finish().seed());
                replicate(work, &mut rng)
            })
            .collect()
    }
}

/// A standard normal number (Box & Muller 1958; the second of the pair is not used, so that a draw has no memory).
pub(super) fn normal(rng: &mut SplitMix64) -> f64 {
    // 1 - u lies in (0, 1], where the logarithm is finite.
    (-2.0 * (1.0 - rng.unit()).ln()).sqrt() * (std::f64::consts::TAU * rng.unit()).cos()
}
