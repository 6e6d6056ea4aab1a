//! Rates of the heavy statistics at sizes that repeat quickly; the full sizes are `benches/against_scipy.sh`'s.
//!
//! `cargo bench --bench stats`. One element is one row drawn, one sign turned or one observation.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use goldgate::stats::{
    ClusterCounts, RatingScale, Zeros, bca_columns, bca_mean, cluster_mean, gaffke_lower_bound, gaffke_p_above,
    hodges_lehmann, krippendorff_interval, sign_flip_random, studentised_bootstrap_mean, tango_clustered, wilcoxon,
};
use goldgate::types::SplitMix64;

const RESAMPLES: usize = 499;
const LEVEL: f64 = 0.9;

/// Paired differences in `[-1, 1]`: most are 0, the rest anywhere.
fn differences(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = SplitMix64::new(seed);
    let draw = |rng: &mut SplitMix64| if rng.unit() < 0.7 { 0.0 } else { 2.0 * rng.unit() - 1.0 };
    (0..n).map(|_| draw(&mut rng)).collect()
}

fn resampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("resampling");
    group.sample_size(20);
    for n in [1_000, 10_000] {
        let columns: Vec<Vec<f64>> = (0..20).map(|k| differences(n, k)).collect();
        let d = &columns[0];
        group.throughput(Throughput::Elements((n * RESAMPLES) as u64));
        group.bench_function(BenchmarkId::new("bca-columns-20", n), |b| {
            b.iter(|| bca_columns(&columns, RESAMPLES, 1, LEVEL).expect("finite columns"));
        });
        group.bench_function(BenchmarkId::new("bca", n), |b| {
            b.iter(|| bca_mean(d, RESAMPLES, 1, LEVEL).expect("finite differences"));
        });
        group.bench_function(BenchmarkId::new("studentised", n), |b| {
            b.iter(|| studentised_bootstrap_mean(d, RESAMPLES, 1, LEVEL).expect("differences that vary"));
        });
        group.bench_function(BenchmarkId::new("sign-flip", n), |b| {
            b.iter(|| sign_flip_random(d, RESAMPLES, 1).expect("finite differences"));
        });
        let grade = |d: &f64| Some((2.0 * d).round());
        let ratings: Vec<Vec<Option<f64>>> = columns[..3].iter().map(|c| c.iter().map(grade).collect()).collect();
        group.bench_function(BenchmarkId::new("krippendorff-interval", n), |b| {
            b.iter(|| krippendorff_interval(&ratings, RatingScale::Ordinal, RESAMPLES, 1, LEVEL).expect("ratings"));
        });
    }
    group.finish();
}

fn large_samples(c: &mut Criterion) {
    let mut group = c.benchmark_group("large");
    group.sample_size(20);
    for n in [10_000, 100_000] {
        let d = differences(n, 7);
        let labels: Vec<usize> = (0..n).map(|i| i / 4).collect();
        let count = |d: &[f64], wanted: f64| d.iter().filter(|&&x| x * wanted > 0.0).count() as u64;
        let clusters: Vec<ClusterCounts> = d
            .chunks(4)
            .map(|d| ClusterCounts { gained: count(d, 1.0), lost: count(d, -1.0), pairs: d.len() as u64 })
            .collect();
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("gaffke-bound", n), |b| {
            b.iter(|| gaffke_lower_bound(&d, -1.0, 0.05).expect("differences in range"));
        });
        group.bench_function(BenchmarkId::new("gaffke-p", n), |b| {
            b.iter(|| gaffke_p_above(&d, -1.0, -0.005).expect("differences in range"));
        });
        group.bench_function(BenchmarkId::new("tango-clustered", n), |b| {
            b.iter(|| tango_clustered(&clusters).and_then(|t| t.interval(LEVEL)).expect("clusters"));
        });
        group.bench_function(BenchmarkId::new("cluster-mean", n), |b| {
            b.iter(|| cluster_mean(&d, &labels).and_then(|m| m.interval(LEVEL)).expect("clusters"));
        });
        group.bench_function(BenchmarkId::new("wilcoxon", n), |b| {
            b.iter(|| wilcoxon(&d, Zeros::Pratt).expect("finite differences"));
        });
        group.bench_function(BenchmarkId::new("hodges-lehmann", n), |b| {
            b.iter(|| hodges_lehmann(&d, LEVEL).expect("finite differences"));
        });
    }
    group.finish();
}

criterion_group!(benches, resampling, large_samples);
criterion_main!(benches);
