//! JUnit XML: one suite for the gate, one for the cases that flipped, in the one flavour that Azure, GitLab and Jenkins all read.

use super::flips::{self, Flip};
use super::view::{self, CriterionView};
use super::{ReportError, ReportModel};
use crate::gate::{Finding, Status, Verdict};
use crate::types::Untrusted;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};
use std::time::Duration;

/// GitLab refuses files over 30 MB and documents of too many objects; beyond this many flips the rest is counted, not listed.
const MOST_CASES: usize = 20_000;
/// Azure cuts names at 512 characters; GitLab drops tests whose class and name are equal.
const LONGEST_NAME: usize = 250;
const LONGEST_MESSAGE: usize = 600;
const LONGEST_ANSWER: usize = 2_000;

/// The model as JUnit XML.
///
/// # Errors
/// When the XML writer refuses a value.
pub fn junit(model: &ReportModel) -> Result<String, ReportError> {
    let what = if model.run.replay { "goldgate REPLAY of" } else { "goldgate" };
    let mut report = Report::new(text(&format!("{what} {}", model.run.suite), LONGEST_NAME));
    if let Some(time) = wall_time(model.run.seconds) {
        report.set_time(time);
    }
    let mut gate = suite(model, "goldgate.gate");
    for verdict in &model.verdicts {
        gate_cases(&mut gate, model, verdict);
    }
    if model.run.replay {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("undecided").set_message(line(view::REPLAY, LONGEST_MESSAGE));
        gate.add_test_case(test_case("the run is fresh evidence", "goldgate.replay", status));
    }
    let mut cases = suite(model, &format!("goldgate.cases.{}", model.run.suite));
    let all: Vec<Flip<'_>> = candidates(model).flat_map(|c| flips::flips(model, c)).collect();
    let lost = all.iter().filter(|f| !f.lost.is_empty());
    cases.add_test_cases(lost.clone().take(MOST_CASES).map(|f| flip_case(model, f)));
    let dropped = lost.count().saturating_sub(MOST_CASES);
    if dropped > 0 {
        cases.set_system_out(format!(
            "{dropped} more regressions are left out; report.html and cases.csv hold all of them"
        ));
    }
    report.add_test_suite(gate);
    report.add_test_suite(cases);
    Ok(report.to_string()?)
}

fn candidates(model: &ReportModel) -> impl Iterator<Item = &crate::types::TargetName> {
    model.targets.iter().filter(|t| !t.is_baseline).map(|t| &t.name)
}

fn wall_time(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn suite(model: &ReportModel, name: &str) -> TestSuite {
    let mut suite = TestSuite::new(text(name, LONGEST_NAME));
    suite.extra.insert("timestamp".into(), line(&model.run.started, 40));
    suite
}

fn gate_cases(suite: &mut TestSuite, model: &ReportModel, verdict: &Verdict) {
    let class = format!("goldgate.{}.{}", verdict.suite().0, verdict.candidate());
    for (i, obstacle) in verdict.obstacles().iter().enumerate() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type("undecided")
            .set_message(line(obstacle, LONGEST_MESSAGE))
            .set_description(text(obstacle, 2_000));
        let name = format!("the run can be judged: obstacle {} [{}]", i + 1, verdict.candidate());
        suite.add_test_case(test_case(&name, &class, status));
    }
    for view in view::criteria(model, verdict) {
        let name = format!("{} [{}]", view.finding.criterion.id, verdict.candidate());
        suite.add_test_case(test_case(&name, &class, criterion_status(&view)));
    }
}

fn test_case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(text(name, LONGEST_NAME), status);
    case.set_classname(text(class, LONGEST_NAME));
    case
}

fn criterion_status(view: &CriterionView<'_>) -> TestCaseStatus {
    let finding: &Finding = view.finding;
    let mut status = match (finding.status, finding.criterion.required) {
        (Status::Met, _) => return TestCaseStatus::success(),
        (_, false) => TestCaseStatus::skipped(),
        (Status::Violated, true) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (Status::Unproven, true) => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let kind = match (finding.criterion.required, finding.status) {
        (false, _) => "advisory",
        (true, Status::Violated) => "violated",
        (true, _) => "undecided",
    };
    let method = view.method().map_or("", |m| &m.name);
    // GitLab shows the inner text and never the message: the sentence stands in both.
    let inner = format!(
        "{}\nbaseline {}, candidate {}, change {} ({}), allowed: {}, cases {}, {}",
        finding.sentence,
        view.baseline,
        view.candidate,
        view.change,
        view.interval,
        view.allowed,
        view.cases_text(),
        method,
    );
    let message = if finding.criterion.required {
        finding.sentence.clone()
    } else {
        format!("advisory, {}: {}", finding.status.word(), finding.sentence)
    };
    status.set_type(kind).set_message(line(&message, LONGEST_MESSAGE)).set_description(text(&inner, 4_000));
    status
}

fn flip_case(model: &ReportModel, flip: &Flip<'_>) -> TestCase {
    let lost = flips::names(&flip.lost);
    let message = format!("the baseline was right and {} is wrong: {lost}", flip.candidate.target);
    let reasons: String = flip
        .candidate
        .scores
        .iter()
        .filter(|s| flip.lost.contains(&&s.metric) && !s.why.raw().is_empty())
        .map(|s| format!("{}: {}\n", s.metric, s.why.for_xml(400)))
        .collect();
    let inner = format!(
        "{message}\n{reasons}expected: {}\nbaseline: {}\ncandidate: {}",
        flip.case.expected.for_xml(LONGEST_ANSWER),
        flip.baseline.text.for_xml(LONGEST_ANSWER),
        flip.candidate.text.for_xml(LONGEST_ANSWER),
    );
    // A flip is a place to look and no decision: a promoted candidate must not turn a CI system red.
    let mut status = TestCaseStatus::skipped();
    status.set_type("regression").set_message(line(&message, LONGEST_MESSAGE)).set_description(XmlString::new(inner));
    let class = format!("goldgate.{}.{}", model.run.suite, flip.case.task);
    let mut case = test_case(&format!("{} [{}]", flip.case.id, flip.candidate.target), &class, status);
    if let Some(time) = flip.candidate.total_seconds.and_then(wall_time) {
        case.set_time(time);
    }
    case
}

/// Text of several lines for an XML node.
fn text(text: &str, max: usize) -> XmlString {
    XmlString::new(Untrusted::new(text).for_xml(max))
}

/// Text of one line for an XML attribute.
fn line(text: &str, max: usize) -> XmlString {
    XmlString::new(Untrusted::new(text.replace(['\n', '\r', '\t'], " ")).for_xml(max))
}
