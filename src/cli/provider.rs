//! What stands behind a target's name: a checkpoint of this machine, or a deployment of a server, as `goldgate.toml` says.

use super::config::RawTarget;
use super::{CliError, identity};
use crate::suite::diag::{Diagnostics, SourceFile};
use crate::target::{AzureApi, IdentitySpec, LimitField, Patience, RemoteModel, RemoteSpec};
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
    Remote(Remote),
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

    /// What to ask, with the address from the environment where the file says so. Nothing is sent.
    ///
    /// # Errors
    /// When the environment does not say the address.
    pub fn spec(&self) -> Result<RemoteSpec, CliError> {
        let mut spec = self.spec.clone();
        if let (Some(variable), RemoteModel::AzureOpenAi { endpoint, .. }) = (&self.endpoint_env, &mut spec.model) {
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
const OPENAI: &[&str] = &["base-url", "model"];
const AZURE: &[&str] = &["endpoint", "endpoint-env", "deployment", "api", "api-version"];
/// The keys of every remote kind.
const REMOTE: &[&str] = &["api-key-env", "limit-field", "seed", "timeout-seconds", "attempts", "longest-wait-seconds"];

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
        _ => {
            let help = "the kinds are `local`, `openai` and `azure-openai`";
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
        at("base-url", &raw.base_url),
        at("endpoint", &raw.endpoint),
        at("endpoint-env", &raw.endpoint_env),
        at("deployment", &raw.deployment),
        at("api", &raw.api),
        at("api-version", &raw.api_version),
        at("api-key-env", &raw.api_key_env),
        at("limit-field", &raw.limit_field),
        at("seed", &raw.seed),
        at("timeout-seconds", &raw.timeout_seconds),
        at("attempts", &raw.attempts),
        at("longest-wait-seconds", &raw.longest_wait_seconds),
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
        self.remote(model, None, self.raw.base_url.as_ref().map(Spanned::span), None)
    }

    fn azure(&mut self) -> Option<Provider> {
        let raw = self.raw;
        let deployment = self.need("deployment", &raw.deployment);
        let endpoint_env = self.variable(&raw.endpoint_env);
        match (&raw.endpoint, &raw.endpoint_env) {
            (None, None) => self.lacks("`endpoint` or `endpoint-env`"),
            (Some(_), Some(e)) => self.refuse(e.span(), "write one of `endpoint` and `endpoint-env`", "take one away"),
            _ => {}
        }
        let api = self.api();
        let scope = api.as_ref().map_or("", identity::usual_scope);
        let identity = self.identity(scope);
        if !self.fine {
            return None;
        }
        let endpoint = raw.endpoint.as_ref().map(|e| e.get_ref().clone()).unwrap_or_default();
        let model = RemoteModel::AzureOpenAi { endpoint, deployment: deployment?, api: api? };
        self.remote(model, identity, raw.endpoint.as_ref().map(Spanned::span), endpoint_env)
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

    /// What all remote kinds have; `address` is where the address stands, if it stands in the file.
    fn remote(
        &mut self,
        model: RemoteModel,
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
        let spec = RemoteSpec { model, key_env, identity, limit_field, seed, patience };
        if let Some(span) = address
            && let Err(e) = spec.url()
        {
            self.refuse(span, e, "write scheme, host and path, such as `https://NAME.openai.azure.com`");
        }
        self.fine.then_some(Provider::Remote(Remote { spec, endpoint_env }))
    }
}

static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?im)^[^\n#]*?(?:key|token|secret|password|credential)[^\n=]*=(.+)$";
    Regex::new(pattern).expect("the pattern is one")
});

/// The file with every value that could be a secret starred out, byte for byte, so that places stay where they are.
pub(super) fn without_secrets(file: &SourceFile) -> SourceFile {
    let mut text = String::with_capacity(file.text.len());
    let mut done = 0;
    for found in SECRET.captures_iter(&file.text) {
        let Some(value) = found.get(1) else { continue };
        text.push_str(&file.text[done..value.start()]);
        text.extend(std::iter::repeat_n('*', value.len()));
        done = value.end();
    }
    text.push_str(&file.text[done..]);
    SourceFile::new(file.path.clone(), text)
}
