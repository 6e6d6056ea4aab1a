//! Requests to token services: small, bounded, patient with a busy service, and without a proxy where the service is this machine's.

use super::super::super::http::{back_off, hint};
use super::Trouble;
use crate::types::{DigestBuilder, SplitMix64};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use std::time::Duration;

/// The most bytes of a reply that are read.
const MAX: usize = 1 << 20;
/// The longest wait that a service may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// Attempts at the metadata service, and its first wait: together they outlast the 70 s of an upgrade (HTTP 410).
const METADATA_ATTEMPTS: u32 = 6;
const METADATA_WAIT: Duration = Duration::from_millis(1340);
/// Attempts at any other service.
const ATTEMPTS: u32 = 5;

/// Whom one speaks to: it decides what is asked again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// A token service of the network.
    Authority,
    /// The machine's metadata service, which is not there on most machines and says 404 and 410 while it changes.
    Metadata,
}

/// What a service replied.
pub(super) struct Reply {
    /// Its JSON.
    pub body: Value,
    /// Its clock, or ours where it does not say.
    pub now: Timestamp,
}

/// The connections of token requests.
pub(super) struct Net {
    /// For services of the network.
    pub out: Client,
    /// For services of this machine.
    pub near: Client,
    /// The longest that one attempt may take.
    pub timeout: Duration,
}

impl Net {
    /// Sends a request until there is a reply, a refusal that asking again would not mend, or no attempt left.
    pub(super) async fn send(&self, request: RequestBuilder, service: Service) -> Result<Reply, Trouble> {
        let mut jitter = SplitMix64::new(DigestBuilder::new("goldgate.token-back-off/1").finish().seed());
        let most = if service == Service::Metadata { METADATA_ATTEMPTS } else { ATTEMPTS };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let again = request.try_clone().ok_or_else(|| Trouble::failed("the request cannot be sent again"))?;
            let (trouble, told) = match once(again.timeout(self.timeout)).await {
                Err(e) if service == Service::Metadata && e.is_connect() => {
                    return Err(Trouble::Absent("no metadata service answers".to_owned()));
                }
                Err(e) => (Trouble::failed(super::super::reply::words(e)), None),
                Ok((200, head, body)) => {
                    let body = serde_json::from_slice(&body)
                        .map_err(|_| Trouble::failed("the reply of the token service is no JSON"))?;
                    return Ok(Reply { body, now: clock(&head) });
                }
                Ok((status, head, body)) => {
                    let trouble = refusal(status, &body, service);
                    let busy = status == 429 || status >= 500;
                    let changing = service == Service::Metadata && matches!(status, 404 | 410);
                    if !busy && !changing {
                        return Err(trouble);
                    }
                    (trouble, hint(&head, "", Timestamp::now()))
                }
            };
            let told = told.unwrap_or_default();
            if attempt >= most || told > LONGEST_WAIT {
                return Err(trouble);
            }
            let own = match service {
                Service::Metadata => METADATA_WAIT.saturating_mul(1 << (attempt - 1)),
                Service::Authority => back_off(&mut jitter, attempt),
            };
            tokio::time::sleep(own.max(told)).await;
        }
    }
}

async fn once(request: RequestBuilder) -> Result<(u16, HeaderMap, Vec<u8>), reqwest::Error> {
    let mut reply = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX {
            break;
        }
    }
    Ok((reply.status().as_u16(), reply.headers().clone(), body))
}

fn clock(head: &HeaderMap) -> Timestamp {
    let sent = head.get("date").and_then(|v| v.to_str().ok());
    sent.and_then(|d| DateTimeParser::new().parse_timestamp(d).ok()).unwrap_or_else(Timestamp::now)
}

/// What a service says that gives no token: Entra's `error` and `error_description`, or the start of anything else.
fn refusal(status: u16, body: &[u8], service: Service) -> Trouble {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| value[key].as_str().map(|t| t.lines().next().unwrap_or_default());
    let mut said = format!("HTTP {status}");
    match (text("error"), text("error_description")) {
        (None, None) if body.is_empty() => said.push_str(": nothing else"),
        (None, None) => said.push_str(&format!(": {}", String::from_utf8_lossy(body).trim())),
        (code, description) => {
            said.extend(code.map(|c| format!(" {c}")));
            // What follows is for the service's support, and differs each time.
            said.extend(description.map(|d| format!(": {}", d.split(" Trace ID:").next().unwrap_or(d))));
        }
    }
    let said: String = said.chars().filter(|c| !c.is_control()).collect();
    if service == Service::Metadata && status == 400 && said.contains("Identity not found") {
        return Trouble::Absent(format!("the machine has no such identity ({said})"));
    }
    Trouble::Failed(said)
}
