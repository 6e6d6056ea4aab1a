//! The error rates of the gate's own tests, by exact enumeration where the outcome is binary and by seeded simulation
//! elsewhere: the same bounds as section 14 of the design page.

use goldgate::stats::{
    Discordance, Look, MixtureProcess, PairedCounts, SplitDesign, gaffke_p_above, mcnemar_power,
    noninferiority_power_exact, paired_t, tango_interval, tango_test, wilson_interval,
};
use goldgate::types::SplitMix64;

const ALPHA: f64 = 0.05;

fn ln_factorials(n: usize) -> Vec<f64> {
    let mut table = vec![0.0; n + 1];
    for i in 1..=n {
        table[i] = table[i - 1] + (i as f64).ln();
    }
    table
}

#[test]
fn a_binary_loss_at_the_margin_passes_at_most_as_often_as_alpha_says() {
    for n in [60, 100, 300, 1_000] {
        for psi in [0.05, 0.1, 0.2, 0.3] {
            let truth = Discordance::from_difference(psi, -0.05).unwrap();
            let size = noninferiority_power_exact(n, truth, 0.05, ALPHA).unwrap();
            assert!(size <= 0.055, "n {n} psi {psi}: {size}");
        }
    }
}

#[test]
fn the_midp_test_keeps_its_size() {
    for n in [30, 100, 300, 1_000] {
        for psi in [0.02, 0.05, 0.1, 0.2, 0.3] {
            let truth = Discordance::from_difference(psi, 0.0).unwrap();
            let power = mcnemar_power(n, truth, ALPHA).unwrap();
            assert!(power.midp_two_sided <= 0.0498 && power.exact_two_sided <= 0.044, "n {n} psi {psi}: {power:?}");
        }
    }
}

#[test]
fn a_tango_interval_covers() {
    let z_free = |n: u64, psi: f64, difference: f64| {
        let truth = Discordance::from_difference(psi, difference).unwrap();
        let table = ln_factorials(n as usize);
        let (g, l, k) = (truth.gained.ln(), truth.lost.ln(), (1.0 - psi).ln());
        let mut covered = 0.0;
        for lost in 0..=n {
            for gained in 0..=n - lost {
                let kept = n - lost - gained;
                let ln = table[n as usize] - table[gained as usize] - table[lost as usize] - table[kept as usize]
                    + gained as f64 * g
                    + lost as f64 * l
                    + kept as f64 * k;
                if ln < -45.0 {
                    continue;
                }
                let i = tango_interval(&PairedCounts { both: kept, gained, lost, neither: 0 }, 0.95).unwrap();
                if i.lower() <= difference && difference <= i.upper() {
                    covered += ln.exp();
                }
            }
        }
        covered
    };
    for n in [30, 100, 300] {
        for (psi, difference) in [(0.05, 0.0), (0.1, 0.0), (0.3, 0.0), (0.06, -0.05), (0.2, -0.05), (0.3, 0.1)] {
            let coverage = z_free(n, psi, difference);
            assert!(coverage >= 0.940, "n {n} psi {psi} difference {difference}: {coverage}");
        }
    }
}

/// One difference: a catastrophe now and then, else near 0; the mean is exactly `-margin`.
fn catastrophe(rng: &mut SplitMix64, rate: f64, margin: f64) -> f64 {
    let rest = (rate - margin) / (1.0 - rate);
    if rng.unit() < rate { -1.0 } else { rest + 0.02 * (rng.unit() - 0.5) }
}

#[test]
fn disasters_not_seen_yet_do_not_pass() {
    let mut rng = SplitMix64::new(20_260_301);
    for (n, rate, t_fails) in [(30, 0.03, true), (100, 0.03, true), (30, 0.01, true), (300, 0.01, true)] {
        let replicates = 600;
        let (mut gaffke, mut student) = (0, 0);
        for _ in 0..replicates {
            let d: Vec<f64> = (0..n).map(|_| catastrophe(&mut rng, rate, 0.05)).collect();
            gaffke += u32::from(gaffke_p_above(&d, -1.0, -0.05).unwrap() <= ALPHA);
            student += u32::from(paired_t(&d, -0.05, 0.9).unwrap().p_greater <= ALPHA);
        }
        let (gaffke, student) = (f64::from(gaffke) / 600.0, f64::from(student) / 600.0);
        assert!(gaffke <= 0.05 + 3.0 * (0.05_f64 * 0.95 / 600.0).sqrt(), "n {n} rate {rate}: {gaffke}");
        assert!(!t_fails || student > 0.09, "n {n} rate {rate}: the t test only fails in {student}");
    }
}

#[test]
fn looking_after_every_prompt_costs_nothing() {
    let mut rng = SplitMix64::new(77);
    let design = SplitDesign::new(ALPHA, 0.05).unwrap();
    let (replicates, planned) = (1_500, 300_u64);
    let mut passed = 0;
    for _ in 0..replicates {
        // Truth exactly at the margin, discordance 0.1.
        let mut process = MixtureProcess::new(0.05, None).unwrap();
        let (mut gained, mut lost) = (0, 0);
        for _ in 0..planned {
            let u = rng.unit();
            let d = if u < 0.025 {
                1.0
            } else if u < 0.1 {
                -1.0
            } else {
                0.0
            };
            gained += u64::from(d > 0.0);
            lost += u64::from(d < 0.0);
            process.push(d).unwrap();
            if design.passes_early(&process) {
                break;
            }
        }
        let seen = process.seen();
        let counts = PairedCounts { both: seen - gained - lost, gained, lost, neither: 0 };
        let at_end = seen == planned && tango_test(&counts, -0.05).unwrap().p_above <= design.final_alpha();
        passed += u64::from(design.passes_early(&process) || at_end);
    }
    let upper = wilson_interval(passed, replicates, 0.997).unwrap();
    assert!(upper.lower() <= ALPHA, "{passed} of {replicates}");
}

#[test]
fn peeking_at_a_fixed_test_does_cost() {
    // The known failure beside it: the ordinary test, asked after every tenth prompt.
    let mut rng = SplitMix64::new(78);
    let mut passed = 0;
    for _ in 0..600 {
        let mut counts = PairedCounts::default();
        for i in 1..=300 {
            let u = rng.unit();
            if u < 0.025 {
                counts.gained += 1;
            } else if u < 0.1 {
                counts.lost += 1;
            } else {
                counts.both += 1;
            }
            if i >= 60 && i % 10 == 0 && tango_test(&counts, -0.05).unwrap().p_above <= ALPHA {
                passed += 1;
                break;
            }
        }
    }
    assert!(passed > 80, "{passed} of 600");
}

#[test]
fn futility_does_not_stop_a_fair_run() {
    let design = SplitDesign::new(ALPHA, 0.05).unwrap();
    let counts = PairedCounts { both: 135, gained: 8, lost: 7, neither: 0 };
    let look = Look {
        seen: counts.n(),
        planned: 300,
        z: tango_test(&counts, -0.05).unwrap().z,
        difference: counts.difference().unwrap(),
        variance: counts.discordance().unwrap(),
    };
    assert!(!design.is_futile(&look).unwrap());
}
