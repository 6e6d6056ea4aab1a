//! The difference of two success rates when the independent unit is a cluster: a prompt with repeats, or a family of prompts.

use super::cluster::robust;
use super::envelope::{DISCORDANT_CLUSTERS, FLOOR_CORRELATION, Side};
use super::error::{Result, at_least, finite, interval, open_unit, out_of_range};
use super::paired::{ScoreTest, inside, tango_limits, tango_statistic};
use super::special::{t_cdf, t_critical, t_sf, t_upper_quantile};
use super::sum::sums_over;
use crate::types::Interval;

/// The least p value of [`ClusteredTango::test`]: what is smaller is not told apart.
pub const LEAST_CLUSTERED_P: f64 = 1e-12;

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

/// An interval, and whether it is as narrow as its rule allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    /// The two-sided interval of the difference.
    pub interval: Interval,
    /// Whether every table was looked at. If not, some were bounded together: the interval is wider than the least favourable table's,
    /// and a pair that turns to the worse may raise a limit by a trace.
    pub complete: bool,
}

/// A Tango score interval and test on counts that were shrunk by the design effect, with t in place of z.
#[derive(Clone, Debug, PartialEq)]
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
    /// What bounds the difference from below, and the same with gains and losses exchanged.
    sides: [Side; 2],
}

impl ClusteredTango {
    /// The two-sided interval of the difference.
    ///
    /// Its lower limit is the least that would have been shown with any of the losses not seen, and with any further gains; its upper
    /// limit likewise. So a pair that turns to lost, or a gain that is not there, never raises a limit.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        Ok(self.envelope(level)?.interval)
    }

    /// [`Self::interval`], and whether the search for the least favourable table came to its end within its steps.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn envelope(&self, level: f64) -> Result<Envelope> {
        open_unit("level", level)?;
        let critical = t_critical(level, self.df);
        let [lower, upper] = self.sides.each_ref().map(|side| side.lower_limit(critical));
        let complete = lower.complete && upper.complete;
        Ok(Envelope { interval: interval(lower.value, -upper.value, level)?, complete })
    }

    /// The two-sided interval by the formula alone: not monotone, since its design effect falls with the 20th discordant cluster, and with
    /// a loss in a cluster that has gains. For comparison with other implementations.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn interval_as_specified(&self, level: f64) -> Result<Interval> {
        open_unit("level", level)?;
        let (lower, upper) = tango_limits(self.gained, self.lost, self.n_effective, t_critical(level, self.df));
        interval(lower, upper, level)
    }

    /// The test of the difference against a value, which agrees with [`Self::interval`]; non-inferiority at margin `delta` is `p_above` at
    /// `-delta`.
    ///
    /// The statistic is that of the formula; each p value is the largest of the tables that its limit of the interval looks at, so that
    /// the two sum to 1 or more. A p value of one half or more takes the pairs for independent; none is below [`LEAST_CLUSTERED_P`].
    ///
    /// # Errors
    /// When `difference` is outside `(-1, 1)`.
    pub fn test(&self, difference: f64) -> Result<ScoreTest> {
        let z = tango_statistic(self.gained, self.lost, self.n_effective, inside(difference)?);
        let [above, below] = &self.sides;
        let ample = t_upper_quantile(LEAST_CLUSTERED_P, self.df);
        Ok(ScoreTest {
            z,
            p_above: t_sf(above.statistic(difference, ample), self.df),
            p_below: t_cdf(-below.statistic(-difference, ample), self.df),
        })
    }
}

/// Design-effect-scaled Tango for paired binary outcomes with repeats or families.
///
/// The design effect is the CR2 variance over that of independent pairs (Kish's size when no pair is discordant). Where
/// fewer than 20 clusters are discordant it is at least `1 + 0.3 (Kish size - 1)`: what protects suites in which nothing
/// bad has been seen yet. Below 10 clusters a claim of non-inferiority is not to be made; that rule is the caller's.
///
/// Where neither gains nor losses come in fewer than `k` to a cluster, the pairs cannot be told from `k` copies of fewer: the
/// design effect is then at least `k` (at most Kish's size), and the floor `k (1 + 0.3 (Kish size / k - 1))`. Counting every
/// pair again so changes neither interval nor test, and a design effect is never smaller than without this rule.
///
/// That design effect can fall as losses come in. So the limits are the least favourable of all tables that are better by losses not
/// seen and gains added (of the upper limit, that are worse): [`ClusteredTango::interval`].
///
/// Source: the idea of Rao & Scott 1992, Biometrics 48:577, applied to Tango's score interval; the limits over better tables are our own.
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
    let together = clusters.iter().flat_map(|c| [c.gained, c.lost]).filter(|d| *d > 0).min().unwrap_or(1);
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
        sides: Side::both(&counted(clusters), observed),
    })
}

/// Clusters up to this size are counted in a table of all that they can be.
const SMALL: u64 = 64;

/// Clusters as `(gained, lost, pairs)` by how many of them are alike, in order.
fn counted(clusters: &[ClusterCounts]) -> Vec<([u64; 3], usize)> {
    if clusters.len() > 1_000 && clusters.iter().all(|c| c.pairs < SMALL) {
        let at = |c: &ClusterCounts| ((c.pairs * SMALL + c.gained) * SMALL + c.lost) as usize;
        let mut table = vec![0_usize; (SMALL * SMALL * SMALL) as usize];
        clusters.iter().for_each(|c| table[at(c)] += 1);
        let of = |i: u64| [i / SMALL % SMALL, i % SMALL, i / (SMALL * SMALL)];
        return (0_u64..).map(of).zip(table).filter(|(_, many)| *many > 0).collect();
    }
    let mut all: Vec<[u64; 3]> = clusters.iter().map(|c| [c.gained, c.lost, c.pairs]).collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).map(|alike| (alike[0], alike.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{PairedCounts, tango_interval};

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
    fn few_discordant_clusters_take_the_floor_and_its_loss_narrows_nothing() {
        let lost = |discordant: usize| {
            let one = |i| ClusterCounts { gained: 0, lost: u64::from(i < discordant), pairs: 5 };
            tango_clustered(&(0..60).map(one).collect::<Vec<_>>()).unwrap()
        };
        let (few, enough) = (lost(19), lost(20));
        assert!((few.design_effect - 2.2).abs() < 1e-12 && few.floored, "{few:?}");
        assert!((enough.design_effect - 1.0).abs() < 1e-12 && !enough.floored, "{enough:?}");
        let [few, enough] = [few, enough].map(|t| [t.interval(0.9), t.interval_as_specified(0.9)].map(Result::unwrap));
        assert!(few[0].lower() == few[1].lower(), "{few:?}");
        // By the formula the 20th loss is good news.
        assert!(enough[1].lower() > few[1].lower() + 0.01 && enough[0].lower() <= few[0].lower(), "{enough:?} {few:?}");
    }

    #[test]
    fn a_loss_among_gains_narrows_nothing() {
        let with = |lost: u64| {
            let mut clusters = vec![ClusterCounts { gained: 0, lost: 0, pairs: 1 }; 200];
            clusters.extend([ClusterCounts { gained: 12, lost, pairs: 13 }; 20]);
            tango_clustered(&clusters).unwrap()
        };
        let (before, after) = (with(0), with(1));
        assert!(after.design_effect < before.design_effect);
        assert!(after.interval(0.9).unwrap().lower() < before.interval(0.9).unwrap().lower());
        assert!(after.test(0.0).unwrap().p_above >= before.test(0.0).unwrap().p_above);
    }

    #[test]
    fn gains_that_cancel_losses_count_as_independent() {
        let clusters = [2, 4, 1].map(|changed| ClusterCounts { gained: changed, lost: changed, pairs: 8 });
        let t = tango_clustered(&clusters.repeat(10)).unwrap();
        assert!(t.v_cr2 < 1e-30 && t.design_effect == 1.0, "{t:?}");
        let (used, formula) = (t.interval(0.9).unwrap(), t.interval_as_specified(0.9).unwrap());
        assert!(used.lower() <= formula.lower() && used.lower() > -0.5, "{used:?} {formula:?}");
        assert_eq!(used.lower(), -used.upper());
    }

    #[test]
    fn designs_that_cannot_be_searched_through_are_wider_and_not_slower() {
        // Every cluster a class of its own, and counts beyond all whole numbers of a float.
        let mut all = vec![ClusterCounts { gained: 0, lost: 0, pairs: u64::MAX / 8 }; 3];
        all.extend((1..20_000).map(|i| ClusterCounts { gained: i % 7, lost: i % 11, pairs: 20 + i }));
        for clusters in [&all[..], &all[3..]] {
            let t = tango_clustered(clusters).unwrap();
            let Envelope { interval: used, complete } = t.envelope(0.9).unwrap();
            let formula = t.interval_as_specified(0.9).unwrap();
            assert!(
                !complete && used.lower() <= formula.lower() && used.upper() >= formula.upper(),
                "{used:?} {formula:?}"
            );
            let p = t.test(-0.05).unwrap();
            assert!((0.0..=1.0).contains(&p.p_above) && (0.0..=1.0).contains(&p.p_below));
        }
        let few = tango_clustered(&all[3..40]).unwrap();
        assert!(few.envelope(0.9).unwrap().complete);
    }

    #[test]
    fn a_p_value_that_nobody_needs_is_a_bound_of_itself() {
        // Uneven families, each a class of its own, of which ever more lose most of what they hold.
        let lost = |share: u64| {
            let one = |i: u64| ClusterCounts { gained: i % 3, lost: i * share / 100, pairs: 3 + i };
            tango_clustered(&(1..120).map(one).collect::<Vec<_>>()).unwrap()
        };
        let p = [2, 5, 10, 60, 90].map(|share| lost(share).test(0.0).unwrap().p_below);
        assert!(p.is_sorted_by(|a, b| b <= &(a * (1.0 + 1e-9))), "{p:?}");
        assert!(p[0] > 1e-6 && p[4] < 1.01e-12 && p[4] > 0.99e-12, "{p:?}");
        let [above, below] = &lost(90).sides;
        // Elsewhere the same as without that bound.
        let [few, _] = &lost(2).sides;
        assert_eq!(few.statistic(-0.05, 9.0), few.statistic(-0.05, f64::INFINITY));
        assert!(below.statistic(0.0, f64::INFINITY) > 9.0 && above.statistic(0.0, f64::INFINITY) < 0.0);
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
