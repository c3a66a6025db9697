//! What a file was made from: back to the step that made it, and from there to every seed and
//! source below.

mod shipped;

use std::collections::BTreeSet;

use stxl_model::{
    BlobId, Derivation, DerivationId, ImportKind, Kind, Node, Plan, RootPath, TreeId,
};
use stxl_store::{Store, StoreError};

use crate::graph::Graph;
use crate::schedule::Schedule;
use crate::status::resolve;
use crate::trail::{Spot, Trail};

pub use shipped::{ShippedFile, ShippedFiles};

/// How many symlinks are followed to the file that is asked about.
const LINKS_MAX: usize = 40;

/// Everything that a file, or a whole output, was made from. Nodes are positions in the plan.
#[derive(Debug)]
pub struct Lineage {
    /// What it is about.
    pub subject: Subject,
    /// The node that made it: below it nothing has these bytes.
    pub maker: usize,
    /// The maker and everything below it, in the order of the plan.
    pub nodes: Vec<usize>,
    /// The way from the maker down to a seed, or where it has none to a source, that leads through
    /// the most steps.
    pub chain: Vec<usize>,
    /// The seeds, each with its size in bytes.
    pub seeds: Vec<(usize, u64)>,
    /// The sources from outside, locked by hash.
    pub sources: Vec<usize>,
    /// The files and directories of the workspace.
    pub imports: Vec<usize>,
    /// Machine code that nothing of the plan made and that is no seed.
    pub opaque: Vec<Opaque>,
    /// What the sources hold that somebody generated or compiled, of one source after the
    /// other; sources without either are not listed.
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
    /// A source whose definition says so.
    Declared {
        /// The node.
        node: usize,
    },
    /// A file of the workspace that is no text.
    Binary {
        /// The node that imports it.
        node: usize,
        /// Where it is in what is imported.
        path: RootPath,
    },
}

impl Opaque {
    /// The node that takes it in.
    pub const fn node(&self) -> usize {
        match self {
            Self::Declared { node } | Self::Binary { node, .. } => *node,
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
    /// A symlink leads out of the output, or in a circle.
    #[error("`{path}` is a symlink to `{target}`, which the output does not have")]
    LeadsElsewhere {
        /// The symlink.
        path: RootPath,
        /// Where it points.
        target: String,
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
    let maker = match &subject {
        Subject::File { path, .. } => research.maker((asked, path.clone()))?,
        Subject::Tree { .. } => asked,
    };
    let nodes = research.below(maker);
    let mut lineage = Lineage {
        subject,
        maker,
        chain: research.chain(maker, &nodes),
        nodes,
        seeds: Vec::new(),
        sources: Vec::new(),
        imports: Vec::new(),
        opaque: Vec::new(),
        shipped: Vec::new(),
        unseen: Vec::new(),
    };
    for node in lineage.nodes.clone() {
        research.look_at(node, &mut lineage)?;
    }
    Ok(lineage)
}

struct Research<'a> {
    store: &'a Store,
    plan: &'a Plan,
    graph: &'a Graph,
    schedule: &'a Schedule<'a>,
}

impl Research<'_> {
    /// What a node has at a path, symlinks followed.
    fn subject(&self, node: usize, path: &RootPath) -> Result<Subject, LineageError> {
        let tree = self
            .schedule
            .tree(node)
            .expect("asked for after it was known");
        let mut path = path.clone();
        let mut first: Option<(RootPath, Vec<u8>)> = None;
        for _ in 0..LINKS_MAX {
            match self.store.find(&tree, &path)? {
                Some(Node::File {
                    blob,
                    size_bytes,
                    executable: _,
                }) => {
                    return Ok(Subject::File {
                        path,
                        blob,
                        size_bytes,
                    });
                }
                Some(Node::Directory { tree }) => return Ok(Subject::Tree { path, tree }),
                Some(Node::Symlink { target }) => {
                    let next = resolved(&path, &target);
                    let (link, target) = first.get_or_insert((path, target));
                    path = next.ok_or_else(|| leads_elsewhere(link, target))?;
                }
                None => {
                    return Err(match &first {
                        Some((link, target)) => leads_elsewhere(link, target),
                        None => LineageError::NothingThere { path },
                    });
                }
            }
        }
        let (link, target) = first.unwrap_or((path, Vec::new()));
        Err(leads_elsewhere(&link, &target))
    }

    /// The node that gave a file its bytes: what it has it from has others, or nothing.
    fn maker(&self, spot: Spot) -> Result<usize, StoreError> {
        let mut trail = Trail::new(self.store, self.plan, self.schedule);
        let (mut node, mut path) = spot;
        while let Some((before, there)) = trail.step_back(node, &path)? {
            let own = trail.entry(&self.plan.nodes()[node].id, &path)?;
            let was = trail.entry(&self.plan.nodes()[before].id, &there)?;
            if blob_of(own.as_ref()) != blob_of(was.as_ref()) {
                break;
            }
            (node, path) = (before, there);
        }
        Ok(node)
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

    /// Notes what a node takes in.
    fn look_at(&self, node: usize, lineage: &mut Lineage) -> Result<(), StoreError> {
        let plan_node = &self.plan.nodes()[node];
        if plan_node.origin.is_opaque {
            lineage.opaque.push(Opaque::Declared { node });
        }
        let Ok(derivation) = plan_node.derivation.decode() else {
            return Ok(());
        };
        match derivation {
            Derivation::Fetch(_) => lineage.sources.push(node),
            Derivation::Import(import) if import.kind == ImportKind::Seed => {
                let entry = RootPath::root().child(stxl_model::FILE_ENTRY);
                let entry = entry.expect("a name of letters is valid");
                let size = match self.store.find(&import.tree, &entry)? {
                    Some(Node::File { size_bytes, .. }) => size_bytes,
                    Some(Node::Symlink { .. } | Node::Directory { .. }) | None => 0,
                };
                lineage.seeds.push((node, size));
            }
            Derivation::Import(import) => {
                lineage.imports.push(node);
                let found = there(shipped::binaries(self.store, &import.tree))?;
                let paths = found.unwrap_or_default().into_iter();
                lineage
                    .opaque
                    .extend(paths.map(|path| Opaque::Binary { node, path }));
            }
            Derivation::Unpack(_) => {
                let tree = self.schedule.tree(node);
                let found = tree.map(|tree| there(shipped::look_into(self.store, &tree)));
                match found.transpose()?.flatten() {
                    Some(found) if found.is_empty() => {}
                    Some(found) => lineage.shipped.push((node, found)),
                    None => lineage.unseen.push(node),
                }
            }
            Derivation::Exec(_)
            | Derivation::Compose(_)
            | Derivation::Archive(_)
            | Derivation::Image(_) => {}
        }
        Ok(())
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

const fn blob_of(node: Option<&Node>) -> Option<&BlobId> {
    match node {
        Some(Node::File { blob, .. }) => Some(blob),
        Some(Node::Symlink { .. } | Node::Directory { .. }) | None => None,
    }
}

/// Where a symlink leads inside a root; nothing if a part of the way cannot be a path.
fn resolved(link: &RootPath, target: &[u8]) -> Option<RootPath> {
    let mut path = match target.first() {
        Some(b'/') => RootPath::root(),
        Some(_) | None => link.parent()?,
    };
    for part in target.split(|byte| *byte == b'/') {
        path = match part {
            b"" | b"." => path,
            b".." => path.parent().unwrap_or(RootPath::root()),
            name => path.child(name).ok()?,
        };
    }
    Some(path)
}

fn leads_elsewhere(link: &RootPath, target: &[u8]) -> LineageError {
    LineageError::LeadsElsewhere {
        path: link.clone(),
        target: String::from_utf8_lossy(target).into_owned(),
    }
}
