//! One Python literal a line, as the metadata of 2014 has them: the fields wanted are taken, everything
//! else is checked and skipped in one pass.
//!
//! The authors' scripts call `eval` on these lines; here nothing is ever executed. Taken are dicts,
//! lists, tuples, sets, strings with `'` or `"`, decimal numbers, `None`, `True` and `False`: what `repr`
//! writes. Not taken are expressions, comments, triple quotes, prefixes other than `u`, and strings side
//! by side.

use serde_json::Value;
use std::borrow::Cow;

/// Deepest nesting taken, as deep as the JSON reader goes. Real records have three levels.
pub(crate) const DEPTH_LIMIT: usize = 128;

/// Why a line is no literal, at which byte of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Something else was expected.
    Expected(&'static str, usize),
    /// More than [`DEPTH_LIMIT`] levels.
    Deep,
    /// A literal, but no dict.
    NoDict,
}

type Result<T> = std::result::Result<T, Problem>;

/// The values of `wanted` keys in the dict that `text` is; of a key given twice the last one, as in
/// Python. `None` counts as absent; numbers, dicts and sets come as null, which no field accepts.
pub(crate) fn fields<const N: usize>(text: &str, wanted: [&str; N]) -> Result<[Option<Value>; N]> {
    let mut scanner = Scanner { bytes: text.as_bytes(), text, at: 0, depth: 0 };
    let mut found = std::array::from_fn(|_| None);
    scanner.space();
    if scanner.peek() == Some(b'{') {
        scanner.dict(|scanner, key| {
            match wanted.iter().position(|name| Some(*name) == key.as_deref()) {
                Some(place) => found[place] = scanner.value()?,
                None => scanner.skip()?,
            }
            Ok(())
        })?;
    } else {
        scanner.skip()?;
        scanner.end()?;
        return Err(Problem::NoDict);
    }
    scanner.end()?;
    Ok(found)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expected<T>(&self, what: &'static str) -> Result<T> {
        Err(Problem::Expected(what, self.at))
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { self.expected("expected the line's end") }
    }

    /// Elements between brackets, of which the opening one is next; commas between them, one more after
    /// the last allowed. Returns how many there were and whether such a comma was there.
    fn elements(
        &mut self,
        close: u8,
        mut element: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<(usize, bool)> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(Problem::Deep);
        }
        self.at += 1;
        let (mut count, mut comma) = (0, false);
        loop {
            self.space();
            if self.peek() == Some(close) {
                self.at += 1;
                self.depth -= 1;
                return Ok((count, comma));
            }
            if count > 0 && !comma {
                return self.expected("expected a comma or the closing bracket");
            }
            element(self)?;
            count += 1;
            self.space();
            comma = self.peek() == Some(b',');
            self.at += usize::from(comma);
        }
    }

    /// A dict; `each` must consume the value. A key that is no text is none.
    fn dict(
        &mut self,
        mut each: impl FnMut(&mut Self, Option<Cow<'a, str>>) -> Result<()>,
    ) -> Result<()> {
        self.elements(b'}', |scanner| {
            let key = match scanner.peek() {
                Some(b'\'' | b'"' | b'u') => Some(scanner.string()?),
                _ => {
                    scanner.skip()?;
                    None
                }
            };
            scanner.colon()?;
            each(scanner, key)
        })?;
        Ok(())
    }

    fn colon(&mut self) -> Result<()> {
        self.space();
        if self.peek() != Some(b':') {
            return self.expected("expected a colon");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// A value that is wanted.
    fn value(&mut self) -> Result<Option<Value>> {
        match self.peek() {
            Some(b'\'' | b'"' | b'u') => Ok(Some(Value::String(self.string()?.into_owned()))),
            Some(open @ (b'[' | b'(')) => {
                let mut values = Vec::new();
                let close = if open == b'[' { b']' } else { b')' };
                let (count, comma) = self.elements(close, |scanner| {
                    values.extend(scanner.value()?);
                    Ok(())
                })?;
                if open == b'(' && count == 1 && !comma {
                    // Brackets around one value make no tuple.
                    return Ok(values.pop());
                }
                Ok(Some(Value::Array(values)))
            }
            Some(b'N') => self.word().map(|()| None),
            _ => self.skip().map(|()| Some(Value::Null)),
        }
    }

    /// Any value, checked and forgotten.
    fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'\'' | b'"' | b'u') => self.skip_string().map(|_| ()),
            Some(b'[') => self.elements(b']', Self::skip).map(|_| ()),
            Some(b'(') => self.elements(b')', Self::skip).map(|_| ()),
            Some(b'{') => self.braces(),
            Some(b'N' | b'T' | b'F') => self.word(),
            _ => self.number(),
        }
    }

    /// A dict or a set: the first element tells which.
    fn braces(&mut self) -> Result<()> {
        let mut pairs = None;
        self.elements(b'}', |scanner| {
            scanner.skip()?;
            scanner.space();
            let pair = *pairs.get_or_insert(scanner.peek() == Some(b':'));
            if pair {
                scanner.colon()?;
                scanner.skip()?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn word(&mut self) -> Result<()> {
        for word in ["None", "True", "False"] {
            if self.bytes[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(());
            }
        }
        self.expected("expected a value")
    }

    /// Signs, digits, a fraction and an exponent.
    fn number(&mut self) -> Result<()> {
        while matches!(self.peek(), Some(b'-' | b'+' | b' ')) {
            self.at += 1;
        }
        let start = self.at;
        let whole = self.digits();
        let mut float = false;
        let mut fraction = 0;
        if self.peek() == Some(b'.') {
            self.at += 1;
            float = true;
            fraction = self.digits();
        }
        if whole + fraction == 0 {
            self.at = start;
            return self.expected("expected a value");
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            float = true;
            if matches!(self.peek(), Some(b'-' | b'+')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.expected("expected digits");
            }
        }
        // Python 2 read such a number in base 8 and Python 3 refuses it.
        let digits = &self.bytes[start..self.at];
        if !float && digits.len() > 1 && digits[0] == b'0' && digits.iter().any(|&b| b != b'0') {
            self.at = start;
            return self.expected("expected a number without leading zeros");
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    /// Goes over a string; what stands between its quotes, and whether it has escapes.
    fn skip_string(&mut self) -> Result<(&'a str, bool)> {
        self.at += usize::from(self.peek() == Some(b'u'));
        let quote = match self.peek() {
            Some(quote @ (b'\'' | b'"')) => quote,
            _ => return self.expected("expected a quotation mark"),
        };
        self.at += 1;
        let (start, mut escapes) = (self.at, false);
        loop {
            match memchr::memchr2(quote, b'\\', &self.bytes[self.at..]) {
                None => {
                    self.at = self.bytes.len();
                    return self.expected("expected the closing quotation mark");
                }
                Some(ahead) => self.at += ahead,
            }
            if self.peek() == Some(quote) {
                let inside = &self.text[start..self.at];
                self.at += 1;
                return Ok((inside, escapes));
            }
            escapes = true;
            self.escape()?;
        }
    }

    /// One escape; none where Python leaves the backslash standing.
    fn escape(&mut self) -> Result<Option<char>> {
        let start = self.at;
        let kind = self.bytes.get(start + 1).copied();
        self.at += 2;
        let plain = match kind {
            Some(b'\\') => '\\',
            Some(b'\'') => '\'',
            Some(b'"') => '"',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'a') => '\x07',
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'v') => '\x0b',
            Some(b'x') => return self.coded(start, 2, 16).map(Some),
            Some(b'u') => return self.coded(start, 4, 16).map(Some),
            Some(b'U') => return self.coded(start, 8, 16).map(Some),
            Some(b'0'..=b'7') => {
                self.at = start + 1;
                let octal = self.bytes[self.at..].iter().take(3);
                let length = octal.take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                return self.coded(start, length, 8).map(Some);
            }
            Some(b'N') | None => {
                self.at = start;
                return self.expected("expected an escape that is taken");
            }
            Some(_) => {
                // The next character may have several bytes; the search goes on behind the backslash.
                self.at = start + 1;
                return Ok(None);
            }
        };
        Ok(Some(plain))
    }

    /// A character by its number, of which `length` digits are next.
    fn coded(&mut self, start: usize, length: usize, radix: u32) -> Result<char> {
        let digits = self.text.get(self.at..self.at + length);
        let number = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, radix).ok());
        match number.and_then(char::from_u32) {
            Some(character) => {
                self.at += length;
                Ok(character)
            }
            None => {
                self.at = start;
                self.expected("expected an escape with the number of a character")
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        let (inside, escapes) = self.skip_string()?;
        if !escapes {
            return Ok(Cow::Borrowed(inside));
        }
        let mut inner =
            Scanner { text: inside, bytes: inside.as_bytes(), at: 0, depth: self.depth };
        let mut text = String::with_capacity(inside.len());
        loop {
            let plain = memchr::memchr(b'\\', &inner.bytes[inner.at..]);
            let end = plain.map_or(inside.len(), |ahead| inner.at + ahead);
            text.push_str(&inside[inner.at..end]);
            inner.at = end;
            if end == inside.len() {
                return Ok(Cow::Owned(text));
            }
            text.push(inner.escape()?.unwrap_or('\\'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::{RandomStream, SeedStreams};
    use py_literal::Value as Python;

    fn one(text: &str) -> Result<Option<Value>> {
        fields(text, ["a"]).map(|[value]| value)
    }

    #[test]
    fn values_that_are_not_wanted_are_gone_over() {
        let text = r#"{ 'x': {'k"': [1, -2.5e-3, .5, 1.], u'n': (None, True,), "s": {1, '}'}}, 3: False, 'a' : "it's \"\x41\" \q\u00e9\101", }"#;
        assert_eq!(one(text), Ok(Some(Value::String("it's \"A\" \\qéA".into()))));
        assert_eq!(one("{'a': None}"), Ok(None));
        assert_eq!(one("{'b': 1}"), Ok(None));
        assert_eq!(one("{'a': 'x', 'a': 'y'}"), Ok(Some("y".into())));
        assert_eq!(
            one("{'a': [['x'], ('y',), ('z'), 4]}").unwrap().unwrap().to_string(),
            r#"[["x"],["y"],"z",null]"#
        );
    }

    #[test]
    fn everything_else_is_refused_with_its_place() {
        for (text, place) in [
            ("{'x': 1 'y': 2}", 8),
            ("{'x': open('f')}", 6),
            ("{'x': 'a", 8),
            ("{'x': 'a' 'b'}", 10),
            ("{'x': 1, , 'y': 2}", 9),
            ("{'x' 1}", 5),
            ("{'x': [1, 2}", 11),
            ("{'x': 007}", 6),
            ("{'x': 1e}", 8),
            (r"{'x': '\xg1'}", 7),
            (r"{'x': '\ud800'}", 7),
            (r"{'x': '\N{DASH}'}", 7),
            ("{'x': 1} 2", 9),
            ("{'x': 1 + 2}", 8),
            ("{'x': {1: 2, 3}}", 14),
            ("", 0),
        ] {
            match one(text) {
                Err(Problem::Expected(_, at)) => assert_eq!(at, place, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(one("['a']"), Err(Problem::NoDict));
        assert_eq!(one(&format!("{{'x': {}", "[".repeat(500_000))), Err(Problem::Deep));
    }

    fn string(stream: &mut RandomStream) -> String {
        let pieces =
            ["a", "B ", "é", "\\'", "\\\"", "\\\\", "\\n", "\\xe9", "\\u20ac", "[", "}", ","];
        let quote = ["'", "\""][stream.below(2) as usize];
        let other = if quote == "'" { "\"" } else { "'" };
        let inside: String = (0..stream.below(8))
            .map(|_| *pieces.get(stream.below(13) as usize).unwrap_or(&other))
            .collect();
        format!("{quote}{inside}{quote}")
    }

    /// A literal nested at most `levels` deep.
    fn literal(stream: &mut RandomStream, levels: u64) -> String {
        let row = |stream: &mut RandomStream| -> String {
            let all: Vec<String> =
                (0..stream.below(4)).map(|_| literal(stream, levels - 1)).collect();
            all.join([", ", ",", " , "][stream.below(3) as usize])
        };
        match stream.below(if levels == 0 { 5 } else { 8 }) {
            0 | 1 => string(stream),
            2 => ["None", "True", "False"][stream.below(3) as usize].into(),
            3 => format!("{}", stream.below(1000)),
            4 => format!("-{}.{}e-{}", stream.below(9), stream.below(99), stream.below(9)),
            5 => format!("[{}]", row(stream)),
            6 => format!("({},)", literal(stream, levels - 1)),
            _ => {
                let pairs: Vec<String> = (0..stream.below(4))
                    .map(|_| format!("{}: {}", string(stream), literal(stream, levels - 1)))
                    .collect();
                format!("{{{}}}", pairs.join(", "))
            }
        }
    }

    fn as_value(value: &Python) -> Option<Value> {
        match value {
            Python::None => None,
            Python::String(text) => Some(Value::String(text.clone())),
            Python::List(items) | Python::Tuple(items) => {
                Some(Value::Array(items.iter().filter_map(as_value).collect()))
            }
            _ => Some(Value::Null),
        }
    }

    #[test]
    fn generated_literals_are_read_as_another_parser_reads_them() {
        let mut stream = SeedStreams::new(5).stream("literals");
        let mut taken = 0;
        for _ in 0..1500 {
            let mut text =
                format!("{{'x': {}, 'a': {}}}", literal(&mut stream, 2), literal(&mut stream, 2));
            // Every third one loses a character, which most of the time breaks it.
            let place = stream.below(text.len() as u64) as usize;
            let broken = stream.below(3) == 0 && text.is_char_boundary(place);
            if broken {
                text.remove(place);
            }
            let Ok(Python::Dict(pairs)) = text.parse::<Python>() else {
                assert!(broken, "{text}");
                continue;
            };
            let wanted = Python::String("a".into());
            let found = pairs.iter().rev().find(|(key, _)| *key == wanted);
            let expected = found.and_then(|(_, value)| as_value(value));
            // The other parser also takes sums and half an escape; ours may refuse what is broken, but
            // must not read another value.
            match one(&text) {
                Err(_) if broken => {}
                found => assert_eq!(found, Ok(expected), "{text}"),
            }
            taken += 1;
        }
        assert!(taken > 900, "{taken}");
    }
}
