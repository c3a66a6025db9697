//! What a check has to say: [`Finding`].

use std::fmt;

/// How much a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// The run fails.
    Error,
    /// Printed, and nothing else.
    Warning,
}

/// One place that a check objects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path relative to the workspace.
    pub(crate) path: String,
    /// Line from 1; 1 when the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong, and what to do.
    pub(crate) message: String,
    /// Whether the run fails.
    pub(crate) weight: Weight,
}

impl Finding {
    /// Returns a finding that fails the run.
    pub(crate) fn error(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
            weight: Weight::Error,
        }
    }

    /// Returns a finding that is only printed.
    pub(crate) fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            weight: Weight::Warning,
            ..Self::error(path, line, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.weight {
            Weight::Error => "",
            Weight::Warning => "warning: ",
        };
        write!(
            formatter,
            "{}:{}: {prefix}{}",
            self.path, self.line, self.message
        )
    }
}

/// Returns the lines that findings are about, as the tests of the checks compare them.
#[cfg(test)]
pub(super) fn lines_of(findings: Vec<Finding>) -> Vec<usize> {
    findings.into_iter().map(|finding| finding.line).collect()
}
