//! A look at one remote target: which identity it is asked under, whether that gives a token, and what comes back for questions.

use super::access::Access;
use super::identity::Found;
use super::{Clients, RemoteModels, RemoteSpec, Tape};
use crate::target::Question;
use crate::types::{Failure, Response};
use std::collections::HashMap;

/// What a token says of itself. Nobody has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// For whom it is made out; `None` where it does not say, or is no JSON web token.
    pub audience: Option<String>,
    /// How long it lives from now on, seconds.
    pub seconds_left: u64,
}

/// What was found out about a target.
#[derive(Debug)]
pub struct Examined {
    /// The identity, by names; `None` where none is needed.
    pub identity: Option<Found>,
    /// Its token; `None` for keys and where none is needed.
    pub token: Option<TokenFacts>,
    /// What came back for each question, up to the first that got no answer.
    pub answers: Vec<Result<Response, Failure>>,
}

impl RemoteModels {
    /// Examines one target: fetches its token, and asks it the questions in their order.
    ///
    /// # Errors
    /// Why the target cannot be asked, without any secret; with the identity where it was found.
    pub async fn examine(spec: &RemoteSpec, questions: &[Question]) -> Result<Examined, (Option<Found>, String)> {
        let wrong = |e: String| (None, e);
        spec.address().map_err(wrong)?;
        let clients = Clients::new().map_err(|e| wrong(e.to_string()))?;
        let mut identities = HashMap::new();
        let access = clients.access(spec, &mut identities).map_err(wrong)?;
        let found = |access: &Access| match access {
            Access::Open => None,
            Access::Key(..) => {
                Some(Found { source: "api-key", from: spec.key_env.iter().cloned().collect(), passed_over: Vec::new() })
            }
            Access::Identity(identity) => Some(identity.found()),
        };
        let grant = access.grant().await.map_err(|p| (found(&access), p.message))?;
        let token = grant.token().map(|t| TokenFacts {
            audience: t.audience(),
            seconds_left: t.ends_at.saturating_duration_since(tokio::time::Instant::now()).as_secs(),
        });
        let identity = found(&access);
        let mut answers = Vec::new();
        if !questions.is_empty() {
            let live = [(spec.clone(), Tape::Live)];
            let targets = Self::load_over(&live, 0, None, &clients, identities);
            let targets = targets.map_err(|e| (identity.clone(), e.to_string()))?;
            for (target, question) in targets.iter().flat_map(|t| questions.iter().map(move |q| (t, q))) {
                if answers.iter().any(Result::is_err) {
                    break;
                }
                answers.push(target.ask(question.clone()).await);
            }
        }
        Ok(Examined { identity, token, answers })
    }
}
