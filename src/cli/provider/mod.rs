//! What stands behind a target's name: a checkpoint of this machine, or a deployment of a server, as `goldgate.toml` says.

mod kinds;
mod remote;
mod secrets;

pub(super) use secrets::without_secrets;

use super::config::RawTarget;
use super::{CliError, identity};
use crate::suite::diag::{Diagnostics, SourceFile};
use crate::target::{Protocol, RemoteModel, RemoteSpec};
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// Who answers.
#[derive(Clone, Debug)]
pub enum Provider {
    /// A checkpoint on this machine.
    Local {
        /// The checkpoint's folder, as written.
        model: String,
        /// The adapter's folder, as written.
        adapter: Option<String>,
    },
    /// A deployment that a server answers for.
    Remote(Box<Remote>),
}

impl Provider {
    /// Whether it answers in texts and can be asked for nothing beside them: what runs a checkpoint here, and forms of an endpoint's own,
    /// have no place for it.
    pub fn gives_texts_only(&self) -> bool {
        match self {
            Self::Local { .. } => true,
            Self::Remote(remote) => matches!(remote.spec.protocol, Protocol::Score(_)),
        }
    }
}

/// A deployment whose address may be known to the environment only.
#[derive(Clone, Debug)]
pub struct Remote {
    spec: RemoteSpec,
    endpoint_env: Option<String>,
}

impl Remote {
    /// The kind of the target, as the project's file names it.
    pub fn kind(&self) -> &'static str {
        self.spec.kind()
    }

    /// What was asked in a recording, which knows the address where the file leaves it to the environment.
    pub fn recorded_spec(&self) -> RemoteSpec {
        self.spec.clone()
    }

    /// What to ask, with the address from the environment where the file says so. Nothing is sent.
    ///
    /// # Errors
    /// When the environment does not say the address.
    pub fn spec(&self) -> Result<RemoteSpec, CliError> {
        let mut spec = self.spec.clone();
        if let (Some(variable), RemoteModel::AzureOpenAi { endpoint, .. } | RemoteModel::AzureMl { endpoint, .. }) =
            (&self.endpoint_env, &mut spec.model)
        {
            *endpoint = std::env::var(variable).map_err(|_| {
                CliError::Usage(format!(
                    "the environment variable `{variable}`, which is to hold an endpoint, is not set"
                ))
            })?;
            spec.url().map_err(|e| CliError::Usage(format!("the environment variable `{variable}`: {e}")))?;
        }
        Ok(spec)
    }
}

/// The keys of a kind, beside `kind` and `prompt`.
const LOCAL: &[&str] = &["model", "adapter"];
const OPENAI: &[&str] = &["base-url", "model", "protocol"];
const AZURE: &[&str] = &["endpoint", "endpoint-env", "deployment", "api", "api-version", "protocol"];
const AZURE_ML: &[&str] = &["endpoint", "endpoint-env", "deployment", "model", "request", "response"];
/// The keys of every remote kind.
const REMOTE: &[&str] = &[
    "api-key-env",
    "failover",
    "limit-field",
    "seed",
    "sampling",
    "reasoning-effort",
    "timeout-seconds",
    "first-byte-seconds",
    "idle-seconds",
    "attempts",
    "longest-wait-seconds",
    "retry-percent",
    "breaker-failures",
    "breaker-seconds",
];

/// Checks the keys of one target by its kind; `name` is where the target's name stands.
pub(super) fn check(
    raw: &RawTarget,
    name: Range<usize>,
    file: &SourceFile,
    wrong: &mut Diagnostics,
) -> Option<Provider> {
    let mut checked = Checked { raw, name, file, wrong, fine: true };
    for (written, name) in [(&raw.api_key, "api-key-env"), (&raw.client_secret, "client-secret-env")] {
        if let Some(key) = written {
            let help = format!(
                "name the environment variable that holds the key in `{name}`, and change the key: it stood in a file"
            );
            checked.refuse(key.span(), "a key may not stand in this file", help);
            return None;
        }
    }
    let kind = raw.kind.get_ref().as_str();
    let keys = match kind {
        "local" => LOCAL.to_vec(),
        "openai" => [OPENAI, REMOTE].concat(),
        "azure-openai" => [AZURE, identity::KEYS, REMOTE].concat(),
        "azure-ml" => [AZURE_ML, REMOTE].concat(),
        _ => {
            let help = "the kinds are `local`, `openai`, `azure-openai` and `azure-ml`";
            checked.refuse(raw.kind.span(), format!("unknown target kind `{kind}`"), help);
            return None;
        }
    };
    for (key, span) in given(raw) {
        if !keys.contains(&key) {
            let help = format!("its keys are {}", keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "));
            checked.refuse(span, format!("kind `{kind}` has no key `{key}`"), help);
        }
    }
    let provider = match kind {
        "local" => {
            let model = checked.need("model", &raw.model)?;
            Provider::Local { model, adapter: raw.adapter.as_ref().map(|a| a.get_ref().clone()) }
        }
        "openai" => checked.openai()?,
        "azure-ml" => checked.azure_ml()?,
        _ => checked.azure()?,
    };
    checked.fine.then_some(provider)
}

/// Every key that a target has, with its place.
fn given(raw: &RawTarget) -> Vec<(&'static str, Range<usize>)> {
    fn at<T>(key: &'static str, value: &Option<Spanned<T>>) -> Option<(&'static str, Range<usize>)> {
        value.as_ref().map(|v| (key, v.span()))
    }
    let all = [
        at("model", &raw.model),
        at("adapter", &raw.adapter),
        at("request", &raw.request),
        at("response", &raw.response),
        at("base-url", &raw.base_url),
        at("endpoint", &raw.endpoint),
        at("endpoint-env", &raw.endpoint_env),
        at("deployment", &raw.deployment),
        at("api", &raw.api),
        at("api-version", &raw.api_version),
        at("api-key-env", &raw.api_key_env),
        at("failover", &raw.failover),
        at("limit-field", &raw.limit_field),
        at("seed", &raw.seed),
        at("protocol", &raw.protocol),
        at("sampling", &raw.sampling),
        at("reasoning-effort", &raw.reasoning_effort),
        at("timeout-seconds", &raw.timeout_seconds),
        at("first-byte-seconds", &raw.first_byte_seconds),
        at("idle-seconds", &raw.idle_seconds),
        at("attempts", &raw.attempts),
        at("longest-wait-seconds", &raw.longest_wait_seconds),
        at("retry-percent", &raw.retry_percent),
        at("breaker-failures", &raw.breaker_failures),
        at("breaker-seconds", &raw.breaker_seconds),
    ];
    all.into_iter().flatten().chain(identity::given(raw)).collect()
}

/// One target while it is checked.
pub(super) struct Checked<'a> {
    pub(super) raw: &'a RawTarget,
    name: Range<usize>,
    file: &'a SourceFile,
    wrong: &'a mut Diagnostics,
    fine: bool,
}

impl Checked<'_> {
    pub(super) fn refuse(&mut self, at: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.fine = false;
        self.wrong.push(self.file.error(at, message).help(help));
    }

    pub(super) fn lacks(&mut self, what: &str) {
        let (kind, name) = (self.raw.kind.get_ref(), self.file.text[self.name.clone()].trim_matches('"').to_owned());
        self.refuse(
            self.name.clone(),
            format!("`{name}` lacks {what}, which kind `{kind}` needs"),
            "see docs/targets.md",
        );
    }

    fn need(&mut self, key: &str, value: &Option<Spanned<String>>) -> Option<String> {
        match value {
            None => self.lacks(&format!("`{key}`")),
            Some(v) if v.get_ref().is_empty() => self.refuse(v.span(), format!("`{key}` is empty"), "write a name"),
            Some(_) => {}
        }
        value.as_ref().map(|v| v.get_ref().clone())
    }

    /// The name of an environment variable. Lower case is refused, because a key that somebody put in its place has some.
    pub(super) fn variable(&mut self, value: &Option<Spanned<String>>) -> Option<String> {
        let value = value.as_ref()?;
        let text = value.get_ref();
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if text.len() > 64 || !text.starts_with(|c: char| c.is_ascii_uppercase()) || !text.chars().all(fits) {
            let help = "write a name of capitals, digits and `_`, such as `AZURE_OPENAI_API_KEY`; the value itself stays outside";
            self.refuse(value.span(), "this is no name of an environment variable", help);
            return None;
        }
        Some(text.clone())
    }

    fn number(&mut self, key: &str, value: &Option<Spanned<u64>>, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(value) = value else { return default };
        if !range.contains(value.get_ref()) {
            let message = format!("`{key}` goes from {} to {}", range.start(), range.end());
            self.refuse(value.span(), message, format!("it is {default} where nothing is written"));
        }
        *value.get_ref()
    }
}
