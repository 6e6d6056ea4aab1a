//! The heavy statistics at full size, one work per process: what `benches/against_scipy.sh` measures beside scipy.
//!
//! `heavy WORK FILE REPEATS [RESAMPLES]` reads FILE, does the work REPEATS times and prints one JSON object: the seconds of
//! each time (without reading), the peak of resident memory, and the answer. FILE holds 64-bit floats, little-endian: first
//! the number of columns, then the columns one after the other. Without arguments it says so and does nothing.

use goldgate::stats::{self, ClusterCounts, PairedCounts, StatsError};
use goldgate::types::Interval;
use std::error::Error;
use std::time::Instant;

/// The two-sided level of every interval: a gate's, at alpha 0.05.
const LEVEL: f64 = 0.9;

/// The seed of every resampling.
const SEED: u64 = 20_260_301;

/// The margin of every test of non-inferiority.
const MARGIN: f64 = 0.05;

type Answer = Result<Vec<f64>, StatsError>;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds a flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [work, file, repeats, rest @ ..] = arguments.as_slice() else {
        println!("usage: heavy WORK FILE REPEATS [RESAMPLES]; benches/against_scipy.sh does all of it");
        return Ok(());
    };
    let resamples: usize = rest.first().map_or(Ok(stats::DEFAULT_RESAMPLES), |r| r.parse())?;
    let columns = read(file)?;
    let work = prepare(work, &columns, resamples)?;
    let mut seconds = Vec::new();
    let mut answer = Vec::new();
    for _ in 0..repeats.parse::<usize>()? {
        let start = Instant::now();
        answer = work()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    println!(
        "{}",
        serde_json::json!({ "seconds": seconds, "peak-rss-kib": peak_rss_kib(), "answer": answer,
            "threads": rayon::current_num_threads() })
    );
    Ok(())
}

fn read(file: &str) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let bytes = std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let (words, rest) = bytes.as_chunks::<8>();
    let [count, numbers @ ..] = words else { return Err(format!("{file} is empty").into()) };
    let count = f64::from_le_bytes(*count) as usize;
    if count == 0 || !numbers.len().is_multiple_of(count) || !rest.is_empty() {
        return Err(format!("{file} does not hold {count} columns of equal length").into());
    }
    let column = |c: &[[u8; 8]]| c.iter().map(|b| f64::from_le_bytes(*b)).collect();
    Ok(numbers.chunks((numbers.len() / count).max(1)).map(column).collect())
}

/// The work by its name, with everything but the work itself already done.
fn prepare<'a>(
    work: &str,
    columns: &'a [Vec<f64>],
    resamples: usize,
) -> Result<Box<dyn Fn() -> Answer + 'a>, Box<dyn Error>> {
    let d = columns[0].as_slice();
    Ok(match work {
        "bca-columns" => Box::new(move || {
            let bounds = stats::bca_columns(columns, resamples, SEED, LEVEL)?;
            bounds.into_iter().try_fold(Vec::new(), |all, b| Ok([all, limits(b?.1.interval)].concat()))
        }),
        "bca" => Box::new(move || Ok(limits(stats::bca_mean(d, resamples, SEED, LEVEL)?.1.interval))),
        "studentised" => Box::new(move || Ok(limits(stats::studentised_bootstrap_mean(d, resamples, SEED, LEVEL)?))),
        "sign-flip" => Box::new(move || {
            let t = stats::sign_flip_random(d, resamples, SEED)?;
            Ok(vec![t.p_greater, t.p_less, t.p_two_sided])
        }),
        "wilcoxon" => Box::new(move || {
            let t = stats::wilcoxon(d, stats::Zeros::Pratt)?;
            Ok(vec![t.w_plus, t.p_greater, t.p_two_sided])
        }),
        "gaffke-bound" => Box::new(move || Ok(vec![stats::gaffke_lower_bound(d, -1.0, 0.5 * (1.0 - LEVEL))?])),
        "gaffke-p" => Box::new(move || Ok(vec![stats::gaffke_p_above(d, -1.0, -MARGIN)?])),
        "gaffke-saddlepoint" => Box::new(move || Ok(vec![stats::gaffke_p_saddlepoint(d, -1.0, -MARGIN)?])),
        "tango" => Box::new(move || {
            // Counting the million outcomes is part of the work.
            let count = |wanted: f64| d.iter().filter(|&&x| x == wanted).count() as u64;
            let (gained, lost) = (count(1.0), count(-1.0));
            let counts = PairedCounts { both: d.len() as u64 - gained - lost, gained, lost, neither: 0 };
            let p = stats::tango_test(&counts, -MARGIN)?.p_above;
            Ok([limits(stats::tango_interval(&counts, LEVEL)?), vec![p]].concat())
        }),
        "tango-clustered" => {
            let [gained, lost, pairs] = columns else { return Err("tango-clustered needs three columns".into()) };
            let clusters: Vec<ClusterCounts> = (0..pairs.len())
                .map(|i| ClusterCounts { gained: gained[i] as u64, lost: lost[i] as u64, pairs: pairs[i] as u64 })
                .collect();
            Box::new(move || {
                let t = stats::tango_clustered(&clusters)?;
                Ok([limits(t.interval(LEVEL)?), vec![t.test(-MARGIN)?.p_above, t.design_effect, t.df]].concat())
            })
        }
        "cluster-mean" => {
            let [d, labels] = columns else { return Err("cluster-mean needs two columns".into()) };
            let labels: Vec<usize> = labels.iter().map(|&l| l as usize).collect();
            Box::new(move || {
                let m = stats::cluster_mean(d, &labels)?;
                Ok([limits(m.interval(LEVEL)?), vec![m.se_cr2, m.df]].concat())
            })
        }
        other => return Err(format!("no work is called {other}").into()),
    })
}

fn limits(interval: Interval) -> Vec<f64> {
    vec![interval.lower(), interval.upper()]
}

/// The peak of resident memory so far, where the system tells it.
fn peak_rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
