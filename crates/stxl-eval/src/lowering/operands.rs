//! What roots are made with: packages, files, directories, seeds, sources, other roots.

use std::sync::Arc;
use stxl_lang::{
    DirectoryImport, FetchSource, FileImport, Operand, Reference, SeedImport, Site, SourcePath,
};
use stxl_model::{
    ArchiveFormat, Derivation, Directory, FILE_ENTRY, Fetch, FragmentInput, Import, ImportDecode,
    ImportKind, ImportSource, LeftOut, RootPath, Sha256, TreeId, TreeOp, Unpack, decode_hex_text,
};

use super::compose::Composition;
use super::{Lowering, Reported, RootState, address};
use crate::database::{EntryState, FileContent, FileState};
use crate::node::{NodeKey, brought_by, key_of, resolve};
use crate::read::Read;
use crate::settings::{LOCAL_OVERLAY, is_local};
use crate::source_tree::FileDigest;
use crate::suggestion::nearest;

/// Where the files of an archive are while one of them is taken out.
const MEMBERS: &str = "/members";

/// What is put where something is unpacked.
pub(super) enum Unpacked {
    /// A tree.
    Tree(FragmentInput),
    /// A file that is no archive, and its path.
    File(FragmentInput, RootPath),
}

impl Lowering<'_> {
    /// Merges operands in their order, after what their packages bring.
    pub(super) fn merge(
        &mut self,
        state: &mut RootState,
        operands: &[Operand],
        site: &Site,
    ) -> Result<(), Reported> {
        let mut packages = Vec::new();
        for operand in operands {
            if let Operand::Package(reference) = operand {
                packages.push(self.resolved(reference)?);
            }
        }
        self.merge_brought(state, &packages, site)?;
        for operand in operands {
            if operand.file_name().is_some() {
                let message = "A file cannot be merged into a root".to_owned();
                let hint = "say where it goes: `.put(…, \"/path\")`".to_owned();
                let site = operand_site(operand).unwrap_or(site);
                return Err(self.report_with_hints("file-merged", message, site, vec![hint]));
            }
            let input = self.operand(operand, site)?;
            state.merged.insert(input);
            state.tree.merge(input);
        }
        Ok(())
    }

    /// Merges what packages bring. Nobody chose an order for these: two of them that have different
    /// files at one path are an error of the derivation that merges them, a compose of its own. The
    /// same holds for what was brought into the root before, by an earlier list: that one is not
    /// merged again, since what was named meanwhile may have replaced parts of it.
    fn merge_brought(
        &mut self,
        state: &mut RootState,
        packages: &[NodeKey],
        site: &Site,
    ) -> Result<(), Reported> {
        let mut brought = Vec::new();
        // Most outputs name packages once, in one list: what that brings is known.
        let (written, known) = self
            .needed
            .nodes
            .split_at_checked(self.needed.written)
            .unwrap_or_default();
        let nodes = if written == packages {
            known.to_vec()
        } else {
            brought_by(self.db, packages)
        };
        for node in nodes {
            let input = self.need(&node)?;
            if state.merged.insert(input) {
                brought.push(input);
            }
        }
        if brought.is_empty() {
            return Ok(());
        }
        if !state.brought.is_empty() {
            let all = [state.brought.as_slice(), &brought].concat();
            let mut fitting = Composition::of_brought(&all);
            fitting.push_emptying();
            let name = format!("{}: what is brought fits together", self.node.label);
            let nothing = self.materialise(fitting, name, site);
            state.tree.merge(nothing);
        }
        let name = format!("{}: what is brought", self.node.label);
        let merged = self.materialise(Composition::of_brought(&brought), name, site);
        state.tree.merge(merged);
        state.brought.extend(brought);
        Ok(())
    }

    /// The node a reference leads to. One that leads nowhere is among the diagnostics of `needed`,
    /// which checked them all: they are checked again only if some were refused.
    fn resolved(&self, reference: &Reference) -> Result<NodeKey, Reported> {
        if self.needed.is_broken {
            return resolve(self.db, self.node, reference).map_err(|_| Reported);
        }
        Ok(key_of(self.node, reference))
    }

    /// A node by its position among what is needed, in which everything is that can be named.
    fn need(&self, node: &NodeKey) -> Result<FragmentInput, Reported> {
        let position = self.needs.get_index_of(node).ok_or(Reported)?;
        u32::try_from(position)
            .map(FragmentInput::Need)
            .map_err(|_| Reported)
    }

    /// What gives an operand's tree.
    pub(super) fn operand(
        &mut self,
        operand: &Operand,
        site: &Site,
    ) -> Result<FragmentInput, Reported> {
        match operand {
            Operand::Package(reference) => {
                let node = self.resolved(reference)?;
                self.need(&node)
            }
            Operand::File(file) => self.file(file),
            Operand::Directory(directory) => self.directory(directory),
            Operand::Seed(seed) => self.seed(seed),
            Operand::Fetch(source) => match &source.member {
                Some(member) => self.member(source, member),
                None => Ok(self.fetch(source)),
            },
            Operand::Root(root) => {
                let address = address(&root.0);
                if let Some(known) = self.roots.get(&address) {
                    return Ok(*known);
                }
                self.remember(root)?;
                let state = self.root(root)?;
                let name = format!("{}: root", self.node.label);
                let input = self.materialise(state.tree, name, site);
                self.roots.insert(address, input);
                Ok(input)
            }
            Operand::Output(output) => {
                let address = Arc::as_ptr(output).addr();
                if let Some(known) = self.outputs.get(&address) {
                    return Ok(*known);
                }
                self.remember(&output.root)?;
                let name = format!("{}: part", self.node.label);
                let input = self.output(output, name)?;
                self.outputs.insert(address, input);
                Ok(input)
            }
        }
    }

    /// What is put where an archive is unpacked: its tree; what is a tree already; or a file, if
    /// its name is that of no archive.
    pub(super) fn unpacked(
        &mut self,
        archive: &Operand,
        (at, strip_components): (&RootPath, u32),
        site: &Site,
    ) -> Result<Unpacked, Reported> {
        let input = self.operand(archive, site)?;
        let Some(file_name) = archive.file_name() else {
            return Ok(Unpacked::Tree(input));
        };
        let Some(format) = ArchiveFormat::of_file_name(&file_name) else {
            let at = at.child(file_name.as_bytes()).map_err(|error| {
                let message = format!("A file cannot be put under its name: {error}");
                self.report("bad-path", message, site)
            })?;
            return Ok(Unpacked::File(input, at));
        };
        let origin = self.origin(format!("{}: unpack {file_name}", self.node.label), site);
        let unpack = Unpack {
            archive: input,
            format,
            strip_components,
        };
        let tree = self.add(&Derivation::Unpack(unpack), &origin);
        Ok(Unpacked::Tree(tree))
    }

    pub(super) fn patch(
        &mut self,
        patch: &Operand,
        site: &Site,
    ) -> Result<FragmentInput, Reported> {
        match patch {
            Operand::Fetch(source) if !source.is_directory() => self.operand(patch, site),
            Operand::File(_) => self.operand(patch, site),
            Operand::Package(_)
            | Operand::Fetch(_)
            | Operand::Directory(_)
            | Operand::Seed(_)
            | Operand::Root(_)
            | Operand::Output(_) => {
                let message = "A patch is a file or a source from outside".to_owned();
                Err(self.report("bad-patch", message, site))
            }
        }
    }

    fn fetch(&mut self, source: &FetchSource) -> FragmentInput {
        let name = format!("{}: fetch {}", self.node.label, source.fetched_name());
        let mut origin = self.origin(name, &source.site);
        origin.urls.clone_from(&source.urls);
        origin.is_opaque = self.facts.is_opaque;
        let fetch = Fetch { lock: source.lock };
        self.add(&Derivation::Fetch(fetch), &origin)
    }

    /// One file of an archive, by its whole path there.
    fn member(&mut self, source: &FetchSource, member: &str) -> Result<FragmentInput, Reported> {
        let outer = source.fetched_name();
        let Some(format) = ArchiveFormat::of_file_name(&outer) else {
            let message = format!("`{outer}` is no archive, so it has no `{member}`");
            return Err(self.report("bad-path", message, &source.site));
        };
        let unpack = Unpack {
            archive: self.fetch(source),
            format,
            strip_components: 0,
        };
        let origin = self.origin(format!("{}: unpack {outer}", self.node.label), &source.site);
        let tree = self.add(&Derivation::Unpack(unpack), &origin);
        let parsed = |path: &str| RootPath::parse(path.as_bytes());
        let paths = (parsed(MEMBERS), parsed(&format!("{MEMBERS}/{member}")));
        let (Ok(members), Ok(from)) = paths else {
            let message = format!("`{member}` is no path of a file in an archive");
            return Err(self.report("bad-path", message, &source.site));
        };
        let mut composition = Composition::default();
        let input = composition.input(tree);
        let at = members.clone();
        composition.push(TreeOp::PutTree { input, at });
        let to = RootPath::root().child(FILE_ENTRY);
        let to = to.expect("a name of letters is valid");
        composition.push(TreeOp::Move { from, to });
        composition.push(TreeOp::Remove { path: members });
        let name = format!("{}: {member} of {outer}", self.node.label);
        Ok(self.materialise(composition, name, &source.site))
    }

    fn file(&mut self, file: &FileImport) -> Result<FragmentInput, Reported> {
        let tree = self.tree_of_file(&file.path, &file.site)?;
        let name = format!("{}: file {}", self.node.label, file.path.file_name());
        let import = Import {
            kind: ImportKind::File,
            tree,
        };
        let source = import_source(&file.path, ImportDecode::Plain, &[]);
        Ok(self.import(name, import, source, &file.site))
    }

    fn seed(&mut self, seed: &SeedImport) -> Result<FragmentInput, Reported> {
        let text = self.bytes_of(&seed.path, &seed.site)?;
        let bytes = match decode_hex_text(&text) {
            Ok(bytes) => bytes,
            Err(wrong) => {
                let at = Site {
                    path: seed.path.clone(),
                    line: wrong.line(),
                    column: 1,
                };
                let message = format!("`{}` is not annotated hexadecimal text: {wrong}", seed.path);
                return Err(self.report("bad-seed-text", message, &at));
            }
        };
        let actual = Sha256::of(&bytes);
        if actual != seed.sha256 {
            let message = format!("The seed `{}` has another hash", seed.path);
            let hint = format!("its bytes are {actual}; check them by hand before you write this");
            return Err(self.report_with_hints("wrong-seed-hash", message, &seed.site, vec![hint]));
        }
        let allowed = self.db.configuration().seeds(self.db);
        if !allowed.allows(&self.node.label, &actual) {
            let message = format!("The seed `{}` is not on the list of seeds", seed.path);
            let hint = format!(
                "once its bytes are audited, add to `[seeds]` in `stxl.toml`: \"{}\" = [\"{actual}\"]",
                self.node.label
            );
            return Err(self.report_with_hints(
                "seed-not-allowed",
                message,
                &seed.site,
                vec![hint],
            ));
        }
        let name = format!("{}: seed {}", self.node.label, seed.path.file_name());
        let import = Import {
            kind: ImportKind::Seed,
            tree: tree_of_file(FileDigest::of(&bytes)),
        };
        let source = import_source(&seed.path, ImportDecode::Hex, &[]);
        Ok(self.import(name, import, source, &seed.site))
    }

    fn directory(&mut self, directory: &DirectoryImport) -> Result<FragmentInput, Reported> {
        self.check_outside(directory)?;
        let key = (directory.path.clone(), self.left_out_of(directory)?);
        self.reads.insert(Read::Directory(key.clone()));
        self.reads.insert(Read::Presence(directory.path.clone()));
        let is_directory = self.db.entry(&directory.path).found(self.db) == EntryState::Directory;
        let import = || self.db.directory(&key).tree(self.db);
        let tree = self.db.shared().importing(&self.facts.path, import);
        let tree = match tree {
            Ok(tree) if is_directory => tree,
            Ok(_) => {
                let message = format!("`{}` is not a directory", directory.path);
                return Err(self.report("unknown-directory", message, &directory.site));
            }
            Err(reason) => {
                let message = format!("`{}` cannot be imported: {reason}", directory.path);
                let hint = "leave out what is not needed: `ignore: [\"…\"]`, or `gitignore: true`";
                let hints = vec![hint.to_owned()];
                let id = "unreadable-directory";
                return Err(self.report_with_hints(id, message, &directory.site, hints));
            }
        };
        let name = format!("{}: directory {}", self.node.label, directory.path);
        let import = Import {
            kind: ImportKind::Directory,
            tree,
        };
        let source = import_source(&directory.path, ImportDecode::Plain, &key.1);
        Ok(self.import(name, import, source, &directory.site))
    }

    /// Patterns of what is left out of a directory: those of its `.gitignore`, if that counts,
    /// before the definition's own, which so have the last word.
    fn left_out_of(&mut self, directory: &DirectoryImport) -> Result<Vec<String>, Reported> {
        if !directory.follows_gitignore {
            return Ok(directory.ignore.clone());
        }
        let path = SourcePath::new(&format!("{}/.gitignore", directory.path));
        self.reads.insert(Read::File(path.clone()));
        let bytes = match self.db.file(&path).state(self.db) {
            FileState::File(bytes) => bytes,
            FileState::Missing | FileState::Directory => return Ok(directory.ignore.clone()),
            FileState::Unreadable(reason) => {
                return Err(self.report_unreadable(&path, &reason, &directory.site));
            }
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(self.report_unreadable(&path, "it is not text in UTF-8", &directory.site));
        };
        let mut patterns = Vec::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            if !LeftOut::says_something(line) {
                continue;
            }
            if let Err(error) = LeftOut::new(&[line]) {
                let message = format!("`{path}`, line {number}: {error}");
                let hint = "write the line otherwise, or leave the file aside: `gitignore: false`";
                let hints = vec![hint.to_owned()];
                return Err(self.report_with_hints("bad-glob", message, &directory.site, hints));
            }
            patterns.push(line.to_owned());
        }
        patterns.extend_from_slice(&directory.ignore);
        Ok(patterns)
    }

    /// Only `local/`, which is this machine's alone, may name a directory outside of the workspace;
    /// what lies beside a definition of an overlay is its own.
    fn check_outside(&mut self, directory: &DirectoryImport) -> Result<(), Reported> {
        let path = directory.path.as_str();
        let site = self.shown_site(&directory.site);
        let is_own = || {
            let rest = path.strip_prefix(site.path.folder());
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let is_outside = path.starts_with("../") || path.starts_with('/');
        if !is_outside || is_local(&site.path) || is_own() {
            return Ok(());
        }
        let message = format!("`{path}` lies outside of the workspace");
        let hint = format!(
            "only a definition in `{LOCAL_OVERLAY}/` may import it: others do not have it; copy it beside this file"
        );
        Err(self.report_with_hints("outside-directory", message, &directory.site, vec![hint]))
    }

    fn import(
        &mut self,
        name: String,
        import: Import,
        source: ImportSource,
        site: &Site,
    ) -> FragmentInput {
        let mut origin = self.origin(name, site);
        origin.import = Some(source);
        self.add(&Derivation::Import(import), &origin)
    }

    fn bytes_of(&mut self, path: &SourcePath, site: &Site) -> Result<Arc<[u8]>, Reported> {
        self.reads.insert(Read::File(path.clone()));
        match self.db.file(path).state(self.db) {
            FileState::File(bytes) => Ok(bytes),
            FileState::Missing => Err(self.report_missing(path, site)),
            FileState::Directory => Err(self.report_unreadable(path, "it is a directory", site)),
            FileState::Unreadable(reason) => Err(self.report_unreadable(path, &reason, site)),
        }
    }

    fn tree_of_file(&mut self, path: &SourcePath, site: &Site) -> Result<TreeId, Reported> {
        self.reads.insert(Read::Import(path.clone()));
        let import = || self.db.imported_file(path).content(self.db);
        match self.db.shared().importing(&self.facts.path, import) {
            FileContent::File(digest) => Ok(tree_of_file(digest)),
            FileContent::Missing => Err(self.report_missing(path, site)),
            FileContent::Unreadable(reason) => Err(self.report_unreadable(path, &reason, site)),
        }
    }

    fn report_missing(&mut self, path: &SourcePath, site: &Site) -> Reported {
        let folder = SourcePath::new(path.folder());
        let names = self.db.folder(&folder).names(self.db);
        let near = nearest(path.file_name(), names.iter().map(String::as_str));
        let hints = near
            .iter()
            .map(|it| format!("did you mean `{it}`?"))
            .collect();
        let message = format!("There is no file `{path}`");
        self.report_with_hints("unknown-file", message, site, hints)
    }

    fn report_unreadable(&mut self, path: &SourcePath, reason: &str, site: &Site) -> Reported {
        let message = format!("`{path}` cannot be read: {reason}");
        self.report("unreadable-file", message, site)
    }
}

fn import_source(path: &SourcePath, decode: ImportDecode, ignore: &[String]) -> ImportSource {
    let (path, ignore) = (path.as_str().to_owned(), ignore.to_vec());
    ImportSource {
        path,
        decode,
        ignore,
    }
}

fn operand_site(operand: &Operand) -> Option<&Site> {
    match operand {
        Operand::Package(it) => Some(&it.site),
        Operand::File(it) => Some(&it.site),
        Operand::Directory(it) => Some(&it.site),
        Operand::Seed(it) => Some(&it.site),
        Operand::Fetch(it) => Some(&it.site),
        Operand::Root(_) | Operand::Output(_) => None,
    }
}

/// The tree that stands for an imported file. Its executable bit is never set, whatever the file's
/// mode on this machine: `.put(…, "exec")` sets it.
fn tree_of_file(digest: FileDigest) -> TreeId {
    Directory::of_file(digest.blob, digest.size_bytes).id()
}
