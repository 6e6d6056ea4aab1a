//! How well judges agree: Cohen's kappa, Gwet's AC1, and Krippendorff's alpha.
//!
//! Kappa and alpha mislead when one class exceeds about 90 %: print AC1 and the confusion matrix beside them.

use super::bootstrap::Bootstrap;
use super::error::{Result, StatsError, at_least, finite, interval, open_unit, out_of_range, same_length};
use super::special::normal_critical;
use crate::types::Interval;

/// How much a disagreement between categories i and j costs, as agreement weights in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KappaWeights {
    /// Only equality counts.
    None,
    /// `1 - |i - j|/(k - 1)`.
    Linear,
    /// `1 - (i - j)^2/(k - 1)^2`.
    Quadratic,
}

impl KappaWeights {
    fn of(self, i: usize, j: usize, k: usize) -> f64 {
        let share = i.abs_diff(j) as f64 / (k as f64 - 1.0);
        match self {
            Self::None => f64::from(u8::from(i == j)),
            Self::Linear => 1.0 - share,
            Self::Quadratic => 1.0 - share * share,
        }
    }
}

/// Chance-corrected agreement of two raters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The coefficient; 1 = perfect, 0 = what chance gives.
    pub coefficient: f64,
    /// Its standard error, not under the null hypothesis.
    pub se: f64,
    /// The share of items on which the raters gave the same category.
    pub observed: f64,
}

impl Agreement {
    /// The normal interval of the coefficient.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        let half = normal_critical(open_unit("level", level)?) * self.se;
        interval(self.coefficient - half, self.coefficient + half, level)
    }
}

/// Joint shares of categories, row = first rater, `k * k` numbers; checked.
fn joint(a: &[usize], b: &[usize], k: usize) -> Result<Vec<f64>> {
    same_length("ratings of two raters", a.len(), b.len())?;
    at_least("rated items", a.len(), 2)?;
    at_least("categories", k, 2)?;
    if k > 10_000 {
        return Err(out_of_range("number of categories", k as f64, "at most 10000"));
    }
    let mut table = vec![0.0; k * k];
    for (&i, &j) in a.iter().zip(b) {
        let worst = i.max(j);
        if worst >= k {
            return Err(out_of_range("category", worst as f64, "below the number of categories"));
        }
        table[i * k + j] += 1.0;
    }
    let n = a.len() as f64;
    table.iter_mut().for_each(|p| *p /= n);
    Ok(table)
}

fn margins(table: &[f64], k: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = table.chunks(k).map(|row| row.iter().sum()).collect();
    let columns = (0..k).map(|j| table.iter().skip(j).step_by(k).sum()).collect();
    (rows, columns)
}

/// Cohen's (weighted) kappa of two raters over categories `0..k`, with the large-sample standard error.
///
/// Sources: Cohen 1968, Psychol Bull 70:213; Fleiss, Cohen & Everitt 1969, Psychol Bull 72:323.
///
/// # Errors
/// When the raters rated different numbers of items, fewer than two items or categories, a category is `k` or above, or
/// chance alone would agree perfectly (both raters used one and the same category throughout).
pub fn cohen_kappa(a: &[usize], b: &[usize], k: usize, weights: KappaWeights) -> Result<Agreement> {
    let table = joint(a, b, k)?;
    let (rows, columns) = margins(&table, k);
    let weight = |i: usize, j: usize| weights.of(i, j, k);
    let row_weight: Vec<f64> = (0..k).map(|i| (0..k).map(|j| weight(i, j) * columns[j]).sum()).collect();
    let column_weight: Vec<f64> = (0..k).map(|j| (0..k).map(|i| weight(i, j) * rows[i]).sum()).collect();
    let cells = || (0..k).flat_map(|i| (0..k).map(move |j| (i, j)));
    let observed: f64 = cells().map(|(i, j)| weight(i, j) * table[i * k + j]).sum();
    let expected: f64 = (0..k).map(|i| rows[i] * row_weight[i]).sum();
    if 1.0 - expected <= 1e-15 {
        return Err(StatsError::NotEstimable { why: "both raters used one and the same category throughout" });
    }
    let kappa = (observed - expected) / (1.0 - expected);
    let spread: f64 = cells()
        .map(|(i, j)| {
            let term = weight(i, j) - (row_weight[i] + column_weight[j]) * (1.0 - kappa);
            table[i * k + j] * term * term
        })
        .sum();
    let centre = kappa - expected * (1.0 - kappa);
    let variance = (spread - centre * centre).max(0.0) / (a.len() as f64 * (1.0 - expected) * (1.0 - expected));
    let same = (0..k).map(|i| table[i * k + i]).sum();
    Ok(Agreement { coefficient: kappa, se: variance.sqrt(), observed: same })
}

/// Gwet's AC1 of two raters over categories `0..k`: a coefficient that stays meaningful when one category dominates.
///
/// Source: Gwet 2008, Br J Math Stat Psychol 61:29.
///
/// # Errors
/// When the raters rated different numbers of items, fewer than two items or categories, or a category is `k` or above.
pub fn gwet_ac1(a: &[usize], b: &[usize], k: usize) -> Result<Agreement> {
    let table = joint(a, b, k)?;
    let (rows, columns) = margins(&table, k);
    let share: Vec<f64> = rows.iter().zip(&columns).map(|(r, c)| 0.5 * (r + c)).collect();
    let other = k as f64 - 1.0;
    let expected = share.iter().map(|p| p * (1.0 - p)).sum::<f64>() / other;
    let observed: f64 = (0..k).map(|i| table[i * k + i]).sum();
    let ac1 = (observed - expected) / (1.0 - expected);
    let n = a.len() as f64;
    let squares: f64 = a
        .iter()
        .zip(b)
        .map(|(&i, &j)| {
            let own = (f64::from(u8::from(i == j)) - expected) / (1.0 - expected);
            let chance = 0.5 * ((1.0 - share[i]) + (1.0 - share[j])) / other;
            let term = own - 2.0 * (1.0 - ac1) * (chance - expected) / (1.0 - expected) - ac1;
            term * term
        })
        .sum();
    Ok(Agreement { coefficient: ac1, se: (squares / (n * (n - 1.0))).sqrt(), observed })
}

/// The scale of the ratings, which decides how far apart two of them are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatingScale {
    /// Names: equal or not.
    Nominal,
    /// Ranks: the number of ratings that lie between.
    Ordinal,
    /// Numbers: the squared difference.
    Interval,
}

/// Ratings prepared for alpha: the distinct values, and per unit the index of each value given.
struct Units {
    values: Vec<f64>,
    units: Vec<Vec<usize>>,
}

impl Units {
    /// From one row per rater, one column per unit; units with fewer than two ratings cannot be paired and are left out.
    fn new(ratings: &[Vec<Option<f64>>]) -> Result<Self> {
        at_least("raters", ratings.len(), 2)?;
        let width = ratings[0].len();
        let mut values = Vec::new();
        for row in ratings {
            same_length("rows of ratings", width, row.len())?;
            for &value in row.iter().flatten() {
                // Adding 0 makes one value of the two zeros.
                values.push(finite("rating", value)? + 0.0);
            }
        }
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let index = |v: f64| values.partition_point(|&x| x < v);
        let units: Vec<Vec<usize>> = (0..width)
            .map(|u| ratings.iter().filter_map(|row| row[u].map(index)).collect::<Vec<usize>>())
            .filter(|unit| unit.len() > 1)
            .collect();
        at_least("units with two ratings", units.len(), 1)?;
        if values.len() > 2_000 {
            return Err(out_of_range("number of distinct ratings", values.len() as f64, "at most 2000"));
        }
        Ok(Self { values, units })
    }

    /// Alpha of the units chosen; NaN where all their ratings are equal.
    fn alpha<'a>(&'a self, chosen: impl Iterator<Item = &'a Vec<usize>> + Clone, scale: RatingScale) -> f64 {
        let mut totals = vec![0.0; self.values.len()];
        for &value in chosen.clone().flatten() {
            totals[value] += 1.0;
        }
        let n: f64 = totals.iter().sum();
        // For ranks: how many ratings lie below, and half of those at, each value.
        let mut seen = 0.0;
        let position: Vec<f64> = totals
            .iter()
            .zip(&self.values)
            .map(|(&count, &value)| {
                let middle = seen + 0.5 * count;
                seen += count;
                if scale == RatingScale::Interval { value } else { middle }
            })
            .collect();
        let distance = |i: usize, j: usize| match scale {
            RatingScale::Nominal => f64::from(u8::from(i != j)),
            RatingScale::Ordinal | RatingScale::Interval => (position[i] - position[j]).powi(2),
        };
        let mut observed = 0.0;
        for unit in chosen {
            let pairs: f64 =
                unit.iter().flat_map(|&i| unit.iter().map(move |&j| (i, j))).map(|(i, j)| distance(i, j)).sum();
            observed += pairs / (unit.len() as f64 - 1.0);
        }
        let used: Vec<usize> = (0..totals.len()).filter(|&i| totals[i] > 0.0).collect();
        let expected: f64 = used
            .iter()
            .map(|&i| totals[i] * used.iter().map(|&j| totals[j] * distance(i, j)).sum::<f64>())
            .sum::<f64>()
            / (n - 1.0);
        1.0 - observed / expected
    }
}

/// Krippendorff's alpha; `ratings` has a row per rater and a column per unit, with `None` where a rating is missing.
///
/// Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; the ordinal distance between two ranks is the
/// number of ratings between their middles, squared.
///
/// # Errors
/// When there are fewer than two raters, rows differ in length, a rating is NaN or infinite, no unit has two ratings, or
/// all ratings are equal (agreement without variation shows nothing).
pub fn krippendorff_alpha(ratings: &[Vec<Option<f64>>], scale: RatingScale) -> Result<f64> {
    let units = Units::new(ratings)?;
    let alpha = units.alpha(units.units.iter(), scale);
    if alpha.is_finite() { Ok(alpha) } else { Err(StatsError::NotEstimable { why: "all ratings are equal" }) }
}

/// Krippendorff's alpha with its percentile bootstrap interval over units.
///
/// Resamples in which all ratings are equal count as alpha 0: they show no reliability.
///
/// # Errors
/// As [`krippendorff_alpha`], and when there are no resamples or the level is outside `(0, 1)`.
pub fn krippendorff_interval(
    ratings: &[Vec<Option<f64>>],
    scale: RatingScale,
    resamples: usize,
    seed: u64,
    level: f64,
) -> Result<(f64, Interval)> {
    let alpha = krippendorff_alpha(ratings, scale)?;
    let units = Units::new(ratings)?;
    let boot = Bootstrap::of(units.units.len(), resamples, seed, |indices| {
        let value = units.alpha(indices.iter().map(|&u| &units.units[u]), scale);
        if value.is_finite() { value } else { 0.0 }
    })?;
    Ok((alpha, boot.percentile(level)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_agreement_is_one_without_error() {
        let a = [0, 1, 2, 1, 0, 2];
        for weights in [KappaWeights::None, KappaWeights::Linear, KappaWeights::Quadratic] {
            let k = cohen_kappa(&a, &a, 3, weights).unwrap();
            assert!((k.coefficient - 1.0).abs() < 1e-12 && k.se < 1e-7);
        }
        assert!((gwet_ac1(&a, &a, 3).unwrap().coefficient - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_category_throughout_shows_nothing_to_kappa() {
        assert!(matches!(cohen_kappa(&[1; 9], &[1; 9], 2, KappaWeights::None), Err(StatsError::NotEstimable { .. })));
        let same = vec![vec![Some(3.0); 5]; 2];
        assert!(krippendorff_alpha(&same, RatingScale::Ordinal).is_err());
    }

    #[test]
    fn a_dominant_class_fools_kappa_and_not_ac1() {
        // 118 of 125 agreed, but nearly all in one class.
        let (mut a, mut b) = (vec![0; 118], vec![0; 118]);
        a.extend([0, 0, 0, 0, 0, 1, 1]);
        b.extend([1, 1, 1, 1, 1, 0, 0]);
        let kappa = cohen_kappa(&a, &b, 2, KappaWeights::None).unwrap();
        let ac1 = gwet_ac1(&a, &b, 2).unwrap();
        assert!(kappa.coefficient < 0.0 && ac1.coefficient > 0.93);
        // p = (120/125 + 123/125)/2; pe = 2 p (1 - p).
        let p: f64 = 0.5 * (123.0 + 120.0) / 125.0;
        let pe = 2.0 * p * (1.0 - p);
        assert!((ac1.coefficient - (118.0 / 125.0 - pe) / (1.0 - pe)).abs() < 1e-12);
        assert!(ac1.interval(0.95).unwrap().lower() > 0.85);
    }

    #[test]
    fn an_interval_of_alpha_holds_it() {
        let r: Vec<Option<f64>> = (0..60).map(|i| Some(f64::from(i % 5))).collect();
        let mut s = r.clone();
        (s[3], s[17], s[40]) = (Some(1.0), None, Some(4.0));
        let (alpha, i) = krippendorff_interval(&[r, s], RatingScale::Ordinal, 300, 7, 0.95).unwrap();
        assert!(i.lower() <= alpha && alpha <= i.upper() && i.lower() > 0.6);
    }

    #[test]
    fn bad_ratings_are_errors() {
        assert!(cohen_kappa(&[0, 1], &[0], 2, KappaWeights::None).is_err());
        assert!(cohen_kappa(&[0, 2], &[0, 1], 2, KappaWeights::None).is_err());
        assert!(cohen_kappa(&[0, 0], &[0, 0], 1, KappaWeights::None).is_err());
        assert!(gwet_ac1(&[], &[], 2).is_err());
        assert!(krippendorff_alpha(&[vec![Some(f64::NAN)], vec![Some(1.0)]], RatingScale::Nominal).is_err());
        assert!(krippendorff_alpha(&[vec![Some(1.0)], vec![None]], RatingScale::Nominal).is_err());
        assert!(krippendorff_alpha(&[vec![Some(1.0)], vec![]], RatingScale::Nominal).is_err());
        assert!(krippendorff_alpha(&[], RatingScale::Nominal).is_err());
    }
}
