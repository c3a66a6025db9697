//! The work of an unpack derivation.

use std::io::Read;
use std::sync::atomic::AtomicBool;

use stxl_model::{ArchiveFormat, FILE_ENTRY, Node, PlanNode, TreeId, Unpack};
use stxl_store::{BlobReader, Store};

use super::decompress::Decompressed;
use super::error::{Stop, UnpackError};
use super::input::Input;
use super::sink::Sink;
use super::{deb, pipe, tar, zip};
use crate::failure::FailureCause;
use crate::options::CancelHandle;
use crate::worker::{Ended, Product, failed, store_end};

/// Takes an archive apart.
pub(crate) fn unpack(
    store: &Store,
    cancel: &CancelHandle,
    recipe: &Unpack<TreeId>,
    node: &PlanNode,
) -> Ended<Product> {
    match unpack_tree(store, &cancel.flag(), recipe) {
        Ok((tree, warnings)) => Ok(Product {
            warnings,
            ..Product::of_tree(tree)
        }),
        Err(Stop::Archive(error)) => Err(failed(FailureCause::Unpack(error))),
        Err(Stop::Store(source)) => Err(store_end(node, source)),
    }
}

fn unpack_tree(
    store: &Store,
    cancelled: &AtomicBool,
    recipe: &Unpack<TreeId>,
) -> Result<(TreeId, Vec<String>), Stop> {
    let directory = store.directory(&recipe.archive)?;
    let Some(Node::File {
        blob, size_bytes, ..
    }) = directory.find(FILE_ENTRY)
    else {
        return Err(UnpackError::NotAFile.into());
    };
    let open = || -> Result<Input<BlobReader>, Stop> { Ok(Input::new(store.open_blob(blob)?)) };
    let mut sink = Sink::new(store, cancelled, recipe, *size_bytes);
    match recipe.format {
        ArchiveFormat::Tar => read_tar(Decompressed::new(open()?, *size_bytes)?, &mut sink)?,
        ArchiveFormat::Deb => read_tar(deb::data_of(open()?)?, &mut sink)?,
        ArchiveFormat::Zip => {
            zip::read(|| Ok(store.open_blob(blob)?), *size_bytes, &mut sink)?;
        }
        ArchiveFormat::Cpio => {
            let what = recipe.format.name().to_owned();
            return Err(UnpackError::Unsupported { what }.into());
        }
    }
    sink.finish()
}

/// Reads a tar while another thread decompresses it.
fn read_tar(reader: impl Read + Send, sink: &mut Sink<'_>) -> Result<(), Stop> {
    std::thread::scope(|scope| tar::read(pipe::read_ahead(scope, reader)?, sink))
}
