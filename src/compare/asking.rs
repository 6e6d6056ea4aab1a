//! How the questions of a run were started, and what that makes of their times.

use crate::types::Metric;

/// How much later than its moment a question may be sent and still count as sent in time, microseconds. Timers are exact to a millisecond
/// or two; what a run at a stated rate means by a time is far above this.
pub const IN_TIME_US: u64 = 20_000;
/// One question in so many may be late without a word: the times hold its lateness anyway.
const MOST_LATE: usize = 100;

/// How the questions of a run were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// As many at once as that; the next when one had ended.
    InFlight(usize),
    /// At a stated rate.
    Arriving {
        /// Questions of the target that kept its moments least.
        questions: usize,
        /// How many of them were sent more than [`IN_TIME_US`] after their moment.
        late: usize,
        /// Questions of all targets whose moment came while as many were in flight as may be.
        at_bound: usize,
        /// How many may be.
        bound: usize,
    },
}

impl Asking {
    /// One question after the other: nothing is known to have disturbed a time.
    pub const ALONE: Self = Self::InFlight(1);
}

/// Why times support no claim, if they do not.
///
/// Several questions in flight slow each other, so that the targets' times depend on each other. At a stated rate that load is what was
/// asked for, and the same for every target, as long as the rate was kept: where it was not, the load is another than the stated one, and
/// fell when a target was slow.
#[must_use]
pub fn slowed(metric: &Metric, asking: Asking) -> Option<String> {
    if !metric.is_timing() {
        return None;
    }
    match asking {
        Asking::InFlight(n) if n > 1 => {
            Some(format!("{n} questions were in flight at once and slowed each other; ask with `-j 1`"))
        }
        Asking::Arriving { at_bound, bound, .. } if at_bound > 0 => Some(format!(
            "{at_bound} questions could not start at their moment because {bound} were in flight; allow more with `-j`, or ask at a lower rate"
        )),
        Asking::Arriving { questions, late, .. } if late * MOST_LATE > questions => Some(format!(
            "{late} of {questions} questions were sent more than {} ms after their moment, so that the stated rate was not kept; ask at a \
             lower rate",
            IN_TIME_US / 1000
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Direction, MetricKind, MetricName};

    fn metric(kind: MetricKind) -> Metric {
        Metric { name: MetricName::new("m").unwrap(), kind, direction: Direction::Lower }
    }

    #[test]
    fn times_hold_where_one_was_asked_at_a_time_or_the_stated_rate_was_kept() {
        let arriving = |late, at_bound| Asking::Arriving { questions: 200, late, at_bound, bound: 64 };
        for (asking, want) in [
            (Asking::ALONE, None),
            (Asking::InFlight(0), None),
            (Asking::InFlight(2), Some("2 questions were in flight at once")),
            (arriving(0, 0), None),
            (arriving(2, 0), None),
            (arriving(3, 0), Some("3 of 200 questions were sent more than 20 ms after")),
            (arriving(0, 4), Some("4 questions could not start at their moment because 64 were in flight")),
        ] {
            let why = slowed(&metric(MetricKind::Duration), asking);
            assert_eq!(why.is_some(), want.is_some(), "{asking:?}");
            assert!(want.is_none_or(|w| why.as_ref().unwrap().contains(w)), "{why:?}");
            assert_eq!(slowed(&metric(MetricKind::Count), asking), None, "only times suffer");
        }
    }
}
