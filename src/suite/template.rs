//! Prompt templates: minijinja in a box. Undefined variables are errors, steps and output are bounded, files come from the suite only.

use super::case::Case;
use super::diag::{Diagnostic, SourceFile};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Instructions that one rendering may take.
const FUEL: u64 = 100_000;
/// The longest prompt turn, bytes.
const MAX_OUTPUT: usize = 1 << 20;
/// Filters that turn one cheap step into unbounded memory, which fuel does not count.
const UNBOUNDED: [&str; 4] = ["indent", "format", "center", "replace"];

/// The templates of a suite, by path from the suite's root.
#[derive(Debug)]
pub(super) struct Templates {
    env: Environment<'static>,
    files: BTreeMap<String, SourceFile>,
}

impl Templates {
    /// Compiles all templates; the first mistake of each is returned.
    pub fn new(files: BTreeMap<String, SourceFile>) -> (Self, Vec<Diagnostic>) {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for name in UNBOUNDED {
            env.remove_filter(name);
        }
        // A namespace carries a text from one turn of a loop to the next, so that sixty doublings are sixty steps and all memory there is;
        // a macro that calls itself can do the same, as deep as it may go.
        env.remove_global("namespace");
        env.set_recursion_limit(20);
        let mut wrong = Vec::new();
        for (name, file) in &files {
            if let Err(e) = env.add_template_owned(name.clone(), file.text.to_string()) {
                wrong.push(place(&files, name, &e, ""));
            }
        }
        (Self { env, files }, wrong)
    }

    /// Whether a template of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Every template with its text, by name.
    pub fn files(&self) -> impl Iterator<Item = (&String, &SourceFile)> {
        self.files.iter()
    }

    /// Renders one turn of a case's prompt.
    ///
    /// # Errors
    /// An undefined variable, a missing include, too many steps or too long an output: placed in the template, naming the case.
    pub fn render(&self, name: &str, case: &Case) -> Result<String, Diagnostic> {
        let about = format!(" (case `{}`)", case.id);
        let template = self.env.get_template(name).map_err(|e| place(&self.files, name, &e, &about))?;
        let mut out = Bounded(Vec::new());
        let vars = minijinja::Value::from_pairs(case.vars.iter());
        let values = context! { task => case.task.as_str(), id => case.id.as_str(), vars => vars };
        template.render_captured_to(values, &mut out).map_err(|e| place(&self.files, name, &e, &about))?;
        String::from_utf8(out.0).map_err(|_| {
            let file = self.files.get(name).cloned().unwrap_or_else(|| SourceFile::new(name, ""));
            file.error(0..0, format!("the rendered prompt is not UTF-8{about}"))
        })
    }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.0.len() + buf.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("the rendered prompt is longer than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns an engine error into a diagnostic at its innermost place: an error inside an include belongs to the included file.
fn place(files: &BTreeMap<String, SourceFile>, name: &str, error: &minijinja::Error, about: &str) -> Diagnostic {
    let mut inner = error;
    while let Some(next) = std::error::Error::source(inner).and_then(|s| s.downcast_ref::<minijinja::Error>()) {
        if next.name().is_none() {
            break;
        }
        inner = next;
    }
    let name = inner.name().unwrap_or(name);
    let file = files.get(name).cloned().unwrap_or_else(|| SourceFile::new(name, ""));
    let line = inner.line().unwrap_or(1);
    let line_start = file.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let span = inner.range().unwrap_or(line_start..line_start);
    let cause = std::error::Error::source(inner).map(|s| format!(": {s}")).unwrap_or_default();
    let detail = inner.detail().map(|d| format!(": {d}")).unwrap_or_default();
    match inner.kind() {
        ErrorKind::UndefinedError => {
            let written = file.text.get(span.clone()).unwrap_or_default().trim();
            let message = format!("undefined variable `{written}`{about}");
            file.error(span, message).help("templates see `task`, `id` and the case's `vars`")
        }
        ErrorKind::OutOfFuel => file.error(span, format!("the template takes more than {FUEL} steps{about}")),
        kind => file.error(span, format!("{kind}{detail}{cause}{about}")),
    }
}
