//! The gate's parts on a clock of their own: no test here waits.

use super::breaker::{Breaker, Gate};
use super::pace::{Pace, RateLimits};
use super::spend::{Affordable, Spend};
use super::*;
use crate::target::Probing;
use crate::types::{JsonText, Role, Schema, SplitMix64, Turn, Usage, Wants};

fn limits(requests: Option<f64>, tokens: Option<f64>) -> RateLimits {
    RateLimits { requests_per_minute: requests, tokens_per_minute: tokens }
}

/// A request as the server saw it.
struct Arrival {
    at: f64,
    tokens: f64,
}

/// Sends as fast as the pace lets it for some seconds, with so many in flight at most; a request reaches the server and its head comes back
/// after times that a stream draws.
fn simulate(
    limits: RateLimits,
    seconds: f64,
    in_flight: usize,
    tokens: f64,
    mut travel: impl FnMut(&mut SplitMix64) -> (f64, f64),
) -> Vec<Arrival> {
    let (mut pace, mut stream) = (Pace::new(limits), SplitMix64::new(5));
    let (mut now, mut arrivals) = (0.0, Vec::new());
    let mut heads: Vec<(f64, u64)> = Vec::new();
    while now < seconds {
        heads.sort_by(|a, b| a.0.total_cmp(&b.0));
        while heads.first().is_some_and(|h| h.0 <= now) {
            let (at, id) = heads.remove(0);
            pace.head(id, Duration::from_secs_f64(at));
        }
        let next_head = heads.first().map_or(f64::INFINITY, |h| h.0);
        let wait = pace.wait(Duration::from_secs_f64(now), tokens, 1.0).as_secs_f64();
        if wait > 0.0 || heads.len() >= in_flight {
            // A timer is late by up to a millisecond or so.
            let timer = if heads.len() >= in_flight { f64::INFINITY } else { now + wait + 0.0015 * stream.unit() };
            now = timer.min(next_head).max(now + 1e-6);
            continue;
        }
        let id = pace.send(Duration::from_secs_f64(now), tokens, 1.0);
        let (there, back) = travel(&mut stream);
        arrivals.push(Arrival { at: now + there, tokens });
        heads.push((now + there + back, id));
    }
    arrivals.sort_by(|a, b| a.at.total_cmp(&b.at));
    arrivals
}

/// The most in any window of the server, and the mean per second once the first window is over.
fn server(arrivals: &[Arrival], window: f64, size: impl Fn(&Arrival) -> f64) -> f64 {
    let (mut first, mut used, mut most) = (0, 0.0, 0.0_f64);
    for a in arrivals {
        used += size(a);
        while arrivals[first].at <= a.at - window {
            used -= size(&arrivals[first]);
            first += 1;
        }
        most = most.max(used);
    }
    most
}

#[test]
fn no_window_of_the_server_holds_more_than_its_share_and_nearly_all_of_it_is_used() {
    let quick = |s: &mut SplitMix64| (0.002 * s.unit(), 0.001);
    // Every fiftieth request is held up on its way for long.
    let stalls = |s: &mut SplitMix64| (if s.unit() < 0.02 { 0.25 * s.unit() } else { 0.001 }, 0.001);
    let slow = |s: &mut SplitMix64| (0.02 * s.unit(), 0.3 + 0.2 * s.unit());
    for (rpm, tpm, tokens) in [(Some(600.0), None, 1.0), (Some(60.0), None, 1.0), (None, Some(24_000.0), 10.0)] {
        for travel in [&quick as &dyn Fn(&mut SplitMix64) -> (f64, f64), &stalls, &slow] {
            let arrivals = simulate(limits(rpm, tpm), 150.0, 200, tokens, travel);
            let per_minute = rpm.or(tpm).unwrap();
            let size = |a: &Arrival| if rpm.is_some() { 1.0 } else { a.tokens };
            for window in [1.0, 10.0, 60.0] {
                let most = server(&arrivals, window, size);
                assert!(most <= per_minute * window / 60.0 + 1e-6, "{rpm:?} {tpm:?}: {most} in {window} s");
            }
            let late: f64 = arrivals.iter().filter(|a| (30.0..150.0).contains(&a.at)).map(size).sum();
            assert!(late >= 0.95 * per_minute * 2.0, "{rpm:?} {tpm:?}: {late} of {}", per_minute * 2.0);
        }
    }
}

#[test]
fn a_rate_that_fits_no_slice_is_kept_over_the_longer_ones() {
    // 90 a minute are one and a half a second: two in some seconds, 15 in ten.
    let arrivals = simulate(limits(Some(90.0), None), 150.0, 8, 1.0, |_| (0.001, 0.001));
    assert_eq!(server(&arrivals, 1.0, |_| 1.0), 2.0);
    assert!(server(&arrivals, 10.0, |_| 1.0) <= 15.0 && server(&arrivals, 60.0, |_| 1.0) <= 90.0);
    // Requests that are a tenth of a minute's tokens: the slices are for smaller ones, the minute holds.
    let arrivals = simulate(limits(None, Some(10_000.0)), 300.0, 8, 1000.0, |_| (0.001, 0.001));
    assert!(server(&arrivals, 60.0, |a| a.tokens) <= 10_000.0);
    let late = arrivals.iter().filter(|a| a.at > 60.0).count();
    assert!(late >= 38, "{late} of 40");
}

#[test]
fn a_request_that_is_larger_than_its_limit_goes_out_alone() {
    let mut pace = Pace::new(limits(None, Some(100.0)));
    let at = Duration::from_secs;
    assert!(pace.wait(at(0), 5000.0, 1.0).is_zero(), "whether it is too large is the server's to say");
    let id = pace.send(at(0), 5000.0, 1.0);
    pace.head(id, at(1));
    assert!(!pace.wait(at(59), 1.0, 1.0).is_zero());
}

#[test]
fn what_a_prompt_really_took_is_what_counts() {
    let mut pace = Pace::new(limits(None, Some(6000.0)));
    let at = Duration::from_secs;
    let id = pace.send(at(0), 6000.0, 1.0);
    pace.head(id, at(0));
    assert!(!pace.wait(at(59), 4.0, 1.0).is_zero());
    pace.settle(id, 10.0);
    assert!(pace.wait(at(1), 4.0, 1.0).is_zero(), "window and pace have the rest back");
    let without = Pace::new(RateLimits::default());
    assert!(without.wait(at(0), 1e9, 1.0).is_zero(), "no limit, no wait");
    let both = limits(Some(5.0), None).stricter(limits(Some(4.0), Some(3.0)));
    assert_eq!(both, limits(Some(4.0), Some(3.0)));
}

#[test]
fn a_breaker_opens_lets_one_probe_through_and_gives_up_after_three() {
    let s = Duration::from_secs;
    let mut b = Breaker::new(3, s(10));
    for _ in 0..2 {
        assert!(!b.send());
        b.failed(false, s(1));
        assert_eq!(b.gate(s(1)), Gate::Closed);
    }
    b.alive();
    for _ in 0..3 {
        b.failed(false, s(2));
    }
    assert_eq!(b.gate(s(2)), Gate::Open(s(10)));
    b.failed(false, s(5));
    assert_eq!(b.gate(s(5)), Gate::Open(s(7)), "what was under way keeps it shut no longer");
    assert_eq!(b.gate(s(12)), Gate::Probe);
    assert!(b.send());
    assert_eq!(b.gate(s(12)), Gate::Probing);
    b.abandoned(true);
    assert_eq!(b.gate(s(12)), Gate::Probe);
    for k in 0..3 {
        assert_eq!(b.gate(s(12 + 10 * k)), Gate::Probe);
        assert!(b.send());
        b.failed(true, s(12 + 10 * k));
    }
    assert_eq!(b.gate(s(1000)), Gate::Gone);
    assert_eq!(b.gate_of_several(s(33)), Gate::Open(s(9)), "it failed at 32 s");
    assert_eq!(b.gate_of_several(s(42)), Gate::Probe, "with another endpoint one goes on trying");
    assert!(b.send());
    assert_eq!(b.gate_of_several(s(42)), Gate::Probing);
    b.failed(true, s(42));
    assert_eq!(b.gate_of_several(s(43)), Gate::Open(s(9)));
    let mut b = Breaker::new(1, s(10));
    b.failed(false, s(0));
    assert!(b.send());
    b.alive();
    assert_eq!(b.gate(s(10)), Gate::Closed, "a probe that is answered closes it");
    assert!(!b.send());
}

fn question(text: &str) -> Question {
    Question {
        turns: vec![Turn { role: Role::User, text: text.to_owned() }],
        max_new_tokens: 10,
        wants: Wants::default(),
        trial: None,
    }
}

#[test]
fn a_cap_holds_even_if_everything_under_way_costs_the_most_that_it_can() {
    let price = TokenPrice { input: 1.0, output: 4.0 };
    // 3 bytes, a turn's template, the prompt's template, ten tokens of answer.
    assert_eq!(price.worst(&question("abc")), (35.0 + 40.0) / 1e6);
    let schema = JsonText::new(r#"{"a":1}"#).unwrap();
    let wants = Wants { schema: Some(Arc::new(Schema { name: "s".to_owned(), schema })), ..Wants::default() };
    // And eight bytes of name and schema, each up to four, with what a template says of them.
    let formed = Question { wants, ..question("abc") };
    assert_eq!(price.worst(&formed), (35.0 + 8.0 * 4.0 + 1024.0 + 40.0) / 1e6);
    let spend = Spend::new(10.0);
    assert_eq!(spend.set_aside(4.0), Affordable::Yes);
    assert_eq!(spend.set_aside(4.0), Affordable::Yes);
    assert_eq!(spend.set_aside(4.0), Affordable::Later, "if both were dear there would be no room");
    spend.settle(4.0, 1.0);
    assert_eq!(spend.set_aside(4.0), Affordable::Yes);
    spend.settle(4.0, 4.0);
    spend.settle(4.0, 4.0);
    assert_eq!(spend.set_aside(1.5), Affordable::No(9.0));
    assert_eq!(spend.set_aside(1.0), Affordable::Yes, "to the last cent");
    let resumed = Spend::new(10.0);
    resumed.add(9.5);
    assert_eq!(resumed.set_aside(1.0), Affordable::No(9.5));
}

fn gate(allowance: Allowance) -> (Arc<Deployment>, Arc<Shared>) {
    let shared = Shared::new(None);
    (Deployment::new(allowance, Arc::clone(&shared)), shared)
}

#[test]
fn what_a_server_adds_to_a_prompt_is_added_to_the_next_and_bounded_and_forgotten() {
    on_clock(async {
        let limits = RateLimits { tokens_per_minute: Some(6e7), ..RateLimits::default() };
        let (deployment, _) = gate(Allowance { limits, ..Allowance::default() });
        let short = Demand::new(&question("x"), None);
        let long = Demand::new(&question(&"lorem ipsum ".repeat(1_000)), None);
        let probe = TrialRef::Probe { when: Probing::Before, question: 0 };
        let probe = Demand::new(&Question { trial: Some(probe), ..question("x") }, None);
        let answered = |demand: Demand, above: u64| {
            let deployment = Arc::clone(&deployment);
            async move {
                let prompt = demand.prompt as u64 + above;
                let usage = Usage { prompt, completion: 1, reasoning: None };
                deployment.admit(demand, true).await.unwrap().end(Ending::Answered(Some(usage)));
            }
        };
        let tokens = |demand: Demand| deployment.with(|s, _| s.tokens(demand));
        let plain = tokens(long);
        answered(probe, 3_000).await;
        assert_eq!(tokens(long), plain, "a probe is none of the suite's prompts");
        answered(short, 3_000).await;
        assert_eq!(tokens(long), plain + 3_000.0, "as many as to a short one");
        for _ in 0..40 {
            answered(short, 0).await;
        }
        assert!(tokens(long) < plain + 600.0, "{}", tokens(long) - plain);
        let id = deployment.with(|s, now| s.pace.send(now, 10.0, 1.0));
        deployment.with(|s, now| {
            s.pace.settle(id, 2f64.powi(63));
            s.learn(short, 2f64.powi(63));
            assert_eq!(s.tokens(short), 6e7, "a minute's limit is the most that one request takes");
            let later = now + Duration::from_secs(130);
            s.pace.head(id, now);
            assert!(s.pace.wait(later, 6e7, 1.0).is_zero(), "and the next goes out after that");
        });
    });
}

fn on_clock<T>(test: impl Future<Output = T>) -> T {
    // The clock stands still but for sleeps, which take no time.
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

#[test]
fn refusals_halve_the_rate_once_for_all_that_were_under_way_and_it_grows_back() {
    on_clock(async {
        let (deployment, _) = gate(Allowance::default());
        let demand = Demand::new(&question("x"), None);
        let mut tickets = Vec::new();
        for _ in 0..8 {
            tickets.push(deployment.admit(demand, true).await.unwrap());
            tickets.iter().for_each(|t| t.head(true));
        }
        tickets.into_iter().for_each(|t| t.end(Ending::Trouble(Class::Throttled)));
        let (share, at) = deployment.with(|s, _| s.share);
        assert_eq!(share, 0.5, "eight at once are one refusal");
        deployment.with(|s, _| {
            let grown = s.share(at + Duration::from_secs(4));
            assert!((grown - 0.7).abs() < 1e-9 && s.share(at + Duration::from_secs(99)) == 1.0);
        });
        for _ in 0..20 {
            let ticket = deployment.admit(demand, false).await.unwrap();
            ticket.end(Ending::Trouble(Class::Throttled));
        }
        let share = deployment.with(|s, _| s.share.0);
        assert_eq!(share, LEAST_SHARE, "there is a floor");
    });
}

#[test]
fn a_stranger_is_asked_two_questions_at_once_until_it_lets_one_in() {
    on_clock(async {
        let (deployment, _) = gate(Allowance::default());
        let demand = Demand::new(&question("x"), None);
        let one = deployment.admit(demand, true).await.unwrap();
        let _two = deployment.admit(demand, true).await.unwrap();
        let mut third = Box::pin(deployment.admit(demand, true));
        let soon = |limit| Duration::from_millis(limit);
        assert!(tokio::time::timeout(soon(20), &mut third).await.is_err());
        one.head(false);
        assert!(tokio::time::timeout(soon(20), &mut third).await.is_err(), "the key was refused");
        one.head(true);
        let _third = third.await.unwrap();
        let _fourth = deployment.admit(demand, true).await.unwrap();
    });
}

#[test]
fn retries_are_a_share_of_the_questions_and_refusals_for_the_load_are_none() {
    on_clock(async {
        let (deployment, _) = gate(Allowance { retry_percent: 50, ..Allowance::default() });
        let demand = Demand::new(&question("x"), None);
        let mut retries = 0;
        for _ in 0..10 {
            deployment.admit(demand, true).await.unwrap().end(Ending::Answered(None));
        }
        while deployment.allow_retry(Class::Server).is_ok() {
            deployment.admit(demand, false).await.unwrap().end(Ending::Answered(None));
            retries += 1;
        }
        assert_eq!(retries, 15, "ten, and half of ten");
        assert!(deployment.allow_retry(Class::Throttled).is_ok());
    });
}

#[test]
fn a_run_that_has_stopped_lets_nobody_wait_on() {
    on_clock(async {
        let (deployment, shared) = gate(Allowance::default());
        deployment.pause(Duration::from_secs(3600));
        let demand = Demand::new(&question("x"), None);
        let (waiting, asleep) = (deployment.admit(demand, true), shared.sleep(Duration::from_secs(3600)));
        let stop = async { shared.stop("the key is wrong") };
        let (admitted, slept, ()) = tokio::join!(waiting, asleep, stop);
        assert_eq!(admitted.map(|_| ()).unwrap_err(), "the key is wrong");
        assert_eq!(slept.unwrap_err(), "the key is wrong");
    });
}

#[test]
fn a_shorter_pause_takes_nothing_off_a_longer_one() {
    let (deployment, _) = gate(Allowance::default());
    let end = || deployment.with(|s, _| s.pause.unwrap());
    deployment.pause(Duration::from_secs(3600));
    let long = end();
    deployment.pause(Duration::from_secs(1));
    assert_eq!(end(), long);
    deployment.pause(Duration::from_secs(7200));
    assert!(end() > long);
}
