//! Compressed bytes that are damaged, go on, or become too many.

use std::path::Path;

use stxl_model::ArchiveFormat;

use super::Hostile;
use crate::build::foreign::run;
use crate::build::unpack::forge::crc32;
use crate::build::unpack::forge::tar::{Entry, extension, file, open, pax, symlink, tar};
use crate::build::unpack::forge::zip;

/// The programs that compress, and what errors call what they write.
const COMPRESSORS: [(&str, &str); 5] = [
    ("gzip -nc", "gzip"),
    ("bzip2 -c", "bzip2"),
    ("xz -c", "xz"),
    ("zstd -qc --check", "zstd"),
    ("lzip -c", "lzip"),
];

fn hostile(name: &str, bytes: Vec<u8>, expected: &'static str) -> Hostile {
    Hostile::new(name, ArchiveFormat::Tar, bytes, expected)
}

/// A tar of some text.
fn plain() -> Vec<u8> {
    let lines = (0..4000_u32).map(|number| format!("{}\n", number * number));
    tar(&[file("f", &lines.collect::<String>())])
}

/// The archives that are small.
pub(super) fn cases(place: &Path) -> Vec<Hostile> {
    let mut cases = damaged(place);
    cases.extend(followed(place));
    cases.extend(foreign(place));
    cases
}

/// What is damaged in every compression.
fn damaged(place: &Path) -> Vec<Hostile> {
    let plain = plain();
    let mut cases = Vec::new();
    for (line, name) in COMPRESSORS {
        let whole = run(line, place, &plain);
        let with = |tail: &[u8]| [whole.as_slice(), tail].concat();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        let cut = whole[..whole.len() - 5].to_vec();
        let (twice, nothing) = (run(line, place, &whole), run(line, place, b""));
        let malformed = "the archive is malformed";
        for (what, bytes, expected) in [
            ("flipped", flipped, malformed),
            ("cut", cut, malformed),
            ("then-text", with(b"tail"), "data"),
            ("then-tar", with(&plain), "data"),
            ("twice", with(&whole), "such as another tar"),
            ("of-itself", twice, "so this is no tar"),
            ("of-nothing", nothing, "has no bytes"),
        ] {
            cases.push(hostile(&format!("{name}-{what}"), bytes, expected));
        }
    }
    cases
}

/// What follows that is neither padding nor another part.
fn followed(place: &Path) -> Vec<Hostile> {
    let plain = plain();
    let (gzip, xz) = (run("gzip -nc", place, &plain), run("xz -c", place, &plain));
    let with = |whole: &[u8], tail: &[u8]| [whole, tail].concat();
    let other = "that are none of it";
    let padding = "the padding of the gzip data";
    vec![
        hostile("gzip-then-xz", with(&gzip, &xz), other),
        hostile("gzip-zeros-text", with(&gzip, b"\0\0\0x"), padding),
        hostile("xz-three-zeros", with(&xz, &[0; 3]), other),
        hostile("xz-five-zeros", with(&xz, &[0; 5]), other),
    ]
}

/// Compressions that are not read, or not with such needs.
fn foreign(place: &Path) -> Vec<Hostile> {
    let xz = run("xz -c", place, &plain());
    let mut lzip = run("lzip -c", place, &plain());
    lzip[5] = 29;
    let memory = "needs more than 256 MiB of memory";
    let window = "has a zstd window of more than 128 MiB";
    let text = |bytes: &[u8]| bytes.to_vec();
    vec![
        hostile(
            "compress",
            text(b"\x1f\x9d\x90abc"),
            "compressed with `compress` is not read",
        ),
        hostile(
            "lzma",
            text(b"\x5d\0\0\x80\0abc"),
            "compressed with `lzma` is not read",
        ),
        hostile(
            "lz4",
            text(b"\x04\x22\x4d\x18abc"),
            "compressed with lz4 is not read",
        ),
        hostile(
            "zstd-of-skipped",
            text(b"\x50\x2a\x4d\x18\x04\0\0\0skip"),
            "has no bytes",
        ),
        hostile(
            "zstd-dictionary",
            text(b"\x28\xb5\x2f\xfd\x21\x07\x03\x11\0\0abc"),
            "zstd data",
        ),
        hostile("zstd-window", zstd_with_window(18), window),
        hostile("xz-dictionary", xz_with_dictionary(&xz, 37), memory),
        hostile("xz-check", xz_with_check(&xz, 2), "xz data"),
        hostile("lzip-dictionary", lzip, memory),
    ]
}

/// An xz file that says it needs another dictionary; `code` 37 is 768 MiB.
fn xz_with_dictionary(xz: &[u8], code: u8) -> Vec<u8> {
    let mut bytes = xz.to_vec();
    let end = 12 + (usize::from(bytes[12]) + 1) * 4;
    // Behind the size, the flags, and the id and size of the properties of LZMA2.
    assert_eq!(bytes[14..16], [0x21, 1], "xz writes one filter");
    bytes[16] = code;
    let sum = crc32(&bytes[12..end - 4]);
    bytes[end - 4..end].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// An xz file that says it has another check.
fn xz_with_check(xz: &[u8], check: u8) -> Vec<u8> {
    let mut bytes = xz.to_vec();
    bytes[7] = check;
    let sum = crc32(&bytes[6..8]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// A zstd frame that says how far it refers back, as a power of two over a KiB.
fn zstd_with_window(log: u8) -> Vec<u8> {
    let mut bytes = b"\x28\xb5\x2f\xfd\0".to_vec();
    bytes.push(log << 3);
    // One raw block of three bytes, the last.
    bytes.extend([0b1_1001, 0, 0]);
    bytes.extend(b"abc");
    bytes
}

/// The archives that would become large.
pub(super) fn bombs(place: &Path) -> Vec<Hostile> {
    let ratio = "more than 256 MiB and more than 250 times its size";
    let mut bombs = Vec::new();
    // Nothing but the end of a tar, which is read to its last byte. A part is compressed once.
    let part = vec![0; 10 << 20];
    for (line, name) in COMPRESSORS {
        let bytes = run(line, place, &part).repeat(30);
        bombs.push(hostile(&format!("{name}-bomb"), bytes, ratio));
    }
    // What an entry says is enough.
    let size = Some(b"02400000000\0".to_vec());
    let zeros = Entry {
        size,
        ..file("zeros", "")
    };
    let bytes = run("gzip -9nc", place, &tar(&[zeros]));
    bombs.push(hostile("gzip-file-bomb", bytes, "it got to `zeros`"));
    let zeros = zip::Entry::new(b"zeros", b"", 0o100_644)
        .compressed(8, &zip::deflate_stored(b"zeros"))
        .both(|header| header.size = 300 << 20);
    let bytes = zip::zip(&[zeros]);
    bombs.push(Hostile::new("zip-bomb", ArchiveFormat::Zip, bytes, ratio));
    bombs.extend(counts(place));
    bombs
}

/// Many directories, and many long names.
fn counts(place: &Path) -> Vec<Hostile> {
    let compress = |bytes: &[u8]| run("zstd -1qc", place, bytes);
    let below = "/d".repeat(249);
    let deep = |number: u32| {
        let path = format!("{number}{below}");
        open(&[pax(b'x', &[("path", &path)]), Entry::new(b"d", b'5')])
    };
    let directories: Vec<u8> = (0..4100).flat_map(deep).collect();
    let target = [b"t".repeat(4095).as_slice(), b"\0"].concat();
    let far = |number: u32| open(&[extension(b'K', &target), symlink(&format!("s{number}"), "")]);
    let symlinks: Vec<u8> = (0..33_000).flat_map(far).collect();
    vec![
        hostile(
            "many-directories",
            compress(&directories),
            "has more than 1000000 files, symlinks and directories; it got to `",
        ),
        hostile(
            "long-targets",
            compress(&symlinks),
            "has names of more than 128 MiB",
        ),
    ]
}
