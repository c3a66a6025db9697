//! What an address that others read may say.

/// Whether an address of a server says who asks for it, which definitions may not.
pub fn names_user(address: &str) -> bool {
    let after = address.split_once("://").map_or("", |(_, after)| after);
    let authority = after.split(['/', '?', '#', '\\']).next();
    authority.is_some_and(|authority| authority.contains('@'))
}
