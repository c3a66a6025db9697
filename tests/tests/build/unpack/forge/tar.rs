//! tar entries whose every field can be set.

pub(crate) const BLOCK: usize = 512;

/// One entry; what is not set is as GNU tar writes it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) link: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) mode: Vec<u8>,
    /// The field of the size, if it is not that of the content.
    pub(crate) size: Option<Vec<u8>>,
    pub(crate) magic: Vec<u8>,
    /// What is added to the right checksum.
    pub(crate) checksum_error: u32,
}

impl Entry {
    pub(crate) fn new(name: &[u8], kind: u8) -> Self {
        Self {
            name: name.to_vec(),
            kind,
            link: Vec::new(),
            content: Vec::new(),
            mode: b"0000755\0".to_vec(),
            size: None,
            magic: b"ustar\x0000".to_vec(),
            checksum_error: 0,
        }
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        let mut set = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        set(0, &self.name);
        set(100, &self.mode);
        set(108, b"0000000\0");
        set(116, b"0000000\0");
        let size = format!("{:011o}\0", self.content.len()).into_bytes();
        set(124, self.size.as_ref().unwrap_or(&size));
        set(136, b"00000000000\0");
        set(156, &[self.kind]);
        set(157, &self.link);
        set(257, &self.magic);
        sum(&mut header, self.checksum_error);
        header
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.extend(&self.content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

/// Sets the checksum of a header.
pub(crate) fn sum(header: &mut [u8], error: u32) {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{:06o}\0 ", sum + error).as_bytes());
}

pub(crate) fn file(name: &str, content: &str) -> Entry {
    Entry {
        content: content.into(),
        ..Entry::new(name.as_bytes(), b'0')
    }
}

pub(crate) fn directory(name: &str) -> Entry {
    Entry::new(name.as_bytes(), b'5')
}

pub(crate) fn symlink(name: &str, target: &str) -> Entry {
    Entry {
        link: target.into(),
        ..Entry::new(name.as_bytes(), b'2')
    }
}

pub(crate) fn hard_link(name: &str, target: &str) -> Entry {
    Entry {
        kind: b'1',
        ..symlink(name, target)
    }
}

/// An entry in front of another one, with content of its own: `x`, `g`, `L` or `K`.
pub(crate) fn extension(kind: u8, content: &[u8]) -> Entry {
    Entry {
        content: content.to_vec(),
        ..Entry::new(b"extension", kind)
    }
}

/// An extended header of records.
pub(crate) fn pax(kind: u8, records: &[(&str, &str)]) -> Entry {
    let records = records.iter().flat_map(|(key, value)| record(key, value));
    extension(kind, &records.collect::<Vec<u8>>())
}

/// One record, with its own length in front.
pub(crate) fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length += 1;
    }
    format!("{length}{rest}").into_bytes()
}

/// Entries one after the other, without an end.
pub(crate) fn open(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(Entry::bytes).collect()
}

/// A whole tar.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = open(entries);
    bytes.extend([0; 2 * BLOCK]);
    bytes
}
