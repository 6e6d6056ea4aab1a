//! From a folder to a checked `Suite`: every file is read once, inside the folder, and every case is rendered once with every variant.

use super::ask::{self, RawAsk};
use super::case::{self, Case, Vars};
use super::diag::{self, Diagnostic, Diagnostics, SourceFile};
use super::scorer_spec::{self, RawScorer, ScorerSpec};
use super::template::Templates;
use super::{PromptVariant, Suite};
use crate::types::{DigestBuilder, SliceName, SuiteName, VariantName};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};
use toml::Spanned;

/// The format that this program reads.
const FORMAT: &str = "goldgate.suite/1";
/// The longest file that is read, bytes.
const MAX_FILE: u64 = 64 << 20;
/// The most template files of a suite.
const MAX_TEMPLATES: usize = 512;
/// Mistakes shown before the rest is only counted: a systematic mistake in 10,000 cases is one message, not 10,000.
const MAX_SHOWN: usize = 20;

/// Why a suite could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// Its files say something wrong.
    #[error("{0}")]
    Wrong(Diagnostics),
    /// A file could not be read.
    #[error("`{path}` {reason}")]
    Unreadable {
        /// The file, as the person named it.
        path: String,
        /// Why: a fragment behind the path.
        reason: String,
    },
}

impl From<Diagnostics> for SuiteError {
    fn from(d: Diagnostics) -> Self {
        Self::Wrong(d)
    }
}

impl From<Diagnostic> for SuiteError {
    fn from(d: Diagnostic) -> Self {
        Self::Wrong(d.into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawSuite {
    format: Spanned<String>,
    name: Spanned<String>,
    version: String,
    #[serde(default)]
    description: String,
    cases: Spanned<Vec<Spanned<String>>>,
    max_new_tokens: Spanned<u32>,
    prompt: Spanned<BTreeMap<Spanned<String>, RawPrompt>>,
    #[serde(default)]
    scorer: Vec<RawScorer>,
    #[serde(default)]
    ask: Vec<Spanned<RawAsk>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawPrompt {
    system: Option<Spanned<String>>,
    user: Spanned<String>,
}

impl Suite {
    /// Loads and checks the suite in a folder.
    ///
    /// # Errors
    /// All mistakes found in its files, with file, line and column; or the file that could not be read.
    pub fn load(folder: &Path) -> Result<Self, SuiteError> {
        let root = Root::open(folder)?;
        let file = root.read("suite.toml")?;
        let raw: RawSuite = diag::parse_toml(&file)?;
        let mut wrong = Diagnostics::default();
        if raw.format.get_ref() != FORMAT {
            wrong.push(file.error(raw.format.span(), format!("this program reads the format `{FORMAT}`")));
        }
        let name = SuiteName::new(raw.name.get_ref());
        if let Err(e) = &name {
            wrong.push(file.error(raw.name.span(), e.to_string()));
        }
        if !(1..=1_000_000).contains(raw.max_new_tokens.get_ref()) {
            wrong.push(file.error(raw.max_new_tokens.span(), "`max-new-tokens` must be between 1 and 1000000"));
        }
        let scorers = scorer_spec::check_scorers(&file, &raw.scorer, &mut wrong);
        let (templates, broken) = Templates::new(root.read_templates()?);
        broken.into_iter().for_each(|d| wrong.push(d));
        let variants = check_variants(&file, &raw.prompt, &templates, &mut wrong);
        let (asks, ask_files) = ask::check_asks(&root, &file, &raw.ask, &mut wrong)?;
        let (case_files, mut cases) = read_case_files(&root, &file, &raw.cases, &mut wrong)?;
        if wrong.all().is_empty() {
            // A misspelt slice first: it is why the cases below would seem to be scored by nothing.
            check_slices(&file, &cases, &scorers, &raw.scorer, &mut wrong);
            ask::check_cases(&file, &cases, &asks, &raw.ask, &mut wrong);
        }
        if wrong.all().is_empty() {
            check_cases(&case_files, &cases, &scorers, &mut wrong);
        }
        if wrong.all().is_empty() {
            render_all(&templates, &variants, &cases, &mut wrong);
        }
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let mut digest = DigestBuilder::new("goldgate.suite/1").field(file.text.as_bytes());
        let files = case_files.iter().map(|f| (&f.path, f)).chain(templates.files()).chain(&ask_files);
        for (path, f) in files {
            // The path from the suite's root, so that the same suite has the same digest wherever it lies.
            digest = digest.field(root.relative(path).as_bytes()).field(f.text.as_bytes());
        }
        let Ok(name) = name else { return Err(wrong.into()) };
        let suite = Self {
            name,
            version: raw.version,
            description: raw.description,
            digest: digest.finish(),
            max_new_tokens: *raw.max_new_tokens.get_ref(),
            cases,
            scorers,
            variants,
            templates,
            asks,
            file: file.clone(),
        };
        Ok(wrong.or(suite)?)
    }
}

fn check_variants(
    file: &SourceFile,
    raw: &Spanned<BTreeMap<Spanned<String>, RawPrompt>>,
    templates: &Templates,
    wrong: &mut Diagnostics,
) -> BTreeMap<VariantName, PromptVariant> {
    let mut variants = BTreeMap::new();
    if raw.get_ref().is_empty() {
        wrong.push(file.error(raw.span(), "a suite needs at least one `[prompt.NAME]`"));
    }
    for (name, prompt) in raw.get_ref() {
        let checked = match VariantName::new(name.get_ref()) {
            Ok(n) => n,
            Err(e) => {
                wrong.push(file.error(name.span(), e.to_string()));
                continue;
            }
        };
        for path in prompt.system.iter().chain([&prompt.user]) {
            if !templates.has(path.get_ref()) {
                let message = format!("there is no template `{}` in the suite", path.get_ref());
                let known = diag::nearest(path.get_ref(), templates.files().map(|(n, _)| n.as_str()));
                let d = file.error(path.span(), message);
                wrong.push(match known {
                    Some(k) => d.help(format!("did you mean `{k}`?")),
                    None => d.help("templates are the `.j2` files under `prompts/`"),
                });
            }
        }
        let system = prompt.system.as_ref().map(|s| s.get_ref().clone());
        variants.insert(checked, PromptVariant { system, user: prompt.user.get_ref().clone() });
    }
    variants
}

fn read_case_files(
    root: &Root,
    file: &SourceFile,
    paths: &Spanned<Vec<Spanned<String>>>,
    wrong: &mut Diagnostics,
) -> Result<(Vec<SourceFile>, Vec<Case>), SuiteError> {
    let (mut files, mut cases) = (Vec::new(), Vec::new());
    for path in paths.get_ref() {
        if let Err(reason) = root.resolve(path.get_ref()) {
            wrong.push(file.error(path.span(), format!("`{}` {reason}", path.get_ref())));
            continue;
        }
        let source = root.read(path.get_ref())?;
        let mut found = Diagnostics::default();
        case::read_cases(files.len(), &source, &mut cases, &mut found);
        let more = found.all().len().saturating_sub(MAX_SHOWN);
        found.all().iter().take(MAX_SHOWN).for_each(|d| wrong.push(d.clone()));
        if more > 0 {
            wrong.push(source.error(0..0, format!("and {more} more mistakes in this file")));
        }
        files.push(source);
    }
    if cases.is_empty() && wrong.all().is_empty() {
        wrong.push(
            file.error(paths.span(), "the suite has no case").help("a gate over nothing would promote everything"),
        );
    }
    Ok((files, cases))
}

/// Ids are unique, and each case is scored, by scorers that find what they need, once per metric.
fn check_cases(files: &[SourceFile], cases: &[Case], scorers: &[ScorerSpec], wrong: &mut Diagnostics) {
    let mut seen: BTreeMap<&str, &Case> = BTreeMap::new();
    let mut asked: BTreeMap<(&SliceName, &Vars), &Case> = BTreeMap::new();
    let mut shown = 0;
    let mut push = |case: &Case, key: &[&str], message: String| {
        shown += 1;
        let file = &files[case.place.file];
        let line = &file.text[case.place.start..case.place.start + case.place.len];
        let at = case.place.start + super::json::locate(line, key);
        if shown <= MAX_SHOWN {
            wrong.push(file.error(at..at + 1, message));
        }
    };
    for case in cases {
        if let Some(first) = seen.insert(case.id.as_str(), case) {
            let file = &files[first.place.file];
            let (line, _) = file.position(first.place.start);
            push(case, &["id"], format!("the id `{}` is already used at {}:{line}", case.id, file.path));
        }
        let mut metrics = Vec::new();
        for scorer in scorers.iter().filter(|s| s.applies_to(case)) {
            let metric = &scorer.metric.name;
            if let Some(key) = scorer.missing(case) {
                push(case, &["expect"], format!("the scorer of `{metric}` needs `{key}` here, and not an empty one"));
            }
            if metrics.contains(&metric) {
                push(case, &["task"], format!("two scorers of the metric `{metric}` apply to this case"));
            }
            metrics.push(metric);
        }
        // Copies are no new evidence, whatever their ids say.
        let first = asked.entry((&case.task, &case.vars)).or_insert(case);
        if first.cluster != case.cluster {
            let message =
                format!("the same question as case `{}`, in another cluster: give both one `cluster`", first.id);
            push(case, &["vars"], message);
        }
        if metrics.is_empty() {
            push(
                case,
                &["id"],
                format!("no scorer applies to the case `{}`: its answer would count for nothing", case.id),
            );
        }
    }
}

/// Every slice that a scorer names has a case, and every scorer has something to score.
fn check_slices(file: &SourceFile, cases: &[Case], scorers: &[ScorerSpec], raw: &[RawScorer], wrong: &mut Diagnostics) {
    for (scorer, raw) in scorers.iter().zip(raw) {
        let empty = |s: &&SliceName| !s.is_all() && !cases.iter().any(|c| c.slices.contains(s));
        if let Some(slice) = scorer.on.iter().find(empty) {
            wrong.push(file.error(raw.span_of(slice), format!("no case is in the slice `{slice}`")));
        } else if !cases.iter().any(|c| scorer.applies_to(c)) {
            wrong.push(
                file.error(raw.kind_span(), format!("this scorer of `{}` applies to no case", scorer.metric.name)),
            );
        }
    }
}

fn render_all(
    templates: &Templates,
    variants: &BTreeMap<VariantName, PromptVariant>,
    cases: &[Case],
    wrong: &mut Diagnostics,
) {
    // Variants may share a template, and one message per template is enough: the same mistake repeats for every case.
    let used: BTreeSet<&String> = variants.values().flat_map(|v| v.system.iter().chain([&v.user])).collect();
    for turn in used {
        if let Some(d) = cases.iter().find_map(|c| templates.render(turn, c).err()) {
            wrong.push(d);
        }
    }
}

/// The suite's folder: nothing outside it is read, whatever path or link a file names.
pub(super) struct Root {
    shown: PathBuf,
    real: PathBuf,
}

impl Root {
    fn open(folder: &Path) -> Result<Self, SuiteError> {
        let unreadable = |e: &io::Error| SuiteError::Unreadable {
            path: folder.join("suite.toml").display().to_string(),
            reason: format!("cannot be read: {e}"),
        };
        if !folder.is_dir() {
            let path = folder.display().to_string();
            return Err(SuiteError::Unreadable { path, reason: "is no such folder".to_owned() });
        }
        let real = folder.canonicalize().map_err(|e| unreadable(&e))?;
        Ok(Self { shown: folder.to_owned(), real })
    }

    /// The real path of a file named in the suite; the error is a fragment that fits behind the path.
    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, String> {
        let inside = |p: &Path| p.components().all(|c| matches!(c, Component::Normal(_)));
        if path.is_empty() || path.contains(['\\', '\0']) || !inside(Path::new(path)) {
            return Err("must be a path inside the suite's folder, without `..`".to_owned());
        }
        let real = self.real.join(path).canonicalize().map_err(|e| format!("cannot be read: {e}"))?;
        if !real.starts_with(&self.real) {
            return Err("leads out of the suite's folder".to_owned());
        }
        if !real.is_file() {
            return Err("is not a regular file".to_owned());
        }
        Ok(real)
    }

    pub(super) fn read(&self, path: &str) -> Result<SourceFile, SuiteError> {
        let shown = self.shown.join(path).display().to_string();
        let unreadable = |reason: String| SuiteError::Unreadable { path: shown.clone(), reason };
        let real = self.resolve(path).map_err(unreadable)?;
        read_text(&real, &shown)
    }

    /// All `.j2` files under `prompts/`, by path from the root.
    fn read_templates(&self) -> Result<BTreeMap<String, SourceFile>, SuiteError> {
        let mut files = BTreeMap::new();
        let mut folders = vec!["prompts".to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(self.real.join(&folder)) else { continue };
            for entry in entries.flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = format!("{folder}/{name}");
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(path);
                } else if name.ends_with(".j2") {
                    if files.len() >= MAX_TEMPLATES {
                        let reason = format!("holds more than {MAX_TEMPLATES} templates");
                        return Err(SuiteError::Unreadable { path: folder, reason });
                    }
                    let source = self.read(&path)?;
                    files.insert(path, source);
                }
            }
        }
        Ok(files)
    }

    fn relative(&self, path: &str) -> String {
        Path::new(path).strip_prefix(&self.shown).map_or_else(|_| path.to_owned(), |p| p.display().to_string())
    }
}

/// Reads a text file that a person wrote: UTF-8, with or without a byte order mark.
///
/// # Errors
/// When it cannot be read, is larger than 64 MiB, or is not UTF-8; UTF-16 is named, since editors write it unasked.
pub fn read_text(path: &Path, shown: &str) -> Result<SourceFile, SuiteError> {
    let unreadable = |reason: String| SuiteError::Unreadable { path: shown.to_owned(), reason };
    let size = fs::metadata(path).map_err(|e| unreadable(format!("cannot be read: {e}")))?.len();
    if size > MAX_FILE {
        return Err(unreadable(format!("is larger than {} MiB", MAX_FILE >> 20)));
    }
    let bytes = fs::read(path).map_err(|e| unreadable(format!("cannot be read: {e}")))?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(unreadable("is UTF-16; save it as UTF-8".to_owned()));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile::new(shown, text)),
        Err(e) => Err(unreadable(format!("is not UTF-8 at byte {}", e.valid_up_to()))),
    }
}
