//! One question over one connection, as often as it takes.

use super::super::Question;
use super::super::http::{Ask, Class, LimitField, Problem, Protocol, Said, back_off, of_reply, responses_body, whole};
use super::access::Grant;
use super::call::Call;
use super::limit::{Demand, Ending, Ticket};
use super::place::{self, Place, Search};
use super::reply::{content_type, is_page, packed, page, read_stream, read_whole};
use super::secret::Key;
use super::{DEPLOYMENT, RemoteInner, RemoteModel};
use crate::types::{
    DigestBuilder, Failure, FailureKind, Response, Served, SplitMix64, Timing, TokenLogprob, ToolCall, Untrusted,
};
use reqwest::header::HeaderMap;
use std::time::{Duration, Instant};

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
        let (mut renewed, mut search) = (false, Search::default());
        let (mut calls, mut renamed) = (0, Vec::new());
        // Read off the clock, not added up from the waits that somebody thought of: nothing can be left out.
        let begin = Instant::now();
        loop {
            calls += 1;
            let mut call = Call::new(&self.tape, question.trial.as_ref(), calls);
            let first = served.attempts == 0;
            let admitted = match call.address() {
                Some(address) => place::admit_again(&self.places, address, demand, first).await,
                None => place::admit(&self.places, &search, demand, first).await,
            };
            let (at, ticket) = admitted.map_err(|why| self.stop(why, &served))?;
            let place = &self.places[at];
            if self.places.len() > 1 {
                (served.endpoint, served.failover) = (Some(place.url.origin().ascii_serialization().into()), at > 0);
            }
            // A token is fetched outside the attempt, for its time is none of the model's; and after the wait, in which one may end.
            let grant = match place.access.grant().await {
                Ok(grant) => grant,
                Err(problem) => {
                    ticket.end(Ending::Trouble(problem.class));
                    return Err(self.give_up(problem, &HeaderMap::new(), served));
                }
            };
            call.begun(begin, served.waited_us);
            let field = call.limit_field().unwrap_or_else(|| place.limit_field());
            let attempt = self.exchange(question, place, field, &ticket, &grant, &mut call);
            let outcome = match tokio::time::timeout(self.spec.patience.timeout, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let late = format!("no whole answer within {} s", self.spec.patience.timeout.as_secs_f64());
                    call.time_up(&late);
                    Err((HeaderMap::new(), Problem::new(Class::Late, late)))
                }
            };
            served.waited_us += call.waited_us();
            if let Ok(reply) = &outcome
                && reply.said.logprobs.as_ref().is_some_and(|tokens| !self.may_keep(tokens))
            {
                call.withhold();
            }
            let secrets: Vec<Key> = self.places.iter().flat_map(|p| p.access.secrets()).collect();
            call.keep(&secrets).map_err(|why| self.stop(why, &served))?;
            let (head, mut problem) = match outcome {
                Ok(reply) => {
                    ticket.end(Ending::Answered(reply.said.usage));
                    served.attempts += 1;
                    self.tape.ended(question, calls).map_err(|why| self.stop(why, &served))?;
                    return Ok(self.response(reply, served));
                }
                Err((head, problem)) => (head, problem.without(|text| self.redact(text))),
            };
            let told = problem.wait.unwrap_or_default();
            let patience = self.spec.patience;
            if !told.is_zero() && !self.tape.is_replay() {
                // Before the ticket's end, which lets the next one look whether it may be sent.
                place.deployment.pause(told.min(patience.longest_wait));
            }
            ticket.end(Ending::Trouble(problem.class));
            if problem.class == Class::Unreachable && search.goes_on(at, self.places.len()) {
                // No model saw the question: there is nobody at the door, and another door.
                continue;
            }
            search = Search::default();
            if problem.class == Class::LimitName && !renamed.contains(&at) {
                // No model saw the question: its form was refused, at once and for every question alike. Each endpoint has a word of its own.
                renamed.push(at);
                served.limit_renamed = true;
                place.rename_limit(field);
                continue;
            }
            let another = || async { place.access.refused(&grant).await || self.tape.goes_on(question, calls) };
            if problem.unknown_credential && !renewed && another().await {
                // No model saw the question: a token may end, or be taken back, before its time.
                renewed = true;
                continue;
            }
            if problem.unknown_credential
                && let Some(about) = place.access.about(&grant)
            {
                problem.message.insert_str(0, &about);
            }
            if self.places.len() > 1 && problem.class == Class::Auth {
                problem.message.insert_str(0, &self.whose(at));
            }
            served.attempts += 1;
            served.uncounted += u32::from(problem.class.may_be_billed());
            let jitter = jitter.get_or_insert_with(|| self.jitter(question));
            let wait = back_off(jitter, served.attempts).min(patience.longest_wait).max(told);
            // Whoever is told to wait for longer than that has been turned away: to ask sooner would be turned away again.
            let give_up =
                !problem.class.is_transient() || served.attempts >= patience.attempts || told > patience.longest_wait;
            if give_up {
                if problem.class != Class::Unrecorded {
                    self.tape.ended(question, calls).map_err(|why| self.stop(why, &served))?;
                }
                return Err(self.give_up(problem, &head, served));
            }
            place
                .deployment
                .allow_retry(problem.class)
                .map_err(|why| self.stop(format!("{why}; the last trouble was: {}", problem.message), &served))?;
            if !self.tape.is_replay() {
                self.shared.sleep(wait).await.map_err(|why| self.stop(why, &served))?;
            }
        }
    }

    /// The failure of a question that is not asked again; the run ends where every other question would meet the same.
    fn give_up(&self, problem: Problem, head: &HeaderMap, served: Served) -> Failure {
        if problem.class.kind() == FailureKind::Unavailable {
            self.shared.stop(&self.redact(problem.message.clone()));
        }
        self.failure(problem, head, served)
    }

    /// Ends the run, which goes on at the next sitting: nothing is recorded for the question but what it may have cost.
    fn stop(&self, why: String, served: &Served) -> Failure {
        let why = self.redact(why);
        self.shared.stop(&why);
        let served = (served.attempts > 0).then(|| Box::new(served.clone()));
        Failure { served, ..Failure::new(FailureKind::Unavailable, why) }
    }

    /// Which of several endpoints says something of a credential, and which: the start of the message.
    fn whose(&self, at: usize) -> String {
        let endpoint = self.places[at].url.origin().ascii_serialization();
        let spec = self.spec.places().swap_remove(at);
        let key = spec.key_env.map(|k| format!(", asked with the key of `{k}`")).unwrap_or_default();
        format!("endpoint {endpoint}{key}: ")
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
        place: &Place,
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
            wants: Some(&question.wants),
        };
        let body = match &self.spec.protocol {
            Protocol::Chat => ask.body(),
            Protocol::Responses => responses_body(&ask),
            Protocol::Score(mapping) => {
                mapping.body(&ask).map_err(|e| (HeaderMap::new(), Problem::new(Class::Rejected, e)))?
            }
        };
        let sent = call.send(&self.client, &place.url, &self.headers, grant.headers(), body, self.spec.patience);
        sent.await.map_err(|problem| (HeaderMap::new(), problem))?;
        let (status, head) = (call.status(), call.head().clone());
        let (kind, success) = (content_type(&head), (200..300).contains(&status));
        // What ends a run says nothing yet about the credential.
        let let_in = success && !is_page(&kind);
        ticket.head(let_in || matches!(status, 408 | 409 | 424 | 429 | 500..=599));
        let read = async {
            if !success {
                // What cannot be read of an error's body does not change what the status says.
                let said = read_whole(call).await.unwrap_or_default();
                return Err(of_reply(status, &head, &said, call.received()));
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
            if let Some(problem) = packed(&head) {
                return Err(problem);
            }
            if is_page(&kind) {
                return Err(page(&kind, call).await);
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
        let asked_for = |(said, streamed, first_token, total): (Said, bool, Duration, Duration)| {
            Ok((said.held_to(&question.wants)?, streamed, first_token, total))
        };
        match read.await.and_then(asked_for) {
            Ok((said, streamed, first_token, total)) => Ok(Reply { said, head, streamed, first_token, total }),
            Err(problem) => Err((head, problem)),
        }
    }

    fn response(&self, reply: Reply, served: Served) -> Response {
        let Reply { said, head, streamed, first_token, total } = reply;
        let own = |text: String| Untrusted::new(self.redact_answer(text));
        let served = Served {
            streamed,
            model: said.model.map(own),
            fingerprint: said.fingerprint.map(own),
            unchecked: said.unchecked,
            ..self.name_request(&head, served)
        };
        let call =
            |c: ToolCall| ToolCall { name: own(c.name.raw().to_owned()), arguments: own(c.arguments.raw().to_owned()) };
        Response {
            logprobs: said.logprobs.filter(|tokens| self.may_keep(tokens)),
            text: own(said.text),
            tool_calls: said.tool_calls.into_iter().map(call).collect(),
            refused: said.refused,
            finish: said.finish,
            usage: said.usage,
            smallest_gap: None,
            timing: Timing { queued_us: 0, first_token_us: micros(first_token), total_us: micros(total) },
            served: Some(Box::new(served)),
        }
    }

    /// Whether tokens may be kept: not where they spell the credential, one by one or as alternatives.
    fn may_keep(&self, tokens: &[TokenLogprob]) -> bool {
        let mut spelt: String = tokens.iter().map(|t| t.token.raw()).collect();
        tokens.iter().flat_map(|t| &t.top).for_each(|t| {
            spelt.push('\n');
            spelt.push_str(t.token.raw());
        });
        self.redact_answer(spelt.clone()) == spelt
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
        failure.form_refused = problem.form_refused;
        failure
    }

    /// The few headers that are kept, by name: a server can put anything into the others.
    fn name_request(&self, head: &HeaderMap, served: Served) -> Served {
        let text = |names: &[&str]| {
            let value = names.iter().find_map(|n| head.get(*n))?;
            // Cut when no secret is in it any more: the half of one would not be known for what it is.
            let text = self.redact(String::from_utf8_lossy(value.as_bytes()).into_owned());
            Some(Untrusted::new(text.chars().take(200).collect::<String>()))
        };
        Served {
            request: text(&["apim-request-id", "x-request-id", "x-ms-request-id"]),
            region: text(&["x-ms-region"]),
            ..served
        }
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
