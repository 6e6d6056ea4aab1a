//! What the HTML templates print: the model in sections, every number already written and every text already made visible.

use super::diff::{self, Piece, capped};
use super::figures::{ForestAxis, ForestRow, TokenBars, axis, forest_row, token_bars};
use super::flips::{self, Flip};
use super::view::{self, CriterionView, Tally};
use super::{ReportModel, TargetFacts, TokenSaving};
use crate::compare::Comparison;
use crate::gate::Verdict;
use crate::types::number::{self, NOTHING, Scale};
use crate::types::{TargetName, Untrusted};
use serde::Serialize;

const WORST: usize = 10;
const LONGEST_TEXT: usize = 4_000;

/// The whole page.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    title: String,
    suite: &'a str,
    baseline: &'a str,
    run: Run,
    targets: Vec<Target<'a>>,
    candidates: Vec<Candidate<'a>>,
    axis: ForestAxis,
    savings: Vec<Saving<'a>>,
    latency: Vec<Timing<'a>>,
    safety: Vec<super::safety::EventRow<'a>>,
    heat: Vec<super::heat::HeatMap<'a>>,
    cases: String,
}

#[derive(Serialize)]
struct Run {
    name: String,
    suite_version: String,
    suite_description: String,
    suite_digest: DigestText,
    policy: Option<(String, DigestText)>,
    seed: u64,
    started: String,
    duration: String,
    trials: String,
    version: String,
    command: String,
    replay: Option<&'static str>,
}

#[derive(Serialize)]
struct DigestText {
    short: String,
    full: String,
}

#[derive(Serialize)]
struct Target<'a> {
    name: &'a str,
    role: &'static str,
    kind: String,
    model: String,
    adapter: Option<String>,
    prompt: &'a str,
    digest: DigestText,
}

/// One candidate: its verdict, its criteria and the cases that it lost.
#[derive(Serialize)]
struct Candidate<'a> {
    name: &'a str,
    verdict: Option<Decided<'a>>,
    lost: String,
    gained: String,
    worst: Vec<Regression<'a>>,
}

#[derive(Serialize)]
struct Decided<'a> {
    word: &'static str,
    heading: &'static str,
    sentence: String,
    tally: String,
    obstacles: Vec<String>,
    level: Option<String>,
    baseline: &'a str,
    criteria: Vec<CriterionRow<'a>>,
}

#[derive(Serialize)]
struct CriterionRow<'a> {
    id: &'a str,
    metric: &'a str,
    slice: &'a str,
    rule: &'static str,
    required: bool,
    status: &'static str,
    baseline: String,
    candidate: String,
    change: String,
    interval: String,
    level: Option<String>,
    allowed: String,
    cases: String,
    unscored: usize,
    sentence: String,
    why: String,
    method: String,
    method_why: String,
    assumptions: String,
    fallbacks: String,
    beside: String,
    forest: ForestRow,
}

#[derive(Serialize)]
struct Regression<'a> {
    id: &'a str,
    task: &'a str,
    lost: String,
    question: String,
    expected: String,
    outcome: &'static str,
    baseline: Vec<Piece>,
    candidate: Vec<Piece>,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Saving<'a> {
    candidate: &'a str,
    cases: String,
    baseline_prompt: String,
    baseline_completion: String,
    baseline_total: String,
    candidate_prompt: String,
    candidate_completion: String,
    candidate_total: String,
    saved: String,
    interval: String,
    level: String,
    bars: TokenBars,
}

#[derive(Serialize)]
struct Timing<'a> {
    metric: &'a str,
    candidate: &'a str,
    baseline_value: String,
    candidate_value: String,
    change: String,
    interval: String,
    level: String,
    pairs: String,
}

/// The page of a model.
pub(super) fn page(model: &ReportModel) -> Page<'_> {
    let candidates = candidates(model);
    let baseline = flips::baseline(model).map_or(NOTHING, TargetName::as_str);
    Page {
        title: title(model),
        suite: model.run.suite.as_str(),
        baseline,
        run: run(model),
        targets: model.targets.iter().map(target).collect(),
        candidates: candidates.iter().map(|name| candidate(model, name)).collect(),
        axis: axis(),
        savings: model.savings.iter().map(|s| saving(s, baseline)).collect(),
        latency: model.comparisons.iter().filter(|c| c.slice.is_all() && c.metric.is_timing()).map(timing).collect(),
        safety: super::safety::events(model),
        heat: super::heat::heat_maps(model),
        cases: number::count(model.cases.len() as u64),
    }
}

/// The run's candidates, and whoever else was judged: no verdict may be missing from the page.
fn candidates(model: &ReportModel) -> Vec<&TargetName> {
    let mut names: Vec<&TargetName> = model.targets.iter().filter(|t| !t.is_baseline).map(|t| &t.name).collect();
    for verdict in &model.verdicts {
        if !names.contains(&verdict.candidate()) {
            names.push(verdict.candidate());
        }
    }
    names
}

/// The title that a tab, a bookmark and a mail preview show: the verdicts come first.
fn title(model: &ReportModel) -> String {
    let verdicts: Vec<String> =
        model.verdicts.iter().map(|v| format!("{} {}", view::capitalised(v.decision()), v.candidate())).collect();
    let verdicts = if verdicts.is_empty() { "Not judged".to_owned() } else { verdicts.join(" · ") };
    let replay = if model.run.replay { "REPLAY · " } else { "" };
    format!("{replay}{verdicts} · {} · goldgate", model.run.suite)
}

fn shown(text: &str) -> String {
    Untrusted::new(text).for_html()
}

fn digest(digest: &crate::types::Digest) -> DigestText {
    DigestText { short: digest.short(), full: digest.to_string() }
}

fn run(model: &ReportModel) -> Run {
    let run = &model.run;
    Run {
        name: shown(&run.name),
        suite_version: shown(&run.suite_version),
        suite_description: run.suite_description.for_html(),
        suite_digest: digest(&run.suite_digest),
        policy: model.verdicts.first().map(|v| (v.policy().0.to_string(), digest(&v.policy().1))),
        seed: run.seed,
        started: shown(&run.started),
        duration: number::duration(run.seconds),
        trials: format!("{} of {}", number::count(run.recorded as u64), number::count(run.planned as u64)),
        version: shown(&run.version),
        command: shown(&run.command),
        replay: run.replay.then_some(view::REPLAY),
    }
}

fn target(facts: &TargetFacts) -> Target<'_> {
    Target {
        name: facts.name.as_str(),
        role: if facts.is_baseline { "baseline" } else { "candidate" },
        kind: shown(&facts.kind),
        model: shown(&facts.model),
        adapter: facts.adapter.as_deref().map(shown),
        prompt: facts.prompt.as_str(),
        digest: digest(&facts.digest),
    }
}

fn candidate<'a>(model: &'a ReportModel, name: &'a TargetName) -> Candidate<'a> {
    let flips = flips::flips(model, name);
    let lost = flips.iter().filter(|f| !f.lost.is_empty()).count();
    let gained = flips.iter().filter(|f| !f.gained.is_empty()).count();
    Candidate {
        name: name.as_str(),
        verdict: model.verdicts.iter().find(|v| v.candidate() == name).map(|v| decided(model, v)),
        lost: number::count(lost as u64),
        gained: number::count(gained as u64),
        worst: flips::worst(&flips, WORST).into_iter().map(regression).collect(),
    }
}

fn decided<'a>(model: &ReportModel, verdict: &'a Verdict) -> Decided<'a> {
    let criteria = view::criteria(model, verdict);
    let mut levels: Vec<&String> = criteria.iter().filter_map(|c| c.level.as_ref()).collect();
    levels.dedup();
    // One level stands in the head of the table; where levels differ, each row says its own.
    let level = if let [one] = levels[..] { Some(one.clone()) } else { None };
    Decided {
        word: verdict.decision().word(),
        heading: view::capitalised(verdict.decision()),
        sentence: shown(verdict.sentence()),
        tally: Tally::of(verdict).text(),
        obstacles: view::obstacles(verdict).map(shown).collect(),
        baseline: verdict.baseline().as_str(),
        criteria: criteria.into_iter().map(|c| criterion(c, level.is_none())).collect(),
        level,
    }
}

fn criterion(view: CriterionView<'_>, says_level: bool) -> CriterionRow<'_> {
    let (finding, cases) = (view.finding, view.cases_text());
    let method = view.method();
    let (name, why) = method.map_or(("", ""), |m| (&m.name, &m.why));
    let beside = view.beside();
    let title = format!("{}: {}", finding.criterion.id, finding.status.word());
    let description =
        format!("{} Change {}, interval {}, allowed {}.", finding.sentence, view.change, view.interval, view.allowed);
    CriterionRow {
        id: finding.criterion.id.as_str(),
        metric: finding.criterion.metric.as_str(),
        slice: finding.criterion.slice.as_str(),
        rule: finding.criterion.rule.word(),
        required: finding.criterion.required,
        status: finding.status.word(),
        forest: forest_row(finding, title, shown(&description)),
        baseline: view.baseline,
        candidate: view.candidate,
        change: view.change,
        interval: view.interval,
        level: view.level.filter(|_| says_level),
        allowed: view.allowed,
        cases,
        unscored: view.unscored,
        sentence: shown(&finding.sentence),
        why: shown(&finding.criterion.why),
        method: shown(name),
        method_why: shown(why),
        assumptions: method.map(|m| shown(&m.assumptions.join("; "))).unwrap_or_default(),
        fallbacks: method.map(|m| shown(&m.fallbacks.join("; "))).unwrap_or_default(),
        beside: shown(&beside.join("; ")),
    }
}

fn regression<'a>(flip: &Flip<'a>) -> Regression<'a> {
    let sides = diff::words(&flip.baseline.text, &flip.candidate.text);
    let reasons = flip.candidate.scores.iter().filter(|s| flip.lost.contains(&&s.metric) && !s.why.raw().is_empty());
    Regression {
        id: flip.case.id.as_str(),
        task: flip.case.task.as_str(),
        lost: flips::names(&flip.lost),
        question: capped(&flip.case.question, LONGEST_TEXT),
        expected: capped(&flip.case.expected, LONGEST_TEXT),
        outcome: flip.candidate.outcome.word(),
        baseline: sides.baseline,
        candidate: sides.candidate,
        reasons: reasons.map(|s| format!("{}: {}", s.metric, capped(&s.why, 600))).collect(),
    }
}

fn saving<'a>(s: &'a TokenSaving, baseline: &str) -> Saving<'a> {
    let decimals = Scale::PERCENT.decimals(s.interval.upper() - s.interval.lower());
    Saving {
        candidate: s.candidate.as_str(),
        cases: number::count(s.cases as u64),
        baseline_prompt: number::count(s.baseline_prompt),
        baseline_completion: number::count(s.baseline_completion),
        baseline_total: number::count(s.baseline_prompt + s.baseline_completion),
        candidate_prompt: number::count(s.candidate_prompt),
        candidate_completion: number::count(s.candidate_completion),
        candidate_total: number::count(s.candidate_prompt + s.candidate_completion),
        saved: Scale::PERCENT.level(s.saved, decimals),
        interval: Scale::PERCENT.levels(&s.interval, decimals),
        level: number::confidence(s.interval.level()),
        bars: token_bars(s, baseline),
    }
}

fn timing(c: &Comparison) -> Timing<'_> {
    let scale = Scale::of_change(&c.metric);
    let decimals = scale.decimals(c.interval.upper() - c.interval.lower());
    Timing {
        metric: c.metric.name.as_str(),
        candidate: c.candidate.as_str(),
        baseline_value: view::level_of(c, c.baseline_value),
        candidate_value: view::level_of(c, c.candidate_value),
        change: scale.change(c.change, decimals),
        interval: scale.changes(&c.interval, decimals),
        level: number::confidence(c.interval.level()),
        pairs: number::count(c.pairs as u64),
    }
}
