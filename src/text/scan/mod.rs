//! Reads JSON and skips the fields that a type does not declare, 64 bytes at a time.
//!
//! Most bytes of a Pod are irrelevant for a verdict: managed fields, values of variables, probes. `serde_json` parses
//! each of them, even to throw it away. This reader fills a type from its declared fields, and of any other value it
//! finds only the end, by quotes and brackets.
//!
//! The limit of that: other errors inside a skipped value stay unnoticed. The API server wrote the JSON and has parsed
//! it before, and no verdict depends on a skipped value.
//!
//! The reader knows only the ordinary case. At anything unusual, above all an error, it gives up, and `serde_json`
//! reads the whole text again. So results and error messages are those of `serde_json`, and this module needs no error
//! messages of its own. The second pass costs time in proportion to the text, once.

mod marks;
mod raw;

pub(crate) use raw::RawLength;
pub use raw::{Nested, Raw};

use marks::Marks;
use raw::{NESTED, RAW};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Parses a value from bytes.
///
/// # Errors
/// Returns the error of `serde_json`.
pub fn from_slice<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    match simdutf8::basic::from_utf8(json) {
        Ok(json) => from_str(json),
        // The invalid bytes may stand in a field that is skipped, so `serde_json` decides.
        Err(_) => serde_json::from_slice(json),
    }
}

/// Parses a value from a text.
///
/// # Errors
/// Returns the error of `serde_json`.
pub fn from_str<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, serde_json::Error> {
    seeded(json, PhantomData)
}

/// Parses a text with a seed.
///
/// # Errors
/// Returns the error of `serde_json`.
pub(crate) fn seeded<'a, S: DeserializeSeed<'a> + Copy>(
    json: &'a str,
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    if let Some(value) = skim(json, seed) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Parses a value, or returns `None` at anything unusual.
#[must_use]
pub fn skimmed<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    skim(json, PhantomData)
}

fn skim<'a, S: DeserializeSeed<'a>>(json: &'a str, seed: S) -> Option<S::Value> {
    let mut scanner = Scanner {
        json,
        at: 0,
        depth: 0,
        marks: Marks::new(json.as_bytes()),
    };
    let value = seed.deserialize(&mut scanner).ok()?;
    scanner.next().is_none().then_some(value)
}

/// The deepest nesting of a filled type: the limit of `serde_json`. Skipped values may be deeper.
const MAX_DEPTH: u8 = 127;

/// A text and the reading position in it.
struct Scanner<'a> {
    json: &'a str,
    at: usize,
    depth: u8,
    marks: Marks<'a>,
}

/// The reader met something that it leaves to `serde_json`.
#[derive(Debug, thiserror::Error)]
#[error("out of the ordinary")]
struct Unusual;

/// The unread part of an object or an array.
struct Rest<'s, 'a> {
    scanner: &'s mut Scanner<'a>,
    is_first: bool,
}

impl<'a> Scanner<'a> {
    /// Returns the next byte that is not white space.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        match self.json.as_bytes().get(self.at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => self.behind_space(),
            next => next.copied(),
        }
    }

    /// Skips white space. Cold, because the API server sends none.
    #[cold]
    fn behind_space(&mut self) -> Option<u8> {
        let rest = self.json.as_bytes().get(self.at..)?;
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().take_while(is_space).count();
        self.json.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, wanted: u8) -> Result<(), Unusual> {
        if self.next() != Some(wanted) {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a word if it comes next, and returns whether it did. The byte after the word is checked by the next read.
    #[inline]
    fn takes_word(&mut self, word: &'static str) -> bool {
        self.next();
        let is_there = self.json.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is_there { word.len() } else { 0 };
        is_there
    }

    /// Enters an object or an array.
    fn enter(&mut self, open: u8) -> Result<Rest<'_, 'a>, Unusual> {
        self.take(open)?;
        if self.depth == MAX_DEPTH {
            return Err(Unusual);
        }
        self.depth += 1;
        Ok(Rest {
            scanner: self,
            is_first: true,
        })
    }

    /// Reads a text as it is written, and returns whether it has escapes.
    #[inline]
    fn text(&mut self) -> Result<(&'a str, bool), Unusual> {
        self.take(b'"')?;
        let begin = self.at;
        let (end, has_escapes) = self.marks.end_of_text(begin).ok_or(Unusual)?;
        self.at = end + 1;
        let text = self.json.get(begin..end).ok_or(Unusual)?;
        Ok((text, has_escapes))
    }

    /// Decodes a text that has escapes. The position is just after its closing quote.
    #[cold]
    fn unescape(&self, text: &str) -> Result<String, Unusual> {
        let quoted = self.at - text.len() - 2..self.at;
        serde_json::from_str(&self.json[quoted]).map_err(|_| Unusual)
    }

    /// Skips a value, and returns the offset at which it began.
    fn skip(&mut self) -> Result<usize, Unusual> {
        let bytes = self.json.as_bytes();
        let first = self.next().ok_or(Unusual)?;
        let begin = self.at;
        let end = match first {
            b'"' => self.marks.end_of_text(begin + 1).map(|(end, _)| end + 1),
            b'{' | b'[' => self.marks.behind_nested(begin),
            _ => {
                // A quote or a bracket inside a number or a word is invalid JSON. It must end the value here: the
                // search for the end of a later value would count it.
                let is_end = |byte: &u8| {
                    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
                        || matches!(byte, b'"' | b'{' | b'[')
                };
                let length = bytes[begin..].iter().position(is_end);
                length
                    .filter(|length| *length > 0)
                    .map(|length| begin + length)
            }
        };
        self.at = end.ok_or(Unusual)?;
        Ok(begin)
    }
}

impl Rest<'_, '_> {
    /// Returns whether another element comes before the bracket `close`.
    #[inline]
    fn has_next(&mut self, close: u8) -> Result<bool, Unusual> {
        let next = self.scanner.next().ok_or(Unusual)?;
        if next == close {
            self.scanner.at += 1;
            self.scanner.depth -= 1;
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.scanner.take(b',')?;
        }
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for Rest<'_, 'de> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unusual> {
        if !self.has_next(b'}')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.scanner).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unusual> {
        self.scanner.take(b':')?;
        seed.deserialize(&mut *self.scanner)
    }
}

impl<'de> SeqAccess<'de> for Rest<'_, 'de> {
    type Error = Unusual;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unusual> {
        if !self.has_next(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.scanner).map(Some)
    }
}

impl<'de> Deserializer<'de> for &mut Scanner<'de> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unusual> {
        Err(Unusual)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        for (word, value) in [("true", true), ("false", false)] {
            if self.takes_word(word) {
                return visitor.visit_bool(value);
            }
        }
        Err(Unusual)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        match self.text()? {
            (text, false) => visitor.visit_borrowed_str(text),
            (text, true) => visitor.visit_string(self.unescape(text)?),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        if self.takes_word("null") {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        visitor.visit_seq(self.enter(b'[')?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        visitor.visit_map(self.enter(b'{')?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unusual> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unusual> {
        match name {
            RAW => {
                let begin = self.skip()?;
                visitor.visit_borrowed_str(&self.json[begin..self.at])
            }
            NESTED => {
                let is_object = self.next() == Some(b'{');
                let end = self.marks.behind_flat(self.at).filter(|_| is_object);
                let Some(end) = end else {
                    return visitor.visit_newtype_struct(self);
                };
                self.at = end;
                visitor.visit_unit()
            }
            _ => Err(Unusual),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
    }
}

impl serde::de::Error for Unusual {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
