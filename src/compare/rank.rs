//! Many targets on one metric: their order, how sure it is, which of them cannot be told apart, and by how much the best flatters itself.

use super::NotComparable;
use super::comparison::Method;
use super::gather::Gathered;
use super::letters::{all_pairs, groups, letter};
use super::matrix::Matrix;
use super::proof::too_few;
use super::table::Request;
use crate::stats;
use crate::types::{CaseId, DigestBuilder, Interval, Metric, TargetName};
use rayon::prelude::*;
use serde::Serialize;

/// The level of a rank interval.
const RANK_LEVEL: f64 = 0.95;
/// Scores nearer to each other than this (relative, or absolute below 1) differ by rounding only.
const ROUNDING: f64 = 1e-12;

/// One target among the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ranked {
    /// Who.
    pub target: TargetName,
    /// Its rate, mean, total or geometric mean on the cases of the ranking.
    pub value: f64,
    /// Its rank, from 1 for the best; targets with the same value share the mean of their ranks.
    pub rank: f64,
    /// The middle 95 % of its rank over resamples of the clusters. In each resample a tie counts from the best to the worst rank that it
    /// covers, so that targets which never differ do not look certain of a place.
    pub rank_interval: Interval,
    /// The groups that it belongs to: two targets share one exactly when no test tells them apart.
    pub groups: Vec<String>,
}

/// The test of two targets against each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PairTest {
    /// The one that ranks before the other.
    pub first: TargetName,
    /// The other.
    pub second: TargetName,
    /// Two-sided p value of "they are alike"; none where the method has no answer, and then they are not told apart.
    pub p: Option<f64>,
    /// The same, adjusted by Holm for all pairs.
    pub p_holm: Option<f64>,
}

/// The best candidate, with what choosing it by these very scores has added to its estimate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Best {
    /// Who.
    pub candidate: TargetName,
    /// Out of how many candidates.
    pub of: usize,
    /// Its value.
    pub value: f64,
    /// Its change against the baseline on the cases of the ranking; none where that divides by 0.
    pub change: Option<f64>,
    /// The value without the mean optimism of the choice, approximately.
    pub shrunken_value: f64,
    /// The change without it, approximately.
    pub shrunken_change: Option<f64>,
}

/// All targets on one metric, on the cases that each of them has a score for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ranking {
    /// The metric.
    pub metric: Metric,
    /// Cases that every ranked target has a score for.
    pub cases: usize,
    /// Independent units among them.
    pub clusters: usize,
    /// Cases that are left out since some target lacks a score.
    pub left_out: Vec<CaseId>,
    /// Targets without a rank: no score at all, or none on more than 2 % of the cases.
    pub unranked: Vec<TargetName>,
    /// Resamples behind the rank intervals and the shrunken estimate.
    pub resamples: usize,
    /// The test of each pair.
    pub method: Method,
    /// The targets, best first.
    pub targets: Vec<Ranked>,
    /// Every pair, in the order of the targets.
    pub pairs: Vec<PairTest>,
    /// The best candidate, where it was chosen by these scores and is one of several.
    pub best: Option<Best>,
}

/// Ranks the baseline and all candidates of a request on one metric over all cases.
///
/// Order: rate, mean or total, durations by geometric mean. Groups: the two-sided test of every pair by the metric's own method, Holm over
/// all pairs, at `alpha`, as a compact letter display. Rank intervals: the ranks of [`stats::DEFAULT_RESAMPLES`] resamples of the clusters,
/// the same for all targets, 2.5th to 97.5th percentile as order statistics, widened to hold the rank itself. The best candidate's
/// shrunken estimate: the whole choice is made again on every resample; what the chosen one shows there beyond its own estimate is the
/// optimism, and its mean is subtracted (statistics.md, section 12.3). Nothing depends on the order of samples or candidates.
///
/// # Errors
/// When fewer than two targets have a score, or fewer than 10 independent cases are scored for all that have any.
pub fn rank(request: Request<'_>, metric: &Metric) -> Result<Ranking, NotComparable> {
    rank_gathered(&Gathered::new(request.samples.iter(), [&metric.name]), request, metric)
}

/// [`rank`] on samples that are gathered already.
pub(super) fn rank_gathered(
    gathered: &Gathered<'_>,
    request: Request<'_>,
    metric: &Metric,
) -> Result<Ranking, NotComparable> {
    let matrix = Matrix::new(gathered, metric, request.baseline, request.candidates);
    if matrix.targets.len() < 2 {
        return Err(NotComparable { reason: "fewer than two targets have a score".to_owned() });
    }
    if let Some(reason) = too_few(matrix.clusters()) {
        return Err(NotComparable { reason: format!("of the cases that every target has a score for, {reason}") });
    }
    let scores = matrix.scores();
    let order = order(&matrix, &scores);
    let resampled = Resampled::new(&matrix, request.seed)?;
    let pairs = tests(&matrix, &order);
    let n = order.len();
    // Pairs come in the order of `all_pairs`: the position of (i, j) follows from the rows before it.
    let told_apart = |i: usize, j: usize| {
        let (i, j) = (i.min(j), i.max(j));
        i != j && pairs[i * (2 * n - i - 1) / 2 + j - i - 1].p_holm.is_some_and(|p| p <= request.alpha)
    };
    let groups = groups(n, told_apart);
    let places = places(&scores, &order);
    let intervals = resampled.rank_intervals(&places)?;
    let targets = order.iter().enumerate().map(|(at, &t)| {
        let (first, last) = places[t];
        Ranked {
            target: matrix.targets[t].clone(),
            value: matrix.value(scores[t]),
            rank: (first + last) as f64 / 2.0,
            rank_interval: intervals[t],
            groups: groups.iter().enumerate().filter(|(_, g)| g.contains(&at)).map(|(g, _)| letter(g)).collect(),
        }
    });
    Ok(Ranking {
        metric: metric.clone(),
        cases: matrix.cases,
        clusters: matrix.clusters(),
        resamples: stats::DEFAULT_RESAMPLES,
        method: matrix.method(),
        targets: targets.collect(),
        pairs,
        best: best(&matrix, &scores, &order, &resampled, request.baseline),
        left_out: matrix.left_out,
        unranked: matrix.unranked,
    })
}

/// The candidate with the best value on the cases that all targets have a score for; of several, the first by name.
pub(super) fn winner(
    gathered: &Gathered<'_>,
    request: Request<'_>,
    metric: &Metric,
) -> Result<(TargetName, usize), NotComparable> {
    let matrix = Matrix::new(gathered, metric, request.baseline, request.candidates);
    let first = if matrix.cases == 0 { None } else { first_candidate(&matrix, &matrix.scores(), request.baseline) };
    let none = || NotComparable { reason: format!("no case has `{}` for all targets", metric.name) };
    Ok((matrix.targets[first.ok_or_else(none)?].clone(), matrix.clusters()))
}

fn first_candidate(matrix: &Matrix, scores: &[f64], baseline: &TargetName) -> Option<usize> {
    order(matrix, scores).into_iter().find(|&t| matrix.targets[t] != *baseline)
}

/// Targets from the best to the worst; those whose scores differ by rounding only, by name.
fn order(matrix: &Matrix, scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    for run in order.chunk_by_mut(|&a, &b| same(scores[a], scores[b])) {
        run.sort_by(|&a, &b| matrix.targets[a].cmp(&matrix.targets[b]));
    }
    order
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= ROUNDING * a.abs().max(b.abs()).max(1.0)
}

/// The first and last rank that each target may claim, given targets from the best to the worst.
fn places(scores: &[f64], order: &[usize]) -> Vec<(usize, usize)> {
    let mut places = vec![(0, 0); scores.len()];
    let mut before = 0;
    for run in order.chunk_by(|&a, &b| same(scores[a], scores[b])) {
        for &t in run {
            places[t] = (before + 1, before + run.len());
        }
        before += run.len();
    }
    places
}

/// The test of every pair, in the order of [`all_pairs`].
fn tests(matrix: &Matrix, order: &[usize]) -> Vec<PairTest> {
    let pairs: Vec<(usize, usize)> = all_pairs(order.len()).collect();
    let p: Vec<Option<f64>> = pairs.par_iter().map(|&(i, j)| matrix.p_two_sided(order[i], order[j])).collect();
    let known: Vec<f64> = p.iter().copied().flatten().collect();
    // Without any p value there is nothing to adjust, and nobody is told apart.
    let mut adjusted = stats::holm(&known).unwrap_or_default().into_iter();
    let name = |at: usize| matrix.targets[order[at]].clone();
    let test = |((i, j), p): ((usize, usize), Option<f64>)| {
        let p_holm = p.and_then(|_| adjusted.next());
        PairTest { first: name(i), second: name(j), p, p_holm }
    };
    pairs.into_iter().zip(p).map(test).collect()
}

/// The scores of every target on resamples of the clusters.
struct Resampled {
    /// By target and resample.
    scores: Vec<Vec<f64>>,
}

impl Resampled {
    fn new(matrix: &Matrix, seed: u64) -> Result<Self, NotComparable> {
        let stream = DigestBuilder::new("goldgate.stream/1").field(&seed.to_le_bytes()).field(b"rank resamples");
        let seed = stream.finish().seed();
        let mut scores = stats::resampled_column_means(&matrix.columns(), stats::DEFAULT_RESAMPLES, seed)?;
        let sizes = scores.pop().unwrap_or_default();
        for column in &mut scores {
            for (mean, size) in column.iter_mut().zip(&sizes) {
                *mean = matrix.turned(*mean / size);
            }
        }
        Ok(Self { scores })
    }

    fn resamples(&self) -> usize {
        self.scores.first().map_or(0, Vec::len)
    }

    /// The scores of one resample by target.
    fn row<'a>(&self, r: usize, row: &'a mut Vec<f64>) -> &'a [f64] {
        row.clear();
        row.extend(self.scores.iter().map(|column| column[r]));
        row
    }

    fn rank_intervals(&self, observed: &[(usize, usize)]) -> Result<Vec<Interval>, NotComparable> {
        let n = self.scores.len();
        // How often each target had each rank, as the first and as the last that it could claim.
        let (mut firsts, mut lasts) = (vec![vec![0_usize; n + 1]; n], vec![vec![0_usize; n + 1]; n]);
        let (mut row, mut order) = (Vec::new(), (0..n).collect::<Vec<_>>());
        for r in 0..self.resamples() {
            let row = self.row(r, &mut row);
            order.sort_unstable_by(|&a, &b| row[b].total_cmp(&row[a]));
            for (t, (first, last)) in places(row, &order).into_iter().enumerate() {
                firsts[t][first] += 1;
                lasts[t][last] += 1;
            }
        }
        // The k-th smallest and the k-th largest, k = tail (B + 1): of 9,999 resamples the 250th.
        let tail = 0.5 * (1.0 - RANK_LEVEL) * (self.resamples() as f64 + 1.0);
        let k = (tail.round() as usize).max(1);
        let kth = |counts: &[usize], from_the_end: bool| {
            let mut seen = 0;
            (0..counts.len()).map(|i| if from_the_end { counts.len() - 1 - i } else { i }).find(|&rank| {
                seen += counts[rank];
                seen >= k
            })
        };
        (0..n)
            .map(|t| {
                let (first, last) = observed[t];
                let lower = kth(&firsts[t], false).unwrap_or(first).min(first);
                let upper = kth(&lasts[t], true).unwrap_or(last).max(last);
                Interval::new(lower as f64, upper as f64, RANK_LEVEL)
                    .map_err(|e| NotComparable { reason: e.to_string() })
            })
            .collect()
    }

    /// What the best of some targets shows on a resample beyond its own score, on average; never below 0, which it is in expectation.
    fn optimism(&self, scores: &[f64], eligible: &[usize]) -> f64 {
        let excess = |r: usize| {
            let chosen = eligible
                .iter()
                .copied()
                .reduce(|best, t| if self.scores[t][r] > self.scores[best][r] { t } else { best });
            chosen.map_or(0.0, |t| self.scores[t][r] - scores[t])
        };
        let total: f64 = (0..self.resamples()).map(excess).sum();
        (total / self.resamples().max(1) as f64).max(0.0)
    }
}

fn best(
    matrix: &Matrix,
    scores: &[f64],
    order: &[usize],
    resampled: &Resampled,
    baseline: &TargetName,
) -> Option<Best> {
    let base = matrix.targets.iter().position(|t| t == baseline)?;
    // In the order of the ranking, so that a tie on a resample goes to the same one whatever the order of the candidates.
    let eligible: Vec<usize> = order.iter().copied().filter(|&t| t != base).collect();
    let chosen = *eligible.first().filter(|_| eligible.len() > 1)?;
    let shrunken = scores[chosen] - resampled.optimism(scores, &eligible);
    let (from, value, shrunken_value) =
        (matrix.value(scores[base]), matrix.value(scores[chosen]), matrix.value(shrunken));
    Some(Best {
        candidate: matrix.targets[chosen].clone(),
        of: eligible.len(),
        value,
        change: matrix.change(from, value),
        shrunken_value,
        shrunken_change: matrix.change(from, shrunken_value),
    })
}
