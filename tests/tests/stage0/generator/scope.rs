//! What a program can name at one place.

/// An integer type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Integer {
    pub(super) words: &'static str,
    pub(super) bits: usize,
    pub(super) sign: Sign,
}

/// What kind of numbers a type has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sign {
    Signed,
    Unsigned,
    /// `_Bool`, which is neither counted up nor down.
    Bool,
}

const fn signed(words: &'static str, bits: usize) -> Integer {
    let sign = Sign::Signed;
    Integer { words, bits, sign }
}

const fn unsigned(words: &'static str, bits: usize) -> Integer {
    let sign = Sign::Unsigned;
    Integer { words, bits, sign }
}

pub(super) const INT: Integer = signed("int", 32);
pub(super) const SHORT: Integer = signed("short", 16);
pub(super) const LONG_LONG: Integer = signed("long long", 64);
pub(super) const UNSIGNED: Integer = unsigned("unsigned", 32);
pub(super) const UNSIGNED_CHAR: Integer = unsigned("unsigned char", 8);
pub(super) const UNSIGNED_LONG_LONG: Integer = unsigned("long long unsigned", 64);
pub(super) const BOOL: Integer = Integer {
    words: "_Bool",
    bits: 1,
    sign: Sign::Bool,
};

/// The types of c0.
pub(super) const INTEGERS_C0: &[Integer] = &[signed("char", 8), INT, UNSIGNED];

/// The types of c1, by some of their names.
pub(super) const INTEGERS_C1: &[Integer] = &[
    signed("char", 8),
    signed("signed char", 8),
    UNSIGNED_CHAR,
    SHORT,
    unsigned("unsigned short int", 16),
    INT,
    UNSIGNED,
    signed("long", 32),
    unsigned("unsigned long", 32),
    LONG_LONG,
    UNSIGNED_LONG_LONG,
    BOOL,
];

/// The types of bit-fields.
pub(super) const FIELDS: &[Integer] = &[
    INT,
    UNSIGNED,
    UNSIGNED_CHAR,
    signed("signed char", 8),
    SHORT,
    unsigned("unsigned short", 16),
    BOOL,
];

/// Something with an integer value. In `text` stands `@7` where a number from 0 to 7 belongs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) text: String,
    pub(super) of: Integer,
    pub(super) access: Access,
}

/// What can be done with a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// Everything: it has an address.
    Whole,
    /// A bit-field.
    Field,
    /// The counter of a loop: only reading.
    Counter,
}

/// A struct or union.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// How it is named: `struct S1`.
    pub(super) words: String,
    pub(super) shape: Shape,
    pub(super) members: Vec<Member>,
}

/// How members lie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Struct,
    Union,
}

/// A member of a record.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) kind: MemberKind,
}

/// What a member is.
#[derive(Clone, Copy, Debug)]
pub(super) enum MemberKind {
    Integer(Integer),
    Field(Integer),
    /// So many integers.
    Array(Integer, usize),
    Real(&'static str),
    /// A record by its number.
    Record(usize),
}

/// A function with effects.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<Value>,
    pub(super) result: Value,
}

/// What is passed or returned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Integer(Integer),
    Real(&'static str),
    /// A record by its number.
    Record(usize),
}

/// What has a name, or a way from a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) integers: Vec<Place>,
    /// Numbers between -1000000 and 1000000.
    pub(super) reals: Vec<String>,
    /// Records with their numbers.
    pub(super) records: Vec<(String, usize)>,
    /// Arrays of eight integers.
    pub(super) arrays: Vec<(String, Integer)>,
}

impl Scope {
    pub(super) fn add_integer(&mut self, text: &str, of: Integer, access: Access) {
        self.integers.push(Place {
            text: text.to_owned(),
            of,
            access,
        });
    }

    /// Adds a record and what can be reached in it.
    pub(super) fn add_record(&mut self, records: &[Record], text: &str, number: usize) {
        self.records.push((text.to_owned(), number));
        self.add_members(records, text, number);
    }

    /// Adds what can be reached in a record whose name, with a dot or an arrow behind it, is given.
    fn add_members(&mut self, records: &[Record], text: &str, number: usize) {
        for Member { name, kind } in &records[number].members {
            let text = format!("{text}.{name}");
            match *kind {
                MemberKind::Integer(of) => self.add_integer(&text, of, Access::Whole),
                MemberKind::Field(of) => self.add_integer(&text, of, Access::Field),
                MemberKind::Array(of, count) => {
                    let text = format!("{text}[@{}]", count - 1);
                    self.add_integer(&text, of, Access::Whole);
                }
                MemberKind::Real(_) => self.reals.push(text),
                MemberKind::Record(inner) => self.add_record(records, &text, inner),
            }
        }
    }
}

/// The text of a place with every index, in order.
pub(super) fn every_index(text: &str) -> Vec<String> {
    let Some((before, after)) = text.split_once('@') else {
        return vec![text.to_owned()];
    };
    let (end, after) = after.split_at(1);
    let end: usize = end.parse().expect("a digit is behind @");
    (0..=end)
        .flat_map(|index| every_index(&format!("{before}{index}{after}")))
        .collect()
}
