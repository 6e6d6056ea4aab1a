//! Probes: small questions to a remote target before the first question of a run and after the last. They show what the suite needs of a
//! server, for servers silently leave out what they do not know, and who answers.

use super::{Event, RunError};
use crate::store::{OpenRun, ProbeRecord, TrialResult, When};
use crate::suite::Suite;
use crate::target::{Probing, Question, Target, TrialRef};
use crate::types::{
    Failure, Finish, JsonText, Offer, Response, Role, Schema, TargetName, Tool, ToolChoice, Turn, Wants,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The start of every probe's prompt.
pub const PROBE: &str = "goldgate probe: ";
/// The only answer that fits the probe's schema; nothing in the prompt leads to it.
const STAR: &str = "north-star";
/// The probe's tool.
const TOOL: &str = "goldgate_probe";
/// The longest answer that is allowed at least, tokens: the least that the Responses API takes.
const SHORT: u32 = 16;
/// The same where an answer has a form, tokens.
const FORMED: u32 = 64;

/// What a run needs of its remote targets beside texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    schema: bool,
    tools: bool,
    logprobs: Option<u8>,
    usage: bool,
    /// The longest answer of the suite, tokens: a model that thinks before it says a word needs the room, and another does not use it.
    longest: u32,
}

/// What a target lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lack {
    /// What is missing, as a suite or a policy names it.
    what: String,
    /// How that showed.
    why: String,
}

impl Needs {
    /// What the answers to a suite are asked to be; `usage` is whether somebody needs the server's count of tokens.
    #[must_use]
    pub fn of(suite: &Suite, usage: bool) -> Self {
        let mut needs = Self { usage, longest: suite.max_new_tokens(), ..Self::default() };
        for wants in suite.all_wants() {
            needs.schema |= wants.schema.is_some();
            needs.tools |= wants.tools.is_some();
            needs.logprobs = needs.logprobs.max(wants.logprobs);
        }
        needs
    }

    /// The questions that show it: as few as can be, and at least one.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        // An answer that must call a tool is no object of a schema, so that these two take a question each.
        let text = self.schema || self.logprobs.is_some() || !self.tools;
        let mut all = Vec::new();
        if text {
            all.push(question(self.schema, false, self.logprobs, self.longest));
        }
        if self.tools {
            all.push(question(false, true, None, self.longest));
        }
        all
    }

    /// The answer to one of its questions, if it shows what is needed.
    ///
    /// # Errors
    /// What is missing, or why there is no answer, in words.
    pub fn probed(&self, question: &Question, result: Result<Response, Failure>) -> Result<Response, String> {
        let lacks = |l: Lack| format!("it does not give {}: {}", l.what, l.why);
        match result {
            Ok(response) => self.check(question, &response).map(|()| response).map_err(lacks),
            Err(failure) => Err(refused(&question.wants, &failure).map_or(failure.message.raw().to_owned(), lacks)),
        }
    }

    fn show(
        &self,
        target: &TargetName,
        question: &Question,
        result: Result<Response, Failure>,
    ) -> Result<(), RunError> {
        let lacks = |Lack { what, why }| RunError::Lacks { target: target.clone(), what, why };
        match result {
            Ok(response) => self.check(question, &response).map_err(lacks),
            Err(failure) => Err(refused(&question.wants, &failure).map(lacks).unwrap_or_else(|| {
                let names = question.wants.names();
                let asked = if names.is_empty() {
                    String::new()
                } else {
                    format!(", which asked for `{}`,", names.join("`, `"))
                };
                let message = format!("its probe{asked} failed: {}", failure.message.for_terminal(400));
                RunError::Unavailable { target: target.clone(), message }
            })),
        }
    }

    /// What the answer to one of its questions does not show.
    ///
    /// # Errors
    /// The first thing that is missing.
    fn check(&self, question: &Question, answer: &Response) -> Result<(), Lack> {
        let lack = |what: &str, why: String| Err(Lack { what: format!("`{what}`"), why });
        let wants = &question.wants;
        let formed = wants.schema.is_some() || wants.tools.is_some();
        if formed && matches!(answer.finish, Finish::Length | Finish::Filtered) {
            let cut = if answer.finish == Finish::Length { "the token limit" } else { "the content filter" };
            return lack(
                wants.names().first().copied().unwrap_or_default(),
                format!(
                    "{cut} cut the probe's answer of at most {} tokens before it could show",
                    question.max_new_tokens
                ),
            );
        }
        if wants.schema.is_some() {
            let value: Option<serde_json::Value> = serde_json::from_str(answer.text.raw().trim()).ok();
            if value != Some(json!({"probe": STAR})) {
                let said = answer.text.for_terminal(60);
                return lack("response-format", format!("the answer does not fit the probe's JSON schema: `{said}`"));
            }
        }
        if wants.tools.is_some() && !answer.tool_calls.iter().any(|c| c.name.raw() == TOOL) {
            return lack("tools", "the answer does not call the tool that it had to call".to_owned());
        }
        if let Some(asked) = wants.logprobs {
            let tokens = answer.logprobs.as_deref().unwrap_or_default();
            if tokens.is_empty() {
                return lack("logprobs", "the answer came without them".to_owned());
            }
            // A server may have fewer at some token; one that never has as many does not know the number.
            let most = tokens.iter().map(|t| t.top.len()).max().unwrap_or_default();
            if most < usize::from(asked) {
                return lack("logprobs", format!("{most} alternatives came at each token, and {asked} were asked for"));
            }
        }
        if self.usage && answer.usage.is_none() {
            return lack("usage", "the answer came without a count of its tokens".to_owned());
        }
        Ok(())
    }
}

/// A probe's question.
fn question(schema: bool, tools: bool, logprobs: Option<u8>, longest: u32) -> Question {
    let json = |text: &str| JsonText::new(text).expect("a constant that is JSON");
    let schema = schema.then(|| {
        let text = format!(
            r#"{{"type":"object","properties":{{"probe":{{"type":"string","enum":["{STAR}"]}}}},"required":["probe"],"additionalProperties":false}}"#
        );
        Arc::new(Schema { name: TOOL.to_owned(), schema: json(&text) })
    });
    let tools = tools.then(|| {
        let tool = Tool {
            name: TOOL.to_owned(),
            description: Some("Takes note of the probe.".to_owned()),
            parameters: Some(json(r#"{"type":"object","properties":{},"additionalProperties":false}"#)),
            strict: false,
        };
        Arc::new(Offer { tools: vec![tool], choice: Some(ToolChoice::Required) })
    });
    let said = if tools.is_some() { format!("call `{TOOL}`.") } else { "say yes.".to_owned() };
    let formed = schema.is_some() || tools.is_some();
    Question {
        turns: vec![Turn { role: Role::User, text: format!("{PROBE}{said}") }],
        max_new_tokens: longest.max(if formed { FORMED } else { SHORT }),
        wants: Wants { schema, tools, logprobs },
        trial: None,
    }
}

/// The question of a recorded probe.
#[must_use]
pub fn question_of(record: &ProbeRecord) -> Question {
    let asked = |name: &str| record.asked.iter().any(|a| a == name);
    let logprobs = asked("logprobs").then_some(0);
    let question = question(asked("response-format"), asked("tools"), logprobs, 0);
    Question { max_new_tokens: record.max_new_tokens, ..question }
}

/// Probes targets, each once, one after another, and records what came back: before the first question for all that is needed, after the
/// last for who answers. `observe` is told whom before each is asked.
///
/// # Errors
/// When a target does not answer, or lacks what is needed: the run goes no further, and can be resumed.
pub async fn probe(
    when: When,
    needs: &Needs,
    targets: &[(TargetName, Arc<dyn Target>)],
    open: &mut OpenRun,
    mut observe: impl FnMut(&Event),
) -> Result<(), RunError> {
    let identity = Needs { longest: needs.longest, ..Needs::default() };
    let needs = if when == When::Before { needs } else { &identity };
    let mut probed = BTreeSet::new();
    for (name, target) in targets.iter().filter(|(name, _)| probed.insert(name.clone())) {
        observe(&Event::Probing { target: name.clone() });
        for (number, question) in (0..).zip(needs.questions()) {
            let probing = match when {
                When::Before => Probing::Before,
                When::After => Probing::After,
            };
            let asks = TrialRef::Probe { when: probing, question: number };
            let result = target.ask(Question { trial: Some(asks), ..question.clone() }).await;
            open.record_probe(ProbeRecord {
                when,
                target: name.clone(),
                asked: question.wants.names().into_iter().map(str::to_owned).collect(),
                max_new_tokens: question.max_new_tokens,
                result: match &result {
                    Ok(response) => TrialResult::Response(response.clone()),
                    Err(failure) => TrialResult::Failure(failure.clone()),
                },
            })?;
            needs.show(name, &question, result)?;
        }
    }
    Ok(())
}

/// What a server refused, if its message says so by the name that this has on the wire.
fn refused(wants: &Wants, failure: &Failure) -> Option<Lack> {
    // Any other failure is one question's, the load's or the credential's, whatever words it has.
    if !failure.form_refused {
        return None;
    }
    let text = failure.message.raw().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let found = [
        ("response-format", wants.schema.is_some() && says(&["response_format", "json_schema", "text.format"])),
        ("tools", wants.tools.is_some() && says(&["tool", "function"])),
        ("logprobs", wants.logprobs.is_some() && says(&["logprobs"])),
        ("seed", says(&["`seed`", "'seed'", "\"seed\"", " seed"])),
    ];
    let what: Vec<String> = found.iter().filter(|(_, found)| *found).map(|(name, _)| format!("`{name}`")).collect();
    let why = || format!("the server refused it: {}", failure.message.for_terminal(300));
    (!what.is_empty()).then(|| Lack { what: what.join(" and "), why: why() })
}
