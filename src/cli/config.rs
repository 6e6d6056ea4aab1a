//! `goldgate.toml`: the targets of a project.

use super::CliError;
use super::budget::{self, RawLimits, RawPrice};
use crate::gate::{Limits, Price};
use crate::suite::diag::{self, Diagnostics, SourceFile};
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
    /// The checkpoint's folder, as written.
    pub model: String,
    /// The adapter's folder, as written.
    pub adapter: Option<String>,
    /// The prompt variant that it is asked with.
    pub prompt: VariantName,
    /// What its tokens cost, for `goldgate plan`.
    pub price: Option<Price>,
    /// How much it may be asked, for `goldgate plan`.
    pub limits: Option<Limits>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    target: BTreeMap<Spanned<String>, RawTarget>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawTarget {
    kind: Spanned<String>,
    model: Spanned<String>,
    adapter: Option<Spanned<String>>,
    prompt: Spanned<String>,
    price: Option<RawPrice>,
    limits: Option<RawLimits>,
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
        let raw: RawConfig = diag::parse_toml(&file)?;
        let mut wrong = Diagnostics::default();
        let mut targets = BTreeMap::new();
        for (name, t) in &raw.target {
            if t.kind.get_ref() != "local" {
                let message = format!("unknown target kind `{}`", t.kind.get_ref());
                wrong.push(file.error(t.kind.span(), message).help("this version asks `local` checkpoints"));
            }
            let checked =
                TargetName::new(name.get_ref()).map_err(|e| wrong.push(file.error(name.span(), e.to_string())));
            let prompt = VariantName::new(t.prompt.get_ref())
                .map_err(|e| wrong.push(file.error(t.prompt.span(), e.to_string())));
            let (price, limits) = budget::read(&file, t.price.as_ref(), t.limits.as_ref(), &mut wrong);
            let (Ok(checked), Ok(prompt)) = (checked, prompt) else { continue };
            let model = t.model.get_ref().clone();
            let adapter = t.adapter.as_ref().map(|a| a.get_ref().clone());
            targets.insert(checked, TargetConfig { model, adapter, prompt, price, limits });
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

    fn errors(text: &str) -> String {
        Config::parse(SourceFile::new("goldgate.toml", text), PathBuf::new()).expect_err("must be refused").to_string()
    }

    #[test]
    fn mistakes_are_placed() {
        let good = "[target.base]\nkind = \"local\"\nmodel = \"m\"\nprompt = \"p\"\n";
        assert!(Config::parse(SourceFile::new("goldgate.toml", good), PathBuf::new()).is_ok());
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
        ] {
            let got = errors(&text);
            assert!(got.contains(want), "wanted {want}\ngot    {got}");
        }
    }
}
