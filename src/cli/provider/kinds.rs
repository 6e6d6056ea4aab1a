//! What each remote kind needs beside the keys of all of them.

use super::super::identity;
use super::{Checked, Provider};
use crate::target::{AzureApi, Mapping, Protocol, RemoteModel};
use toml::Spanned;

impl Checked<'_> {
    pub(super) fn openai(&mut self) -> Option<Provider> {
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

    pub(super) fn azure_ml(&mut self) -> Option<Provider> {
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

    pub(super) fn azure(&mut self) -> Option<Provider> {
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
}
