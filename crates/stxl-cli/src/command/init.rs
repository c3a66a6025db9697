//! `stxl init`: a workspace that builds, to begin with.

use std::fs;
use std::path::Path;

use crate::arguments::{Arguments, InitArguments};
use crate::evaluation::word;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// The files of a new workspace. The first package needs no toolchain: its program is machine code
/// small enough to be read, which the package locks by its hash.
const FILES: [(&str, &str); 4] = [
    ("stxl.toml", include_str!("init/stxl.toml")),
    (
        "stages/first/hello/package.rhai",
        include_str!("init/package.rhai"),
    ),
    (
        "stages/first/hello/hello.hex",
        include_str!("init/hello.hex"),
    ),
    (".gitignore", "/local\n/result\n"),
];

pub(crate) fn run(
    arguments: &Arguments,
    init: &InitArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let folder = &match &arguments.directory {
        Some(directory) => directory.join(&init.path),
        None => init.path.clone(),
    };
    let taken = FILES
        .iter()
        .map(|(name, _)| folder.join(name))
        .find(|file| file.symlink_metadata().is_ok() && !file.ends_with(".gitignore"));
    if let Some(file) = taken {
        return Err(
            Failure::usage(format!("`{}` is there already", file.display()))
                .hint("choose an empty directory: stxl init NAME"),
        );
    }
    for (name, text) in FILES {
        let file = folder.join(name);
        if name == ".gitignore" && file.symlink_metadata().is_ok() {
            terminal.note(&format!(
                "`{}` is left as it is; add the line /local",
                file.display()
            ));
            continue;
        }
        write(&file, text).map_err(|error| {
            Failure::environment(format!("`{}` cannot be written: {error}", file.display()))
        })?;
        terminal.note(&format!("wrote {}", file.display()));
    }
    let enter = if folder == Path::new(".") {
        String::new()
    } else {
        format!("cd {} && ", word(&folder.display().to_string()))
    };
    terminal.note(&format!("build it: {enter}stxl build first/hello"));
    Ok(())
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}
