//! Statements: each changes one thing, or holds other statements.

use super::Generator;
use super::scope::{Access, Function, INT, Sign, Value};

impl Generator {
    /// A statement; `rest` is how deep others may lie in it.
    pub(super) fn statement(&mut self, rest: usize) {
        if rest == 0 {
            return self.assignment();
        }
        let rest = rest - 1;
        match self.random.below(24) {
            0..=6 => self.assignment(),
            7 => self.counted(),
            8..=10 => self.branch(rest),
            11..=12 => self.for_loop(rest),
            13 => self.while_loop(rest),
            14 => self.do_loop(rest),
            15..=16 => self.switch(rest),
            17..=18 => self.call(),
            19..=23 if self.is_c1() => self.statement_of_c1(rest),
            _ => self.with_local(rest),
        }
    }

    fn statement_of_c1(&mut self, rest: usize) {
        match self.random.below(8) {
            0..=1 => self.real_assignment(),
            2 => self.record_assignment(),
            3 => self.pointers(),
            4 => self.jump_ahead(rest),
            5 => self.jump_back(rest),
            6 => self.static_local(),
            _ => self.record_pointer(),
        }
    }

    /// Some statements in braces, the first line of which is given.
    fn block(&mut self, before: &str, rest: usize, after: &str) {
        self.open(before);
        for _ in 0..self.between(1, 2) {
            self.statement(rest);
        }
        self.close(after);
    }

    fn assignment(&mut self) {
        let place = self.written();
        let text = &place.text;
        let value = self.integer(3);
        let line = match self.random.below(10) {
            0..=1 => format!(
                "{text} {}= {value};",
                self.choose(&["+", "-", "*", "&", "|", "^"])
            ),
            2 => format!("{text} {}= ({value} & 0xff) + 1;", self.choose(&["/", "%"])),
            3 if place.of.is_unsigned() && place.access == Access::Whole => {
                format!("{text} <<= {value} & 7;")
            }
            3..=4 => format!("{text} >>= {value} & 7;"),
            _ => format!("{text} = {value};"),
        };
        self.line(&line);
        self.line(&format!("mix({text});"));
    }

    /// `++` or `--`, before or behind, with its value.
    fn counted(&mut self) {
        let (place, target) = (self.written(), self.written());
        if place.of.sign == Sign::Bool {
            return self.line(&format!("{0} = !{0};", place.text));
        }
        let words = self.choose(&["({})++", "({})--", "++({})", "--({})"]);
        let changed = words.replace("{}", &place.text);
        let (of, name) = (self.integer_type(), self.name("k"));
        self.open("{");
        self.line(&format!("{} {name} = {changed};", of.words));
        self.line(&format!("{} = {name};", target.text));
        self.line(&format!("mix({} + {});", place.text, target.text));
        self.close("}");
    }

    fn branch(&mut self, rest: usize) {
        let test = self.integer(2);
        if self.random.one_in(2) {
            self.block(&format!("if ({test}) {{"), rest, "} else {");
            self.indent += 1;
            self.statement(rest);
            self.close("}");
        } else {
            self.block(&format!("if ({test}) {{"), rest, "}");
        }
    }

    /// A body in which a counter can be read, with a way out.
    fn body(&mut self, counter: &str, rest: usize) {
        let count = self.scope.integers.len();
        self.scope.add_integer(counter, INT, Access::Counter);
        self.loops += 1;
        self.statement(rest);
        if self.random.one_in(3) {
            let test = self.integer(2);
            let word = self.choose(&["break", "continue"]);
            self.open(&format!("if ({test}) {{"));
            self.line(&format!("{word};"));
            self.close("}");
        }
        self.statement(rest);
        self.loops -= 1;
        self.scope.integers.truncate(count);
    }

    fn for_loop(&mut self, rest: usize) {
        let (name, times) = (self.name("i"), self.between(1, 4));
        self.open("{");
        if self.is_c1() && self.random.one_in(2) {
            self.open(&format!("for (int {name} = {times}; {name}; --{name}) {{"));
        } else {
            self.line(&format!("int {name};"));
            self.open(&format!("for ({name} = 0; {name} < {times}; {name}++) {{"));
        }
        self.body(&name, rest);
        self.close("}");
        self.close("}");
    }

    fn while_loop(&mut self, rest: usize) {
        let (name, times) = (self.name("w"), self.between(1, 4));
        self.open("{");
        self.line(&format!("unsigned {name} = {times};"));
        self.open(&format!("while ({name}-- > 0) {{"));
        self.body(&name, rest);
        self.close("}");
        self.close("}");
    }

    fn do_loop(&mut self, rest: usize) {
        let (name, times) = (self.name("n"), self.between(1, 4));
        self.open("{");
        self.line(&format!("char {name} = {times};"));
        self.open("do {");
        self.body(&name, rest);
        self.close(&format!("}} while (--{name} > 0);"));
        self.close("}");
    }

    fn switch(&mut self, rest: usize) {
        let value = self.integer(2);
        let value = match self.random.below(3) {
            0 => format!("{value} & 7"),
            1 => format!("{value} % 5"),
            _ => value,
        };
        self.open(&format!("switch ({value}) {{"));
        let mut labels = vec![
            "-2",
            "-1",
            "0",
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "255",
            "0x7fffffff",
        ];
        let default = self.random.below(6);
        for at in 0..self.between(1, 4) {
            if at == default {
                self.block("default: {", rest, "}");
            }
            let label = labels.swap_remove(self.random.below(labels.len()));
            self.block(&format!("case {label}: {{"), rest, "}");
            if !self.random.one_in(3) {
                self.line("break;");
            }
        }
        self.close("}");
    }

    /// A variable of a block.
    fn with_local(&mut self, rest: usize) {
        let count = self.scope.integers.len();
        let (of, name, value) = (self.integer_type(), self.name("v"), self.integer(2));
        self.open("{");
        self.line(&format!("{} {name} = {value};", of.words));
        self.scope.add_integer(&name, of, Access::Whole);
        self.statement(rest);
        self.statement(rest);
        self.close("}");
        self.scope.integers.truncate(count);
    }

    /// A call, by name or by pointer; its result is kept before the place for it is looked for.
    fn call(&mut self) {
        if self.functions.is_empty() || self.loops > 1 {
            return self.assignment();
        }
        let function = self.functions[self.random.below(self.functions.len())].clone();
        let mut arguments = Vec::new();
        for value in function.parameters.clone() {
            arguments.push(match value {
                Value::Integer(_) => self.integer(2),
                Value::Real(_) => self.real_place(),
                Value::Record(number) => self.record_place(number),
            });
        }
        let arguments = arguments.join(", ");
        let result = self.name("q");
        self.open("{");
        let name = self.callee(&function);
        let words = self.words(function.result);
        self.line(&format!("{words} {result} = {name}({arguments});"));
        let target = match function.result {
            Value::Integer(_) => self.written().text,
            Value::Real(_) => self.real_place(),
            Value::Record(number) => self.record_place(number),
        };
        self.line(&format!("{target} = {result};"));
        match function.result {
            Value::Integer(_) => self.line(&format!("mix({result});")),
            Value::Real(_) => self.line(&format!("mix_real({result});")),
            Value::Record(_) => {}
        }
        self.close("}");
    }

    /// A function's name, or a pointer to it which is declared here.
    fn callee(&mut self, function: &Function) -> String {
        if !self.is_c1() || self.random.one_in(2) {
            return function.name.clone();
        }
        let pointer = self.name("p");
        let words = self.words(function.result);
        let parameters = self.parameters(function, "");
        let address = self.choose(&["", "&"]);
        self.line(&format!(
            "{words} (*{pointer})({parameters}) = {address}{};",
            function.name
        ));
        self.choose(&["{}", "(*{})"]).replace("{}", &pointer)
    }

    /// A real number, which stays in its bounds.
    fn real_assignment(&mut self) {
        let (value, place, name) = (self.real(3), self.real_place(), self.name("t"));
        let words = self.choose(&["float", "double", "long double"]);
        self.open("{");
        self.line(&format!("{words} {name} = {value};"));
        self.open(&format!(
            "if (!({name} > -1000000.0 && {name} < 1000000.0)) {{"
        ));
        self.line(&format!("{name} = 1.5;"));
        self.close("}");
        self.line(&format!("{place} = {name};"));
        self.line(&format!("mix_real({name});"));
        self.close("}");
    }

    fn record_assignment(&mut self) {
        let number = self.random.below(self.records.len());
        let (to, from) = (self.record_place(number), self.record_place(number));
        self.line(&format!("{to} = {from};"));
    }

    /// A pointer that goes through an array of eight.
    fn pointers(&mut self) {
        let (array, of) = self.scope.arrays[self.random.below(self.scope.arrays.len())].clone();
        let (name, at) = (self.name("p"), self.random.below(6));
        let start = self
            .choose(&["&{}[#]", "{} + #", "# + {}"])
            .replace("{}", &array)
            .replace('#', &at.to_string());
        let (first, second, third) = (self.integer(2), self.integer(2), self.integer(1));
        let operator = self.choose(&["", "+", "-", "^", "*"]);
        self.open("{");
        self.line(&format!("{} *{name} = {start};", of.words));
        self.line(&format!("*{name}++ {operator}= {first};"));
        self.line(&format!("{name}[0] = {second};"));
        let target = self.written().text;
        self.line(&format!("{target} = {name} - {array};"));
        self.line(&format!("*--{name} = {third};"));
        let target = self.written().text;
        self.line(&format!("{name} += 2;"));
        self.line(&format!(
            "{target} = *({name} - {}) + ({name} > {array});",
            at % 3
        ));
        self.close("}");
    }

    /// A pointer that goes through an array of records.
    fn record_pointer(&mut self) {
        let number = self.random.below(self.records.len());
        let (words, name) = (self.records[number].words.clone(), self.name("p"));
        let other = self.record_place(number);
        self.open("{");
        self.line(&format!("{words} *{name} = ra{number};"));
        self.line(&format!("{name}++;"));
        self.line(&format!("*{name} = {other};"));
        let target = self.written().text;
        self.line(&format!("{target} = {name} - ra{number};"));
        self.line(&format!("ra{number}[2] = *--{name};"));
        let at = self.between(0, 2);
        self.line(&format!("rp{number} = {name} + {at};"));
        self.close("}");
    }

    fn jump_ahead(&mut self, rest: usize) {
        let (label, test) = (self.name("after"), self.integer(2));
        self.line(&format!("if ({test}) goto {label};"));
        self.block("{", rest, "}");
        self.line(&format!("{label}: ;"));
    }

    fn jump_back(&mut self, rest: usize) {
        let (label, name) = (self.name("before"), self.name("n"));
        let times = self.between(1, 3);
        self.open("{");
        self.line(&format!("short {name} = {times};"));
        self.line(&format!("{label}:"));
        self.loops += 1;
        self.block("{", rest, "}");
        self.loops -= 1;
        self.line(&format!("if (--{name} > 0) goto {label};"));
        self.close("}");
    }

    fn static_local(&mut self) {
        let (of, name) = (self.integer_type(), self.name("s"));
        let (first, value) = (self.constant(), self.integer(2));
        let target = self.written().text;
        self.open("{");
        self.line(&format!("static {} {name} = {first};", of.words));
        self.line(&format!("{name} += {value};"));
        self.line(&format!("{target} = {name};"));
        self.line(&format!("mix({name});"));
        self.close("}");
    }
}
