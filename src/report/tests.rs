//! What every rendering promises: the same verdicts and numbers, the same bytes, and nothing that a model said ever acts.

use super::html::{SCRIPT, STYLE, TEMPLATES};
use super::sample::{HOSTILE, hostile_model, model};
use super::view::{Tally, capitalised, criteria};
use super::*;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

const PLAIN: Style = Style { colour: false, ascii: false };

fn renderings(model: &ReportModel) -> [(&'static str, String); 6] {
    [
        ("html", html(model).unwrap()),
        ("junit", junit(model).unwrap()),
        ("markdown", markdown(model)),
        ("json", json(model).unwrap()),
        ("csv", csv(model).unwrap()),
        ("terminal", terminal(model, 80, PLAIN)),
    ]
}

/// The page without its own style, script and data: what a parser sees as markup and text.
fn visible(page: &str) -> String {
    let data = page.find("<script type=\"application/json\"").unwrap();
    let style = page.find("<style>").unwrap()..page.find("</style>").unwrap();
    format!("{}{}", &page[..style.start], &page[style.end..data])
}

fn data(page: &str) -> &str {
    let start = page.find("id=\"case-data\">").unwrap() + "id=\"case-data\">".len();
    &page[start..start + page[start..].find("</script>").unwrap()]
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert_eq!(renderings(&model(60)), renderings(&model(60)));
}

#[test]
fn every_rendering_tells_the_same_verdicts_and_criteria() {
    let model = model(60);
    let json: serde_json::Value = serde_json::from_str(&json(&model).unwrap()).unwrap();
    assert_eq!(json["format"], FORMAT);
    let page = html(&model).unwrap();
    let xml = Report::deserialize_from_str(&junit(&model).unwrap()).unwrap();
    let markdown = markdown(&model);
    let terminal = terminal(&model, 120, PLAIN);
    for (i, verdict) in model.verdicts.iter().enumerate() {
        let (word, who) = (verdict.decision().word(), verdict.candidate().as_str());
        assert_eq!(json["verdicts"][i]["decision"], word);
        assert_eq!(json["verdicts"][i]["findings"].as_array().unwrap().len(), verdict.findings().len());
        assert!(page.contains(&format!(
            "<span class=\"word\">{}</span> <span class=\"who\">{who}</span>",
            capitalised(verdict.decision())
        )));
        assert!(markdown.contains(&format!("{} `{who}`", capitalised(verdict.decision()))));
        assert!(terminal.contains(&format!("{}  {who}", word.to_uppercase())));
        let cases = xml.test_suites[0].test_cases.iter().filter(|c| c.name.as_str().ends_with(&format!("[{who}]")));
        assert_eq!(cases.count(), verdict.findings().len() + verdict.obstacles().len());
        for view in criteria(&model, verdict) {
            for number in [&view.change, &view.interval, &view.allowed] {
                assert!(markdown.contains(number.as_str()), "{number}");
                assert!(page.contains(&number.replace('/', "&#x2f;")), "{number}");
            }
            assert!(terminal.contains(view.change.as_str()), "{}", view.change);
        }
        assert!(page.contains(&Tally::of(verdict).text()) && markdown.contains(&Tally::of(verdict).text()));
    }
    let rows = model.verdicts.iter().map(|v| v.findings().len()).sum::<usize>();
    assert_eq!(page.matches("class=\"criterion-id\"").count(), rows);
    assert!(
        page.contains("<title>Promote tuned · Reject regressed · Undecided early · service-desk · goldgate</title>")
    );
}

#[test]
fn no_hostile_text_survives_raw_in_any_rendering() {
    let model = hostile_model();
    for (kind, text) in renderings(&model) {
        let forbidden: &[char] = &['\u{1b}', '\u{7}', '\0', '\u{202e}', '\u{2066}', '\u{2028}', '\u{2029}'];
        assert!(!text.contains(forbidden), "{kind} holds a control or bidirectional character");
    }
    let page = html(&model).unwrap();
    let (seen, data) = (visible(&page), data(&page));
    for text in HOSTILE.iter().filter(|t| t.contains(['<', '"'])) {
        assert!(!seen.contains(text) && !data.contains(text), "{text}");
    }
    assert!(!seen.contains("<script>") && !seen.contains("<img") && !data.contains(['<', '>', '&']));
    // Every handler and every script of the page is ours: no attribute starts with `on`, and there are exactly two scripts.
    assert!(!regex::Regex::new(r"<[a-z][^>]*\son[a-z]+=").unwrap().is_match(&seen));
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
    assert!(!page.contains(" style="));
    let xml = junit(&model).unwrap();
    assert!(!xml.contains("]]>") && !xml.contains("[[ATTACHMENT|") && !xml.contains("<script>"));
    let markdown = markdown(&model);
    for raw in ["<script>", "<img", "](https", "@org", "::error", "\n##vso", "\n=1+1"] {
        assert!(!markdown.contains(raw), "{raw}");
    }
    for width in 60..140 {
        for style in [PLAIN, Style { ascii: true, colour: false }] {
            let shown = terminal(&model, width, style);
            assert!(!shown.contains("::") && !shown.contains("##"), "a CI system would obey:\n{shown}");
        }
    }
}

#[test]
fn the_data_in_the_page_is_json_and_keeps_every_case() {
    let model = hostile_model();
    let page = html(&model).unwrap();
    let data: serde_json::Value = serde_json::from_str(data(&page)).unwrap();
    assert_eq!(data["cases"].as_array().unwrap().len(), model.cases.len());
    assert_eq!(data["cases"][0]["expected"], model.cases[0].expected.for_html());
    assert_eq!(data["targets"].as_array().unwrap().len(), model.targets.len());
}

#[test]
fn the_policy_of_the_page_names_exactly_its_own_style_and_script() {
    let page = html(&model(12)).unwrap();
    let head = &page[page.find("<head>").unwrap()..];
    assert!(head["<head>".len()..].trim_start().starts_with("<meta http-equiv=\"Content-Security-Policy\""));
    let between = |open: &str, close: &str| {
        let start = page.rfind(open).unwrap() + open.len();
        &page[start..start + page[start..].find(close).unwrap()]
    };
    assert_eq!(between("<style>", "</style>"), STYLE);
    assert_eq!(between("<script>", "</script>"), SCRIPT);
    let policy = csp::policy(STYLE, SCRIPT).replace('\'', "&#x27;").replace('/', "&#x2f;");
    assert!(page.contains(&policy), "{policy}");
    for (what, text) in [("style", STYLE), ("script", SCRIPT)] {
        assert!(!text.contains("</"), "the {what} could end its own element");
    }
}

#[test]
fn templates_and_script_use_nothing_that_makes_markup_from_text() {
    let unquoted = regex::Regex::new(r#"<[a-z][^>"]*(?:"[^"]*"[^>"]*)*=[^"\s]"#).unwrap();
    for (name, source) in TEMPLATES {
        assert!(name.ends_with(".html"), "{name} would not be escaped");
        for banned in ["|safe", "| safe", "autoescape", "style=", "javascript:"] {
            assert!(!source.contains(banned), "{name} uses {banned}");
        }
        assert!(!unquoted.is_match(source), "{name} has an attribute without quotes");
    }
    for banned in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "new Function",
        "srcdoc",
        "javascript:",
        "fetch(",
        "XMLHttpRequest",
        "toLocale",
    ] {
        assert!(!SCRIPT.contains(banned), "the script uses {banned}");
    }
}

#[test]
fn junit_reads_back_with_one_test_per_criterion_and_per_lost_case() {
    let model = model(60);
    let report = Report::deserialize_from_str(&junit(&model).unwrap()).unwrap();
    let [gate, cases] = report.test_suites.as_slice() else { panic!("two suites") };
    assert_eq!((gate.name.as_str(), cases.name.as_str()), ("goldgate.gate", "goldgate.cases.service-desk"));
    let kind = |name: &str| match &gate.test_cases.iter().find(|c| c.name.as_str() == name).unwrap().status {
        TestCaseStatus::Success { .. } => "success",
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, ty, .. } if ty.as_deref() == Some("undecided") => {
            "undecided"
        }
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => "failure",
        TestCaseStatus::NonSuccess { .. } => "error",
        TestCaseStatus::Skipped { .. } => "skipped",
    };
    assert_eq!(kind("answers-better [tuned]"), "success");
    assert_eq!(kind("no-canary [regressed]"), "failure");
    assert_eq!(kind("extract-holds [regressed]"), "undecided");
    assert_eq!(kind("the run can be judged: obstacle 1 [early]"), "error");
    let mut names: Vec<_> =
        report.test_suites.iter().flat_map(|s| &s.test_cases).map(|c| (&c.classname, &c.name)).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "GitLab drops duplicates");
    assert!(names.iter().all(|(_, n)| n.chars().count() <= 251));
    let lost: usize = ["tuned", "regressed", "early"]
        .map(|who| {
            flips::flips(&model, &crate::types::TargetName::new(who).unwrap())
                .iter()
                .filter(|f| !f.lost.is_empty())
                .count()
        })
        .iter()
        .sum();
    assert_eq!(cases.test_cases.len(), lost);
}

#[test]
fn csv_reads_back_with_one_row_per_case_and_target_and_no_formula() {
    let model = hostile_model();
    let text = csv(&model).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    assert_eq!(head.iter().take(4).collect::<Vec<_>>(), ["case", "task", "slices", "target"]);
    assert!(head.iter().any(|h| h == "score.correct"));
    let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), model.cases.len() * model.targets.len());
    assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
}

#[test]
fn the_terminal_keeps_to_its_width_and_its_twelve_lines() {
    for model in [model(60), hostile_model()] {
        for width in [60, 80, 100, 120, 200] {
            for style in [PLAIN, Style { ascii: true, colour: false }] {
                let text = terminal(&model, width, style);
                for line in text.lines() {
                    assert!(line.chars().count() <= usize::from(width), "{width}: {} {line}", line.chars().count());
                }
                assert!(text.lines().position(str::is_empty).unwrap() <= 12, "{text}");
                assert!(!style.ascii || text.is_ascii(), "{text}");
            }
        }
    }
    let coloured = terminal(&model(60), 80, Style { colour: true, ascii: false });
    assert!(coloured.contains("\u{1b}["));
}

#[test]
fn markdown_starts_with_the_verdict_and_keeps_to_its_budget() {
    let text = markdown(&model(60));
    assert!(text.starts_with("### ✔ Promote `tuned`\n\nAll 6 required criteria are met"), "{text}");
    let mut large = model(60);
    large.verdicts = std::iter::repeat_n(large.verdicts, 40).flatten().collect();
    let text = markdown(&large);
    assert!(text.encode_utf16().count() <= MARKDOWN_BUDGET);
    assert!(text.ends_with("this page is full._\n"), "{}", &text[text.len() - 200..]);
}

#[test]
fn a_run_that_was_not_judged_promotes_nothing() {
    let mut model = model(12);
    model.verdicts.clear();
    for (kind, text) in renderings(&model) {
        assert!(!text.to_lowercase().contains("promote tuned"), "{kind}");
    }
    assert!(html(&model).unwrap().contains("<title>Not judged"));
    model.cases.clear();
    model.comparisons.clear();
    model.savings.clear();
    renderings(&model);
}

#[test]
fn a_verdict_on_someone_who_is_no_target_is_still_shown() {
    let mut model = model(12);
    model.targets.retain(|t| t.name.as_str() != "regressed");
    let page = html(&model).unwrap();
    assert!(page.contains("<span class=\"word\">Reject</span> <span class=\"who\">regressed</span>"));
}

#[test]
fn text_and_marks_have_contrast_in_light_and_dark() {
    let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").unwrap();
    for css in [light, dark] {
        let grounds = ["--paper", "--sheet"];
        for ink in ["--ink", "--soft", "--link", "--met", "--violated", "--unproven"] {
            for ground in grounds {
                assert!(contrast(css, ink, ground) >= 4.5, "{ink} on {ground}: {}", contrast(css, ink, ground));
            }
        }
        for (ink, ground) in [
            ("--met", "--met-ground"),
            ("--violated", "--violated-ground"),
            ("--unproven", "--unproven-ground"),
            ("--ink", "--met-ground"),
            ("--ink", "--violated-ground"),
            ("--ink", "--faint"),
            ("--soft", "--faint"),
        ] {
            assert!(contrast(css, ink, ground) >= 4.5, "{ink} on {ground}: {}", contrast(css, ink, ground));
        }
    }
}

fn contrast(css: &str, a: &str, b: &str) -> f64 {
    let light = |name: &str| {
        let at = css.find(&format!("{name}: #")).unwrap_or_else(|| panic!("{name} has no colour")) + name.len() + 3;
        let channel = |i: usize| {
            let c = f64::from(u8::from_str_radix(&css[at + 2 * i..at + 2 * i + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
    };
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn the_page_says_what_a_method_assumes_what_it_fell_back_on_and_what_stands_beside_it() {
    let page = visible(&html(&model(12)).unwrap());
    for said in [
        "<dt>It assumes</dt><dd>the clusters are independent of each other</dd>",
        "<dt>Not the default</dt><dd>few clusters hold a changed pair (7): the design effect is raised to its floor 1.60</dd>",
        "<dt>Beside it</dt><dd>p95 1.2\u{202f}s → 840\u{202f}ms, −30\u{202f}% (−41 to −17\u{202f}%); p99 not estimable: 240 of 299 \
         independent cases</dd>",
    ] {
        assert!(page.contains(said), "{said}");
    }
}
