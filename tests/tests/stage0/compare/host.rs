//! The compiler of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Behaviour, Origin, Program};
use crate::stage0::generator::Language;

/// What c0 and c1 promise their languages to mean: overflow wraps around.
const FLAGS: &[&str] = &[
    "-m32",
    "-O0",
    "-w",
    "-std=gnu99",
    "-fwrapv",
    "-fno-builtin",
    "-fno-pic",
    "-no-pie",
    "-nostdlib",
    "-static",
    "-fno-stack-protector",
];

/// Real numbers keep the bits of the x87 until they are stored, passed or converted, as c1 has it.
/// Constants do too then, which is nothing to see in random programs: theirs fit every format.
const EXCESS: &str = "-fexcess-precision=standard";

/// Objects that every program is linked with, and where programs are made.
pub(super) struct Host {
    directory: TempDir,
    objects: Vec<PathBuf>,
    library: String,
}

impl Host {
    /// Compiles what all programs share.
    pub(super) fn prepare(stage: &Path) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let helpers = stxl_tests::package_folder().join("tests/stage0/compare/sixty_four_bits.c");
        let mut objects = Vec::new();
        for source in [stage.join("c0/host.c"), helpers] {
            let object = directory.path().join(format!("{}.o", objects.len()));
            compile(&["-c"], &[source], &object)?;
            objects.push(object);
        }
        let library =
            fs::read_to_string(stage.join("c0/lib.c")).map_err(|error| error.to_string())?;
        Ok(Self {
            directory,
            objects,
            library,
        })
    }

    /// Compiles and runs a program.
    pub(super) fn run(&self, program: &Program) -> Result<Behaviour, String> {
        let stem = self.directory.path().join(program.name.replace('/', "-"));
        let (source, made) = (stem.with_extension("c"), stem.with_extension("made"));
        let text = match program.language {
            Language::C0 => format!("{}{}", self.library, program.text),
            Language::C1 => program.text.clone(),
        };
        fs::write(&source, text).map_err(|error| error.to_string())?;
        let mut files = vec![source.clone()];
        files.extend(self.objects.iter().cloned());
        let flags: &[&str] = match program.origin {
            Origin::Random => &[EXCESS],
            Origin::File => &[],
        };
        compile(flags, &files, &made)?;
        // Nothing here runs long; a hang of gcc's program would be one of the generator.
        let output = Command::new("timeout")
            .arg("20")
            .arg(&made)
            .output()
            .map_err(|error| format!("the program of gcc does not start: {error}"))?;
        for file in [source, made] {
            fs::remove_file(file).map_err(|error| error.to_string())?;
        }
        let status = output
            .status
            .code()
            .map_or("a signal".to_owned(), |code| format!("status {code}"));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Behaviour { status, printed })
    }
}

/// Makes a file of others.
fn compile(flags: &[&str], files: &[PathBuf], made: &Path) -> Result<(), String> {
    let output = Command::new("gcc")
        .args(FLAGS)
        .args(flags)
        .arg("-o")
        .arg(made)
        .args(files)
        .output()
        .map_err(|error| format!("this test needs gcc: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("gcc -m32 refuses it: {message}"))
}
