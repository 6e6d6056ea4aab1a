//! What stands behind a target's name: a checkpoint of this machine, or a deployment of a server, as `goldgate.toml` says.

use super::config::RawTarget;
use super::{CliError, identity};
use crate::suite::diag::{Diagnostics, SourceFile};
use crate::target::{
    Allowance, AzureApi, IdentitySpec, LimitField, Mapping, Patience, Protocol, RemoteModel, RemoteSpec, Sampling,
};
use regex::Regex;
use std::ops::{Range, RangeInclusive};
use std::sync::LazyLock;
use std::time::Duration;
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
    "limit-field",
    "seed",
    "sampling",
    "reasoning-effort",
    "timeout-seconds",
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
        at("limit-field", &raw.limit_field),
        at("seed", &raw.seed),
        at("protocol", &raw.protocol),
        at("sampling", &raw.sampling),
        at("reasoning-effort", &raw.reasoning_effort),
        at("timeout-seconds", &raw.timeout_seconds),
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

    fn openai(&mut self) -> Option<Provider> {
        let (base_url, model) = (self.need("base-url", &self.raw.base_url), self.need("model", &self.raw.model));
        let model = RemoteModel::OpenAi { base_url: base_url?, model: model? };
        let protocol = self.protocol();
        self.remote(model, protocol, None, self.raw.base_url.as_ref().map(Spanned::span), None)
    }

    /// What both Azure kinds need: address, the variable that may hold it, and deployment.
    fn azure_names(&mut self) -> (String, Option<String>, Option<String>) {
        let raw = self.raw;
        let deployment = self.need("deployment", &raw.deployment);
        let endpoint_env = self.variable(&raw.endpoint_env);
        match (&raw.endpoint, &raw.endpoint_env) {
            (None, None) => self.lacks("`endpoint` or `endpoint-env`"),
            (Some(_), Some(e)) => self.refuse(e.span(), "write one of `endpoint` and `endpoint-env`", "take one away"),
            _ => {}
        }
        (raw.endpoint.as_ref().map(|e| e.get_ref().clone()).unwrap_or_default(), endpoint_env, deployment)
    }

    fn azure_ml(&mut self) -> Option<Provider> {
        let raw = self.raw;
        let (endpoint, endpoint_env, deployment) = self.azure_names();
        // Nothing else authenticates at these endpoints in this version.
        self.need("api-key-env", &raw.api_key_env);
        let protocol = self.form();
        if let (Protocol::Score(_), Some(model)) = (&protocol, &raw.model) {
            self.refuse(model.span(), "`model` belongs to chat completions", "write it into `request`");
        }
        if !self.fine {
            return None;
        }
        let model = raw.model.as_ref().map(|m| m.get_ref().clone());
        let model = RemoteModel::AzureMl { endpoint, deployment: deployment?, model };
        self.remote(model, protocol, None, raw.endpoint.as_ref().map(Spanned::span), endpoint_env)
    }

    /// The form of an Azure ML endpoint: its own where the file maps it, else chat completions.
    fn form(&mut self) -> Protocol {
        let (request, response) = match (&self.raw.request, &self.raw.response) {
            (None, None) => return Protocol::Chat,
            (Some(request), Some(response)) => (request, response),
            (request, response) => {
                let alone = request.as_ref().map(Spanned::span).or(response.as_ref().map(Spanned::span));
                let help = "`request` makes the body, `response` says where the reply holds the answer; without both the \
                            endpoint is asked for chat completions";
                self.refuse(alone.unwrap_or_default(), "`request` and `response` belong together", help);
                return Protocol::Chat;
            }
        };
        let at = response.get_ref().clone();
        let usage = at.prompt_tokens.zip(at.completion_tokens);
        if usage.is_none()
            && (response.get_ref().prompt_tokens.is_some() || response.get_ref().completion_tokens.is_some())
        {
            let help = "`prompt-tokens` and `completion-tokens`; without them the token metrics are unscored";
            self.refuse(response.span(), "write both or none of the counts", help);
        }
        let mapping = Mapping { request: request.get_ref().clone(), text: at.text, usage, finish: at.finish };
        if let Err(e) = mapping.check() {
            let place = if e.contains("JSON pointer") { response.span() } else { request.span() };
            self.refuse(place, e, "see docs/targets.md");
        }
        Protocol::Score(mapping)
    }

    fn azure(&mut self) -> Option<Provider> {
        let raw = self.raw;
        let (endpoint, endpoint_env, deployment) = self.azure_names();
        let api = self.api();
        let scope = api.as_ref().map_or("", identity::usual_scope);
        let identity = self.identity(scope);
        if !self.fine {
            return None;
        }
        let model = RemoteModel::AzureOpenAi { endpoint, deployment: deployment?, api: api? };
        let protocol = self.protocol();
        self.remote(model, protocol, identity, raw.endpoint.as_ref().map(Spanned::span), endpoint_env)
    }

    fn api(&mut self) -> Option<AzureApi> {
        let version = self.raw.api_version.as_ref();
        match self.raw.api.as_ref().map_or("v1", |a| a.get_ref().as_str()) {
            "v1" => {
                if let Some(v) = version.filter(|v| !matches!(v.get_ref().as_str(), "v1" | "preview")) {
                    let message = "with `api = \"v1\"` the version is `v1`, `preview` or not written";
                    self.refuse(v.span(), message, "a dated version belongs to `api = \"deployment\"`");
                    return None;
                }
                Some(AzureApi::V1 { version: version.map(|v| v.get_ref().clone()) })
            }
            "deployment" => {
                let Some(v) = version else {
                    self.lacks("`api-version`");
                    return None;
                };
                let text = v.get_ref();
                let parts: Vec<&str> = text.splitn(4, '-').collect();
                let dated = parts.len() >= 3
                    && parts[..3]
                        .iter()
                        .zip([4, 2, 2])
                        .all(|(p, n)| p.len() == n && p.bytes().all(|b| b.is_ascii_digit()));
                if !dated {
                    self.refuse(v.span(), format!("`{text}` is no dated version"), "write one such as `2024-10-21`");
                    return None;
                }
                Some(AzureApi::Deployment { version: text.clone() })
            }
            _ => {
                let span = self.raw.api.as_ref().map_or(0..0, Spanned::span);
                self.refuse(span, "`api` is `v1` or `deployment`", "`v1` where nothing is written");
                None
            }
        }
    }

    fn protocol(&mut self) -> Protocol {
        let raw = self.raw;
        match raw.protocol.as_ref().map(|p| (p.get_ref().as_str(), p.span())) {
            None | Some(("chat", _)) => Protocol::Chat,
            Some(("responses", _)) => {
                if let Some(field) = &raw.limit_field {
                    let help = "take it away: the limit is sent as `max_output_tokens`";
                    self.refuse(field.span(), "the Responses API has one name for the limit", help);
                }
                if let Some(seed) = &raw.seed {
                    self.refuse(seed.span(), "the Responses API has no seed", "take it away");
                }
                Protocol::Responses
            }
            Some((_, span)) => {
                self.refuse(span, "`protocol` is `chat` or `responses`", "`chat` where nothing is written");
                Protocol::Chat
            }
        }
    }

    fn sampling(&mut self) -> Sampling {
        match self.raw.sampling.as_ref().map(|s| (s.get_ref().as_str(), s.span())) {
            None | Some(("greedy", _)) => Sampling::Greedy,
            Some(("default", _)) => Sampling::Default,
            Some((_, span)) => {
                let help =
                    "`greedy` (temperature 0) where nothing is written; `default` for models that take no temperature";
                self.refuse(span, "`sampling` is `greedy` or `default`", help);
                Sampling::Greedy
            }
        }
    }

    /// Servers add words, so that any one is passed on.
    fn effort(&mut self) -> Option<String> {
        let value = self.raw.reasoning_effort.as_ref()?;
        let text = value.get_ref();
        if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_lowercase()) {
            self.refuse(value.span(), "`reasoning-effort` is a word", "one that the server knows, such as `low`");
        }
        Some(text.clone())
    }

    /// When a deployment is left alone. Its limits and its price stand in keys of their own.
    fn allowance(&mut self) -> Option<Allowance> {
        let raw = self.raw;
        let usual = Allowance::default();
        let percent = self.number("retry-percent", &raw.retry_percent, 0..=100, u64::from(usual.retry_percent));
        let failures = u64::from(usual.breaker_failures);
        let failures = self.number("breaker-failures", &raw.breaker_failures, 1..=1000, failures);
        let cool_down = usual.breaker_cool_down.as_secs();
        let cool_down = self.number("breaker-seconds", &raw.breaker_seconds, 0..=3600, cool_down);
        Some(Allowance {
            retry_percent: u32::try_from(percent).ok()?,
            breaker_failures: u32::try_from(failures).ok()?,
            breaker_cool_down: Duration::from_secs(cool_down),
            ..usual
        })
    }

    /// What all remote kinds have; `address` is where the address stands, if it stands in the file.
    fn remote(
        &mut self,
        model: RemoteModel,
        protocol: Protocol,
        identity: Option<IdentitySpec>,
        address: Option<Range<usize>>,
        endpoint_env: Option<String>,
    ) -> Option<Provider> {
        let raw = self.raw;
        let limit_field = match raw.limit_field.as_ref().map(|l| (l.get_ref().as_str(), l.span())) {
            None => None,
            Some(("max-tokens", _)) => Some(LimitField::MaxTokens),
            Some(("max-completion-tokens", _)) => Some(LimitField::MaxCompletionTokens),
            Some((_, span)) => {
                let help = "the name under which the server takes the limit on an answer's tokens";
                self.refuse(span, "`limit-field` is `max-tokens` or `max-completion-tokens`", help);
                None
            }
        };
        let usual = Patience::default();
        let patience = Patience {
            timeout: Duration::from_secs(self.number(
                "timeout-seconds",
                &raw.timeout_seconds,
                1..=3600,
                usual.timeout.as_secs(),
            )),
            attempts: u32::try_from(self.number("attempts", &raw.attempts, 1..=20, u64::from(usual.attempts))).ok()?,
            longest_wait: Duration::from_secs(self.number(
                "longest-wait-seconds",
                &raw.longest_wait_seconds,
                0..=3600,
                usual.longest_wait.as_secs(),
            )),
        };
        let identity = identity.map(|i| Box::new(IdentitySpec { timeout: i.timeout.min(patience.timeout), ..i }));
        let key_env = self.variable(&raw.api_key_env);
        let seed = raw.seed.as_ref().map_or(1, |s| *s.get_ref());
        let (sampling, effort) = (self.sampling(), self.effort());
        let allowance = self.allowance()?;
        let spec =
            RemoteSpec { model, protocol, key_env, identity, limit_field, seed, sampling, effort, patience, allowance };
        if let Some(span) = address
            && let Err(e) = spec.url()
        {
            self.refuse(span, e, "write scheme, host and path, such as `https://NAME.openai.azure.com`");
        }
        self.fine.then_some(Provider::Remote(Box::new(Remote { spec, endpoint_env })))
    }
}

static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    // An address may hold a password or a signed query.
    let pattern = r#"(?im)^[^\n#]*?(?:(?:key|token|secret|password|credential)[^\n=]*=(?<value>.+)|(?:base-url|endpoint|authority|imds)["']?[ \t]*=(?<address>.*[@?].*))$"#;
    Regex::new(pattern).expect("the pattern is one")
});

/// The file with every value that could be a secret starred out, byte for byte, so that places stay where they are.
pub(super) fn without_secrets(file: &SourceFile) -> SourceFile {
    let mut text = String::with_capacity(file.text.len());
    let mut done = 0;
    for found in SECRET.captures_iter(&file.text) {
        let Some(value) = found.name("value").or_else(|| found.name("address")) else { continue };
        text.push_str(&file.text[done..value.start()]);
        text.extend(std::iter::repeat_n('*', value.len()));
        done = value.end();
    }
    text.push_str(&file.text[done..]);
    SourceFile::new(file.path.clone(), text)
}
