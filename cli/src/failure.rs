//! How a command ends.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use crate::output::say;

/// How a command that ran to its end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything asked for was done: exit code 0.
    Done,
    /// Some of it failed and was reported: exit code 1.
    Incomplete,
    /// Ctrl-C came, and what was done until then was reported: exit code 130.
    Interrupted,
}

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// An argument cannot be used: exit code 2.
    Usage(String),
    /// The work failed: exit code 1.
    Work(String),
    /// Ctrl-C: exit code 130.
    Interrupted,
    /// The reader of the output went away, as `head` does: no message, exit code 0.
    PipeClosed,
}

/// What the commands return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of the work.
    pub fn work(text: impl Display) -> Self {
        Self::Work(text.to_string())
    }

    /// An argument that cannot be used.
    pub fn usage(text: impl Display) -> Self {
        Self::Usage(text.to_string())
    }

    /// A failure with a file.
    pub fn file(path: &Path, text: impl Display) -> Self {
        Self::Work(format!("{}: {text}", path.display()))
    }

    /// The message, on one line.
    pub fn message(&self) -> String {
        match self {
            Self::Usage(text) | Self::Work(text) => text.replace('\n', " "),
            Self::Interrupted => "interrupted".into(),
            Self::PipeClosed => String::new(),
        }
    }

    /// Prints the message and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let code = match self {
            Self::Usage(_) => 2,
            Self::Work(_) => 1,
            Self::Interrupted => 130,
            Self::PipeClosed => return ExitCode::SUCCESS,
        };
        say(format_args!("error: {}", self.message()));
        ExitCode::from(code)
    }
}

impl From<unisono::Error> for Failure {
    fn from(error: unisono::Error) -> Self {
        match error {
            unisono::Error::Cancelled { .. } => Self::Interrupted,
            unisono::Error::Invalid { .. } | unisono::Error::Dtype { .. } => Self::usage(error),
            _ => Self::work(error),
        }
    }
}
