//! Nothing bad helps: the law of the clustered Tango interval and test, on random designs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goldgate::stats::{ClusterCounts, ClusteredTango, tango_clustered};
use proptest::prelude::*;

const LEVEL: f64 = 0.90;
const ALPHA: f64 = 0.05;
const MARGINS: [f64; 8] = [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5];

/// What a pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pair {
    Lost,
    Same,
    Gained,
}

type Design = Vec<Vec<Pair>>;

/// A pair of a cluster of which nothing (0), single pairs (1) or everything (2) changed, and pairs that differ at random (3).
fn pair(kind: u8, way: bool, at: usize, raw: u8) -> Pair {
    let changed = if way { Pair::Gained } else { Pair::Lost };
    match kind {
        1 if at == 0 => changed,
        2 => changed,
        3 if raw < 3 => Pair::Gained,
        3 if raw < 7 => Pair::Lost,
        _ => Pair::Same,
    }
}

/// Families of like or unequal sizes, quiet ones more often than others; of every second design about 20 are discordant, and of
/// some everything changed, the same way or by family.
fn designs() -> impl Strategy<Value = Design> {
    let size = || prop_oneof![Just(1_usize), Just(4), 1..=12_usize, Just(12)];
    let family = (size(), 0..12_u8, prop::bool::weighted(0.3), proptest::collection::vec(0..20_u8, 12));
    let many = prop_oneof![10..60_usize, 19..40_usize];
    (many, 1..=12_usize, 0..3_u8, 17..24_usize, any::<bool>(), 0..12_u8).prop_flat_map(
        move |(many, all, like, discordant, aimed, everything)| {
            let family = family.clone();
            proptest::collection::vec(family, many).prop_map(move |families| {
                let of = |(i, (size, kind, way, raw)): (usize, &(usize, u8, bool, Vec<u8>))| {
                    let size = if like == 0 { all } else { *size };
                    let kind = match *kind {
                        k if aimed && i < discordant => 1 + k % 3,
                        _ if aimed => 0,
                        k if k < 4 => k,
                        _ => 0,
                    };
                    let (kind, way) = match everything {
                        0 => (2, true),
                        1 => (2, false),
                        2 => (2, *way),
                        _ => (kind, *way),
                    };
                    (0..size).map(|at| pair(kind, way, at, raw[at])).collect()
                };
                families.iter().enumerate().map(of).collect()
            })
        },
    )
}

fn of(design: &Design) -> ClusteredTango {
    let counts = |family: &Vec<Pair>| {
        let count = |wanted| family.iter().filter(|p| **p == wanted).count() as u64;
        ClusterCounts { gained: count(Pair::Gained), lost: count(Pair::Lost), pairs: family.len() as u64 }
    };
    tango_clustered(&design.iter().map(counts).collect::<Vec<_>>()).unwrap()
}

fn mirrored(design: &Design) -> Design {
    let turn = |p: &Pair| match p {
        Pair::Lost => Pair::Gained,
        Pair::Same => Pair::Same,
        Pair::Gained => Pair::Lost,
    };
    design.iter().map(|family| family.iter().map(turn).collect()).collect()
}

/// That the second shows no more than the first: neither limit lies higher, no test is stricter on losses or laxer on gains, and no
/// claim of a margin appears.
fn shows_no_more(before: &Design, after: &Design) -> Result<(), TestCaseError> {
    let (own, worse) = (of(before), of(after));
    let (there, then) = (own.interval(LEVEL).unwrap(), worse.interval(LEVEL).unwrap());
    prop_assert!(then.lower() <= there.lower() + 1e-9, "lower {} -> {}", there.lower(), then.lower());
    prop_assert!(then.upper() <= there.upper() + 1e-9, "upper {} -> {}", there.upper(), then.upper());
    for margin in MARGINS.into_iter().flat_map(|m| [-m, m]).chain([0.0]) {
        let (p, q) = (own.test(margin).unwrap(), worse.test(margin).unwrap());
        prop_assert!(q.p_above >= p.p_above - 1e-9, "above {margin}: {} -> {}", p.p_above, q.p_above);
        prop_assert!(q.p_below <= p.p_below + 1e-9, "below {margin}: {} -> {}", p.p_below, q.p_below);
        prop_assert!(q.p_above + q.p_below >= 1.0 - 1e-9);
        // Interval and test say the same.
        prop_assert!((q.p_above <= ALPHA) == (then.lower() >= margin) || (q.p_above - ALPHA).abs() < 1e-7);
        prop_assert!((q.p_below <= ALPHA) == (then.upper() <= margin) || (q.p_below - ALPHA).abs() < 1e-7);
    }
    Ok(())
}

/// One pair that is better than `to` turned to it, if there is one.
fn turned(design: &Design, at: prop::sample::Index, member: prop::sample::Index, to: Pair) -> Option<Design> {
    let mut design = design.clone();
    let families: Vec<usize> = (0..design.len()).filter(|&g| design[g].iter().any(|p| *p > to)).collect();
    let family = *families.get(at.index(families.len().max(1)))?;
    let members: Vec<usize> = (0..design[family].len()).filter(|&i| design[family][i] > to).collect();
    design[family][members[member.index(members.len())]] = to;
    Some(design)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Turned to lost, or a gain that is not there; and the same from the other side, for gains.
    #[test]
    fn a_pair_turned_to_the_worse_never_helps(
        design in designs(), at: prop::sample::Index, member: prop::sample::Index, lost: bool,
    ) {
        if let Some(worse) = turned(&design, at, member, if lost { Pair::Lost } else { Pair::Same }) {
            shows_no_more(&design, &worse)?;
            shows_no_more(&mirrored(&worse), &mirrored(&design))?;
        }
    }

    /// A further pair makes the suite another one, with more pairs and perhaps more families; what it brings, lost, is never more than
    /// what it would bring unchanged.
    #[test]
    fn a_further_pair_that_is_lost_never_shows_more_than_one_unchanged(
        design in designs(), at in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let with = |pair| {
            let mut more = design.clone();
            match at {
                Some(at) => more[at.index(design.len())].push(pair),
                None => more.push(vec![pair]),
            }
            more
        };
        shows_no_more(&with(Pair::Same), &with(Pair::Lost))?;
        shows_no_more(&with(Pair::Gained), &with(Pair::Same))?;
    }

    #[test]
    fn the_limits_lie_around_those_of_the_formula_and_mirror(design in designs()) {
        let t = of(&design);
        let (own, formula) = (t.interval(LEVEL).unwrap(), t.interval_as_specified(LEVEL).unwrap());
        prop_assert!(own.lower() <= formula.lower() + 1e-9 && own.upper() >= formula.upper() - 1e-9);
        let turned = of(&mirrored(&design)).interval(LEVEL).unwrap();
        prop_assert!((turned.lower() + own.upper()).abs() < 1e-9 && (turned.upper() + own.lower()).abs() < 1e-9);
    }
}

/// Of 90 single cases and 10 families of 20, one exchanged must not prove what all of them gained do not.
#[test]
fn everything_gained_in_unequal_families_is_the_best_outcome() {
    let mut all = vec![vec![Pair::Gained]; 90];
    all.extend(vec![vec![Pair::Gained; 20]; 10]);
    for (family, to) in [(0, Pair::Same), (0, Pair::Lost), (95, Pair::Same), (95, Pair::Lost)] {
        let mut one = all.clone();
        one[family][0] = to;
        shows_no_more(&all, &one).unwrap();
        shows_no_more(&mirrored(&one), &mirrored(&all)).unwrap();
        assert!(of(&one).test(0.9).unwrap().p_above > 0.05, "{family} {to:?}");
    }
}
