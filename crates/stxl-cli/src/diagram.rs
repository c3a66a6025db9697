//! A graph of packages or steps, to be drawn: what is in it, and which needs others imply.
//!
//! | what | where |
//! |---|---|
//! | packages and steps as items | `items` |
//! | needs that others imply | `reduction` |
//! | where everything is drawn | `layout`, `columns` |
//! | the forms it is written in | `dot`, `record`, `svg`, `page` |

mod columns;
pub(crate) mod dot;
mod items;
mod layout;
pub(crate) mod page;
pub(crate) mod record;
mod reduction;
pub(crate) mod svg;

pub(crate) use items::{of_packages, of_steps};
pub(crate) use layout::draw;

/// Most items that are laid out: no browser shows more at once.
pub(crate) const DRAWN_MAX: usize = 5000;

/// Items, and who needs whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagram {
    /// What stands for an item.
    pub(crate) kind: ItemKind,
    /// What was asked for, as it was typed; empty for everything.
    pub(crate) title: String,
    /// The stages of its items, earlier ones first.
    pub(crate) stages: Vec<String>,
    pub(crate) items: Vec<Item>,
    /// Sorted, without duplicates, none from an item to itself.
    pub(crate) needs: Vec<Need>,
}

/// What the items of a diagram are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ItemKind {
    #[default]
    Package,
    Step,
}

/// A package, or a derivation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    /// What no other item has: a label, or a derivation id.
    pub(crate) id: String,
    /// What is drawn.
    pub(crate) text: String,
    /// The package.
    pub(crate) label: String,
    pub(crate) stage: String,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    /// The kind of a derivation.
    pub(crate) kind: Option<&'static str>,
    pub(crate) status: Option<ItemStatus>,
    /// The names of its steps, within the package.
    pub(crate) steps: Vec<String>,
    /// Where it is defined.
    pub(crate) file: String,
    pub(crate) line: u32,
    /// Whether its definition says that nothing of the plan made it.
    pub(crate) is_opaque: bool,
}

/// What a build would do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ItemStatus {
    /// Everything of it is known.
    Cached,
    /// Something below it would run; after that it may run or be cut off.
    Pending,
    /// Something of it would run.
    Run,
}

/// An item needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    pub(crate) user: usize,
    pub(crate) on: usize,
    /// Whether it follows from others: what is needed needs it too, over any number of steps.
    pub(crate) is_implied: bool,
    /// Whether it leads back: packages may need each other by different outputs.
    pub(crate) is_back: bool,
}

impl ItemStatus {
    pub(crate) const ALL: [Self; 3] = [Self::Cached, Self::Pending, Self::Run];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Pending => "pending",
            Self::Run => "run",
        }
    }
}

impl ItemKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Package => "packages",
            Self::Step => "derivations",
        }
    }
}

impl Diagram {
    /// Puts items and their needs together; which needs lead back or are implied is found out.
    fn new(kind: ItemKind, items: Vec<Item>, pairs: Vec<(usize, usize)>) -> Self {
        let mut diagram = Self {
            kind,
            title: String::new(),
            stages: Vec::new(),
            items,
            needs: reduction::needs_of(pairs),
        };
        reduction::mark(&mut diagram);
        diagram
    }

    /// Without the needs that others imply.
    pub(crate) fn reduced(mut self) -> Self {
        self.needs.retain(|need| !need.is_implied);
        self
    }
}
