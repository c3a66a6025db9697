//! The header block of one tar entry, in the forms of v7, POSIX and old GNU tar.

use super::super::error::{UnpackError, shown};

pub(super) const BLOCK_BYTES: usize = 512;

/// A header whose checksum is right.
#[derive(Clone, Copy)]
pub(super) struct Header<'a> {
    block: &'a [u8; BLOCK_BYTES],
    form: Form,
    mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Neither a long name nor a version.
    V7,
    /// POSIX 1988 and later: names have a prefix.
    Ustar,
    /// GNU tar before POSIX: long names are entries of their own.
    OldGnu,
}

impl<'a> Header<'a> {
    /// Reads a block that is not all zeros.
    pub(super) fn parse(block: &'a [u8; BLOCK_BYTES]) -> Result<Self, UnpackError> {
        let written = octal(&block[148..156]);
        let sums = checksums(block);
        if written.is_none_or(|written| !sums.contains(&written)) {
            return Err(UnpackError::malformed(
                "the checksum of an entry's header is wrong, so this is no tar or a damaged one",
            ));
        }
        let form = match &block[257..265] {
            b"\0\0\0\0\0\0\0\0" => Form::V7,
            b"ustar  \0" => Form::OldGnu,
            magic if magic.starts_with(b"ustar\0") => Form::Ustar,
            magic => {
                return Err(UnpackError::malformed(format!(
                    "the entry `{}` is of an unknown form of tar, `{}`",
                    shown(until_nul(&block[..100])),
                    magic.escape_ascii()
                )));
            }
        };
        let header = Self {
            block,
            form,
            mode: small_number(&block[100..108]).unwrap_or_default(),
        };
        fault(block, form).map_or(Ok(header), |reason| {
            Err(UnpackError::bad_entry(&header.name(), reason))
        })
    }

    pub(super) fn kind(&self) -> u8 {
        self.block[156]
    }

    /// The name as the header alone tells it.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = until_nul(&self.block[..100]);
        let prefix = until_nul(&self.block[345..500]);
        if self.form == Form::Ustar && !prefix.is_empty() {
            return [prefix, b"/", name].concat();
        }
        name.to_vec()
    }

    /// What a link points to, as the header alone tells it.
    pub(super) fn link_name(&self) -> &'a [u8] {
        until_nul(&self.block[157..257])
    }

    /// How many bytes of content follow.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        number(&self.block[124..136])
    }

    /// The permissions.
    pub(super) fn mode(&self) -> u32 {
        self.mode
    }
}

/// What is wrong with numbers, also with those that mean nothing for a tree: programs that look at
/// them leave the entry out, or end.
fn fault(block: &[u8; BLOCK_BYTES], form: Form) -> Option<&'static str> {
    if small_number(&block[100..108]).is_none() {
        return Some("has a mode that is not a number");
    }
    if small_number(&block[108..116]).is_none() || small_number(&block[116..124]).is_none() {
        return Some("has an owner that is not a number");
    }
    if !is_time(&block[136..148]) {
        return Some("has a time that is not a number");
    }
    let is_device = |field: &[u8]| field.trim_ascii().is_empty() || number(field).is_some();
    if !is_device(&block[329..337]) || !is_device(&block[337..345]) {
        return Some("has the number of a device that is none");
    }
    // Behind times, and in front of the end of the block.
    if form == Form::OldGnu && block[369..495].iter().any(|byte| *byte != 0) {
        return Some("has the fields of a sparse file, or of one in several volumes");
    }
    None
}

/// Whether a block marks the end.
pub(super) fn is_end(block: &[u8; BLOCK_BYTES]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The sum of all bytes with blanks for the checksum itself; old programs added them as signed.
fn checksums(block: &[u8; BLOCK_BYTES]) -> [u64; 2] {
    let mut sums = [0_i64; 2];
    for (index, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&index) {
            b' '
        } else {
            *byte
        };
        sums[0] += i64::from(byte);
        sums[1] += i64::from(byte.cast_signed());
    }
    sums.map(|sum| u64::try_from(sum).unwrap_or(u64::MAX))
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A number in octal, or binary if its first byte is 0x80.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => rest.iter().try_fold(0_u64, |value, byte| {
            Some(value.checked_mul(256)? + u64::from(*byte))
        }),
        _ => octal(field),
    }
}

/// A number that is no size.
fn small_number(field: &[u8]) -> Option<u32> {
    u32::try_from(number(field)?).ok()
}

/// Whether a field holds seconds, before or after 1970.
fn is_time(field: &[u8]) -> bool {
    if field.starts_with(&[0xff]) {
        return true;
    }
    number(field).is_some_and(|time| i64::try_from(time).is_ok())
}

/// A number in octal: blanks, digits, then blanks and NULs only. A NUL alone is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ')?;
    let field = &field[start..];
    let is_digit = |byte: &u8| (b'0'..=b'7').contains(byte);
    let end = field.iter().position(|byte| !is_digit(byte));
    let (digits, rest) = field.split_at(end.unwrap_or(field.len()));
    if !rest.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        Some(value.checked_mul(8)? + u64::from(digit - b'0'))
    })
}
