//! Extended headers and long names that programs read differently.

use stxl_model::ArchiveFormat;

use super::Hostile;
use crate::build::unpack::forge::tar::{
    Entry, directory, extension, file, hard_link, open, pax, record, symlink, tar,
};

type Case = (&'static str, Vec<u8>, &'static str);

/// The archives.
pub(super) fn cases() -> Vec<Hostile> {
    let lists = [records(), keys(), forms(), sizes(), orders()];
    let make =
        |(name, bytes, expected): Case| Hostile::new(name, ArchiveFormat::Tar, bytes, expected);
    lists.into_iter().flatten().map(make).collect()
}

/// A file behind the records of an extended header.
fn with(records: &[(&str, &str)]) -> Vec<u8> {
    tar(&[pax(b'x', records), file("f", "content")])
}

fn records() -> Vec<Case> {
    vec![
        (
            "pax-parent",
            with(&[("path", "../escape")]),
            "not `.` or `..`",
        ),
        (
            "pax-absolute",
            with(&[("path", "/etc/passwd")]),
            "it is absolute",
        ),
        (
            "pax-no-path",
            with(&[("path", "")]),
            "the record `path` of an extended header is empty",
        ),
        (
            "pax-nul",
            with(&[("path", "f\0/../x")]),
            "is empty or has a NUL",
        ),
        (
            "pax-link-nul",
            tar(&[pax(b'x', &[("linkpath", "a\0b")]), symlink("s", "a")]),
            "the record `linkpath` of an extended header is empty or has a NUL",
        ),
        (
            "pax-link-of-a-file",
            with(&[("linkpath", "/etc/passwd")]),
            "has the target of a link and is none",
        ),
        (
            "pax-link-absolute",
            tar(&[
                pax(b'x', &[("linkpath", "/etc/passwd")]),
                hard_link("h", "f"),
            ]),
            "it is absolute",
        ),
        (
            "pax-twice",
            with(&[("path", "a"), ("path", "b")]),
            "the record `path` of an extended header stands there twice",
        ),
    ]
}

fn keys() -> Vec<Case> {
    let sparse = "makes a sparse file";
    let global = |records: &[(&str, &str)]| tar(&[pax(b'g', records), file("f", "")]);
    let for_all = "would hold for all entries";
    vec![
        (
            "pax-unknown",
            with(&[("pathname", "a")]),
            "the record `pathname` of an extended header is not known",
        ),
        (
            "pax-unknown-vendor",
            with(&[("EVIL.path", "a")]),
            "`EVIL.path` of an extended header is not known",
        ),
        (
            "pax-charset",
            with(&[("hdrcharset", "UTF-16")]),
            "is not known",
        ),
        ("pax-sparse-1", with(&[("GNU.sparse.major", "1")]), sparse),
        (
            "pax-sparse-name",
            with(&[("GNU.sparse.name", "../x")]),
            sparse,
        ),
        ("pax-sparse-star", with(&[("SCHILY.realsize", "9")]), sparse),
        (
            "pax-sparse-solaris",
            with(&[("SUN.holesdata", " 0 9")]),
            sparse,
        ),
        (
            "pax-volume",
            with(&[("GNU.volume.offset", "7")]),
            "is not known",
        ),
        ("pax-global-path", global(&[("path", "a")]), for_all),
        ("pax-global-link", global(&[("linkpath", "a")]), for_all),
        ("pax-global-size", global(&[("size", "0")]), for_all),
        ("pax-global-unknown", global(&[("x", "y")]), "is not known"),
    ]
}

fn forms() -> Vec<Case> {
    let wrong = "an extended header has a record of a wrong length or form";
    let raw = |bytes: &[u8]| tar(&[extension(b'x', bytes), file("f", "")]);
    let long = |kind: u8, text: &[u8]| tar(&[extension(kind, text), symlink("s", "t")]);
    let bad_name = "a long name is empty or has a NUL within";
    vec![
        ("record-too-long", raw(b"99 path=a\n"), wrong),
        ("record-too-short", raw(b"8 path=a\n"), wrong),
        ("record-of-length-0", raw(b"0 path=a\n"), wrong),
        ("record-of-length-2", raw(b"2 "), wrong),
        ("record-without-equals", raw(b"8 path\n\n"), wrong),
        ("record-without-key", raw(b"5 =a\n"), wrong),
        ("record-without-end", raw(b"9 path=aX"), wrong),
        ("record-without-length", raw(b" path=a\n"), wrong),
        ("record-of-letters", raw(b"a path=a\n"), wrong),
        ("record-with-zero", raw(b"010 path=a\n"), wrong),
        ("record-signed", raw(b"+10 path=a\n"), wrong),
        (
            "record-beyond-64-bits",
            raw(b"99999999999999999999 a=b\n"),
            wrong,
        ),
        (
            "record-then-zeros",
            raw(&[record("path", "a").as_slice(), &[0; 9]].concat()),
            wrong,
        ),
        (
            "record-then-line",
            raw(&[record("path", "a").as_slice(), b"\n"].concat()),
            wrong,
        ),
        ("long-name-empty", long(b'L', b"\0"), bad_name),
        ("long-name-of-nothing", long(b'L', b""), bad_name),
        ("long-name-nul", long(b'L', b"a\0../b\0"), bad_name),
        ("long-link-nul", long(b'K', b"a\0b\0"), bad_name),
        (
            "long-name-parent",
            long(b'L', b"../escape\0"),
            "not `.` or `..`",
        ),
        (
            "long-name-absolute",
            long(b'L', b"/escape\0"),
            "it is absolute",
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let huge = |kind: u8, size: &[u8]| {
        let size = Some(size.to_vec());
        tar(&[
            Entry {
                size,
                ..extension(kind, b"")
            },
            file("f", ""),
        ])
    };
    let limit = "an extended header has no size, or one of more than 1 MiB";
    let no_number = "the record `size` of an extended header is not a number";
    // A program that takes the one size sees a file, one that takes the other an entry more.
    let smuggled = Entry {
        content: open(&[file("smuggled", "x")]),
        ..file("f", "")
    };
    let differ = "`f` in the archive has two sizes that are not the same";
    vec![
        (
            "size-smuggles",
            tar(&[pax(b'x', &[("size", "0")]), smuggled.clone()]),
            differ,
        ),
        (
            "size-swallows",
            tar(&[pax(b'x', &[("size", "1024")]), file("f", ""), smuggled]),
            differ,
        ),
        (
            "size-of-a-directory",
            tar(&[pax(b'x', &[("size", "7")]), directory("f")]),
            differ,
        ),
        (
            "size-record-of-letters",
            with(&[("size", "seven")]),
            no_number,
        ),
        ("size-record-negative", with(&[("size", "-7")]), no_number),
        (
            "size-record-hexadecimal",
            with(&[("size", "0x7")]),
            no_number,
        ),
        (
            "size-record-beyond",
            with(&[("size", "99999999999999999999")]),
            no_number,
        ),
        (
            "size-record-huge",
            with(&[("size", "18446744073709551615")]),
            "unpacks to more than 64 GiB",
        ),
        ("extended-of-2-gib", huge(b'x', b"20000000000\0"), limit),
        ("global-of-2-gib", huge(b'g', b"20000000000\0"), limit),
        ("long-name-of-2-gib", huge(b'L', b"20000000000\0"), limit),
        (
            "long-link-of-2-to-the-63",
            huge(b'K', b"\x80\0\0\0\x80\0\0\0\0\0\0\0"),
            limit,
        ),
        (
            "extended-without-size",
            huge(b'x', b"size\0\0\0\0\0\0\0\0"),
            limit,
        ),
        (
            "extended-cut-off",
            huge(b'x', b"00000010000\0"),
            "ends within an extended header",
        ),
    ]
}

fn orders() -> Vec<Case> {
    let path = || pax(b'x', &[("path", "a")]);
    let long = || extension(b'L', b"b\0");
    let two = "two extended headers of one kind stand in front of one entry";
    let last = "it ends after an extended header";
    vec![
        ("two-extended", tar(&[path(), path(), file("f", "")]), two),
        ("two-long-names", tar(&[long(), long(), file("f", "")]), two),
        (
            "global-in-between",
            tar(&[path(), pax(b'g', &[]), file("f", "")]),
            two,
        ),
        (
            "both-long-names",
            tar(&[path(), long(), file("f", "")]),
            "long names of GNU tar and of pax",
        ),
        ("extended-at-the-end", tar(&[file("f", ""), path()]), last),
        ("long-name-at-the-end", tar(&[file("f", ""), long()]), last),
        (
            "extended-label",
            tar(&[path(), Entry::new(b"label", b'V')]),
            "an entry of an unknown kind",
        ),
    ]
}
