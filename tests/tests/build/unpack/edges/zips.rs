//! zips at the edge.

use stxl_model::ArchiveFormat;

use super::Edge;
use crate::build::unpack::forge::zip::{End, Entry, deflate_stored, file, zip, zip_with};

/// The archives.
pub(super) fn cases() -> Vec<Edge> {
    let edge = |name, bytes| Edge::new(name, ArchiveFormat::Zip, bytes);
    let commented = zip_with(
        &[file("f", "1")],
        &End {
            comment: b"PK\x05 is how an end begins".to_vec(),
            ..End::default()
        },
    );
    let executable = Entry::new(b"d/x", b"run", 0o100_755);
    let setuid = Entry::new(b"d/x", b"run", 0o104_755);
    let symlink = Entry::new(b"s", b"../t", 0o120_777);
    let dos = Entry {
        system: 0,
        ..Entry::new(b"f", b"1", 0o100_755)
    };
    // As some programs write a directory: deflated to nothing.
    let deflated_directory = Entry::new(b"d/", b"", 0o040_755).compressed(8, b"\x03\0");
    let unicode = Entry::new("\u{fc}".as_bytes(), b"1", 0o100_644);
    let padded = file("f", "1").local(|header| header.extra = vec![0; 3]);
    let without_mark = {
        let mut described = file("f", "content").described();
        described.descriptor.drain(..4);
        described
    };
    vec![
        edge("zip-nothing-in-it", zip(&[])),
        edge("zip-commented", commented).with("f", "1"),
        edge("zip-modes", zip(&[executable, symlink]))
            .with("d/x", "*run")
            .with("s", "-> ../t"),
        edge("zip-setuid", zip(&[setuid]))
            .with("d/x", "*run")
            .warned("the setuid or setgid bit of `/d/x` is not kept"),
        edge("zip-of-dos", zip(&[dos])).with("f", "1"),
        edge("zip-deflated-directory", zip(&[deflated_directory])).with("d", "/"),
        edge("zip-of-unix", zip(std::slice::from_ref(&unicode))).with("\u{fc}", "1"),
        edge(
            "zip-marked",
            zip(&[Entry {
                system: 10,
                ..unicode
            }
            .both(|header| header.flags = 1 << 11)]),
        )
        .with("\u{fc}", "1"),
        edge("zip-padded", zip(&[padded])).with("f", "1"),
        edge(
            "zip-described",
            zip(&[file("f", "content").described(), file("g", "")]),
        )
        .with("f", "content")
        .with("g", ""),
        edge("zip-described-without-mark", zip(&[without_mark])).with("f", "content"),
        edge("zip-wide", wide())
            .with("f", "content")
            .with("g", "deflated"),
        edge(
            "zip-stripped",
            zip(&[file("a-1/f", "1"), file("a-1/g/h", "2")]),
        )
        .stripped(1)
        .with("f", "1")
        .with("g/h", "2"),
    ]
}

/// An archive with all numbers in the fields of zip64, though they are small.
fn wide() -> Vec<u8> {
    let field = |numbers: &[u64]| {
        let mut field = vec![1, 0, u8::try_from(8 * numbers.len()).expect("short"), 0];
        numbers
            .iter()
            .for_each(|number| field.extend(number.to_le_bytes()));
        field
    };
    let widened = |entry: Entry, offset: u64| {
        let sizes = [
            u64::from(entry.central.size),
            u64::from(entry.central.compressed),
        ];
        let mut entry = entry.both(|header| {
            (header.size, header.compressed) = (u32::MAX, u32::MAX);
            header.extra = field(&sizes);
        });
        entry.central.extra = field(&[sizes[0], sizes[1], offset]);
        entry.offset = Some(u32::MAX);
        entry
    };
    let deflated =
        Entry::new(b"g", b"deflated", 0o100_644).compressed(8, &deflate_stored(b"deflated"));
    // Header, name, extra field and content of the first.
    let second = 30 + 1 + 20 + 7;
    let entries = [widened(file("f", "content"), 0), widened(deflated, second)];
    let plain = zip(&entries);
    let end = plain.len() - 22;
    let number = |at: usize| {
        let bytes = plain[end + at..end + at + 4]
            .try_into()
            .expect("four bytes");
        u64::from(u32::from_le_bytes(bytes))
    };
    let (size, offset) = (number(12), number(16));
    let mut bytes = plain[..end].to_vec();
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [2, 2, size, offset] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend((end as u64).to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0, 0]);
    bytes
}
