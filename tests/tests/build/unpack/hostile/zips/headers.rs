//! zip archives whose entries are not what their headers say.

use super::{Case, directory, entry, symlink};
use crate::build::unpack::forge::zip::{Entry, Header, deflate_stored, file, zip};

/// The archives.
pub(super) fn cases() -> Vec<Case> {
    [differing(), unread(), contents(), descriptors()].concat()
}

fn differing() -> Vec<Case> {
    let local = |change: fn(&mut Header)| zip(&[entry(b"a").local(change), file("b", "")]);
    let sizes = "other sizes or another checksum in front of its content than in the directory";
    let flags = "has other flags or another method in front of its content";
    vec![
        (
            "zip-two-names",
            local(|header| header.name = b"b".to_vec()),
            "`a` in the archive is `b` in front of its content",
        ),
        (
            "zip-name-longer",
            local(|header| header.name = b"ab".to_vec()),
            "is `ab` in front",
        ),
        ("zip-two-sizes", local(|header| header.size = 6), sizes),
        (
            "zip-two-compressed",
            local(|header| header.compressed = 6),
            sizes,
        ),
        (
            "zip-two-checksums",
            local(|header| header.crc32 ^= 1),
            sizes,
        ),
        ("zip-two-methods", local(|header| header.method = 8), flags),
        (
            "zip-two-flags",
            local(|header| header.flags = 1 << 11),
            flags,
        ),
        (
            "zip-sizes-left-open",
            local(|header| (header.crc32, header.size, header.compressed) = (0, 0, 0)),
            sizes,
        ),
    ]
}

fn unread() -> Vec<Case> {
    let both = |change: fn(&mut Header)| zip(&[entry(b"a").both(change), file("b", "")]);
    let zip64 = "a zip64 field that does not go with its sizes";
    vec![
        (
            "zip-encrypted",
            both(|header| header.flags = 1),
            "`a` in the archive is encrypted",
        ),
        (
            "zip-strongly-encrypted",
            both(|header| header.flags = 1 | 1 << 6),
            "is encrypted",
        ),
        (
            "zip-masked",
            both(|header| header.flags = 1 << 13),
            "is encrypted",
        ),
        (
            "zip-patched",
            both(|header| header.flags = 1 << 5),
            "has flags that are not known",
        ),
        (
            "zip-version",
            zip(&[Entry {
                version: 46,
                ..entry(b"a")
            }]),
            "needs a later version of zip",
        ),
        (
            "zip-bzip2",
            both(|header| header.method = 12),
            "is compressed with method 12",
        ),
        (
            "zip-lzma",
            both(|header| header.method = 14),
            "is compressed with method 14",
        ),
        (
            "zip-aes",
            both(|header| header.method = 99),
            "is compressed with method 99",
        ),
        (
            "zip-stored-twice",
            both(|header| header.size = 6),
            "is stored and has two sizes",
        ),
        (
            "zip-zip64-missing",
            both(|header| (header.size, header.compressed) = (u32::MAX, u32::MAX)),
            zip64,
        ),
        (
            "zip-zip64-for-nothing",
            both(|header| header.extra = vec![1, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0]),
            zip64,
        ),
        (
            "zip-zip64-twice",
            both(|header| header.extra = vec![1, 0, 0, 0, 1, 0, 0, 0]),
            "has two zip64 fields",
        ),
        (
            "zip-extra-cut",
            both(|header| header.extra = vec![9, 9, 9, 0, 1]),
            "has damaged extra fields",
        ),
        (
            "zip-extra-attributes",
            both(|header| header.extra = vec![0x78, 0x6c, 0, 0]),
            "has attributes in an extra field",
        ),
    ]
}

fn contents() -> Vec<Case> {
    let deflated = deflate_stored(b"content");
    let compressed = |bytes: &[u8]| entry(b"a").compressed(8, bytes);
    let one = |entry: Entry| zip(&[entry, file("b", "")]);
    let bytes_behind = "has bytes behind its";
    vec![
        (
            "zip-checksum",
            one(entry(b"a").both(|header| header.crc32 ^= 1)),
            "has another checksum than its content",
        ),
        (
            "zip-directory-checksum",
            one(directory("d/").both(|header| header.crc32 ^= 1)),
            "has another checksum",
        ),
        (
            "zip-symlink-checksum",
            one(symlink("s", "t").both(|header| header.crc32 ^= 1)),
            "has another checksum",
        ),
        (
            "zip-deflate-longer",
            one(compressed(&deflated).both(|header| header.size = 6)),
            "has more content than its size",
        ),
        (
            "zip-deflate-shorter",
            one(compressed(&deflated).both(|header| header.size = 8)),
            "is cut off: 1 of its 8 bytes are missing",
        ),
        (
            "zip-deflate-tail",
            one(compressed(&[deflated.as_slice(), b"tail"].concat())),
            "has bytes behind its compressed content",
        ),
        (
            "zip-deflate-cut",
            one(compressed(&deflated[..9])),
            "the archive is malformed",
        ),
        (
            "zip-deflate-damaged",
            one(compressed(b"\xff\xff\xff\xff")),
            "the archive is malformed",
        ),
        (
            "zip-stored-tail",
            one({
                let mut entry = entry(b"a");
                entry.content.extend(b"tail");
                entry
            }),
            bytes_behind,
        ),
    ]
}

fn descriptors() -> Vec<Case> {
    let one = |entry: Entry| zip(&[entry, file("b", "")]);
    let descriptor = |at: usize| {
        let mut described = entry(b"a").described();
        described.descriptor[at] ^= 1;
        one(described)
    };
    let behind = "other sizes behind its content than in the directory";
    let bytes_behind = "has bytes behind its content";
    vec![
        ("zip-described-mark", descriptor(0), behind),
        ("zip-described-checksum", descriptor(4), behind),
        ("zip-described-compressed", descriptor(8), behind),
        ("zip-described-size", descriptor(12), behind),
        (
            "zip-described-not",
            one({
                let mut described = entry(b"a").described();
                described.descriptor.clear();
                described
            }),
            behind,
        ),
        (
            "zip-described-far",
            one({
                let mut described = entry(b"a").described();
                described.descriptor.extend([0; 30]);
                described
            }),
            bytes_behind,
        ),
    ]
}
