//! Lines for the person or log that reads this program's output.

use std::io::Write as _;

/// Writes one line to standard output; a closed pipe is the reader's choice and ignored.
pub(crate) fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .ok();
}
