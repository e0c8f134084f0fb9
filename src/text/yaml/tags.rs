//! Anchors, aliases, tags and directives.

use super::cursor::syntax;
use super::node::YamlError;
use super::scanner::Scanner;
use super::tokens::Token;

impl Scanner<'_> {
    /// Reads the name after `&` or `*`.
    pub(super) fn anchor(&mut self, what: &str) -> Result<String, YamlError> {
        self.cursor.skip_ascii(1);
        let mut name = String::new();
        self.cursor.take_word(&mut name);
        let next = self.cursor.byte(0);
        let ends = self.cursor.is_space_or_end(0)
            || matches!(
                next,
                Some(b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`')
            );
        if name.is_empty() || !ends {
            let message = format!("the name of {what} may hold letters, digits, `-` and `_`");
            return Err(self.cursor.error(&message));
        }
        Ok(name)
    }

    /// Reads a tag: `!<uri>`, `!suffix` or `!handle!suffix`.
    pub(super) fn tag(&mut self) -> Result<Token, YamlError> {
        let (handle, suffix) = if self.cursor.byte(1) == Some(b'<') {
            self.cursor.skip_ascii(2);
            let uri = self.tag_uri("", false)?;
            if self.cursor.byte(0) != Some(b'>') {
                return Err(self.cursor.error("a tag without its `>`"));
            }
            self.cursor.skip_ascii(1);
            (String::new(), uri)
        } else {
            let handle = self.tag_handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_uri("", false)?;
                (handle, suffix)
            } else {
                let suffix = self.tag_uri(&handle[1..], true)?;
                if suffix.is_empty() {
                    (String::new(), "!".to_owned())
                } else {
                    ("!".to_owned(), suffix)
                }
            }
        };
        if !self.cursor.is_space_or_end(0) {
            return Err(self.cursor.error("expected a space after the tag"));
        }
        Ok(Token::Tag(handle, suffix))
    }

    /// Reads a handle: `!`, `!word` or `!word!`.
    fn tag_handle(&mut self) -> Result<String, YamlError> {
        if self.cursor.byte(0) != Some(b'!') {
            return Err(self.cursor.error("expected `!`"));
        }
        let mut handle = String::new();
        self.cursor.take(&mut handle);
        self.cursor.take_word(&mut handle);
        if self.cursor.byte(0) == Some(b'!') {
            self.cursor.take(&mut handle);
        }
        Ok(handle)
    }

    fn tag_uri(&mut self, head: &str, may_be_empty: bool) -> Result<String, YamlError> {
        let mut uri = head.as_bytes().to_vec();
        while let Some(byte) = self.cursor.byte(0) {
            if byte == b'%' {
                self.uri_escape(&mut uri)?;
            } else if byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&byte) {
                uri.push(byte);
                self.cursor.skip_ascii(1);
            } else {
                break;
            }
        }
        if uri.is_empty() && !may_be_empty {
            return Err(self.cursor.error("an empty tag"));
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// Reads the escaped bytes of one character, such as `%C3%A9`.
    fn uri_escape(&mut self, uri: &mut Vec<u8>) -> Result<(), YamlError> {
        let mut missing = 1;
        let mut is_first = true;
        while missing > 0 {
            let digits = self.cursor.rest().get(..3);
            let octet = digits
                .and_then(|digits| digits.strip_prefix('%'))
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let octet = octet.ok_or_else(|| self.cursor.error("an escape that is not UTF-8"))?;
            missing = match octet {
                0x80..=0xBF if !is_first => missing,
                0x00..=0x7F if is_first => 1,
                0xC0..=0xDF if is_first => 2,
                0xE0..=0xEF if is_first => 3,
                0xF0..=0xF7 if is_first => 4,
                _ => return Err(self.cursor.error("an escape that is not UTF-8")),
            };
            uri.push(octet);
            self.cursor.skip_ascii(3);
            missing -= 1;
            is_first = false;
        }
        Ok(())
    }

    /// Reads a directive: `%YAML 1.1` or `%TAG !handle! prefix`.
    pub(super) fn directive(&mut self) -> Result<Token, YamlError> {
        let start = self.cursor.mark;
        self.cursor.skip_ascii(1);
        let mut name = String::new();
        self.cursor.take_word(&mut name);
        let is_spaced = self.cursor.is_space_or_end(0);
        let token = match &*name {
            "YAML" if is_spaced => self.version()?,
            "TAG" if is_spaced => self.tag_directive()?,
            _ => {
                let span = start.to(self.cursor.mark);
                return Err(syntax(span, "an unknown directive"));
            }
        };
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end() {
            return Err(self.cursor.error("expected the end of the line here"));
        }
        self.cursor.take_break();
        Ok(token)
    }

    fn version(&mut self) -> Result<Token, YamlError> {
        self.cursor.skip_blanks();
        let major = self.version_number()?;
        if self.cursor.byte(0) != Some(b'.') {
            return Err(self.cursor.error("expected a version like `1.1`"));
        }
        self.cursor.skip_ascii(1);
        Ok(Token::Version(major, self.version_number()?))
    }

    fn version_number(&mut self) -> Result<u8, YamlError> {
        let rest = self.cursor.rest().as_bytes();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=2).contains(&digits) {
            return Err(self.cursor.error("expected a version like `1.1`"));
        }
        let number = rest[..digits].iter();
        let number = number.fold(0, |number, digit| number * 10 + (digit - b'0'));
        self.cursor.skip_ascii(digits);
        Ok(number)
    }

    fn tag_directive(&mut self) -> Result<Token, YamlError> {
        self.cursor.skip_blanks();
        let handle = self.tag_handle()?;
        if (handle != "!" && !(handle.len() > 1 && handle.ends_with('!')))
            || !self.cursor.is_blank()
        {
            return Err(self.cursor.error("expected a handle like `!name!`"));
        }
        self.cursor.skip_blanks();
        let prefix = self.tag_uri("", false)?;
        if !self.cursor.is_space_or_end(0) {
            return Err(self.cursor.error("expected the end of the line here"));
        }
        Ok(Token::TagDirective(handle, prefix))
    }
}
