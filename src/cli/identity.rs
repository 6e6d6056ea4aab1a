//! The identity of a target in `goldgate.toml`: which source, and under which names its settings are found.

use super::config::RawTarget;
use super::provider::Checked;
use crate::target::{AzureApi, IdentityKind, IdentitySpec, Signature};
use std::ops::Range;
use toml::Spanned;

/// The keys of every identity; which of them a kind of identity has is decided by [`own`].
pub(super) const KEYS: &[&str] = &[
    "identity",
    "authority",
    "scope",
    "tenant-env",
    "client-env",
    "client-secret-env",
    "certificate-env",
    "signature",
    "token-file-env",
    "oidc-url-env",
    "oidc-token-env",
    "audience",
    "imds",
];

/// The keys that a kind of identity has, beside `identity` and `scope`.
fn own(kind: IdentityKind) -> &'static [&'static str] {
    match kind {
        IdentityKind::Default => KEYS,
        IdentityKind::ClientSecret => &["authority", "tenant-env", "client-env", "client-secret-env"],
        IdentityKind::ClientCertificate => &["authority", "tenant-env", "client-env", "certificate-env", "signature"],
        IdentityKind::Workload => &["authority", "tenant-env", "client-env", "token-file-env"],
        IdentityKind::GithubActions => {
            &["authority", "tenant-env", "client-env", "oidc-url-env", "oidc-token-env", "audience"]
        }
        IdentityKind::ManagedIdentity => &["client-env", "imds"],
        IdentityKind::AzureCli => &["tenant-env"],
    }
}

/// Every key of an identity that a target has, with its place.
pub(super) fn given(raw: &RawTarget) -> Vec<(&'static str, Range<usize>)> {
    let all = [
        ("identity", &raw.identity),
        ("authority", &raw.authority),
        ("scope", &raw.scope),
        ("tenant-env", &raw.tenant_env),
        ("client-env", &raw.client_env),
        ("client-secret-env", &raw.client_secret_env),
        ("certificate-env", &raw.certificate_env),
        ("signature", &raw.signature),
        ("token-file-env", &raw.token_file_env),
        ("oidc-url-env", &raw.oidc_url_env),
        ("oidc-token-env", &raw.oidc_token_env),
        ("audience", &raw.audience),
        ("imds", &raw.imds),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.span()))).collect()
}

/// For whom a token is made out where the file does not say, by the way the service is spoken to.
pub(super) fn usual_scope(api: &AzureApi) -> &'static str {
    match api {
        AzureApi::V1 { .. } => "https://ai.azure.com/.default",
        AzureApi::Deployment { .. } => "https://cognitiveservices.azure.com/.default",
    }
}

impl Checked<'_> {
    /// The identity of a target; `None` where it is asked with a key, or where something is wrong with it.
    pub(super) fn identity(&mut self, usual_scope: &str) -> Option<IdentitySpec> {
        let raw = self.raw;
        let named = raw.identity.as_ref().map_or("api-key", |i| i.get_ref().as_str());
        let kind = IdentityKind::parse(named);
        if kind.is_none() && named != "api-key" {
            let names: Vec<String> = IdentityKind::ALL.iter().map(|k| format!("`{}`", k.as_str())).collect();
            let span = raw.identity.as_ref().map_or(0..0, Spanned::span);
            self.refuse(span, "unknown identity", format!("it is `api-key`, {}", names.join(", ")));
            return None;
        }
        let keys = kind.map_or(&[][..], own);
        for (key, span) in given(raw) {
            if key != "identity" && !(keys.contains(&key) || key == "scope" && kind.is_some()) {
                let help = match keys {
                    [] => "an `api-key` has `api-key-env` only; write which `identity` is meant".to_owned(),
                    _ => format!("it has `scope` and {}", list(keys)),
                };
                self.refuse(span, format!("identity `{named}` has no key `{key}`"), help);
            }
        }
        let Some(kind) = kind else {
            if raw.api_key_env.is_none() {
                self.lacks("`api-key-env` or `identity`");
            }
            return None;
        };
        if let Some(key) = &raw.api_key_env {
            let help = "take `api-key-env` away, or write `identity = \"api-key\"`";
            self.refuse(key.span(), format!("identity `{named}` needs no key"), help);
        }
        let usual = IdentitySpec::new(kind, usual_scope);
        let spec = IdentitySpec {
            kind,
            authority: raw.authority.as_ref().map(|a| a.get_ref().clone()),
            scope: self.word("scope", &raw.scope, usual.scope),
            tenant_env: self.variable(&raw.tenant_env).unwrap_or(usual.tenant_env),
            client_env: self.variable(&raw.client_env).unwrap_or(usual.client_env),
            client_secret_env: self.variable(&raw.client_secret_env).unwrap_or(usual.client_secret_env),
            certificate_env: self.variable(&raw.certificate_env).unwrap_or(usual.certificate_env),
            signature: self.signature(),
            token_file_env: self.variable(&raw.token_file_env).unwrap_or(usual.token_file_env),
            oidc_url_env: self.variable(&raw.oidc_url_env).unwrap_or(usual.oidc_url_env),
            oidc_token_env: self.variable(&raw.oidc_token_env).unwrap_or(usual.oidc_token_env),
            audience: self.word("audience", &raw.audience, usual.audience),
            imds: raw.imds.as_ref().map_or(usual.imds, |i| i.get_ref().clone()),
            timeout: usual.timeout,
        };
        for (value, near) in [(&raw.authority, false), (&raw.imds, true)] {
            if let Some(value) = value
                && let Err(e) = IdentitySpec::check_address(value.get_ref(), near)
            {
                self.refuse(
                    value.span(),
                    e,
                    "write scheme, host and path, such as `https://login.microsoftonline.com`",
                );
            }
        }
        Some(spec)
    }

    fn word(&mut self, key: &str, value: &Option<Spanned<String>>, usual: String) -> String {
        let Some(value) = value else { return usual };
        let text = value.get_ref();
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.refuse(value.span(), format!("`{key}` is one word"), format!("such as `{usual}`"));
        }
        text.clone()
    }

    fn signature(&mut self) -> Signature {
        match self.raw.signature.as_ref().map(|s| (s.get_ref().as_str(), s.span())) {
            None | Some(("rs256", _)) => Signature::Rs256,
            Some(("ps256", _)) => Signature::Ps256,
            Some((_, span)) => {
                self.refuse(span, "`signature` is `rs256` or `ps256`", "`rs256` where nothing is written");
                Signature::Rs256
            }
        }
    }
}

fn list(keys: &[&str]) -> String {
    keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
}
