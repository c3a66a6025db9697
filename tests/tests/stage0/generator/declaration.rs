//! Types, variables and functions of a program.

use super::Generator;
use super::scope::{
    Access, FIELDS, Function, INT, Integer, LONG_LONG, Member, MemberKind, Record, SHORT, Shape,
    Sign, UNSIGNED, UNSIGNED_CHAR, UNSIGNED_LONG_LONG, Value,
};

const REALS: &[&str] = &["float", "double", "long double"];

impl Generator {
    pub(super) fn records(&mut self) {
        for number in 0..self.between(1, 3) {
            let record = if self.is_c1() && self.random.one_in(5) {
                union(number)
            } else {
                self.structure(number)
            };
            self.open(&format!("\n{} {{", record.words));
            for member in record.members.clone() {
                let declared = self.member(&member);
                self.line(&declared);
            }
            self.close("};");
            self.records.push(record);
        }
    }

    fn structure(&mut self, number: usize) -> Record {
        let members = (0..self.between(1, 7))
            .map(|at| Member {
                name: format!("m{at}"),
                kind: self.member_kind(number),
            })
            .collect();
        Record {
            words: format!("struct S{number}"),
            shape: Shape::Struct,
            members,
        }
    }

    fn member_kind(&mut self, records: usize) -> MemberKind {
        let kind = self.random.below(20);
        if kind < 6 && self.is_c1() {
            return MemberKind::Field(FIELDS[self.random.below(FIELDS.len())]);
        }
        match kind {
            6..=8 => MemberKind::Array(self.integer_type(), self.between(2, 5)),
            9..=10 if records > 0 => MemberKind::Record(self.random.below(records)),
            11..=12 if self.is_c1() => MemberKind::Real(self.choose(REALS)),
            _ => MemberKind::Integer(self.integer_type()),
        }
    }

    fn member(&mut self, Member { name, kind }: &Member) -> String {
        match *kind {
            MemberKind::Integer(of) => format!("{} {name};", of.words),
            MemberKind::Field(of) => {
                format!("{} {name} : {};", of.words, self.between(1, of.bits))
            }
            MemberKind::Array(of, count) => format!("{} {name}[{count}];", of.words),
            MemberKind::Real(words) => format!("{words} {name};"),
            MemberKind::Record(number) => format!("{} {name};", self.records[number].words),
        }
    }

    pub(super) fn variables(&mut self) {
        for at in 0..self.between(4, 8) {
            let (of, name) = (self.integer_type(), format!("g{at}"));
            let storage = if self.is_c1() {
                self.choose(&["", "static "])
            } else {
                ""
            };
            let value = self.initial(Self::constant);
            self.line(&format!("{storage}{} {name}{value};", of.words));
            self.scope.add_integer(&name, of, Access::Whole);
        }
        for at in 0..self.between(1, 3) {
            let (of, name) = (self.integer_type(), format!("a{at}"));
            let value = self.initial(|own| own.constants(8));
            self.line(&format!("{} {name}[8]{value};", of.words));
            let text = format!("{name}[@7]");
            self.scope.add_integer(&text, of, Access::Whole);
            self.scope.arrays.push((name, of));
        }
        for number in 0..self.records.len() {
            self.variables_of_record(number);
        }
        if self.is_c1() {
            self.variables_of_c1();
        }
    }

    fn variables_of_record(&mut self, number: usize) {
        let words = self.records[number].words.clone();
        let value = self.initial(|own| own.value_of(number));
        self.line(&format!("{words} r{number}{value};"));
        let name = format!("r{number}");
        self.scope.add_record(&self.records, &name, number);
        if self.is_c1() {
            let value = self.initial(|own| {
                let (first, second) = (own.value_of(number), own.value_of(number));
                format!("{{ {first}, {second} }}")
            });
            self.line(&format!("{words} ra{number}[3]{value};"));
            let name = format!("ra{number}[@2]");
            self.scope.add_record(&self.records, &name, number);
            let at = self.random.below(3);
            self.line(&format!("{words} *rp{number} = &ra{number}[{at}];"));
        } else {
            // There is no array of records with initial values: main sets the pointer.
            self.line(&format!("{words} *rp{number};"));
        }
        let place = format!("(*rp{number})");
        self.scope.add_record(&self.records, &place, number);
    }

    fn variables_of_c1(&mut self) {
        let of = self.integer_type();
        let (first, rest) = (self.constants(4), self.constants(7));
        let rest = rest.trim_matches(['{', '}', ' ']).to_owned();
        self.line(&format!("{} b[3][4] = {{ {first}, {rest} }};", of.words));
        self.scope.add_integer("b[@2][@3]", of, Access::Whole);
        for (at, words) in REALS.iter().enumerate() {
            let value = self.real_constant();
            self.line(&format!("{words} d{at} = {value};"));
            self.scope.reals.push(format!("d{at}"));
        }
        let place = self.whole_place();
        self.line(&format!("{} *p = &{};", place.of.words, place.text));
        self.scope.add_integer("*p", place.of, Access::Whole);
    }

    /// The value of a variable outside of functions, or none.
    fn initial(&mut self, value: impl FnOnce(&mut Self) -> String) -> String {
        if !self.is_c1() || self.random.one_in(3) {
            return String::new();
        }
        format!(" = {}", value(self))
    }

    /// Sets in `main` what has no value from the beginning.
    pub(super) fn set_variables(&mut self) {
        for number in 0..self.records.len() {
            self.line(&format!("rp{number} = &r{number};"));
        }
        for place in self.scope.integers.clone() {
            let (text, value) = (self.indexed(&place.text, 0), self.constant());
            self.line(&format!("{text} = {value};"));
        }
    }

    /// Constants in braces, at most so many.
    pub(super) fn constants(&mut self, most: usize) -> String {
        let count = self.between(1, most);
        let constants: Vec<String> = (0..count).map(|_| self.constant()).collect();
        format!("{{ {} }}", constants.join(", "))
    }

    /// The value of a record in braces, perhaps not of all members.
    pub(super) fn value_of(&mut self, number: usize) -> String {
        let record = self.records[number].clone();
        let count = match record.shape {
            Shape::Union => 1,
            Shape::Struct => self.between(1, record.members.len()),
        };
        let mut values = Vec::new();
        for member in &record.members[..count] {
            values.push(match member.kind {
                MemberKind::Integer(_) | MemberKind::Field(_) => self.constant(),
                MemberKind::Array(_, count) => self.constants(count),
                MemberKind::Real(_) => self.real_constant(),
                MemberKind::Record(inner) => self.value_of(inner),
            });
        }
        format!("{{ {} }}", values.join(", "))
    }

    /// Functions that only calculate, one of them calling itself.
    pub(super) fn pure_functions(&mut self) {
        let outside = std::mem::take(&mut self.scope);
        for name in ["a", "b"] {
            self.scope.add_integer(name, INT, Access::Whole);
        }
        for at in 0..self.between(1, 3) {
            let (name, value) = (format!("pure{at}"), self.integer(3));
            self.open(&format!("\nint {name}(int a, int b)\n{{"));
            self.line(&format!("return {value};"));
            self.close("}");
            self.pure_functions.push(name);
        }
        let (end, next, last) = (self.integer(2), self.integer(2), self.integer(2));
        self.open("\nint again(int a, int b, int rest)\n{");
        self.open("if (rest <= 0) {");
        self.line(&format!("return {end};"));
        self.close("}");
        self.line(&format!(
            "return again({next}, a, rest - 1) ^ again(b, {last}, rest - 2);"
        ));
        self.close("}");
        if self.is_c1() {
            let names = self.pure_functions.join(", ");
            let text = format!("int (*table[4])(int, int) = {{ {names} }};");
            self.line(&text);
            self.line("int (*pointer)(int, int) = pure0;");
        }
        self.scope = outside;
    }

    pub(super) fn functions(&mut self) {
        for at in 0..self.between(1, 3) {
            let parameters: Vec<Value> = (0..self.between(0, 5)).map(|_| self.value()).collect();
            let function = Function {
                name: format!("f{at}"),
                parameters,
                result: self.value(),
            };
            self.function(&function);
            self.functions.push(function);
        }
    }

    fn value(&mut self) -> Value {
        match self.random.below(10) {
            0..=1 if self.is_c1() => Value::Real(self.choose(REALS)),
            2..=3 if self.is_c1() => Value::Record(self.random.below(self.records.len())),
            _ => Value::Integer(self.integer_type()),
        }
    }

    pub(super) fn words(&self, value: Value) -> String {
        match value {
            Value::Integer(of) => of.words.to_owned(),
            Value::Real(words) => words.to_owned(),
            Value::Record(number) => self.records[number].words.clone(),
        }
    }

    /// The types of a function's parameters, and the names if there are some.
    pub(super) fn parameters(&self, function: &Function, name: &str) -> String {
        if function.parameters.is_empty() {
            return "void".to_owned();
        }
        let one = |(at, value): (usize, &Value)| {
            let words = self.words(*value);
            if name.is_empty() {
                words
            } else {
                format!("{words} {name}{at}")
            }
        };
        let all: Vec<String> = function.parameters.iter().enumerate().map(one).collect();
        all.join(", ")
    }

    fn function(&mut self, function: &Function) {
        let outside = self.scope.clone();
        let (words, parameters) = (self.words(function.result), self.parameters(function, "x"));
        self.open(&format!("\n{words} {}({parameters})\n{{", function.name));
        for (at, value) in function.parameters.iter().enumerate() {
            let name = format!("x{at}");
            match *value {
                Value::Integer(of) => self.scope.add_integer(&name, of, Access::Whole),
                Value::Real(_) => self.scope.reals.push(name),
                Value::Record(number) => self.scope.add_record(&self.records, &name, number),
            }
        }
        self.locals();
        for _ in 0..self.between(2, 5) {
            self.statement(2);
        }
        let result = match function.result {
            Value::Integer(_) => self.integer(3),
            Value::Real(_) => self.real_place(),
            Value::Record(number) => self.record_place(number),
        };
        self.line(&format!("return {result};"));
        self.close("}");
        self.scope = outside;
    }

    fn locals(&mut self) {
        for at in 0..self.between(1, 3) {
            let (of, value) = (self.integer_type(), self.integer(2));
            self.line(&format!("{} l{at} = {value};", of.words));
            self.scope.add_integer(&format!("l{at}"), of, Access::Whole);
        }
        if !self.is_c1() {
            return;
        }
        let of = self.integer_type();
        let values: Vec<String> = (0..4).map(|_| self.integer(2)).collect();
        self.line(&format!("{} la[] = {{ {} }};", of.words, values.join(", ")));
        self.scope.add_integer("la[@3]", of, Access::Whole);
        let number = self.random.below(self.records.len());
        let (words, value) = (self.records[number].words.clone(), self.value_of(number));
        self.line(&format!("{words} lr = {value};"));
        self.scope.add_record(&self.records, "lr", number);
        let (words, value) = (self.choose(REALS), self.real_constant());
        self.line(&format!("{words} lf = {value};"));
        self.scope.reals.push("lf".to_owned());
    }
}

/// A union whose first member has all of its bytes.
fn union(number: usize) -> Record {
    let kinds = [
        MemberKind::Integer(UNSIGNED_LONG_LONG),
        MemberKind::Array(UNSIGNED_CHAR, 8),
        MemberKind::Array(SHORT, 4),
        MemberKind::Array(UNSIGNED, 2),
        MemberKind::Integer(LONG_LONG),
    ];
    let members = kinds.into_iter().enumerate().map(|(at, kind)| Member {
        name: format!("m{at}"),
        kind,
    });
    Record {
        words: format!("union S{number}"),
        shape: Shape::Union,
        members: members.collect(),
    }
}

impl Integer {
    /// Whether a place of this type can be shifted to the left without a sign in the way.
    pub(super) fn is_unsigned(self) -> bool {
        self.sign == Sign::Unsigned
    }
}
