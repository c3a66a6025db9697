//! Debian packages whose members are not as deb(5) says.

use stxl_model::ArchiveFormat;

use super::Hostile;
use crate::build::unpack::forge::deb::{ar, member, package};
use crate::build::unpack::forge::tar::{Entry, file, symlink, tar};

type Case = (&'static str, Vec<u8>, &'static str);

/// The archives.
pub(super) fn cases() -> Vec<Hostile> {
    let make =
        |(name, bytes, expected): Case| Hostile::new(name, ArchiveFormat::Deb, bytes, expected);
    let lists = [members(), damages(), contents()];
    lists.into_iter().flatten().map(make).collect()
}

fn data() -> Vec<u8> {
    tar(&[file("./usr/f", "content")])
}

fn format() -> Vec<u8> {
    member("debian-binary", b"2.0\n")
}

fn control() -> Vec<u8> {
    member("control.tar", b"")
}

fn content() -> Vec<u8> {
    member("data.tar", &data())
}

fn members() -> Vec<Case> {
    let whole = [format(), control(), content()];
    let and = |more: Vec<u8>| ar(&[whole.concat(), more]);
    let unexpected = "is not expected where it stands";
    let none = "it has no `control.tar` and `data.tar` after it";
    vec![
        (
            "deb-tar",
            data(),
            "it does not begin as an `ar` archive does",
        ),
        ("deb-empty", ar(&[]), "as a Debian package, it is empty"),
        (
            "deb-thin",
            [b"!<thin>\n".to_vec(), whole.concat()].concat(),
            "does not begin",
        ),
        (
            "deb-other",
            ar(&[control(), content()]),
            "its first member is not `debian-binary`",
        ),
        (
            "deb-format-3",
            ar(&[member("debian-binary", b"3.0\n"), control(), content()]),
            "its format is not 2",
        ),
        (
            "deb-format-large",
            ar(&[member("debian-binary", &[b'2'; 99])]),
            "its first member is not",
        ),
        (
            "deb-no-control",
            ar(&[format(), content()]),
            "the member `data.tar` is not expected",
        ),
        ("deb-no-data", ar(&[format(), control()]), none),
        (
            "deb-swapped",
            ar(&[format(), content(), control()]),
            unexpected,
        ),
        (
            "deb-two-controls",
            ar(&[format(), control(), control(), content()]),
            "the member `control.tar` is not",
        ),
        (
            "deb-two-datas",
            and(content()),
            "the member `data.tar` stands behind `data.tar`",
        ),
        (
            "deb-unknown",
            ar(&[format(), member("evil", b""), control(), content()]),
            "`evil` is not expected",
        ),
        (
            "deb-late-note",
            ar(&[format(), control(), member("_note", b""), content()]),
            unexpected,
        ),
        (
            "deb-behind",
            and(member("evil", b"")),
            "the member `evil` stands behind",
        ),
        (
            "deb-tail",
            and(b"tail".to_vec()),
            "it ends within the header of a member",
        ),
        (
            "deb-unknown-compression",
            ar(&[format(), control(), member("data.tar.rar", b"")]),
            unexpected,
        ),
    ]
}

fn damages() -> Vec<Case> {
    let whole = [format(), control(), content()];
    let damaged = |at: usize, byte: u8| {
        let mut bytes = ar(&whole);
        bytes[at] = byte;
        bytes
    };
    let mut huge = control();
    huge[48..58].copy_from_slice(b"9999999999");
    vec![
        ("deb-cut-off", ar(&whole)[..400].to_vec(), "is cut off"),
        (
            "deb-cut-in-control",
            ar(&[format(), control()])[..100].to_vec(),
            "ends within the header",
        ),
        (
            "deb-magic",
            damaged(8 + 58, b'!'),
            "the header of a member is damaged",
        ),
        (
            "deb-size",
            damaged(8 + 48, b'-'),
            "the size of a member is not a number",
        ),
        (
            "deb-size-with-gap",
            damaged(8 + 57, b'9'),
            "the size of a member is not a number",
        ),
        (
            "deb-size-huge",
            ar(&[format(), huge, content()]),
            "the member `control.tar` is cut off",
        ),
    ]
}

fn contents() -> Vec<Case> {
    let two = [data(), data()].concat();
    let tail = [data(), vec![0; 1024], b"tail".to_vec()].concat();
    vec![
        (
            "deb-parent",
            package(&tar(&[file("./../f", "")])),
            "not `.` or `..`",
        ),
        (
            "deb-absolute",
            package(&tar(&[file("/f", "")])),
            "it is absolute",
        ),
        (
            "deb-device",
            package(&tar(&[Entry::new(b"./dev/null", b'3')])),
            "is a character device",
        ),
        (
            "deb-through",
            package(&tar(&[symlink("./l", "/"), file("./l/f", "")])),
            "lies below",
        ),
        ("deb-two-tars", package(&two), "such as another tar"),
        (
            "deb-data-tail",
            package(&tail),
            "bytes follow the end of the tar",
        ),
        ("deb-without-bytes", package(b""), "has no bytes"),
    ]
}
