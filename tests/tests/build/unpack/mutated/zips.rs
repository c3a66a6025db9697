//! Changes of zips: fields of both headers or of one, entries that move, bytes.

use super::Random;
use crate::build::unpack::forge::zip::{End, Entry, Header, deflate_stored, file, zip_with};

/// The entries that are changed.
pub(super) fn originals() -> Vec<Entry> {
    let deflated = deflate_stored(b"deflated");
    vec![
        Entry::new(b"d/", b"", 0o040_755),
        Entry::new(b"d/run", b"#!/bin/sh", 0o100_755),
        Entry::new(b"d/deflated", b"deflated", 0o100_644).compressed(8, &deflated),
        Entry::new(b"link", b"d/run", 0o120_777),
        Entry::new("gr\u{fc}n".as_bytes(), b"x", 0o100_644).both(|header| header.flags = 1 << 11),
        file("e", "described").described(),
        file("of-dos", "x"),
    ]
}

/// Names that mean something somewhere.
const NAMES: [&[u8]; 14] = [
    b"d", b"d/", b"d/run", b"/d", b"../d", b"d/..", b".", b"d//e", b"a\\b", b"new", b"new/",
    b"n/e/w", b"C:", b"",
];

const MODES: [u32; 10] = [
    0, 0o644, 0o755, 0o100_644, 0o100_755, 0o104_755, 0o040_755, 0o120_777, 0o010_644, 0o020_644,
];

fn change_header(header: &mut Header, random: &mut Random) {
    match random.below(7) {
        0 => header.name = random.one_of(&NAMES).to_vec(),
        1 => header.flags ^= 1 << random.below(16),
        2 => header.method = *random.one_of(&[0, 8, 9, 12]),
        3 => header.crc32 ^= 1 << random.below(32),
        4 => header.size = *random.one_of(&[0, 1, 7, 8, 9, u32::MAX]),
        5 => header.compressed = *random.one_of(&[0, 1, 7, 8, 9, 13, u32::MAX]),
        _ => {
            header.extra = random
                .one_of::<&[u8]>(&[
                    b"",
                    b"\0",
                    b"\x01\0\0\0",
                    b"\x01\0\x10\0\x08\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0",
                    b"UT\x05\0\x01\0\0\0\0",
                    b"up\x06\0\x01\0\0\0\0d",
                ])
                .to_vec();
        }
    }
}

fn change_entry(entry: &mut Entry, random: &mut Random) {
    match random.below(10) {
        0..=2 => {
            // The same change of both.
            let state = random.clone();
            change_header(&mut entry.local, random);
            change_header(&mut entry.central, &mut state.clone());
        }
        3 => change_header(&mut entry.local, random),
        4 => change_header(&mut entry.central, random),
        5 => entry.attributes = *random.one_of(&MODES) << 16,
        6 => entry.attributes ^= 1 << random.below(32),
        // In the locale of the tests unzip reads other names of DOS, even marked ones.
        7 if entry.central.name.is_ascii() => entry.system = *random.one_of(&[0, 3, 10, 19]),
        8 => *entry = entry.clone().described(),
        _ => {
            if let Some(byte) = entry.content.first_mut() {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// An archive of some of the entries, changed.
pub(super) fn mutated(originals: &[Entry], random: &mut Random) -> Vec<u8> {
    let mut entries = originals.to_vec();
    for entry in &mut entries {
        if random.below(12) == 0 {
            entry.attributes = *random.one_of(&MODES) << 16;
        }
    }
    entries.retain(|_| random.below(4) != 0);
    for _ in 0..=random.below(2) {
        if entries.is_empty() {
            break;
        }
        let (at, to) = (random.below(entries.len()), random.below(entries.len()));
        match random.below(8) {
            0 => entries.swap(at, to),
            1 => entries.insert(to, entries[at].clone()),
            _ => change_entry(&mut entries[at], random),
        }
    }
    let mut end = End::default();
    match random.below(20) {
        0 => end.count_error = *random.one_of(&[1, u16::MAX]),
        1 => end.offset_error = *random.one_of(&[1, u32::MAX]),
        2 => end.comment = b"a comment".to_vec(),
        3 => end.before = b"between".to_vec(),
        _ => {}
    }
    let mut bytes = zip_with(&entries, &end);
    match random.below(12) {
        0 => {
            let index = random.below(bytes.len());
            bytes[index] ^= 1 << random.below(8);
        }
        1 => bytes.truncate(random.below(bytes.len())),
        2 => bytes.extend(b"\0"),
        _ => {}
    }
    bytes
}
