//! The grammar of `scanner.go`.

/// `maxNestingDepth` of `scanner.go`.
pub(super) const MAX_DEPTH: usize = 10_000;

/// A text that is no JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoJson;

/// Checks the grammar without recursion: a Secret can be nested as deeply as it is long.
pub(super) struct GrammarScanner<'a> {
    text: &'a [u8],
    at: usize,
    /// What is open: an object or else an array.
    open: Vec<bool>,
}

impl<'a> GrammarScanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
        }
    }

    /// Checks a text as a whole.
    pub(super) fn document(&mut self) -> Result<(), NoJson> {
        loop {
            let opened = self.value()?;
            if opened && !self.closes() {
                self.name()?;
                continue;
            }
            loop {
                self.space();
                let Some(is_object) = self.open.last().copied() else {
                    return if self.at == self.text.len() {
                        Ok(())
                    } else {
                        Err(NoJson)
                    };
                };
                match self.next()? {
                    b',' => {
                        self.space();
                        self.name()?;
                        break;
                    }
                    b'}' if is_object => drop(self.open.pop()),
                    b']' if !is_object => drop(self.open.pop()),
                    _ => return Err(NoJson),
                }
            }
        }
    }

    /// Reads a value, or the bracket that it begins with.
    fn value(&mut self) -> Result<bool, NoJson> {
        self.space();
        match self.next()? {
            byte @ (b'{' | b'[') => {
                self.open.push(byte == b'{');
                if self.open.len() > MAX_DEPTH {
                    return Err(NoJson);
                }
                return Ok(true);
            }
            b'"' => self.string()?,
            b't' => self.literal(b"rue")?,
            b'f' => self.literal(b"alse")?,
            b'n' => self.literal(b"ull")?,
            byte @ (b'-' | b'0'..=b'9') => self.number(byte)?,
            _ => return Err(NoJson),
        }
        Ok(false)
    }

    /// Whether what was just opened is empty; it is closed then.
    fn closes(&mut self) -> bool {
        self.space();
        let end = if self.open.last() == Some(&true) {
            b'}'
        } else {
            b']'
        };
        let closes = self.text.get(self.at) == Some(&end);
        if closes {
            self.at += 1;
            self.open.pop();
        }
        closes
    }

    /// Reads the name of a member and its colon, in an object.
    fn name(&mut self) -> Result<(), NoJson> {
        if self.open.last() == Some(&true) {
            self.expect(b'"')?;
            self.string()?;
            self.space();
            self.expect(b':')?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), NoJson> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            self.next()?
                                .is_ascii_hexdigit()
                                .then_some(())
                                .ok_or(NoJson)?;
                        }
                    }
                    _ => return Err(NoJson),
                },
                0..0x20 => return Err(NoJson),
                _ => {}
            }
        }
    }

    fn number(&mut self, first: u8) -> Result<(), NoJson> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => drop(self.digits()),
            _ => return Err(NoJson),
        }
        if self.takes(b".") && self.digits() == 0 {
            return Err(NoJson);
        }
        if self.takes(b"eE") {
            self.takes(b"+-");
            if self.digits() == 0 {
                return Err(NoJson);
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.takes(b"0123456789") {}
        self.at - start
    }

    fn takes(&mut self, any: &[u8]) -> bool {
        let takes = self
            .text
            .get(self.at)
            .is_some_and(|byte| any.contains(byte));
        self.at += usize::from(takes);
        takes
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), NoJson> {
        rest.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn expect(&mut self, byte: u8) -> Result<(), NoJson> {
        (self.next()? == byte).then_some(()).ok_or(NoJson)
    }

    fn next(&mut self) -> Result<u8, NoJson> {
        let byte = self.text.get(self.at).copied().ok_or(NoJson)?;
        self.at += 1;
        Ok(byte)
    }

    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| is_space(*byte)) {
            self.at += 1;
        }
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
