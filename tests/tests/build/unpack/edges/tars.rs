//! tars at the edge.

use super::Edge;
use crate::build::unpack::forge::tar::{
    BLOCK, Entry, directory, extension, file, hard_link, open, pax, symlink, tar,
};

/// The archives.
pub(super) fn cases() -> Vec<Edge> {
    let lists = [limits(), twice(), forms(), records(), stripped()];
    lists.into_iter().flatten().collect()
}

/// The other side of a limit.
fn limits() -> Vec<Edge> {
    let long = |path: &str| tar(&[pax(b'x', &[("path", path)]), file("f", "content")]);
    let deep = "d/".repeat(249) + "f";
    let part = "n".repeat(255);
    // 15 times 256 and 255 bytes are 4095.
    let path = format!("{part}/").repeat(15) + &part;
    let target = "t".repeat(4095);
    vec![
        Edge::tar("deep", long(&deep)).with(&deep, "*content"),
        Edge::tar("long-path", long(&path)).with(&path, "*content"),
        Edge::tar(
            "long-target",
            tar(&[pax(b'x', &[("linkpath", &target)]), symlink("s", "t")]),
        )
        .with("s", &format!("-> {target}")),
        Edge::tar("nothing-in-it", tar(&[])),
        Edge::tar("no-end", open(&[file("f", "content")])).with("f", "*content"),
        Edge::tar(
            "half-an-end",
            [open(&[file("f", "content")]), vec![0; BLOCK]].concat(),
        )
        .with("f", "*content"),
        Edge::tar("zeros", [tar(&[file("f", "")]), vec![0; 9999]].concat()).with("f", "*"),
    ]
}

/// The same path more than once.
fn twice() -> Vec<Edge> {
    vec![
        Edge::tar("file-twice", tar(&[file("f", "old"), file("f", "new")]))
            .with("f", "*new")
            .warned("`/f` stands in the archive more than once: the last one counts"),
        Edge::tar(
            "file-twice-the-same",
            tar(&[file("f", "1"), file("f", "1")]),
        )
        .with("f", "*1"),
        Edge::tar(
            "symlink-twice",
            tar(&[symlink("s", "a"), symlink("s", "b")]),
        )
        .with("s", "-> b")
        .warned("the last one counts"),
        Edge::tar("directory-twice", tar(&[directory("d"), directory("d/")])).with("d", "/"),
        Edge::tar(
            "link-keeps-the-old",
            tar(&[file("f", "old"), hard_link("h", "f"), file("f", "new")]),
        )
        .with("f", "*new")
        .with("h", "*old")
        .warned("the last one counts"),
        Edge::tar(
            "link-to-a-symlink",
            tar(&[symlink("s", "/nowhere"), hard_link("h", "./s")]),
        )
        .with("s", "-> /nowhere")
        .with("h", "-> /nowhere"),
        Edge::tar("link-to-a-link", {
            tar(&[file("a", "1"), hard_link("b", "a"), hard_link("c", "b")])
        })
        .with("a", "*1")
        .with("b", "*1")
        .with("c", "*1"),
    ]
}

/// Forms in which programs write.
fn forms() -> Vec<Edge> {
    let one = |entry: Entry| tar(&[entry]);
    let sized = |size: &[u8]| {
        let size = Some(size.to_vec());
        let entry = file("f", "content");
        one(Entry { size, ..entry })
    };
    let mode = |mode: &[u8]| {
        let mode = mode.to_vec();
        let entry = file("f", "");
        one(Entry { mode, ..entry })
    };
    let kind = |kind: u8, name: &str| one(Entry::new(name.as_bytes(), kind));
    vec![
        Edge::tar("size-binary", sized(b"\x80\0\0\0\0\0\0\0\0\0\0\x07")).with("f", "*content"),
        Edge::tar("size-with-blanks", sized(b"          7 ")).with("f", "*content"),
        Edge::tar("size-to-the-end", sized(b"000000000007")).with("f", "*content"),
        Edge::tar("mode-with-kind", mode(b"0100644\0")).with("f", ""),
        Edge::tar("mode-of-others", mode(b"0000655\0")).with("f", ""),
        Edge::tar("mode-setuid", mode(b"0004755\0"))
            .with("f", "*")
            .warned("the setuid or setgid bit of `/f` is not kept"),
        Edge::tar("kind-of-v7", kind(0, "f")).with("f", "*"),
        Edge::tar("kind-of-v7-directory", kind(0, "d/")).with("d", "/"),
        Edge::tar("kind-contiguous", kind(b'7', "f")).with("f", "*"),
        Edge::tar("label", tar(&[Entry::new(b"label", b'V'), file("f", "")])).with("f", "*"),
        Edge::tar("spelled", one(file("./a//b/./c", "1"))).with("a/b/c", "*1"),
        Edge::tar("top", tar(&[directory("./"), file("./f", "1")])).with("f", "*1"),
        Edge::tar(
            "odd-names",
            tar(&[file("a\nb\\..\x7f", ""), file("-rf", "")]),
        )
        .with("a\nb\\..\x7f", "*")
        .with("-rf", "*"),
        Edge::tar("case", tar(&[file("A", "1"), file("a", "2")]))
            .with("A", "*1")
            .with("a", "*2"),
        Edge::tar(
            "composed",
            tar(&[file("\u{e9}", "1"), file("e\u{301}", "2")]),
        )
        .with("\u{e9}", "*1")
        .with("e\u{301}", "*2"),
    ]
}

/// Records that change nothing, or what they say.
fn records() -> Vec<Edge> {
    let harmless = [
        ("mtime", "1700000000.123456789"),
        ("atime", "-1"),
        ("uid", "4294967296"),
        ("uname", "w\u{fc}rfel"),
        ("comment", ""),
        ("hdrcharset", "BINARY"),
        ("SCHILY.xattr.user.a", "a=b\n"),
        ("LIBARCHIVE.creationtime", "1"),
        ("NODETAR.ino", "1"),
        ("RHT.security.selinux", "s0\0"),
    ];
    let binary_name = Entry {
        kind: b'2',
        ..extension(b'2', b"")
    };
    vec![
        Edge::tar(
            "records-harmless",
            tar(&[pax(b'g', &harmless), pax(b'x', &harmless), file("f", "1")]),
        )
        .with("f", "*1"),
        Edge::tar(
            "records-of-a-size",
            tar(&[pax(b'x', &[("size", "7")]), file("f", "content")]),
        )
        .with("f", "*content"),
        Edge::tar(
            "long-name-and-link",
            tar(&[
                extension(b'K', b"target\0"),
                extension(b'L', b"long\0\0\0"),
                Entry {
                    name: b"short".to_vec(),
                    link: b"t".to_vec(),
                    ..binary_name
                },
            ]),
        )
        .with("long", "-> target"),
        Edge::tar(
            "records-and-long-link",
            tar(&[
                extension(b'K', b"target\0"),
                pax(b'x', &[("path", "long")]),
                symlink("short", "t"),
            ]),
        )
        .with("long", "-> target"),
    ]
}

/// Without leading parts.
fn stripped() -> Vec<Edge> {
    vec![
        Edge::tar(
            "strip-some",
            tar(&[
                directory("a-1"),
                file("a-1/f", "1"),
                file("notes", ""),
                symlink("s", "x"),
            ]),
        )
        .stripped(1)
        .with("f", "*1")
        .warned("without the first 1 parts of paths, 2 files are not kept, such as `notes`"),
        Edge::tar(
            "strip-links",
            tar(&[
                file("./a/f", "1"),
                hard_link("a/h", "./a/f"),
                symlink("a/s", "a/f"),
            ]),
        )
        .stripped(1)
        .with("f", "*1")
        .with("h", "*1")
        .with("s", "-> a/f"),
        Edge::tar(
            "strip-two-roots",
            tar(&[file("a/f", "1"), file("b/g", "2")]),
        )
        .stripped(1)
        .with("f", "*1")
        .with("g", "*2"),
        Edge::tar("strip-directories", tar(&[directory("a"), directory("b")])).stripped(1),
    ]
}
