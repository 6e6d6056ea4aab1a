//! The companion of a bounded metric: cases that changed by half the scale or more.

use super::comparison::Severe;
use super::paired::NotComparable;
use super::pairs::Pair;
use crate::stats::{self, ClusterCounts, PairedCounts};
use crate::types::{Direction, Interval};

/// From this share of the scale on, a paired difference is severe (statistics.md, section 3.2).
pub const SEVERE: f64 = 0.5;

/// Scores are sums and quotients of decimals: 0.7 - 0.2 is half the scale, too.
const ROUNDING: f64 = 1e-9;

/// Counts the cases that changed severely, and says where their net share is not estimable.
pub(super) fn companion(
    pairs: &[Pair],
    groups: &[Vec<&Pair>],
    direction: Direction,
    level: f64,
) -> Result<(Severe, Option<String>), NotComparable> {
    let is_lost = |p: &Pair| p.gain(direction) <= ROUNDING - SEVERE;
    let is_gained = |p: &Pair| p.gain(direction) >= SEVERE - ROUNDING;
    let count = |f: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|p| f(p)).count() as u64;
    let (lost, gained, all) = (count(&is_lost), count(&is_gained), pairs.len() as u64);
    let counts = PairedCounts { both: 0, gained, lost, neither: all - gained - lost };
    let hit = groups.iter().filter(|g| g.iter().any(|p| is_lost(p))).count() as u64;
    let clusters = groups.len() as u64;
    let (net_interval, fallback) = if clusters == all {
        (stats::tango_interval(&counts, level)?, None)
    } else {
        let in_group = |g: &Vec<&Pair>| ClusterCounts {
            gained: g.iter().filter(|p| is_gained(p)).count() as u64,
            lost: g.iter().filter(|p| is_lost(p)).count() as u64,
            pairs: g.len() as u64,
        };
        let by_group: Vec<_> = groups.iter().map(in_group).collect();
        match stats::tango_clustered(&by_group).and_then(|t| t.interval(level)) {
            Ok(interval) => (interval, None),
            Err(e) => {
                let nothing = Interval::new(-1.0, 1.0, level).map_err(|e| NotComparable { reason: e.to_string() })?;
                (
                    nothing,
                    Some(format!("severe changes: their net share is not estimable, since {e}; it may be anything")),
                )
            }
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
    let rate = hit as f64 / clusters as f64;
    let severe = Severe {
        lost,
        gained,
        lost_cases: pairs.iter().filter(|p| is_lost(p)).map(|p| p.case.clone()).collect(),
        rate,
        rate_interval: stats::clopper_pearson_interval(hit, clusters, level)?,
        net: counts.difference()?,
        net_interval,
    };
    Ok((severe, fallback))
}
