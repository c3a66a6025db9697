//! Small archives with random changes: what is accepted is what other programs make of it.

mod tars;
mod zips;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stxl_build::{BuildOptions, OnFailure};
use stxl_model::{ArchiveFormat, TreeId};

use crate::build::cases::assert_sound;
use crate::build::foreign::run;
use crate::build::listing::{Listing, of_disk, of_tree};
use crate::build::site::Site;

/// Numbers that look random and are the same in every run.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("64 bits") % limit
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const SEED: u64 = 0x5eed_0fa7_a550_f7a2;

/// A program that unpacks `$archive` into `$into`.
struct Reader {
    name: &'static str,
    command: &'static str,
}

const BSDTAR: Reader = Reader {
    name: "bsdtar",
    command: "bsdtar -xf $archive -C $into",
};

pub(super) fn tars() {
    let originals = tars::originals();
    let mut random = Random(SEED);
    let mutants: Vec<Vec<u8>> = (0..1500)
        .map(|_| {
            let original = random.one_of(&originals);
            tars::mutated(original, &mut random)
        })
        .collect();
    let gnu = Reader {
        name: "tar",
        command: "tar -xf $archive -C $into",
    };
    compare(&mutants, ArchiveFormat::Tar, &[gnu, BSDTAR]);
}

pub(super) fn zips() {
    let originals = zips::originals();
    let mut random = Random(SEED);
    let mutants: Vec<Vec<u8>> = (0..1500)
        .map(|_| zips::mutated(&originals, &mut random))
        .collect();
    let unzip = Reader {
        name: "unzip",
        command: "unzip -qq -o $archive -d $into",
    };
    compare(&mutants, ArchiveFormat::Zip, &[unzip, BSDTAR]);
}

/// Fails if an archive is accepted that another program refuses, or reads as another tree.
fn compare(mutants: &[Vec<u8>], format: ArchiveFormat, readers: &[Reader]) {
    let site = Site::new();
    let place = site.workspace().join("accepted");
    std::fs::create_dir(&place).expect("it is made");
    let accepted = accepted(&site, mutants, format);
    for index in accepted.keys() {
        let path = place.join(format!("{index}.archive"));
        std::fs::write(path, &mutants[*index]).expect("it is written");
    }
    std::thread::scope(|scope| {
        for reader in readers {
            scope.spawn(|| unpack_all(reader, &place));
        }
    });
    let mut wrong = Vec::new();
    for (index, tree) in &accepted {
        let ours = of_tree(&site.store, tree);
        for reader in readers {
            match theirs(&place.join(format!("{index}.archive")), reader) {
                Err(said) => wrong.push(format!("{index}, {} refused: {said}", reader.name)),
                Ok(theirs) if theirs == ours => {}
                Ok(theirs) => {
                    wrong.push(format!("{index}, {}: {ours:#?} {theirs:#?}", reader.name));
                }
            }
        }
    }
    println!("  {} of {} accepted", accepted.len(), mutants.len());
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    assert!(accepted.len() > mutants.len() / 10, "too few to tell");
    assert_sound(&site);
}

/// Unpacks every archive of a directory with a program; the ones that it complains about get a file
/// beside them.
fn unpack_all(reader: &Reader, place: &Path) {
    let Reader { name, command } = reader;
    let script = format!(
        "for archive in *.archive; do into=$archive.{name}; mkdir $into; \
         {command} >$into.said 2>&1 </dev/null || touch $into.refused; done"
    );
    let line = format!("sh -c {}", script.replace(' ', "\u{a0}"));
    run(&line, place, b"");
}

/// What a program made of an archive, or what it said against it.
fn theirs(archive: &Path, reader: &Reader) -> Result<Listing, String> {
    let name = reader.name;
    let with = |ending: &str| PathBuf::from(format!("{}.{name}{ending}", archive.display()));
    if with(".refused").exists() {
        let said = std::fs::read(with(".said")).expect("it is read");
        return Err(String::from_utf8_lossy(&said).into_owned());
    }
    Ok(of_disk(&with("")))
}

/// Which archives are accepted, and their trees.
fn accepted(site: &Site, archives: &[Vec<u8>], format: ArchiveFormat) -> BTreeMap<usize, TreeId> {
    let mut recipe = site.recipe();
    for (index, bytes) in archives.iter().enumerate() {
        let name = format!("{index}.archive");
        std::fs::write(site.workspace().join(&name), bytes).expect("it is written");
        let archive = recipe.file(&name);
        let id = recipe.unpack(archive, format, 0);
        recipe.want(&format!("test/m{index}"), id);
    }
    let options = BuildOptions {
        on_failure: OnFailure::KeepGoing,
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    let number = |label: &str| {
        label
            .trim_start_matches("test/m")
            .parse()
            .expect("a number")
    };
    let outputs = told.summary.outputs.iter();
    outputs
        .map(|output| (number(output.label.package.as_str()), output.tree))
        .collect()
}
