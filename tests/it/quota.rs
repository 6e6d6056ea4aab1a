//! Limits as a server counts them: its own clock, its own windows, and a record of every request that was too many.

use crate::mock::{Asked, Reply, answer};
use std::sync::Mutex;
use std::time::Instant;

/// The windows of every limit, seconds.
const WINDOWS: [f64; 3] = [1.0, 10.0, 60.0];

/// A deployment's limits, counted over sliding windows. What is turned away counts too, as it does on Azure.
pub struct Quota {
    requests_per_minute: f64,
    tokens_per_minute: f64,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    began: Option<Instant>,
    /// Seconds since the first request, and tokens.
    seen: Vec<(f64, f64)>,
    violations: usize,
}

impl Quota {
    pub fn new(requests_per_minute: f64, tokens_per_minute: f64) -> Self {
        Self { requests_per_minute, tokens_per_minute, count: Mutex::default() }
    }

    /// Counts a request, and answers it or turns it away: every second time by `retry-after-ms`, else by `retry-after`.
    pub fn ask(&self, asked: &Asked) -> Reply {
        let mut count = self.count.lock().unwrap();
        let now = count.began.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        let tokens = asked.words() as f64 + asked.body["max_tokens"].as_f64().unwrap();
        count.seen.push((now, tokens));
        let over = WINDOWS.iter().any(|window| {
            let inside: Vec<_> = count.seen.iter().filter(|(at, _)| *at > now - window).collect();
            let tokens: f64 = inside.iter().map(|(_, tokens)| tokens).sum();
            inside.len() as f64 > self.requests_per_minute * window / 60.0
                || tokens > self.tokens_per_minute * window / 60.0
        });
        if !over {
            return answer("x");
        }
        count.violations += 1;
        let hint = match count.violations % 2 {
            0 => ("retry-after", "1".to_owned()),
            _ => ("retry-after-ms", "300".to_owned()),
        };
        Reply::Status(429, vec![hint], include_str!("../fixtures/azure/err_429_both_headers.json").to_owned())
    }

    /// One line of figures for whoever reads what a test prints.
    pub fn said(&self, what: &str) -> String {
        let (used, count) = (100.0 * self.used(), self.count.lock().unwrap());
        format!(
            "{what}: {} requests in {:.1} s, violations {} over windows of 1, 10 and 60 s, used {used:.1} %",
            count.seen.len(),
            count.seen.last().unwrap().0,
            count.violations
        )
    }

    /// Requests that were too many in some window.
    pub fn violations(&self) -> usize {
        self.count.lock().unwrap().violations
    }

    /// The share of the stricter limit that was used, over the whole steady part.
    pub fn used(&self) -> f64 {
        let count = self.count.lock().unwrap();
        // Without the start, when nothing had been sent yet, and the end, when nothing was left to send.
        let end = count.seen.last().unwrap().0 - 0.5;
        let steady: Vec<_> = count.seen.iter().filter(|(at, _)| (1.0..end).contains(at)).collect();
        let tokens: f64 = steady.iter().map(|(_, tokens)| tokens).sum();
        let minutes = (end - 1.0) / 60.0;
        assert!(minutes > 1.5 / 60.0, "there is no steady part: {end} s");
        (steady.len() as f64 / self.requests_per_minute).max(tokens / self.tokens_per_minute) / minutes
    }

    /// When the requests came, seconds since the first.
    pub fn arrivals(&self) -> Vec<f64> {
        self.count.lock().unwrap().seen.iter().map(|(at, _)| *at).collect()
    }
}
