//! One question over one connection, as often as it takes.

use super::super::Question;
use super::super::http::{
    Ask, Class, LimitField, MAX_REPLY, Problem, Protocol, Said, Stream, back_off, of_reply, responses_body, whole,
};
use super::access::Grant;
use super::limit::{Demand, Ending, Ticket};
use super::{DEPLOYMENT, RemoteInner, RemoteModel};
use crate::types::{DigestBuilder, Failure, FailureKind, Response, Served, SplitMix64, Timing, Untrusted};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use std::time::{Duration, Instant};

/// How long the connection may take to end after the answer has: a connection that was read to its end is used again.
const GOODBYE: Duration = Duration::from_millis(50);

/// An answer with what the reply's head said and when its pieces came.
struct Reply {
    said: Said,
    head: HeaderMap,
    streamed: bool,
    first_token: Duration,
    total: Duration,
}

impl RemoteInner {
    /// Asks until there is an answer, a trouble that asking again would not mend, or no attempt left.
    pub(super) async fn answer(&self, question: &Question) -> Result<Response, Failure> {
        let mut jitter = None;
        let mut served = Served::default();
        let demand = Demand::new(question, self.spec.allowance.price);
        let mut renewed = false;
        loop {
            let admitted = self.deployment.admit(demand, served.attempts == 0).await;
            let (ticket, queued) = admitted.map_err(|why| self.stop(why))?;
            served.waited_us += micros(queued);
            // A token is fetched outside the attempt, for its time is none of the model's; and after the wait, in which one may end.
            let grant = match self.access.grant().await {
                Ok(grant) => grant,
                Err(problem) => {
                    ticket.end(Ending::Trouble(problem.class));
                    return Err(self.give_up(problem, &HeaderMap::new(), served));
                }
            };
            let field = self.limit_field();
            let attempt = self.exchange(question, field, &ticket, &grant);
            let outcome = match tokio::time::timeout(self.spec.patience.timeout, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let limit = self.spec.patience.timeout.as_secs_f64();
                    Err((HeaderMap::new(), Problem::new(Class::Late, format!("no whole answer within {limit} s"))))
                }
            };
            let (head, mut problem) = match outcome {
                Ok(reply) => {
                    ticket.end(Ending::Answered(reply.said.usage));
                    served.attempts += 1;
                    return Ok(self.response(reply, served));
                }
                Err(problem) => problem,
            };
            let told = problem.wait.unwrap_or_default();
            let patience = self.spec.patience;
            if !told.is_zero() {
                // Before the ticket's end, which lets the next one look whether it may be sent.
                self.deployment.pause(told.min(patience.longest_wait));
            }
            ticket.end(Ending::Trouble(problem.class));
            if problem.class == Class::LimitName && !served.limit_renamed {
                // No model saw the question: its form was refused, at once and for every question alike.
                served.limit_renamed = true;
                self.rename_limit(field);
                continue;
            }
            if problem.unknown_credential && !renewed && self.access.refused(&grant).await {
                // No model saw the question: a token may end, or be taken back, before its time.
                renewed = true;
                continue;
            }
            if problem.unknown_credential
                && let Some(about) = self.access.about(&grant)
            {
                problem.message.insert_str(0, &about);
            }
            served.attempts += 1;
            served.uncounted += u32::from(problem.class.may_be_billed());
            let jitter = jitter.get_or_insert_with(|| self.jitter(question));
            let wait = back_off(jitter, served.attempts).min(patience.longest_wait).max(told);
            // Whoever is told to wait for longer than that has been turned away: to ask sooner would be turned away again.
            let give_up =
                !problem.class.is_transient() || served.attempts >= patience.attempts || told > patience.longest_wait;
            if give_up {
                return Err(self.give_up(problem, &head, served));
            }
            self.deployment
                .allow_retry(problem.class)
                .map_err(|why| self.stop(format!("{why}; the last trouble was: {}", problem.message)))?;
            self.deployment.shared().sleep(wait).await.map_err(|why| self.stop(why))?;
            served.waited_us += micros(wait);
        }
    }

    /// The failure of a question that is not asked again; the run ends where every other question would meet the same.
    fn give_up(&self, problem: Problem, head: &HeaderMap, served: Served) -> Failure {
        if problem.class.kind() == FailureKind::Unavailable {
            self.deployment.shared().stop(&self.redact(problem.message.clone()));
        }
        self.failure(problem, head, served)
    }

    /// Ends the run, which goes on at the next sitting: nothing is recorded for the question.
    fn stop(&self, why: String) -> Failure {
        let why = self.redact(why);
        self.deployment.shared().stop(&why);
        Failure::new(FailureKind::Unavailable, why)
    }

    /// The back-off's random stream: the run's seed and the question decide it, not the order in which questions fail.
    fn jitter(&self, question: &Question) -> SplitMix64 {
        let mut d = DigestBuilder::new("goldgate.back-off/1")
            .field(&self.run_seed.to_le_bytes())
            .field(self.digest.hex().as_bytes());
        for turn in &question.turns {
            d = d.field(turn.text.as_bytes());
        }
        SplitMix64::new(d.finish().seed())
    }

    /// One attempt.
    async fn exchange(
        &self,
        question: &Question,
        limit_field: LimitField,
        ticket: &Ticket,
        grant: &Grant,
    ) -> Result<Reply, (HeaderMap, Problem)> {
        let ask = Ask {
            model: self.spec.body_model(),
            turns: &question.turns,
            limit: question.max_new_tokens,
            limit_field,
            seed: self.spec.seed,
            sampling: self.spec.sampling,
            effort: self.spec.effort.as_deref(),
        };
        let body = match &self.spec.protocol {
            Protocol::Chat => ask.body(),
            Protocol::Responses => responses_body(&ask),
            Protocol::Score(mapping) => {
                mapping.body(&ask).map_err(|e| (HeaderMap::new(), Problem::new(Class::Rejected, e)))?
            }
        };
        let request =
            self.client.post(self.url.clone()).headers(self.headers.clone()).headers(grant.headers()).body(body);
        let sent = Instant::now();
        let mut reply = request.send().await.map_err(|e| (HeaderMap::new(), trouble(e)))?;
        ticket.head();
        let (status, head) = (reply.status().as_u16(), std::mem::take(reply.headers_mut()));
        let read = async {
            if !reply.status().is_success() {
                // What cannot be read of an error's body does not change what the status says.
                let body = read_whole(&mut reply).await.unwrap_or_default();
                return Err(of_reply(status, &head, &body, jiff::Timestamp::now()));
            }
            if let Some(from) = head.get("x-ms-spillover-from-deployment") {
                let from = String::from_utf8_lossy(from.as_bytes()).into_owned();
                return Err(Problem::new(
                    Class::Elsewhere,
                    format!("`{from}` was full, and another deployment answered"),
                ));
            }
            if let (RemoteModel::AzureMl { deployment, .. }, Some(by)) = (&self.spec.model, head.get(DEPLOYMENT))
                && by.as_bytes() != deployment.as_bytes()
            {
                let by = String::from_utf8_lossy(by.as_bytes()).into_owned();
                return Err(Problem::new(Class::Elsewhere, format!("the deployment `{by}` answered for this one")));
            }
            let kind = head.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
            if kind.starts_with("text/html") {
                let body = read_whole(&mut reply).await?;
                let start = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
                return Err(Problem::new(Class::Rejected, format!("a web page in place of an answer: {start}")));
            }
            if let Protocol::Score(mapping) = &self.spec.protocol {
                let said = mapping.read(&read_whole(&mut reply).await?, question.max_new_tokens)?;
                let total = sent.elapsed();
                return Ok((said, false, total, total));
            }
            if kind.starts_with("application/json") {
                let said = whole(&self.spec.protocol, &read_whole(&mut reply).await?)?;
                let total = sent.elapsed();
                return Ok((said, false, total, total));
            }
            let (said, first, total) = read_stream(&self.spec.protocol, &mut reply, sent).await?;
            Ok((said, true, first, total))
        };
        match read.await {
            Ok((said, streamed, first_token, total)) => Ok(Reply { said, head, streamed, first_token, total }),
            Err(problem) => Err((head, problem)),
        }
    }

    fn response(&self, reply: Reply, served: Served) -> Response {
        let Reply { said, head, streamed, first_token, total } = reply;
        let own = |text: String| Untrusted::new(self.access.redact_answer(text));
        let served = Served {
            streamed,
            model: said.model.map(own),
            fingerprint: said.fingerprint.map(own),
            unchecked: said.unchecked,
            ..self.name_request(&head, served)
        };
        Response {
            text: own(said.text),
            finish: said.finish,
            usage: said.usage,
            smallest_gap: None,
            timing: Timing { queued_us: 0, first_token_us: micros(first_token), total_us: micros(total) },
            served: Some(Box::new(served)),
        }
    }

    fn failure(&self, problem: Problem, head: &HeaderMap, served: Served) -> Failure {
        let mut message = problem.message;
        if problem.class.is_transient() {
            message.push_str(&format!("; attempt {} of {}", served.attempts, self.spec.patience.attempts));
            if let Some(wait) = problem.wait.filter(|w| *w > self.spec.patience.longest_wait) {
                message.push_str(&format!(", and the server asks to wait {} s", wait.as_secs_f64()));
            }
        }
        let served = self.name_request(head, served);
        let mut failure = Failure::new(problem.class.kind(), self.redact(message));
        failure.served = Some(Box::new(served));
        failure
    }

    /// The few headers that are kept, by name: a server can put anything into the others.
    fn name_request(&self, head: &HeaderMap, served: Served) -> Served {
        let text = |names: &[&str]| {
            let value = names.iter().find_map(|n| head.get(*n))?;
            let text: String = String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect();
            Some(Untrusted::new(self.redact(text)))
        };
        Served {
            request: text(&["apim-request-id", "x-request-id", "x-ms-request-id"]),
            region: text(&["x-ms-region"]),
            ..served
        }
    }
}

/// Reads a streamed answer; the times are those of its first and its last piece.
async fn read_stream(
    protocol: &Protocol,
    reply: &mut reqwest::Response,
    sent: Instant,
) -> Result<(Said, Duration, Duration), Problem> {
    let (mut stream, mut read) = (Stream::new(protocol), 0);
    let (mut first, mut last) = (None, None);
    loop {
        let chunk = if stream.is_done() {
            match tokio::time::timeout(GOODBYE, reply.chunk()).await {
                Ok(Ok(Some(chunk))) => Some(chunk),
                _ => None,
            }
        } else {
            match reply.chunk().await {
                Ok(chunk) => chunk,
                // What broke off is judged by what had come.
                Err(e) if e.is_body() || e.is_decode() => None,
                Err(e) => return Err(trouble(e)),
            }
        };
        let Some(chunk) = chunk else { break };
        let now = sent.elapsed();
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
    let total = last.unwrap_or_else(|| sent.elapsed());
    Ok((said, first.unwrap_or(total), total))
}

async fn read_whole(reply: &mut reqwest::Response) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(trouble)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_REPLY {
            return Err(too_long());
        }
    }
    Ok(body)
}

fn too_long() -> Problem {
    Problem::new(Class::Unreadable, format!("the reply is longer than {} MiB", MAX_REPLY >> 20))
}

/// What went wrong below HTTP.
fn trouble(e: reqwest::Error) -> Problem {
    let class = match () {
        () if e.is_connect() => Class::Unreachable,
        () if e.is_timeout() => Class::Late,
        () => Class::Cut,
    };
    Problem::new(class, words(e))
}

/// What a connection says that failed, with its causes and without its address.
pub(super) fn words(e: reqwest::Error) -> String {
    let e = e.without_url();
    let mut message = e.to_string();
    let mut cause = std::error::Error::source(&e);
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

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
