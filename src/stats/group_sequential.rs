//! Group-sequential bounds by alpha spending, for reviewers who want them.

use super::error::{Result, StatsError, at_least, open_unit, out_of_range};
use super::root;
use super::special::{normal_pdf, normal_quantile, normal_sf};

/// How fast the level is spent over information time t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// O'Brien-Fleming type: `2 (1 - Phi(z_{1-alpha/2}/sqrt t))`; almost nothing early.
    OBrienFleming,
    /// Pocock type: `alpha ln(1 + (e - 1) t)`; nearly even.
    Pocock,
}

impl Spending {
    /// The level spent by information time `t` in `(0, 1]`.
    fn by(self, t: f64, alpha: f64) -> f64 {
        match self {
            Self::OBrienFleming => 2.0 * normal_sf(-normal_quantile(0.5 * alpha) / t.sqrt()),
            Self::Pocock => alpha * ((std::f64::consts::E - 1.0) * t).ln_1p(),
        }
    }
}

/// One look of a group-sequential design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequentialLook {
    /// Information time, the share of the planned cases.
    pub time: f64,
    /// The level spent up to this look.
    pub cumulative_alpha: f64,
    /// Stop and pass when z is at least this; infinite where the spending is too small to be represented.
    pub z: f64,
}

/// Nodes of the quadrature; odd, for Simpson's rule.
const NODES: usize = 2_001;

/// How far below 0 the statistic is followed, in standard deviations.
const REACH: f64 = 9.0;

/// One-sided upper bounds at the looks `times`, by Lan & DeMets' spending and recursive quadrature of the density of the
/// Brownian path that has not crossed yet.
///
/// Sources: Lan & DeMets 1983, Biometrika 70:659; Armitage, McPherson & Rowe 1969, JRSSA 132:235, for the recursion.
///
/// # Errors
/// When there is no look or more than 100, the times do not rise strictly within `(0, 1]`, or alpha is outside `(0, 1)`.
pub fn lan_demets_bounds(times: &[f64], alpha: f64, spending: Spending) -> Result<Vec<SequentialLook>> {
    at_least("looks", times.len(), 1)?;
    open_unit("alpha", alpha)?;
    if times.len() > 100 {
        return Err(out_of_range("number of looks", times.len() as f64, "at most 100"));
    }
    let mut looks: Vec<SequentialLook> = Vec::with_capacity(times.len());
    let mut path = Path { time: 0.0, nodes: Vec::new() };
    let mut spent = 0.0;
    for &time in times {
        if !(time > path.time && time <= 1.0) {
            return Err(match time.is_nan() {
                true => StatsError::NotFinite { what: "time of a look" },
                false => out_of_range("time of a look", time, "above the one before and at most 1"),
            });
        }
        let cumulative = spending.by(time, alpha);
        let bound = path.bound(time, cumulative - spent);
        path = path.advanced(time, bound);
        spent = cumulative;
        looks.push(SequentialLook { time, cumulative_alpha: cumulative, z: bound / time.sqrt() });
    }
    Ok(looks)
}

/// The density of a Brownian path at `time` that has stayed below all bounds, as Simpson nodes `(place, density * weight)`.
struct Path {
    time: f64,
    nodes: Vec<(f64, f64)>,
}

impl Path {
    /// The place on the scale of the path that is crossed at `time` with probability `alpha`.
    fn bound(&self, time: f64, alpha: f64) -> f64 {
        if alpha <= 0.0 {
            return f64::INFINITY;
        }
        if self.nodes.is_empty() {
            let z = if alpha >= 1.0 { -REACH } else { -normal_quantile(alpha) };
            return z * time.sqrt();
        }
        let step = (time - self.time).sqrt();
        let crossing = |c: f64| self.nodes.iter().map(|(u, w)| w * normal_sf((c - u) / step)).sum::<f64>();
        root::decreasing(-REACH * time.sqrt(), 40.0 * time.sqrt(), |c| crossing(c) - alpha)
    }

    /// The path at `time`, cut off at `bound`.
    fn advanced(&self, time: f64, bound: f64) -> Self {
        let low = -REACH * time.sqrt();
        let high = bound.min(REACH * time.sqrt());
        let h = (high - low) / (NODES - 1) as f64;
        let step = (time - self.time).sqrt();
        let nodes = (0..NODES)
            .map(|i| {
                let y = low + h * i as f64;
                let density = if self.nodes.is_empty() {
                    normal_pdf(y / step) / step
                } else {
                    self.nodes.iter().map(|(u, w)| w * normal_pdf((y - u) / step)).sum::<f64>() / step
                };
                let simpson = if i == 0 || i == NODES - 1 { 1.0 } else { f64::from(2 + 2 * (i as u32 % 2)) };
                (y, density * simpson * h / 3.0)
            })
            .collect();
        Self { time, nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_five_look_bounds() {
        let looks = lan_demets_bounds(&[0.2, 0.4, 0.6, 0.8, 1.0], 0.025, Spending::OBrienFleming).unwrap();
        let published = [4.877, 3.357, 2.680, 2.290, 2.031];
        for (look, want) in looks.iter().zip(published) {
            assert!((look.z - want).abs() < 6e-4, "{look:?} {want}");
        }
        assert!((looks[4].cumulative_alpha - 0.025).abs() < 1e-12);
    }

    #[test]
    fn one_look_is_the_fixed_test() {
        for spending in [Spending::OBrienFleming, Spending::Pocock] {
            let looks = lan_demets_bounds(&[1.0], 0.05, spending).unwrap();
            assert!((looks[0].z - 1.644_853_626_951_472_2).abs() < 1e-9);
        }
    }

    #[test]
    fn a_look_too_early_to_spend_anything_has_no_bound() {
        let looks = lan_demets_bounds(&[1e-4, 1.0], 0.05, Spending::OBrienFleming).unwrap();
        assert!(looks[0].z.is_infinite() || looks[0].z > 30.0);
        assert!((looks[1].z - 1.644_85).abs() < 1e-4);
    }

    #[test]
    fn bad_looks_are_errors() {
        for times in [&[][..], &[0.5, 0.5], &[0.5, 1.1], &[f64::NAN], &[0.0, 1.0]] {
            assert!(lan_demets_bounds(times, 0.05, Spending::Pocock).is_err());
        }
        assert!(lan_demets_bounds(&[1.0], 0.0, Spending::Pocock).is_err());
    }
}
