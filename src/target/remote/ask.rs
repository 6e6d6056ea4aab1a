//! One question over one connection, as often as it takes.

use super::super::Question;
use super::super::http::{
    Ask, Class, LimitField, MAX_REPLY, Problem, Protocol, Said, Stream, back_off, of_reply, responses_body, whole,
};
use super::access::Grant;
use super::call::Call;
use super::limit::{Demand, Ending, Ticket};
use super::{DEPLOYMENT, RemoteInner, RemoteModel};
use crate::types::{DigestBuilder, Failure, FailureKind, Response, Served, SplitMix64, Timing, Untrusted};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use std::time::Duration;

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
        let mut jitter = self.jitter(question);
        let mut served = Served::default();
        let demand = Demand::new(question, self.spec.allowance.price);
        let mut renewed = false;
        // Times that the question has travelled, and how long it was kept back before the last of them.
        let (mut calls, mut known_us) = (0, 0);
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
            calls += 1;
            let mut call = Call::new(&self.tape, question.trial.as_ref(), calls, served.waited_us - known_us);
            known_us += call.waited_us();
            served.waited_us = known_us;
            let field = call.limit_field().unwrap_or_else(|| self.limit_field());
            let attempt = self.exchange(question, field, &ticket, &grant, &mut call);
            let outcome = match tokio::time::timeout(self.spec.patience.timeout, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let late = format!("no whole answer within {} s", self.spec.patience.timeout.as_secs_f64());
                    call.time_up(&late);
                    Err((HeaderMap::new(), Problem::new(Class::Late, late)))
                }
            };
            call.keep(&self.access).map_err(|why| self.stop(why))?;
            let (head, mut problem) = match outcome {
                Ok(reply) => {
                    ticket.end(Ending::Answered(reply.said.usage));
                    served.attempts += 1;
                    self.tape.ended(question, calls).map_err(|why| self.stop(why))?;
                    return Ok(self.response(reply, served));
                }
                Err(problem) => problem,
            };
            let told = problem.wait.unwrap_or_default();
            let patience = self.spec.patience;
            if !told.is_zero() && !self.tape.is_replay() {
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
            let another = || async { self.access.refused(&grant).await || self.tape.goes_on(question, calls) };
            if problem.unknown_credential && !renewed && another().await {
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
            let wait = back_off(&mut jitter, served.attempts).min(patience.longest_wait).max(told);
            // Whoever is told to wait for longer than that has been turned away: to ask sooner would be turned away again.
            let give_up =
                !problem.class.is_transient() || served.attempts >= patience.attempts || told > patience.longest_wait;
            if give_up {
                if problem.class != Class::Unrecorded {
                    self.tape.ended(question, calls).map_err(|why| self.stop(why))?;
                }
                return Err(self.give_up(problem, &head, served));
            }
            self.deployment
                .allow_retry(problem.class)
                .map_err(|why| self.stop(format!("{why}; the last trouble was: {}", problem.message)))?;
            if !self.tape.is_replay() {
                self.deployment.shared().sleep(wait).await.map_err(|why| self.stop(why))?;
            }
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
        call: &mut Call<'_>,
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
        let sent = call.send(&self.client, &self.url, &self.headers, grant.headers(), body).await;
        sent.map_err(|problem| (HeaderMap::new(), problem))?;
        ticket.head();
        let (status, head) = (call.status(), call.head().clone());
        let read = async {
            if !(200..300).contains(&status) {
                // What cannot be read of an error's body does not change what the status says.
                let body = read_whole(call).await.unwrap_or_default();
                return Err(of_reply(status, &head, &body, call.received()));
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
                let body = read_whole(call).await?;
                let start = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
                return Err(Problem::new(Class::Rejected, format!("a web page in place of an answer: {start}")));
            }
            if let Protocol::Score(mapping) = &self.spec.protocol {
                let said = mapping.read(&read_whole(call).await?, question.max_new_tokens)?;
                let total = call.at();
                return Ok((said, false, total, total));
            }
            if kind.starts_with("application/json") {
                let said = whole(&self.spec.protocol, &read_whole(call).await?)?;
                let total = call.at();
                return Ok((said, false, total, total));
            }
            let (said, first, total) = read_stream(&self.spec.protocol, call).await?;
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
async fn read_stream(protocol: &Protocol, call: &mut Call<'_>) -> Result<(Said, Duration, Duration), Problem> {
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

async fn read_whole(call: &mut Call<'_>) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = call.chunk().await.map_err(|broken| broken.problem)? {
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
pub(super) fn trouble(e: reqwest::Error) -> Problem {
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
