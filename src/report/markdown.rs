//! Markdown for a job summary or a pull request comment: the verdicts first, and never longer than such a comment may be.

use super::flips::{self, Flip};
use super::view::{self, CriterionView, Tally};
use super::{ReportModel, TokenSaving};
use crate::gate::{Decision, Verdict};
use crate::types::Untrusted;
use crate::types::number::{self, Scale};
use std::fmt::Write as _;

/// GitHub cuts comments at 65,536 UTF-16 units; this leaves room for what an action adds.
pub const BUDGET: usize = 60_000;
const WORST: usize = 5;
const TAIL: usize = 200;

/// The model as Markdown of at most [`BUDGET`] UTF-16 units. Sections that do not fit are left out from the end, and the last line says so.
#[must_use]
pub fn markdown(model: &ReportModel) -> String {
    let mut page = Page::default();
    if model.run.replay {
        page.push(format!("**{}**\n\n", view::REPLAY));
    }
    for verdict in &model.verdicts {
        page.push(headline(verdict));
    }
    if model.verdicts.is_empty() {
        page.push("**This run was not judged.**\n\n".to_owned());
    }
    page.push(facts(model));
    for verdict in &model.verdicts {
        page.push(criteria_table(model, verdict));
    }
    page.push(savings(&model.savings));
    for target in model.targets.iter().filter(|t| !t.is_baseline) {
        page.push(regressions(&flips::flips(model, &target.name), target.name.as_str()));
    }
    page.finish()
}

#[derive(Default)]
struct Page {
    text: String,
    units: usize,
    left_out: usize,
}

impl Page {
    fn push(&mut self, section: String) {
        let units = section.encode_utf16().count();
        if self.left_out == 0 && self.units + units <= BUDGET - TAIL {
            self.text.push_str(&section);
            self.units += units;
        } else if units > 0 {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let _ = writeln!(self.text, "_{} more sections are in report.html: this page is full._", self.left_out);
        }
        self.text
    }
}

fn shown(text: &str, max: usize) -> String {
    Untrusted::new(text).for_markdown(max)
}

fn mark(decision: Decision) -> &'static str {
    match decision {
        Decision::Promote => "✔",
        Decision::Undecided => "?",
        Decision::Reject => "✘",
    }
}

fn headline(verdict: &Verdict) -> String {
    let mut out = format!(
        "### {} {} `{}`\n\n{}\n\n",
        mark(verdict.decision()),
        view::capitalised(verdict.decision()),
        verdict.candidate(),
        shown(verdict.sentence(), 1_000)
    );
    let listed: String = view::obstacles(verdict).map(|o| format!("- {}\n", shown(o, 400))).collect();
    if !listed.is_empty() {
        let _ = writeln!(out, "{listed}");
    }
    out
}

fn facts(model: &ReportModel) -> String {
    let run = &model.run;
    let mut out = format!(
        "Suite `{}` {} (`{}`), run {}, {} of {} trials, seed {}.",
        run.suite,
        shown(&run.suite_version, 60),
        run.suite_digest.short(),
        shown(&run.name, 120),
        number::count(run.recorded as u64),
        number::count(run.planned as u64),
        run.seed,
    );
    if let Some(verdict) = model.verdicts.first() {
        let (policy, digest) = verdict.policy();
        let _ = write!(out, " Policy `{policy}` (`{}`).", digest.short());
    }
    out.push_str("\n\n");
    out
}

fn criteria_table(model: &ReportModel, verdict: &Verdict) -> String {
    let mut out =
        format!("#### {} against {}\n\n{}.\n\n", verdict.candidate(), verdict.baseline(), Tally::of(verdict).text());
    out.push_str("| criterion | status | baseline | candidate | change | interval | allowed | cases |\n");
    out.push_str("| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |\n");
    for view in view::criteria(model, verdict) {
        let _ = writeln!(out, "{}", row(&view));
    }
    out.push('\n');
    out
}

fn row(view: &CriterionView<'_>) -> String {
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
        view.finding.criterion.id,
        view.status_text(),
        view.baseline,
        view.candidate,
        view.change,
        view.interval,
        view.allowed,
        view.cases_text(),
    )
}

fn savings(savings: &[TokenSaving]) -> String {
    if savings.is_empty() {
        return String::new();
    }
    let mut out = String::from("#### Tokens\n\n| candidate | baseline | candidate | saved | interval | cases |\n");
    out.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for s in savings {
        let decimals = Scale::PERCENT.decimals(s.interval.upper() - s.interval.lower());
        let _ = writeln!(
            out,
            "| `{}` | {} + {} | {} + {} | {} | {} | {} |",
            s.candidate,
            number::count(s.baseline_prompt),
            number::count(s.baseline_completion),
            number::count(s.candidate_prompt),
            number::count(s.candidate_completion),
            Scale::PERCENT.level(s.saved, decimals),
            Scale::PERCENT.levels(&s.interval, decimals),
            number::count(s.cases as u64),
        );
    }
    out.push_str("\nPrompt + completion tokens over the cases that both answered.\n\n");
    out
}

fn regressions(flips: &[Flip<'_>], candidate: &str) -> String {
    let lost = flips.iter().filter(|f| !f.lost.is_empty()).count();
    let gained = flips.iter().filter(|f| !f.gained.is_empty()).count();
    if lost == 0 {
        return format!("`{candidate}`: no case was lost, {} fixed.\n\n", number::count(gained as u64));
    }
    let worst = flips::worst(flips, WORST);
    let mut out = format!(
        "<details>\n<summary>{candidate}: {} cases lost, {} fixed; the worst {}</summary>\n\n",
        number::count(lost as u64),
        number::count(gained as u64),
        worst.len()
    );
    for flip in worst {
        let _ = writeln!(
            out,
            "- `{}` lost {}\n  - asked: {}\n  - expected: {}\n  - {}: {}\n  - {}: {}",
            flip.case.id,
            flips::names(&flip.lost),
            flip.case.question.for_markdown(400),
            flip.case.expected.for_markdown(400),
            flip.baseline.target,
            flip.baseline.text.for_markdown(400),
            flip.candidate.target,
            flip.candidate.text.for_markdown(400),
        );
    }
    out.push_str("\n</details>\n\n");
    out
}
