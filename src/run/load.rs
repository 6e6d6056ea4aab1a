//! The load of a run: how its questions are started.

use std::time::Duration;

/// How questions are started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// A closed loop: as many are in flight as that, and the next one starts when one has ended. A slow target is asked less.
    InFlight(usize),
    /// An open loop: questions start at an even rate, whether those before them have ended or not.
    ///
    /// Even, not at random: services count their limits over single seconds, so that a random stream of the same rate would break them now
    /// and then and be kept back; and every question, whoever answers it, meets the same load.
    Arriving {
        /// Questions per second, above 0.
        rate: f64,
        /// The most in flight. A question whose moment comes while so many are under way starts late.
        bound: usize,
    },
}

impl Load {
    /// The most questions in flight.
    pub(super) fn bound(self) -> usize {
        let (Self::InFlight(bound) | Self::Arriving { bound, .. }) = self;
        bound.max(1)
    }

    /// When the question at a place, from 0, is due, since the sitting's first; `None` where the one before it decides that.
    pub(super) fn due(self, place: u32) -> Option<Duration> {
        match self {
            Self::InFlight(_) => None,
            // A rate that is next to nothing has its next question at the end of time.
            Self::Arriving { rate, .. } => {
                Some(Duration::try_from_secs_f64(f64::from(place) / rate).unwrap_or(Duration::MAX / 4))
            }
        }
    }
}
