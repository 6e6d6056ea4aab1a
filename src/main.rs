//! The `goldgate` program: parse, run, say how it ended.

fn main() -> std::process::ExitCode {
    goldgate::cli::run().into()
}
