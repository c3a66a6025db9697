//! Debian binary packages: `ar` around `debian-binary`, `control.tar` and `data.tar`.
//!
//! What is unpacked is `data.tar`. `control.tar` is passed over, so no script of a maintainer is
//! ever seen. Members whose names begin with `_`, such as signatures, are passed over where deb(5)
//! allows them; every other one is refused.

use std::io::{self, Read};

use super::decompress::Decompressed;
use super::error::{UnpackError, shown};
use super::input::Input;

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER_BYTES: usize = 60;
const FORMAT_BYTES_MAX: u64 = 64;

/// The bytes of `data.tar`; at its end the rest of the package is checked.
pub(super) struct DataTar<R> {
    data: Option<Decompressed<io::Take<Input<R>>>>,
    is_padded: bool,
}

/// One member of an `ar` archive, before its content.
struct Member {
    name: Vec<u8>,
    size_bytes: u64,
}

/// Reads a package up to its content.
pub(super) fn data_of<R: Read>(mut input: Input<R>) -> Result<DataTar<R>, UnpackError> {
    let mut magic = [0; MAGIC.len()];
    if input.read_full(&mut magic)? != magic.len() || magic != MAGIC {
        return Err(wrong("it does not begin as an `ar` archive does"));
    }
    let first = next_member(&mut input)?.ok_or_else(|| wrong("it is empty"))?;
    if first.name != b"debian-binary" || first.size_bytes > FORMAT_BYTES_MAX {
        return Err(wrong("its first member is not `debian-binary`"));
    }
    let format = content(&mut input, &first)?;
    if !format.starts_with(b"2.") || !format.ends_with(b"\n") {
        return Err(wrong("its format is not 2"));
    }
    let mut has_control = false;
    while let Some(member) = next_member(&mut input)? {
        let is_known = |stem: &[u8]| is_tar_named(&member.name, stem);
        let is_passed_over = member.name.starts_with(b"_");
        if !has_control && (is_passed_over || is_known(b"control.tar")) {
            has_control = !is_passed_over;
            skip(&mut input, &member)?;
        } else if is_known(b"data.tar") && has_control {
            let size_bytes = member.size_bytes;
            let data = Input::new(input.take(size_bytes));
            return Ok(DataTar {
                data: Some(Decompressed::new(data, size_bytes)?),
                is_padded: size_bytes % 2 == 1,
            });
        } else {
            return Err(wrong(&format!(
                "the member `{}` is not expected where it stands",
                shown(&member.name)
            )));
        }
    }
    Err(wrong("it has no `control.tar` and `data.tar` after it"))
}

impl<R: Read> Read for DataTar<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(data) = &mut self.data else {
            return Ok(0);
        };
        let count = data.read(into)?;
        if count == 0 && !into.is_empty() {
            self.finish()?;
        }
        Ok(count)
    }
}

impl<R: Read> DataTar<R> {
    /// Checks what stands behind the data.
    fn finish(&mut self) -> Result<(), UnpackError> {
        let rest = self.data.take().and_then(Decompressed::into_input);
        let Some(rest) = rest else {
            return Ok(());
        };
        if rest.limit() > 0 {
            return Err(wrong("`data.tar` is cut off"));
        }
        let mut input = rest.into_inner();
        skip_padding(&mut input, self.is_padded)?;
        while let Some(member) = next_member(&mut input)? {
            if !member.name.starts_with(b"_") {
                return Err(wrong(&format!(
                    "the member `{}` stands behind `data.tar`",
                    shown(&member.name)
                )));
            }
            skip(&mut input, &member)?;
        }
        Ok(())
    }
}

/// The next member; nothing at the end.
fn next_member<R: Read>(input: &mut Input<R>) -> Result<Option<Member>, UnpackError> {
    let mut header = [0; HEADER_BYTES];
    match input.read_full(&mut header)? {
        0 => return Ok(None),
        HEADER_BYTES => {}
        _ => return Err(wrong("it ends within the header of a member")),
    }
    if !header.ends_with(b"`\n") {
        return Err(wrong("the header of a member is damaged"));
    }
    let name = header[..16].trim_ascii_end();
    // GNU ar ends names with a slash, dpkg does not.
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let size = std::str::from_utf8(header[48..58].trim_ascii_end())
        .ok()
        .filter(|size| size.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|size| size.parse().ok())
        .ok_or_else(|| wrong("the size of a member is not a number"))?;
    Ok(Some(Member {
        name: name.to_vec(),
        size_bytes: size,
    }))
}

/// Whether a name is that of a tar, with or without a compression.
fn is_tar_named(name: &[u8], stem: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 6] = [b"", b".gz", b".bz2", b".xz", b".zst", b".lzma"];
    name.strip_prefix(stem)
        .is_some_and(|ending| ENDINGS.contains(&ending))
}

fn content<R: Read>(input: &mut Input<R>, member: &Member) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    input.take(member.size_bytes).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != member.size_bytes {
        return Err(cut_off(member));
    }
    skip_padding(input, member.size_bytes % 2 == 1)?;
    Ok(bytes)
}

fn skip<R: Read>(input: &mut Input<R>, member: &Member) -> Result<(), UnpackError> {
    let skipped = io::copy(&mut input.take(member.size_bytes), &mut io::sink())?;
    if skipped != member.size_bytes {
        return Err(cut_off(member));
    }
    skip_padding(input, member.size_bytes % 2 == 1)
}

/// Members begin at even offsets; the last one may go without its padding.
fn skip_padding<R: Read>(input: &mut Input<R>, is_padded: bool) -> Result<(), UnpackError> {
    let mut byte = [b'\n'];
    if is_padded {
        input.read_full(&mut byte)?;
    }
    if byte != *b"\n" {
        return Err(wrong("a member is not padded as it has to be"));
    }
    Ok(())
}

fn cut_off(member: &Member) -> UnpackError {
    wrong(&format!("the member `{}` is cut off", shown(&member.name)))
}

fn wrong(reason: &str) -> UnpackError {
    UnpackError::malformed(format!("as a Debian package, {reason}"))
}
