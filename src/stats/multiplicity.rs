//! Adjusted p values for families of tests. The pass rule of the gate needs none of these (intersection-union); they
//! serve union claims, several candidates, and the list of slices to look at.

use super::error::{Result, at_least, closed_unit};

fn checked(p: &[f64]) -> Result<()> {
    at_least("p values", p.len(), 1)?;
    p.iter().try_for_each(|&x| closed_unit("p value", x).map(|_| ()))
}

/// Indices from the smallest p value to the largest; ties in the order given.
fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    order
}

/// Step-down: from the smallest p value, the running maximum of `factor(rank) * p`, rank from 0.
fn step_down(p: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut running = 0.0_f64;
    for (rank, i) in ascending(p).into_iter().enumerate() {
        running = running.max((factor(rank) * p[i]).min(1.0));
        adjusted[i] = running;
    }
    adjusted
}

/// Step-up: from the largest p value, the running minimum of `factor(rank) * p`, rank from 0.
fn step_up(p: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut running = 1.0_f64;
    for (rank, i) in ascending(p).into_iter().enumerate().rev() {
        running = running.min(factor(rank) * p[i]);
        adjusted[i] = running;
    }
    adjusted
}

/// Bonferroni's adjustment: `min(1, m p)`.
///
/// # Errors
/// When there is no p value, or one is outside `[0, 1]`.
pub fn bonferroni(p: &[f64]) -> Result<Vec<f64>> {
    checked(p)?;
    let m = p.len() as f64;
    Ok(p.iter().map(|x| (m * x).min(1.0)).collect())
}

/// Holm's step-down adjustment: strong control of the family-wise error under any dependence.
///
/// Source: Holm 1979, Scand J Stat 6:65.
///
/// # Errors
/// When there is no p value, or one is outside `[0, 1]`.
pub fn holm(p: &[f64]) -> Result<Vec<f64>> {
    checked(p)?;
    let m = p.len();
    Ok(step_down(p, |rank| (m - rank) as f64))
}

/// Hochberg's step-up adjustment: valid for independent or positively dependent tests.
///
/// Source: Hochberg 1988, Biometrika 75:800.
///
/// # Errors
/// When there is no p value, or one is outside `[0, 1]`.
pub fn hochberg(p: &[f64]) -> Result<Vec<f64>> {
    checked(p)?;
    let m = p.len();
    Ok(step_up(p, |rank| (m - rank) as f64))
}

/// Benjamini-Hochberg's adjustment: false discovery rate under independence or positive regression dependence.
///
/// Source: Benjamini & Hochberg 1995, JRSSB 57:289.
///
/// # Errors
/// When there is no p value, or one is outside `[0, 1]`.
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>> {
    checked(p)?;
    let m = p.len() as f64;
    Ok(step_up(p, |rank| m / (rank as f64 + 1.0)))
}

/// Benjamini-Yekutieli's adjustment: false discovery rate under any dependence (slices that overlap heavily).
///
/// Source: Benjamini & Yekutieli 2001, Ann Stat 29:1165.
///
/// # Errors
/// When there is no p value, or one is outside `[0, 1]`.
pub fn benjamini_yekutieli(p: &[f64]) -> Result<Vec<f64>> {
    checked(p)?;
    let m = p.len() as f64;
    let harmonic: f64 = (1..=p.len()).rev().map(|k| 1.0 / k as f64).sum();
    Ok(step_up(p, |rank| m * harmonic / (rank as f64 + 1.0)))
}

/// The fixed-sequence procedure in the order given: the adjusted p value is the largest so far, so that a hypothesis can
/// be rejected only after all before it. Each is tested at the full level.
///
/// Source: Maurer, Hothorn & Lehmacher 1995, in Biometrie in der chemisch-pharmazeutischen Industrie 6:3.
///
/// # Errors
/// When there is no p value, or one is outside `[0, 1]`.
pub fn fixed_sequence(p: &[f64]) -> Result<Vec<f64>> {
    checked(p)?;
    let mut running = 0.0_f64;
    Ok(p.iter()
        .map(|&x| {
            running = running.max(x);
            running
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adjustment_refuses_what_is_no_probability() {
        for f in [bonferroni, holm, hochberg, benjamini_hochberg, benjamini_yekutieli, fixed_sequence] {
            assert!(f(&[]).is_err());
            assert!(f(&[0.1, f64::NAN]).is_err());
            assert!(f(&[1.1]).is_err());
            assert_eq!(f(&[0.03]).unwrap(), [0.03]);
            assert!(f(&[1.0, 0.9, 1.0]).unwrap().iter().all(|&q| q <= 1.0));
        }
    }

    #[test]
    fn a_sequence_stops_at_its_first_failure() {
        assert_eq!(fixed_sequence(&[0.01, 0.20, 0.001]).unwrap(), [0.01, 0.20, 0.20]);
    }
}
