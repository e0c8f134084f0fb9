//! Cuts the bytes of an answer into JSON objects as they arrive.
//!
//! A list is read item by item, so memory holds at most one item and one part of the body, however long the list is. An
//! event of a watch is one object.

use zeroize::Zeroizing;

/// The longest object that is kept, in bytes. The API server accepts requests of 3 MiB and etcd accepts values of
/// 1.5 MiB; JSON writes one byte as at most six (`\u003c`).
const MAX_OBJECT: usize = 16 * 1024 * 1024;
/// The longest text around the items of a list, in bytes: its kind, version and metadata.
const MAX_ENVELOPE: usize = 64 * 1024;
/// The number of brackets that are open around an item of a list: `{"items": [`.
const LIST_LEVEL: usize = 2;

/// The bytes of an object, wiped when they are dropped. Empty if the object was longer than [`MAX_OBJECT`].
pub(super) type Json = Zeroizing<Vec<u8>>;

/// The bytes do not come from an API server.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not JSON")]
pub(super) struct NotJson;

/// The position in an answer up to which it is cut.
#[derive(Default)]
pub(super) struct Splitter {
    /// The number of open brackets around an object: two in a list, none in a watch.
    level: usize,
    in_items: bool,
    /// The number of open brackets at the position.
    depth: usize,
    text: TextPart,
    /// The object that has begun but not ended.
    object: Option<Json>,
    is_too_long: bool,
    /// The text around the items of a list.
    envelope: Vec<u8>,
}

/// The position relative to a JSON text.
#[derive(Default, PartialEq, Eq)]
enum TextPart {
    #[default]
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

impl Splitter {
    /// Cuts the answer to a list into its items.
    pub(super) fn list() -> Self {
        Self {
            level: LIST_LEVEL,
            ..Self::default()
        }
    }

    /// Cuts the answer to a watch into its events.
    pub(super) fn watch() -> Self {
        Self {
            in_items: true,
            ..Self::default()
        }
    }

    /// Returns whether the answer may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.depth == 0 && (!self.is_list() || !self.envelope.is_empty())
    }

    /// Returns the text around the items of a list.
    pub(super) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Reads up to the end of the next object. Returns the number of bytes read, and the object if it ended.
    ///
    /// # Errors
    /// Fails if a bracket closes that was not opened, or if the text around the items is too long.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Json>), NotJson> {
        let mut begin = 0;
        for (at, byte) in bytes.iter().copied().enumerate() {
            let was_inside = self.object.is_some();
            let was_in_items = self.in_items;
            let is_end = self.step(byte)?;
            if is_end {
                self.keep(&bytes[begin..=at]);
                return Ok((at + 1, self.take()));
            }
            if !was_inside && self.object.is_some() {
                begin = at;
            } else if !(was_in_items && self.in_items) {
                self.envelope.push(byte);
                if self.envelope.len() > MAX_ENVELOPE {
                    return Err(NotJson);
                }
            }
        }
        self.keep(&bytes[begin..]);
        Ok((bytes.len(), None))
    }

    /// Reads one byte. Returns whether an object ends with it.
    fn step(&mut self, byte: u8) -> Result<bool, NotJson> {
        if self.text != TextPart::Outside {
            self.text = match (&self.text, byte) {
                (TextPart::Inside, b'"') => TextPart::Outside,
                (TextPart::Inside, b'\\') => TextPart::Escaped,
                _ => TextPart::Inside,
            };
            return Ok(false);
        }
        match byte {
            b'"' => self.text = TextPart::Inside,
            b'{' | b'[' => {
                if byte == b'{' && self.in_items && self.depth == self.level {
                    self.object.get_or_insert_default();
                } else if byte == b'[' && self.is_list() && self.depth == 1 {
                    self.in_items = self.is_after_key(b"\"items\"");
                }
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.checked_sub(1).ok_or(NotJson)?;
                if self.is_list() && self.depth == 1 {
                    self.in_items = false;
                }
                return Ok(self.object.is_some() && self.depth == self.level);
            }
            _ => {}
        }
        Ok(false)
    }

    fn is_list(&self) -> bool {
        self.level == LIST_LEVEL
    }

    fn is_after_key(&self, key: &[u8]) -> bool {
        let before = self.envelope.trim_ascii_end().strip_suffix(b":");
        before.is_some_and(|before| before.trim_ascii_end().ends_with(key))
    }

    /// Appends to the object. The buffer never grows in place, because that would leave a copy behind that is not
    /// wiped.
    fn keep(&mut self, bytes: &[u8]) {
        let Some(object) = &mut self.object else {
            return;
        };
        let length = object.len() + bytes.len();
        if self.is_too_long || length > MAX_OBJECT {
            self.is_too_long = true;
            *object = Json::default();
            return;
        }
        if length > object.capacity() {
            let mut larger = Json::new(Vec::with_capacity(length.max(object.capacity() * 2)));
            larger.extend_from_slice(object);
            *object = larger;
        }
        object.extend_from_slice(bytes);
    }

    fn take(&mut self) -> Option<Json> {
        self.is_too_long = false;
        self.object.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a text in parts of this many bytes. Returns the objects.
    fn split(mut splitter: Splitter, text: &str, part: usize) -> (Vec<String>, Splitter) {
        let mut objects = Vec::new();
        for mut part in text.as_bytes().chunks(part) {
            while !part.is_empty() {
                let (length, object) = splitter.read(part).expect("JSON");
                part = &part[length..];
                objects.extend(object.map(|json| String::from_utf8(json.to_vec()).expect("UTF-8")));
            }
        }
        (objects, splitter)
    }

    #[test]
    fn a_list_is_cut_into_its_items_wherever_its_parts_end() {
        let items = [
            r#"{"a":"]}{[","b":[{"c":"\"}"}]}"#,
            "{}",
            r#"{"items":[{"x":1}]}"#,
        ];
        let text = format!(
            r#"{{"metadata":{{"annotations":[1],"resourceVersion":"7"}}, "items" : [{}] ,"kind":"List"}}"#,
            items.join(" ,\n")
        );
        for part in 1..text.len() {
            let (objects, splitter) = split(Splitter::list(), &text, part);
            assert_eq!(objects, items, "{part}");
            assert!(splitter.is_complete());
            let envelope = String::from_utf8_lossy(splitter.envelope()).into_owned();
            assert!(envelope.contains(r#""resourceVersion":"7""#), "{envelope}");
            assert!(!envelope.contains('x'), "{envelope}");
        }
    }

    proptest! {
        /// Holds for any content of the items, and for any ends of the parts of a body.
        #[test]
        fn the_items_of_any_list_are_what_was_put_in(
            texts in proptest::collection::vec("[a-z\"{}\\[\\]\\\\,: é]{0,12}", 0..6),
            part in 1_usize..40,
        ) {
            let items: Vec<_> = texts
                .iter()
                .map(|text| serde_json::json!({text: [text, {"items": [text, {}]}], "b": {}}).to_string())
                .collect();
            let list = format!("{{\"a\":\"[{{\",\"items\":[{}],\"metadata\":{{}}}}", items.join(","));
            let (objects, splitter) = split(Splitter::list(), &list, part);
            prop_assert_eq!(objects, items.clone());
            prop_assert!(splitter.is_complete());
            let envelope: serde_json::Value = serde_json::from_slice(splitter.envelope()).expect("JSON");
            prop_assert_eq!(&envelope["items"], &serde_json::json!([]));
            let (objects, _) = split(Splitter::watch(), &items.join("\n"), part);
            prop_assert_eq!(objects, items);
        }
    }

    #[test]
    fn a_list_without_items_and_one_that_breaks_off() {
        for text in [
            r#"{"items":null}"#,
            r#"{"items":[]}"#,
            r#"{"other":[{"a":1}]}"#,
        ] {
            let (objects, splitter) = split(Splitter::list(), text, 3);
            assert!(objects.is_empty() && splitter.is_complete(), "{text}");
        }
        for text in ["", r#"{"items":[{"a":1}"#, r#"{"items":[{"a"#] {
            assert!(!split(Splitter::list(), text, 3).1.is_complete(), "{text}");
        }
        assert!(Splitter::list().read(b"]").is_err());
    }

    #[test]
    fn a_watch_is_cut_into_its_events() {
        let text = "{\"a\":{\"items\":[{}]}}\n{\"b\":\"}\"}\n";
        for part in 1..text.len() {
            let (objects, splitter) = split(Splitter::watch(), text, part);
            assert_eq!(objects, [r#"{"a":{"items":[{}]}}"#, r#"{"b":"}"}"#]);
            assert!(splitter.is_complete());
        }
    }

    #[test]
    fn an_object_that_is_too_long_is_left_out_and_those_around_it_are_not() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_OBJECT));
        let text = format!("{{\"a\":1}}{long}{{\"b\":2}}");
        let (objects, _) = split(Splitter::watch(), &text, 1 << 20);
        assert_eq!(objects, ["{\"a\":1}", "", "{\"b\":2}"]);
    }
}
