//! tar entries that lead out, clash, or are read in two ways.

use stxl_model::ArchiveFormat;

use super::Hostile;
use crate::build::unpack::forge::tar::{
    BLOCK, Entry, directory, file, hard_link, open, pax, sum, symlink, tar,
};

type Case = (&'static str, Vec<u8>, &'static str);

/// The archives.
pub(super) fn cases() -> Vec<Hostile> {
    let lists = [
        paths(),
        clashes(),
        links(),
        kinds(),
        sizes(),
        fields(),
        numbers(),
        ends(),
    ];
    let make =
        |(name, bytes, expected): Case| Hostile::new(name, ArchiveFormat::Tar, bytes, expected);
    let mut cases: Vec<Hostile> = lists.into_iter().flatten().map(make).collect();
    cases.extend(stripped());
    cases
}

/// A file whose path only an extended header holds.
fn long(path: &str) -> Vec<u8> {
    tar(&[pax(b'x', &[("path", path)]), file("f", "")])
}

fn paths() -> Vec<Case> {
    let parent = "not `.` or `..`";
    let top = "it names the top";
    let deep = "d/".repeat(250) + "f";
    vec![
        ("parent", tar(&[file("../escape", "")]), parent),
        ("parent-within", tar(&[file("a/../../escape", "")]), parent),
        ("parent-harmless", tar(&[file("a/../b", "")]), parent),
        ("parent-directory", tar(&[directory("..")]), parent),
        ("parent-symlink", tar(&[symlink("../l", "a")]), parent),
        (
            "absolute",
            tar(&[file("/etc/passwd", "")]),
            "it is absolute",
        ),
        (
            "absolute-directory",
            tar(&[directory("/")]),
            "it is absolute",
        ),
        (
            "drive",
            tar(&[file("c:x", "")]),
            "begins like that of a drive",
        ),
        ("no-name", tar(&[file("", "")]), "``: it is empty"),
        ("only-dots", tar(&[file("./.", "")]), top),
        ("symlink-as-top", tar(&[symlink(".", "a")]), top),
        ("deep", long(&deep), "more than 250 directories deep"),
        (
            "long-part",
            long(&"n".repeat(256)),
            "names of 1 to 255 bytes",
        ),
        (
            "long-path",
            long(&"name/".repeat(1000)),
            "longer than 4095 bytes",
        ),
    ]
}

fn clashes() -> Vec<Case> {
    let below = "lies below something that is not a directory";
    let twice = "stands there twice, as different kinds of things";
    vec![
        (
            "through-a-symlink",
            tar(&[symlink("dir", "/etc"), file("dir/passwd", "")]),
            "`/dir/passwd` in the archive lies below something that is not a directory",
        ),
        (
            "through-a-symlink-up",
            tar(&[directory("a"), symlink("a/up", ".."), file("a/up/b", "")]),
            below,
        ),
        (
            "through-two-symlinks",
            tar(&[symlink("a", "b"), symlink("b", "/"), file("a/x", "")]),
            below,
        ),
        (
            "directory-over-symlink",
            tar(&[symlink("d", "/etc"), directory("d"), file("d/x", "")]),
            below,
        ),
        (
            "symlink-over-directory",
            tar(&[directory("d"), symlink("d", "/etc"), file("d/x", "")]),
            twice,
        ),
        (
            "symlink-over-file",
            tar(&[file("a", ""), symlink("a", "/etc/passwd")]),
            twice,
        ),
        (
            "file-over-symlink",
            tar(&[symlink("a", "/etc/passwd"), file("a", "x")]),
            "`/a` in the archive stands there twice",
        ),
        (
            "file-over-directory",
            tar(&[directory("a"), file("a", "")]),
            twice,
        ),
        (
            "directory-over-file",
            tar(&[file("a", ""), directory("a")]),
            below,
        ),
        (
            "below-a-file",
            tar(&[file("a", ""), file("a/b", "")]),
            below,
        ),
    ]
}

fn links() -> Vec<Case> {
    let none = "which is no file before it";
    let long_target = "t".repeat(4096);
    vec![
        (
            "link-absolute",
            tar(&[hard_link("h", "/etc/passwd")]),
            "it is absolute",
        ),
        (
            "link-parent",
            tar(&[hard_link("h", "../x")]),
            "not `.` or `..`",
        ),
        ("link-missing", tar(&[hard_link("h", "missing")]), none),
        (
            "link-to-itself",
            tar(&[file("h", ""), hard_link("h", "h")]),
            none,
        ),
        (
            "link-to-later",
            tar(&[hard_link("h", "f"), file("f", "")]),
            none,
        ),
        (
            "link-to-directory",
            tar(&[directory("d"), hard_link("h", "d")]),
            none,
        ),
        (
            "link-through-symlink",
            tar(&[
                directory("d"),
                file("d/f", ""),
                symlink("s", "d"),
                hard_link("h", "s/f"),
            ]),
            none,
        ),
        (
            "link-to-nothing",
            tar(&[hard_link("h", "")]),
            "``: it is empty",
        ),
        (
            "symlink-to-nothing",
            tar(&[symlink("s", "")]),
            "whose target is empty",
        ),
        (
            "symlink-far",
            tar(&[pax(b'x', &[("linkpath", &long_target)]), symlink("s", "t")]),
            "longer than 4095 bytes",
        ),
        (
            "symlink-with-slash",
            tar(&[symlink("s/", "t")]),
            "`s/` in the archive is a link and ends with a slash",
        ),
        (
            "link-with-slash",
            tar(&[file("f", ""), hard_link("h/", "f")]),
            "ends with a slash",
        ),
    ]
}

fn kinds() -> Vec<Case> {
    let of = |kind: u8| tar(&[Entry::new(b"odd", kind)]);
    let with_content = |entry: Entry| {
        let content = b"content".to_vec();
        tar(&[Entry { content, ..entry }])
    };
    let content = "is no file and has content";
    vec![
        (
            "character-device",
            of(b'3'),
            "`odd` in the archive is a character device",
        ),
        ("block-device", of(b'4'), "is a block device"),
        ("fifo", of(b'6'), "is a FIFO"),
        ("sparse", of(b'S'), "is a sparse file of GNU tar"),
        (
            "volume",
            of(b'M'),
            "continuation of a file from another volume",
        ),
        ("incremental", of(b'D'), "incremental backup"),
        (
            "early-long-name",
            of(b'N'),
            "a long name of an early GNU tar",
        ),
        ("solaris", of(b'X'), "an entry of an unknown kind"),
        ("unknown-kind", of(b'Z'), "an entry of an unknown kind"),
        ("directory-content", with_content(directory("d")), content),
        ("symlink-content", with_content(symlink("s", "t")), content),
        ("link-content", with_content(hard_link("h", "f")), content),
        (
            "label-content",
            with_content(Entry::new(b"label", b'V')),
            content,
        ),
        (
            "device-content",
            with_content(Entry::new(b"c", b'3')),
            content,
        ),
        (
            "file-with-slash",
            tar(&[file("f/", "x")]),
            "is a file and ends with a slash",
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let sized = |size: &[u8]| {
        let size = Some(size.to_vec());
        let entry = file("f", "content");
        tar(&[Entry { size, ..entry }, file("g", "")])
    };
    let no_number = "`f` in the archive has a size that is not a number";
    vec![
        ("size-of-letters", sized(b"1234567890a\0"), no_number),
        ("size-with-gap", sized(b"1 2\0\0\0\0\0\0\0\0\0"), no_number),
        (
            "size-negative",
            sized(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0"),
            no_number,
        ),
        (
            "size-beyond-64-bits",
            sized(b"\x80\0\x01\0\0\0\0\0\0\0\0\0"),
            no_number,
        ),
        (
            "size-of-2-to-the-63",
            sized(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"),
            "unpacks to more than 64 GiB; it got to `f`",
        ),
        (
            "size-of-a-bomb",
            sized(b"77777777777\0"),
            "more than 256 MiB and more than 250 times its size; it got to `f`",
        ),
        (
            "size-too-large",
            sized(b"00000100000\0"),
            "`f` in the archive is cut off",
        ),
    ]
}

fn fields() -> Vec<Case> {
    let mode = |mode: &[u8]| {
        let mode = mode.to_vec();
        tar(&[Entry {
            mode,
            ..file("f", "")
        }])
    };
    let magic = |magic: &[u8]| {
        let magic = magic.to_vec();
        tar(&[Entry {
            magic,
            ..file("f", "")
        }])
    };
    let wrong_sum = Entry {
        checksum_error: 1,
        ..file("second", "")
    };
    let no_sum = "the checksum of an entry's header is wrong";
    vec![
        (
            "checksum",
            tar(&[file("first", ""), wrong_sum]),
            "it got to `first`",
        ),
        // What follows is read as a header.
        (
            "size-too-small",
            {
                let size = Some(b"00000000000\0".to_vec());
                tar(&[Entry {
                    size,
                    ..file("f", "content")
                }])
            },
            no_sum,
        ),
        (
            "mode-of-letters",
            mode(b"rwxr-xr\0"),
            "has a mode that is not a number",
        ),
        (
            "unknown-form",
            magic(b"ustar 00"),
            "is of an unknown form of tar, `ustar 00`",
        ),
        ("text", b"This is no archive at all. ".repeat(40), no_sum),
        ("zip-as-tar", b"PK\x03\x04".repeat(200), no_sum),
    ]
}

fn numbers() -> Vec<Case> {
    let set = |at: usize, bytes: &[u8], magic: &[u8]| {
        let magic = magic.to_vec();
        let mut header = Entry {
            magic,
            ..file("f", "")
        }
        .header();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        sum(&mut header, 0);
        header
    };
    let (gnu, posix) = (b"ustar  \0", b"ustar\x0000");
    let of_gnu = "has the fields of a sparse file, or of one in several volumes";
    vec![
        (
            "owner-of-letters",
            set(108, b"nobody", posix),
            "has an owner that is not a number",
        ),
        (
            "group-negative",
            set(116, &[0xff; 8], posix),
            "has an owner that is not a number",
        ),
        (
            "time-of-letters",
            set(136, b"today", posix),
            "has a time that is not a number",
        ),
        (
            "device-of-letters",
            set(329, b"dev", posix),
            "has the number of a device that is none",
        ),
        ("sparse-map", set(386, b"00000000000", gnu), of_gnu),
        ("sparse-more", set(482, &[1], gnu), of_gnu),
        ("sparse-size", set(483, b"00000000007", gnu), of_gnu),
        ("volume-offset", set(369, b"00000000007", gnu), of_gnu),
    ]
}

fn ends() -> Vec<Case> {
    let one = [file("f", "content")];
    let behind = "bytes follow the end of the tar, such as another tar; it got to `f`";
    let with = |tail: &[u8]| [tar(&one).as_slice(), tail].concat();
    vec![
        ("nothing", Vec::new(), "has no bytes"),
        (
            "cut-in-a-header",
            open(&one)[..300].to_vec(),
            "ends within a header",
        ),
        (
            "cut-in-a-file",
            open(&one)[..515].to_vec(),
            "4 of its 7 bytes are missing",
        ),
        (
            "cut-in-padding",
            open(&one)[..700].to_vec(),
            "within the padding of an entry",
        ),
        ("two-tars", with(&tar(&[file("g", "")])), behind),
        ("tail", with(b"x"), behind),
        (
            "tail-after-zeros",
            with(&[&[0; 9 * BLOCK][..], b"x"].concat()),
            behind,
        ),
        (
            "one-block-of-zeros",
            [open(&one), vec![0; BLOCK], open(&[file("g", "")])].concat(),
            behind,
        ),
    ]
}

/// What happens where leading parts are dropped.
fn stripped() -> Vec<Hostile> {
    let cases: [(&str, Vec<u8>, &'static str); 4] = [
        (
            "strip-all",
            tar(&[directory("d"), file("a", "x"), file("b", "")]),
            "nothing is left of the archive without the first 1 parts",
        ),
        (
            "strip-to-the-same",
            tar(&[file("a/x", "one"), file("b/x", "two")]),
            "stands there twice without the leading parts of its paths",
        ),
        (
            "strip-parent",
            tar(&[file("../x", "one"), file("b/x", "two")]),
            "not `.` or `..`",
        ),
        (
            "strip-link",
            tar(&[file("x", "one"), hard_link("b/x", "x"), file("b/y", "")]),
            "which is no file before it",
        ),
    ];
    let make = |(name, bytes, expected)| Hostile {
        strip: 1,
        ..Hostile::new(name, ArchiveFormat::Tar, bytes, expected)
    };
    cases.into_iter().map(make).collect()
}
