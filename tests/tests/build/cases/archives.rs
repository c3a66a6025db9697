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
    ("hostile_archives", hostile_archives),
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

/// One tar header and its content, as hostile as the caller wants it.
fn tar_entry(name: &str, kind: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000755\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn hostile_archives() {
    let site = Site::new();
    let file = |name: &str| tar_entry(name, b'0', "", b"x");
    let link = |name: &str, target: &str| tar_entry(name, b'2', target, b"");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (file("../escape"), "not `.` or `..`"),
        (file("a/../../escape"), "not `.` or `..`"),
        (file("/etc/passwd"), "it is absolute"),
        (
            [link("dir", "/etc"), file("dir/passwd")].concat(),
            "lies below something that is not a directory",
        ),
        (
            [file("a"), link("a", "/etc")].concat(),
            "stands there twice",
        ),
        (tar_entry("h", b'1', "/etc/passwd", b""), "it is absolute"),
        (
            tar_entry("h", b'1', "missing", b""),
            "is a hard link to `missing`",
        ),
        (tar_entry("fifo", b'6', "", b""), "is a FIFO"),
        (tar_entry("dev", b'3', "", b""), "is a character device"),
        (file("cut")[..512].to_vec(), "is cut off"),
    ];
    for (bytes, expected) in cases {
        let mut recipe = site.recipe();
        std::fs::write(site.workspace().join("archive"), &bytes).expect("it is written");
        let archive = recipe.file("archive");
        let tree = recipe.unpack(archive, ArchiveFormat::Tar, 0);
        recipe.want("test/hostile", tree);
        let told = site.build(&recipe.plan);
        assert_eq!(
            told.summary.failed.len(),
            1,
            "{expected}: {:#?}",
            told.events
        );
        let cause = told.summary.failed[0].cause.to_string();
        assert!(cause.contains(expected), "{expected} is not in: {cause}");
    }
}
