//! No input makes a statistic panic, hang or return a NaN: any bit pattern, any size of number, any count.

use goldgate::stats::*;
use proptest::prelude::*;

/// Any double at all, with the troublesome ones often.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e-300,
            1e300,
            0.5,
            1.0 - f64::EPSILON,
        ]),
        -1.0..1.0f64,
    ]
}

/// Finite numbers of any size.
fn finite_sample() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(any_number().prop_filter("finite", |x| x.is_finite()), 0..12)
}

fn any_sample() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(any_number(), 0..8)
}

fn differences() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(
        prop_oneof![-1.0..=1.0f64, prop::sample::select(vec![-1.0, -0.5, 0.0, 0.5, 1.0, 5e-324, -1e-17])],
        1..40,
    )
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..40u64, prop::sample::select(vec![0, 1, 2, u64::MAX, u64::MAX / 2, 1 << 32, 100_000])]
}

/// No NaN in what a function gave; an error is fine.
fn sane<T: std::fmt::Debug>(result: Result<T>) {
    if let Ok(value) = result {
        let text = format!("{value:?}");
        assert!(!text.contains("NaN"), "{text}");
    }
}

proptest! {
    #[test]
    fn samples_of_anything(x in prop_oneof![finite_sample(), any_sample()], y in finite_sample(), p in any_number(), q in any_number()) {
        let labels: Vec<usize> = (0..x.len()).map(|i| i / 2).collect();
        sane(mean(&x));
        sane(standard_deviation(&x));
        sane(skewness(&x));
        sane(paired_t(&x, p, q));
        sane(paired_t(&x, 0.0, 0.9));
        sane(tost(&x, p, q));
        sane(lag1_autocorrelation(&x));
        sane(cluster_mean(&x, &labels).and_then(|m| m.interval(0.9)));
        sane(cluster_mean(&x, &labels).and_then(|m| m.test(p)));
        sane(cluster_means(&x, &labels));
        sane(gaffke_p_above(&x, -1.0, p));
        sane(gaffke_interval(&x, -f64::MAX, f64::MAX, 0.9));
        sane(gaffke_interval(&x, -1e300, 1e300, 0.9));
        sane(quantile_interval(&x, p, q));
        sane(quantile_interval(&x, 0.5, 0.9));
        sane(quantile_type7(&x, 0.3));
        sane(harrell_davis(&x, p));
        sane(harrell_davis(&x, 0.95));
        sane(harrell_davis_se(&x, 0.95));
        sane(sign_flip(&x, 20, 1));
        sane(sign_flip_random(&x, 20, 1));
        sane(wilcoxon(&x, Zeros::Pratt));
        sane(wilcoxon_normal(&x, Zeros::Drop, true));
        sane(hodges_lehmann(&x, 0.9));
        sane(bca_mean(&x, 30, 1, 0.9));
        sane(Bootstrap::of_mean(&x, 30, 1).and_then(|b| b.percentile(0.9)));
        sane(studentised_bootstrap_mean(&x, 30, 1, 0.9));
        sane(holm(&x));
        sane(benjamini_yekutieli(&x));
        sane(joint_power(&x));
        let m = x.len().min(y.len());
        let (a, b) = (&x[..m], &y[..m]);
        sane(log_ratio_t(a, b, 1.1, 0.9));
        sane(quantile_ratio(&x, &y, 0.9, 0.9));
        sane(median_ratio(a, b, 20, 1, 0.9));
        sane(ratio_of_totals(a, b).and_then(|r| r.fieller_interval(0.9)));
        sane(ratio_of_totals(a, b).and_then(|r| r.log_delta_interval(0.9)));
        sane(ratio_of_totals(a, b).and_then(|r| r.fieller_g(0.9)));
        sane(ratio_below_p(a, b, p));
        sane(break_even(a, b, 10.0, 0.9).and_then(|e| e.extra_cost_per_hour(p)));
        sane(ordinal_superiority(a, b, 0.9));
        sane(ppi_mean_tuned(a, b, &x).and_then(|e| e.interval(0.9)));
        sane(cuped(a, b, p).and_then(|c| c.adjusted.interval(0.9)));
        sane(post_stratified(&[Stratum { weight: 0.5, differences: &x }, Stratum { weight: 0.5, differences: &y }]));
        sane(neyman_allocation(100, a, b));
        let rows = [x.iter().map(|v| Some(*v)).collect(), y.iter().map(|v| Some(*v)).chain(vec![None; 20]).take(x.len()).collect()];
        for scale in [RatingScale::Nominal, RatingScale::Ordinal, RatingScale::Interval] {
            sane(krippendorff_alpha(&rows, scale));
        }
        sane(betting_capital(&x, p, Some(9), 0.05));
        sane(betting_capital(&x, 0.5, None, 0.05));
    }

    #[test]
    fn bounded_scores_of_any_shape(d in differences(), m0 in -1.2..1.2f64, alpha in prop_oneof![1e-12..1.0f64, any_number()]) {
        sane(gaffke_p_above(&d, -1.0, m0));
        sane(gaffke_p_below(&d, 1.0, m0));
        sane(gaffke_p_saddlepoint(&d, -1.0, m0));
        let (lower, upper) = (gaffke_lower_bound(&d, -1.0, alpha), gaffke_upper_bound(&d, 1.0, alpha));
        if let (Ok(lower), Ok(upper)) = (lower, upper) {
            prop_assert!((-1.0..=1.0).contains(&lower) && (-1.0..=1.0).contains(&upper));
        }
        let mut process = goldgate::stats::MixtureProcess::new(m0.abs().min(0.99), Some(d.len() as u64)).unwrap();
        let mut sequence = HedgedSequence::new(0.05, Some(d.len() as u64), 50).unwrap();
        for x in &d {
            process.push(*x).unwrap();
            prop_assert!(!process.p_above().is_nan() && !process.log_wealth_below().is_nan());
            let i = sequence.push(0.5 * (x + 1.0)).unwrap();
            prop_assert!(0.0 <= i.lower() && i.upper() <= 1.0);
        }
    }

    #[test]
    fn counts_of_anything(a in any_count(), b in any_count(), c in any_count(), e in any_count(), p in any_number(), level in any_number()) {
        let t = PairedCounts { both: a, gained: b, lost: c, neither: e };
        for level in [level, 0.9, 1e-300, 1.0 - f64::EPSILON] {
            sane(tango_interval(&t, level));
            sane(newcombe_interval(&t, level));
            sane(newcombe_uncorrected_interval(&t, level));
            sane(wilson_interval(b, c, level));
            sane(case_posterior(b.min(1 << 40), c.min(1 << 40), level));
        }
        sane(tango_test(&t, p));
        sane(tango_test(&t, -0.05));
        let m = mcnemar(b, c);
        for p in [m.exact_two_sided, m.exact_greater, m.exact_less, m.midp_two_sided, m.midp_greater, m.midp_less] {
            prop_assert!((0.0..=1.0).contains(&p));
        }
        sane(clopper_pearson_interval(b, c, 0.9));
        sane(jeffreys_interval(b, c, 0.9));
        sane(rogan_gladen_upper(b, c, 0.05, p, 0.99));
        sane(n_min(p, level));
        sane(quantile_n_min(p, level));
        let truth = Discordance { gained: 0.1, lost: 0.08 };
        sane(mcnemar_power(b, truth, 0.05));
        sane(noninferiority_power_exact(b, truth, 0.05, 0.05));
        sane(noninferiority_power(b, p, level, 0.05, 0.05));
        sane(noninferiority_n(p, level, 0.05, 0.05, 0.8));
        sane(noninferiority_margin(b, 0.1, 0.0, 0.05, 0.8));
        sane(paired_t_power(b, p, 0.3, 0.05));
        sane(paired_t_power(b, 0.05, 0.3, p));
        sane(sd_upper_limit(1.0, b, 0.2));
        let cluster = ClusterCounts { gained: b, lost: c, pairs: a };
        sane(tango_clustered(&[cluster, ClusterCounts { gained: 1, lost: 0, pairs: 3 }]).and_then(|t| t.interval(0.9)));
    }

    #[test]
    fn laws_of_anything(a in any_number(), b in any_number(), c in any_number(), k in any_count(), n in any_count()) {
        sane(normal_cdf(a));
        sane(normal_quantile(a));
        sane(t_cdf(a, b));
        sane(t_quantile(a, b));
        sane(beta_cdf(a, b, c));
        sane(beta_quantile(a, b, c));
        sane(binomial_cdf(k, n, a));
        sane(noncentral_t_cdf(a, b, c));
        sane(rogan_gladen(a, b, c));
        sane(design_effect(a, b));
        sane(paired_t_n(a, b, 0.05, 0.8));
    }
}
