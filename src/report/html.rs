//! One self-contained HTML file: it opens from a disk, asks nothing of any network, and runs nothing that a model said.

use super::{ReportError, ReportModel, csp, page, payload};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};

/// Every template by its name; the suffix `.html` turns auto-escaping on.
pub(super) const TEMPLATES: [(&str, &str); 9] = [
    ("report.html", include_str!("templates/report.html")),
    ("macros.html", include_str!("templates/macros.html")),
    ("verdicts.html", include_str!("templates/verdicts.html")),
    ("criteria.html", include_str!("templates/criteria.html")),
    ("context.html", include_str!("templates/context.html")),
    ("slices.html", include_str!("templates/slices.html")),
    ("regressions.html", include_str!("templates/regressions.html")),
    ("explorer.html", include_str!("templates/explorer.html")),
    ("signoff.html", include_str!("templates/signoff.html")),
];
/// The style sheet: copied into the page as it stands.
pub(super) const STYLE: &str = include_str!("templates/report.css");
/// The script: copied into the page as it stands.
pub(super) const SCRIPT: &str = include_str!("templates/report.js");

/// The page of a model.
///
/// # Errors
/// When a compiled-in template does not fit its values.
pub fn html(model: &ReportModel) -> Result<String, ReportError> {
    let mut env = Environment::new();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        env.add_template(name, source)?;
    }
    // These three are the only values that skip escaping: two compiled-in files and JSON in which `<`, `>` and `&` are escaped.
    let trusted = |text: String| Value::from_safe_string(text);
    let page = env.get_template("report.html")?.render(context! {
        page => Value::from(Serde(page::page(model))),
        csp => csp::policy(STYLE, SCRIPT),
        style => trusted(STYLE.to_owned()),
        script => trusted(SCRIPT.to_owned()),
        payload => trusted(payload::payload(model)?),
    })?;
    Ok(page)
}
