//! Archives that the programs of a distribution make, and the trees these programs make of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use stxl_model::ArchiveFormat;

use super::unpack;
use crate::build::foreign::run;
use crate::build::listing::{assert_same, of_disk, of_tree};
use crate::build::site::Site;

/// Archivers of the small directory, whose names fit everywhere, and of the large one.
const SMALL: [&str; 6] = [
    "tar --format=v7 --owner=0 --group=0 -cf - tree",
    "tar --format=ustar --owner=0 --group=0 -cf - tree",
    "tar --format=oldgnu -cf - ./tree",
    "bsdtar --format=ustar --uid=0 --gid=0 -cf - tree",
    "bsdtar --format=v7 --uid=0 --gid=0 -cf - tree",
    "tar --format=gnu -V label -cf - tree",
];
const LARGE: [&str; 8] = [
    "tar --format=gnu -cf - tree",
    "tar --format=posix -cf - ./tree",
    "tar --format=posix --pax-option=globexthdr.name=g,comment=hello -cf - tree",
    "tar --format=posix --xattrs --acls --selinux -b 1 -cf - tree",
    "tar --sort=name --owner=someone:1234 --numeric-owner --mtime=@123456.789 -H posix -cf - tree",
    "tar --format=gnu --no-recursion -cf - tree/many tree/many/file-7 tree/run",
    "bsdtar --format=pax -cf - tree",
    "bsdtar --format=gnutar -cf - tree",
];

/// A compression, by the programs that write it.
const COMPRESSORS: [&str; 14] = [
    "gzip -9n",
    "gzip -1",
    "bzip2",
    "bzip2 -1",
    "xz",
    "xz -9e --check=sha256",
    "xz -0 --check=none",
    "xz -T2 --block-size=65536",
    "xz --x86 --lzma2",
    "zstd -19",
    "zstd --long=27 --no-check",
    "zstd -1 --check",
    "lzip -9",
    "lzip -0 --member-size=100000",
];

fn write(top: &Path, path: impl AsRef<OsStr>, bytes: &[u8], mode: u32) {
    let path = top.join(Path::new(path.as_ref()));
    std::fs::create_dir_all(path.parent().expect("a directory above")).expect("it is made");
    std::fs::write(&path, bytes).expect("it is written");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&path, permissions).expect("its mode is set");
}

/// Bytes that do not compress to nothing.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8 & 0x3f
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A directory `tree` with what every form of tar can hold.
fn small(directory: &Path) {
    let top = directory.join("tree");
    for size in [0, 1, 511, 512, 513, 70_000] {
        write(&top, format!("sizes/{size}"), &noise(size), 0o644);
    }
    write(&top, "run", b"#!/bin/sh\n", 0o755);
    write(&top, "secret", b"for one", 0o600);
    std::fs::create_dir_all(top.join("empty/within")).expect("it is made");
    symlink("run", top.join("link")).expect("a link");
    symlink("/absolute/./..//target", top.join("dangling")).expect("a link");
    symlink("..", top.join("empty/up")).expect("a link");
    std::fs::hard_link(top.join("run"), top.join("same")).expect("a hard link");
    std::fs::hard_link(top.join("link"), top.join("same-link")).expect("a hard link");
}

/// The same with names that need extensions, and many files.
fn large(directory: &Path) {
    small(directory);
    let top = directory.join("tree");
    for index in 0..500 {
        write(&top, format!("many/file-{index}"), &noise(index), 0o644);
    }
    write(&top, "big", &noise(3_000_000), 0o644);
    write(&top, "large", &noise(9_000_000), 0o755);
    let long = "n".repeat(255);
    write(&top, format!("{long}/{long}/{long}"), b"long", 0o644);
    write(&top, "x".repeat(100), b"a hundred", 0o644);
    write(&top, "sp ace\nline\ttab\\back*[a]", b"odd", 0o644);
    write(&top, "gr\u{fc}\u{df}e/\u{1f980}", b"unicode", 0o644);
    write(&top, "A", b"upper", 0o644);
    write(&top, "a", b"lower", 0o644);
    symlink("t".repeat(300), top.join("far")).expect("a link");
    std::fs::hard_link(
        top.join(format!("{long}/{long}/{long}")),
        top.join(format!("{long}/same")),
    )
    .expect("a hard link");
}

/// A directory of its own below the site's workspace.
fn directory(site: &Site, name: &str) -> PathBuf {
    let directory = site.workspace().join(name);
    std::fs::create_dir_all(&directory).expect("it is made");
    directory
}

/// Fails unless we read an archive as other programs do.
fn compare(site: &Site, what: &str, bytes: &[u8], readers: &[&str]) {
    let tree = unpack(site, bytes, format_of(readers), 0);
    let tree = tree.unwrap_or_else(|error| panic!("{what}: {error}"));
    let ours = of_tree(&site.store, &tree);
    assert!(ours.len() > 3, "{what}: {ours:?}");
    for reader in readers {
        let place = tempfile::tempdir_in(site.workspace()).expect("a directory");
        run(reader, place.path(), bytes);
        let theirs = of_disk(place.path());
        assert_same(&format!("{what}, by {reader}"), &theirs, &ours);
    }
}

fn format_of(readers: &[&str]) -> ArchiveFormat {
    match readers[0].split(' ').next() {
        Some("dpkg-deb") => ArchiveFormat::Deb,
        Some("unzip") => ArchiveFormat::Zip,
        _ => ArchiveFormat::Tar,
    }
}

const TAR_READERS: [&str; 2] = ["tar -xf -", "bsdtar -xf -"];
const GZIP_READERS: [&str; 2] = ["tar -xzf -", "bsdtar -xf -"];

pub(super) fn tars() {
    let site = Site::new();
    let (plain, rich) = (directory(&site, "small"), directory(&site, "large"));
    small(&plain);
    large(&rich);
    let cases = SMALL.iter().map(|line| (line, &plain));
    for (line, directory) in cases.chain(LARGE.iter().map(|line| (line, &rich))) {
        let archive = run(line, directory, b"");
        compare(&site, line, &archive, &TAR_READERS);
    }
    // Only GNU tar keeps the bytes of a name that is no text.
    let raw = OsStr::from_bytes(b"raw-\xff\xfe");
    write(&rich.join("tree"), raw, b"raw", 0o644);
    let archive = run("tar --format=gnu -cf - tree", &rich, b"");
    compare(&site, "a name that is no text", &archive, &TAR_READERS[..1]);
}

pub(super) fn compressions() {
    let site = Site::new();
    let place = directory(&site, "small");
    small(&place);
    write(&place.join("tree"), "more", &noise(300_000), 0o644);
    let archive = run("tar --format=gnu -cf - tree", &place, b"");
    for line in COMPRESSORS {
        let compressed = run(&format!("{line} -c"), &place, &archive);
        let suffix = line.split(' ').next().expect("a word");
        let readers = [format!("tar --{suffix} -xf -"), "bsdtar -xf -".to_owned()];
        let readers = readers.each_ref().map(String::as_str);
        compare(&site, line, &compressed, &readers);
        // The same bytes in several parts, as programs with several threads write them.
        let (first, second) = archive.split_at(archive.len() / 3);
        let mut parts = run(&format!("{line} -c"), &place, first);
        parts.extend(run(&format!("{line} -c"), &place, second));
        if suffix == "gzip" {
            parts.extend([0; 1000]);
        }
        if suffix == "xz" {
            parts.extend([0; 8]);
        }
        compare(&site, &format!("{line}, twice"), &parts, &readers);
    }
}

pub(super) fn debian_packages() {
    const CONTROL: &[u8] = b"Package: thing\nVersion: 1-1\nArchitecture: amd64\n\
        Maintainer: Nobody <nobody@example.org>\nDescription: a thing\n";
    let site = Site::new();
    let place = directory(&site, "package");
    small(&place.join("root/usr"));
    write(&place.join("root"), "DEBIAN/control", CONTROL, 0o644);
    write(
        &place.join("root"),
        "DEBIAN/postinst",
        b"#!/bin/false\n",
        0o755,
    );
    for compression in ["none", "gzip", "xz", "zstd"] {
        let line = format!("dpkg-deb --root-owner-group -Z{compression} -b root thing.deb");
        run(&line, &place, b"");
        let package = std::fs::read(place.join("thing.deb")).expect("it was made");
        let file = place.join("thing.deb").display().to_string();
        let readers = [format!("dpkg-deb -x {file} .")];
        compare(
            &site,
            &line,
            &package,
            &readers.each_ref().map(String::as_str),
        );
        // Nothing of the scripts is in the tree.
        let tree = unpack(&site, &package, ArchiveFormat::Deb, 0).expect("it unpacks");
        let paths = of_tree(&site.store, &tree);
        assert!(
            paths.keys().all(|path| path.starts_with("usr")),
            "{paths:?}"
        );
    }
}

/// Archivers of zips, some of which cannot look back at what they wrote.
const ZIPPERS: [&str; 6] = [
    "zip -qry archive.zip tree",
    "zip -qry0 archive.zip tree",
    "zip -qryX9 archive.zip tree -x *sizes*",
    "zip -qryz archive.zip tree",
    "bsdtar -a -cf archive.zip tree",
    "sh -c zip\u{a0}-qry\u{a0}-\u{a0}tree>archive.zip",
];

pub(super) fn zips() {
    let site = Site::new();
    let place = directory(&site, "small");
    small(&place);
    let top = place.join("tree");
    write(&top, "more", &noise(300_000), 0o644);
    write(&top, "gr\u{fc}\u{df}e/\u{1f980}", b"unicode", 0o644);
    write(&top, "sp ace*[a]", b"odd", 0o644);
    let file = place.join("archive.zip");
    let readers = [
        format!("unzip -qq {}", file.display()),
        format!("bsdtar -xf {}", file.display()),
    ];
    let readers = readers.each_ref().map(String::as_str);
    for line in ZIPPERS {
        run(line, &place, b"a comment");
        let archive = std::fs::read(&file).expect("it was made");
        compare(&site, line, &archive, &readers);
        std::fs::remove_file(&file).expect("it is removed");
    }
}

/// What git makes of a commit: a global header with its id, or a comment in a zip.
pub(super) fn git_archives() {
    let site = Site::new();
    let place = directory(&site, "git");
    small(&place);
    write(&place.join("tree"), "n".repeat(150), b"long", 0o644);
    run("git init -q .", &place, b"");
    run("git add -A", &place, b"");
    let identity = "-c user.name=n -c user.email=e";
    run(&format!("git {identity} commit -qm first"), &place, b"");
    let tar = run("git archive --format=tar HEAD", &place, b"");
    compare(&site, "git archive", &tar, &TAR_READERS);
    let compressed = run(
        "git archive --format=tar.gz --prefix=a/b/ HEAD",
        &place,
        b"",
    );
    compare(&site, "git archive, compressed", &compressed, &GZIP_READERS);
    let file = place.join("archive.zip");
    run("git archive -o archive.zip HEAD", &place, b"");
    let zip = std::fs::read(&file).expect("it was made");
    let reader = format!("unzip -qq {}", file.display());
    compare(&site, "git archive, zip", &zip, &[&reader]);
}
