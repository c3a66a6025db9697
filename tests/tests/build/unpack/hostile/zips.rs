//! zip archives that two readers would read in two ways, or that lead out.

mod headers;
mod places;

use stxl_model::ArchiveFormat;

use super::Hostile;
use crate::build::unpack::forge::zip::{Entry, file, zip};

type Case = (&'static str, Vec<u8>, &'static str);

/// The archives.
pub(super) fn cases() -> Vec<Hostile> {
    let lists = [names(), kinds(), headers::cases(), places::cases()];
    let make =
        |(name, bytes, expected): Case| Hostile::new(name, ArchiveFormat::Zip, bytes, expected);
    lists.into_iter().flatten().map(make).collect()
}

fn entry(name: &[u8]) -> Entry {
    Entry::new(name, b"content", 0o100_644)
}

fn symlink(name: &str, target: &str) -> Entry {
    Entry::new(name.as_bytes(), target.as_bytes(), 0o120_777)
}

fn directory(name: &str) -> Entry {
    Entry::new(name.as_bytes(), b"", 0o040_755)
}

fn names() -> Vec<Case> {
    let one = |name: &[u8]| zip(&[entry(name)]);
    let utf8 = |name: &[u8]| zip(&[entry(name).both(|header| header.flags |= 1 << 11)]);
    let parent = "not `.` or `..`";
    let part = "it has a part that is empty or `.`";
    let text = "it is not UTF-8, or not marked as such";
    let slash = "it has a backslash or a control character";
    let twice = "`/a` in the archive stands there twice";
    let unicode = |name: &[u8]| {
        let mut extra = vec![0x75, 0x70, 0, 0, 1, 0, 0, 0, 0];
        extra.extend(name);
        extra[2] = u8::try_from(extra.len() - 4).expect("short");
        zip(&[entry(b"a").both(|header| header.extra.clone_from(&extra))])
    };
    vec![
        ("zip-parent", one(b"../escape"), parent),
        ("zip-parent-within", one(b"a/../../escape"), parent),
        ("zip-absolute", one(b"/etc/passwd"), "it is absolute"),
        ("zip-backslash", one(b"..\\escape"), slash),
        ("zip-drive", one(b"C:\\escape"), slash),
        ("zip-nul", one(b"a\0.txt"), slash),
        ("zip-line", one(b"a\nb"), slash),
        ("zip-no-name", one(b""), part),
        ("zip-dot", one(b"./a"), part),
        ("zip-two-slashes", one(b"a//b"), part),
        ("zip-latin", one(b"gr\xfcn"), text),
        (
            "zip-unmarked",
            zip(&[Entry {
                system: 0,
                ..entry("gr\u{fc}n".as_bytes())
            }]),
            text,
        ),
        ("zip-not-utf8", utf8(b"gr\xfcn"), text),
        (
            "zip-long-part",
            one(&[b'n'; 256]),
            "names of 1 to 255 bytes",
        ),
        (
            "zip-long-path",
            one(&b"name/".repeat(1000)[..4999]),
            "longer than 4095 bytes",
        ),
        (
            "zip-deep",
            one("d/".repeat(251).as_bytes()),
            "is a directory by its name",
        ),
        ("zip-twice", zip(&[file("a", "1"), file("a", "2")]), twice),
        (
            "zip-twice-the-same",
            zip(&[file("a", "1"), file("a", "1")]),
            twice,
        ),
        (
            "zip-file-and-directory",
            zip(&[file("a", "1"), directory("a/")]),
            "lies below",
        ),
        (
            "zip-below-a-file",
            zip(&[file("a", "1"), file("a/b", "1")]),
            "lies below",
        ),
        (
            "zip-other-name",
            unicode(b"b"),
            "`a` in the archive has another name in an extra field",
        ),
        (
            "zip-other-name-cut",
            unicode(b""),
            "has another name in an extra field",
        ),
    ]
}

fn kinds() -> Vec<Case> {
    let mode = |mode: u32| zip(&[Entry::new(b"odd", b"", mode)]);
    let device = "is a device, a FIFO or of an unknown kind";
    let both = "is a directory by its name or by its attributes, not by both";
    let dos = |attributes: u32| Entry {
        system: 0,
        attributes,
        ..file("odd", "target")
    };
    vec![
        (
            "zip-through-a-symlink",
            zip(&[symlink("dir", "/etc"), file("dir/passwd", "x")]),
            "lies below something that is not a directory",
        ),
        (
            "zip-symlink-to-nothing",
            zip(&[symlink("s", "")]),
            "whose target is empty",
        ),
        (
            "zip-symlink-nul",
            zip(&[symlink("s", "a\0b")]),
            "or has a NUL",
        ),
        (
            "zip-symlink-far",
            zip(&[symlink("s", &"t".repeat(4096))]),
            "a target that is too long",
        ),
        ("zip-symlink-slash", zip(&[symlink("s/", "t")]), both),
        (
            "zip-symlink-of-dos",
            zip(&[dos(0o120_777 << 16)]),
            "is a symlink for some programs only",
        ),
        ("zip-character-device", mode(0o020_644), device),
        ("zip-block-device", mode(0o060_644), device),
        ("zip-fifo", mode(0o010_644), device),
        ("zip-socket", mode(0o140_644), device),
        ("zip-directory-by-mode", mode(0o040_755), both),
        ("zip-directory-of-dos", zip(&[dos(0x10)]), both),
        ("zip-file-with-slash", zip(&[file("a/", "")]), both),
        (
            "zip-directory-content",
            zip(&[Entry::new(b"d/", b"content", 0o040_755)]),
            "is a directory and has content",
        ),
    ]
}
