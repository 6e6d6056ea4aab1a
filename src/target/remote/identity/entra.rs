//! Applications at Microsoft Entra: the client credentials flow with a secret or with an assertion (OAuth 2.0, RFC 6749 section 4.4; RFC 7523).

use super::certificate::Certificate;
use super::net::{Net, Service};
use super::spec::{IdentitySpec, safe_address};
use super::token::{Token, claim};
use super::{Secrets, Trouble, variable};
use reqwest::Url;
use std::path::PathBuf;

const PUBLIC: &str = "https://login.microsoftonline.com";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the application proves itself with.
pub(super) enum Proof {
    /// A shared secret.
    Secret(super::super::secret::Key),
    /// A key whose certificate Entra knows.
    Certificate(Certificate),
    /// A token that another service made out, read anew at every refresh because it ends soon.
    File(PathBuf),
    /// A token that a job's platform makes out on request.
    Job(super::github::Job),
}

/// An application.
pub(super) struct Application {
    url: Url,
    client: String,
    scope: String,
    proof: Proof,
    /// Where the proof came from, by name.
    from: String,
}

impl Application {
    /// The application that the environment names.
    pub(super) fn new(spec: &IdentitySpec, proof: Proof, from: String) -> Result<Self, String> {
        let authority = match &spec.authority {
            Some(written) => written.clone(),
            None => std::env::var("AZURE_AUTHORITY_HOST").unwrap_or_else(|_| PUBLIC.to_owned()),
        };
        let mut url = safe_address(&authority, false).map_err(|e| format!("the authority: {e}"))?;
        let tenant = variable(&spec.tenant_env)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if !tenant.chars().all(plain) {
            return Err(format!("the environment variable `{}` holds no tenant's id or domain", spec.tenant_env));
        }
        url.path_segments_mut()
            .map_err(|()| format!("`{authority}` is no address of a server"))?
            .pop_if_empty()
            .extend([tenant.as_str(), "oauth2", "v2.0", "token"]);
        Ok(Self { url, client: variable(&spec.client_env)?, scope: spec.scope.clone(), proof, from })
    }

    /// A token.
    pub(super) async fn fetch(&self, net: &Net, secrets: &Secrets) -> Result<Token, Trouble> {
        let assertion = match &self.proof {
            Proof::Secret(_) => None,
            Proof::Certificate(c) => Some(c.assertion(&self.client, self.url.as_str()).map_err(Trouble::Failed)?),
            Proof::File(path) => Some(
                std::fs::read_to_string(path)
                    .map(|t| t.trim().to_owned())
                    .map_err(|e| Trouble::Failed(format!("the token file of `{}` cannot be read: {e}", self.from)))?,
            ),
            Proof::Job(job) => Some(job.assertion(net, secrets).await?),
        };
        if let Some(a) = &assertion {
            secrets.keep(a);
        }
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.client.as_str()),
            ("scope", self.scope.as_str()),
        ];
        match (&self.proof, &assertion) {
            (_, Some(a)) => form.extend([("client_assertion_type", ASSERTION), ("client_assertion", a.as_str())]),
            (Proof::Secret(key), None) => form.push(("client_secret", key.expose())),
            _ => {}
        }
        // An address encodes its query exactly as a form is encoded.
        let mut encoded = self.url.clone();
        encoded.query_pairs_mut().clear().extend_pairs(form);
        let request = net
            .out
            .post(self.url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded.query().unwrap_or_default().to_owned());
        let reply = net.send(request, Service::Authority).await.map_err(|trouble| {
            // Entra names the subject that it did not know; older replies leave it out, and it is what has to be registered.
            let subject = match &self.proof {
                Proof::File(_) | Proof::Job(_) => assertion.as_deref().and_then(|a| claim(a, "sub")),
                _ => None,
            };
            let subject = subject.map(|s| format!("; the subject presented is `{s}`")).unwrap_or_default();
            trouble.about(&format!("check {}{subject}", self.from))
        })?;
        Token::from_reply(&reply.body, reply.now)
    }
}
