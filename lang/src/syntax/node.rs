//! The tree: nodes in one arena, so that neither reading nor dropping it recurses.

/// Index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// A range of bytes of the file the tree belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// First byte.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
}

/// A node and the bytes it covers, without the blanks around.
#[derive(Debug)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) kind: NodeKind,
    /// Where it is.
    pub(crate) range: Range,
}

/// How a text without interpolation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// `"…"`.
    Plain,
    /// `#"…"#`.
    Raw,
    /// Back-ticks.
    Backtick,
}

/// What a node is. Statements and expressions share the arena: in Rhai most are both. Parts that no
/// one asks for by their role are not named: they are nodes of the arena like all others.
#[derive(Debug)]
pub(crate) enum NodeKind {
    /// What could not be read.
    Missing,
    /// A number, a character, a truth value or `()`.
    Literal,
    /// A text without interpolation.
    Text(TextKind),
    /// A back-tick string with code in it.
    Interpolated,
    /// A variable.
    Name,
    /// `module::name`.
    Qualified,
    /// `name(…)` or `module::name(…)`.
    Call {
        /// The last part of the name.
        name: Range,
        /// What is handed over.
        arguments: Arguments,
    },
    /// `[…]`.
    List(Vec<NodeId>),
    /// `#{…}`.
    Map(Vec<Entry>),
    /// An expression followed by `.field`, `.method(…)` and `[index]`.
    Chain {
        /// What it begins with.
        head: NodeId,
        /// What follows, at least one.
        links: Vec<Link>,
    },
    /// Operands between binary operators; precedence is left to Rhai.
    Operators(Vec<NodeId>),
    /// `-x`, `!x`.
    Prefix,
    /// `(…)`.
    Group(NodeId),
    /// `{…}`.
    Block(Vec<NodeId>),
    /// `if … else if … else …`.
    If {
        /// Conditions and bodies.
        branches: Vec<(NodeId, NodeId)>,
        /// The body of `else`.
        otherwise: Option<NodeId>,
    },
    /// `switch`: what its cases give.
    Switch(Vec<NodeId>),
    /// `for`, `while`, `loop`, `do`.
    Loop {
        /// Variables it defines.
        variables: Vec<Range>,
        /// The body.
        body: NodeId,
    },
    /// `|a, b| …`: its parameters.
    Closure(Vec<Range>),
    /// `let` and `const`.
    Let {
        /// Which of the two.
        binding: Binding,
        /// The name.
        name: Range,
        /// What it is set to.
        value: Option<NodeId>,
    },
    /// `target = value`, `target += value`.
    Assign,
    /// `fn name(…) {…}`.
    Function {
        /// The name.
        name: Range,
        /// Parameters.
        parameters: Vec<Range>,
        /// The block.
        body: NodeId,
    },
    /// `import path as alias`.
    Import {
        /// The name it gets.
        alias: Option<Range>,
    },
    /// `export`.
    Export,
    /// `return`, `throw`, `break`, `continue`.
    Leave,
    /// `try {…} catch (e) {…}`.
    Try {
        /// What is tried.
        body: NodeId,
        /// The variable of the error.
        variable: Option<Range>,
        /// What is done then.
        otherwise: NodeId,
    },
}

/// Which word defined a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `let`.
    Variable,
    /// `const`.
    Constant,
}

/// Arguments and their parentheses.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// From `(` to `)`.
    pub(crate) range: Range,
    /// The arguments.
    pub(crate) items: Vec<NodeId>,
}

/// `key: value`.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key as written, with its quotes.
    pub(crate) key: Range,
    /// The value.
    pub(crate) value: NodeId,
}

/// One link of a chain.
#[derive(Debug)]
pub(crate) enum Link {
    /// `.name`.
    Field(Range),
    /// `.name(…)`.
    Method {
        /// The name.
        name: Range,
        /// What is handed over.
        arguments: Arguments,
    },
    /// `[…]`.
    Index,
}

impl Range {
    /// Whether a byte lies in it.
    pub(crate) fn contains(self, offset: u32) -> bool {
        self.start <= offset && offset < self.end
    }
}
