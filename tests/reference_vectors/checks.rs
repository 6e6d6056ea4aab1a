//! One checker per family and method.

use goldgate::stats::{
    ClusterCounts, Discordance, HedgedSequence, KappaWeights, MixtureProcess, PairedCounts, RatingScale, Spending,
    Zeros, bca_mean, benjamini_hochberg, benjamini_yekutieli, betting_capital, bonferroni, clopper_pearson_interval,
    clopper_pearson_upper, cluster_mean, cohen_kappa, gaffke_lower_bound, gaffke_p_above, gaffke_p_saddlepoint,
    harrell_davis, harrell_davis_se, hochberg, hodges_lehmann, holm, jeffreys_interval, krippendorff_alpha,
    lan_demets_bounds, mcnemar, mcnemar_n, mcnemar_power, newcombe_interval, newcombe_uncorrected_interval,
    noninferiority_n, paired_t, paired_t_power, ppi_mean, ppi_mean_tuned, quantile_interval, quantile_type7,
    ratio_of_totals, sign_flip_exact, t_quantile, tango_clustered, tango_interval, tango_test, tost, wilcoxon_exact,
    wilcoxon_normal, wilson_interval,
};
use goldgate::types::SplitMix64;

use super::{Case, number};

/// Checks one vector; panics on a difference, and on a family or method without a checker.
pub fn check(family: &str, method: &str, case: &Case) {
    match (family, method) {
        ("agreement", "cohen_kappa") => kappa(case),
        ("agreement", "krippendorff_alpha") => krippendorff(case),
        ("bootstrap", "splitmix64") => generator(case),
        ("bootstrap", "bca_mean") => bca(case),
        ("bounded_mean", "gaffke") => gaffke(case),
        ("bounded_mean", "gaffke_lcb") => {
            case.check("lcb", gaffke_lower_bound(&case.nums("x"), case.num("lower"), case.num("alpha")).unwrap());
        }
        ("cluster_robust", "cluster_mean") => cluster(case),
        ("cluster_robust", "tango_clustered") => clustered_tango(case),
        ("eprocess", "capital") => capital(case),
        ("eprocess", "hedged_cs") => hedged(case),
        ("eprocess", "mixture") => mixture(case),
        ("hodges_lehmann", "hodges_lehmann") => pseudo_median(case),
        ("mcnemar", "mcnemar") => mcnemar_tests(case),
        ("multiplicity", "adjust") => adjust(case),
        ("paired_proportion_ci", "tango" | "newcombe10" | "newcombe_uncorrected") => paired_interval(method, case),
        ("paired_proportion_ci", "tango_noninferiority") => tango_noninferiority(case),
        ("paired_t", "paired_t") => t_test(case),
        ("paired_t", "tost") => {
            let t = tost(&case.nums("d"), case.num("lo"), case.num("hi")).unwrap();
            case.check("p_lower", t.p_lower);
            case.check("p_upper", t.p_upper);
            case.check("p", t.p);
        }
        ("power", "mcnemar_exact_power") => exact_power(case),
        ("power", "mcnemar_n_connor") => {
            let (alpha, power) = (case.num("alpha"), case.num("power"));
            case.check("n", mcnemar_n(truth(case), alpha, power, case.flag("one_sided")).unwrap());
        }
        ("power", "noninferiority_n") => {
            let (psi, difference) = (case.num("discordance"), case.num("delta_true"));
            let n = noninferiority_n(psi, difference, case.num("margin"), case.num("alpha"), case.num("power"));
            case.check("n", n.unwrap());
        }
        ("power", "paired_t_power") => {
            let p = paired_t_power(case.count("n"), case.num("delta"), case.num("sd"), case.num("alpha")).unwrap();
            case.check("one_sided", p.one_sided);
            case.check("two_sided", p.two_sided);
        }
        ("power", "lan_demets_one_sided") => lan_demets(case),
        ("ppi", "ppi_mean") => ppi(case),
        ("proportion_ci", "single") => proportion(case),
        ("quantiles", "quantile") => quantile(case),
        ("ratio", "ratio_totals") => ratio(case),
        ("signflip", "signflip_exact") => sign_flip(case),
        ("wilcoxon", "exact" | "normal") => wilcoxon(method, case),
        _ => panic!("{}: no checker for {family}/{method}", case.id),
    }
}

fn gaffke(case: &Case) {
    let (x, lower, m0) = (case.nums("x"), case.num("lower"), case.num("m0"));
    case.check("p_exact", gaffke_p_above(&x, lower, m0).unwrap());
    case.check("p_saddlepoint", gaffke_p_saddlepoint(&x, lower, m0).unwrap());
}

fn cluster(case: &Case) {
    let labels: Vec<usize> = case.counts("cluster").into_iter().map(|c| usize::try_from(c).unwrap()).collect();
    let m = cluster_mean(&case.nums("d"), &labels).unwrap();
    case.check("n", m.n as f64);
    case.check("G", m.clusters as f64);
    case.check("mean", m.mean);
    case.check("se_naive", m.se_naive);
    case.check("se_cr0", m.se_cr0);
    case.check("se_cr1", m.se_cr1);
    case.check("se_cr2", m.se_cr2);
    case.check("se_cr3", m.se_cr3);
    case.check("df_satt", m.df);
    case.check("deff", m.design_effect.unwrap());
    let i = m.interval(case.num("conf")).unwrap();
    case.check("ci_lo", i.lower());
    case.check("ci_hi", i.upper());
    let t = m.test(0.0).unwrap();
    case.check("t", t.z);
    case.check("p_greater", t.p_above);
}

fn clustered_tango(case: &Case) {
    let clusters: Vec<ClusterCounts> = case
        .counts("b")
        .into_iter()
        .zip(case.counts("c"))
        .zip(case.counts("n"))
        .map(|((gained, lost), pairs)| ClusterCounts { gained, lost, pairs })
        .collect();
    let conf = case.num("conf");
    let t = tango_clustered(&clusters).unwrap();
    case.check("diff", t.difference);
    case.check("v_cr2", t.v_cr2);
    case.check("v_iid", t.v_iid);
    case.check("kish_size", t.kish_size);
    case.check("discordant_clusters", t.discordant_clusters as f64);
    case.check("deff", t.design_effect);
    case.check("n_eff", t.n_effective);
    case.check("df", t.df);
    case.check("t_quantile", t_quantile(0.5 + 0.5 * conf, t.df).unwrap());
    // The vectors are of the formula; what is used lies around it.
    let i = t.interval_as_specified(conf).unwrap();
    case.check("ci_lo", i.lower());
    case.check("ci_hi", i.upper());
    let used = t.interval(conf).unwrap();
    assert!(used.lower() <= i.lower() + 1e-12 && used.upper() >= i.upper() - 1e-12, "{used:?} {i:?}");
}

fn mcnemar_tests(case: &Case) {
    let t = mcnemar(case.count("b"), case.count("c"));
    case.check("exact_two_sided", t.exact_two_sided);
    case.check("exact_greater", t.exact_greater);
    case.check("exact_less", t.exact_less);
    case.check("midp_two_sided", t.midp_two_sided);
    case.check("midp_greater", t.midp_greater);
    case.check("midp_less", t.midp_less);
}

fn adjust(case: &Case) {
    let p = case.nums("p");
    case.check_all("bonferroni", &bonferroni(&p).unwrap());
    case.check_all("holm", &holm(&p).unwrap());
    case.check_all("hochberg", &hochberg(&p).unwrap());
    case.check_all("bh", &benjamini_hochberg(&p).unwrap());
    case.check_all("by", &benjamini_yekutieli(&p).unwrap());
}

fn paired_interval(method: &str, case: &Case) {
    let counts = PairedCounts {
        both: case.count("a"),
        gained: case.count("b"),
        lost: case.count("c"),
        neither: case.count("d"),
    };
    let conf = case.num("conf");
    let i = match method {
        "tango" => {
            case.check("diff", counts.difference().unwrap());
            tango_interval(&counts, conf)
        }
        "newcombe10" => newcombe_interval(&counts, conf),
        _ => newcombe_uncorrected_interval(&counts, conf),
    }
    .unwrap();
    case.check("lo", i.lower());
    case.check("hi", i.upper());
}

fn tango_noninferiority(case: &Case) {
    let (gained, lost) = (case.count("b"), case.count("c"));
    let counts = PairedCounts { both: case.count("n") - gained - lost, gained, lost, neither: 0 };
    let t = tango_test(&counts, -case.num("margin")).unwrap();
    case.check("z", t.z);
    case.check("p", t.p_above);
}

fn t_test(case: &Case) {
    let t = paired_t(&case.nums("d"), case.num("mu"), case.num("conf")).unwrap();
    case.check("n", t.n as f64);
    case.check("mean", t.mean);
    case.check("sd", t.sd);
    case.check("se", t.se);
    case.check("df", t.df);
    case.check("t", t.t);
    case.check("p_two_sided", t.p_two_sided);
    case.check("p_greater", t.p_greater);
    case.check("p_less", t.p_less);
    case.check("ci_lo", t.interval.lower());
    case.check("ci_hi", t.interval.upper());
}

fn proportion(case: &Case) {
    let (x, n, conf) = (case.count("x"), case.count("n"), case.num("conf"));
    let exact = clopper_pearson_interval(x, n, conf).unwrap();
    case.check("cp_lo", exact.lower());
    case.check("cp_hi", exact.upper());
    case.check("cp_upper_one_sided", clopper_pearson_upper(x, n, 1.0 - conf).unwrap());
    let wilson = wilson_interval(x, n, conf).unwrap();
    case.check("wilson_lo", wilson.lower());
    case.check("wilson_hi", wilson.upper());
    let jeffreys = jeffreys_interval(x, n, conf).unwrap();
    case.check("jeffreys_lo", jeffreys.lower());
    case.check("jeffreys_hi", jeffreys.upper());
}

fn quantile(case: &Case) {
    let (x, p) = (case.nums("x"), case.num("p"));
    let q = quantile_interval(&x, p, case.num("conf")).unwrap();
    case.check("rank_lo", q.rank_lower as f64);
    case.check("rank_hi", q.rank_upper as f64);
    case.check("lo", q.interval.lower());
    case.check("hi", q.interval.upper());
    case.check("coverage", q.coverage);
    case.check("type7", quantile_type7(&x, p).unwrap());
    case.check("harrell_davis", harrell_davis(&x, p).unwrap());
    if !case.output["hd_jack_se"].is_null() {
        case.check("hd_jack_se", harrell_davis_se(&x, p).unwrap());
    }
}

fn ratio(case: &Case) {
    let conf = case.num("conf");
    let r = ratio_of_totals(&case.nums("t"), &case.nums("b")).unwrap();
    case.check("n", r.n as f64);
    case.check("ratio", r.ratio);
    case.check("se_delta", r.se_delta);
    case.check("se_log", r.se_log);
    case.check("fieller_g", r.fieller_g(conf).unwrap());
    let intervals =
        [("delta", r.delta_interval(conf)), ("log", r.log_delta_interval(conf)), ("fieller", r.fieller_interval(conf))];
    for (name, i) in intervals {
        let i = i.unwrap();
        case.check(&format!("{name}_lo"), i.lower());
        case.check(&format!("{name}_hi"), i.upper());
    }
    assert_eq!(number(&case.output["fieller_g"]) >= 1.0, r.fieller_interval(conf).unwrap().upper().is_infinite());
}

fn kappa(case: &Case) {
    let ratings = |key| -> Vec<usize> { case.counts(key).into_iter().map(|c| usize::try_from(c).unwrap()).collect() };
    let weights = match case.text("weights") {
        "none" => KappaWeights::None,
        "linear" => KappaWeights::Linear,
        "quadratic" => KappaWeights::Quadratic,
        other => panic!("{}: unknown weights {other}", case.id),
    };
    let k = usize::try_from(case.count("k")).unwrap();
    let kappa = cohen_kappa(&ratings("a"), &ratings("b"), k, weights).unwrap();
    case.check("kappa", kappa.coefficient);
    case.check("se", kappa.se);
    case.check("po", kappa.observed);
}

fn krippendorff(case: &Case) {
    let rows = case.input["data"].as_array().unwrap();
    let rating = |v: &serde_json::Value| (!v.is_null()).then(|| number(v));
    let ratings: Vec<Vec<Option<f64>>> =
        rows.iter().map(|row| row.as_array().unwrap().iter().map(rating).collect()).collect();
    let scale = match case.text("level") {
        "nominal" => RatingScale::Nominal,
        "ordinal" => RatingScale::Ordinal,
        "interval" => RatingScale::Interval,
        other => panic!("{}: unknown level {other}", case.id),
    };
    case.check("alpha", krippendorff_alpha(&ratings, scale).unwrap());
}

fn generator(case: &Case) {
    let mut rng = SplitMix64::new(case.count("seed"));
    case.see("u64");
    case.see("below_n_after");
    for want in case.output["u64"].as_array().unwrap() {
        assert_eq!(want.as_str().unwrap(), rng.next_u64().to_string(), "{}", case.id);
    }
    let n = usize::try_from(case.count("n")).unwrap();
    for want in case.output["below_n_after"].as_array().unwrap() {
        assert_eq!(want.as_u64().unwrap(), rng.index(n) as u64, "{}", case.id);
    }
}

fn bca(case: &Case) {
    let resamples = usize::try_from(case.count("B")).unwrap();
    let conf = case.num("conf");
    let (boot, bca) = bca_mean(&case.nums("d"), resamples, case.count("seed"), conf).unwrap();
    case.check("theta", boot.estimate());
    case.check("boot_mean", boot.mean());
    case.check("boot_sd", boot.sd());
    case.check_all("first5", &boot.replicates()[..5]);
    case.check("z0", bca.z0);
    case.check("accel", bca.acceleration);
    case.check("alpha1", bca.alpha_lower);
    case.check("alpha2", bca.alpha_upper);
    case.check("ci_lo", bca.interval.lower());
    case.check("ci_hi", bca.interval.upper());
    let percentile = boot.percentile(conf).unwrap();
    case.check("pct_lo", percentile.lower());
    case.check("pct_hi", percentile.upper());
}

fn population(case: &Case) -> Option<u64> {
    case.input["N"].as_u64()
}

fn capital(case: &Case) {
    let c = betting_capital(&case.nums("x"), case.num("m"), population(case), case.num("alpha")).unwrap();
    case.check_all("lambda_raw", &c.bets);
    case.check_all("capital_pos", &c.above);
    case.check_all("capital_neg", &c.below);
}

fn hedged(case: &Case) {
    let steps = usize::try_from(case.count("breaks")).unwrap();
    let mut sequence = HedgedSequence::new(case.num("alpha"), population(case), steps).unwrap();
    let intervals: Vec<_> = case.nums("x").into_iter().map(|x| sequence.push(x).unwrap()).collect();
    case.check_all("lo", &intervals.iter().map(|i| i.lower()).collect::<Vec<_>>());
    case.check_all("hi", &intervals.iter().map(|i| i.upper()).collect::<Vec<_>>());
}

fn mixture(case: &Case) {
    let bets = u32::try_from(case.count("J")).unwrap();
    let mut process = MixtureProcess::with_bets(case.num("margin"), population(case), bets, case.num("cap")).unwrap();
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for d in case.nums("d") {
        process.push(d).unwrap();
        above.push(process.log_wealth_above());
        below.push(process.log_wealth_below());
    }
    case.check_all("log_wealth_above", &above);
    case.check_all("log_wealth_below", &below);
}

fn pseudo_median(case: &Case) {
    let h = hodges_lehmann(&case.nums("d"), case.num("conf")).unwrap();
    case.check("estimate", h.estimate);
    case.check("ci_lo", h.interval.lower());
    case.check("ci_hi", h.interval.upper());
    case.check("k", h.k as f64);
    case.check("n_walsh", h.walsh_averages as f64);
}

fn truth(case: &Case) -> Discordance {
    Discordance { gained: case.num("p10"), lost: case.num("p01") }
}

fn exact_power(case: &Case) {
    let p = mcnemar_power(case.count("n"), truth(case), case.num("alpha")).unwrap();
    case.check("exact_greater", p.exact_greater);
    case.check("midp_greater", p.midp_greater);
    case.check("exact_two_sided", p.exact_two_sided);
    case.check("midp_two_sided", p.midp_two_sided);
}

fn lan_demets(case: &Case) {
    let spending = match case.text("spending") {
        "obf" => Spending::OBrienFleming,
        "pocock" => Spending::Pocock,
        other => panic!("{}: unknown spending {other}", case.id),
    };
    let looks = lan_demets_bounds(&case.nums("times"), case.num("alpha"), spending).unwrap();
    case.check_all("times", &looks.iter().map(|l| l.time).collect::<Vec<_>>());
    case.check_all("cum_alpha", &looks.iter().map(|l| l.cumulative_alpha).collect::<Vec<_>>());
    case.check_all("z", &looks.iter().map(|l| l.z).collect::<Vec<_>>());
}

fn ppi(case: &Case) {
    let estimator = if case.flag("tune_lambda") { ppi_mean_tuned } else { ppi_mean };
    let p = estimator(&case.nums("y"), &case.nums("f"), &case.nums("F")).unwrap();
    case.check("estimate", p.estimate);
    case.check("lam", p.lambda);
    case.check("se", p.se);
    let i = p.interval(case.num("conf")).unwrap();
    case.check("ci_lo", i.lower());
    case.check("ci_hi", i.upper());
}

fn sign_flip(case: &Case) {
    let d = case.nums("d");
    let t = sign_flip_exact(&d).unwrap();
    case.check("mean", goldgate::stats::mean(&d).unwrap());
    case.check("n_patterns", t.patterns as f64);
    case.check("count_ge", t.count_greater as f64);
    case.check("count_le", t.count_less as f64);
    case.check("count_two", t.count_two_sided as f64);
    case.check("p_greater", t.p_greater);
    case.check("p_less", t.p_less);
    case.check("p_two_sided", t.p_two_sided);
}

fn wilcoxon(method: &str, case: &Case) {
    let d = case.nums("d");
    let zeros = match case.text("zero") {
        "pratt" => Zeros::Pratt,
        "drop" => Zeros::Drop,
        other => panic!("{}: unknown rule for zeros {other}", case.id),
    };
    let t = if method == "exact" {
        let t = wilcoxon_exact(&d, zeros).unwrap();
        case.check("n", t.n as f64);
        t
    } else {
        let t = wilcoxon_normal(&d, zeros, case.flag("correction")).unwrap();
        case.check("z", t.z.unwrap());
        t
    };
    case.check("w_plus", t.w_plus);
    case.check("p_greater", t.p_greater);
    case.check("p_less", t.p_less);
    case.check("p_two_sided", t.p_two_sided);
}
