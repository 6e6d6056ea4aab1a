//! Groups of targets that cannot be told apart, as letters: two share a letter exactly when no test tells them apart.

/// More groups than this are no help to a reader, and the exact algorithm may make exponentially many on the way.
const MOST_GROUPS: usize = 200;

/// The groups of `n` targets of which `different` says whether two are told apart: members by index, ascending; groups by their first members.
///
/// Insert and absorb (Piepho 2004, J Comput Graph Stat 13:456): one group of all; each difference splits every group that holds both of its
/// targets in two, and a group within another is dropped. What is left are all the largest groups without a difference, whatever the
/// order. Where there are more than [`MOST_GROUPS`] of them, groups are grown instead, one for each pair not yet in a group (Gramm et al. 2007,
/// Comput Stat Data Anal 52:725, "clique growing"): as right, and never more than there are pairs.
pub(super) fn groups(n: usize, different: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let sets = absorbed(n, &different).unwrap_or_else(|| grown(n, &different));
    let mut groups: Vec<Vec<usize>> = sets.iter().map(|s| (0..n).filter(|&i| s[i]).collect()).collect();
    groups.sort();
    groups
}

/// By insert and absorb, or nothing where there are too many groups.
fn absorbed(n: usize, different: &impl Fn(usize, usize) -> bool) -> Option<Vec<Vec<bool>>> {
    if n == 0 {
        return Some(Vec::new());
    }
    let mut sets = vec![vec![true; n]];
    for (i, j) in all_pairs(n).filter(|&(i, j)| different(i, j)) {
        let (split, mut kept): (Vec<_>, Vec<_>) = sets.into_iter().partition(|s| s[i] && s[j]);
        for (gone, whole) in split.iter().flat_map(|s| [(i, s), (j, s)]) {
            let mut part = whole.clone();
            part[gone] = false;
            // Groups that were kept lie within no other, and hold at most one of the two: only a new one can be absorbed.
            if !kept.iter().any(|other| is_within(&part, other)) {
                kept.push(part);
            }
        }
        sets = kept;
        if sets.len() > MOST_GROUPS {
            return None;
        }
    }
    Some(sets)
}

fn is_within(part: &[bool], whole: &[bool]) -> bool {
    part.iter().zip(whole).all(|(p, w)| *w || !*p)
}

/// One largest group for each pair that is in none yet.
fn grown(n: usize, different: &impl Fn(usize, usize) -> bool) -> Vec<Vec<bool>> {
    let mut sets: Vec<Vec<bool>> = Vec::new();
    let alone = (0..n).filter(|&i| (0..n).all(|j| i == j || different(i, j))).map(|i| (i, i));
    for (i, j) in alone.chain(all_pairs(n).filter(|&(i, j)| !different(i, j))) {
        if sets.iter().any(|s| s[i] && s[j]) {
            continue;
        }
        let mut set = vec![false; n];
        (set[i], set[j]) = (true, true);
        for k in 0..n {
            set[k] = set[k] || (0..n).all(|m| !set[m] || !different(k, m));
        }
        sets.push(set);
    }
    sets
}

/// Every pair once, the smaller index first.
pub(super) fn all_pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

/// The name of a group: a to z, then aa, ab and so on.
pub(super) fn letter(mut index: usize) -> String {
    let mut name = Vec::new();
    loop {
        name.insert(0, char::from(b'a' + u8::try_from(index % 26).expect("a remainder of 26 fits a byte")));
        if index < 26 {
            return name.into_iter().collect();
        }
        index = index / 26 - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SplitMix64;

    fn assert_right(n: usize, different: impl Fn(usize, usize) -> bool + Copy) -> usize {
        let found = groups(n, different);
        for (i, j) in all_pairs(n) {
            let share = found.iter().any(|g| g.contains(&i) && g.contains(&j));
            assert_eq!(share, !different(i, j), "{i} and {j} of {found:?}");
        }
        assert!((0..n).all(|i| found.iter().any(|g| g.contains(&i))), "everybody has a letter: {found:?}");
        for (a, b) in all_pairs(found.len()) {
            let within = |x: &[usize], y: &[usize]| x.iter().all(|i| y.contains(i));
            assert!(!within(&found[a], &found[b]) && !within(&found[b], &found[a]), "{found:?}");
        }
        found.len()
    }

    #[test]
    fn two_share_a_letter_exactly_when_nothing_tells_them_apart() {
        let mut rng = SplitMix64::new(3);
        for round in 0..300 {
            let n = 1 + rng.index(12);
            let density = rng.unit();
            let told: Vec<bool> = (0..n * n).map(|_| rng.unit() < density).collect();
            let different = |i: usize, j: usize| i != j && told[i.min(j) * n + i.max(j)];
            assert_right(n, different);
            if round % 10 == 0 {
                let plain = grown(n, &different);
                let plain: Vec<Vec<usize>> = plain.iter().map(|s| (0..n).filter(|&i| s[i]).collect()).collect();
                assert!(plain.iter().all(|g| groups(n, different).contains(g)), "a grown group is a largest one");
            }
        }
        assert_eq!(groups(0, |_, _| true), Vec::<Vec<usize>>::new());
        assert_eq!(groups(3, |_, _| false), [[0, 1, 2]]);
        assert_eq!(groups(3, |_, _| true), [[0], [1], [2]]);
    }

    #[test]
    fn an_exponential_pattern_ends_and_is_right() {
        // Triplets that differ within and not between: 3^20 largest groups.
        let found = assert_right(60, |i, j| i != j && i / 3 == j / 3);
        assert!(found <= 60 * 59 / 2, "{found}");
    }

    #[test]
    fn letters_go_on_behind_z() {
        let names: Vec<_> = [0, 25, 26, 27, 51, 52, 701, 702].map(letter).into();
        assert_eq!(names, ["a", "z", "aa", "ab", "az", "ba", "zz", "aaa"]);
    }
}
