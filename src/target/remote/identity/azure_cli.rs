//! Who is signed in to the Azure CLI: for people at their own machines.

use super::spec::IdentitySpec;
use super::token::Token;
use super::{Trouble, optional};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The Azure CLI.
pub(super) struct AzureCli {
    program: PathBuf,
    scope: String,
    tenant: Option<String>,
    /// Variables that the program has no need of.
    hidden: Vec<String>,
    timeout: Duration,
}

impl AzureCli {
    /// Looks for `az` on the path. Nothing is started, and never one that lies in the working folder.
    pub(super) fn new(spec: &IdentitySpec) -> Result<Self, String> {
        let names: &[&str] = if cfg!(windows) { &["az.cmd", "az.exe"] } else { &["az"] };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .flat_map(|folder| names.iter().map(move |n| folder.join(n)))
            .find(|file| file.is_file())
            .ok_or("the Azure CLI (`az`) is not on the path; install it, or choose another `identity`")?;
        let tenant = optional(&spec.tenant_env);
        if tenant.as_ref().is_some_and(|t| !t.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')) {
            return Err(format!("the environment variable `{}` holds no tenant's id or domain", spec.tenant_env));
        }
        let hidden = vec![spec.client_secret_env.clone(), spec.oidc_token_env.clone(), "IDENTITY_HEADER".to_owned()];
        Ok(Self { program, scope: spec.scope.clone(), tenant, hidden, timeout: spec.timeout })
    }

    /// A token.
    pub(super) async fn fetch(&self) -> Result<Token, Trouble> {
        let mut command = Command::new(&self.program);
        command.args(["account", "get-access-token", "--output", "json", "--scope", &self.scope]);
        if let Some(tenant) = &self.tenant {
            command.args(["--tenant", tenant]);
        }
        for name in &self.hidden {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let done = tokio::time::timeout(self.timeout, command.output()).await.map_err(|_| {
            Trouble::Failed(format!("the Azure CLI said nothing within {} s", self.timeout.as_secs_f64()))
        })?;
        let out = done.map_err(|e| Trouble::Failed(format!("the Azure CLI cannot be started: {e}")))?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.trim().lines().next().unwrap_or("nothing").replace(char::is_control, " ");
            return Err(Trouble::Failed(format!("the Azure CLI failed (sign in with `az login`): {said}")));
        }
        let reply =
            serde_json::from_slice(&out.stdout).map_err(|_| Trouble::failed("the Azure CLI printed no JSON"))?;
        Token::from_cli(&reply)
    }
}
