//! A token with its times, and what can be read of it without trusting it.

use super::super::secret::Key;
use super::Trouble;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long before its end a token is replaced; one that lives shorter than twice that is replaced at half its life.
const AHEAD: Duration = Duration::from_secs(300);
/// The longest life that is believed.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A bearer token. Its text shows nowhere.
#[derive(Debug)]
pub(in crate::target::remote) struct Token {
    /// The token.
    pub key: Key,
    /// When it is to be replaced.
    pub refresh_at: Instant,
    /// When it ends.
    pub ends_at: Instant,
}

impl Token {
    /// A token that lives from now on. `refresh_in` is the service's own wish.
    pub(super) fn new(text: &str, life: Duration, refresh_in: Option<Duration>) -> Result<Self, Trouble> {
        let key = Key::new(text).ok_or_else(|| Trouble::failed("the token is empty or cannot stand in a header"))?;
        let (now, life) = (Instant::now(), life.min(LONGEST));
        let usual = life.saturating_sub(AHEAD).max(life / 2);
        Ok(Self { key, refresh_at: now + refresh_in.map_or(usual, |r| r.min(usual)), ends_at: now + life })
    }

    /// Reads the reply of a token service: `expires_in`, or else `expires_on` by the server's clock, as numbers or as text.
    pub(super) fn from_reply(reply: &Value, server_now: Timestamp) -> Result<Self, Trouble> {
        let Some(text) = reply["access_token"].as_str() else {
            return Err(Trouble::failed("the reply has no `access_token`"));
        };
        let kind = reply["token_type"].as_str().unwrap_or("Bearer");
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(Trouble::failed("the reply holds a token of another type than `Bearer`"));
        }
        let life = number(&reply["expires_in"])
            .or_else(|| number(&reply["expires_on"]).map(|on| on.saturating_sub(server_now.as_second())))
            .ok_or_else(|| Trouble::failed("the reply does not say when the token ends"))?;
        Self::new(text, seconds(life), number(&reply["refresh_in"]).map(seconds))
    }

    /// Reads what `az account get-access-token` prints. `expiresOn` is in local time, and old versions have nothing else.
    pub(super) fn from_cli(reply: &Value) -> Result<Self, Trouble> {
        let Some(text) = reply["accessToken"].as_str() else {
            return Err(Trouble::failed("the Azure CLI printed no `accessToken`"));
        };
        let local = || {
            let spelt = reply["expiresOn"].as_str()?.replacen(' ', "T", 1);
            Some(spelt.parse::<DateTime>().ok()?.to_zoned(TimeZone::system()).ok()?.timestamp().as_second())
        };
        let ends = number(&reply["expires_on"])
            .or_else(local)
            .ok_or_else(|| Trouble::failed("the Azure CLI does not say when the token ends"))?;
        let life = ends.saturating_sub(Timestamp::now().as_second());
        if life <= 0 {
            return Err(Trouble::failed("the Azure CLI gave a token that has ended; check this machine's clock"));
        }
        Self::new(text, seconds(life), None)
    }

    /// For whom the token says it is made out. Nobody has checked it: it is for messages only.
    pub(in crate::target::remote) fn audience(&self) -> Option<String> {
        claim(self.key.expose(), "aud")
    }
}

/// A claim of a token's payload, unchecked, shortened, for messages only.
pub(super) fn claim(token: &str, name: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let text: String = claims[name].as_str()?.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(text).filter(|t| !t.is_empty())
}

/// One service writes numbers, the next the same numbers as text.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

fn seconds(life: i64) -> Duration {
    Duration::from_secs(u64::try_from(life).unwrap_or(0))
}
