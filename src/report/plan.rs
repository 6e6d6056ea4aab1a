//! A plan as text for a terminal: the criteria, what asking costs, and the sentences that a release engineer needs.

use crate::gate::{Amount, CriterionPlan, Figure, FigureKind, JointMethod, PowerPlan, Rule, Source, TargetCost};
use crate::types::number::{self, NOTHING, Scale, THIN};
use crate::types::{Direction, Metric};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Two tables, at most `width` columns wide, and sentences: which criterion binds and what it lacks, the joint power, the cost.
#[must_use]
pub fn plan_text(plan: &PowerPlan, width: u16) -> String {
    let mut text = criteria(plan, width).trim_fmt();
    text.push_str("\n\n");
    text.push_str(&costs(&plan.costs, width).trim_fmt());
    text.push('\n');
    for sentence in sentences(plan) {
        text.push('\n');
        text.push_str(&super::comparisons::wrapped(&sentence, usize::from(width)));
    }
    text
}

fn table(width: u16, header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(header.to_vec());
    for i in numbers {
        if let Some(column) = table.column_mut(*i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn criteria(plan: &PowerPlan, width: u16) -> Table {
    let with_gain = plan.criteria.iter().any(|c| c.power.planned.is_some());
    let with_pilot = plan.criteria.iter().any(|c| c.power.as_pilot.is_some());
    let mut header = vec!["criterion", "n", "needs", "detects", "rests on", "equal"];
    header.extend(with_gain.then_some("given"));
    header.extend(with_pilot.then_some("pilot"));
    let numbers: Vec<usize> = [1, 2].into_iter().chain(5..header.len()).collect();
    let mut table = table(width, &header, &numbers);
    for c in &plan.criteria {
        let name = if c.required { c.id.to_string() } else { format!("({})", c.id) };
        let mut cells = vec![
            name,
            number::count(c.clusters as u64),
            needed(c),
            detects(c),
            c.figure.as_ref().map_or_else(|| NOTHING.to_owned(), |f| rests_on(c, f)),
            power(c.power.no_change),
        ];
        cells.extend(with_gain.then(|| power(c.power.planned)));
        cells.extend(with_pilot.then(|| power(c.power.as_pilot)));
        table.add_row(cells);
    }
    table
}

fn needed(c: &CriterionPlan) -> String {
    match c.needed {
        _ if !c.possible => "never".to_owned(),
        Some(n) => number::count(n),
        None => NOTHING.to_owned(),
    }
}

/// A probability without false certainty.
fn power(p: Option<f64>) -> String {
    match p {
        None => NOTHING.to_owned(),
        Some(p) if p >= 0.995 => format!(">99{THIN}%"),
        Some(p) if p < 0.005 => format!("<1{THIN}%"),
        Some(p) => Scale::PERCENT.level(p, 0),
    }
}

/// The scales of a criterion's changes and levels. They do not depend on which way is better.
fn scales(c: &CriterionPlan, level: f64) -> (Scale, Scale) {
    let metric = Metric { name: c.metric.clone(), kind: c.metric_kind, direction: Direction::Higher };
    (Scale::of_change(&metric), Scale::of_level(&metric, level))
}

fn digits(value: f64) -> usize {
    usize::from(value.abs() < 0.0995)
}

fn detects(c: &CriterionPlan) -> String {
    let Some(value) = c.detectable else { return "nothing".to_owned() };
    let (change, level) = scales(c, value);
    match c.rule {
        Rule::NonInferior { .. } => format!("loss {}", change.level(value, digits(value))),
        Rule::Superior { .. } => format!("gain {}", change.level(value, digits(value))),
        Rule::Equivalent { .. } => format!("±{}", change.level(value, digits(value))),
        Rule::AtLeast { .. } => format!("≥{THIN}{}", level.level(value, 1)),
        Rule::AtMost { .. } | Rule::NoneObserved { .. } => format!("≤{THIN}{}", level.level(value, 1)),
    }
}

fn rests_on(c: &CriterionPlan, figure: &Figure) -> String {
    let write = |v: f64| match figure.kind {
        FigureKind::Discordance => Scale::PERCENT.level(v, digits(v)),
        FigureKind::Sd => format!("{v:.2}"),
        FigureKind::Level => scales(c, v).1.level(v, 1),
    };
    let name = match figure.kind {
        FigureKind::Discordance => "flips ",
        FigureKind::Sd => "sd ",
        FigureKind::Level => "",
    };
    let mark = if figure.source == Source::Assumption { "*" } else { "" };
    let point = figure.point.map(|p| format!(" ({})", write(p))).unwrap_or_default();
    format!("{name}{}{mark}{point}", write(figure.planned))
}

fn costs(costs: &[TargetCost], width: u16) -> Table {
    let header = ["target", "questions", "prompt tokens", "answer tokens", "US$", "time"];
    let mut table = table(width, &header, &[1, 2, 3, 4, 5]);
    let count = |a: Amount| amount(a, |v| number::count(v.round().max(0.0) as u64));
    for c in costs {
        table.add_row(vec![
            c.target.to_string(),
            number::count(c.trials as u64),
            count(c.prompt_tokens),
            count(c.completion_tokens),
            c.usd.map_or_else(|| "no price".to_owned(), |a| amount(a, |v| format!("{v:.2}"))),
            amount(c.minutes, |v| number::duration(v * 60.0)),
        ]);
    }
    table
}

fn amount(a: Amount, write: impl Fn(f64) -> String) -> String {
    match a {
        Amount::About(v) => write(v),
        Amount::AtMost(v) => format!("≤{THIN}{}", write(v)),
        Amount::AtLeast(v) => format!("≥{THIN}{}", write(v)),
        Amount::Unknown => "?".to_owned(),
    }
}

fn sentences(plan: &PowerPlan) -> Vec<String> {
    let mut all = vec![binding(plan), joint(plan), cost(plan)];
    all.push(legend(plan));
    let notes = plan.criteria.iter().flat_map(|c| c.notes.iter().map(move |n| format!("{}: {n}", c.id)));
    all.extend(notes);
    all
}

fn binding(plan: &PowerPlan) -> String {
    let wanted = Scale::PERCENT.exact(plan.power);
    let Some(c) = plan.binding.as_ref().and_then(|id| plan.criteria.iter().find(|c| c.id == *id)) else {
        let known = plan.criteria.iter().filter(|c| c.required).all(|c| c.needed.is_some());
        return if known {
            format!("No required criterion lacks cases for a power of {wanted}.")
        } else {
            format!(
                "No required criterion is known to lack cases for a power of {wanted}; state a gain or a level where needs shows {NOTHING}."
            )
        };
    };
    let have = c.clusters as u64;
    match c.needed {
        Some(needed) if needed > have => format!(
            "{} binds: a power of {wanted} takes about {} independent cases {}, {} more than the {} there are.",
            c.id,
            number::count(needed),
            supposing(c),
            number::count(needed - have),
            number::count(have)
        ),
        _ => format!("{} binds: it has the least power, and more cases are not what it lacks.", c.id),
    }
}

/// What the number of cases that are needed supposes.
fn supposing(c: &CriterionPlan) -> &'static str {
    match (c.rule, c.gain, c.needed_at) {
        (Rule::NoneObserved { .. }, ..) => "on a clean record",
        (Rule::AtLeast { .. } | Rule::AtMost { .. }, ..) => "at the level it rests on",
        (_, Some(_), _) => "at the stated gain",
        (_, None, Some(0.0)) => "if the targets do not differ",
        _ => "at the pilot's gain",
    }
}

fn joint(plan: &PowerPlan) -> String {
    let j = &plan.joint;
    let count = plan.criteria.iter().filter(|c| c.required).count();
    let note = j.note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
    match (j.power, j.upper, j.method, &plan.pilot) {
        (Some(p), _, JointMethod::Resampled, Some(pilot)) => format!(
            "All {count} required criteria are met at once with probability {} if the candidate is what {} was in the pilot.",
            power(Some(p)),
            pilot.candidate
        ),
        (Some(p), Some(upper), ..) => format!(
            "All {count} required criteria are met at once with probability {} if they were independent, at most {}{note}.",
            power(Some(p)),
            power(Some(upper))
        ),
        _ => format!("The probability that all {count} required criteria are met cannot be said{note}."),
    }
}

fn cost(plan: &PowerPlan) -> String {
    let total = &plan.total;
    let mut text = format!("Asking takes {} questions", number::count(total.trials as u64));
    let count = |v: f64| number::count(v.round().max(0.0) as u64);
    let mut add = |a: Amount, write: &dyn Fn(f64) -> String| match a {
        Amount::About(v) => text.push_str(&format!(", about {}", write(v))),
        Amount::AtMost(v) => text.push_str(&format!(", at most {}", write(v))),
        Amount::AtLeast(v) => text.push_str(&format!(", at least {}", write(v))),
        Amount::Unknown => {}
    };
    add(total.prompt_tokens, &|v| format!("{} prompt tokens", count(v)));
    add(total.completion_tokens, &|v| format!("{} answer tokens", count(v)));
    if let Some(usd) = total.usd {
        add(usd, &|v| format!("US$ {v:.2}"));
    }
    add(total.minutes, &|v| number::duration(v * 60.0));
    if plan.pilot.is_none() {
        text.push_str("; prompt tokens are known only once something was asked (--pilot RUN)");
    }
    text + "."
}

fn legend(plan: &PowerPlan) -> String {
    let wanted = Scale::PERCENT.exact(plan.power);
    let mut text = format!(
        "n = independent cases; needs = of them for a power of {wanted}; detects = with {wanted} at this n; equal = power if the targets do not differ"
    );
    if plan.criteria.iter().any(|c| c.power.planned.is_some()) {
        text.push_str("; given = power at the stated gain, or at the level it rests on");
    }
    if plan.pilot.is_some() {
        text.push_str(
            "; pilot = power if the candidate is as in the pilot; rests on = the pilot's 80 % limit (its estimate)",
        );
    }
    if plan.criteria.iter().any(|c| c.figure.is_some_and(|f| f.source == Source::Assumption)) {
        text.push_str("; * = assumed, nothing is known");
    }
    if plan.criteria.iter().any(|c| !c.required) {
        text.push_str("; (…) = advisory");
    }
    text + "."
}
