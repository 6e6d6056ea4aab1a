//! `goldgate validate`: every mistake that can be found without asking a model.

use super::CliError;
use super::config::Config;
use super::output::Terminal;
use super::pipeline::{self, Loaded};
use super::provider::Provider;
use crate::target::{LocalModels, RemoteModels};
use crate::types::ExitCode;
use clap::Args;
use std::path::{Path, PathBuf};

/// Check suites, policies, targets and checkpoints without asking anything.
#[derive(Args)]
pub struct Validate {
    /// Suite folders
    #[arg(required = true)]
    suites: Vec<PathBuf>,
    /// The policy [default: policy.toml beside the suite]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Check the project's targets too: load checkpoints, look for the keys of remote targets; nothing is asked
    #[arg(long)]
    targets: bool,
}

impl Validate {
    /// Runs the command.
    ///
    /// # Errors
    /// The first suite, policy, project file or checkpoint that is wrong, with all its mistakes.
    pub fn run(&self, config: Option<&Path>, terminal: &Terminal) -> Result<ExitCode, CliError> {
        for path in &self.suites {
            let loaded = Loaded::new(path, self.policy.as_deref())?;
            let (suite, policy) = (&loaded.suite, &loaded.policy);
            let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
            terminal.say(&format!(
                "{}: {}, {}, {}; policy `{}` with {}",
                path.display(),
                count(suite.cases().len(), "case"),
                count(suite.variants().count(), "prompt variant"),
                count(suite.scorers().len(), "scorer"),
                policy.name(),
                if policy.criteria().len() == 1 {
                    "1 criterion".to_owned()
                } else {
                    format!("{} criteria", policy.criteria().len())
                },
            ));
            terminal.warn_of_impossible(policy, suite);
        }
        if self.targets {
            let config = Config::load(config, &self.suites[0])?;
            for path in &self.suites {
                let loaded = Loaded::new(path, self.policy.as_deref())?;
                pipeline::roles(&loaded, &config, &[])?;
            }
            for (name, t) in &config.targets {
                match &t.provider {
                    Provider::Local { model, adapter } => {
                        let loaded = LocalModels::load(&[pipeline::local_spec(&config, model, adapter.as_deref())])?;
                        let digest = loaded.first().map(|m| m.digest().short()).unwrap_or_default();
                        terminal.say(&format!("target {name}: loads, digest {digest}"));
                    }
                    Provider::Remote(remote) => {
                        let spec = remote.spec()?;
                        let digest = RemoteModels::check(&spec)?.short();
                        let key = match (&spec.key_env, &spec.identity) {
                            (Some(k), _) => format!(", key in `{k}`"),
                            (None, Some(i)) => format!(", identity `{}`", i.kind.as_str()),
                            (None, None) => String::new(),
                        };
                        let at = spec.url().unwrap_or_default();
                        terminal.say(&format!("target {name}: {at}{key}, digest {digest}; nothing was sent"));
                        for place in &spec.places()[1..] {
                            let key = place.key_env.as_ref().map(|k| format!(", key in `{k}`")).unwrap_or_default();
                            terminal
                                .say(&format!("  and, while that is gone: {}{key}", place.url().unwrap_or_default()));
                        }
                    }
                }
            }
        }
        Ok(ExitCode::Promote)
    }
}
