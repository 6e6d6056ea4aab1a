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
//! | the same with repeats or families | [`tango_clustered`] (monotone); a cluster-robust mean by [`cluster_mean`]; [`cluster_means`] |
//! | bounded score, gate | [`gaffke_lower_bound`], [`gaffke_p_above`] |
//! | bounded score, display; equivalence | [`paired_t`], [`tost`], [`bca_mean`], [`studentised_bootstrap_mean`], [`Bootstrap`] |
//! | many metrics of the same cases | [`bca_columns`], [`resampled_column_means`] |
//! | "the same model", no margin | [`sign_flip`], [`wilcoxon`], [`hodges_lehmann`] |
//! | ordinal grades, preferences | [`ordinal_superiority`], [`grades_to_unit`], [`preference_summary`] |
//! | one rate, rare events | [`clopper_pearson_upper`], [`clopper_pearson_interval`], [`wilson_interval`], [`jeffreys_interval`], [`worst_of_repeats`], [`rogan_gladen`] |
//! | smallest suite that can decide | [`n_min`], [`quantile_n_min`] |
//! | typical latency | [`log_ratio_t`], [`median_ratio`], [`lag1_autocorrelation`] |
//! | tail latency | [`quantile_ratio`], [`quantile_interval`], [`quantile_type7`], [`harrell_davis`] |
//! | tokens, cost | [`ratio_of_totals`] (Fieller), [`ratio_below_p`], [`break_even`] |
//! | many tests | [`holm`], [`hochberg`], [`bonferroni`], [`benjamini_hochberg`], [`benjamini_yekutieli`], [`fixed_sequence`] |
//! | judges | [`krippendorff_alpha`], [`cohen_kappa`], [`gwet_ac1`], [`ppi_mean_tuned`] |
//! | flaky cases | [`case_posterior`] |
//! | early stopping | [`MixtureProcess`], [`SplitDesign`], [`HedgedSequence`], [`lan_demets_bounds`] |
//! | less variance | [`cuped`], [`post_stratified`], [`neyman_allocation`] |
//! | before the run | [`noninferiority_n`], [`noninferiority_power_exact`], [`mcnemar_power`], [`mcnemar_n`], [`paired_t_power`], [`joint_power`], [`simulated_power`] |
//! | a quantile of a law | [`normal_quantile`], [`t_quantile`], [`beta_quantile`] and their distribution functions |
//!
//! Tests that say nothing of a margin take none: a shifted signed-rank or sign-flip test "proves" non-inferiority of a model
//! at the margin in up to 100 % of runs, so there is no parameter to shift by.

mod agreement;
mod bootstrap;
mod cluster;
mod clustered_tango;
mod columns;
mod confidence_sequence;
mod distributions;
mod envelope;
mod eprocess;
mod error;
mod gaffke;
mod group_sequential;
mod mcnemar;
mod multiplicity;
mod noncentral_t;
mod paired;
mod planning;
mod power;
mod power_sums;
mod ppi;
mod preference;
mod proportion;
mod quantile;
mod rare;
mod ratio;
mod root;
mod signflip;
mod special;
mod student;
mod sum;
mod variance;
mod wilcoxon;

pub use agreement::{
    Agreement, KappaWeights, RatingScale, cohen_kappa, gwet_ac1, krippendorff_alpha, krippendorff_interval,
};
pub use bootstrap::{
    Bca, Bootstrap, DEFAULT_RESAMPLES, bca_mean, median_ratio, resampled_means, studentised_bootstrap_mean,
};
pub use cluster::{ClusterMean, cluster_mean};
pub use clustered_tango::{ClusterCounts, ClusteredTango, Envelope, LEAST_CLUSTERED_P, tango_clustered};
pub use columns::{bca_columns, resampled_column_means};
pub use confidence_sequence::{BettingCapital, HedgedSequence, betting_capital};
pub use distributions::{beta_cdf, beta_quantile, binomial_cdf, normal_cdf, normal_quantile, t_cdf, t_quantile};
pub use eprocess::{FUTILITY_LOOKS, Look, MixtureProcess, SplitDesign};
pub use error::{Result, StatsError};
pub use gaffke::{
    gaffke_interval, gaffke_lower_bound, gaffke_p_above, gaffke_p_below, gaffke_p_saddlepoint, gaffke_upper_bound,
};
pub use group_sequential::{SequentialLook, Spending, lan_demets_bounds};
pub use mcnemar::{McNemar, mcnemar};
pub use multiplicity::{benjamini_hochberg, benjamini_yekutieli, bonferroni, fixed_sequence, hochberg, holm};
pub use noncentral_t::noncentral_t_cdf;
pub use paired::{
    PairedCounts, ScoreTest, newcombe_interval, newcombe_uncorrected_interval, tango_interval, tango_test,
};
pub use planning::{
    JointPower, TPower, design_effect, joint_power, paired_t_n, paired_t_power, sd_upper_limit, simulated_power,
};
pub use power::{
    Discordance, McNemarPower, mcnemar_detectable, mcnemar_n, mcnemar_power, noninferiority_margin, noninferiority_n,
    noninferiority_power, noninferiority_power_exact,
};
pub use ppi::{PpiMean, ppi_mean, ppi_mean_tuned};
pub use preference::{
    BothOrders, OrdinalSuperiority, Preference, PreferenceSummary, grades_to_unit, ordinal_superiority,
    preference_summary,
};
pub use proportion::{
    clopper_pearson_interval, clopper_pearson_lower, clopper_pearson_upper, jeffreys_interval, n_min, wilson_interval,
};
pub use quantile::{
    QuantileInterval, QuantileRatio, harrell_davis, harrell_davis_se, quantile_interval, quantile_n_min,
    quantile_ratio, quantile_type7,
};
pub use rare::{CasePosterior, case_posterior, rogan_gladen, rogan_gladen_upper, worst_of_repeats};
pub use ratio::{BreakEven, RatioOfTotals, break_even, ratio_below_p, ratio_of_totals};
pub use signflip::{EXACT_LIMIT, SignFlip, sign_flip, sign_flip_exact, sign_flip_random};
pub use student::{LogRatioT, PairedT, Tost, lag1_autocorrelation, log_ratio_t, log_ratios, paired_t, tost};
pub use sum::{mean, skewness, standard_deviation};
pub use variance::{AdjustedMean, Cuped, Stratum, cluster_means, cuped, neyman_allocation, post_stratified};
pub use wilcoxon::{
    EXACT_RANKS, HodgesLehmann, SignedRank, Zeros, hodges_lehmann, wilcoxon, wilcoxon_exact, wilcoxon_normal,
};
