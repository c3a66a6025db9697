//! The README's tutorial, as a new user types it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use stxl_tests::repository;

use crate::place::Place;

/// The commands of the blocks marked `sh tutorial`, in order, run one by one in an empty directory
/// with `stxl` on the path. A line that begins with `$ ` is typed, with the lines up to `END` if it
/// says so; a line that is not typed has to be part of what the command above it prints.
#[test]
fn the_tutorial_of_the_readme_works() {
    let place = Place::empty();
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    let bin = place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_stxl-under-test"), bin.join("stxl")).unwrap();
    let mut typed: Vec<(String, Vec<String>)> = Vec::new();
    let (mut is_inside, mut is_document) = (false, false);
    for line in text.lines() {
        match (line, typed.last_mut()) {
            (_, Some((command, _))) if is_document => {
                is_document = line != "END";
                *command += &format!("\n{line}");
            }
            ("```sh tutorial", _) => is_inside = true,
            ("```", _) => is_inside = false,
            (line, last) if is_inside => match (line.strip_prefix("$ "), last) {
                (Some(command), _) => {
                    is_document = command.contains("<<'END'");
                    typed.push((command.to_owned(), Vec::new()));
                }
                (None, Some((_, expected))) => expected.push(line.to_owned()),
                (None, None) => panic!("`{line}` stands before any command"),
            },
            _ => {}
        }
    }
    assert!(typed.len() >= 8, "the tutorial is gone: {typed:?}");
    let mut directory = place.path().to_path_buf();
    for (command, expected) in typed {
        if let Some(folder) = command.strip_prefix("cd ") {
            directory = directory.join(folder);
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(&directory)
            .env_clear()
            .env("STXL_STORE", place.store())
            .env("XDG_CACHE_HOME", place.path().join("cache"))
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        for line in expected {
            assert!(
                printed.contains(line.trim()),
                "{command}\nexpected: {line}\nprinted:\n{printed}"
            );
        }
    }
}
