//! The canonical encoding: golden vectors per kind, and what readers refuse.

#[path = "model/difference.rs"]
mod difference;
#[path = "model/left_out.rs"]
mod left_out;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use stxl_model::{
    Archive, ArchiveFormat, BlobId, BuildUid, Compose, DecodeError, Derivation, DerivationId,
    Digest, Directory, Entry, Exec, Fetch, FetchLock, Fragment, FragmentInput, FragmentWriter,
    HexTextError, Image, ImageConfig, Import, ImportDecode, ImportKind, ImportSource, Keep, Label,
    LabelError, Mode, ModeTable, Node, NodeOrigin, OutputName, PackageLabel, Plan, PlanError,
    PlanRoot, Platform, PutMode, RootOutputs, RootPath, Selector, Sha256, TreeId, TreeOp, Unpack,
    decode_hex_text,
};

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn input(byte: u8) -> DerivationId {
    DerivationId::from_digest(Digest::from_bytes([byte; 32]))
}

fn modes() -> ModeTable {
    ModeTable::from([(
        path("/bin/su"),
        Mode {
            bits: 0o4755,
            uid: 0,
            gid: 1,
            capabilities: 3,
        },
    )])
}

fn exec(keep: Keep) -> Derivation<DerivationId> {
    Derivation::Exec(Exec {
        root: input(1),
        commands: vec![vec![b"/bin/sh".to_vec(), b"-c".to_vec(), b"true".to_vec()]],
        env: BTreeMap::from([
            (b"A".to_vec(), b"1".to_vec()),
            (b"OUT".to_vec(), b"/out".to_vec()),
        ]),
        cwd: path("/src"),
        uid: BuildUid::Root,
        keep,
        runs_on: Platform::I686,
        target: Platform::X86_64,
        sandbox_abi: 1,
    })
}

fn every_operation() -> Vec<TreeOp> {
    let globs = vec!["usr/**".to_owned(), "bin/*".to_owned()];
    let (from, to) = (path("/a"), path("/b"));
    vec![
        TreeOp::Merge { input: 0 },
        TreeOp::PutTree {
            input: 1,
            at: path("/src"),
        },
        TreeOp::PutFile {
            input: 1,
            at: path("/x"),
            mode: PutMode::Executable,
        },
        TreeOp::Select { path: path("/out") },
        TreeOp::KeepGlobs {
            globs: globs.clone(),
        },
        TreeOp::DropGlobs { globs },
        TreeOp::Move {
            from: from.clone(),
            to: to.clone(),
        },
        TreeOp::Copy {
            from: from.clone(),
            to: to.clone(),
        },
        TreeOp::Remove { path: from.clone() },
        TreeOp::Mkdir { path: from.clone() },
        TreeOp::Symlink {
            path: from.clone(),
            target: b"../b".to_vec(),
        },
        TreeOp::Write {
            path: from.clone(),
            content: b"text".to_vec(),
            executable: true,
        },
        TreeOp::SetExecutable {
            path: from.clone(),
            executable: false,
        },
        TreeOp::Substitute {
            path: from.clone(),
            from: b"x".to_vec(),
            to: b"y".to_vec(),
        },
        TreeOp::Patch {
            input: 1,
            at: RootPath::root(),
            strip_components: 1,
        },
        TreeOp::AssertEqual {
            left: from,
            right: to,
        },
        TreeOp::MergeStrict { input: 1 },
    ]
}

/// One derivation of every kind, with every field away from its default.
fn one_of_each() -> Vec<(&'static str, Derivation<DerivationId>)> {
    let tree = TreeId::from_digest(Digest::from_bytes([9; 32]));
    let config = ImageConfig {
        name: "redis".to_owned(),
        version: "8.0.3".to_owned(),
        platform: Platform::X86_64,
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin".to_owned())]),
        user: "1000".to_owned(),
        entrypoint: vec!["/usr/bin/redis-server".to_owned()],
        cmd: vec!["--port".to_owned(), "1".to_owned()],
        cwd: path("/data"),
    };
    let import = |kind| Derivation::Import(Import { kind, tree });
    let archive = ArchiveFormat::Tar;
    vec![
        (
            "fetch",
            Derivation::Fetch(Fetch {
                lock: FetchLock::File(Sha256::of(b"source")),
            }),
        ),
        (
            "fetch tree",
            Derivation::Fetch(Fetch {
                lock: FetchLock::Tree(tree),
            }),
        ),
        ("import file", import(ImportKind::File)),
        ("import directory", import(ImportKind::Directory)),
        ("import seed", import(ImportKind::Seed)),
        (
            "unpack",
            Derivation::Unpack(Unpack {
                archive: input(1),
                format: archive,
                strip_components: 1,
            }),
        ),
        (
            "unpack deb",
            Derivation::Unpack(Unpack {
                archive: input(1),
                format: ArchiveFormat::Deb,
                strip_components: 0,
            }),
        ),
        ("exec root", exec(Keep::Root)),
        ("exec subtree", exec(Keep::Subtree(path("/out")))),
        (
            "compose",
            Derivation::Compose(Compose {
                inputs: vec![input(1), input(2)],
                ops: every_operation(),
            }),
        ),
        (
            "archive",
            Derivation::Archive(Archive {
                tree: input(1),
                format: ArchiveFormat::Cpio,
                modes: modes(),
            }),
        ),
        (
            "image",
            Derivation::Image(Image {
                tree: input(1),
                modes: modes(),
                config,
            }),
        ),
    ]
}

fn directory() -> Directory {
    let tree = Directory::default().id();
    Directory::new(vec![
        Entry {
            name: b"lib".to_vec(),
            node: Node::Symlink {
                target: b"usr/lib".to_vec(),
            },
        },
        Entry {
            name: b"empty".to_vec(),
            node: Node::Directory { tree },
        },
        Entry {
            name: b"sh".to_vec(),
            node: Node::File {
                blob: BlobId::of(b"x"),
                size_bytes: 1,
                executable: true,
            },
        },
        Entry {
            name: vec![0xff, b'~'],
            node: Node::File {
                blob: BlobId::of(b""),
                size_bytes: 0,
                executable: false,
            },
        },
    ])
    .unwrap()
}

/// The whole encoding in hexadecimal, so that a reader of another implementation can follow it.
#[test]
fn ids_and_encodings_are_pinned() {
    let mut text = String::new();
    for (name, derivation) in one_of_each() {
        let action = derivation
            .try_map_inputs::<_, ()>(|id| Ok(TreeId::from_digest(*id.digest())))
            .unwrap();
        let hex: String = derivation
            .encode()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        text += &format!(
            "{name}\n  derivation {}\n  action     {}\n  encoding   {hex}\n",
            derivation.id(),
            action.action_id()
        );
    }
    for (name, directory) in [
        ("empty directory", Directory::default()),
        ("directory", directory()),
    ] {
        let hex: String = directory
            .encode()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        text += &format!(
            "{name}\n  tree       {}\n  encoding   {hex}\n",
            directory.id()
        );
    }
    stxl_tests::check_golden("model/vectors.txt", &text);
}

#[test]
fn what_is_written_reads_back_equal() {
    for (name, derivation) in one_of_each() {
        let decoded = Derivation::<DerivationId>::decode(&derivation.encode());
        assert_eq!(decoded.as_ref(), Ok(&derivation), "{name}");
    }
    assert_eq!(
        Directory::decode(&directory().encode()).unwrap(),
        directory()
    );
}

/// Cutting or changing any byte is an error or another derivation, never the same one.
#[test]
fn no_two_encodings_mean_the_same() {
    for (name, derivation) in one_of_each() {
        let encoding = derivation.encode();
        for length in 0..encoding.len() {
            assert!(
                Derivation::<DerivationId>::decode(&encoding[..length]).is_err(),
                "{name}"
            );
        }
        for position in 0..encoding.len() {
            let mut changed = encoding.clone();
            changed[position] ^= 1;
            if let Ok(other) = Derivation::<DerivationId>::decode(&changed) {
                assert_ne!(other, derivation, "{name}, byte {position}");
                assert_eq!(
                    other.encode(),
                    changed,
                    "{name}, byte {position}: two forms"
                );
            }
        }
    }
}

#[test]
fn an_action_and_a_derivation_never_share_a_key() {
    for (name, derivation) in one_of_each() {
        let action = derivation
            .try_map_inputs::<_, ()>(|id| Ok(TreeId::from_digest(*id.digest())))
            .unwrap();
        assert_eq!(action.encode(), derivation.encode(), "{name}");
        assert_ne!(
            action.action_id().digest(),
            derivation.id().digest(),
            "{name}"
        );
    }
}

fn origin() -> NodeOrigin {
    NodeOrigin {
        name: "core/zlib: run 1 of 2".to_owned(),
        label: PackageLabel::parse("core/zlib").unwrap(),
        file: "stages/core/zlib/package.rhai".to_owned(),
        line: 12,
        script_line: 13,
        wall_ms_max: 1,
        silent_ms_max: 2,
        import: Some(ImportSource {
            path: "stages/core/zlib/x.hex".to_owned(),
            decode: ImportDecode::Hex,
            ignore: vec![".git".to_owned()],
        }),
        urls: vec!["file:///x".to_owned()],
        is_opaque: false,
    }
}

#[test]
fn plans_survive_serialisation_and_refuse_damage() {
    let mut plan = Plan::default();
    let fetch = Derivation::Fetch(Fetch {
        lock: FetchLock::File(Sha256::of(b"source")),
    });
    let fetched = plan.add(fetch.clone(), origin).unwrap();
    assert_eq!(
        plan.add(fetch, origin).unwrap(),
        fetched,
        "one node for one id"
    );
    let compose = Derivation::Compose(Compose {
        inputs: vec![fetched],
        ops: every_operation(),
    });
    let composed = plan.add(compose, origin).unwrap();
    let label = PackageLabel::parse("core/zlib").unwrap();
    let outputs = RootOutputs::from([(OutputName::main(), composed)]);
    plan.add_root(PlanRoot {
        label: label.clone(),
        outputs,
    })
    .unwrap();
    plan.mark_local();

    let bytes = plan.to_bytes();
    assert_eq!(Plan::from_bytes(&bytes).unwrap(), plan);
    for length in 0..bytes.len() {
        assert!(
            Plan::from_bytes(&bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    let mut forged = bytes;
    let at = forged
        .windows(6)
        .position(|window| window == b"usr/**")
        .unwrap();
    forged[at] = b'U';
    assert!(matches!(
        Plan::from_bytes(&forged),
        Err(PlanError::WrongId { .. })
    ));

    let stranger = exec(Keep::Root);
    assert!(matches!(
        plan.add(stranger, origin),
        Err(PlanError::MissingInput { .. })
    ));
    let outputs = RootOutputs::from([(OutputName::main(), input(7))]);
    let root = plan.add_root(PlanRoot { label, outputs });
    assert!(matches!(root, Err(PlanError::MissingRoot { .. })));
}

/// A fetch that a fragment needs, and the fragment: a compose over it, and an exec over that.
fn fragment_over_a_need() -> (Derivation<DerivationId>, Fragment) {
    let fetch = Derivation::Fetch(Fetch {
        lock: FetchLock::File(Sha256::of(b"source")),
    });
    let mut writer = FragmentWriter::default();
    let compose = Derivation::Compose(Compose {
        inputs: vec![FragmentInput::Need(0)],
        ops: every_operation(),
    });
    let composed = writer.add(&compose, &origin());
    assert_eq!(writer.add(&compose, &origin()), composed, "one for equals");
    let over = |root| exec(Keep::Root).try_map_inputs(|_| Ok::<_, Infallible>(root));
    let Ok(exec) = over(composed);
    let result = writer.add(&exec, &origin());
    (fetch, writer.finish(result))
}

#[test]
fn a_linked_fragment_is_what_its_derivations_are_over_known_ids() {
    let (fetch, fragment) = fragment_over_a_need();
    let mut expected = Plan::default();
    let fetched = expected.add(fetch.clone(), origin).unwrap();
    let compose = Derivation::Compose(Compose {
        inputs: vec![fetched],
        ops: every_operation(),
    });
    let composed = expected.add(compose, origin).unwrap();
    let exec = exec(Keep::Root).try_map_inputs(|_| Ok::<_, Infallible>(composed));
    let Ok(exec) = exec;
    let executed = expected.add(exec, origin).unwrap();

    let mut first = FragmentWriter::default();
    let Ok(fetch) = fetch.try_map_inputs(|_| Ok::<_, Infallible>(FragmentInput::Need(0)));
    let result = first.add(&fetch, &origin());
    let mut plan = Plan::default();
    let linked = plan.link(&first.finish(result), &[]).unwrap();
    assert_eq!(linked, fetched);
    let linked = plan.link(&fragment, &[linked]).unwrap();
    assert_eq!(linked, executed);
    assert_eq!(plan, expected);
}

#[test]
fn a_damaged_fragment_gives_no_id_to_another_recipe() {
    let (fetch, fragment) = fragment_over_a_need();
    let Ok(fetch) = fetch.try_map_inputs(|_| Ok::<_, Infallible>(FragmentInput::Need(0)));
    let link = |bytes: &[u8]| {
        let mut writer = FragmentWriter::default();
        let result = writer.add(&fetch, &origin());
        let mut plan = Plan::default();
        let need = plan.link(&writer.finish(result), &[])?;
        plan.link(
            &Fragment::part_of(&Arc::new(bytes.to_vec()), 0..bytes.len()),
            &[need],
        )?;
        Plan::from_bytes(&plan.to_bytes())
    };
    let bytes = fragment.as_bytes();
    let whole = link(bytes).unwrap();
    assert_eq!(whole.nodes().len(), 3);
    assert!(Plan::default().link(&fragment, &[]).is_err(), "no needs");
    for length in 0..bytes.len() {
        assert!(link(&bytes[..length]).is_err(), "cut at {length}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        let linked = link(&flipped);
        assert!(
            !matches!(linked, Err(PlanError::WrongId { .. })),
            "flipped at {at}"
        );
    }
}

#[test]
fn directories_refuse_what_a_file_system_must_not_see() {
    let file = || Node::File {
        blob: BlobId::of(b""),
        size_bytes: 0,
        executable: false,
    };
    let long = vec![b'a'; 256];
    for name in [b"".as_slice(), b".", b"..", b"a/b", b"a\0b", &long] {
        let entry = Entry {
            name: name.to_vec(),
            node: file(),
        };
        assert!(Directory::new(vec![entry]).is_err(), "{name:?}");
    }
    for target in [b"".as_slice(), b"a\0b", &[b'a'; 4096]] {
        let node = Node::Symlink {
            target: target.to_vec(),
        };
        assert!(
            Directory::new(vec![Entry {
                name: b"l".to_vec(),
                node
            }])
            .is_err(),
            "{target:?}"
        );
    }
    let twice = || Entry {
        name: b"a".to_vec(),
        node: file(),
    };
    assert!(Directory::new(vec![twice(), twice()]).is_err());
    let mut unsorted = directory().encode();
    let (first, second) = (b"empty", b"sh\x02");
    let at = unsorted
        .windows(5)
        .position(|window| window == first)
        .unwrap();
    unsorted[at] = b'z';
    assert!(
        Directory::decode(&unsorted).is_err(),
        "{second:?} is no longer after it"
    );
}

#[test]
fn a_length_beyond_the_end_is_refused_before_anything_is_allocated() {
    let mut encoding = b"sxd1".to_vec();
    encoding.extend_from_slice(&u64::MAX.to_le_bytes());
    assert!(Directory::decode(&encoding).is_err());
    let mut decoder = stxl_model::Decoder::new(&encoding[4..]);
    assert!(matches!(decoder.bytes(), Err(DecodeError { .. })));
}

#[test]
fn labels_and_paths() {
    for good in ["core/zlib", "core/gcc-3.4", "stage0/hex0", "core/libstdc++"] {
        assert_eq!(PackageLabel::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "core",
        "core/",
        "/zlib",
        "Core/zlib",
        "core/a/b",
        "core/..",
        "core/-x",
        "c/a b",
    ] {
        assert!(PackageLabel::parse(bad).is_err(), "{bad}");
    }
    let label = Label::parse("core/llvm:libunwind").unwrap();
    assert_eq!(
        (label.package.as_str(), label.output.as_str()),
        ("core/llvm", "libunwind")
    );
    assert_eq!(label.to_string(), "core/llvm:libunwind");
    assert_eq!(
        Selector::parse("stage0").unwrap(),
        Selector::Stage("stage0".to_owned())
    );
    assert!(matches!(
        Selector::parse("@x/a/b"),
        Err(LabelError::ForeignWorkspace { .. })
    ));

    for good in ["/", "/usr", "/usr/bin/", "/a b"] {
        assert!(RootPath::parse(good.as_bytes()).is_ok(), "{good}");
    }
    for bad in ["", "usr", "/usr//bin", "/./a", "/a/..", "/a\0"] {
        assert!(RootPath::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let usr_bin = path("/usr").child(b"bin").unwrap();
    assert_eq!(usr_bin, path("/usr/bin"));
    assert_eq!(usr_bin.parent().unwrap(), path("/usr"));
    assert_eq!(path("/usr").parent().unwrap(), RootPath::root());
}

#[test]
fn hexadecimal_text_has_no_room_for_anything_unread() {
    assert_eq!(
        decode_hex_text(b"7f 45\n4C4 6 ; ELF\n# all\n").unwrap(),
        b"\x7fELF"
    );
    assert_eq!(
        decode_hex_text(b"7f\n4x"),
        Err(HexTextError::UnexpectedByte {
            line: 2,
            byte: b'x'
        })
    );
    assert_eq!(
        decode_hex_text(b"7f\n4 # 5\n"),
        Err(HexTextError::OddDigits { line: 2 })
    );
}

/// Bytes with no period that a piece of a blob could have.
fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at * 31 + at / 251).to_le_bytes()[0])
        .collect()
}

fn read_of(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> Result<usize, String> {
    move |offset, buffer| {
        let rest = &bytes[bytes.len().min(usize::try_from(offset).unwrap())..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

#[test]
fn a_blob_hashed_in_pieces_has_the_id_of_its_bytes() {
    const MIB: usize = 1 << 20;
    let sizes = [
        0,
        1,
        1024,
        MIB - 1,
        MIB,
        MIB + 1,
        2 * MIB,
        3 * MIB - 7,
        5 * MIB,
        8 * MIB + 1,
    ];
    for size in sizes {
        let bytes = pattern(size);
        for threads in [1, 3] {
            let hashed = BlobId::of_pieces(size as u64, threads, read_of(&bytes));
            assert_eq!(
                hashed,
                Ok((BlobId::of(&bytes), size as u64)),
                "{size} bytes"
            );
        }
    }
}

#[test]
fn a_blob_that_becomes_shorter_while_it_is_hashed_ends_where_it_ends() {
    const MIB: usize = 1 << 20;
    for size in [0, 5, MIB, 2 * MIB, 2 * MIB + 3, 4 * MIB - 1] {
        let bytes = pattern(size);
        for threads in [1, 3] {
            let hashed = BlobId::of_pieces(5 * MIB as u64, threads, read_of(&bytes));
            assert_eq!(
                hashed,
                Ok((BlobId::of(&bytes), size as u64)),
                "{size} bytes"
            );
        }
    }
    // What lies behind the size that was asked for does not count.
    let bytes = pattern(3 * MIB);
    let hashed = BlobId::of_pieces(2 * MIB as u64 + 9, 2, read_of(&bytes));
    assert_eq!(hashed.unwrap().0, BlobId::of(&bytes[..2 * MIB + 9]));
}

#[test]
fn a_blob_that_cannot_be_read_has_no_id() {
    let fails_at = |bad: u64| {
        BlobId::of_pieces(5 << 20, 2, move |offset, buffer| {
            if offset == bad << 20 {
                return Err(format!("no piece {bad}"));
            }
            Ok(buffer.len())
        })
    };
    for bad in [0, 2, 4] {
        assert_eq!(fails_at(bad), Err(format!("no piece {bad}")));
    }
}

#[test]
fn a_name_tells_the_format_of_an_archive() {
    use ArchiveFormat::{Cpio, Deb, Tar, Zip};
    let cases: [(Option<ArchiveFormat>, &[&str]); 5] = [
        (
            Some(Tar),
            &[
                "",
                "zlib",
                "zlib-1.3.1.tar.gz",
                "zlib_1.3.1+dfsg.orig.tar.xz",
                "A.TGZ",
                "v1.2",
                "v1.2-rc.1",
                "v1.2.beta3",
                "2024.1.dev0",
                "main.gz",
                "serde-1.0.1.crate",
                "v1.2.zst",
            ],
        ),
        (Some(Zip), &["a-1-py3-none-any.whl", "a.zip", "a.jar"]),
        (Some(Deb), &["libc6_2.36-9_amd64.deb", "a.udeb"]),
        (Some(Cpio), &["initramfs.cpio"]),
        (
            None,
            &[
                "main.c",
                "fix.patch",
                "a_1-1.diff.gz",
                "font.pcf.gz",
                "ca.pem",
                "x.m4",
            ],
        ),
    ];
    for (expected, names) in cases {
        for name in names {
            assert_eq!(ArchiveFormat::of_file_name(name), expected, "{name}");
        }
    }
}
