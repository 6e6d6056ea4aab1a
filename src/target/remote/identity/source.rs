//! Which source an identity uses, and the chain of `identity = "default"`.

use super::super::secret::Key;
use super::azure_cli::AzureCli;
use super::certificate::Certificate;
use super::entra::{Application, Proof};
use super::github::Job;
use super::managed::Managed;
use super::net::Net;
use super::spec::{IdentityKind, IdentitySpec};
use super::token::Token;
use super::{PassedOver, Secrets, Trouble, optional, variable};
use std::path::PathBuf;

/// A source that is set up.
pub(super) struct Source {
    kind: IdentityKind,
    from: Vec<String>,
    keys: Vec<Key>,
    how: How,
}

enum How {
    Application(Box<Application>),
    Managed(Managed),
    AzureCli(AzureCli),
}

/// The sources that are tried, in order, and those that the environment has no settings of.
pub(super) struct Sources {
    /// At least one. The second and later ones are tried only where the one before is not on this machine.
    pub present: Vec<Source>,
    /// Those that were not taken.
    pub passed_over: Vec<PassedOver>,
}

/// The chain: what somebody set up for this process comes before what belongs to the machine, and a person's own sign-in comes last.
const CHAIN: [IdentityKind; 6] = [
    IdentityKind::ClientSecret,
    IdentityKind::ClientCertificate,
    IdentityKind::Workload,
    IdentityKind::GithubActions,
    IdentityKind::ManagedIdentity,
    IdentityKind::AzureCli,
];

impl Sources {
    /// The source that is named, or the chain's first that the environment has settings of. Settings that are there and wrong are an error:
    /// a chain that went on would ask under an identity that nobody meant.
    pub(super) fn new(spec: &IdentitySpec) -> Result<Self, String> {
        if spec.kind != IdentityKind::Default {
            return Ok(Self { present: vec![Source::new(spec, spec.kind)?], passed_over: Vec::new() });
        }
        let (mut present, mut passed_over) = (Vec::new(), Vec::new());
        for kind in CHAIN {
            let pass = |why: String| PassedOver { source: kind.as_str(), why };
            if let Some(missing) = signs(spec, kind).into_iter().find(|name| optional(name).is_none()) {
                passed_over.push(pass(format!("`{missing}` is not set")));
                continue;
            }
            match Source::new(spec, kind) {
                // The CLI is the chain's only source whose absence shows while it is set up.
                Err(why) if kind == IdentityKind::AzureCli => passed_over.push(pass(why)),
                Err(why) => return Err(format!("{}: {why}", kind.as_str())),
                Ok(source) => {
                    // A machine may be without a metadata service, which shows only when it is asked.
                    let may_be_absent = matches!(source.how, How::Managed(Managed::Machine(_)));
                    present.push(source);
                    if !may_be_absent {
                        break;
                    }
                }
            }
        }
        Ok(Self { present, passed_over })
    }

    /// Every secret that the environment gave.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.present.iter().flat_map(|s| &s.keys)
    }
}

/// The variables that say that a source is meant.
fn signs(spec: &IdentitySpec, kind: IdentityKind) -> Vec<&str> {
    match kind {
        IdentityKind::ClientSecret => vec![&spec.client_secret_env],
        IdentityKind::ClientCertificate => vec![&spec.certificate_env],
        IdentityKind::Workload => vec![&spec.token_file_env],
        // A job may have a token without any application that would take it.
        IdentityKind::GithubActions => vec![&spec.oidc_url_env, &spec.client_env, &spec.tenant_env],
        IdentityKind::Default | IdentityKind::ManagedIdentity | IdentityKind::AzureCli => vec![],
    }
}

impl Source {
    fn new(spec: &IdentitySpec, kind: IdentityKind) -> Result<Self, String> {
        let application = |proof, own: &[&String], keys: Vec<Key>| {
            let mut from = vec![spec.tenant_env.clone(), spec.client_env.clone()];
            from.extend(own.iter().map(|n| (*n).clone()));
            let named: Vec<String> = from.iter().map(|n| format!("`{n}`")).collect();
            let how = How::Application(Box::new(Application::new(spec, proof, named.join(", "))?));
            Ok(Self { kind, from, keys, how })
        };
        match kind {
            IdentityKind::ClientSecret => {
                let key = Key::from_env(&spec.client_secret_env)?;
                application(Proof::Secret(key.clone()), &[&spec.client_secret_env], vec![key])
            }
            IdentityKind::ClientCertificate => {
                let name = &spec.certificate_env;
                let pem = std::fs::read(variable(name)?)
                    .map_err(|e| format!("the file that `{name}` names cannot be read: {e}"))?;
                let certificate = Certificate::read(&pem, spec.signature)
                    .map_err(|e| format!("the file that `{name}` names is no use: {e}"))?;
                application(Proof::Certificate(certificate), &[name], vec![])
            }
            IdentityKind::Workload => {
                let path = PathBuf::from(variable(&spec.token_file_env)?);
                application(Proof::File(path), &[&spec.token_file_env], vec![])
            }
            IdentityKind::GithubActions => {
                let job = Job::new(spec)?;
                let keys = vec![job.key().clone()];
                application(Proof::Job(job), &[&spec.oidc_url_env, &spec.oidc_token_env], keys)
            }
            IdentityKind::ManagedIdentity => {
                let managed = Managed::new(spec)?;
                let keys = match &managed {
                    Managed::App(_, key) => vec![key.clone()],
                    Managed::Machine(_) => vec![],
                };
                Ok(Self { kind, from: managed.from(), keys, how: How::Managed(managed) })
            }
            IdentityKind::AzureCli => {
                let from = vec!["az account get-access-token".to_owned()];
                Ok(Self { kind, from, keys: vec![], how: How::AzureCli(AzureCli::new(spec)?) })
            }
            IdentityKind::Default => Err("`default` is a chain of sources and none of them".to_owned()),
        }
    }

    /// The name in a project's file.
    pub(super) fn name(&self) -> &'static str {
        self.kind.as_str()
    }

    /// The names of the variables, or the place, that it comes from.
    pub(super) fn from(&self) -> Vec<String> {
        self.from.clone()
    }

    /// Why a chain went on behind it.
    pub(super) fn absence(&self) -> &'static str {
        "the machine has no metadata service, or no identity"
    }

    /// A token.
    pub(super) async fn fetch(&self, net: &Net, secrets: &Secrets) -> Result<Token, Trouble> {
        match &self.how {
            How::Application(application) => application.fetch(net, secrets).await,
            How::Managed(managed) => managed.fetch(net).await,
            How::AzureCli(cli) => cli.fetch().await,
        }
    }
}
