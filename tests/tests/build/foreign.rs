//! Programs of the host that make and read archives. One that is missing fails its test.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Debian packages by the programs that they bring.
const PACKAGES: [(&str, &str); 3] = [
    ("bsdtar", "libarchive-tools"),
    ("dpkg-deb", "dpkg"),
    ("xz", "xz-utils"),
];

/// The words of a command line. A no-break space is a blank within one.
fn words(line: &str) -> Vec<String> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    words.map(|word| word.replace('\u{a0}', " ")).collect()
}

/// Runs a command in a directory and returns what it printed; it has to end well.
pub(crate) fn run(line: &str, directory: &Path, input: &[u8]) -> Vec<u8> {
    let (is_ok, printed, complaint) = try_run(line, directory, input);
    assert!(is_ok, "`{line}`: {complaint}");
    printed
}

/// Runs a command in a directory: whether it ended well, what it printed, and what it complained.
pub(crate) fn try_run(line: &str, directory: &Path, input: &[u8]) -> (bool, Vec<u8>, String) {
    let words = words(line);
    let mut child = command(&words[0])
        .args(&words[1..])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            let package = PACKAGES.iter().find(|(program, _)| *program == words[0]);
            let package = package.map_or(words[0].as_str(), |(_, package)| package);
            panic!(
                "`{}` does not start ({error}): install the Debian package {package}, as .ci/run does",
                words[0]
            )
        });
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        // A program may end before it has read everything.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().expect("it ends")
    });
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), output.stdout, complaint)
}

fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // Names are UTF-8 for programs that convert them.
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command
}
