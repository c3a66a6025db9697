//! What the tests share: golden files, a launcher, processes, exercises of the store.

#[cfg(feature = "eval")]
pub mod edits;
#[cfg(feature = "sandbox")]
pub mod launcher;
pub mod processes;
pub mod server;
#[cfg(feature = "store")]
pub mod store;

use std::path::{Path, PathBuf};

/// The folder of this package.
pub fn package_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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
        std::fs::write(file, actual).expect("an expectation can be written");
        return;
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (STXL_BLESS=1 re-writes it)\n--- expected\n{expected}\n--- actual\n{actual}",
        file.display()
    );
}
