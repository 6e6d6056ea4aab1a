//! Laws that every statistic of the gate must obey, on random input.

use goldgate::stats::{
    ClusterCounts, Discordance, EXACT_LIMIT, KappaWeights, MixtureProcess, PairedCounts, RatingScale, Zeros, bca_mean,
    benjamini_hochberg, clopper_pearson_interval, cluster_mean, cohen_kappa, cuped, gaffke_interval,
    gaffke_lower_bound, gaffke_p_above, gaffke_p_below, hodges_lehmann, holm, krippendorff_alpha,
    krippendorff_interval, log_ratio_t, mcnemar, median_ratio, newcombe_interval, noninferiority_margin,
    noninferiority_n, noninferiority_power_exact, ordinal_superiority, paired_t, quantile_interval, quantile_ratio,
    ratio_below_p, ratio_of_totals, sign_flip, simulated_power, studentised_bootstrap_mean, tango_clustered,
    tango_interval, tango_test, tost, wilcoxon,
};
use goldgate::types::SplitMix64;
use proptest::prelude::*;

const LEVEL: f64 = 0.90;
const ALPHA: f64 = 0.05;

fn table() -> impl Strategy<Value = PairedCounts> {
    (0..200u64, 0..60u64, 0..60u64, 0..60u64)
        .prop_filter("a table has a prompt", |t| t.0 + t.1 + t.2 + t.3 > 0)
        .prop_map(|(both, gained, lost, neither)| PairedCounts { both, gained, lost, neither })
}

/// Differences in `[-1, 1]` with ties, as judges give them, or without.
fn differences() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        proptest::collection::vec((-4..=4i32).prop_map(|k| f64::from(k) / 4.0), 2..60),
        proptest::collection::vec(-1.0..1.0f64, 2..60),
    ]
}

fn amounts() -> impl Strategy<Value = Vec<(f64, f64)>> {
    proptest::collection::vec((1.0..1000.0f64, 1.0..1000.0f64), 3..40)
}

fn clusters() -> impl Strategy<Value = Vec<ClusterCounts>> {
    let one = (0..4u64, 0..4u64, 1..5u64).prop_map(|(gained, lost, rest)| ClusterCounts {
        gained,
        lost,
        pairs: gained + lost + rest,
    });
    proptest::collection::vec(one, 3..40)
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

fn shuffled<T: Clone>(items: &[T], seed: u64) -> Vec<T> {
    let mut items = items.to_vec();
    SplitMix64::new(seed).shuffle(&mut items);
    items
}

fn negated(d: &[f64]) -> Vec<f64> {
    d.iter().map(|x| -x).collect()
}

proptest! {
    #[test]
    fn swapping_the_models_mirrors_a_paired_table(t in table(), margin in 0.001..0.5f64) {
        for interval in [tango_interval, newcombe_interval] {
            let (own, swapped) = (interval(&t, LEVEL).unwrap(), interval(&t.swapped(), LEVEL).unwrap().mirrored());
            prop_assert!(near(own.lower(), swapped.lower()) && near(own.upper(), swapped.upper()));
        }
        let (own, swapped) = (tango_test(&t, -margin).unwrap(), tango_test(&t.swapped(), margin).unwrap());
        prop_assert!(near(own.p_above, swapped.p_below));
        let (own, swapped) = (mcnemar(t.gained, t.lost), mcnemar(t.lost, t.gained));
        prop_assert!(near(own.midp_greater, swapped.midp_less) && near(own.midp_two_sided, swapped.midp_two_sided));
    }

    #[test]
    fn a_paired_interval_holds_its_estimate_and_stays_on_the_scale(t in table()) {
        let i = tango_interval(&t, LEVEL).unwrap();
        let d = t.difference().unwrap();
        prop_assert!(-1.0 <= i.lower() && i.lower() <= d && d <= i.upper() && i.upper() <= 1.0);
        prop_assert!(i.lower() < i.upper());
    }

    #[test]
    fn a_larger_margin_never_turns_met_to_unmet(t in table(), d in differences(), a in 0.001..0.9f64, b in 0.001..0.9f64) {
        let (small, large) = (a.min(b), a.max(b));
        let tango = |m: f64| tango_test(&t, -m).unwrap().p_above;
        prop_assert!(tango(large) <= tango(small) + 1e-12);
        let gaffke = |m: f64| gaffke_p_above(&d, -1.0, -m).unwrap();
        prop_assert!(gaffke(large) <= gaffke(small) + 1e-9);
        if let (Ok(small), Ok(large)) = (tost(&d, -small, small), tost(&d, -large, large)) {
            prop_assert!(large.p <= small.p + 1e-12);
        }
    }

    #[test]
    fn a_worst_case_observation_never_helps(t in table(), d in differences(), margin in 0.01..0.5f64) {
        let worse = PairedCounts { lost: t.lost + 1, ..t };
        prop_assert!(tango_test(&worse, -margin).unwrap().p_above >= tango_test(&t, -margin).unwrap().p_above - 1e-12);
        let mut worse = d.clone();
        worse.push(-1.0);
        prop_assert!(gaffke_lower_bound(&worse, -1.0, ALPHA).unwrap() <= gaffke_lower_bound(&d, -1.0, ALPHA).unwrap() + 1e-8);
    }

    #[test]
    fn the_order_of_the_cases_changes_nothing(d in differences(), pairs in amounts(), k in clusters(), seed: u64) {
        let shuffle = shuffled(&d, seed);
        let (a, b) = (gaffke_interval(&d, -1.0, 1.0, LEVEL).unwrap(), gaffke_interval(&shuffle, -1.0, 1.0, LEVEL).unwrap());
        prop_assert!((a.lower() - b.lower()).abs() < 1e-8 && (a.upper() - b.upper()).abs() < 1e-8);
        if let (Ok(a), Ok(b)) = (paired_t(&d, 0.0, LEVEL), paired_t(&shuffle, 0.0, LEVEL)) {
            prop_assert!(near(a.interval.lower(), b.interval.lower()) && near(a.p_greater, b.p_greater));
        }
        let (a, b) = (tango_clustered(&k).unwrap(), tango_clustered(&shuffled(&k, seed)).unwrap());
        prop_assert!(near(a.interval(LEVEL).unwrap().lower(), b.interval(LEVEL).unwrap().lower()));
        let (t, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (ts, bs): (Vec<f64>, Vec<f64>) = shuffled(&pairs, seed).into_iter().unzip();
        let fieller = |t: &[f64], b: &[f64]| ratio_of_totals(t, b).unwrap().fieller_interval(LEVEL).unwrap();
        prop_assert!(near(fieller(&t, &b).lower(), fieller(&ts, &bs).lower()));
        prop_assert_eq!(quantile_ratio(&t, &b, 0.5, LEVEL).unwrap(), quantile_ratio(&ts, &bs, 0.5, LEVEL).unwrap());
    }

    #[test]
    fn turning_the_sign_mirrors_a_score(d in differences()) {
        let a = gaffke_interval(&d, -1.0, 1.0, LEVEL).unwrap();
        let b = gaffke_interval(&negated(&d), -1.0, 1.0, LEVEL).unwrap().mirrored();
        prop_assert_eq!(a, b);
        let (p, q) = (gaffke_p_above(&d, -1.0, -0.1).unwrap(), gaffke_p_below(&negated(&d), 1.0, 0.1).unwrap());
        prop_assert_eq!(p, q);
        if let Ok(t) = paired_t(&d, 0.0, LEVEL) {
            let m = paired_t(&negated(&d), 0.0, LEVEL).unwrap();
            prop_assert!(near(t.interval.lower(), m.interval.mirrored().lower()) && near(t.p_greater, m.p_less));
        }
        let labels: Vec<usize> = (0..d.len()).map(|i| i / 2).collect();
        if let Ok(Ok(i)) = cluster_mean(&d, &labels).map(|m| m.interval(LEVEL)) {
            let m = cluster_mean(&negated(&d), &labels).unwrap().interval(LEVEL).unwrap();
            prop_assert!(near(i.lower(), m.mirrored().lower()));
        }
    }

    #[test]
    fn exchanging_the_models_inverts_a_ratio(pairs in amounts()) {
        let (t, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let (own, swapped) = (log_ratio_t(&t, &b, 1.0, LEVEL).unwrap(), log_ratio_t(&b, &t, 1.0, LEVEL).unwrap());
        prop_assert!(near(own.interval.lower() * swapped.interval.upper(), 1.0));
        let own = ratio_of_totals(&t, &b).unwrap().fieller_interval(LEVEL).unwrap();
        let swapped = ratio_of_totals(&b, &t).unwrap().fieller_interval(LEVEL).unwrap();
        if own.lower() > 0.0 && swapped.lower() > 0.0 {
            prop_assert!(near(own.lower() * swapped.upper(), 1.0));
        }
        if own.upper().is_finite() {
            prop_assert!((ratio_below_p(&t, &b, own.upper()).unwrap() - ALPHA).abs() < 1e-9);
        }
    }

    #[test]
    fn counting_every_pair_again_is_no_new_evidence(k in clusters(), d in differences(), copies in 2..4u64) {
        let labels: Vec<usize> = (0..d.len()).map(|i| i / 2).collect();
        if let Ok(Ok(once)) = cluster_mean(&d, &labels).map(|m| m.interval(LEVEL)) {
            let again = cluster_mean(&[&d[..], &d[..]].concat(), &[&labels[..], &labels[..]].concat()).unwrap();
            let again = again.interval(LEVEL).unwrap();
            prop_assert!(near(once.lower(), again.lower()) && near(once.upper(), again.upper()));
        }
        let more: Vec<ClusterCounts> = k
            .iter()
            .map(|c| ClusterCounts { gained: c.gained * copies, lost: c.lost * copies, pairs: c.pairs * copies })
            .collect();
        let (once, again) = (tango_clustered(&k).unwrap(), tango_clustered(&more).unwrap());
        let (once, again) = (once.interval(LEVEL).unwrap(), again.interval(LEVEL).unwrap());
        prop_assert!(again.lower() <= once.lower() + 1e-9 && again.upper() >= once.upper() - 1e-9);
    }

    #[test]
    fn a_nan_anywhere_is_an_error(mut d in differences(), at: prop::sample::Index, bad in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY])) {
        let at = at.index(d.len());
        d[at] = bad;
        let labels: Vec<usize> = (0..d.len()).collect();
        prop_assert!(gaffke_interval(&d, -1.0, 1.0, LEVEL).is_err());
        prop_assert!(gaffke_p_above(&d, -1.0, -0.05).is_err());
        prop_assert!(paired_t(&d, 0.0, LEVEL).is_err());
        prop_assert!(tost(&d, -0.1, 0.1).is_err());
        prop_assert!(cluster_mean(&d, &labels).is_err());
        prop_assert!(ratio_of_totals(&d, &vec![1.0; d.len()]).is_err());
        prop_assert!(quantile_interval(&d, 0.5, LEVEL).is_err());
        prop_assert!(holm(&d).is_err() && benjamini_hochberg(&d).is_err());
    }

    #[test]
    fn adjusted_p_values_keep_the_order_and_never_shrink(p in proptest::collection::vec(0.0..=1.0f64, 1..30)) {
        for adjusted in [holm(&p).unwrap(), benjamini_hochberg(&p).unwrap()] {
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }

    #[test]
    fn an_exact_interval_inverts_the_exact_test(n in 1..3000u64, share in 0.0..=1.0f64) {
        let x = ((n as f64) * share) as u64;
        let i = clopper_pearson_interval(x, n, LEVEL).unwrap();
        let cdf = |k: u64, p: f64| goldgate::stats::binomial_cdf(k, n, p).unwrap();
        if x < n {
            prop_assert!((cdf(x, i.upper()) / ALPHA - 1.0).abs() < 1e-9);
        }
        if x > 0 {
            prop_assert!(((1.0 - cdf(x - 1, i.lower())) / ALPHA - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn rank_and_sign_tests_mirror_and_know_no_order(d in differences(), seed: u64) {
        let (own, mirrored) = (sign_flip(&d, 99, 1).unwrap(), sign_flip(&negated(&d), 99, 1).unwrap());
        prop_assert!(d.len() > EXACT_LIMIT || own.p_greater == mirrored.p_less);
        for zeros in [Zeros::Pratt, Zeros::Drop] {
            let (own, mirrored) = (wilcoxon(&d, zeros).unwrap(), wilcoxon(&negated(&d), zeros).unwrap());
            prop_assert!(near(own.p_greater, mirrored.p_less) && near(own.p_two_sided, mirrored.p_two_sided));
            prop_assert_eq!(own, wilcoxon(&shuffled(&d, seed), zeros).unwrap());
        }
        let (own, mirrored) = (hodges_lehmann(&d, LEVEL).unwrap(), hodges_lehmann(&negated(&d), LEVEL).unwrap());
        prop_assert_eq!(own.interval, mirrored.interval.mirrored());
        prop_assert!(own.interval.lower() <= own.estimate && own.estimate <= own.interval.upper());
    }

    #[test]
    fn a_loss_is_never_evidence_for_a_pass(d in differences(), margin in 0.0..0.5f64) {
        for population in [None, Some(d.len() as u64 + 1)] {
            let mut process = MixtureProcess::new(margin, population).unwrap();
            for x in &d {
                process.push(*x).unwrap();
            }
            let (above, below) = (process.log_wealth_above(), process.log_wealth_below());
            process.push(-1.0).unwrap();
            // A suite that was decided before this prompt stays decided whatever it brings.
            prop_assert!(process.log_wealth_above() <= above || process.log_wealth_above() == f64::INFINITY);
            prop_assert!(process.log_wealth_below() >= below || process.log_wealth_above() == f64::INFINITY);
        }
    }

    #[test]
    fn preferences_and_grades_mirror(d in differences(), base in differences()) {
        let n = d.len().min(base.len());
        let (a, b) = (&d[..n], &base[..n]);
        let own = ordinal_superiority(a, b, LEVEL).unwrap();
        let swapped = ordinal_superiority(b, a, LEVEL).unwrap();
        prop_assert!(near(own.superiority + swapped.superiority, 1.0));
        prop_assert!(near(own.interval.lower() + swapped.interval.upper(), 1.0));
    }

    #[test]
    fn agreement_does_not_depend_on_who_is_first(a in proptest::collection::vec(0..4usize, 6..40), seed: u64) {
        let b = shuffled(&a, seed);
        for weights in [KappaWeights::None, KappaWeights::Linear, KappaWeights::Quadratic] {
            if let (Ok(own), Ok(swapped)) = (cohen_kappa(&a, &b, 4, weights), cohen_kappa(&b, &a, 4, weights)) {
                prop_assert!(near(own.coefficient, swapped.coefficient) && near(own.se, swapped.se));
                prop_assert!(own.coefficient <= 1.0 + 1e-12);
            }
        }
        let rows = |x: &[usize]| x.iter().map(|&v| Some(v as f64)).collect::<Vec<_>>();
        for scale in [RatingScale::Nominal, RatingScale::Ordinal, RatingScale::Interval] {
            let own = krippendorff_alpha(&[rows(&a), rows(&b)], scale);
            let swapped = krippendorff_alpha(&[rows(&b), rows(&a)], scale);
            if let (Ok(own), Ok(swapped)) = (own, swapped) {
                prop_assert!(near(own, swapped));
            }
        }
    }

    #[test]
    fn more_prompts_and_more_margin_give_more_power(psi in 0.02..0.5f64, n in 30..400u64, margin in 0.02..0.3f64) {
        let truth = Discordance::from_difference(psi, 0.0).unwrap();
        let power = |n, margin| noninferiority_power_exact(n, truth, margin, ALPHA).unwrap();
        prop_assert!(power(n, margin) <= power(n, margin + 0.05) + 1e-12);
        prop_assert!(power(n, margin) <= power(4 * n, margin) + 0.02);
        let formula = noninferiority_n(psi, 0.0, margin, ALPHA, 0.8).unwrap();
        let resolved = noninferiority_margin(formula.ceil() as u64, psi, 0.0, ALPHA, 0.8).unwrap();
        prop_assert!(resolved <= margin + 1e-12);
    }

    #[test]
    fn moving_every_score_moves_the_estimate(d in differences(), shift in -1.0..1.0f64) {
        let moved: Vec<f64> = d.iter().map(|x| x + shift).collect();
        if let (Ok((_, own)), Ok((_, other))) = (bca_mean(&d, 199, 5, LEVEL), bca_mean(&moved, 199, 5, LEVEL)) {
            prop_assert!((own.interval.lower() + shift - other.interval.lower()).abs() < 1e-9);
        }
        let covariate: Vec<f64> = (0..d.len()).map(|i| ((i * 7) % 5) as f64).collect();
        if let (Ok(own), Ok(other)) = (cuped(&d, &covariate, 2.0), cuped(&moved, &covariate, 2.0)) {
            prop_assert!((own.adjusted.mean + shift - other.adjusted.mean).abs() < 1e-9);
            prop_assert!((own.adjusted.se - other.adjusted.se).abs() < 1e-9);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut rng = SplitMix64::new(11);
    // Long enough that blocks, tasks and the power sums of Gaffke's bound all come in more than one part.
    let d: Vec<f64> = (0..70_000).map(|_| if rng.unit() < 0.7 { 0.0 } else { 2.0 * rng.unit() - 1.0 }).collect();
    let labels: Vec<usize> = (0..d.len()).map(|i| i * 7 % 20_000).collect();
    let count = |d: &[f64], sign: f64| d.iter().filter(|&&x| x * sign > 0.0).count() as u64;
    let counts = |d: &[f64]| ClusterCounts { gained: count(d, 1.0), lost: count(d, -1.0), pairs: d.len() as u64 };
    let clusters: Vec<ClusterCounts> = d.chunks(2).map(counts).collect();
    let few = &d[..500];
    let ratings: Vec<Vec<Option<f64>>> =
        [0, 500, 1_000].map(|from| d[from..from + 500].iter().map(|x| Some((2.0 * x).round())).collect()).to_vec();
    let all = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (boot, bca) = bca_mean(few, 1_999, 5, LEVEL).unwrap();
            let passes = |d: &[f64]| Ok(paired_t(d, -0.05, LEVEL)?.p_greater <= ALPHA);
            let t = tango_clustered(&clusters).unwrap();
            (
                (boot, bca, studentised_bootstrap_mean(few, 1_999, 5, LEVEL).unwrap()),
                median_ratio(&[1.0, 2.5, 3.0, 7.0], &[2.0, 2.0, 1.5, 4.0], 999, 5, LEVEL).unwrap(),
                krippendorff_interval(&ratings, RatingScale::Ordinal, 299, 5, LEVEL).unwrap(),
                simulated_power(few, 300, 199, 5, passes).unwrap(),
                (wilcoxon(&d, Zeros::Pratt).unwrap(), gaffke_lower_bound(&d, -1.0, ALPHA).unwrap()),
                (cluster_mean(&d, &labels).unwrap(), t.interval(LEVEL).unwrap(), t),
            )
        })
    };
    let one = all(1);
    for threads in [2, 4] {
        assert!(all(threads) == one, "on {threads} threads");
    }
}
