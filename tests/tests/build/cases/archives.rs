//! Sources, and archives made and taken apart.

use stxl_build::{BuildOptions, BuildOutcome};
use stxl_model::{ArchiveFormat, TreeOp};

use super::Case;
use crate::build::recipe::path;
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("fetch_from_a_directory", fetch_from_a_directory),
    ("archive_and_unpack", archive_and_unpack),
];

fn fetch_from_a_directory() {
    let site = Site::new();
    let bytes = b"a source".to_vec();
    let mut recipe = site.recipe();
    let url = "http://127.0.0.1:1/thing-1.tar.gz?x=1".to_owned();
    let fetch = recipe.fetch(&bytes, vec![url.clone()]);
    recipe.want("test/source", fetch);
    let told = site.build(&recipe.plan);
    let cause = told.summary.failed[0].cause.to_string();
    assert!(cause.contains(&format!("{url}: no connection")), "{cause}");
    // A file of that name with other bytes does not count.
    let sources = site.workspace().join("sources");
    std::fs::create_dir(&sources).expect("a directory");
    std::fs::write(sources.join("thing-1.tar.gz"), b"other bytes").expect("it is written");
    let options = BuildOptions {
        source_dir: Some(sources.clone()),
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    let cause = told.summary.failed[0].cause.to_string();
    assert!(cause.contains("thing-1.tar.gz: it has sha256:"), "{cause}");
    std::fs::write(sources.join("thing-1.tar.gz"), &bytes).expect("it is written");
    let told = site.build_with(&recipe.plan, &options);
    assert_eq!(site.output(&told, "test/source", "/file"), bytes);
    // A `file:` address, and then no address at all, since the hash is all that counts.
    let site = Site::new();
    let path = site.workspace().join("by-address");
    std::fs::write(&path, &bytes).expect("it is written");
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(&bytes, vec![format!("file://{}", path.display())]);
    recipe.want("test/source", fetch);
    assert_eq!(site.build(&recipe.plan).summary.outcome, BuildOutcome::Ok);
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(&bytes, vec![]);
    recipe.want("test/source", fetch);
    assert_eq!(site.build(&recipe.plan).summary.outcome, BuildOutcome::Ok);
}

fn archive_and_unpack() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let long = "n".repeat(180);
    let write = |at: &str, executable| TreeOp::Write {
        path: path(at),
        content: at.as_bytes().to_vec(),
        executable,
    };
    let tree = recipe.compose(
        vec![],
        vec![
            write("/bin/run", true),
            write(&format!("/{long}/{long}"), false),
            TreeOp::Mkdir {
                path: path("/empty"),
            },
            TreeOp::Symlink {
                path: path("/link"),
                target: b"bin/run".to_vec(),
            },
        ],
    );
    let tar = recipe.archive(tree, ArchiveFormat::Tar);
    let again = recipe.unpack(tar, ArchiveFormat::Tar, 0);
    let cpio = recipe.archive(tree, ArchiveFormat::Cpio);
    recipe.want("test/tree", tree);
    recipe.want("test/tar", tar);
    recipe.want("test/again", again);
    recipe.want("test/cpio", cpio);
    let told = site.build(&recipe.plan);
    assert_eq!(told.summary.outcome, BuildOutcome::Ok, "{:#?}", told.events);
    let trees: Vec<_> = told
        .summary
        .outputs
        .iter()
        .map(|output| output.tree)
        .collect();
    assert_eq!(trees[0], trees[2], "what is unpacked is what was archived");
    // GNU tar and GNU cpio read the same.
    let listing = foreign(&["tar", "-tv"], &site.output(&told, "test/tar", "/file"));
    assert!(
        listing.contains("-rwxr-xr-x 0/0") && listing.contains(&long),
        "{listing}"
    );
    assert!(listing.contains("1980-01-01 00:00"), "{listing}");
    assert!(
        site.output(&told, "test/cpio", "/file")
            .starts_with(b"070701")
    );
}

/// What a program of the host prints that reads bytes.
fn foreign(words: &[&str], input: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new(words[0])
        .args(&words[1..])
        .env("TZ", "UTC")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program is installed");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input)
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}
