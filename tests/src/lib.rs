//! What the tests share: golden files, a launcher, processes, exercises of the store.

#[cfg(feature = "eval")]
pub mod edits;
#[cfg(feature = "sandbox")]
pub mod launcher;
pub mod processes;
pub mod server;
#[cfg(feature = "store")]
pub mod store;

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of this package.
pub fn package_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of this repository.
pub fn repository() -> PathBuf {
    package_folder().join("..")
}

/// Copies a file, or a folder with all that is in it, and makes the folders above the copy.
pub fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::create_dir_all(to.parent().expect("a file is in a folder")).expect("a folder");
        fs::copy(from, to).expect("a file can be copied");
    }
}

/// Whether expectations are re-written instead of compared: `STXL_BLESS=1`.
pub fn is_blessing() -> bool {
    std::env::var_os("STXL_BLESS").is_some_and(|value| value == "1")
}

/// Compares a text with a file below `tests/golden`, or re-writes the file.
pub fn check_golden(name: &str, actual: &str) {
    let file: PathBuf = package_folder().join("golden").join(name);
    check_expectation(&file, actual);
}

/// Compares a text with a file, or re-writes the file.
pub fn check_expectation(file: &Path, actual: &str) {
    if is_blessing() {
        fs::write(file, actual).expect("an expectation can be written");
        return;
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (STXL_BLESS=1 re-writes it)\n--- expected\n{expected}\n--- actual\n{actual}",
        file.display()
    );
}
