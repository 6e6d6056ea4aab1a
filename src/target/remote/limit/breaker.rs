//! Leaves a deployment alone that only fails. Pure: the clock is an argument.

use std::time::Duration;

/// Failed probes in a row after which a deployment counts as gone.
const PROBES: u32 = 3;

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Anything.
    Closed,
    /// Nothing for so long.
    Open(Duration),
    /// One request, to see whether the deployment is back.
    Probe,
    /// Nothing until the probe's end.
    Probing,
    /// Nothing any more.
    Gone,
}

/// Counts failures in a row.
pub(super) struct Breaker {
    failures: u32,
    cool_down: Duration,
    in_a_row: u32,
    failed_probes: u32,
    open_until: Option<Duration>,
    probing: bool,
}

impl Breaker {
    /// A breaker that opens at so many failures in a row, each time for so long.
    pub(super) fn new(failures: u32, cool_down: Duration) -> Self {
        Self { failures, cool_down, in_a_row: 0, failed_probes: 0, open_until: None, probing: false }
    }

    pub(super) fn gate(&self, now: Duration) -> Gate {
        match self.open_until {
            None => Gate::Closed,
            Some(_) if self.failed_probes >= PROBES => Gate::Gone,
            Some(_) if self.probing => Gate::Probing,
            Some(end) if end > now => Gate::Open(end - now),
            Some(_) => Gate::Probe,
        }
    }

    /// The same for whoever has somewhere else to go: it costs them little to go on trying, each time the rest is over.
    pub(super) fn gate_of_several(&self, now: Duration) -> Gate {
        match (self.gate(now), self.open_until) {
            (Gate::Gone, _) if self.probing => Gate::Probing,
            (Gate::Gone, Some(end)) if end > now => Gate::Open(end - now),
            (Gate::Gone, _) => Gate::Probe,
            (gate, _) => gate,
        }
    }

    /// A request goes out; whether it is the probe.
    pub(super) fn send(&mut self) -> bool {
        self.probing |= self.open_until.is_some();
        self.probing
    }

    /// The deployment is there, whatever it said.
    pub(super) fn alive(&mut self) {
        self.in_a_row = 0;
        self.failed_probes = 0;
        self.open_until = None;
        self.probing = false;
    }

    /// A request failed by the deployment's fault.
    pub(super) fn failed(&mut self, probe: bool, now: Duration) {
        self.in_a_row += 1;
        if probe {
            self.probing = false;
            self.failed_probes += 1;
            self.open_until = Some(now + self.cool_down);
        } else if self.in_a_row >= self.failures && self.open_until.is_none() {
            // What was under way when it opened says nothing new.
            self.open_until = Some(now + self.cool_down);
        }
    }

    /// A request ended without anybody learning how: its place as a probe is free again.
    pub(super) fn abandoned(&mut self, probe: bool) {
        self.probing &= !probe;
    }

    /// Failures in a row so far.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}
