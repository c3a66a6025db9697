//! `ar` archives, such as Debian packages.

/// One member.
pub(crate) fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let header = format!(
        "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
        0,
        0,
        0,
        100_644,
        content.len()
    );
    let mut bytes = header.into_bytes();
    bytes.extend(content);
    if content.len() % 2 == 1 {
        bytes.push(b'\n');
    }
    bytes
}

/// An archive of members.
pub(crate) fn ar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    bytes.extend(members.concat());
    bytes
}

/// A whole package around a `data.tar`.
pub(crate) fn package(data: &[u8]) -> Vec<u8> {
    ar(&[
        member("debian-binary", b"2.0\n"),
        member("control.tar", b"not looked at"),
        member("data.tar", data),
    ])
}
