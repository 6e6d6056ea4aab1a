//! What can go wrong while values are turned into bytes.

/// Why a rendering could not be made. Each is a defect of this program or of its compiled-in templates, never of a model's answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A compiled-in template does not fit its values.
    #[error("the HTML template failed: {0:#}")]
    Template(#[from] minijinja::Error),
    /// The JUnit writer refused a value.
    #[error("the JUnit writer failed: {0}")]
    Junit(#[from] quick_junit::SerializeError),
    /// The JSON writer refused a value.
    #[error("the JSON writer failed: {0}")]
    Json(#[from] serde_json::Error),
    /// The CSV writer refused a value.
    #[error("the CSV writer failed: {0}")]
    Csv(String),
}
