//! Every way in which loading a suite can fail says where, what, and what to do.

use super::*;
use crate::types::ToolChoice;
use std::fs;
use std::path::Path;

const SUITE: &str = r#"format = "goldgate.suite/1"
name = "desk"
version = "1"
cases = ["cases.jsonl"]
max-new-tokens = 16

[prompt.short]
system = "prompts/system.j2"
user = "prompts/user.j2"

[[scorer]]
metric = "accuracy"
kind = "normalised"
on = ["classify"]

[[scorer]]
metric = "tone"
kind = "tone"
on = ["talk"]

[[scorer.check]]
name = "greeting"
match = "^Hi "
"#;
const CASES: &str = r#"{"id":"b","task":"talk","vars":{"q":"hello"},"expect":{}}
{"id":"a","task":"classify","vars":{"q":"broken"},"expect":{"answer":"repair"}}
"#;

/// A suite in a folder of its own; each pair replaces a file.
fn folder(changes: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("prompts")).unwrap();
    let files = [
        ("suite.toml", SUITE),
        ("cases.jsonl", CASES),
        ("prompts/system.j2", "Answer in one word."),
        ("prompts/user.j2", "{% if task == \"talk\" %}Say: {% endif %}{{ vars.q }}\n"),
    ];
    for (name, text) in files.iter().chain(changes) {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// The message of a suite that must be refused, with its folder's path taken off.
fn refused(dir: &Path) -> String {
    let text = Suite::load(dir).map(|_| ()).expect_err("must be refused").to_string();
    text.replace(&format!("{}/", dir.display()), "")
}

#[test]
fn a_suite_is_loaded_sorted_and_rendered() {
    let dir = folder(&[]);
    let suite = Suite::load(dir.path()).unwrap();
    assert_eq!(suite.cases().iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let short = VariantName::new("short").unwrap();
    let turns = suite.prompt(&short, &suite.cases()[1]).unwrap();
    assert_eq!(turns[1].text, "Say: hello");
    let names: Vec<_> = suite.metrics().iter().map(|m| m.name.to_string()).collect();
    assert_eq!(names, ["accuracy", "tone", "prompt-tokens", "completion-tokens", "tokens", "first-token", "latency"]);
}

#[test]
fn the_digest_covers_every_file_and_not_the_place() {
    let digest = |changes: &[(&str, &str)]| Suite::load(folder(changes).path()).unwrap().digest();
    let same = digest(&[]);
    assert_eq!(same, digest(&[]), "two folders with the same files");
    assert_ne!(same, digest(&[("prompts/system.j2", "Answer in two words.")]));
    assert_ne!(same, digest(&[("cases.jsonl", &CASES.replace("broken", "bent"))]));
    assert_ne!(same, digest(&[("suite.toml", &SUITE.replace("16", "17"))]));
    assert_ne!(same, digest(&[("prompts/unused.j2", "")]), "an include may name any template");
}

#[test]
fn every_mistake_names_file_line_and_column() {
    let twice = format!("{CASES}{{\"id\":\"a\",\"task\":\"talk\",\"vars\":{{\"q\":\"x\"}},\"expect\":{{}}}}\n");
    let table: Vec<(&str, String, &str)> = vec![
        (
            "suite.toml",
            SUITE.replace("max-new-tokens", "max-new-token"),
            "suite.toml:5:1: unknown field `max-new-token`",
        ),
        ("suite.toml", SUITE.replace("version = \"1\"\n", ""), "suite.toml:1:1: missing field `version`"),
        ("suite.toml", SUITE.replace("= 16", "= 0"), "suite.toml:5:18: `max-new-tokens` must be between 1 and 1000000"),
        ("suite.toml", SUITE.replace("= 16", "= \"16\""), "suite.toml:5:18: invalid type: string \"16\", expected u32"),
        ("suite.toml", SUITE.replace("name = \"desk\"", "name = desk"), "suite.toml:2:8: "),
        ("suite.toml", SUITE.replace("name = \"desk\"", "name = \"a/b\""), "suite.toml:2:8: `a/b` is not a suite name"),
        (
            "suite.toml",
            SUITE.replace("suite/1", "suite/2"),
            "suite.toml:1:10: this program reads the format `goldgate.suite/1`",
        ),
        (
            "suite.toml",
            SUITE.replace("version = \"1\"", "version = \"1\"\nversion = \"1\""),
            "suite.toml:4:1: duplicate key",
        ),
        (
            "suite.toml",
            SUITE.replace("prompts/user.j2", "prompts/usr.j2"),
            "suite.toml:9:8: there is no template `prompts/usr.j2` in the suite; help: did you mean `prompts/user.j2`?",
        ),
        (
            "suite.toml",
            SUITE.replace("\"normalised\"", "\"normalized\""),
            "suite.toml:13:8: unknown scorer kind `normalized`; help: did you mean `normalised`?",
        ),
        (
            "suite.toml",
            SUITE.replace("on = [\"talk\"]", "on = [\"talks\"]"),
            "suite.toml:19:7: no case is in the slice `talks`",
        ),
        ("suite.toml", SUITE.replace("^Hi ", "(Hi"), "suite.toml:23:9: not a usable pattern: unclosed group"),
        ("suite.toml", SUITE.replace("^Hi ", "Hi|"), "suite.toml:23:9: the pattern matches the empty text"),
        (
            "suite.toml",
            SUITE.replace("^Hi ", "((a{500}){500}){500}"),
            "suite.toml:23:9: not a usable pattern: it needs more than",
        ),
        (
            "suite.toml",
            SUITE.replace("match = ", "avoid = \"x\"\nmatch = "),
            "suite.toml:22:8: the check `greeting` needs exactly one of",
        ),
        (
            "suite.toml",
            SUITE.replace("on = [\"classify\"]", "on = [\"classify\"]\ncanaries = [\"x\"]"),
            "suite.toml:15:13: `canaries` means nothing to a scorer of the kind `normalised`",
        ),
        (
            "suite.toml",
            SUITE.replace("metric = \"tone\"", "metric = \"latency\""),
            "suite.toml:17:10: `latency` is measured for every response",
        ),
        (
            "suite.toml",
            SUITE.replace("on = [\"classify\"]", "on = [\"all\"]"),
            "cases.jsonl:1:55: the scorer of `accuracy` needs `answer` here",
        ),
        (
            "suite.toml",
            SUITE.replace("[\"cases.jsonl\"]", "[\"../cases.jsonl\"]"),
            "suite.toml:4:10: `../cases.jsonl` must be a path inside the suite's folder",
        ),
        (
            "suite.toml",
            SUITE.replace("[\"cases.jsonl\"]", "[\"other.jsonl\"]"),
            "suite.toml:4:10: `other.jsonl` cannot be read",
        ),
        (
            "suite.toml",
            SUITE.replace("[prompt.short]", "[prompt.\"a b\"]"),
            "suite.toml:7:9: `a b` is not a prompt variant name",
        ),
        (
            "suite.toml",
            SUITE[..SUITE.find("[[scorer]]").unwrap()].to_owned(),
            "cases.jsonl:1:7: no scorer applies to the case `b`",
        ),
        ("cases.jsonl", twice, "cases.jsonl:3:7: the id `a` is already used at cases.jsonl:2"),
        ("cases.jsonl", CASES.replace("\"vars\"", "\"var\""), "cases.jsonl:1:29: unknown field `var`"),
        ("cases.jsonl", CASES.replace("\"classify\"", "\"classify\" \"x\""), "cases.jsonl:2:"),
        (
            "suite.toml",
            SUITE
                .replace("[prompt.short]", "[prompt]")
                .replace("system = \"prompts/system.j2\"\nuser = \"prompts/user.j2\"\n", ""),
            "suite.toml:7:1: a suite needs at least one `[prompt.NAME]`",
        ),
        (
            "suite.toml",
            format!("{SUITE}[[scorer]]\nmetric = \"refusal\"\nkind = \"refusal\"\npatterns = [\"sorry\"]\n"),
            "suite.toml:26:8: this scorer of `refusal` applies to no case",
        ),
        (
            "suite.toml",
            format!("{SUITE}[[scorer]]\nmetric = \"accuracy\"\nkind = \"exact\"\non = [\"classify\"]\n"),
            "cases.jsonl:2:18: two scorers of the metric `accuracy` apply to this case",
        ),
        (
            "suite.toml",
            format!("{SUITE}[[scorer]]\nmetric = \"accuracy\"\nkind = \"leak\"\ncanaries = [\"x\"]\n"),
            "suite.toml:25:10: the metric `accuracy` is of another kind in an earlier scorer; \
             help: give this scorer a metric of its own",
        ),
        (
            "suite.toml",
            SUITE.replace("kind = \"tone\"\n", "kind = \"tone\"\npart = \"half\"\n"),
            "suite.toml:19:8: `part` is `all` or `share`, not `half`",
        ),
        (
            "suite.toml",
            SUITE[..SUITE.find("[[scorer.check]]").unwrap()].to_owned(),
            "suite.toml:18:8: a scorer of the kind `tone` needs at least one `[[scorer.check]]`",
        ),
        (
            "suite.toml",
            format!("{SUITE}[[scorer]]\nmetric = \"leak\"\nkind = \"leak\"\ncanaries = [\"x\", \" \"]\n"),
            "suite.toml:27:18: an empty canary stands in every answer",
        ),
        (
            "cases.jsonl",
            CASES.replace("\"talk\"", "\"all\""),
            "cases.jsonl:1:18: `all` is the slice of every case and no task",
        ),
        (
            "cases.jsonl",
            CASES.replace("broken", &"x".repeat(1 << 20)),
            "cases.jsonl:2:1: the line is longer than 1048576 bytes",
        ),
        (
            "cases.jsonl",
            CASES.replace("repair", " "),
            "cases.jsonl:2:60: the scorer of `accuracy` needs `answer` here, and not an empty one",
        ),
        (
            "cases.jsonl",
            CASES.replace("repair", "?!"),
            "cases.jsonl:2:60: the scorer of `accuracy` needs `answer` here, and not an empty one",
        ),
        ("cases.jsonl", String::from("\n"), "suite.toml:4:9: the suite has no case"),
        (
            "prompts/user.j2",
            "line one\n{{ vars.quest }}".to_owned(),
            "prompts/user.j2:2:4: undefined variable `vars.quest` (case `",
        ),
        (
            "prompts/user.j2",
            "{{ vars.q }}{{ nobody }}".to_owned(),
            "prompts/user.j2:1:16: undefined variable `nobody` (case `",
        ),
        ("prompts/user.j2", "{% if %}".to_owned(), "prompts/user.j2:1:7: syntax error"),
        ("prompts/user.j2", "{% include \"../../etc/passwd\" %}".to_owned(), "prompts/user.j2:1:"),
        (
            "prompts/user.j2",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
            "prompts/user.j2:1:",
        ),
        ("prompts/user.j2", "{{ vars.q | indent(9) }}".to_owned(), "prompts/user.j2:1:13: unknown filter"),
    ];
    let misses: Vec<String> = table
        .into_iter()
        .filter_map(|(file, text, want)| {
            let got = refused(folder(&[(file, &text)]).path());
            (!got.contains(want)).then(|| format!("wanted {want}\ngot    {got}"))
        })
        .collect();
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

#[test]
fn a_blank_answer_is_none_to_an_exact_scorer_either() {
    let exact = SUITE.replace("\"normalised\"", "\"exact\"");
    let blank = CASES.replace("repair", "\\t ");
    let got = refused(folder(&[("suite.toml", &exact), ("cases.jsonl", &blank)]).path());
    assert_eq!(got, "cases.jsonl:2:60: the scorer of `accuracy` needs `answer` here, and not an empty one");
    Suite::load(folder(&[("suite.toml", &exact), ("cases.jsonl", &CASES.replace("repair", "?!"))]).path())
        .expect("punctuation is an answer where it is compared");
}

#[test]
fn runaway_templates_are_stopped_by_name() {
    let dir = folder(&[(
        "prompts/user.j2",
        "{% for a in range(99999) %}{{ a }}{% for b in range(9) %}x{% endfor %}{% endfor %}",
    )]);
    let got = refused(dir.path());
    assert!(got.contains("takes more than 100000 steps"), "{got}");
    let dir = folder(&[("prompts/user.j2", "{{ vars.q * 2000000 }}")]);
    let got = refused(dir.path());
    assert!(got.contains("prompts/user.j2:1:"), "{got}");
}

#[test]
fn many_mistakes_are_counted_not_listed() {
    let lines: String = (0..200).map(|i| format!("{{\"id\":\"c{i}\"}}\n")).collect();
    let got = refused(folder(&[("cases.jsonl", &lines)]).path());
    assert!(got.lines().count() <= 22 && got.contains("and 180 more mistakes"), "{got}");
}

#[test]
fn encodings_are_named() {
    let dir = folder(&[]);
    fs::write(
        dir.path().join("cases.jsonl"),
        [0xef, 0xbb, 0xbf].iter().copied().chain(CASES.replace('\n', "\r\n").bytes()).collect::<Vec<u8>>(),
    )
    .unwrap();
    assert_eq!(Suite::load(dir.path()).unwrap().cases().len(), 2, "a byte order mark and CRLF are no mistake");
    fs::write(dir.path().join("suite.toml"), [0xff, 0xfe, 0x66, 0x00]).unwrap();
    assert!(refused(dir.path()).contains("suite.toml` is UTF-16; save it as UTF-8"));
    fs::write(dir.path().join("suite.toml"), b"name = \"\xff\"").unwrap();
    assert!(refused(dir.path()).contains("is not UTF-8 at byte 8"));
    fs::remove_file(dir.path().join("suite.toml")).unwrap();
    assert!(refused(dir.path()).contains("suite.toml"));
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder_are_refused() {
    let dir = folder(&[]);
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), CASES).unwrap();
    fs::remove_file(dir.path().join("cases.jsonl")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("cases.jsonl")).unwrap();
    assert!(refused(dir.path()).contains("leads out of the suite's folder"));
}

const SCHEMA: &str = "{\n  \"type\": \"object\",\n  \"properties\": {\"z\": {}, \"a\": {}}\n}\n";
const TOOLS: &str = r#"[{"type":"function","function":{"name":"look_up","parameters":{"type":"object"}}},{"type":"function","function":{"name":"refund","strict":true}}]"#;
const ASKS: &str = r#"
[[ask]]
on = ["classify"]
response-format = "ask/ticket v1.schema.json"
logprobs = 0

[[ask]]
on = ["talk"]
tools = "ask/tools.json"
tool-choice = "refund"
"#;

/// The suite with both kinds of `[[ask]]` and its files; each pair replaces a file.
fn asking(changes: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = folder(&[]);
    fs::create_dir(dir.path().join("ask")).unwrap();
    let suite = format!("{SUITE}{ASKS}");
    let files = [
        ("suite.toml", suite.as_str()),
        ("ask/ticket v1.schema.json", SCHEMA),
        ("ask/tools.json", TOOLS),
        ("ask/.json", SCHEMA),
    ];
    for (name, text) in files.iter().chain(changes) {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn each_case_asks_what_its_slice_asks_and_the_files_are_part_of_the_suite() {
    let suite = Suite::load(asking(&[]).path()).unwrap();
    let [a, b] = suite.cases() else { panic!() };
    let (classify, talk) = (suite.wants(a), suite.wants(b));
    let schema = classify.schema.as_deref().unwrap();
    assert_eq!((schema.name.as_str(), schema.schema.raw().get()), ("ticket_v1_schema", SCHEMA.trim()));
    assert_eq!((classify.logprobs, &classify.tools), (Some(0), &None));
    let offer = talk.tools.as_deref().unwrap();
    let names: Vec<_> = offer.tools.iter().map(|t| (t.name.as_str(), t.strict, t.parameters.is_some())).collect();
    assert_eq!(names, [("look_up", false, true), ("refund", true, false)]);
    assert_eq!(offer.choice, Some(ToolChoice::Named("refund".to_owned())));
    assert_eq!((talk.names(), suite.all_wants().count()), (vec!["tools"], 2));
    for (file, text) in [
        ("ask/ticket v1.schema.json", SCHEMA.replace("\"z\"", "\"y\"")),
        ("ask/tools.json", TOOLS.replace("look", "lock")),
    ] {
        let other = Suite::load(asking(&[(file, &text)]).path()).unwrap();
        assert_ne!(other.digest(), suite.digest(), "{file}");
    }
    let all = Suite::load(folder(&[("suite.toml", &format!("{SUITE}[[ask]]\nlogprobs = 20\n"))]).path()).unwrap();
    assert!(all.cases().iter().all(|c| all.wants(c).logprobs == Some(20)), "without `on` every case");
    let plain = Suite::load(folder(&[]).path()).unwrap();
    assert!(plain.cases().iter().all(|c| plain.wants(c).is_empty()));
}

#[test]
fn every_mistake_in_what_is_asked_names_its_place() {
    let suite = |from: &str, to: &str| {
        assert!(ASKS.contains(from), "{from}");
        ("suite.toml", format!("{SUITE}{}", ASKS.replace(from, to)))
    };
    let tools = |from: &str, to: &str| {
        assert!(TOOLS.contains(from), "{from}");
        ("ask/tools.json", TOOLS.replacen(from, to, 1))
    };
    let file = |name, text: &str| (name, text.to_owned());
    let table = [
        (suite("logprobs = 0", "logprobs = 21"), "suite.toml:28:12: `logprobs` goes from 0 to 20"),
        (suite("logprobs = 0", "logprob = 0"), "suite.toml:28:1: unknown field `logprob`"),
        (suite("[\"classify\"]", "[\"classified\"]"), "suite.toml:26:7: no case is in the slice `classified`"),
        (suite("on = [\"talk\"]\n", ""), "an earlier `[[ask]]` applies to the case `a` too"),
        (suite("\"refund\"", "\"refunds\""), "`refunds` is none of the tools; help: did you mean `refund`?"),
        (suite("tools = \"ask/tools.json\"\n", ""), "`tool-choice` chooses among `tools`, and there are none"),
        (suite("ask/tools.json", "ask/tool.json"), "suite.toml:32:9: `ask/tool.json` cannot be read"),
        (suite("ask/tools.json", "../tools.json"), "suite.toml:32:9: `../tools.json` must be a path inside"),
        (
            suite("response-format = \"ask/ticket v1.schema.json\"\nlogprobs = 0\n", ""),
            "suite.toml:25:1: this `[[ask]]` asks for nothing",
        ),
        (file("ask/ticket v1.schema.json", "[]"), "ask/ticket v1.schema.json:1:1: a JSON schema is an object"),
        (file("ask/ticket v1.schema.json", "{\n \"a\": 1,\n \"a\": 2}"), "ask/ticket v1.schema.json:3:"),
        (file("ask/ticket v1.schema.json", "{\n \"a\": }"), "ask/ticket v1.schema.json:2:"),
        (suite("ticket v1.schema.json", ".json"), "ask/.json:1:1: the file's name is to be the schema's name"),
        (file("ask/ticket v1.schema.json", ""), "ask/ticket v1.schema.json:1:1: EOF"),
        (file("ask/ticket v1.schema.json", &format!("\"{}\"", "x".repeat(1 << 20))), "is longer than 1048576 bytes"),
        (file("ask/tools.json", "[]"), "ask/tools.json:1:1: there is no tool in this file"),
        (file("ask/tools.json", "{}"), "ask/tools.json:1:1: invalid type: map, expected a sequence"),
        (tools("\"type\":\"function\"", "\"type\":\"retrieval\""), "not `retrieval`"),
        (tools("\"parameters\"", "\"parameter\""), "unknown field `parameter`"),
        (tools("look_up", "look up"), "`look up` is no name of a tool"),
        (tools("look_up", "refund"), "two tools have the name `refund`"),
        (tools("{\"type\":\"object\"}", "7"), "the parameters of `look_up` are no JSON schema"),
    ];
    let misses: Vec<String> = table
        .into_iter()
        .filter_map(|((file, text), want)| {
            let got = refused(asking(&[(file, &text)]).path());
            (!got.contains(want)).then(|| format!("wanted {want}\ngot    {got}"))
        })
        .collect();
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}
