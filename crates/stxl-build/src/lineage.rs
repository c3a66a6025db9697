//! What a file was made from: back to the step that made it, and from there to every seed and
//! source below.

mod seen;
mod shipped;

use std::collections::BTreeSet;

use stxl_model::{
    BlobId, Derivation, DerivationId, FILE_ENTRY, ImportKind, Kind, Node, Plan, RootPath, TreeId,
    TreeOp,
};
use stxl_store::{Store, StoreError};

use crate::graph::Graph;
use crate::schedule::Schedule;
use crate::status::resolve;
use crate::trail::{Spot, Trail, same_content};

pub use shipped::{ShippedFile, ShippedFiles};

/// How many symlinks are followed to the file that is asked about.
const LINKS_MAX: usize = 40;

/// Everything that a file, or a whole output, was made from. Nodes are positions in the plan.
#[derive(Debug)]
pub struct Lineage {
    /// What it is about.
    pub subject: Subject,
    /// The node that made it: what that has it from has other bytes, or nothing. Of a directory the
    /// node that was asked about.
    pub maker: usize,
    /// Whether the maker is told for sure; else trees further back are not in the store any more.
    pub is_maker_certain: bool,
    /// The maker and everything below it, in the order of the plan.
    pub nodes: Vec<usize>,
    /// The way from the maker down to a seed that leads through the most steps; where no seed is
    /// below it, to a source or a file of the workspace.
    pub chain: Vec<usize>,
    /// The seeds, each with its size in bytes, unless the store does not have it any more.
    pub seeds: Vec<(usize, Option<u64>)>,
    /// The sources from outside, locked by hash.
    pub sources: Vec<usize>,
    /// The files and directories of the workspace.
    pub imports: Vec<usize>,
    /// Machine code that nothing of the plan made and that is no seed.
    pub opaque: Vec<Opaque>,
    /// What of the sources somebody generated or compiled, by the node that fetches or unpacks
    /// them; those without either are not listed. Files that were taken out before a step ran, and
    /// are not in the subject, are not listed; where it is not known which these are, all are.
    pub shipped: Vec<(usize, ShippedFiles)>,
    /// Archives of which it is not known what they hold: the store does not have it any more.
    pub unseen: Vec<usize>,
}

/// What a lineage is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A file.
    File {
        /// Where it is, symlinks followed.
        path: RootPath,
        /// Its bytes.
        blob: BlobId,
        /// How many these are.
        size_bytes: u64,
    },
    /// A whole output, or a directory of one.
    Tree {
        /// The directory.
        path: RootPath,
        /// All that is in it.
        tree: TreeId,
    },
}

/// Something of which nothing in the plan tells how it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// A source whose definition says so, or that is a package of binaries.
    Declared {
        /// The node.
        node: usize,
    },
    /// A file of the workspace that is no text.
    Binary {
        /// The node that imports or writes it.
        node: usize,
        /// Where it is in what is imported or made.
        path: RootPath,
    },
    /// Files of the workspace that the store does not have any more, so nobody knows.
    Gone {
        /// The node that imports them.
        node: usize,
    },
}

impl Opaque {
    /// The node that takes it in.
    pub const fn node(&self) -> usize {
        match self {
            Self::Declared { node } | Self::Gone { node } | Self::Binary { node, .. } => *node,
        }
    }
}

/// Why there is no lineage.
#[derive(Debug, thiserror::Error)]
pub enum LineageError {
    /// The output was not built from this text.
    #[error("`{name}` was not built from this text")]
    NotBuilt {
        /// The derivation.
        name: String,
    },
    /// The output has nothing at the path.
    #[error("there is nothing at `{path}`")]
    NothingThere {
        /// The path.
        path: RootPath,
    },
    /// A symlink leads out of the output.
    #[error("`{path}` is a symlink to `{target}`, which the output does not have")]
    LeadsElsewhere {
        /// The symlink.
        path: RootPath,
        /// Where it points.
        target: String,
    },
    /// Symlinks lead in a circle.
    #[error("the symlinks of `{path}` lead in a circle")]
    Circle {
        /// The path that was asked for.
        path: RootPath,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds out what an output, or what it has at a path, was made from. The plan has to be built.
pub fn lineage(
    store: &Store,
    plan: &Plan,
    output: &DerivationId,
    path: &RootPath,
) -> Result<Lineage, LineageError> {
    let graph = Graph::new(plan);
    let schedule = resolve(store, plan, &graph)?;
    let asked = plan
        .position(output)
        .filter(|node| schedule.tree(*node).is_some());
    let asked = asked.ok_or_else(|| LineageError::NotBuilt {
        name: plan
            .node(output)
            .map_or_else(String::new, |node| node.origin.name.clone()),
    })?;
    let research = Research {
        store,
        plan,
        graph: &graph,
        schedule: &schedule,
    };
    let subject = research.subject(asked, path)?;
    let (maker, is_maker_certain) = match &subject {
        Subject::File { path, .. } => research.maker((asked, path.clone()))?,
        Subject::Tree { .. } => (asked, true),
    };
    let nodes = research.below(maker);
    let mut lineage = Lineage {
        subject,
        maker,
        is_maker_certain,
        chain: research.chain(maker, &nodes),
        nodes,
        seeds: Vec::new(),
        sources: Vec::new(),
        imports: Vec::new(),
        opaque: Vec::new(),
        shipped: Vec::new(),
        unseen: Vec::new(),
    };
    let mut archives = BTreeSet::new();
    for node in lineage.nodes.clone() {
        research.look_at(node, &mut archives, &mut lineage)?;
    }
    research.leave_out_unseen(&mut lineage)?;
    Ok(lineage)
}

struct Research<'a> {
    store: &'a Store,
    plan: &'a Plan,
    graph: &'a Graph,
    schedule: &'a Schedule<'a>,
}

impl Research<'_> {
    /// What a node has at a path, symlinks followed wherever they stand on the way.
    fn subject(&self, node: usize, asked: &RootPath) -> Result<Subject, LineageError> {
        let tree = self
            .schedule
            .tree(node)
            .expect("asked for after it was known");
        let mut path = RootPath::root();
        let mut subject = Subject::Tree { path, tree };
        let mut rest: Vec<Vec<u8>> = asked.parts().rev().map(<[u8]>::to_vec).collect();
        let mut link: Option<(RootPath, Vec<u8>)> = None;
        let mut links = 0;
        let nothing = |path: RootPath, link: Option<(RootPath, Vec<u8>)>| match link {
            Some((link, target)) => leads_elsewhere(&link, &target),
            None => LineageError::NothingThere { path },
        };
        while let Some(part) = rest.pop() {
            path = match step_down(subject.path(), &part) {
                Some(path) => path,
                None => return Err(nothing(asked.clone(), link)),
            };
            subject = match self.store.find(&tree, &path)? {
                Some(Node::File {
                    blob, size_bytes, ..
                }) if rest.is_empty() => Subject::File {
                    path,
                    blob,
                    size_bytes,
                },
                Some(Node::Directory { tree }) => Subject::Tree { path, tree },
                Some(Node::Symlink { target }) => {
                    links += 1;
                    if links > LINKS_MAX {
                        let path = asked.clone();
                        return Err(LineageError::Circle { path });
                    }
                    let parts = target.split(|byte| *byte == b'/');
                    rest.extend(parts.rev().map(<[u8]>::to_vec));
                    let base = match target.first() {
                        Some(b'/') => RootPath::root(),
                        Some(_) | None => subject.path().clone(),
                    };
                    link.get_or_insert((path, target));
                    self.directory(tree, base)?
                }
                Some(Node::File { .. }) | None => return Err(nothing(path, link)),
            };
        }
        Ok(subject)
    }

    /// A directory of a tree that was gone through already.
    fn directory(&self, tree: TreeId, path: RootPath) -> Result<Subject, LineageError> {
        match self.store.find(&tree, &path)? {
            Some(Node::Directory { tree }) => Ok(Subject::Tree { path, tree }),
            Some(_) | None => Err(LineageError::NothingThere { path }),
        }
    }

    /// The node that gave a file its bytes: what it has it from has others, or nothing. Not for
    /// sure if trees on the way back are not in the store any more.
    fn maker(&self, spot: Spot) -> Result<(usize, bool), StoreError> {
        let mut trail = Trail::new(self.store, self.plan, self.schedule);
        let (mut node, mut path) = spot;
        loop {
            let Some(back) = there(trail.step_back(node, &path))? else {
                return Ok((node, false));
            };
            let Some((before, below)) = back else {
                return Ok((node, trail.is_complete));
            };
            let own = there(trail.entry(&self.plan.nodes()[node].id, &path))?.flatten();
            let was = there(trail.entry(&self.plan.nodes()[before].id, &below))?.flatten();
            match (own, was) {
                (Some(own), Some(was)) if same_content(&own, &was) => {
                    (node, path) = (before, below);
                }
                (Some(_), Some(_)) => return Ok((node, trail.is_complete)),
                (None, _) | (_, None) => return Ok((node, false)),
            }
        }
    }

    /// A node and everything below it, in the order of the plan.
    fn below(&self, node: usize) -> Vec<usize> {
        let mut found = BTreeSet::from([node]);
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let inputs = self.graph.inputs(node).iter();
            stack.extend(inputs.filter(|input| found.insert(**input)));
        }
        found.into_iter().collect()
    }

    /// The way down to a seed that leads through the most steps; of equal ones the first as the
    /// recipes have them.
    fn chain(&self, maker: usize, nodes: &[usize]) -> Vec<usize> {
        // By position: whether a seed is reached, how many steps lie below, which input is next.
        let mut best: Vec<(bool, usize, Option<usize>)> =
            vec![(false, 0, None); self.plan.nodes().len()];
        for node in nodes {
            let inputs = self.graph.inputs(*node).iter().rev();
            let next = inputs
                .copied()
                .max_by_key(|input| (best[*input].0, best[*input].1));
            let (reaches, steps) = next.map_or((self.is_seed(*node), 0), |input| {
                (best[input].0, best[input].1)
            });
            let own = usize::from(self.plan.nodes()[*node].derivation.kind() == Kind::Exec);
            best[*node] = (reaches, steps + own, next);
        }
        let mut chain = vec![maker];
        while let Some(next) = chain.last().and_then(|last| best[*last].2) {
            chain.push(next);
        }
        chain
    }

    fn is_seed(&self, node: usize) -> bool {
        let derivation = self.plan.nodes()[node].derivation.decode();
        matches!(derivation, Ok(Derivation::Import(import)) if import.kind == ImportKind::Seed)
    }

    /// The bytes of a tree that is one file, and how many they are; nothing if the store does not
    /// have it any more.
    fn file_of(&self, tree: &TreeId) -> Result<Option<(BlobId, u64)>, StoreError> {
        let directory = there(self.store.directory(tree))?;
        Ok(
            match directory.as_deref().and_then(|it| it.find(FILE_ENTRY)) {
                Some(Node::File {
                    blob, size_bytes, ..
                }) => Some((*blob, *size_bytes)),
                Some(Node::Symlink { .. } | Node::Directory { .. }) | None => None,
            },
        )
    }

    /// Notes what a node takes in. Archives that were looked into are in `archives`.
    fn look_at(
        &self,
        node: usize,
        archives: &mut BTreeSet<DerivationId>,
        lineage: &mut Lineage,
    ) -> Result<(), StoreError> {
        let plan_node = &self.plan.nodes()[node];
        if plan_node.origin.brings_machine_code() {
            lineage.opaque.push(Opaque::Declared { node });
        }
        let Ok(derivation) = plan_node.derivation.decode() else {
            return Ok(());
        };
        match derivation {
            Derivation::Fetch(_) => {
                lineage.sources.push(node);
                // Of one that is gone, what was unpacked of it tells.
                let tree = self.schedule.tree(node);
                let found = tree.map(|tree| there(shipped::look_into(self.store, &tree)));
                if let Some(found) = found.transpose()?.flatten()
                    && !found.is_empty()
                {
                    lineage.shipped.push((node, found));
                }
            }
            Derivation::Import(import) if import.kind == ImportKind::Seed => {
                let file = self.file_of(&import.tree)?;
                lineage
                    .seeds
                    .push((node, file.map(|(_, size_bytes)| size_bytes)));
            }
            Derivation::Import(import) => {
                lineage.imports.push(node);
                match there(shipped::binaries(self.store, &import.tree))? {
                    Some(paths) => lineage
                        .opaque
                        .extend(paths.into_iter().map(|path| Opaque::Binary { node, path })),
                    None => lineage.opaque.push(Opaque::Gone { node }),
                }
            }
            Derivation::Unpack(unpack) if archives.insert(unpack.archive) => {
                let tree = self.schedule.tree(node);
                let found = tree.map(|tree| there(shipped::look_into(self.store, &tree)));
                match found.transpose()?.flatten() {
                    Some(found) if found.is_empty() => {}
                    Some(found) => lineage.shipped.push((node, found)),
                    None => lineage.unseen.push(node),
                }
            }
            Derivation::Compose(compose) => {
                for op in compose.ops {
                    if let TreeOp::Write { path, content, .. } = op
                        && content.contains(&0)
                    {
                        lineage.opaque.push(Opaque::Binary { node, path });
                    }
                }
            }
            Derivation::Unpack(_)
            | Derivation::Exec(_)
            | Derivation::Archive(_)
            | Derivation::Image(_) => {}
        }
        Ok(())
    }
}

impl Subject {
    /// Where it is.
    pub const fn path(&self) -> &RootPath {
        match self {
            Self::File { path, .. } | Self::Tree { path, .. } => path,
        }
    }
}

/// One part of a path further, as a symlink may have it; nothing if it cannot be a name.
fn step_down(path: &RootPath, part: &[u8]) -> Option<RootPath> {
    match part {
        b"" | b"." => Some(path.clone()),
        b".." => Some(path.parent().unwrap_or(RootPath::root())),
        name => path.child(name).ok(),
    }
}

/// What was found; nothing if it is not in the store any more.
fn there<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::MissingTree { .. } | StoreError::MissingBlob { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn leads_elsewhere(link: &RootPath, target: &[u8]) -> LineageError {
    LineageError::LeadsElsewhere {
        path: link.clone(),
        target: String::from_utf8_lossy(target).into_owned(),
    }
}
