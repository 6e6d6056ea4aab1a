//! The identity of the machine (its metadata service) or of the app (App Service, Container Apps). No secret of ours is involved.

use super::super::secret::Key;
use super::net::{Net, Service};
use super::spec::{IdentitySpec, safe_address};
use super::token::Token;
use super::{Trouble, optional};
use reqwest::Url;

/// Who gives the token.
pub(super) enum Managed {
    /// A machine's metadata service.
    Machine(Url),
    /// The platform of an app, with the header that proves that we run inside it.
    App(Url, Key),
}

impl Managed {
    /// The app's platform where the environment names one, else the machine.
    pub(super) fn new(spec: &IdentitySpec) -> Result<Self, String> {
        let client = optional(&spec.client_env);
        let with = |mut url: Url, version: &str| {
            url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", spec.resource());
            if let Some(client) = &client {
                url.query_pairs_mut().append_pair("client_id", client);
            }
            url
        };
        if let Some(address) = optional("IDENTITY_ENDPOINT") {
            let url = safe_address(&address, true).map_err(|e| format!("`IDENTITY_ENDPOINT`: {e}"))?;
            return Ok(Self::App(with(url, "2019-08-01"), Key::from_env("IDENTITY_HEADER")?));
        }
        let mut url = safe_address(&spec.imds, true).map_err(|e| format!("`imds`: {e}"))?;
        url.path_segments_mut()
            .map_err(|()| format!("`{}` is no address of a server", spec.imds))?
            .pop_if_empty()
            .extend(["metadata", "identity", "oauth2", "token"]);
        Ok(Self::Machine(with(url, "2018-02-01")))
    }

    /// By name, where the token comes from.
    pub(super) fn from(&self) -> Vec<String> {
        match self {
            Self::Machine(url) => vec![format!("the metadata service at {}", url.origin().ascii_serialization())],
            Self::App(..) => vec!["IDENTITY_ENDPOINT".to_owned(), "IDENTITY_HEADER".to_owned()],
        }
    }

    /// A token.
    pub(super) async fn fetch(&self, net: &Net) -> Result<Token, Trouble> {
        let (request, service) = match self {
            Self::Machine(url) => (net.near.get(url.clone()).header("Metadata", "true"), Service::Metadata),
            Self::App(url, key) => {
                (net.near.get(url.clone()).header("X-IDENTITY-HEADER", key.expose()), Service::Authority)
            }
        };
        let reply = net.send(request, service).await?;
        Token::from_reply(&reply.body, reply.now)
    }
}
