//! What the process says to the script that called it. The one table; README.md and a test repeat it.

/// An exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// 0: promote; or done, for a command that does not judge.
    Promote = 0,
    /// 1: reject.
    Reject = 1,
    /// 2: usage, configuration, suite, policy or checkpoint error; nothing was judged.
    Usage = 2,
    /// 3: undecided: the evidence proves neither.
    Undecided = 3,
    /// 4: endpoint, budget or device failure.
    Endpoint = 4,
    /// 5: integrity or signature failure.
    Integrity = 5,
    /// 6: the run is locked by another process.
    Locked = 6,
    /// 7: local I/O failed: disk full, fsync.
    Io = 7,
    /// 8: golden changes wait for review.
    GoldenChanges = 8,
    /// 130: interrupted; the run can be resumed.
    Interrupted = 130,
    /// 143: terminated; the run can be resumed.
    Terminated = 143,
}

impl ExitCode {
    /// Every code with what it means, in order: the table of the documentation.
    pub const TABLE: [(ExitCode, &'static str); 11] = [
        (Self::Promote, "promote (or done, for commands that do not judge)"),
        (Self::Reject, "reject"),
        (Self::Usage, "usage, config, suite or policy error"),
        (Self::Undecided, "undecided"),
        (Self::Endpoint, "endpoint, budget or device failure"),
        (Self::Integrity, "integrity or signature failure"),
        (Self::Locked, "run locked by another process"),
        (Self::Io, "local I/O (disk full, fsync)"),
        (Self::GoldenChanges, "golden changes wait for review"),
        (Self::Interrupted, "interrupted, resumable"),
        (Self::Terminated, "terminated, resumable"),
    ];

    /// The number that the operating system sees.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
