//! The keys that all remote kinds have: how patient the asking is, when a deployment is left alone, how the model decodes.

use super::{Checked, Provider, Remote};
use crate::target::{
    Allowance, Further, IdentitySpec, LimitField, Patience, Protocol, RemoteModel, RemoteSpec, Sampling,
};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// The most further endpoints of a target.
const MOST_FURTHER: usize = 8;

impl Checked<'_> {
    fn sampling(&mut self) -> Sampling {
        match self.raw.sampling.as_ref().map(|s| (s.get_ref().as_str(), s.span())) {
            None | Some(("greedy", _)) => Sampling::Greedy,
            Some(("default", _)) => Sampling::Default,
            Some((_, span)) => {
                let help =
                    "`greedy` (temperature 0) where nothing is written; `default` for models that take no temperature";
                self.refuse(span, "`sampling` is `greedy` or `default`", help);
                Sampling::Greedy
            }
        }
    }

    /// Servers add words, so that any one is passed on.
    fn effort(&mut self) -> Option<String> {
        let value = self.raw.reasoning_effort.as_ref()?;
        let text = value.get_ref();
        if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_lowercase()) {
            self.refuse(value.span(), "`reasoning-effort` is a word", "one that the server knows, such as `low`");
        }
        Some(text.clone())
    }

    /// When a deployment is left alone. Its limits and its price stand in keys of their own.
    fn allowance(&mut self) -> Option<Allowance> {
        let raw = self.raw;
        let usual = Allowance::default();
        let percent = self.number("retry-percent", &raw.retry_percent, 0..=100, u64::from(usual.retry_percent));
        let failures = u64::from(usual.breaker_failures);
        let failures = self.number("breaker-failures", &raw.breaker_failures, 1..=1000, failures);
        let cool_down = usual.breaker_cool_down.as_secs();
        let cool_down = self.number("breaker-seconds", &raw.breaker_seconds, 0..=3600, cool_down);
        Some(Allowance {
            retry_percent: u32::try_from(percent).ok()?,
            breaker_failures: u32::try_from(failures).ok()?,
            breaker_cool_down: Duration::from_secs(cool_down),
            ..usual
        })
    }

    /// How long one waits, and how often one tries.
    fn patience(&mut self) -> Option<Patience> {
        let (raw, usual) = (self.raw, Patience::default());
        let timeout = self.number("timeout-seconds", &raw.timeout_seconds, 1..=3600, usual.timeout.as_secs());
        let first_byte = self.part("first-byte-seconds", &raw.first_byte_seconds, timeout);
        let idle = self.part("idle-seconds", &raw.idle_seconds, timeout);
        let attempts = self.number("attempts", &raw.attempts, 1..=20, u64::from(usual.attempts));
        let longest = usual.longest_wait.as_secs();
        let longest = self.number("longest-wait-seconds", &raw.longest_wait_seconds, 0..=3600, longest);
        Some(Patience {
            timeout: Duration::from_secs(timeout),
            first_byte,
            idle,
            attempts: u32::try_from(attempts).ok()?,
            longest_wait: Duration::from_secs(longest),
        })
    }

    /// The limit of a part of an attempt, which nobody would ever reach if it were longer than the whole.
    fn part(&mut self, key: &str, value: &Option<Spanned<u64>>, timeout: u64) -> Option<Duration> {
        let value = value.as_ref()?;
        let seconds = *value.get_ref();
        if seconds == 0 || seconds > timeout {
            let message = format!("`{key}` goes from 1 to the {timeout} s that the whole attempt may take");
            self.refuse(
                value.span(),
                message,
                "raise `timeout-seconds`, or take the key away: without it only the whole has a limit",
            );
        }
        Some(Duration::from_secs(seconds))
    }

    /// Further endpoints of the deployment.
    fn failover(&mut self) -> Vec<Further> {
        let raw = self.raw;
        let Some(all) = &raw.failover else { return Vec::new() };
        if all.get_ref().is_empty() || all.get_ref().len() > MOST_FURTHER {
            let help = "write `[{ address = \"https://…\" }]`, or take the key away";
            self.refuse(all.span(), format!("`failover` has 1 to {MOST_FURTHER} endpoints"), help);
        }
        let identity = raw.identity.as_ref().is_some_and(|i| i.get_ref() != "api-key");
        let mut further = Vec::new();
        for f in all.get_ref() {
            if let Some(key) = f.api_key_env.as_ref().filter(|_| identity) {
                let help = "take it away: every endpoint is asked under the target's identity";
                self.refuse(key.span(), "an identity needs no key", help);
            }
            further.push(Further { address: f.address.get_ref().clone(), key_env: self.variable(&f.api_key_env) });
        }
        further
    }

    /// Every further endpoint has an address, and one that no other has. The first may be known to the environment only.
    fn check_places(&mut self, spec: &RemoteSpec, first_is_known: bool) {
        let Some(all) = &self.raw.failover else { return };
        let places = spec.places();
        let mut seen: Vec<String> =
            places.iter().take(usize::from(first_is_known)).filter_map(|p| p.url().ok()).collect();
        for (place, f) in places.iter().skip(1).zip(all.get_ref()) {
            match place.url() {
                Err(e) => self.refuse(f.address.span(), e, "write it as the target's own address"),
                Ok(url) if seen.contains(&url) => {
                    self.refuse(f.address.span(), "this endpoint stands twice", "take one of them away");
                }
                Ok(url) => seen.push(url),
            }
        }
    }

    /// What all remote kinds have; `address` is where the address stands, if it stands in the file.
    pub(super) fn remote(
        &mut self,
        model: RemoteModel,
        protocol: Protocol,
        identity: Option<IdentitySpec>,
        address: Option<Range<usize>>,
        endpoint_env: Option<String>,
    ) -> Option<Provider> {
        let raw = self.raw;
        let limit_field = match raw.limit_field.as_ref().map(|l| (l.get_ref().as_str(), l.span())) {
            None => None,
            Some(("max-tokens", _)) => Some(LimitField::MaxTokens),
            Some(("max-completion-tokens", _)) => Some(LimitField::MaxCompletionTokens),
            Some((_, span)) => {
                let help = "the name under which the server takes the limit on an answer's tokens";
                self.refuse(span, "`limit-field` is `max-tokens` or `max-completion-tokens`", help);
                None
            }
        };
        let patience = self.patience()?;
        let identity = identity.map(|i| Box::new(IdentitySpec { timeout: i.timeout.min(patience.timeout), ..i }));
        let key_env = self.variable(&raw.api_key_env);
        let seed = raw.seed.as_ref().map_or(1, |s| *s.get_ref());
        let (sampling, effort) = (self.sampling(), self.effort());
        let allowance = self.allowance()?;
        let failover = self.failover();
        let spec = RemoteSpec {
            model,
            failover,
            protocol,
            key_env,
            identity,
            limit_field,
            seed,
            sampling,
            effort,
            patience,
            allowance,
        };
        self.check_places(&spec, address.is_some());
        if let Some(span) = address
            && let Err(e) = spec.url()
        {
            self.refuse(span, e, "write scheme, host and path, such as `https://NAME.openai.azure.com`");
        }
        self.fine.then_some(Provider::Remote(Box::new(Remote { spec, endpoint_env })))
    }
}
