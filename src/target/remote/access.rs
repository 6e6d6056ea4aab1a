//! What lets a question in: nothing, a key, or the token of an identity. Everything that knows the header of a credential is here.

use super::super::http::{Class, Problem};
use super::identity::{Identity, Token};
use super::secret::Key;
use super::{RemoteModel, RemoteSpec};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// How a target is asked: shared by its questions.
pub(super) enum Access {
    /// Without any credential.
    Open,
    /// With a key.
    Key(HeaderName, Key),
    /// With an identity's token.
    Identity(Arc<Identity>),
}

/// What one attempt carries.
pub(super) struct Grant {
    header: Option<(HeaderName, HeaderValue)>,
    token: Option<Arc<Token>>,
}

impl Grant {
    /// The header of the credential, if there is one.
    pub(super) fn headers(&self) -> HeaderMap {
        self.header.iter().cloned().collect()
    }

    /// The token, if it is one.
    pub(super) fn token(&self) -> Option<&Token> {
        self.token.as_deref()
    }
}

impl Access {
    /// The key's header by the kind of the target.
    pub(super) fn key(spec: &RemoteSpec, key: Key) -> Self {
        let name = match spec.model {
            RemoteModel::OpenAi { .. } | RemoteModel::AzureMl { .. } => AUTHORIZATION,
            RemoteModel::AzureOpenAi { .. } => HeaderName::from_static("api-key"),
        };
        Self::Key(name, key)
    }

    /// What the next attempt carries. An identity may fetch a token for it.
    pub(super) async fn grant(&self) -> Result<Grant, Problem> {
        let (name, text, token) = match self {
            Self::Open => return Ok(Grant { header: None, token: None }),
            Self::Key(name, key) if *name == AUTHORIZATION => (name.clone(), format!("Bearer {}", key.expose()), None),
            Self::Key(name, key) => (name.clone(), key.expose().to_owned(), None),
            Self::Identity(identity) => {
                let token = identity
                    .token()
                    .await
                    .map_err(|t| Problem::new(Class::Auth, format!("the identity gives no token; {}", t.message())))?;
                (AUTHORIZATION, format!("Bearer {}", token.key.expose()), Some(token))
            }
        };
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| Problem::new(Class::Auth, "the credential cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(Grant { header: Some((name, value)), token })
    }

    /// The endpoint refused a grant with HTTP 401. Says whether another may be had: a token may have been taken back, a key stays the same.
    pub(super) async fn refused(&self, grant: &Grant) -> bool {
        match (self, &grant.token) {
            (Self::Identity(identity), Some(token)) => {
                identity.refused(token).await;
                true
            }
            _ => false,
        }
    }

    /// What a person needs to know when the endpoint refuses a token for good: the start of the message.
    pub(super) fn about(&self, grant: &Grant) -> Option<String> {
        let (Self::Identity(identity), Some(token)) = (self, grant.token()) else { return None };
        let of = token.audience().map(|a| format!(" for audience `{a}`")).unwrap_or_default();
        Some(format!(
            "a fresh token by `{}`{of} was refused too (check `scope`, and that the identity has the role `Cognitive Services OpenAI User`): ",
            identity.found().source
        ))
    }

    /// Every secret that asking has to do with.
    pub(super) fn secrets(&self) -> Vec<Key> {
        match self {
            Self::Open => Vec::new(),
            Self::Key(_, key) => vec![key.clone()],
            Self::Identity(identity) => identity.secrets(),
        }
    }

    /// A model's answer without the credential, unless that is a short key.
    pub(super) fn redact_answer(&self, text: String) -> String {
        match self {
            Self::Key(_, key) => key.redact_answer(text),
            Self::Open | Self::Identity(_) => self.redact(text),
        }
    }

    /// A server's text without the credential.
    pub(super) fn redact(&self, text: String) -> String {
        match self {
            Self::Open => text,
            Self::Key(_, key) => key.redact(text),
            Self::Identity(identity) => identity.redact(text),
        }
    }
}
