//! Methods that other tools use, kept here to be shown failing. They are no statistics of this program: nothing outside this room can
//! reach them, and no verdict is ever made with one.

/// The normal quantile at 95 %: a one-sided level of 5 %.
pub(super) const Z95: f64 = 1.644_853_626_951_472_2;
/// The normal quantile at 97.5 %: a two-sided level of 5 %.
pub(super) const Z975: f64 = 1.959_963_984_540_054;

/// The Wald interval of a paired difference of shares. Its width is 0 when nothing differs, and too small while little does.
#[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
pub(super) fn wald(gained: usize, lost: usize, n: usize, z: f64) -> (f64, f64) {
    let (b, c, n) = (gained as f64, lost as f64, n as f64);
    let d = (b - c) / n;
    let half = z * (((b + c) / n - d * d).max(0.0) / n).sqrt();
    (d - half, d + half)
}

/// The interval of two independent shares, taken for pairs: it throws the pairing away, and with it most of the power.
#[expect(clippy::cast_precision_loss, reason = "numbers of cases are far below 2^52")]
pub(super) fn unpaired(base_right: usize, tuned_right: usize, n: usize, z: f64) -> (f64, f64) {
    let n = n as f64;
    let (p, q) = (base_right as f64 / n, tuned_right as f64 / n);
    let half = z * ((p * (1.0 - p) + q * (1.0 - q)) / n).sqrt();
    (q - p - half, q - p + half)
}

/// Whether Welch's t test tells two samples apart at a two-sided 5 %, with the normal quantile: it takes requests that follow each
/// other for independent. (The samples here are of 200 each, where t and normal quantile agree to 1 %.)
#[expect(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
pub(super) fn welch_differs(a: &[f64], b: &[f64]) -> bool {
    let moments = |x: &[f64]| {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        (mean, x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n)
    };
    let ((ma, va), (mb, vb)) = (moments(a), moments(b));
    (ma - mb).abs() > Z975 * (va + vb).sqrt()
}
