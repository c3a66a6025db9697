//! Archives byte by byte, as wrong as a caller wants them.

pub(crate) mod deb;
pub(crate) mod tar;
pub(crate) mod zip;

/// The checksum of zip, gzip and xz.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}
