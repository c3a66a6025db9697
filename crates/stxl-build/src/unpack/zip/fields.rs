//! Numbers and extra fields as zip writes them.

use super::super::error::UnpackError;

/// The extra field with sizes of 64 bits.
pub(super) const ZIP64: u16 = 0x0001;
/// The extra field with a name in UTF-8, beside one in some other encoding.
const UNICODE_PATH: u16 = 0x7075;
/// The extra field with which libarchive can say other attributes than the directory does.
const LIBARCHIVE_ATTRIBUTES: u16 = 0x6c78;

/// Little-endian numbers, read one after the other from a header that is long enough.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.number().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.number().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.number().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}

/// The content of the zip64 field among extra fields. Fields that change a name or attributes for
/// some programs only are refused.
pub(super) fn zip64_of<'a>(extra: &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, UnpackError> {
    let bad = |reason: &str| Err(UnpackError::bad_entry(name, reason));
    let mut fields = Fields::new(extra);
    let mut zip64 = None;
    while !fields.is_empty() {
        let rest = fields.0;
        let content = fields.u16().zip(fields.u16());
        let content = content.and_then(|(id, size)| Some((id, fields.bytes(usize::from(size))?)));
        match content {
            Some((ZIP64, content)) => {
                if zip64.replace(content).is_some() {
                    return bad("has two zip64 fields");
                }
            }
            // After a version and the checksum of the name.
            Some((UNICODE_PATH, content)) if content.get(5..) != Some(name) => {
                return bad("has another name in an extra field");
            }
            Some((LIBARCHIVE_ATTRIBUTES, _)) => {
                return bad("has attributes in an extra field, which few programs read");
            }
            Some(_) => {}
            // Padding, by which contents are aligned.
            None if rest.len() < 4 && rest.iter().all(|byte| *byte == 0) => break,
            None => return bad("has damaged extra fields"),
        }
    }
    Ok(zip64)
}
