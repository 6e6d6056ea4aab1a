//! `goldgate doctor`: whether the targets can be asked, under which identity, and what came of trying.

use super::CliError;
use super::config::{Config, TargetConfig};
use super::output::Terminal;
use super::pipeline;
use super::provider::Provider;
use crate::report;
use crate::run::Needs;
use crate::suite::Suite;
use crate::target::{Found, LocalModels, RemoteModels, RemoteSpec};
use crate::types::{ExitCode, Response, TargetName, Untrusted};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// See whether the project's targets can be asked: under which identity, and with which effect.
#[derive(Args)]
pub struct Doctor {
    /// Look at this target only; may be given several times [default: all]
    #[arg(long = "target", value_name = "NAME", value_parser = TargetName::new)]
    targets: Vec<TargetName>,
    /// Ask each remote target a small question or two, which cost that much
    #[arg(long)]
    probe: bool,
    /// With --probe: look whether the targets give what this suite asks for
    #[arg(long, value_name = "DIR", requires = "probe")]
    suite: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found out about the targets: the form of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Checkup {
    format: &'static str,
    targets: Vec<Checked>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Checked {
    name: String,
    kind: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Capabilities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<Untrusted>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    source: &'static str,
    from: Vec<String>,
    passed_over: Vec<PassedOver>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PassedOver {
    source: &'static str,
    why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Token {
    scope: String,
    audience: Option<Untrusted>,
    seconds_left: u64,
}

/// What a probe's answer showed. What was not asked for is not claimed.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Capabilities {
    streams: bool,
    counts_tokens: bool,
    filter_up: bool,
    limit_renamed: bool,
    /// What was asked for beside a text and came, as a suite names it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gives: Vec<&'static str>,
    model: Option<Untrusted>,
    fingerprint: Option<Untrusted>,
    region: Option<Untrusted>,
}

impl Doctor {
    /// Runs the command.
    ///
    /// # Errors
    /// When the project's file is wrong or has no such target. A target that cannot be asked is told with the others: exit code 4.
    pub fn run(&self, config: Option<&Path>, terminal: &Terminal) -> Result<ExitCode, CliError> {
        let config = Config::load(config, Path::new("."))?;
        for name in &self.targets {
            config.target(name)?;
        }
        let suite = self.suite.as_deref().map(Suite::load).transpose()?;
        let needs = suite.map_or_else(Needs::default, |s| Needs::of(&s, false));
        let wanted = |name: &TargetName| self.targets.is_empty() || self.targets.contains(name);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| CliError::Usage(format!("cannot start the scheduler: {e}")))?;
        let mut targets = Vec::new();
        for (name, target) in config.targets.iter().filter(|(name, _)| wanted(name)) {
            let checked = runtime.block_on(self.check(&config, name, target, &needs));
            if !self.json {
                terminal.say(&checked.text());
            }
            targets.push(checked);
        }
        let all_fine = targets.iter().all(|t| t.ok);
        if self.json {
            let checkup = Checkup { format: "goldgate.doctor/1", targets };
            terminal.say(&serde_json::to_string_pretty(&checkup).expect("plain data always serialises"));
        }
        Ok(if all_fine { ExitCode::Promote } else { ExitCode::Endpoint })
    }

    async fn check(&self, config: &Config, name: &TargetName, target: &TargetConfig, needs: &Needs) -> Checked {
        let name = name.to_string();
        match &target.provider {
            Provider::Local { model, adapter } => {
                let loaded = LocalModels::load(&[pipeline::local_spec(config, model, adapter.as_deref())]);
                let (digest, trouble) = match loaded {
                    Ok(models) => (models.first().map(|m| m.digest().short()), None),
                    Err(e) => (None, Some(Untrusted::new(e.to_string()))),
                };
                Checked { name, kind: "local", ok: trouble.is_none(), digest, trouble, ..Checked::default() }
            }
            Provider::Remote(remote) => match remote.spec() {
                Ok(spec) => self.examine(name, &spec, needs).await,
                Err(e) => Checked {
                    name,
                    kind: remote.kind(),
                    trouble: Some(Untrusted::new(e.to_string())),
                    ..Checked::default()
                },
            },
        }
    }

    async fn examine(&self, name: String, spec: &RemoteSpec, needs: &Needs) -> Checked {
        let checked = Checked { name, kind: spec.kind(), endpoint: spec.url().ok(), ..Checked::default() };
        let questions = if self.probe { needs.questions() } else { Vec::new() };
        let examined = match RemoteModels::examine(spec, &questions).await {
            Ok(examined) => examined,
            Err((found, message)) => {
                let identity = found.map(Identity::from);
                return Checked { identity, trouble: Some(Untrusted::new(message)), ..checked };
            }
        };
        let scope = || spec.identity.as_ref().map(|i| i.scope.clone()).unwrap_or_default();
        let token = examined.token.map(|t| Token {
            scope: scope(),
            audience: t.audience.map(Untrusted::new),
            seconds_left: t.seconds_left,
        });
        let (mut answer, mut trouble): (Option<Capabilities>, _) = (None, None);
        for (question, result) in questions.iter().zip(examined.answers) {
            let checked = needs.probed(question, result);
            match checked {
                Ok(response) => {
                    let mut gives = answer.take().map(|a| a.gives).unwrap_or_default();
                    gives.extend(question.wants.names());
                    answer = Some(Capabilities { gives, ..Capabilities::from(response) });
                }
                Err(message) => {
                    trouble = Some(Untrusted::new(message));
                    break;
                }
            }
        }
        let identity = examined.identity.map(Identity::from);
        Checked { identity, token, answer, ok: trouble.is_none(), trouble, ..checked }
    }
}

impl From<Found> for Identity {
    fn from(found: Found) -> Self {
        let passed_over = found.passed_over.into_iter().map(|p| PassedOver { source: p.source, why: p.why }).collect();
        Self { source: found.source, from: found.from, passed_over }
    }
}

impl From<Response> for Capabilities {
    fn from(response: Response) -> Self {
        let counts_tokens = response.usage.is_some();
        let served = response.served.map(|s| *s).unwrap_or_default();
        Self {
            streams: served.streamed,
            counts_tokens,
            filter_up: !served.unchecked,
            limit_renamed: served.limit_renamed,
            gives: Vec::new(),
            model: served.model,
            fingerprint: served.fingerprint,
            region: served.region,
        }
    }
}

impl Checked {
    /// A few lines for a person, each indented by its meaning and wrapped to 80 columns.
    fn text(&self) -> String {
        let mut out = format!("{} {} ({})", if self.ok { "ok  " } else { "FAIL" }, self.name, self.kind);
        let mut row = |label: &str, text: String| {
            for (i, line) in report::wrap(&text, 66).into_iter().enumerate() {
                out.push_str(&format!("\n     {:<9}{line}", if i == 0 { label } else { "" }));
            }
        };
        if let Some(endpoint) = &self.endpoint {
            row("endpoint", endpoint.clone());
        }
        if let Some(digest) = &self.digest {
            row("digest", digest.clone());
        }
        if let Some(identity) = &self.identity {
            row("identity", format!("{}, from {}", identity.source, identity.from.join(", ")));
            for passed in &identity.passed_over {
                row("", format!("not {}: {}", passed.source, passed.why));
            }
        } else if self.ok && self.kind != "local" {
            row("identity", "none: it is asked without a credential".to_owned());
        }
        if let Some(token) = &self.token {
            let of = token
                .audience
                .as_ref()
                .map_or("audience unknown".to_owned(), |a| format!("audience {}", a.for_terminal(200)));
            row("token", format!("obtained for {}, {of}, {} min left", token.scope, token.seconds_left / 60));
        }
        if let Some(answer) = &self.answer {
            let yes = |flag: bool, name: &str| format!("{}{name}", if flag { "" } else { "no " });
            let mut said = vec![yes(answer.streams, "streaming"), yes(answer.counts_tokens, "token counts")];
            said.extend((!answer.filter_up).then(|| "the content filter is down".to_owned()));
            said.extend(answer.limit_renamed.then(|| "wants the other `limit-field`".to_owned()));
            said.extend(answer.gives.iter().map(|name| format!("`{name}`")));
            said.extend(answer.model.as_ref().map(|m| format!("model {}", m.for_terminal(200))));
            said.extend(answer.fingerprint.as_ref().map(|f| format!("fingerprint {}", f.for_terminal(200))));
            said.extend(answer.region.as_ref().map(|r| format!("region {}", r.for_terminal(200))));
            row("answers", said.join(", "));
        }
        if let Some(trouble) = &self.trouble {
            row("trouble", trouble.for_terminal(600));
        }
        out
    }
}
