//! Where the workspace is and how its tools are started.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// Returns the folder of the root manifest.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_path_buf()
}

/// Returns a command for the cargo that started this program, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Returns what cargo knows of the workspace, as JSON.
pub(crate) fn metadata() -> anyhow::Result<Vec<u8>> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--offline"]);
    capture(command.args(["--format-version", "1"]))
}

/// Returns whether expectations are re-written instead of compared.
pub(crate) fn is_blessing() -> bool {
    std::env::var_os("STXL_BLESS").is_some_and(|value| value == "1")
}

/// Runs a command and returns what it wrote to standard output; a failure is an error.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let name = command.get_program().to_os_string();
    let output = command
        .output()
        .with_context(|| format!("could not start `{}`", name.display()))?;
    if !output.status.success() {
        bail!(
            "`{}` {} ended with {}: {}",
            name.display(),
            command
                .get_args()
                .map(OsStr::to_string_lossy)
                .collect::<Vec<_>>()
                .join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(output.stdout)
}
