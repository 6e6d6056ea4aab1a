//! Which identity a target is asked under, as a project names it. Secrets stand in it by the names of their variables only.

use reqwest::Url;
use std::time::Duration;

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// The first source that the environment has the settings of.
    Default,
    /// An application's secret.
    ClientSecret,
    /// An application's certificate.
    ClientCertificate,
    /// A federated token that the platform puts into a file.
    Workload,
    /// The token of a GitHub Actions job.
    GithubActions,
    /// The identity of the machine or of the app.
    ManagedIdentity,
    /// Who is signed in to the Azure CLI.
    AzureCli,
}

impl IdentityKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Default,
        Self::ClientSecret,
        Self::ClientCertificate,
        Self::Workload,
        Self::GithubActions,
        Self::ManagedIdentity,
        Self::AzureCli,
    ];

    /// The name in a project's file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::ClientSecret => "client-secret",
            Self::ClientCertificate => "client-certificate",
            Self::Workload => "workload",
            Self::GithubActions => "github-actions",
            Self::ManagedIdentity => "managed-identity",
            Self::AzureCli => "azure-cli",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == name)
    }
}

/// How an assertion is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signature {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA-PSS with SHA-256.
    Ps256,
}

/// An identity by which tokens are had. Two targets of equal identities share their tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdentitySpec {
    /// Where the token comes from.
    pub kind: IdentityKind,
    /// The address that gives tokens to applications; by default that of `AZURE_AUTHORITY_HOST`, or the public cloud's.
    pub authority: Option<String>,
    /// What the token is for, such as `https://ai.azure.com/.default`.
    pub scope: String,
    /// The variable that holds the tenant.
    pub tenant_env: String,
    /// The variable that holds the application's id.
    pub client_env: String,
    /// The variable that holds the application's secret.
    pub client_secret_env: String,
    /// The variable that holds the path of a PEM file with certificate and key.
    pub certificate_env: String,
    /// How the certificate's key signs.
    pub signature: Signature,
    /// The variable that holds the path of the federated token.
    pub token_file_env: String,
    /// The variable that holds the address of a job's tokens.
    pub oidc_url_env: String,
    /// The variable that holds the secret with which a job asks for its token.
    pub oidc_token_env: String,
    /// For whom a job's token is made out.
    pub audience: String,
    /// The address of the machine's metadata service.
    pub imds: String,
    /// The longest that one request, or the Azure CLI, may take.
    pub timeout: Duration,
}

impl IdentitySpec {
    /// An identity with the usual names and addresses.
    #[must_use]
    pub fn new(kind: IdentityKind, scope: impl Into<String>) -> Self {
        Self {
            kind,
            authority: None,
            scope: scope.into(),
            tenant_env: "AZURE_TENANT_ID".to_owned(),
            client_env: "AZURE_CLIENT_ID".to_owned(),
            client_secret_env: "AZURE_CLIENT_SECRET".to_owned(),
            certificate_env: "AZURE_CLIENT_CERTIFICATE_PATH".to_owned(),
            signature: Signature::Rs256,
            token_file_env: "AZURE_FEDERATED_TOKEN_FILE".to_owned(),
            oidc_url_env: "ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(),
            oidc_token_env: "ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
            imds: "http://169.254.169.254".to_owned(),
            timeout: Duration::from_secs(30),
        }
    }

    /// Whether secrets may go to an address: encrypted, or to this machine, or (`near`) to its metadata service.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment.
    pub fn check_address(address: &str, near: bool) -> Result<(), String> {
        safe_address(address, near).map(|_| ())
    }

    /// What a managed identity calls the scope.
    pub(super) fn resource(&self) -> &str {
        self.scope.strip_suffix("/.default").unwrap_or(&self.scope)
    }
}

/// An address that a secret may go to: encrypted, or this machine, or (`near`) its link-local neighbour.
pub(super) fn safe_address(text: &str, near: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("`{text}` is no address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("`{text}` is no address of a server; write `https://…`"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("the address holds a user, a password or a fragment; write scheme, host and path only".to_owned());
    }
    let link_local = || {
        let host = url.host_str().unwrap_or_default();
        host.parse::<std::net::Ipv4Addr>().is_ok_and(|a| a.is_link_local())
    };
    if url.scheme() == "http" && !super::super::spec::is_loopback(&url) && !(near && link_local()) {
        return Err(format!("a secret would go to `{text}` unprotected; write `https://…`"));
    }
    Ok(url)
}
