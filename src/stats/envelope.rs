//! The least that a clustered table would have shown with any of its losses not seen, and with any further gains: what makes the
//! clustered Tango interval monotone.

use super::paired::{tango_limits, tango_statistic};
use super::sum::sums_over;
use std::collections::BTreeMap;

/// Fewer discordant clusters than this, and the design effect gets a floor.
pub(super) const DISCORDANT_CLUSTERS: usize = 20;

/// The intra-cluster correlation that the floor supposes.
pub(super) const FLOOR_CORRELATION: f64 = 0.3;

/// Numbers of copies up to which each is looked at by itself; beyond, they go in blocks that double.
const COPIES: f64 = 1024.0;

/// Classes looked at in one search, all its steps together, before what is left is bounded as it is.
const WORK: usize = 4_000_000;

/// Steps of one search at the least, and at the most.
const STEPS: (usize, usize) = (64, 40_000);

/// Clusters alike in what they gained and lost and in size.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Class {
    gained: f64,
    lost: f64,
    pairs: f64,
    /// How many there are.
    many: f64,
    /// CR2's weight of one, `1/(1 - n_g/N)`.
    weight: f64,
}

/// A table and its design effect.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    gained: f64,
    lost: f64,
    effect: f64,
}

impl Point {
    /// Tango's statistic of the counts divided by the design effect: of the undivided ones, divided by its root.
    fn statistic(&self, pairs: f64, difference: f64) -> f64 {
        tango_statistic(self.gained, self.lost, pairs, difference) / self.effect.sqrt()
    }

    fn lower_limit(&self, pairs: f64, critical: f64) -> f64 {
        let of = |x: f64| x / self.effect;
        if of(pairs) > 0.0 { tango_limits(of(self.gained), of(self.lost), of(pairs), critical).0 } else { -1.0 }
    }
}

/// What a search found: a table, or where its steps ran out one that stands for several and is no better than any of them.
#[derive(Clone, Copy, Debug)]
struct Found {
    point: Point,
    single: bool,
}

/// A lower limit, and whether it is that of a table rather than of several that were not looked at one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub value: f64,
    pub complete: bool,
}

/// Whole numbers from the first to the last.
type Range = (f64, f64);

/// Some of the tables: so many losses dropped, and so many gains added.
#[derive(Clone, Copy, Debug)]
struct Tables {
    dropped: Range,
    added: Range,
}

impl Tables {
    fn is_single(self) -> bool {
        self.dropped.0 == self.dropped.1 && self.added.0 == self.added.1
    }

    /// The same in two parts; none of a single table.
    fn split(self) -> Option<[Self; 2]> {
        // Near the table itself every step matters; far from it they are looked at in blocks that double.
        let halves = |(from, to): Range| {
            let middle = match from {
                0.0 => 0.0,
                _ if to >= 3.0 * from => 2.0 * from - 1.0,
                _ => (0.5 * (from + to)).floor(),
            };
            // Beyond 2^53 there is no next number.
            (middle >= from && middle + 1.0 <= to && middle < middle + 1.0)
                .then_some([(from, middle), (middle + 1.0, to)])
        };
        let width = |(from, to): Range| (to + 1.0) / (from + 1.0);
        let dropped = || halves(self.dropped).map(|parts| parts.map(|dropped| Self { dropped, ..self }));
        let added = || halves(self.added).map(|parts| parts.map(|added| Self { added, ..self }));
        if width(self.dropped) > width(self.added) { dropped().or_else(added) } else { added().or_else(dropped) }
    }
}

/// One side of a clustered table: what bounds the difference from below. The other side is the same with gains and losses exchanged.
///
/// # The bound
/// The statistic at a value is the least over all tables that are better by some losses dropped (such a pair counts as concordant) and
/// some gains added, clusters and their sizes kept. A table that is worse by one pair, a gain less or a loss more, has all tables of the
/// better one among its own, so its least is no greater: the law that nothing bad ever helps holds by construction.
///
/// All tables with `c` losses and `b` gains are judged at once by an upper bound of the design effect: CR2's variance is a sum of convex
/// functions of what each cluster changes by, each below its chord from no change to as many as that cluster, or the whole change,
/// allows; the sum of chords is greatest where the steepest are used first. At the table itself it is the observed design effect. A
/// chord over a longer interval lies above a shorter one's, which keeps the construction monotone.
///
/// Where everything is gained no variance is left, and the design effect is Kish's size: a table of its own. So are
/// two floors of the design effect: with few discordant clusters the supposed correlation, where as many
/// losses are kept as so few clusters can hold; and `k` copies, where losses that come in fewer than `k` to a cluster are dropped and
/// gains that do are filled up to `k`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Side {
    classes: Vec<Class>,
    gained: f64,
    lost: f64,
    pairs: f64,
    /// The table as it is with the observed design effect, the tables of the floors, and the one in which all is gained.
    known: Vec<Point>,
}

impl Side {
    /// Both sides, from below and from above, of clusters given as `(gained, lost, pairs)` and the number of such; `observed` is the
    /// observed design effect, Kish's size where no pair is discordant.
    pub(super) fn both(counted: &[([u64; 3], usize)], observed: f64) -> [Self; 2] {
        let exchanged: Vec<_> =
            counted.iter().map(|&([gained, lost, pairs], many)| ([lost, gained, pairs], many)).collect();
        [Self::new(counted, observed), Self::new(&exchanged, observed)]
    }

    fn new(counted: &[([u64; 3], usize)], observed: f64) -> Self {
        let [pairs, gained, lost, squares] = sums_over(counted.len(), |i| {
            let ([gained, lost, pairs], many) = counted[i];
            [pairs as f64, gained as f64, lost as f64, pairs as f64 * pairs as f64].map(|x| x * many as f64)
        });
        let class = |&([gained, lost, size], many): &([u64; 3], usize)| Class {
            gained: gained as f64,
            lost: lost as f64,
            pairs: size as f64,
            many: many as f64,
            weight: 1.0 / (1.0 - size as f64 / pairs),
        };
        let classes: Vec<Class> = counted.iter().map(class).collect();
        // Gains that cancel losses in every cluster vary by nothing.
        let mut known = vec![Point { gained, lost, effect: observed.max(1.0) }];
        known.extend(floors(&classes, gained, squares / pairs));
        // The best there is, and better than every table: like one of which nothing changed it has no variance to divide by.
        known.push(Point { gained: pairs, lost: 0.0, effect: squares / pairs });
        Self { classes, gained, lost, pairs, known }
    }

    /// The lower limit of the difference at a critical value of the statistic.
    pub(super) fn lower_limit(&self, critical: f64) -> Limit {
        let (mut limit, mut complete): (f64, bool) = (1.0, true);
        for point in &self.known {
            if limit > -1.0 && point.statistic(self.pairs, limit) < critical {
                limit = limit.min(point.lower_limit(self.pairs, critical));
            }
        }
        // Each round finds the table that is least at the limit so far; where none is below it, that is the limit.
        for _ in 0..100 {
            let Some(found) = self.least(limit, critical) else { break };
            let next = found.point.lower_limit(self.pairs, critical);
            if next >= limit {
                break;
            }
            (limit, complete) = (next, found.single);
        }
        Limit { value: limit, complete }
    }

    /// The statistic of the difference against a value, the least of all tables, or `ample` where that is less: beyond it nothing is
    /// looked for, though the search would work hardest there. Where the value is not below the estimate, the pairs count as
    /// independent: a design effect would speak for the difference.
    pub(super) fn statistic(&self, difference: f64, ample: f64) -> f64 {
        let plain = tango_statistic(self.gained, self.lost, self.pairs, difference);
        if plain <= 0.0 {
            return plain;
        }
        let known = self.known.iter().map(|p| p.statistic(self.pairs, difference)).fold(plain.min(ample), f64::min);
        self.least(difference, known).map_or(known, |found| found.point.statistic(self.pairs, difference))
    }

    /// The table whose statistic is least at a value below the estimate, if it is below `bound`.
    fn least(&self, difference: f64, bound: f64) -> Option<Found> {
        // A gain of rounding only is none.
        let enough = 1.0 - 1e-11;
        let (mut least, mut found) = (bound, None);
        let mut steps = (WORK / self.classes.len().max(1)).clamp(STEPS.0, STEPS.1);
        let mut slopes = Vec::with_capacity(self.classes.len());
        let mut open = Vec::new();
        let mut look = |tables: Tables, least: f64| {
            let point = self.bounding(tables, &mut slopes);
            let statistic = point.statistic(self.pairs, difference);
            (statistic < least * enough).then_some((statistic, tables, point))
        };
        if difference > -1.0 {
            open.extend(look(Tables { dropped: (0.0, self.lost), added: (0.0, self.pairs - self.gained) }, least));
        }
        while let Some((statistic, tables, point)) = open.pop() {
            if statistic >= least * enough {
                continue;
            }
            // Out of steps, what is left counts as bad as it can be: wider, never narrower.
            steps = steps.saturating_sub(1);
            match tables.split().filter(|_| steps > 0) {
                None => (least, found) = (statistic, Some(Found { point, single: tables.is_single() })),
                Some(parts) => {
                    let from = open.len();
                    open.extend(parts.into_iter().filter_map(|part| look(part, least)));
                    open[from..].sort_by(|a, b| b.0.total_cmp(&a.0));
                }
            }
        }
        found
    }

    /// A table whose statistic is no greater than that of any of these; of a single one, its own with the bound of its design effect.
    fn bounding(&self, tables: Tables, slopes: &mut Vec<(f64, f64)>) -> Point {
        let (dropped, added) = (tables.dropped, tables.added);
        let gains = (self.gained + added.0, self.gained + added.1);
        let losses = (self.lost - dropped.1, self.lost - dropped.0);
        let (low, high) = ((gains.0 - losses.1) / self.pairs, (gains.1 - losses.0) / self.pairs);
        // Concave in both counts, so that a corner is least.
        let independent = |gained: f64, lost: f64| {
            ((gained + lost) * self.pairs - (gained - lost) * (gained - lost)).max(0.0) / self.pairs
        };
        let corners = [(gains.0, losses.0), (gains.0, losses.1), (gains.1, losses.0), (gains.1, losses.1)];
        let least = corners.iter().map(|&(gained, lost)| independent(gained, lost)).fold(f64::INFINITY, f64::min);
        let impossible = corners.iter().all(|&(gained, lost)| gained + lost > self.pairs);
        let point = |effect| Point { gained: gains.0, lost: losses.1, effect };
        if impossible || (tables.is_single() && least == 0.0) {
            // No such table; or one whose pairs are all concordant or all gained: it is among those that are known.
            return point(0.0);
        }
        if least == 0.0 {
            return point(f64::INFINITY);
        }
        // Convex in the mean, so that an end is greatest.
        let at = |mean: f64| -> f64 {
            let residual = |c: &Class| (c.gained - c.lost - c.pairs * mean).powi(2);
            self.classes.iter().map(|c| c.many * c.weight * residual(c)).sum()
        };
        let own = if low == high { at(low) } else { at(low).max(at(high)) };
        let most =
            |(amount, least): (f64, f64), start: fn(&Class) -> f64, room: fn(&Class) -> f64, slopes: &mut Vec<_>| {
                if amount == 0.0 {
                    return 0.0;
                }
                slopes.clear();
                slopes.extend(self.classes.iter().filter(|c| room(c) > 0.0).map(|c| {
                    let reach = room(c).min(amount);
                    (c.weight * (2.0 * start(c) + reach - 2.0 * c.pairs * low), reach * c.many)
                }));
                steepest(slopes, least, amount)
            };
        let drop = most((dropped.1, dropped.0), |c| c.gained - c.lost, |c| c.lost, slopes);
        let add = most((added.1, added.0), |c| c.gained, |c| c.pairs - c.gained, slopes);
        point((own + drop + add).max(0.0) / least)
    }
}

/// The most that `least` to `amount` steps add up to, given slopes and how many steps each is good for.
fn steepest(slopes: &mut [(f64, f64)], least: f64, amount: f64) -> f64 {
    slopes.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut sum, mut taken) = (0.0, 0.0);
    for &(slope, room) in slopes.iter() {
        let wanted = if slope > 0.0 { amount } else { least };
        if wanted <= taken {
            break;
        }
        let take = room.min(wanted - taken);
        sum += slope * take;
        taken += take;
    }
    sum
}

/// The tables at which a floor decides.
fn floors(classes: &[Class], gained: f64, kish: f64) -> Vec<Point> {
    let mut gains: BTreeMap<u64, f64> = BTreeMap::new();
    // Losses of clusters that have gains, and of those that have none.
    let mut losses: [BTreeMap<u64, f64>; 2] = [BTreeMap::new(), BTreeMap::new()];
    for c in classes {
        if c.gained > 0.0 {
            *gains.entry(c.gained as u64).or_default() += c.many;
        }
        if c.lost > 0.0 {
            *losses[usize::from(c.gained == 0.0)].entry(c.lost as u64).or_default() += c.many;
        }
    }
    let with_gains: f64 = gains.values().sum();
    let free = DISCORDANT_CLUSTERS as f64 - 1.0 - with_gains;
    let at = |from: f64, to: f64, points: &mut Vec<Point>| {
        let filled: f64 = gains.iter().map(|(&g, many)| (from - g as f64).max(0.0) * many).sum();
        let kept = |of: &BTreeMap<u64, f64>, mut slots: f64| -> f64 {
            let large = of.iter().rev().take_while(|(l, _)| **l as f64 >= from);
            large
                .map(|(&l, many)| {
                    let many = many.min(slots);
                    slots -= many;
                    many * l as f64
                })
                .sum()
        };
        let of = |free, effect| Point {
            gained: gained + filled,
            lost: kept(&losses[0], f64::INFINITY) + kept(&losses[1], free),
            effect,
        };
        points.push(of(f64::INFINITY, to));
        if free >= 0.0 {
            points.push(of(free, to + FLOOR_CORRELATION * (kish - to)));
        }
    };
    let mut points = Vec::new();
    let mut copies = 1.0;
    while copies < kish {
        let next = if copies < COPIES { copies + 1.0 } else { 2.0 * copies };
        at(copies, if copies < COPIES { copies } else { next.min(kish) }, &mut points);
        copies = next;
    }
    at(kish, kish, &mut points);
    // Of points at the same counts the greatest design effect decides.
    points.sort_by(|a, b| {
        let order = |p: &Point| [p.gained, p.lost, -p.effect];
        order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    points.dedup_by(|later, first| (later.gained, later.lost) == (first.gained, first.lost));
    points
}
