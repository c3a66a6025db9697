//! Archives taken apart: as other programs do it, or not at all.

mod edges;
mod forge;
mod honest;
mod hostile;
mod mutated;
mod repeated;

use stxl_build::BuildOutcome;
use stxl_model::{ArchiveFormat, TreeId};

use super::cases::Case;
use super::site::Site;

/// Every case by name.
pub(crate) const CASES: &[Case] = &[
    ("unpack_tars_of_other_programs", honest::tars),
    ("unpack_every_compression", honest::compressions),
    ("unpack_debian_packages", honest::debian_packages),
    ("unpack_zips_of_other_programs", honest::zips),
    ("unpack_git_archives", honest::git_archives),
    ("unpack_what_is_at_the_edge", edges::archives),
    ("unpack_the_same_in_every_process", repeated::processes),
    ("unpack_no_hostile_archive", hostile::archives),
    ("unpack_no_bomb", hostile::bombs),
    ("unpack_mutated_tars", mutated::tars),
    ("unpack_mutated_zips", mutated::zips),
];

/// Unpacks one archive: its tree, or why not.
fn unpack(site: &Site, bytes: &[u8], format: ArchiveFormat, strip: u32) -> Result<TreeId, String> {
    let mut recipe = site.recipe();
    std::fs::write(site.workspace().join("archive"), bytes).expect("it is written");
    let archive = recipe.file("archive");
    let tree = recipe.unpack(archive, format, strip);
    recipe.want("test/unpacked", tree);
    let told = site.build(&recipe.plan);
    if told.summary.outcome == BuildOutcome::Ok {
        return Ok(told.summary.outputs[0].tree);
    }
    Err(told.summary.failed[0].cause.to_string())
}
