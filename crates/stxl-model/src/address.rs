//! What an address that others read may say.

/// Whether an address of a server says who asks for it, which definitions may not.
pub fn names_user(address: &str) -> bool {
    let after = address.split_once("://").map_or("", |(_, after)| after);
    let authority = after.split(['/', '?', '#', '\\']).next();
    authority.is_some_and(|authority| authority.contains('@'))
}

/// Whether an address names a Debian package of binaries.
pub fn is_binary_package(url: &str) -> bool {
    let Some(package) = url.strip_prefix("pkg:deb/") else {
        return false;
    };
    let qualifiers = package.split_once('?').map_or("", |(_, rest)| rest);
    let mut pairs = qualifiers
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.any(|(name, value)| name == "arch" && value != "source")
}

#[cfg(test)]
mod tests {
    use super::is_binary_package;

    #[test]
    fn packages_of_binaries_are_known_by_their_address() {
        assert!(is_binary_package(
            "pkg:deb/debian/zlib1g@1:1.2-1?arch=amd64"
        ));
        for url in [
            "pkg:deb/debian/zlib@1?arch=source&file=z.tar.gz",
            "pkg:cargo/itoa@1.0.9",
            "https://example.invalid/a?arch=amd64",
        ] {
            assert!(!is_binary_package(url), "{url}");
        }
    }
}
