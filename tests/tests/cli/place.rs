//! A workspace and a store in a temporary directory, and the program started on them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use stxl_tests::{copy, repository};
use tempfile::TempDir;

/// The text of a package whose output is its folder `files` as it is.
pub(crate) const DIRECTORY_PACKAGE: &str = r#"custom(#{
    version: "1",
    description: "A directory as it is",
    license: "MIT",
    platforms: ["i686"],
    source: dir("files"),
});

fn build(p) {
    #{ main: root().unpack(p.source, "/out").out("/out") }
}
"#;

/// System calls for programs without a library.
const CALL: &str = r#"
static long call(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third) : "memory");
    return result;
}
"#;

/// A workspace and a store that vanish.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; -1 for a signal.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Place {
    /// A place without a workspace.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("stxl-cli-")
            .tempdir()
            .expect("a directory");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("it is ours");
        Self { directory }
    }

    /// A copy of this repository's stage 0.
    pub(crate) fn with_stage0() -> Self {
        let place = Self::empty();
        let (from, to) = (repository(), place.workspace());
        let stage = "stages/stage0";
        copy(&from.join(stage), &to.join(stage));
        copy(&from.join("stxl.toml"), &to.join("stxl.toml"));
        place
    }

    /// A new workspace, as `stxl init` makes it.
    pub(crate) fn with_first_package() -> Self {
        let place = Self::empty();
        let workspace = place.workspace();
        let ran = place.run_in(Path::new("/"), &["init", workspace.to_str().expect("text")]);
        assert_eq!(ran.code, 0, "{ran:?}");
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path().join("workspace")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Runs the program in the workspace.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_in(&self.workspace(), words)
    }

    /// Runs the program in a directory.
    pub(crate) fn run_in(&self, directory: &Path, words: &[&str]) -> Ran {
        let output = self.command().current_dir(directory).args(words).output();
        Ran::of(&output.expect("the program starts"))
    }

    /// Runs the program in the workspace with another variable.
    pub(crate) fn run_with(&self, name: &str, value: &str, words: &[&str]) -> Ran {
        let mut command = self.command();
        let command = command.current_dir(self.workspace()).env(name, value);
        Ran::of(&command.args(words).output().expect("the program starts"))
    }

    /// The program, with an environment of its own.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stxl-under-test"));
        command
            .env_clear()
            .env("STXL_STORE", self.store())
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("PATH", "/usr/bin:/bin");
        command
    }

    /// A small program for 32-bit x86, of C without any library.
    pub(crate) fn compile(&self, source: &str) -> Vec<u8> {
        let (text, program) = (self.path().join("program.c"), self.path().join("program"));
        fs::write(&text, format!("{CALL}{source}")).unwrap();
        let compiled = Command::new("gcc")
            .args([
                "-m32",
                "-static",
                "-nostdlib",
                "-ffreestanding",
                "-fno-stack-protector",
            ])
            .args(["-fno-pic", "-no-pie", "-O1", "-Wl,--build-id=none", "-o"])
            .args([&program, &text])
            .output()
            .expect("this test needs gcc");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        fs::read(program).unwrap()
    }

    /// Writes a file of the workspace.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.workspace().join(path);
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(file, text).expect("the workspace can be written");
    }

    /// Changes a file of the workspace.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(String) -> String) {
        let file = self.workspace().join(path);
        let text = fs::read_to_string(&file).expect("the file is there");
        self.write(path, &change(text));
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as one JSON record.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard output as JSON lines.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The last event, which has to be the summary.
    pub(crate) fn summary(&self) -> Value {
        let last = self
            .events()
            .pop()
            .unwrap_or_else(|| panic!("no event: {self:?}"));
        assert_eq!(last["event"], "summary", "{self:?}");
        last
    }
}
