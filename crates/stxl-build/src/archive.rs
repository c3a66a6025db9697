//! Archives written of trees: tar and cpio (`newc`), sorted by path, every time the same.
//!
//! Directories stand before what is in them, entries in the order of their names' bytes. Modes and
//! owners are those of the mode table, else 0755 or 0644 and 0:0. What the format cannot hold is
//! refused.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};

use stxl_model::{
    Archive, ArchiveFormat, BlobId, Directory, Mode, ModeTable, Node, PlanNode, RootPath, TreeId,
};
use stxl_store::{Store, StoreError};

use crate::failure::FailureCause;
use crate::scratch::{file_error, nameless_file};
use crate::worker::{Ended, Product, failed, store_end};

/// The time of every entry: that of every file in a root.
const ENTRY_TIME: u32 = 315_532_800;

const DIRECTORY_KIND: u32 = 0o040_000;
const FILE_KIND: u32 = 0o100_000;
const SYMLINK_KIND: u32 = 0o120_000;

/// What ends the writing of an archive.
enum Stop {
    /// The format cannot hold the tree.
    Refused(String),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes a tree as one file.
pub(crate) fn archive(store: &Store, recipe: &Archive<TreeId>, node: &PlanNode) -> Ended<Product> {
    match archive_tree(store, recipe) {
        Ok(tree) => Ok(Product::of_tree(tree)),
        Err(Stop::Refused(what)) => Err(failed(FailureCause::Unsupported { what })),
        Err(Stop::Store(source)) => Err(store_end(node, source)),
    }
}

fn archive_tree(store: &Store, recipe: &Archive<TreeId>) -> Result<TreeId, Stop> {
    let file = nameless_file(store)?;
    let output = BufWriter::with_capacity(256 * 1024, &file);
    let mut writer: Box<dyn EntryWriter + '_> = match recipe.format {
        ArchiveFormat::Tar => Box::new(TarWriter(tar::Builder::new(output))),
        ArchiveFormat::Cpio => Box::new(CpioWriter {
            output,
            written: 0,
            next_inode: 1,
        }),
        format @ (ArchiveFormat::Zip | ArchiveFormat::Deb) => {
            let name = format.name();
            return Err(Stop::Refused(format!(
                "{name} archives are read only: write tar or cpio"
            )));
        }
    };
    let mut walk = Walk {
        store,
        modes: &recipe.modes,
        used: BTreeSet::new(),
    };
    walk.directory(&RootPath::root(), &recipe.tree, writer.as_mut())?;
    writer
        .finish()
        .map_err(|source| file_error(store, source))?;
    drop(writer);
    if let Some(path) = recipe.modes.keys().find(|path| !walk.used.contains(*path)) {
        return Err(Stop::Refused(format!(
            "the mode table names `{path}`, which is not there"
        )));
    }
    save(store, &file)
}

fn save(store: &Store, file: &File) -> Result<TreeId, Stop> {
    let (blob, size_bytes) = store.put_blob_from(file)?;
    Ok(store.put_directory(&Directory::of_file(blob, size_bytes))?)
}

/// One entry as every format needs it.
struct Item<'a> {
    /// Without a leading `/`.
    path: &'a [u8],
    mode: Mode,
    what: ItemKind<'a>,
}

enum ItemKind<'a> {
    Directory,
    Symlink(&'a [u8]),
    File(u64, &'a mut dyn Read),
}

/// What both formats do; implemented by the two writers below.
trait EntryWriter {
    fn append(&mut self, item: Item<'_>) -> io::Result<()>;
    fn finish(&mut self) -> io::Result<()>;
}

struct Walk<'a> {
    store: &'a Store,
    modes: &'a ModeTable,
    used: BTreeSet<RootPath>,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        path: &RootPath,
        tree: &TreeId,
        writer: &mut dyn EntryWriter,
    ) -> Result<(), Stop> {
        let directory = self.store.directory(tree)?;
        for entry in directory.entries() {
            let place = path
                .child(&entry.name)
                .map_err(|error| Stop::Refused(error.to_string()))?;
            let path = place.as_relative_bytes();
            match &entry.node {
                Node::Directory { tree } => {
                    let mode = self.mode(&place, 0o755)?;
                    let what = ItemKind::Directory;
                    self.append(writer, Item { path, mode, what })?;
                    self.directory(&place, tree, writer)?;
                }
                Node::Symlink { target } => {
                    let mode = self.mode(&place, 0o777)?;
                    let what = ItemKind::Symlink(target);
                    self.append(writer, Item { path, mode, what })?;
                }
                Node::File {
                    blob,
                    size_bytes,
                    executable,
                } => {
                    let mode = self.mode(&place, if *executable { 0o755 } else { 0o644 })?;
                    let mut reader = self.open(blob)?;
                    let what = ItemKind::File(*size_bytes, &mut reader);
                    self.append(writer, Item { path, mode, what })?;
                }
            }
        }
        Ok(())
    }

    fn open(&self, blob: &BlobId) -> Result<impl Read + use<>, Stop> {
        Ok(self.store.open_blob(blob)?)
    }

    fn append(&self, writer: &mut dyn EntryWriter, item: Item<'_>) -> Result<(), Stop> {
        let shown = String::from_utf8_lossy(item.path).into_owned();
        writer.append(item).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => Stop::Refused(format!("`/{shown}`: {error}")),
            _ => Stop::Store(file_error(self.store, error)),
        })
    }

    fn mode(&mut self, path: &RootPath, default: u32) -> Result<Mode, Stop> {
        let Some(mode) = self.modes.get(path) else {
            return Ok(Mode {
                bits: default,
                uid: 0,
                gid: 0,
                capabilities: 0,
            });
        };
        self.used.insert(path.clone());
        if mode.capabilities != 0 {
            let what = format!("`{path}` has file capabilities, which tar and cpio do not hold");
            return Err(Stop::Refused(what));
        }
        if mode.bits > 0o7777 {
            let what = format!(
                "`{path}` has the mode {:o}, which is more than 7777",
                mode.bits
            );
            return Err(Stop::Refused(what));
        }
        Ok(*mode)
    }
}

struct TarWriter<W: Write>(tar::Builder<W>);

impl<W: Write> EntryWriter for TarWriter<W> {
    fn append(&mut self, item: Item<'_>) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut header = tar::Header::new_gnu();
        header.set_mode(item.mode.bits);
        header.set_uid(u64::from(item.mode.uid));
        header.set_gid(u64::from(item.mode.gid));
        header.set_mtime(u64::from(ENTRY_TIME));
        header.set_size(0);
        let path = std::ffi::OsStr::from_bytes(item.path);
        match item.what {
            ItemKind::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                let path = [item.path, b"/"].concat();
                self.0
                    .append_data(&mut header, std::ffi::OsStr::from_bytes(&path), io::empty())
            }
            ItemKind::Symlink(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                self.0
                    .append_link(&mut header, path, std::ffi::OsStr::from_bytes(target))
            }
            ItemKind::File(size_bytes, reader) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(size_bytes);
                self.0
                    .append_data(&mut header, path, reader.take(size_bytes))
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.finish()?;
        self.0.get_mut().flush()
    }
}

/// The `newc` form: numbers in hexadecimal, names and contents filled up to four bytes.
struct CpioWriter<W: Write> {
    output: W,
    written: u64,
    next_inode: u32,
}

/// The numbers of one entry.
struct CpioEntry {
    inode: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    time: u32,
    size_bytes: u32,
}

impl<W: Write> CpioWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        while !self.written.is_multiple_of(4) {
            self.write(&[0])?;
        }
        Ok(())
    }

    fn header(&mut self, entry: &CpioEntry, name: &[u8]) -> io::Result<()> {
        let name_bytes = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        let CpioEntry {
            inode,
            mode,
            uid,
            gid,
            links,
            time,
            size_bytes,
        } = entry;
        self.write(b"070701")?;
        let numbers = [
            *inode,
            *mode,
            *uid,
            *gid,
            *links,
            *time,
            *size_bytes,
            0,
            0,
            0,
            0,
        ];
        for number in numbers.into_iter().chain([name_bytes, 0]) {
            self.write(format!("{number:08X}").as_bytes())?;
        }
        self.write(name)?;
        self.write(&[0])?;
        self.fill()
    }
}

impl<W: Write> EntryWriter for CpioWriter<W> {
    fn append(&mut self, item: Item<'_>) -> io::Result<()> {
        let too_large = || {
            io::Error::new(
                io::ErrorKind::Unsupported,
                "cpio holds files below 4 GiB only",
            )
        };
        let (kind, links, size_bytes) = match &item.what {
            ItemKind::Directory => (DIRECTORY_KIND, 2, 0),
            ItemKind::Symlink(target) => (SYMLINK_KIND, 1, target.len() as u64),
            ItemKind::File(size_bytes, _) => (FILE_KIND, 1, *size_bytes),
        };
        let entry = CpioEntry {
            inode: self.next_inode,
            mode: kind | item.mode.bits,
            uid: item.mode.uid,
            gid: item.mode.gid,
            links,
            time: ENTRY_TIME,
            size_bytes: u32::try_from(size_bytes).map_err(|_| too_large())?,
        };
        self.next_inode += 1;
        self.header(&entry, item.path)?;
        match item.what {
            ItemKind::Directory => {}
            ItemKind::Symlink(target) => self.write(target)?,
            ItemKind::File(_, reader) => {
                self.written += io::copy(reader, &mut self.output)?;
            }
        }
        self.fill()
    }

    fn finish(&mut self) -> io::Result<()> {
        let last = CpioEntry {
            inode: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            links: 1,
            time: 0,
            size_bytes: 0,
        };
        self.header(&last, b"TRAILER!!!")?;
        self.output.flush()
    }
}
