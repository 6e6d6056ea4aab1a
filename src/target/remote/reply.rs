//! What comes back on a connection: its pieces, its end, and what went wrong below HTTP.

use super::super::http::{Class, MAX_REPLY, Problem, Protocol, START, Said, Stream};
use super::call::Call;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use std::error::Error;
use std::io;
use std::time::Duration;

/// How long the connection may take to end after the answer has: a connection that was read to its end is used again.
const GOODBYE: Duration = Duration::from_millis(50);

/// What comes within a limit, if there is one; else the limit in seconds.
pub(super) async fn within<T>(limit: Option<Duration>, what: impl Future<Output = T>) -> Result<T, f64> {
    match limit {
        None => Ok(what.await),
        Some(limit) => tokio::time::timeout(limit, what).await.map_err(|_| limit.as_secs_f64()),
    }
}

/// The content's type, in lower case; empty where the head does not say.
pub(super) fn content_type(head: &HeaderMap) -> String {
    head.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}

/// What a page says that came in place of an answer, such as a proxy's that wants a person to sign in.
pub(super) fn is_page(content_type: &str) -> bool {
    ["text/html", "application/xhtml", "text/xml", "application/xml"].iter().any(|t| content_type.starts_with(t))
}

/// A page is no answer, and every other question would get it too.
pub(super) async fn page(content_type: &str, call: &mut Call<'_>) -> Problem {
    match read_whole(call).await {
        Ok(body) => {
            let before = format!("expected JSON, got {content_type}, which begins: ");
            Problem::quoting(Class::Rejected, before, &String::from_utf8_lossy(&body), START)
        }
        Err(problem) => problem,
    }
}

/// A packed reply: nobody asked for one, and what it unpacks to may be a thousand times as long.
pub(super) fn packed(head: &HeaderMap) -> Option<Problem> {
    let how = head.get(CONTENT_ENCODING).filter(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))?;
    let how = String::from_utf8_lossy(how.as_bytes()).into_owned();
    Some(Problem::new(Class::Unreadable, format!("the reply is packed (`{how}`), which was not asked for")))
}

/// Reads a streamed answer; the times are those of its first and its last piece.
pub(super) async fn read_stream(
    protocol: &Protocol,
    call: &mut Call<'_>,
) -> Result<(Said, Duration, Duration), Problem> {
    let (mut stream, mut read) = (Stream::new(protocol), 0);
    let (mut first, mut last) = (None, None);
    loop {
        let chunk = if stream.is_done() {
            match tokio::time::timeout(GOODBYE, call.chunk()).await {
                Ok(Ok(Some(chunk))) => Some(chunk),
                _ => None,
            }
        } else {
            match call.chunk().await {
                Ok(chunk) => chunk,
                // What broke off is judged by what had come.
                Err(broken) if broken.in_body => None,
                Err(broken) => return Err(broken.problem),
            }
        };
        let Some(chunk) = chunk else { break };
        let now = call.at();
        read += chunk.len();
        if read > MAX_REPLY {
            return Err(too_long());
        }
        let step = stream.push(&chunk)?;
        if step.content {
            first.get_or_insert(now);
        }
        if step.content || step.finish {
            last = Some(now);
        }
    }
    let said = stream.end()?;
    let total = last.unwrap_or_else(|| call.at());
    Ok((said, first.unwrap_or(total), total))
}

pub(super) async fn read_whole(call: &mut Call<'_>) -> Result<Vec<u8>, Problem> {
    let mut whole = Vec::new();
    while let Some(chunk) = call.chunk().await.map_err(|broken| broken.problem)? {
        whole.extend_from_slice(&chunk);
        if whole.len() > MAX_REPLY {
            return Err(too_long());
        }
    }
    Ok(whole)
}

fn too_long() -> Problem {
    Problem::new(Class::Unreadable, format!("the reply is longer than {} MiB", MAX_REPLY >> 20))
}

/// What went wrong below HTTP.
pub(super) fn trouble(e: reqwest::Error) -> Problem {
    let class = match () {
        () if e.is_connect() && is_distrust(&e) => Class::Distrusted,
        () if e.is_connect() => Class::Unreachable,
        () if e.is_timeout() => Class::Late,
        () => Class::Cut,
    };
    let mut message = words(e);
    if let Some(advice) = class.advice() {
        message.push_str("; ");
        message.push_str(advice);
    }
    Problem::new(class, message)
}

/// Whether it was the server's certificate, or its version of TLS, that made an end: the next attempt would meet the same.
fn is_distrust(e: &reqwest::Error) -> bool {
    use rustls::Error as Tls;
    let cause = e.source().and_then(tls);
    cause.is_some_and(|e| {
        matches!(
            e,
            Tls::InvalidCertificate(_) | Tls::PeerIncompatible(_) | Tls::InvalidMessage(_) | Tls::AlertReceived(_)
        )
    })
}

/// The error of TLS among an error's causes.
fn tls<'a>(e: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = e.downcast_ref() {
        return Some(found);
    }
    // An error of input and output does not name the one that it wraps as its cause.
    match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => tls(inner),
        None => e.source().and_then(tls),
    }
}

/// What a connection says that failed, with its causes and without its address.
pub(super) fn words(e: reqwest::Error) -> String {
    let e = e.without_url();
    let mut message = e.to_string();
    let mut cause = e.source();
    while let Some(c) = cause {
        let text = c.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = c.source();
    }
    message
}
