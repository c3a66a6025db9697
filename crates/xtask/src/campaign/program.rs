//! The programs that campaigns run, and their command lines: [`Options`], [`Programs`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::workspace;

/// What was set on the command line as `--name value`, over the defaults.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    values: BTreeMap<String, String>,
}

impl Options {
    /// Reads words in pairs; a name that has no default is a mistake.
    pub(crate) fn parse(defaults: &[(&str, &str)], words: &[&str]) -> anyhow::Result<Self> {
        let mut values: BTreeMap<String, String> = defaults
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                bail!("`{}` has no value", pair.join(" "))
            };
            let known = name
                .strip_prefix("--")
                .and_then(|name| values.get_mut(name));
            let known = known.with_context(|| format!("no option `{name}`"))?;
            (*value).clone_into(known);
        }
        Ok(Self { values })
    }

    /// Returns a number.
    pub(crate) fn number(&self, name: &str) -> anyhow::Result<u64> {
        let text = self.text(name);
        text.parse()
            .with_context(|| format!("--{name} takes a number, not `{text}`"))
    }

    /// Returns a text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}

/// The built program under test and the program with the generators.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// `stxl`.
    pub(crate) stxl: PathBuf,
    /// `stxl-benches`.
    pub(crate) benches: PathBuf,
}

impl Programs {
    /// Builds both for release, unless the option `programs` names a folder that has them.
    pub(crate) fn new(options: &Options) -> anyhow::Result<Self> {
        let folder = match options.text("programs") {
            "" => {
                let status = workspace::cargo()
                    .args(["build", "--release", "-p", "stxl-cli", "-p", "stxl-benches"])
                    .status()
                    .context("could not start `cargo build`")?;
                if !status.success() {
                    bail!("`cargo build` failed");
                }
                target_directory()?.join("release")
            }
            folder => PathBuf::from(folder),
        };
        Ok(Self {
            stxl: folder.join("stxl"),
            benches: folder.join("stxl-benches"),
        })
    }

    /// Returns a command of `stxl` for a workspace and a store.
    pub(crate) fn stxl(&self, workspace: &Path, store: &Path) -> Command {
        let mut command = Command::new(&self.stxl);
        command.arg("-C").arg(workspace).arg("--store").arg(store);
        command.env("XDG_CACHE_HOME", store.with_extension("cache"));
        command.stdin(Stdio::null());
        command
    }

    /// Writes a workspace of trivial packages.
    pub(crate) fn generate(&self, workspace: &Path, words: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.benches);
        command
            .args(["generate", "--kind", "trivial"])
            .args(words)
            .arg(workspace);
        workspace::capture(&mut command)?;
        Ok(())
    }
}

/// Returns the folder that cargo builds into.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    let metadata: Value = serde_json::from_slice(&workspace::metadata()?)?;
    let folder = metadata.get("target_directory").and_then(Value::as_str);
    folder
        .map(PathBuf::from)
        .context("`cargo metadata` names no target directory")
}

/// Makes a folder for workspaces and stores that every user can enter, since stxl gives up root.
pub(crate) fn work_folder() -> anyhow::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::Builder::new()
        .prefix("stxl-campaign-")
        .tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Returns how a command ended and its last words, for a message.
pub(crate) fn last_words(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    format!(
        "{}: {}",
        output.status,
        lines[lines.len().saturating_sub(8)..].join("\n    ")
    )
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn options_come_in_pairs_and_are_known() {
        let defaults = [("kills", "200"), ("seed", "1")];
        let options = Options::parse(&defaults, &["--kills", "7"]).unwrap();
        assert_eq!(
            (options.number("kills").unwrap(), options.text("seed")),
            (7, "1")
        );
        assert!(Options::parse(&defaults, &["--kill", "7"]).is_err());
        assert!(Options::parse(&defaults, &["--kills"]).is_err());
        assert!(
            Options::parse(&defaults, &["--seed", "x"])
                .unwrap()
                .number("seed")
                .is_err()
        );
    }
}
