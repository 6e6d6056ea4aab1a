//! The command line: the only room that knows clap, indicatif and the terminal. One file per command.

mod arrivals;
mod budget;
mod calibrate;
mod compare;
mod config;
mod doctor;
mod error;
mod gate;
mod golden;
mod identities;
mod identity;
mod output;
mod pipeline;
mod plan;
mod progress;
mod provider;
mod report;
mod run;
mod scores;
mod spend;
mod tape;
mod validate;
mod view;

pub use error::CliError;

use crate::types::ExitCode;
use clap::{Args, Parser, Subcommand, ValueEnum};
use output::Terminal;
use std::path::PathBuf;

/// Decides, with evidence, whether a fine-tuned language model may be promoted.
#[derive(Parser)]
#[command(name = "goldgate", version, about, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 promote or done, 1 reject, 2 usage or file error, 3 undecided,\n\
    4 target failure, 5 integrity failure, 6 locked, 7 local I/O, 8 golden changes.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Args)]
struct Global {
    /// The project's file with its targets [default: the nearest goldgate.toml upwards]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
    /// Show the result only, no progress
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Run what is missing of a suite, judge and report; or judge a run that is complete
    Gate(gate::Gate),
    /// Say what a suite can show under its policy, and what asking it costs, without asking anything
    Plan(plan::PlanArgs),
    /// Ask a suite of the targets and record the answers
    Run(run::Run),
    /// See how far a target's scores move when nothing has changed, or measure the gate on simulated models
    Calibrate(calibrate::Calibrate),
    /// Compare the targets of a run, or anybody's scores, with intervals and without a policy
    Compare(compare::Compare),
    /// Write the reports of a run again
    Report(report::Report),
    /// Check suites, policies, targets and checkpoints without asking anything
    Validate(validate::Validate),
    /// See whether the project's targets can be asked: under which identity, and with which effect
    Doctor(doctor::Doctor),
    /// Keep a run as the accepted baseline, or list what changed since
    #[command(subcommand)]
    Golden(golden::Golden),
}

/// Parses the command line, runs the command and says how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are answers, not errors; they go where answers go.
            let code = if e.use_stderr() { ExitCode::Usage } else { ExitCode::Promote };
            let _ = e.print();
            return code;
        }
    };
    let terminal = Terminal::new(cli.global.color, cli.global.quiet);
    let config = cli.global.config.as_deref();
    let done = match &cli.command {
        Command::Gate(c) => c.run(config, &terminal),
        Command::Plan(c) => c.run(config, &terminal),
        Command::Run(c) => c.run(config, &terminal),
        Command::Calibrate(c) => c.run(config, &terminal),
        Command::Compare(c) => c.run(&terminal),
        Command::Report(c) => c.run(&terminal),
        Command::Validate(c) => c.run(config, &terminal),
        Command::Doctor(c) => c.run(config, &terminal),
        Command::Golden(c) => c.run(&terminal),
    };
    done.unwrap_or_else(|e| {
        terminal.error(&e);
        e.exit_code()
    })
}

/// The first names of a list that a file may have made long.
fn listed(names: &[&str]) -> String {
    let more = if names.len() > 8 { ", …" } else { "" };
    format!("`{}`{more}", names[..names.len().min(8)].join("`, `"))
}
