//! Statements, blocks and functions.

use super::Parser;
use super::expressions::LEAVING;
use crate::syntax::node::{Binding, NodeId, NodeKind, Range};
use crate::syntax::problem::{ProblemKind, Reach};
use crate::syntax::token::TokenKind;

const ASSIGNMENTS: &[&str] = &[
    "=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^=",
];

/// A statement as read.
pub(super) struct Statement {
    pub(super) id: NodeId,
    /// What may follow it.
    ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// `;` or the end of the block.
    Semicolon,
    /// Anything.
    Own,
}

impl Parser<'_> {
    /// All statements of a file.
    pub(super) fn file(&mut self) -> Vec<NodeId> {
        let mut statements = Vec::new();
        while self.peek().is_some() {
            self.statements_until_end(&mut statements);
            if self.peek().is_some() {
                let here = self.here();
                self.report(ProblemKind::WrongClose, here, Reach::Brackets);
                self.bump();
            }
        }
        statements
    }

    /// Statements up to a `}` that is not theirs, or the end.
    fn statements_until_end(&mut self, statements: &mut Vec<NodeId>) {
        loop {
            while self.eat(";") {}
            if self.peek().is_none() || self.at_any(&["}", ")", "]"]) {
                return;
            }
            if self.blocks == 0 && self.at_any(&["fn", "private"]) && self.doubt == Reach::Brackets
            {
                // A function at the top is a new beginning, whatever brackets were missing before.
                self.doubt = Reach::Local;
            }
            let before = self.next;
            let statement = self.statement();
            statements.push(statement.id);
            if self.next == before {
                self.bump();
            }
            self.after_statement(&statement);
        }
    }

    fn after_statement(&mut self, statement: &Statement) {
        let range = self
            .nodes
            .get(statement.id.0 as usize)
            .map(|node| node.range);
        let is_end = self.peek().is_none() || self.at_any(&[";", "}"]);
        if is_end || statement.ending == Ending::Own {
            return;
        }
        if self.at_any(&[")", "]"]) {
            let here = self.bump();
            self.report(ProblemKind::WrongClose, here, Reach::Brackets);
            return;
        }
        let end = self.last_end();
        let behind = Range { start: end, end };
        if self.at_any(&["fn", "private"]) {
            let kind = ProblemKind::MissingSemicolonBeforeFunction;
            self.report_with(kind, behind, range, Reach::Local);
            return;
        }
        let begins_statement = self.at_value()
            || self.at_any(&["let", "const", "import", "export", "try"])
            || self.at_any(LEAVING);
        if begins_statement && self.on_new_line() && self.ended_raw_text().is_none() {
            let kind = ProblemKind::MissingSemicolon;
            self.report_with(kind, behind, range, Reach::Local);
            return;
        }
        self.unexpected("`;` or an operator", Reach::Brackets);
        self.skip_to(&[";", "let", "const"]);
    }

    /// One statement.
    pub(super) fn statement(&mut self) -> Statement {
        if !self.enter() {
            let id = self.missing();
            return Statement {
                id,
                ending: Ending::Own,
            };
        }
        let statement = self.statement_inside();
        self.leave();
        statement
    }

    fn statement_inside(&mut self) -> Statement {
        let own = |id| Statement {
            id,
            ending: Ending::Own,
        };
        let open = |id| Statement {
            id,
            ending: Ending::Semicolon,
        };
        if self.at("{") {
            own(self.block_or_map())
        } else if self.at_any(&["fn", "private"]) {
            own(self.function())
        } else if self.at("do") {
            open(self.control())
        } else if self.at_any(&["if", "switch", "for", "while", "loop"]) {
            own(self.control())
        } else if self.at("try") {
            own(self.try_catch())
        } else if self.at_any(LEAVING) {
            let start = self.bump().start;
            if self.at_value() {
                self.expression();
            }
            open(self.node(NodeKind::Leave, start))
        } else if self.at_any(&["let", "const"]) {
            open(self.binding())
        } else if self.at("import") {
            open(self.import())
        } else if self.at("export") {
            open(self.export())
        } else if self.at(";") {
            own(self.missing())
        } else {
            open(self.expression_statement())
        }
    }

    fn expression_statement(&mut self) -> NodeId {
        let start = self.here().start;
        let target = self.expression();
        if !self.at_any(ASSIGNMENTS) {
            return target;
        }
        self.bump();
        self.expression();
        self.node(NodeKind::Assign, start)
    }

    fn binding(&mut self) -> NodeId {
        let binding = if self.at("const") {
            Binding::Constant
        } else {
            Binding::Variable
        };
        let start = self.bump().start;
        let name = self.name("a name");
        let value = self.eat("=").then(|| self.expression());
        let kind = NodeKind::Let {
            binding,
            name,
            value,
        };
        self.node(kind, start)
    }

    /// A name that is defined here.
    fn name(&mut self, expected: &'static str) -> Range {
        match self.kind() {
            Some(TokenKind::Name) => self.bump(),
            Some(TokenKind::Reserved) => {
                let here = self.bump();
                self.report(ProblemKind::ReservedName, here, Reach::Local);
                here
            }
            Some(TokenKind::Keyword) if !self.at("_") && self.second_at("=") => {
                let here = self.bump();
                self.report(ProblemKind::ReservedName, here, Reach::Local);
                here
            }
            _ => {
                self.unexpected(expected, Reach::Brackets);
                let end = self.last_end();
                Range { start: end, end }
            }
        }
    }

    fn import(&mut self) -> NodeId {
        let start = self.bump().start;
        self.expression();
        let alias = self.eat("as").then(|| self.name("a name after `as`"));
        self.node(NodeKind::Import { alias }, start)
    }

    fn export(&mut self) -> NodeId {
        let start = self.bump().start;
        if self.at_any(&["let", "const"]) {
            self.binding();
        } else {
            self.name("a name after `export`");
            if self.eat("as") {
                self.name("a name after `as`");
            }
        }
        self.node(NodeKind::Export, start)
    }

    fn function(&mut self) -> NodeId {
        let start = self.here().start;
        self.eat("private");
        let word = self.here();
        if !self.eat("fn") {
            self.unexpected("`fn`", Reach::Brackets);
        } else if self.blocks > 0 {
            self.report(ProblemKind::NestedFunction, word, Reach::Local);
        }
        if self.second_at(".") && matches!(self.kind(), Some(TokenKind::Name | TokenKind::Text)) {
            self.bump();
            self.bump();
        }
        let name = self.name("the name of the function");
        let parameters = self.parameters();
        let body = self.block();
        let kind = NodeKind::Function {
            name,
            parameters,
            body,
        };
        self.node(kind, start)
    }

    fn parameters(&mut self) -> Vec<Range> {
        let mut parameters = Vec::new();
        if self.eat("()") {
            return parameters;
        }
        let open = self.here();
        if !self.eat("(") {
            self.unexpected("`(` and the parameters", Reach::Brackets);
            return parameters;
        }
        while !self.eat(")") {
            if self.peek().is_none() || self.at_any(&["{", "}", ";", "]"]) {
                self.not_closed(open);
                break;
            }
            let before = self.next;
            parameters.push(self.name("the name of a parameter"));
            if self.eat(",") || self.at(")") {
                continue;
            }
            if self.next > before && self.at_any(&["{", "}", ";", "]"]) {
                continue;
            }
            if self.next > before {
                self.unexpected("`,` or `)`", Reach::Brackets);
            }
            self.skip_to(&[",", "{"]);
            if !self.eat(",") && !self.at(")") {
                break;
            }
        }
        parameters
    }

    /// `{…}`.
    pub(super) fn block(&mut self) -> NodeId {
        let open = self.here();
        if !self.at("{") {
            if self.at("=") {
                self.report(ProblemKind::AssignInCondition, open, Reach::Brackets);
            } else {
                self.unexpected("`{`", Reach::Brackets);
            }
            return self.missing();
        }
        self.bump();
        if !self.enter() {
            return self.missing();
        }
        self.blocks += 1;
        let patterns = std::mem::take(&mut self.patterns);
        let mut statements = Vec::new();
        self.statements_until_end(&mut statements);
        if !self.eat("}") {
            self.not_closed(open);
        }
        self.patterns = patterns;
        self.blocks -= 1;
        self.leave();
        self.node(NodeKind::Block(statements), open.start)
    }

    /// `if`, `switch` and the loops.
    pub(super) fn control(&mut self) -> NodeId {
        if !self.enter() {
            return self.missing();
        }
        let patterns = std::mem::take(&mut self.patterns);
        let node = if self.at("if") {
            self.condition()
        } else if self.at("switch") {
            self.switch()
        } else {
            self.repetition()
        };
        self.patterns = patterns;
        self.leave();
        node
    }

    fn condition(&mut self) -> NodeId {
        let start = self.here().start;
        let mut branches = Vec::new();
        let mut otherwise = None;
        while self.eat("if") {
            let asked = self.expression();
            branches.push((asked, self.block()));
            if !self.eat("else") {
                break;
            }
            if !self.at("if") {
                otherwise = Some(self.block());
                break;
            }
        }
        let kind = NodeKind::If {
            branches,
            otherwise,
        };
        self.node(kind, start)
    }

    fn repetition(&mut self) -> NodeId {
        let start = self.here().start;
        let mut variables = Vec::new();
        if self.eat("for") {
            if self.eat("(") {
                variables.push(self.name("a name"));
                if self.eat(",") {
                    variables.push(self.name("a name"));
                }
                if self.at("=") {
                    // The loop of C, with three parts.
                    self.unexpected("`in`", Reach::Rest);
                } else if !self.eat(")") {
                    self.unexpected("`)`", Reach::Brackets);
                }
            } else {
                variables.push(self.name("a name"));
            }
            if !self.eat("in") {
                self.unexpected("`in`", Reach::Brackets);
            }
            self.expression();
        } else if self.eat("while") {
            self.expression();
        } else if self.eat("do") {
            let body = self.block();
            if self.eat("while") || self.eat("until") {
                self.expression();
            } else {
                self.unexpected("`while` or `until`", Reach::Brackets);
            }
            return self.node(NodeKind::Loop { variables, body }, start);
        } else {
            self.eat("loop");
        }
        let body = self.block();
        self.node(NodeKind::Loop { variables, body }, start)
    }

    fn switch(&mut self) -> NodeId {
        let start = self.bump().start;
        self.expression();
        let mut bodies = Vec::new();
        let open = self.here();
        if self.eat("{") {
            while !self.eat("}") {
                if self.peek().is_none() || self.at_any(&[")", "]", "fn"]) {
                    self.not_closed(open);
                    break;
                }
                if !self.case(&mut bodies) {
                    break;
                }
            }
        } else {
            self.unexpected("`{`", Reach::Brackets);
        }
        self.node(NodeKind::Switch(bodies), start)
    }

    /// One case; false when the rest cannot be read.
    fn case(&mut self, bodies: &mut Vec<NodeId>) -> bool {
        if !self.eat("_") {
            self.patterns += 1;
            self.expression();
            while self.eat("|") {
                self.expression();
            }
            self.patterns -= 1;
        }
        if self.eat("if") {
            self.expression();
        }
        if !self.eat("=>") {
            self.unexpected("`=>`", Reach::Brackets);
            self.skip_to(&[","]);
            return self.eat(",") || self.at("}");
        }
        let statement = self.statement();
        bodies.push(statement.id);
        if self.eat(",") || self.at("}") || statement.ending == Ending::Own {
            return true;
        }
        self.unexpected("`,` between cases", Reach::Brackets);
        self.skip_to(&[","]);
        self.eat(",") || self.at("}")
    }

    fn try_catch(&mut self) -> NodeId {
        let start = self.bump().start;
        let body = self.block();
        let mut variable = None;
        if self.eat("catch") {
            if self.eat("(") {
                variable = Some(self.name("a name"));
                if !self.eat(")") {
                    self.unexpected("`)`", Reach::Brackets);
                }
            }
        } else {
            self.unexpected("`catch`", Reach::Brackets);
        }
        let otherwise = self.block();
        let kind = NodeKind::Try {
            body,
            variable,
            otherwise,
        };
        self.node(kind, start)
    }
}
