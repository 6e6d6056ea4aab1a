//! The token of a GitHub Actions job, which Entra trusts through a federated credential: no secret lies anywhere.

use super::super::secret::Key;
use super::net::{Net, Service};
use super::spec::{IdentitySpec, safe_address};
use super::{Secrets, Trouble, variable};
use reqwest::Url;

/// Where a job asks for its token.
pub(super) struct Job {
    url: Url,
    key: Key,
}

impl Job {
    /// The job that this process runs in.
    pub(super) fn new(spec: &IdentitySpec) -> Result<Self, String> {
        let of = |e| {
            format!(
                "{e}; the job needs `permissions: id-token: write`, without which the platform sets no such variable"
            )
        };
        let address = variable(&spec.oidc_url_env).map_err(of)?;
        let mut url = safe_address(&address, false)
            .map_err(|_| format!("the environment variable `{}` holds no `https` address", spec.oidc_url_env))?;
        url.query_pairs_mut().append_pair("audience", &spec.audience);
        Ok(Self { url, key: Key::from_env(&spec.oidc_token_env).map_err(of)? })
    }

    /// The key with which the job asks.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// A token of the job. It lives minutes, so that every refresh asks for another.
    pub(super) async fn assertion(&self, net: &Net, secrets: &Secrets) -> Result<String, Trouble> {
        let request = net.out.get(self.url.clone()).bearer_auth(self.key.expose());
        let reply = net
            .send(request, Service::Authority)
            .await
            .map_err(|t| t.with("; the platform gave the job no token; check `permissions: id-token: write`"))?;
        let Some(token) = reply.body["value"].as_str().filter(|t| !t.trim().is_empty()) else {
            return Err(Trouble::failed("the platform's reply holds no token (`value`)"));
        };
        secrets.keep(token);
        Ok(token.trim().to_owned())
    }
}
