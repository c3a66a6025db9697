//! Expressions: they read and change nothing.

use super::Generator;
use super::scope::{Access, Place};

/// Constants at the borders of types.
const BORDERS_C1: &[&str] = &[
    "0x7fffffff",
    "0x80000000",
    "0xffffffff",
    "255",
    "128",
    "65535",
    "32768",
    "-1",
    "127",
    "4294967296LL",
    "0x8000000000000000ULL",
    "0xffffffffffffffffULL",
    "'a'",
    "'\\n'",
    "1LL",
    "3U",
    "07",
    "FEW",
    "LESS",
    "MANY",
    "sizeof(int)",
    "sizeof(long double)",
];

const BORDERS_C0: &[&str] = &[
    "0x7fffffff",
    "0x80000000",
    "0xffffffff",
    "255",
    "128",
    "65535",
    "32768",
    "-1",
    "127",
    "'a'",
    "'\\n'",
    "3u",
    "FEW",
    "LESS",
    "MANY",
    "2147483648u",
];

impl Generator {
    /// A constant of an integer type.
    pub(super) fn constant(&mut self) -> String {
        let number = self.random.number();
        match self.random.below(10) {
            0..=3 => format!("{}", number % 11),
            4..=6 if self.is_c1() => self.choose(BORDERS_C1).to_owned(),
            4..=6 => self.choose(BORDERS_C0).to_owned(),
            7 if self.is_c1() => format!("{}LL", number >> 1),
            7 => format!("0x{:x}", number >> 32),
            8 => format!("{}u", number >> 32),
            _ => format!("-{}", number % 70_000),
        }
    }

    /// A real constant that every format has.
    pub(super) fn real_constant(&mut self) -> String {
        let words = [
            "1.5", "2.0", "0.25f", "-3e0", "-1.5f", "8.0L", "0.0", "1e2", "-.125", "3", "4096.5L",
        ];
        self.choose(&words).to_owned()
    }

    /// The text of a place with numbers or expressions as indices.
    pub(super) fn indexed(&mut self, text: &str, rest: usize) -> String {
        let Some((before, after)) = text.split_once('@') else {
            return text.to_owned();
        };
        let (end, after) = after.split_at(1);
        let last: usize = end.parse().expect("a digit is behind @");
        // An expression is cut to a number of bits, so it only fits where these are all.
        let index = if rest > 0 && (last + 1).is_power_of_two() && self.random.one_in(3) {
            format!("({} & {last})", self.integer(rest - 1))
        } else {
            format!("{}", self.random.below(last + 1))
        };
        let after = self.indexed(after, rest);
        format!("{before}{index}{after}")
    }

    /// A place that is read.
    fn read(&mut self, rest: usize) -> String {
        let at = self.random.below(self.scope.integers.len());
        let text = self.scope.integers[at].text.clone();
        self.indexed(&text, rest)
    }

    /// A place that can be written, with its indices.
    pub(super) fn written(&mut self) -> Place {
        let places = &self.scope.integers;
        let places: Vec<Place> = places
            .iter()
            .filter(|place| place.access != Access::Counter)
            .cloned()
            .collect();
        let mut place = places[self.random.below(places.len())].clone();
        place.text = self.indexed(&place.text, 2);
        place
    }

    /// A place with an address that does not change.
    pub(super) fn whole_place(&mut self) -> Place {
        let places = &self.scope.integers;
        let is_whole =
            |place: &&Place| place.access == Access::Whole && !place.text.contains(['*', '@']);
        let places: Vec<Place> = places.iter().filter(is_whole).cloned().collect();
        places[self.random.below(places.len())].clone()
    }

    /// A record of a kind.
    pub(super) fn record_place(&mut self, number: usize) -> String {
        let records = &self.scope.records;
        let records: Vec<String> = records
            .iter()
            .filter(|record| record.1 == number)
            .map(|record| record.0.clone())
            .collect();
        let text = records[self.random.below(records.len())].clone();
        self.indexed(&text, 1)
    }

    pub(super) fn real_place(&mut self) -> String {
        let at = self.random.below(self.scope.reals.len());
        let text = self.scope.reals[at].clone();
        self.indexed(&text, 1)
    }

    /// An expression with an integer value, in parentheses if need be; `rest` is how deep it gets.
    pub(super) fn integer(&mut self, rest: usize) -> String {
        if rest == 0 || self.random.one_in(8) {
            return if self.random.one_in(3) {
                format!("({})", self.constant())
            } else {
                self.read(rest)
            };
        }
        let rest = rest - 1;
        match self.random.below(24) {
            0..=5 => self.two(&["+", "-", "*", "&", "|", "^"], rest),
            6..=7 => self.two(&["<", ">", "<=", ">=", "==", "!="], rest),
            8 => self.two(&["&&", "||"], rest),
            9..=10 => self.shifted(rest),
            11..=13 => self.divided(rest),
            14 => format!(
                "({}{})",
                self.choose(&["- ", "~", "!", "+ "]),
                self.integer(rest)
            ),
            15..=16 => format!("(({}){})", self.integer_type().words, self.integer(rest)),
            17 => {
                let (test, first) = (self.integer(rest), self.integer(rest));
                format!("({test} ? {first} : {})", self.integer(rest))
            }
            18 => self.pure_call(rest),
            19..=23 if self.is_c1() => self.integer_of_c1(rest),
            _ => self.read(rest),
        }
    }

    fn two(&mut self, operators: &[&'static str], rest: usize) -> String {
        let (left, operator) = (self.integer(rest), self.choose(operators));
        format!("({left} {operator} {})", self.integer(rest))
    }

    /// To the left only without a sign.
    fn shifted(&mut self, rest: usize) -> String {
        let (value, count) = (self.integer(rest), self.integer(rest));
        if self.is_c1() && self.random.one_in(2) {
            let words = self.choose(&[
                "(unsigned long long){} << ",
                "(unsigned long long){} >> ",
                "(long long){} >> ",
            ]);
            return format!("({}({count} & 63))", words.replace("{}", &value));
        }
        let words = self.choose(&["(unsigned){} << ", "(unsigned){} >> ", "(int){} >> "]);
        format!("({}({count} & 31))", words.replace("{}", &value))
    }

    /// A quotient or remainder by something that is neither 0 nor -1.
    fn divided(&mut self, rest: usize) -> String {
        let (left, operator) = (self.integer(rest), self.choose(&["/", "%"]));
        let right = self.integer(rest);
        let right = match self.random.below(6) {
            0 => format!("(-2 - (int)({right} & 0xff))"),
            1 if self.is_c1() => format!("(({right} & 0x3fffffffffffffffLL) + 1)"),
            2 if self.is_c1() => format!("(-2 - (long long)({right} & 0xffffffffffLL))"),
            3 => format!("(({right} & 0x3fffffff) + 1)"),
            _ => format!("(({right} & 0xff) + 1)"),
        };
        format!("({left} {operator} {right})")
    }

    /// A call of a function that changes nothing.
    fn pure_call(&mut self, rest: usize) -> String {
        // What only calculates has no more than its parameters.
        if self.scope.integers.len() <= 2 {
            return self.two(&["+", "-"], rest);
        }
        let (first, second) = (self.integer(rest), self.integer(rest));
        // Functions outside of loops only, for these calls become many.
        if self.random.one_in(4) && self.loops == 0 {
            return format!("again({first}, {second}, {})", self.random.below(5));
        }
        let at = self.random.below(self.pure_functions.len());
        let name = if self.is_c1() {
            match self.random.below(4) {
                0 => format!("table[{at}]"),
                1 => "(*pointer)".to_owned(),
                _ => self.pure_functions[at].clone(),
            }
        } else {
            self.pure_functions[at].clone()
        };
        format!("{name}({first}, {second})")
    }

    fn integer_of_c1(&mut self, rest: usize) -> String {
        if self.scope.reals.is_empty() {
            return self.two(&["+", "-"], rest);
        }
        match self.random.below(8) {
            // Some versions of gcc stumble over a constant here.
            0 => format!("({}, {})", self.read(rest), self.integer(rest)),
            1..=2 => {
                let operator = self.choose(&["<", ">", "<=", ">=", "==", "!="]);
                format!("({} {operator} {})", self.real(rest), self.real(rest))
            }
            3 => {
                let words = self.choose(&["int", "long long", "short)(int", "char)(long"]);
                format!("({words}){}", self.real_place())
            }
            4 => {
                // Below and above what `long long` has.
                let (place, more) = (self.real_place(), ["0.75", "9223372036854775808.0"]);
                let more = self.choose(&more);
                format!("(unsigned long long)({place} * {place} + {more})")
            }
            5 => format!("(\"wxyz\"[{} & 3])", self.integer(rest)),
            6 => self.various(rest),
            _ => format!("(!{} ? {} : 2)", self.real(rest), self.integer(rest)),
        }
    }

    fn various(&mut self, rest: usize) -> String {
        let (mut kinds, mut values) = (String::new(), String::new());
        for _ in 0..self.between(1, 5) {
            let (kind, value) = match self.random.below(5) {
                0 => ('l', format!("(long long){}", self.integer(rest.min(1)))),
                1 => ('d', format!("(double){}", self.real_place())),
                2 => ('d', self.choose(&["0.5f", "-2.0", "(float)0.1"]).to_owned()),
                3 => ('i', format!("(short){}", self.integer(rest.min(1)))),
                _ => ('i', format!("(int){}", self.integer(rest.min(1)))),
            };
            kinds.push(kind);
            values.push_str(", ");
            values.push_str(&value);
        }
        format!("various(\"{kinds}\"{values})")
    }

    /// An expression with a real value, of whatever size.
    pub(super) fn real(&mut self, rest: usize) -> String {
        if rest == 0 || self.random.one_in(4) {
            return if self.random.one_in(3) {
                format!("({})", self.real_constant())
            } else {
                self.real_place()
            };
        }
        let rest = rest - 1;
        match self.random.below(12) {
            0..=4 => {
                let (left, operator) = (self.real(rest), self.choose(&["+", "-", "*"]));
                format!("({left} {operator} {})", self.real(rest))
            }
            5 => {
                let (left, right) = (self.real(rest), self.real_place());
                format!("({left} / ({right} * {right} + 1.0))")
            }
            6 => format!(
                "({} / {})",
                self.real(rest),
                self.choose(&["3", "7.0", "10.0L", "4.0f"])
            ),
            7 => format!("(- {})", self.real(rest)),
            // A cast to the type that there is already rounds for gcc, and not for c1.
            8 => {
                let words = self.choose(&["float", "double"]);
                format!("({words})(long double)({})", self.real(rest))
            }
            9 => {
                let (test, first) = (self.integer(rest), self.real(rest));
                format!("({test} ? {first} : {})", self.real(rest))
            }
            10 => format!("({} + {})", self.integer(rest.min(1)), self.real(rest)),
            _ => format!(
                "({}){}",
                self.choose(&["float", "double", "long double"]),
                self.integer(rest)
            ),
        }
    }
}
