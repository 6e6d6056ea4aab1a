//! Rates of `goldgate compare` behind its files: fifty candidates and a baseline, from samples to the whole table.
//!
//! `cargo bench --bench compare`. One element is one score. Comparisons of a right-or-wrong metric cost little beyond gathering its
//! samples; the rankings add the tests of all pairs of targets and their resamples.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use goldgate::compare::{Asking, Request, compare_all, tabulate};
use goldgate::score::{Sample, Score};
use goldgate::types::{
    CaseId, ClusterName, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, SplitMix64, TargetName,
    Untrusted,
};
use std::collections::BTreeMap;

const TARGETS: usize = 51;
const METRICS: usize = 3;

/// Scores of all targets on the same cases, and all that a request borrows.
struct Field {
    samples: Vec<Sample>,
    metrics: Vec<Metric>,
    slices: Vec<SliceName>,
    targets: Vec<TargetName>,
    margins: BTreeMap<MetricName, f64>,
}

impl Field {
    /// Two slices beside all cases, samples in a random order as a run asks them; later targets are better by up to `spread`.
    fn new(kind: MetricKind, cases: usize, spread: f64, cluster: fn(usize) -> usize) -> Self {
        let mut rng = SplitMix64::new(7);
        let metrics: Vec<Metric> = (0..METRICS)
            .map(|m| Metric {
                name: MetricName::new(&format!("metric-{m}")).expect("a plain word is a name"),
                kind,
                direction: Direction::Higher,
            })
            .collect();
        let slices = ["even", "odd"].map(|s| SliceName::new(s).expect("a plain word is a name"));
        let targets: Vec<TargetName> =
            (0..TARGETS).map(|t| TargetName::new(&format!("target-{t:02}")).expect("a plain word is a name")).collect();
        let mut samples = Vec::new();
        for case in 0..cases {
            let ease = rng.unit();
            for (t, target) in targets.iter().enumerate() {
                let ease = ease + spread * t as f64 / TARGETS as f64;
                let score = |metric: &Metric, u: f64| Score {
                    metric: metric.name.clone(),
                    value: Some(if kind == MetricKind::Bounded { 0.5 * (u + ease) } else { f64::from(u < ease) }),
                    why: Untrusted::default(),
                };
                samples.push(Sample {
                    case: CaseId::new(&format!("case-{case:05}")).expect("a plain word is a name"),
                    cluster: ClusterName::new(&format!("cluster-{:05}", cluster(case)))
                        .expect("a plain word is a name"),
                    slices: vec![slices[case % 2].clone()],
                    target: target.clone(),
                    repeat: 0,
                    outcome: Outcome::Answered,
                    scores: metrics.iter().map(|m| score(m, rng.unit())).collect(),
                });
            }
        }
        rng.shuffle(&mut samples);
        let slices = std::iter::once(SliceName::all()).chain(slices).collect();
        Self { samples, metrics, slices, targets, margins: BTreeMap::new() }
    }

    fn request(&self) -> Request<'_> {
        Request {
            samples: &self.samples,
            metrics: &self.metrics,
            slices: &self.slices,
            baseline: &self.targets[0],
            candidates: &self.targets[1..],
            alpha: 0.05,
            margins: &self.margins,
            seed: 1,
            asking: Asking::ALONE,
        }
    }
}

/// Two cases to a cluster.
fn twins(case: usize) -> usize {
    case / 2
}

/// Families of 1 to 20 cases, in rounds of 210: what limits over better tables work hardest on.
fn families(case: usize) -> usize {
    let size = (1..20).find(|size| case % 210 < size * (size + 1) / 2).unwrap_or(20);
    case / 210 * 20 + size
}

fn fifty_candidates(c: &mut Criterion) {
    let mut group = c.benchmark_group("fifty-candidates");
    group.sample_size(10);
    for cases in [500, 2_000] {
        for (name, kind) in [("binary", MetricKind::Binary), ("bounded", MetricKind::Bounded)] {
            let field = Field::new(kind, cases, 0.0, twins);
            group.throughput(Throughput::Elements((cases * TARGETS * METRICS) as u64));
            group.bench_function(BenchmarkId::new(format!("compare-all-{name}"), cases), |b| {
                b.iter(|| compare_all(field.request()));
            });
            group.bench_function(BenchmarkId::new(format!("tabulate-{name}"), cases), |b| {
                b.iter(|| tabulate(field.request()));
            });
        }
    }
    // Where pairs of targets differ by anything from nothing to far more than chance.
    let (cases, field) = (2_100, Field::new(MetricKind::Binary, 2_100, 0.3, families));
    group.throughput(Throughput::Elements((cases * TARGETS * METRICS) as u64));
    group.bench_function(BenchmarkId::new("tabulate-uneven-families", cases), |b| b.iter(|| tabulate(field.request())));
    group.finish();
}

criterion_group!(benches, fifty_candidates);
criterion_main!(benches);
