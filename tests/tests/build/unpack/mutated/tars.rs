//! Changes of tars: fields of headers, blocks that move, bytes.

use super::Random;
use crate::build::unpack::forge::tar::{
    BLOCK, Entry, directory, extension, file, hard_link, pax, sum, symlink, tar,
};

/// What is changed.
pub(super) fn originals() -> Vec<Vec<u8>> {
    let old = |entry: Entry| Entry {
        magic: b"ustar  \0".to_vec(),
        ..entry
    };
    let v7 = |entry: Entry| Entry {
        magic: vec![0; 8],
        ..entry
    };
    let plain = [
        directory("d/"),
        file("d/one", "1"),
        file("d/two", &"two ".repeat(150)),
        symlink("d/link", "one"),
        hard_link("d/same", "d/one"),
        file("e", ""),
        symlink("far", "../d/one"),
    ];
    let extended = [
        pax(b'g', &[("comment", "a commit")]),
        pax(b'x', &[("path", "long/er"), ("mtime", "1.5")]),
        file("short", "content"),
        pax(b'x', &[("linkpath", "long/er"), ("SCHILY.ino", "7")]),
        hard_link("hard", "short"),
        pax(b'x', &[("size", "7")]),
        file("sized", "content"),
        pax(b'x', &[("linkpath", "d")]),
        symlink("soft", "s"),
    ];
    let long = [
        extension(b'L', b"some/long/name\0"),
        old(file("short", "content")),
        extension(b'K', b"some/long/name\0"),
        old(hard_link("hard", "short")),
        old(file("again", "1")),
        old(file("again", "2")),
    ];
    vec![
        tar(&plain),
        tar(&plain.clone().map(v7)),
        tar(&plain.map(old)),
        tar(&extended),
        tar(&long),
    ]
}

/// Fields of a header: where they begin and end.
const FIELDS: [(usize, usize); 12] = [
    (0, 100),
    (100, 108),
    (108, 116),
    (116, 124),
    (124, 136),
    (136, 148),
    (148, 156),
    (156, 157),
    (157, 257),
    (257, 265),
    (265, 345),
    (345, 500),
];

/// Values that mean something somewhere.
const VALUES: [&[u8]; 22] = [
    b"\0",
    b" ",
    b"/",
    b".",
    b"..",
    b"../x",
    b"/x",
    b"d",
    b"d/one",
    b"e/",
    b"./e",
    b"d//one",
    b"0000000\0",
    b"7777777\0",
    b"00000000001\0",
    b"00000001000 ",
    b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"0",
    b"1",
    b"2",
    b"5",
];

/// Changes a header, mostly with a checksum that is right.
fn change_header(header: &mut [u8], random: &mut Random) {
    let (begin, end) = *random.one_of(&FIELDS);
    let field = &mut header[begin..end];
    match random.below(4) {
        0 => {
            let at = random.below(field.len());
            field[at] ^= 1 << random.below(8);
        }
        1 => {
            let value = *random.one_of(&VALUES);
            let count = value.len().min(field.len());
            field.fill(0);
            field[..count].copy_from_slice(&value[..count]);
        }
        2 => {
            let at = random.below(field.len());
            field[at] = *random.one_of(b"\0 /.0127xLKgS");
        }
        _ => {
            // What is behind the end of a text.
            let value = *random.one_of(&VALUES);
            let at = random.below(field.len());
            let count = value.len().min(field.len() - at);
            field[at..at + count].copy_from_slice(&value[..count]);
        }
    }
    if random.below(12) != 0 {
        sum(header, 0);
    }
}

pub(super) fn mutated(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(2) {
        let blocks = (bytes.len() / BLOCK).max(1);
        let at = random.below(blocks) * BLOCK;
        let until = bytes.len().min(at + BLOCK);
        let block = bytes[at..until].to_vec();
        let is_header = block.len() == BLOCK && block[148..154].iter().all(u8::is_ascii_digit);
        match random.below(16) {
            0..=9 if is_header => change_header(&mut bytes[at..until], random),
            0..=9 => {
                let index = random.below(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(index) {
                    *byte ^= 1 << random.below(8);
                }
            }
            10 => drop(bytes.splice(at..at, block)),
            11 => drop(bytes.drain(at..until)),
            12 => {
                let other = random.below(blocks) * BLOCK;
                drop(bytes.splice(other..other, block));
            }
            13 => bytes[at..until].fill(0),
            14 => bytes.truncate(random.below(bytes.len().max(1))),
            _ => bytes.extend(*random.one_of(&VALUES)),
        }
    }
    bytes
}
