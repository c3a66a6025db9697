//! zip archives, whose two descriptions of an entry can differ.

use super::crc32;

/// What one of the two places says about an entry.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed: u32,
    pub(crate) size: u32,
    pub(crate) extra: Vec<u8>,
}

/// An entry, once as it stands in front of its content and once as in the directory.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) local: Header,
    pub(crate) central: Header,
    pub(crate) content: Vec<u8>,
    /// Behind the content.
    pub(crate) descriptor: Vec<u8>,
    /// The system it was made on: 3 is Unix, 0 is DOS.
    pub(crate) system: u8,
    /// The version of the format that it needs.
    pub(crate) version: u16,
    pub(crate) attributes: u32,
    /// Where the directory says that it begins, if not where it does.
    pub(crate) offset: Option<u32>,
}

impl Entry {
    pub(crate) fn new(name: &[u8], content: &[u8], mode: u32) -> Self {
        let size = u32::try_from(content.len()).expect("a small content");
        let header = Header {
            name: name.to_vec(),
            flags: 0,
            method: 0,
            crc32: crc32(content),
            compressed: size,
            size,
            extra: Vec::new(),
        };
        Self {
            local: header.clone(),
            central: header,
            content: content.to_vec(),
            descriptor: Vec::new(),
            system: 3,
            version: 20,
            attributes: mode << 16,
            offset: None,
        }
    }

    /// The same entry with both headers changed.
    pub(crate) fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    pub(crate) fn local(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        self
    }

    /// Puts a compressed form in the place of the content.
    pub(crate) fn compressed(self, method: u16, bytes: &[u8]) -> Self {
        let size = u32::try_from(bytes.len()).expect("a small content");
        let mut changed = self.both(|header| {
            header.method = method;
            header.compressed = size;
        });
        changed.content = bytes.to_vec();
        changed
    }

    /// Moves sizes and checksum behind the content.
    pub(crate) fn described(mut self) -> Self {
        for number in [
            0x0807_4b50,
            self.central.crc32,
            self.central.compressed,
            self.central.size,
        ] {
            self.descriptor.extend(number.to_le_bytes());
        }
        self.both(|header| header.flags |= 8).local(|header| {
            (header.crc32, header.compressed, header.size) = (0, 0, 0);
        })
    }
}

/// The end of the directory.
#[derive(Clone, Default)]
pub(crate) struct End {
    /// What is added to the right number of entries.
    pub(crate) count_error: u16,
    pub(crate) size_error: u32,
    pub(crate) offset_error: u32,
    pub(crate) disk: u16,
    pub(crate) comment: Vec<u8>,
    /// Between the directory and its end.
    pub(crate) before: Vec<u8>,
}

pub(crate) fn file(name: &str, content: &str) -> Entry {
    Entry::new(name.as_bytes(), content.as_bytes(), 0o100_644)
}

/// Deflated data that is not compressed: one block that is the last.
pub(crate) fn deflate_stored(content: &[u8]) -> Vec<u8> {
    let size = u16::try_from(content.len()).expect("one block");
    let mut bytes = vec![1];
    bytes.extend(size.to_le_bytes());
    bytes.extend((!size).to_le_bytes());
    bytes.extend(content);
    bytes
}

/// A whole archive.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_with(entries, &End::default())
}

pub(crate) fn zip_with(entries: &[Entry], end: &End) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = entry.offset.unwrap_or_else(|| length(&bytes));
        bytes.extend(b"PK\x03\x04");
        bytes.extend(entry.version.to_le_bytes());
        header(&mut bytes, &entry.local);
        names(&mut bytes, &entry.local, &[]);
        bytes.extend(&entry.content);
        bytes.extend(&entry.descriptor);
        directory.extend(b"PK\x01\x02\x14");
        directory.push(entry.system);
        directory.extend(entry.version.to_le_bytes());
        header(&mut directory, &entry.central);
        let mut more = [0; 14];
        more[6..10].copy_from_slice(&entry.attributes.to_le_bytes());
        more[10..14].copy_from_slice(&offset.to_le_bytes());
        names(&mut directory, &entry.central, &more);
    }
    let offset = length(&bytes).wrapping_add(end.offset_error);
    let size = length(&directory).wrapping_add(end.size_error);
    let count = u16::try_from(entries.len()).expect("few entries");
    let count = count.wrapping_add(end.count_error);
    bytes.extend(directory);
    bytes.extend(&end.before);
    bytes.extend(b"PK\x05\x06");
    for number in [end.disk, end.disk, count, count] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(size.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(
        u16::try_from(end.comment.len())
            .expect("short")
            .to_le_bytes(),
    );
    bytes.extend(&end.comment);
    bytes
}

/// What both places say in the same order.
fn header(into: &mut Vec<u8>, header: &Header) {
    into.extend(header.flags.to_le_bytes());
    into.extend(header.method.to_le_bytes());
    into.extend([0, 0, 0x21, 0]);
    for number in [header.crc32, header.compressed, header.size] {
        into.extend(number.to_le_bytes());
    }
}

/// Lengths, what stands only in the directory, and name and extra fields.
fn names(into: &mut Vec<u8>, header: &Header, more: &[u8]) {
    for part in [&header.name, &header.extra] {
        into.extend(u16::try_from(part.len()).expect("short").to_le_bytes());
    }
    into.extend(more);
    into.extend(&header.name);
    into.extend(&header.extra);
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a small archive")
}
