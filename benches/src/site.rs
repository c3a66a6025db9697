//! Where a scenario works: a temporary folder with workspaces and stores, and the program to
//! measure.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

/// What every scenario takes
#[derive(Debug, clap::Args)]
pub struct SiteArguments {
    /// The program to measure (default: `stxl` beside this one)
    #[arg(long, value_name = "FILE")]
    stxl: Option<PathBuf>,

    /// Where to put workspaces and stores (default: the system's temporary folder)
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,

    /// How often each figure is measured; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub runs: usize,
}

/// Returns a command of Nix whose store and settings are in a folder of its own, without a daemon.
pub fn nix_command(program: &str, state: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    for (variable, folder) in [
        ("NIX_STORE_DIR", "store"),
        ("NIX_STATE_DIR", "state"),
        ("NIX_LOG_DIR", "log"),
    ] {
        std::fs::create_dir_all(state.join(folder))?;
        command.env(variable, state.join(folder));
    }
    command
        .env("NIX_CONF_DIR", state)
        .env("HOME", state)
        .env("NIX_REMOTE", "");
    Ok(command)
}

/// A folder that is removed at the end.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    stxl: Option<PathBuf>,
    stores: usize,
}

impl Site {
    /// Makes the folder. It can be entered by every user, since the floor and stxl give up root.
    pub fn new(arguments: &SiteArguments) -> anyhow::Result<Self> {
        let parent = arguments.work.clone().unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::Builder::new()
            .prefix("stxl-bench-")
            .tempdir_in(&parent)
            .with_context(|| format!("could not make a folder in {}", parent.display()))?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            folder,
            stxl: arguments.stxl.clone(),
            stores: 0,
        })
    }

    /// Returns a path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the path of a store that is not there yet. Those before stay until the end: ext4
    /// is slow to make files right after others were removed.
    pub fn fresh_store(&mut self) -> PathBuf {
        self.stores += 1;
        self.path(&format!("store-{}", self.stores))
    }

    /// Returns a command of the program under test for a workspace and a store.
    pub fn stxl(&self, workspace: &Path, store: &Path) -> anyhow::Result<Command> {
        let program = match &self.stxl {
            Some(program) => program.clone(),
            None => std::env::current_exe()
                .context("this program")?
                .with_file_name("stxl"),
        };
        if !program.is_file() {
            bail!(
                "there is no {}: build it, or name it with --stxl",
                program.display()
            );
        }
        let mut command = Command::new(program);
        command.arg("-C").arg(workspace).arg("--store").arg(store);
        // A fresh store has no memory of evaluations either.
        command.env("XDG_CACHE_HOME", store.with_extension("cache"));
        Ok(command)
    }
}

/// Returns whether a program of another project can be started here.
pub fn is_installed(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        eprintln!("not measured: {program} is not installed");
    }
    is_there
}
