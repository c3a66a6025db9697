//! Where the entries of every format go: names checked, leading parts dropped, limits kept.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

use stxl_model::{ArchiveFormat, Node, RootPath, TreeId, Unpack};
use stxl_store::{Store, StoreError};

use super::error::{Limit, Stop, UnpackError, shown};
use super::limits::{
    DEPTH_MAX, NAME_BYTES_MAX, NODES_MAX, PATH_BYTES_MAX, RATIO_BYTES_MIN, RATIO_MAX,
    UNPACKED_BYTES_MAX,
};
use crate::draft::{Added, Draft, DraftError, DraftLimits};
use crate::scratch::{BlobStop, put_reader};

/// How many warnings of one archive are told one by one.
const WARNINGS_MAX: usize = 20;

/// The tree in the making.
pub(super) struct Sink<'a> {
    store: &'a Store,
    cancelled: &'a AtomicBool,
    format: ArchiveFormat,
    strip_components: u32,
    archive_bytes: u64,
    draft: Draft,
    unpacked_bytes: u64,
    warnings: Vec<String>,
    warnings_untold: usize,
    /// Files and symlinks that lie above what is kept: how many, and the first.
    dropped: Option<(u64, String)>,
    has_kept: bool,
    /// What was dropped in front of the first path, and whether all had the same.
    prefix: Option<Vec<u8>>,
    has_several_prefixes: bool,
}

/// A file of an archive.
#[derive(Clone, Copy)]
pub(super) struct FileEntry<'a> {
    /// As written.
    pub(super) path: &'a [u8],
    pub(super) size_bytes: u64,
    /// Unix permission bits.
    pub(super) mode: u32,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        store: &'a Store,
        cancelled: &'a AtomicBool,
        recipe: &Unpack<TreeId>,
        archive_bytes: u64,
    ) -> Self {
        let limits = DraftLimits {
            nodes_max: NODES_MAX,
            name_bytes_max: NAME_BYTES_MAX,
        };
        Self {
            store,
            cancelled,
            format: recipe.format,
            strip_components: recipe.strip_components,
            archive_bytes,
            draft: Draft::new(limits),
            unpacked_bytes: 0,
            warnings: Vec::new(),
            warnings_untold: 0,
            dropped: None,
            has_kept: false,
            prefix: None,
            has_several_prefixes: false,
        }
    }

    /// Adds a directory.
    pub(super) fn directory(&mut self, path: &[u8]) -> Result<(), Stop> {
        if let Some(at) = self.place(path)? {
            let made = self.draft.make_directory(&at);
            made.map_err(|error| refused(at, error))?;
        }
        Ok(())
    }

    /// Adds a file; of `content` exactly its size is read.
    pub(super) fn file(
        &mut self,
        entry: FileEntry<'_>,
        content: &mut dyn Read,
    ) -> Result<(), Stop> {
        self.refuse_cancelled()?;
        let FileEntry {
            path,
            size_bytes,
            mode,
        } = entry;
        self.count(size_bytes)
            .map_err(|limit| UnpackError::from(limit).at(path))?;
        let mut content = content.take(size_bytes);
        let Some(at) = self.place(path)? else {
            let read = std::io::copy(&mut content, &mut std::io::sink())?;
            refuse_short(path, read, size_bytes)?;
            return self.drop_leaf(path);
        };
        if mode & 0o6000 != 0 {
            self.warn(format!("the setuid or setgid bit of `{at}` is not kept"));
        }
        let put = put_reader(self.store, &mut content, size_bytes, self.cancelled);
        let (blob, read) = put.map_err(|stop| match stop {
            BlobStop::Read(error) => UnpackError::from(error).at(path).into(),
            BlobStop::Store(error) => Stop::Store(error),
        })?;
        refuse_short(path, read, size_bytes)?;
        let executable = mode & 0o100 != 0;
        self.add(
            at,
            Node::File {
                blob,
                size_bytes,
                executable,
            },
        )
    }

    /// Adds a symlink.
    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) -> Result<(), Stop> {
        if target.is_empty() || target.len() > PATH_BYTES_MAX || target.contains(&0) {
            let reason = format!(
                "is a symlink whose target is empty, longer than {PATH_BYTES_MAX} bytes, or has a NUL"
            );
            return Err(UnpackError::bad_entry(path, reason).into());
        }
        let Some(at) = self.place(path)? else {
            return self.drop_leaf(path);
        };
        let target = target.to_vec();
        self.add(at, Node::Symlink { target })
    }

    /// Adds what stands at another path once more.
    pub(super) fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Stop> {
        let from = self.kept_part(target)?.map(|(_, from)| from);
        let Some(at) = self.place(path)? else {
            return self.drop_leaf(path);
        };
        let node = from.filter(|from| *from != at);
        let Some(node) = node.and_then(|from| self.draft.leaf(&from).cloned()) else {
            let target = shown(target);
            return Err(UnpackError::BadHardLink { path: at, target }.into());
        };
        self.add(at, node)
    }

    /// Puts the tree into the store, and tells what was not kept.
    pub(super) fn finish(mut self) -> Result<(TreeId, Vec<String>), Stop> {
        if let Some((count, first)) = self.dropped.take() {
            let strip_components = self.strip_components;
            if !self.has_kept {
                return Err(UnpackError::NothingLeft { strip_components }.into());
            }
            self.warnings.push(format!(
                "without the first {strip_components} parts of paths, {count} files are not kept, such as `{first}`"
            ));
        }
        if self.warnings_untold > 0 {
            let count = self.warnings_untold;
            self.warnings.push(format!("{count} more like these"));
        }
        Ok((self.draft.save(self.store)?, self.warnings))
    }

    pub(super) fn refuse_cancelled(&self) -> Result<(), StoreError> {
        if self.cancelled.load(Ordering::Acquire) {
            return Err(StoreError::Cancelled);
        }
        Ok(())
    }

    /// Counts bytes that an entry says it has, before any of them is read.
    fn count(&mut self, size_bytes: u64) -> Result<(), Limit> {
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(size_bytes);
        if self.unpacked_bytes > UNPACKED_BYTES_MAX {
            return Err(Limit::Bytes);
        }
        let allowed = self.archive_bytes.saturating_mul(RATIO_MAX);
        if self.unpacked_bytes > RATIO_BYTES_MIN.max(allowed) {
            return Err(Limit::Ratio);
        }
        Ok(())
    }

    fn add(&mut self, at: RootPath, node: Node) -> Result<(), Stop> {
        self.has_kept = true;
        match self.draft.add(&at, node) {
            // Nobody appends to a zip what replaces a part of it.
            Ok(Added::Same | Added::Replaced) if self.format == ArchiveFormat::Zip => {
                let what = "stands there twice";
                Err(UnpackError::Clash { path: at, what }.into())
            }
            Ok(Added::Fresh | Added::Same) => Ok(()),
            Ok(Added::Replaced) if self.has_several_prefixes => Err(UnpackError::Clash {
                path: at,
                what: "stands there twice without the leading parts of its paths",
            }
            .into()),
            Ok(Added::Replaced) => {
                self.warn(format!(
                    "`{at}` stands in the archive more than once: the last one counts"
                ));
                Ok(())
            }
            Err(error) => Err(refused(at, error).into()),
        }
    }

    /// Leaves out a file or symlink whose path has no more parts than are dropped.
    fn drop_leaf(&mut self, path: &[u8]) -> Result<(), Stop> {
        if path.split(|byte| *byte == b'/').all(is_no_part) {
            let reason = "it names the top and is no directory".to_owned();
            let path = shown(path);
            return Err(UnpackError::BadPath { path, reason }.into());
        }
        let dropped = self.dropped.get_or_insert_with(|| (0, shown(path)));
        dropped.0 += 1;
        Ok(())
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning);
        } else {
            self.warnings_untold += 1;
        }
    }

    /// Where an entry goes; nowhere if nothing is left of its path.
    fn place(&mut self, path: &[u8]) -> Result<Option<RootPath>, UnpackError> {
        let Some((prefix, at)) = self.kept_part(path)? else {
            return Ok(None);
        };
        match &self.prefix {
            None => self.prefix = Some(prefix),
            Some(first) => self.has_several_prefixes |= *first != prefix,
        }
        Ok(Some(at))
    }

    /// What is dropped of a path, and what is left of it.
    fn kept_part(&self, path: &[u8]) -> Result<Option<(Vec<u8>, RootPath)>, UnpackError> {
        let bad = |reason: String| UnpackError::BadPath {
            path: shown(path),
            reason,
        };
        if path.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        if path.starts_with(b"/") {
            return Err(bad("it is absolute".to_owned()));
        }
        if let [b'A'..=b'Z' | b'a'..=b'z', b':', ..] = path {
            let reason = "it begins like that of a drive, which some programs drop".to_owned();
            return Err(bad(reason));
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(bad(format!("it is longer than {PATH_BYTES_MAX} bytes")));
        }
        let parts: Vec<&[u8]> = path
            .split(|byte| *byte == b'/')
            .filter(|part| !is_no_part(part))
            .collect();
        if parts.len() > DEPTH_MAX {
            return Err(bad(format!("it is more than {DEPTH_MAX} directories deep")));
        }
        let parse = |parts: &[&[u8]]| {
            let absolute = [b"/", parts.join(&b'/').as_slice()].concat();
            RootPath::parse(&absolute).map_err(|error| bad(error.to_string()))
        };
        // What is dropped has to be right too: `..` of any part is refused.
        parse(&parts)?;
        let dropped = usize::try_from(self.strip_components).unwrap_or(usize::MAX);
        if parts.len() <= dropped {
            return Ok(None);
        }
        let (dropped, kept) = parts.split_at(dropped);
        Ok(Some((dropped.join(&b'/'), parse(kept)?)))
    }
}

/// Whether what stands between two slashes means nothing.
fn is_no_part(part: &[u8]) -> bool {
    part.is_empty() || part == b"."
}

fn refuse_short(path: &[u8], read: u64, size_bytes: u64) -> Result<(), UnpackError> {
    if read == size_bytes {
        return Ok(());
    }
    let missing = size_bytes - read;
    let reason = format!("is cut off: {missing} of its {size_bytes} bytes are missing");
    Err(UnpackError::bad_entry(path, reason))
}

fn refused(path: RootPath, error: DraftError) -> UnpackError {
    let limit = |limit: Limit| UnpackError::from(limit).at(&path.to_absolute_bytes());
    let what = match error {
        DraftError::Taken => "stands there twice, as different kinds of things",
        DraftError::NotADirectory => "lies below something that is not a directory",
        DraftError::TooManyNodes => return limit(Limit::Nodes),
        DraftError::TooManyNameBytes => return limit(Limit::Names),
    };
    UnpackError::Clash { path, what }
}
