//! Means and differences of success rates when the independent unit is a cluster: a prompt with repeats, or a family of
//! prompts.

use super::error::{Result, StatsError, at_least, finite, interval, open_unit, out_of_range, same_length, sample};
use super::paired::{ScoreTest, inside, tango_limits, tango_statistic};
use super::special::{t_cdf, t_critical, t_sf};
use super::sum::{mean_variance, sums_over};
use crate::types::Interval;

/// The mean of differences with cluster-robust standard errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterMean {
    /// Number of differences.
    pub n: usize,
    /// Number of clusters.
    pub clusters: usize,
    /// Mean over all differences.
    pub mean: f64,
    /// Standard error that takes the differences for independent; for comparison only.
    pub se_naive: f64,
    /// CR0: Miller's (2024) formula; biased low for few clusters.
    pub se_cr0: f64,
    /// CR1: CR0 with the factor G/(G-1) on the variance.
    pub se_cr1: f64,
    /// CR2: Bell & McCaffrey's; the one that interval and test use.
    pub se_cr2: f64,
    /// CR3: the jackknife.
    pub se_cr3: f64,
    /// Satterthwaite degrees of freedom of CR2.
    pub df: f64,
    /// The design effect: CR2 variance over naive variance; none when all differences are equal.
    pub design_effect: Option<f64>,
}

impl ClusterMean {
    /// The two-sided t interval of the mean from CR2.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)` or the CR2 error is 0.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        open_unit("level", level)?;
        let half = t_critical(level, self.df) * self.error()?;
        interval(self.mean - half, self.mean + half, level)
    }

    /// The t test of the mean against `value` from CR2, its statistic in `z`.
    ///
    /// # Errors
    /// When `value` is not finite or the CR2 error is 0.
    pub fn test(&self, value: f64) -> Result<ScoreTest> {
        let t = finite("t statistic", (self.mean - finite("value tested", value)?) / self.error()?)?;
        Ok(ScoreTest { z: t, p_above: t_sf(t, self.df), p_below: t_cdf(t, self.df) })
    }

    fn error(&self) -> Result<f64> {
        if self.se_cr2 > 0.0 { Ok(self.se_cr2) } else { Err(StatsError::ZeroVariance) }
    }
}

/// Cluster-robust variances of a mean in closed form, and the Satterthwaite degrees of freedom of CR2.
struct Robust {
    mean: f64,
    cr0: f64,
    cr2: f64,
    cr3: f64,
    df: f64,
}

/// From the size and the total of each of at least two clusters, none empty, which `cluster` tells by number.
fn robust(clusters: usize, cluster: impl Fn(usize) -> (f64, f64) + Copy + Sync) -> Result<Robust> {
    let [n, total] = sums_over(clusters, |g| cluster(g).into());
    let mean = total / n;
    let [cr0, cr2, cr3, shares, h, h_squared] = sums_over(clusters, |g| {
        let (size, total) = cluster(g);
        let (residual, share) = ((total - size * mean) / n, size / n);
        let (square, left) = (residual * residual, 1.0 - share);
        let h = share * share / left;
        [square, square / left, square / (left * left), share * share, h, h * h]
    });
    let df = 1.0 / (shares + h * h - h_squared);
    // One cluster that holds all but a rounding error leaves nothing to compare it with.
    if !(df.is_finite() && df > 0.5) {
        return Err(StatsError::NotEstimable { why: "one cluster holds nearly all observations" });
    }
    Ok(Robust { mean, cr0, cr2, cr3, df })
}

/// Size and total of each cluster named by `labels`; clusters in the order of their labels, and the differences of one added
/// in the order given.
fn by_cluster(d: &[f64], labels: &[usize]) -> Vec<(f64, f64)> {
    let of =
        |group: &mut dyn Iterator<Item = usize>| group.fold((0.0, 0.0), |(size, total), i| (size + 1.0, total + d[i]));
    if labels.is_sorted() {
        let mut start = 0;
        return labels
            .chunk_by(|a, b| a == b)
            .map(|group| {
                start += group.len();
                of(&mut (start - group.len()..start))
            })
            .collect();
    }
    let largest = labels.iter().copied().max().unwrap_or(0);
    if largest / DENSE < d.len() {
        let mut clusters = vec![(0.0, 0.0); largest + 1];
        for (&label, x) in labels.iter().zip(d) {
            clusters[label].0 += 1.0;
            clusters[label].1 += x;
        }
        clusters.retain(|c| c.0 > 0.0);
        return clusters;
    }
    let mut order: Vec<usize> = (0..d.len()).collect();
    order.sort_by_key(|&i| labels[i]);
    order.chunk_by(|&i, &j| labels[i] == labels[j]).map(|group| of(&mut group.iter().copied())).collect()
}

/// Labels per difference up to which a table of all labels is cheaper than sorting.
const DENSE: usize = 4;

/// The mean of differences `d` of which equal `labels` name the same cluster, weighted by difference (not by cluster).
///
/// Closed forms that agree with R clubSandwich to 1e-15. Sources: Miller 2024, arXiv 2411.00640 (CR0); Bell & McCaffrey
/// 2002, Survey Methodology 28:169; Pustejovsky & Tipton 2018, JBES 36:672 (CR2, Satterthwaite).
///
/// # Errors
/// When there are fewer than two clusters, one of them holds nearly everything, the lengths differ, or a difference is NaN
/// or infinite.
pub fn cluster_mean(d: &[f64], labels: &[usize]) -> Result<ClusterMean> {
    sample("differences", d, 2)?;
    same_length("differences and cluster labels", d.len(), labels.len())?;
    let totals = by_cluster(d, labels);
    let g = totals.len();
    at_least("clusters", g, 2)?;
    let r = robust(g, |i| totals[i])?;
    let naive = mean_variance(d).1 / d.len() as f64;
    let groups = g as f64;
    finite("cluster-robust error", r.cr3)?;
    Ok(ClusterMean {
        n: d.len(),
        clusters: g,
        mean: r.mean,
        se_naive: finite("standard error", naive)?.sqrt(),
        se_cr0: r.cr0.sqrt(),
        se_cr1: (r.cr0 * groups / (groups - 1.0)).sqrt(),
        se_cr2: r.cr2.sqrt(),
        se_cr3: r.cr3.sqrt(),
        df: r.df,
        design_effect: (naive > 0.0).then(|| r.cr2 / naive),
    })
}

/// Paired binary outcomes of one cluster, summed over its prompts and repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterCounts {
    /// Pairs that only the tuned model got right.
    pub gained: u64,
    /// Pairs that only the base model got right.
    pub lost: u64,
    /// All pairs of the cluster.
    pub pairs: u64,
}

/// Fewer discordant clusters than this, and the design effect gets a floor.
const DISCORDANT_CLUSTERS: usize = 20;

/// The intra-cluster correlation that the floor supposes.
const FLOOR_CORRELATION: f64 = 0.3;

/// A Tango score interval and test on counts that were shrunk by the design effect, with t in place of z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusteredTango {
    /// Number of clusters.
    pub clusters: usize,
    /// Clusters that hold at least one discordant pair.
    pub discordant_clusters: usize,
    /// Number of pairs.
    pub pairs: f64,
    /// Observed difference of the success rates.
    pub difference: f64,
    /// CR2 variance of the difference.
    pub v_cr2: f64,
    /// Variance of the difference if all pairs were independent.
    pub v_iid: f64,
    /// Kish's effective cluster size, `sum n_g^2 / N`.
    pub kish_size: f64,
    /// The design effect used, floors included; at least 1.
    pub design_effect: f64,
    /// Whether the floor for few discordant clusters decided the design effect.
    pub floored: bool,
    /// Effective number of pairs, `N / design effect`.
    pub n_effective: f64,
    /// Satterthwaite degrees of freedom of CR2.
    pub df: f64,
    gained: f64,
    lost: f64,
}

impl ClusteredTango {
    /// The two-sided interval of the difference.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        open_unit("level", level)?;
        let (lower, upper) = tango_limits(self.gained, self.lost, self.n_effective, t_critical(level, self.df));
        interval(lower, upper, level)
    }

    /// The test of the difference against a value; non-inferiority at margin `delta` is `p_above` at `-delta`.
    ///
    /// # Errors
    /// When `difference` is outside `(-1, 1)`.
    pub fn test(&self, difference: f64) -> Result<ScoreTest> {
        let z = tango_statistic(self.gained, self.lost, self.n_effective, inside(difference)?);
        // An impossible value gives an infinite statistic, of which the tails are 0 and 1.
        Ok(ScoreTest { z, p_above: t_sf(z, self.df), p_below: t_cdf(z, self.df) })
    }
}

/// Design-effect-scaled Tango for paired binary outcomes with repeats or families.
///
/// The design effect is the CR2 variance over that of independent pairs (Kish's size when no pair is discordant). Where
/// fewer than 20 clusters are discordant it is at least `1 + 0.3 (Kish size - 1)`: what protects suites in which nothing
/// bad has been seen yet. Below 10 clusters a claim of non-inferiority is not to be made; that rule is the caller's.
///
/// Where no discordant cluster holds fewer than `k` discordant pairs, the pairs cannot be told from `k` copies of fewer: the
/// design effect is then at least `k` (at most Kish's size), and the floor `k (1 + 0.3 (Kish size / k - 1))`. Counting every
/// pair again so changes neither interval nor test, and a design effect is never smaller than without this rule.
///
/// Source: the idea of Rao & Scott 1992, Biometrics 48:577, applied to Tango's score interval.
///
/// # Errors
/// When there are fewer than two clusters, one of them holds nearly everything, a cluster is empty, or
/// `gained + lost > pairs` in one.
pub fn tango_clustered(clusters: &[ClusterCounts]) -> Result<ClusteredTango> {
    at_least("clusters", clusters.len(), 2)?;
    for c in clusters {
        at_least("pairs in a cluster", usize::try_from(c.pairs).unwrap_or(usize::MAX), 1)?;
        if c.gained.saturating_add(c.lost) > c.pairs {
            return Err(out_of_range(
                "discordant pairs of a cluster",
                c.gained as f64 + c.lost as f64,
                "at most its pairs",
            ));
        }
    }
    let r = robust(clusters.len(), |i| {
        let k = &clusters[i];
        (k.pairs as f64, k.gained as f64 - k.lost as f64)
    })?;
    let [n, b, c, squares, discordant] = sums_over(clusters.len(), |i| {
        let ClusterCounts { gained, lost, pairs } = clusters[i];
        let discordant = f64::from(u8::from(gained > 0 || lost > 0));
        [pairs as f64, gained as f64, lost as f64, pairs as f64 * pairs as f64, discordant]
    });
    let discordant = discordant as usize;
    let difference = (b - c) / n;
    let v_iid = (((b + c) / n - difference * difference) / n).max(0.0);
    let kish = squares / n;
    let observed = if v_iid > 0.0 { r.cr2 / v_iid } else { kish };
    let together = clusters.iter().map(|c| c.gained.saturating_add(c.lost)).filter(|d| *d > 0).min().unwrap_or(1);
    let copies = (together as f64).min(kish);
    let few = discordant < DISCORDANT_CLUSTERS;
    let floor = copies + if few { FLOOR_CORRELATION * (kish - copies) } else { 0.0 };
    let design_effect = finite("design effect", observed.max(floor))?;
    Ok(ClusteredTango {
        clusters: clusters.len(),
        discordant_clusters: discordant,
        pairs: n,
        difference,
        v_cr2: r.cr2,
        v_iid,
        kish_size: kish,
        design_effect,
        floored: few && floor > 1.0 && floor > observed,
        n_effective: n / design_effect,
        df: r.df,
        gained: b / design_effect,
        lost: c / design_effect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{PairedCounts, paired_t, tango_interval};

    #[test]
    fn clusters_of_one_are_the_paired_t() {
        let d = [0.1, -0.4, 0.3, 0.25, 0.0, 0.1];
        let m = cluster_mean(&d, &[0, 1, 2, 3, 4, 5]).unwrap();
        let t = paired_t(&d, 0.0, 0.9).unwrap();
        assert!((m.df - 5.0).abs() < 1e-12);
        assert!((m.se_cr2 - t.se).abs() < 1e-15);
        assert!((m.interval(0.9).unwrap().lower() - t.interval.lower()).abs() < 1e-12);
        assert!((m.test(0.0).unwrap().p_above - t.p_greater).abs() < 1e-12);
    }

    #[test]
    fn labels_need_no_order() {
        let a = cluster_mean(&[0.1, 0.2, 0.3, 0.9], &[7, 7, 900, 3]).unwrap();
        let b = cluster_mean(&[0.9, 0.3, 0.2, 0.1], &[0, 9, 5, 5]).unwrap();
        assert!((a.se_cr2 - b.se_cr2).abs() < 1e-15 && a.clusters == 3);
    }

    #[test]
    fn however_clusters_are_named_they_are_the_same() {
        let n = 1_000;
        let d: Vec<f64> = (0..n).map(|i| ((i * 37) % 101) as f64 / 101.0).collect();
        let mixed: Vec<usize> = (0..n).map(|i| (i * 7) % 250).collect();
        let far: Vec<usize> = mixed.iter().map(|l| l * 1_000_000 + usize::MAX / 2).collect();
        assert_eq!(by_cluster(&d, &mixed), by_cluster(&d, &far));
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&i| mixed[i]);
        let (d_sorted, labels_sorted): (Vec<f64>, Vec<usize>) = order.iter().map(|&i| (d[i], mixed[i])).unzip();
        assert_eq!(by_cluster(&d, &mixed), by_cluster(&d_sorted, &labels_sorted));
    }

    #[test]
    fn clusters_that_do_not_vary_have_no_interval() {
        let m = cluster_mean(&[0.5; 6], &[0, 0, 1, 1, 2, 2]).unwrap();
        assert_eq!(m.interval(0.9), Err(StatsError::ZeroVariance));
        assert_eq!(m.design_effect, None);
        assert!(cluster_mean(&[0.5, 0.6], &[1, 1]).is_err());
        assert!(cluster_mean(&[0.5, f64::NAN], &[1, 2]).is_err());
        assert!(cluster_mean(&[0.5, 0.6], &[1]).is_err());
    }

    #[test]
    fn many_clusters_of_one_are_tango_with_t() {
        let clusters: Vec<ClusterCounts> = (0..400)
            .map(|i| ClusterCounts { gained: u64::from(i < 30), lost: u64::from((30..70).contains(&i)), pairs: 1 })
            .collect();
        let t = tango_clustered(&clusters).unwrap();
        assert!((t.design_effect - 1.0).abs() < 0.01 && !t.floored);
        let i = t.interval(0.9).unwrap();
        let plain = tango_interval(&PairedCounts { both: 300, gained: 30, lost: 40, neither: 30 }, 0.9).unwrap();
        assert!((i.lower() - plain.lower()).abs() < 1e-3);
        assert!((t.test(i.lower()).unwrap().p_above - 0.05).abs() < 1e-9);
    }

    #[test]
    fn nothing_seen_takes_the_kish_size() {
        let t = tango_clustered(&[ClusterCounts { gained: 0, lost: 0, pairs: 5 }; 30]).unwrap();
        assert_eq!((t.design_effect, t.n_effective), (5.0, 30.0));
        assert!(t.interval(0.95).unwrap().upper() > 0.1);
        assert!(tango_clustered(&[ClusterCounts { gained: 3, lost: 3, pairs: 5 }; 2]).is_err());
        assert!(tango_clustered(&[ClusterCounts { gained: 0, lost: 0, pairs: 0 }; 2]).is_err());
        assert!(tango_clustered(&[]).is_err());
    }

    #[test]
    fn copies_of_every_pair_leave_the_interval_where_it_is() {
        // Few discordant clusters, so that the floor decides; and gains that cancel losses, so that less than 1 was observed.
        let few =
            |k: u64| (0..40).map(move |i| (k * u64::from(i < 3), k * u64::from(i == 5), 4 * k)).collect::<Vec<_>>();
        let cancelling = |k: u64| (0..40).map(move |i: u64| (k * (i % 2), k * (i % 2), 4 * k)).collect();
        for design in [&few as &dyn Fn(u64) -> Vec<(u64, u64, u64)>, &cancelling] {
            let of = |k| {
                let counts = |(gained, lost, pairs)| ClusterCounts { gained, lost, pairs };
                tango_clustered(&design(k).into_iter().map(counts).collect::<Vec<_>>()).unwrap()
            };
            let (once, thrice) = (of(1), of(3));
            assert!((thrice.n_effective - once.n_effective).abs() < 1e-9, "{once:?} {thrice:?}");
            let (once, thrice) = (once.interval(0.9).unwrap(), thrice.interval(0.9).unwrap());
            assert!((once.lower() - thrice.lower()).abs() < 1e-9 && (once.upper() - thrice.upper()).abs() < 1e-9);
        }
    }

    #[test]
    fn all_lost_stays_at_the_end_of_the_scale() {
        let t = tango_clustered(&[ClusterCounts { gained: 0, lost: 4, pairs: 4 }; 12]).unwrap();
        let i = t.interval(0.95).unwrap();
        assert_eq!(i.lower(), -1.0);
        assert!(i.upper() < 0.0);
        let test = t.test(-0.05).unwrap();
        assert!(test.p_above > 0.99 && test.p_below < 0.01);
    }
}
