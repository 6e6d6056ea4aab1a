//! Mathematics of the comparison, pure: knows no other room but `types`.
//!
//! Every function takes numbers and returns numbers; there is no file, no clock, and no randomness but a seeded generator.
//! The difference is always tuned minus base, and larger is better; an interval is two-sided and knows its level, and at
//! level `1 - 2 alpha` it says the same as the one-sided test at `alpha`. An input that is NaN, infinite or outside its
//! domain is a [`StatsError`], never a number.
//!
//! # Tour
//!
//! | question | door |
//! |---|---|
//! | right or wrong, same prompts | [`tango_interval`], [`tango_test`] (any margin), [`mcnemar`] (no margin), [`newcombe_interval`] (check) |
//! | the same with repeats or families | [`tango_clustered`]; a cluster-robust mean by [`cluster_mean`] |
//! | bounded score, gate | [`gaffke_lower_bound`], [`gaffke_p_above`] |
//! | bounded score, display; equivalence | [`paired_t`], [`tost`] |
//! | one rate | [`clopper_pearson_upper`], [`clopper_pearson_interval`], [`wilson_interval`], [`jeffreys_interval`] |
//! | smallest suite that can decide | [`n_min`], [`quantile_n_min`] |
//! | typical latency | [`log_ratio_t`], [`lag1_autocorrelation`] |
//! | tail latency | [`quantile_ratio`], [`quantile_interval`], [`quantile_type7`], [`harrell_davis`] |
//! | tokens, cost | [`ratio_of_totals`] (Fieller), [`ratio_below_p`] |
//! | many tests | [`holm`], [`hochberg`], [`bonferroni`], [`benjamini_hochberg`], [`benjamini_yekutieli`], [`fixed_sequence`] |
//! | a quantile of a law | [`normal_quantile`], [`t_quantile`], [`beta_quantile`] and their distribution functions |

mod cluster;
mod distributions;
mod error;
mod gaffke;
mod mcnemar;
mod multiplicity;
mod paired;
mod proportion;
mod quantile;
mod ratio;
mod root;
mod special;
mod student;
mod sum;

pub use cluster::{ClusterCounts, ClusterMean, ClusteredTango, cluster_mean, tango_clustered};
pub use distributions::{beta_cdf, beta_quantile, binomial_cdf, normal_cdf, normal_quantile, t_cdf, t_quantile};
pub use error::{Result, StatsError};
pub use gaffke::{
    gaffke_interval, gaffke_lower_bound, gaffke_p_above, gaffke_p_below, gaffke_p_saddlepoint, gaffke_upper_bound,
};
pub use mcnemar::{McNemar, mcnemar};
pub use multiplicity::{benjamini_hochberg, benjamini_yekutieli, bonferroni, fixed_sequence, hochberg, holm};
pub use paired::{
    PairedCounts, ScoreTest, newcombe_interval, newcombe_uncorrected_interval, tango_interval, tango_test,
};
pub use proportion::{
    clopper_pearson_interval, clopper_pearson_lower, clopper_pearson_upper, jeffreys_interval, n_min, wilson_interval,
};
pub use quantile::{
    QuantileInterval, QuantileRatio, harrell_davis, harrell_davis_se, quantile_interval, quantile_n_min,
    quantile_ratio, quantile_type7,
};
pub use ratio::{RatioOfTotals, ratio_below_p, ratio_of_totals};
pub use student::{LogRatioT, PairedT, Tost, lag1_autocorrelation, log_ratio_t, log_ratios, paired_t, tost};
pub use sum::{mean, skewness, standard_deviation};
