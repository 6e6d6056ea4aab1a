//! The project's file as messages may show it.

use crate::suite::diag::SourceFile;
use regex::Regex;
use std::sync::LazyLock;

static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    // An address may hold a password or a signed query.
    let pattern = r#"(?im)^[^\n#]*?(?:(?:key|token|secret|password|credential)[^\n=]*=(?<value>.+)|(?:base-url|endpoint|authority|imds|address|failover)["']?[ \t]*=(?<address>.*[@?].*))$"#;
    Regex::new(pattern).expect("the pattern is one")
});

/// The file with every value that could be a secret starred out, byte for byte, so that places stay where they are.
pub(in crate::cli) fn without_secrets(file: &SourceFile) -> SourceFile {
    let mut text = String::with_capacity(file.text.len());
    let mut done = 0;
    for found in SECRET.captures_iter(&file.text) {
        let Some(value) = found.name("value").or_else(|| found.name("address")) else { continue };
        text.push_str(&file.text[done..value.start()]);
        text.extend(std::iter::repeat_n('*', value.len()));
        done = value.end();
    }
    text.push_str(&file.text[done..]);
    SourceFile::new(file.path.clone(), text)
}
