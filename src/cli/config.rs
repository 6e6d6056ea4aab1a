//! `goldgate.toml`: the targets of a project.

use super::CliError;
use super::budget::{self, RawLimits, RawPrice};
use super::provider::{self, Provider};
use crate::gate::{Limits, Price};
use crate::suite::diag::{self, Diagnostic, Diagnostics, SourceFile};
use crate::suite::read_text;
use crate::types::{TargetName, VariantName};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The file's name.
const FILE: &str = "goldgate.toml";

/// A project's targets.
#[derive(Debug)]
pub struct Config {
    /// The file.
    pub file: SourceFile,
    /// The folder that relative paths start from.
    pub root: PathBuf,
    /// Targets by name.
    pub targets: BTreeMap<TargetName, TargetConfig>,
}

/// One `[target.NAME]`.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// Who answers.
    pub provider: Provider,
    /// The prompt variant that it is asked with.
    pub prompt: VariantName,
    /// What its tokens cost, for `goldgate plan` and for the cap of a run.
    pub price: Option<Price>,
    /// How much it may be asked; a checkpoint of this machine is asked as fast as it answers.
    pub limits: Option<Limits>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    target: BTreeMap<Spanned<String>, RawTarget>,
}

/// Every key of every kind: which of them a kind has is checked by [`provider`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawTarget {
    pub kind: Spanned<String>,
    pub prompt: Spanned<String>,
    pub model: Option<Spanned<String>>,
    pub adapter: Option<Spanned<String>>,
    pub request: Option<Spanned<String>>,
    pub response: Option<Spanned<RawResponse>>,
    pub base_url: Option<Spanned<String>>,
    pub endpoint: Option<Spanned<String>>,
    pub endpoint_env: Option<Spanned<String>>,
    pub deployment: Option<Spanned<String>>,
    pub api: Option<Spanned<String>>,
    pub api_version: Option<Spanned<String>>,
    pub api_key: Option<Spanned<toml::Value>>,
    pub api_key_env: Option<Spanned<String>>,
    pub identity: Option<Spanned<String>>,
    pub authority: Option<Spanned<String>>,
    pub scope: Option<Spanned<String>>,
    pub tenant_env: Option<Spanned<String>>,
    pub client_env: Option<Spanned<String>>,
    pub client_secret_env: Option<Spanned<String>>,
    pub certificate_env: Option<Spanned<String>>,
    pub signature: Option<Spanned<String>>,
    pub token_file_env: Option<Spanned<String>>,
    pub oidc_url_env: Option<Spanned<String>>,
    pub oidc_token_env: Option<Spanned<String>>,
    pub audience: Option<Spanned<String>>,
    pub imds: Option<Spanned<String>>,
    pub client_secret: Option<Spanned<toml::Value>>,
    pub failover: Option<Spanned<Vec<RawFurther>>>,
    pub limit_field: Option<Spanned<String>>,
    pub seed: Option<Spanned<u64>>,
    pub protocol: Option<Spanned<String>>,
    pub sampling: Option<Spanned<String>>,
    pub reasoning_effort: Option<Spanned<String>>,
    pub timeout_seconds: Option<Spanned<u64>>,
    pub first_byte_seconds: Option<Spanned<u64>>,
    pub idle_seconds: Option<Spanned<u64>>,
    pub attempts: Option<Spanned<u64>>,
    pub longest_wait_seconds: Option<Spanned<u64>>,
    pub retry_percent: Option<Spanned<u64>>,
    pub breaker_failures: Option<Spanned<u64>>,
    pub breaker_seconds: Option<Spanned<u64>>,
    pub price: Option<RawPrice>,
    pub limits: Option<RawLimits>,
}

/// A further endpoint of a target.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawFurther {
    pub address: Spanned<String>,
    pub api_key_env: Option<Spanned<String>>,
}

/// Where the reply of an endpoint with a form of its own holds what: JSON pointers.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawResponse {
    pub text: String,
    pub finish: Option<String>,
    pub prompt_tokens: Option<String>,
    pub completion_tokens: Option<String>,
}

impl Config {
    /// Finds and reads the project's file: the one named, or the nearest `goldgate.toml` from the working folder or the suite upwards.
    ///
    /// # Errors
    /// When there is none, or it says something wrong.
    pub fn load(named: Option<&Path>, suite: &Path) -> Result<Self, CliError> {
        let path = match named {
            Some(p) => p.to_owned(),
            None => find_upwards(Path::new(".")).or_else(|| find_upwards(suite)).ok_or_else(|| {
                let suite = suite.display();
                CliError::Usage(format!("there is no `{FILE}` here, near `{suite}` or above; name one with `--config`"))
            })?,
        };
        let file = read_text(&path, &path.display().to_string())?;
        let root = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Ok(Self::parse(file, root)?)
    }

    fn parse(file: SourceFile, root: PathBuf) -> Result<Self, Diagnostics> {
        // A message shows the line that it speaks of, and somebody may have written a key into it.
        let shown = provider::without_secrets(&file);
        let raw: RawConfig =
            diag::parse_toml(&file).map_err(|d| Diagnostics::from(Diagnostic { file: shown.clone(), ..d }))?;
        let file = shown;
        let mut wrong = Diagnostics::default();
        let mut targets = BTreeMap::new();
        for (name, t) in &raw.target {
            let provider = provider::check(t, name.span(), &file, &mut wrong);
            let checked =
                TargetName::new(name.get_ref()).map_err(|e| wrong.push(file.error(name.span(), e.to_string())));
            let prompt = VariantName::new(t.prompt.get_ref())
                .map_err(|e| wrong.push(file.error(t.prompt.span(), e.to_string())));
            let (price, limits) = budget::read(&file, t.price.as_ref(), t.limits.as_ref(), &mut wrong);
            let (Ok(checked), Ok(prompt), Some(provider)) = (checked, prompt, provider) else { continue };
            targets.insert(checked, TargetConfig { provider, prompt, price, limits });
        }
        if raw.target.is_empty() {
            wrong.push(file.error(0..0, "there is no target").help("add a `[target.NAME]`"));
        }
        wrong.or(Self { file, root, targets })
    }

    /// A target by name.
    ///
    /// # Errors
    /// When the project has none of this name.
    pub fn target(&self, name: &TargetName) -> Result<&TargetConfig, CliError> {
        self.targets.get(name).ok_or_else(|| {
            let names = || self.targets.keys().map(TargetName::as_str);
            let hint = match diag::nearest(name.as_str(), names()) {
                Some(k) => format!("did you mean `{k}`?"),
                None => format!("its targets are {}", names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
            };
            CliError::Usage(format!("`{}` has no target `{name}`; {hint}", self.file.path))
        })
    }
}

fn find_upwards(from: &Path) -> Option<PathBuf> {
    let start = from.canonicalize().ok()?;
    start.ancestors().map(|folder| folder.join(FILE)).find(|p| p.is_file()).map(shorten)
}

/// The path as seen from the working folder where it lies below it: messages stay readable and hold no machine's layout.
fn shorten(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().and_then(|d| d.canonicalize());
    here.ok().and_then(|h| path.strip_prefix(h).ok().map(Path::to_owned)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{IdentityKind, IdentitySpec, Signature};
    use std::time::Duration;

    fn errors(text: &str) -> String {
        Config::parse(SourceFile::new("goldgate.toml", text), PathBuf::new()).expect_err("must be refused").to_string()
    }

    fn config(text: &str) -> Config {
        Config::parse(SourceFile::new("goldgate.toml", text), PathBuf::new()).unwrap()
    }

    const LOCAL: &str = "[target.base]\nkind = \"local\"\nmodel = \"m\"\nprompt = \"p\"\n";
    const OPENAI: &str = "[target.base]\nkind = \"openai\"\nbase-url = \"https://h/v1\"\nmodel = \"m\"\napi-key-env = \"K\"\nprompt = \"p\"\n";
    const AZURE: &str = "[target.base]\nkind = \"azure-openai\"\nendpoint = \"https://r.openai.azure.com\"\ndeployment = \"d\"\napi = \"deployment\"\napi-version = \"2024-10-21\"\napi-key-env = \"K\"\nprompt = \"p\"\n";

    #[test]
    fn every_kind_is_read() {
        let provider = |text: &str| config(text).targets.into_values().next().unwrap().provider;
        let Provider::Local { model, adapter } = provider(LOCAL) else { panic!() };
        assert_eq!((model.as_str(), adapter), ("m", None));
        let spec = |text: &str| match provider(text) {
            Provider::Remote(r) => r.spec().unwrap(),
            Provider::Local { .. } => panic!(),
        };
        let all = format!(
            "{OPENAI}limit-field = \"max-completion-tokens\"\nseed = 7\ntimeout-seconds = 9\nattempts = 2\nlongest-wait-seconds = 3\n\
             sampling = \"default\"\nreasoning-effort = \"minimal\"\n"
        );
        let s = spec(&all);
        assert_eq!((s.kind(), s.name(), s.key_env.as_deref(), s.seed), ("openai", "m", Some("K"), 7));
        assert_eq!(s.url().unwrap(), "https://h/v1/chat/completions");
        assert_eq!((s.patience.timeout.as_secs(), s.patience.attempts, s.patience.longest_wait.as_secs()), (9, 2, 3));
        assert_eq!(s.limit_field.unwrap().as_str(), "max_completion_tokens");
        assert_eq!((s.sampling, s.effort.as_deref()), (crate::target::Sampling::Default, Some("minimal")));
        let s = spec(&format!("{OPENAI}protocol = \"responses\"\n"));
        assert_eq!(s.url().unwrap(), "https://h/v1/responses");
        let s = spec(AZURE);
        assert_eq!((s.kind(), s.name()), ("azure-openai", "d"));
        let want = "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21";
        assert_eq!(s.url().unwrap(), want);
        let v1 = AZURE.replace("api = \"deployment\"\napi-version = \"2024-10-21\"\n", "");
        assert_eq!(spec(&v1).url().unwrap(), "https://r.openai.azure.com/openai/v1/chat/completions");
    }

    #[test]
    fn an_endpoint_with_a_form_of_its_own_is_mapped_and_its_mapping_checked() {
        let ml = |more: &str| {
            format!(
                "[target.base]\nkind = \"azure-ml\"\nendpoint = \"https://e.r.inference.ml.azure.com/score\"\n\
                 deployment = \"green\"\napi-key-env = \"K\"\nprompt = \"p\"\n{more}"
            )
        };
        let spec = |more: &str| match config(&ml(more)).targets.into_values().next().unwrap().provider {
            Provider::Remote(r) => r.spec().unwrap(),
            Provider::Local { .. } => panic!(),
        };
        let chat = spec("model = \"m\"\n");
        assert_eq!((chat.kind(), chat.name()), ("azure-ml", "green"));
        assert_eq!(chat.url().unwrap(), "https://e.r.inference.ml.azure.com/v1/chat/completions");
        let form = "request = '{\"input\": {{ messages }}, \"n\": {{ max_new_tokens }}}'\n";
        let own = spec(&format!("{form}response = {{ text = \"/output\" }}\n"));
        assert_eq!(own.url().unwrap(), "https://e.r.inference.ml.azure.com/score");
        for (more, want) in [
            (form.to_owned(), "goldgate.toml:7:11: `request` and `response` belong together"),
            ("response = { text = \"/o\" }\n".to_owned(), "`request` and `response` belong together"),
            (format!("{form}response = {{ text = \"output\" }}\n"), "`output` is no JSON pointer"),
            (format!("{form}response = {{ text = \"/o\", prompt-tokens = \"/p\" }}\n"), "write both or none"),
            (format!("{form}response = {{ text = \"/o\" }}\nmodel = \"m\"\n"), "`model` belongs to chat completions"),
            ("request = '{{ messages'\nresponse = { text = \"/o\" }\n".to_owned(), "does not render"),
            ("request = '{\"i\": {{ answer }}}'\nresponse = { text = \"/o\" }\n".to_owned(), "does not render"),
            ("request = '{\"i\": \"{{ prompt }}\"}'\nresponse = { text = \"/o\" }\n".to_owned(), "makes no JSON"),
            ("request = '{\"i\": {{ prompt | safe }}}'\nresponse = { text = \"/o\" }\n".to_owned(), "does not render"),
            (
                "request = '{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}'\n\
                 response = { text = \"/o\" }\n"
                    .to_owned(),
                "does not render",
            ),
            ("api = \"v1\"\n".to_owned(), "kind `azure-ml` has no key `api`"),
        ] {
            let got = errors(&ml(&more));
            assert!(got.contains(want), "wanted {want}\ngot    {got}");
        }
    }

    #[test]
    fn an_identity_has_the_usual_names_until_others_are_written() {
        let read = |text: &str| match config(text).targets.into_values().next().unwrap().provider {
            Provider::Remote(r) => r.spec().unwrap().identity.map(|i| *i),
            Provider::Local { .. } => panic!(),
        };
        assert_eq!(read(AZURE), None);
        let of = |keys: &str| read(&AZURE.replace("api-key-env = \"K\"", keys)).unwrap();
        for kind in IdentityKind::ALL {
            let got = of(&format!("identity = \"{}\"", kind.as_str()));
            assert_eq!(got, IdentitySpec::new(kind, "https://cognitiveservices.azure.com/.default"));
        }
        let v1 = AZURE.replace("api = \"deployment\"\napi-version = \"2024-10-21\"\n", "");
        let v1 = read(&v1.replace("api-key-env = \"K\"", "identity = \"default\"")).unwrap();
        assert_eq!(v1.scope, "https://ai.azure.com/.default");
        let all = of(
            "identity = \"default\"\nauthority = \"https://login.example/x\"\nscope = \"s\"\ntenant-env = \"A\"\nclient-env = \"B\"\n\
             client-secret-env = \"C\"\ncertificate-env = \"D\"\nsignature = \"ps256\"\ntoken-file-env = \"E\"\noidc-url-env = \"F\"\n\
             oidc-token-env = \"G\"\naudience = \"a\"\nimds = \"http://169.254.169.254/x\"\ntimeout-seconds = 9",
        );
        let text = |t: &str| t.to_owned();
        let want = IdentitySpec {
            kind: IdentityKind::Default,
            authority: Some(text("https://login.example/x")),
            scope: text("s"),
            tenant_env: text("A"),
            client_env: text("B"),
            client_secret_env: text("C"),
            certificate_env: text("D"),
            signature: Signature::Ps256,
            token_file_env: text("E"),
            oidc_url_env: text("F"),
            oidc_token_env: text("G"),
            audience: text("a"),
            imds: text("http://169.254.169.254/x"),
            timeout: Duration::from_secs(9),
        };
        assert_eq!(all, want);
    }

    #[test]
    fn a_key_in_the_file_is_refused_and_not_repeated() {
        for (from, to) in [
            ("api-key-env = \"K\"", "api-key = \"sk-CANARY\""),
            ("api-key-env = \"K\"", "api-key = { value = \"sk-CANARY\" }"),
            ("api-key-env = \"K\"", "api-key-env = \"sk-CANARY\""),
            ("api-key-env = \"K\"", "key = \"sk-CANARY\""),
            ("api-key-env = \"K\"", "identity = \"client-secret\"\nclient-secret = \"sk-CANARY\""),
            ("api-key-env = \"K\"", "identity = \"client-secret\"\nclient-secret-env = \"sk-CANARY\""),
            ("api-key-env = \"K\"", "api_key = 'sk-CANARY'"),
            ("api-key-env = \"K\"", "bearer-token = \"sk-CANARY"),
        ] {
            for text in [OPENAI.replace(from, to), AZURE.replace(from, to)] {
                let e = Config::parse(SourceFile::new("goldgate.toml", text.as_str()), PathBuf::new()).unwrap_err();
                let shown = CliError::from(e).render(false);
                assert!(shown.contains("goldgate.toml") && !shown.contains("CANARY"), "{to}: {shown}");
            }
        }
    }

    #[test]
    fn mistakes_are_placed() {
        let good = LOCAL;
        let openai = |from: &str, to: &str| OPENAI.replace(from, to);
        let azure = |from: &str, to: &str| AZURE.replace(from, to);
        let identity = |keys: &str| AZURE.replace("api-key-env = \"K\"", keys);
        for (text, want) in [
            (good.replace("kind = \"local\"", "kind = \"locale\""), "goldgate.toml:2:8: unknown target kind `locale`"),
            (good.replace("model", "modell"), "goldgate.toml:3:1: unknown field `modell`"),
            (good.replace("target.base", "target.\"a b\""), "goldgate.toml:1:9: `a b` is not a target name"),
            (good.replace("prompt = \"p\"\n", ""), "missing field `prompt`"),
            (format!("api-key = \"x\"\n{good}"), "goldgate.toml:1:1: unknown field `api-key`"),
            (format!("{good}price = {{ input = -1, output = 2 }}\n"), "goldgate.toml:5:19: `input` must be"),
            (format!("{good}price = {{ input = nan, output = 2 }}\n"), "goldgate.toml:5:19: `input` must be"),
            (format!("{good}price = {{ input = 1 }}\n"), "missing field `output`"),
            (
                format!("{good}limits = {{ tokens-per-minute = 0 }}\n"),
                "goldgate.toml:5:32: `tokens-per-minute` must be",
            ),
            (format!("{good}limits = {{ requests-per-hour = 9 }}\n"), "unknown field `requests-per-hour`"),
            (format!("{good}limits = {{ }}\n"), "goldgate.toml:5:10: `limits` limits nothing"),
            (String::new(), "there is no target"),
            (good.replace("model = \"m\"\n", ""), "goldgate.toml:1:9: `base` lacks `model`, which kind `local` needs"),
            (format!("{good}deployment = \"d\"\n"), "goldgate.toml:5:14: kind `local` has no key `deployment`"),
            (openai("base-url = \"https://h/v1\"\n", ""), "lacks `base-url`"),
            (openai("https://h/v1", "h"), "goldgate.toml:3:12: `h` is no address"),
            (openai("https://h/v1", "http://h/v1"), "goldgate.toml:3:12: a key would go to `http://h/v1` unprotected"),
            (format!("{OPENAI}adapter = \"a\"\n"), "kind `openai` has no key `adapter`"),
            (format!("{OPENAI}attempts = 0\n"), "goldgate.toml:7:12: `attempts` goes from 1 to 20"),
            (format!("{OPENAI}timeout-seconds = 9999\n"), "`timeout-seconds` goes from 1 to 3600"),
            (format!("{OPENAI}protocol = \"grpc\"\n"), "`protocol` is `chat` or `responses`"),
            (
                format!("{OPENAI}protocol = \"responses\"\nlimit-field = \"max-tokens\"\n"),
                "goldgate.toml:8:15: the Responses API has one name for the limit",
            ),
            (
                format!("{OPENAI}protocol = \"responses\"\nseed = 3\n"),
                "goldgate.toml:8:8: the Responses API has no seed",
            ),
            (format!("{OPENAI}sampling = \"hot\"\n"), "goldgate.toml:7:12: `sampling` is `greedy` or `default`"),
            (format!("{OPENAI}reasoning-effort = \"\"\n"), "goldgate.toml:7:20: `reasoning-effort` is a word"),
            (format!("{OPENAI}limit-field = \"max\"\n"), "`limit-field` is `max-tokens` or `max-completion-tokens`"),
            (azure("api-key-env = \"K\"\n", ""), "lacks `api-key-env`"),
            (azure("deployment = \"d\"\n", ""), "lacks `deployment`"),
            (azure("endpoint = \"https://r.openai.azure.com\"\n", ""), "lacks `endpoint` or `endpoint-env`"),
            (format!("{AZURE}endpoint-env = \"E\"\n"), "one of `endpoint` and `endpoint-env`"),
            (azure("api-version = \"2024-10-21\"\n", ""), "lacks `api-version`"),
            (azure("2024-10-21", "preview"), "goldgate.toml:6:15: `preview` is no dated version"),
            (azure("api = \"deployment\"", "api = \"v1\""), "goldgate.toml:6:15: with `api = \"v1\"` the version is"),
            (azure("api = \"deployment\"", "api = \"v2\""), "goldgate.toml:5:7: `api` is `v1` or `deployment`"),
            (identity("identity = \"entra\""), "goldgate.toml:7:12: unknown identity"),
            (identity("identity = \"api-key\""), "lacks `api-key-env` or `identity`"),
            (azure("\"K\"\n", "\"K\"\nscope = \"s\"\n"), "goldgate.toml:8:9: identity `api-key` has no key `scope`"),
            (azure("\"K\"\n", "\"K\"\nidentity = \"default\"\n"), "identity `default` needs no key"),
            (
                identity("identity = \"azure-cli\"\nimds = \"http://127.0.0.1\""),
                "identity `azure-cli` has no key `imds`",
            ),
            (
                identity("identity = \"default\"\nauthority = \"http://login\""),
                "goldgate.toml:8:13: a secret would go to",
            ),
            (identity("identity = \"default\"\nimds = \"http://10.0.0.1\""), "goldgate.toml:8:8: a secret would go to"),
            (identity("identity = \"default\"\nscope = \"a b\""), "goldgate.toml:8:9: `scope` is one word"),
            (identity("identity = \"default\"\nsignature = \"hs256\""), "`signature` is `rs256` or `ps256`"),
            (identity("identity = \"default\"\ntenant-env = \"1111-2222\""), "goldgate.toml:8:14: this is no name of"),
            (format!("{OPENAI}identity = \"default\"\n"), "kind `openai` has no key `identity`"),
            (
                azure("api-key-env = \"K\"", "api-key-env = \"k k\""),
                "goldgate.toml:7:15: this is no name of an environment",
            ),
        ] {
            let got = errors(&text);
            assert!(got.contains(want), "wanted {want}\ngot    {got}");
        }
    }
}
