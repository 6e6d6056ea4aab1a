//! One checker per family and method.

use goldgate::stats::{
    ClusterCounts, PairedCounts, benjamini_hochberg, benjamini_yekutieli, bonferroni, clopper_pearson_interval,
    clopper_pearson_upper, cluster_mean, gaffke_lower_bound, gaffke_p_above, gaffke_p_saddlepoint, harrell_davis,
    harrell_davis_se, hochberg, holm, jeffreys_interval, mcnemar, newcombe_interval, newcombe_uncorrected_interval,
    paired_t, quantile_interval, quantile_type7, ratio_of_totals, t_quantile, tango_clustered, tango_interval,
    tango_test, tost, wilson_interval,
};

use super::{Case, number};

/// What is still to be written; empty when the room is complete.
pub const PENDING: &[(&str, &str)] = &[
    ("agreement", "cohen_kappa"),
    ("agreement", "krippendorff_alpha"),
    ("bootstrap", "splitmix64"),
    ("bootstrap", "bca_mean"),
    ("eprocess", "capital"),
    ("eprocess", "hedged_cs"),
    ("eprocess", "mixture"),
    ("hodges_lehmann", "hodges_lehmann"),
    ("power", "mcnemar_exact_power"),
    ("power", "mcnemar_n_connor"),
    ("power", "noninferiority_n"),
    ("power", "paired_t_power"),
    ("power", "lan_demets_one_sided"),
    ("ppi", "ppi_mean"),
    ("signflip", "signflip_exact"),
    ("wilcoxon", "exact"),
    ("wilcoxon", "normal"),
];

/// Checks one vector; panics on a difference, and on a family or method without a checker.
pub fn check(family: &str, method: &str, case: &Case) {
    match (family, method) {
        ("bounded_mean", "gaffke") => gaffke(case),
        ("bounded_mean", "gaffke_lcb") => {
            case.check("lcb", gaffke_lower_bound(&case.nums("x"), case.num("lower"), case.num("alpha")).unwrap());
        }
        ("cluster_robust", "cluster_mean") => cluster(case),
        ("cluster_robust", "tango_clustered") => clustered_tango(case),
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
        ("proportion_ci", "single") => proportion(case),
        ("quantiles", "quantile") => quantile(case),
        ("ratio", "ratio_totals") => ratio(case),
        pair if PENDING.contains(&pair) => {}
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
    let i = t.interval(conf).unwrap();
    case.check("ci_lo", i.lower());
    case.check("ci_hi", i.upper());
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
