//! Sealing upper layers as an overlay leaves them.

use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode, OFlags, XattrFlags};
use stxl_model::{Keep, RootPath, TreeId};
use stxl_store::{DroppedWhat, SealBounds, SealError, Store, StoreError};
use stxl_tests::store::world::{self, assert_sound, import, open};
use tempfile::{TempDir, tempdir};

struct World {
    dir: TempDir,
    store: Store,
    parent: TreeId,
}

fn make() -> World {
    let dir = tempdir().unwrap();
    world::write_input(&dir.path().join("input"));
    fs::create_dir(dir.path().join("upper")).unwrap();
    let store = open(&dir.path().join("store"));
    let parent = import(&store, &dir.path().join("input"));
    World { dir, store, parent }
}

impl World {
    fn upper(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join("upper").join(path)
    }

    fn seal(&self, keep: &Keep) -> Result<stxl_store::Sealed, SealError> {
        self.seal_within(keep, SealBounds::default())
    }

    fn seal_within(
        &self,
        keep: &Keep,
        bounds: SealBounds<'_>,
    ) -> Result<stxl_store::Sealed, SealError> {
        let upper = world::directory_fd(&self.upper(""));
        self.store.seal(upper.as_fd(), &self.parent, keep, bounds)
    }

    fn paths(&self, tree: &TreeId) -> Vec<String> {
        let mut found = Vec::new();
        self.store
            .walk(tree, |path, _| found.push(path.to_string()))
            .unwrap();
        found
    }
}

fn whiteout(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::from(0o600), 0)
        .expect("whiteouts are made by root; run these tests as root");
}

fn opaque(path: &Path) {
    rustix::fs::setxattr(path, "user.overlay.opaque", b"y", XattrFlags::empty())
        .expect("the file system of the temporary directory has user attributes");
}

#[test]
fn an_empty_layer_is_the_parent() {
    let world = make();
    let sealed = world.seal(&Keep::Root).unwrap();
    assert_eq!(sealed.tree, world.parent);
    assert_sound(&world.store);
}

#[test]
fn copies_that_came_out_equal_vanish() {
    let world = make();
    fs::create_dir_all(world.upper("usr/lib")).unwrap();
    fs::write(world.upper("usr/lib/small"), b"a small file\n").unwrap();
    fs::set_permissions(world.upper("usr"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(world.seal(&Keep::Root).unwrap().tree, world.parent);
}

#[test]
fn whiteouts_and_opaque_directories_are_resolved() {
    let world = make();
    whiteout(&world.upper("run"));
    fs::create_dir_all(world.upper("usr/lib")).unwrap();
    opaque(&world.upper("usr/lib"));
    fs::write(world.upper("usr/lib/new"), b"new").unwrap();
    let sealed = world.seal(&Keep::Root).unwrap();
    assert_eq!(
        world.paths(&sealed.tree),
        [
            "/empty",
            "/lib",
            "/usr",
            "/usr/edge",
            "/usr/large",
            "/usr/lib",
            "/usr/lib/new"
        ]
    );
    assert_sound(&world.store);
}

#[test]
fn only_the_kept_subtree_is_read() {
    let world = make();
    rustix::fs::mknodat(
        CWD,
        world.upper("pipe"),
        FileType::Fifo,
        Mode::from(0o600),
        0,
    )
    .unwrap();
    fs::create_dir_all(world.upper("out/bin")).unwrap();
    fs::write(world.upper("out/bin/tool"), b"tool").unwrap();
    let keep = |path: &str| Keep::Subtree(RootPath::parse(path.as_bytes()).unwrap());
    let sealed = world.seal(&keep("/out")).unwrap();
    assert_eq!(world.paths(&sealed.tree), ["/bin", "/bin/tool"]);
    // A subtree that the build did not touch is the parent's.
    let untouched = world.seal(&keep("/usr/lib")).unwrap();
    assert_eq!(world.paths(&untouched.tree), ["/nothing", "/small"]);
    assert!(matches!(
        world.seal(&keep("/missing")),
        Err(SealError::MissingKept { .. })
    ));
    match world.seal(&Keep::Root) {
        Err(SealError::Unsupported { path, what }) => {
            assert_eq!((path.to_string().as_str(), what), ("/pipe", "a FIFO"));
        }
        other => panic!("{other:?}"),
    }
    assert_sound(&world.store);
}

#[test]
fn a_whiteout_above_the_kept_subtree_is_a_missing_one() {
    let world = make();
    whiteout(&world.upper("usr"));
    let keep = Keep::Subtree(RootPath::parse(b"/usr/lib").unwrap());
    assert!(matches!(
        world.seal(&keep),
        Err(SealError::MissingKept { .. })
    ));
}

#[test]
fn lost_bits_are_reported() {
    let world = make();
    fs::write(world.upper("su"), b"su").unwrap();
    fs::set_permissions(world.upper("su"), fs::Permissions::from_mode(0o4755)).unwrap();
    let sealed = world.seal(&Keep::Root).unwrap();
    assert_eq!(sealed.dropped.len(), 1);
    assert_eq!(sealed.dropped[0].path.to_string(), "/su");
    assert_eq!(sealed.dropped[0].what, DroppedWhat::SetIdBits);
}

#[test]
fn redirected_directories_and_bare_metadata_are_refused() {
    let world = make();
    fs::create_dir(world.upper("moved")).unwrap();
    let attribute = "user.overlay.redirect";
    rustix::fs::setxattr(
        world.upper("moved"),
        attribute,
        b"/usr",
        XattrFlags::empty(),
    )
    .unwrap();
    assert!(matches!(
        world.seal(&Keep::Root),
        Err(SealError::Altered { .. })
    ));
    fs::remove_dir(world.upper("moved")).unwrap();
    fs::write(world.upper("file"), b"").unwrap();
    let attribute = "user.overlay.metacopy";
    rustix::fs::setxattr(world.upper("file"), attribute, b"", XattrFlags::empty()).unwrap();
    assert!(matches!(
        world.seal(&Keep::Root),
        Err(SealError::Altered { .. })
    ));
}

#[test]
fn sizes_are_bounded_before_any_byte_is_read() {
    let world = make();
    let sparse = fs::File::create(world.upper("sparse")).unwrap();
    sparse.set_len(256 << 30).unwrap();
    let bounds = SealBounds {
        bytes_max: Some(1 << 20),
        cancelled: None,
    };
    match world.seal_within(&Keep::Root, bounds) {
        Err(SealError::TooLarge {
            path,
            size_bytes,
            bytes_max,
        }) => {
            assert_eq!(path.to_string(), "/sparse");
            assert_eq!((size_bytes, bytes_max), (256 << 30, 1 << 20));
        }
        other => panic!("{other:?}"),
    }
    // Sizes are summed, and a file of several names counts once.
    sparse.set_len(600 << 10).unwrap();
    fs::hard_link(world.upper("sparse"), world.upper("again")).unwrap();
    world.seal_within(&Keep::Root, bounds).unwrap();
    fs::write(world.upper("zz"), world::pattern(600 << 10)).unwrap();
    assert!(matches!(
        world.seal_within(&Keep::Root, bounds),
        Err(SealError::TooLarge { .. })
    ));
    assert_sound(&world.store);
}

#[test]
fn a_large_copy_can_be_called_off() {
    let world = make();
    let sparse = fs::File::create(world.upper("sparse")).unwrap();
    // Far more than is copied until the flag is seen, and little enough to do no harm.
    sparse.set_len(2 << 30).unwrap();
    let cancelled = AtomicBool::new(false);
    let tmp = world.dir.path().join("store/tmp");
    let has_copied = || walk_sizes(&tmp).is_some_and(|bytes| bytes > 0);
    std::thread::scope(|scope| {
        let sealing = scope.spawn(|| {
            let bounds = SealBounds {
                bytes_max: None,
                cancelled: Some(&cancelled),
            };
            world.seal_within(&Keep::Root, bounds)
        });
        while !has_copied() && !sealing.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        cancelled.store(true, Ordering::Release);
        assert!(matches!(
            sealing.join().unwrap(),
            Err(SealError::Store(StoreError::Cancelled))
        ));
    });
    assert_eq!(
        walk_sizes(&tmp),
        Some(0),
        "the part that was copied is gone"
    );
    assert_sound(&world.store);
}

/// The bytes of the files in the directories of a directory.
fn walk_sizes(path: &Path) -> Option<u64> {
    let mut bytes = 0;
    for session in fs::read_dir(path).ok()? {
        for file in fs::read_dir(session.ok()?.path()).ok()? {
            bytes += file.ok()?.metadata().ok()?.len();
        }
    }
    Some(bytes)
}

/// Makes directories in each other, more than a path or the descriptors of a process have room
/// for, and one without any permission at the end.
fn make_deep(top: &Path) {
    let open = |at: BorrowedFd<'_>, name: &[u8]| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(at, name, flags, Mode::empty()).unwrap()
    };
    let name = [b'd'; 20];
    let mut at = open(CWD, top.as_os_str().as_encoded_bytes());
    for _ in 0..1100 {
        rustix::fs::mkdirat(&at, name.as_slice(), Mode::RWXU).unwrap();
        at = open(at.as_fd(), &name);
    }
    rustix::fs::mkdirat(&at, "closed", Mode::empty()).unwrap();
}

#[test]
fn a_scratch_goes_however_deep_it_was_made() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let scratch = store.scratch().unwrap();
    let at = dir.path().join(scratch.path());
    make_deep(&at);
    drop(scratch);
    assert!(!at.exists());
    // What a session leaves that was killed goes at the next opening.
    drop(store);
    let dead = dir.path().join("tmp/a-session-that-was-killed");
    fs::create_dir(&dead).unwrap();
    make_deep(&dead);
    let store = open(dir.path());
    assert!(!dead.exists());
    assert_sound(&store);
}
