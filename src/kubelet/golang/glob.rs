//! `path/filepath`: `Match` as it is on Unix (`match.go`).

/// A pattern that Go refuses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadPattern;

/// Whether a name matches a pattern of `*`, `?`, `[a-z]` and `\`.
pub(crate) fn matches(mut pattern: &[u8], mut name: &[u8]) -> Result<bool, BadPattern> {
    'pattern: while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let after = match_chunk(chunk, name)?;
        if let Some(after) = after.filter(|after| after.is_empty() || !pattern.is_empty()) {
            name = after;
            continue;
        }
        let skippable = name.iter().take_while(|byte| **byte != b'/').count();
        for skipped in 1..=if star { skippable } else { 0 } {
            let after = match_chunk(chunk, &name[skipped..])?;
            if let Some(after) = after.filter(|after| after.is_empty() || !pattern.is_empty()) {
                name = after;
                continue 'pattern;
            }
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// Whether the pattern begins with stars, what follows up to the next star, and the rest.
fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut at, mut in_range) = (0, false);
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'\\' if at + 1 < pattern.len() => at += 1,
            b'[' => in_range = true,
            b']' => in_range = false,
            b'*' if !in_range => break,
            _ => {}
        }
        at += 1;
    }
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// What is left of a text that begins with what the chunk describes. The chunk is read to its end in any case: a fault
/// in it counts also where it does not match.
fn match_chunk<'n>(mut chunk: &[u8], mut name: &'n [u8]) -> Result<Option<&'n [u8]>, BadPattern> {
    let mut failed = false;
    while let Some((byte, rest)) = chunk.split_first() {
        failed = failed || name.is_empty();
        match byte {
            b'[' => {
                let mut letter = 0;
                if !failed {
                    let (first, length) = decode(name);
                    (letter, name) = (first, &name[length..]);
                }
                let (contains, rest) = class(rest, letter)?;
                failed = failed || !contains;
                chunk = rest;
            }
            b'?' => {
                if !failed {
                    failed = name[0] == b'/';
                    name = &name[decode(name).1..];
                }
                chunk = rest;
            }
            _ => {
                let literal = if *byte == b'\\' { rest } else { chunk };
                let (literal, rest) = literal.split_first().ok_or(BadPattern)?;
                if !failed {
                    failed = *literal != name[0];
                    name = &name[1..];
                }
                chunk = rest;
            }
        }
    }
    Ok((!failed).then_some(name))
}

/// Whether a class (what follows its `[`) contains a letter, and what follows it.
fn class(chunk: &[u8], letter: u32) -> Result<(bool, &[u8]), BadPattern> {
    let (negated, mut chunk) = match chunk.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, chunk),
    };
    let (mut contains, mut is_first) = (false, true);
    loop {
        if let Some(rest) = chunk.strip_prefix(b"]").filter(|_| !is_first) {
            return Ok((contains != negated, rest));
        }
        let (low, rest) = class_letter(chunk)?;
        let (high, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => class_letter(rest)?,
            None => (low, rest),
        };
        contains = contains || (low..=high).contains(&letter);
        (chunk, is_first) = (rest, false);
    }
}

fn class_letter(chunk: &[u8]) -> Result<(u32, &[u8]), BadPattern> {
    if matches!(chunk.first(), None | Some(b'-' | b']')) {
        return Err(BadPattern);
    }
    let chunk = chunk.strip_prefix(b"\\").unwrap_or(chunk);
    if chunk.is_empty() {
        return Err(BadPattern);
    }
    let (letter, length) = decode(chunk);
    let is_broken = letter == u32::from(char::REPLACEMENT_CHARACTER) && length == 1;
    let rest = &chunk[length..];
    if is_broken || rest.is_empty() {
        Err(BadPattern)
    } else {
        Ok((letter, rest))
    }
}

/// `utf8.DecodeRune` of a text that is not empty: U+FFFD of one byte where there is no UTF-8.
fn decode(text: &[u8]) -> (u32, usize) {
    let beginning = &text[..text.len().min(4)];
    let valid = beginning
        .utf8_chunks()
        .next()
        .map_or("", |chunk| chunk.valid());
    let first = valid.chars().next();
    first.map_or((u32::from(char::REPLACEMENT_CHARACTER), 1), |c| {
        (u32::from(c), c.len_utf8())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*", "", Ok(true)),
            ("a*c", "abbc", Ok(true)),
            ("a*c", "ab", Ok(false)),
            ("a?c", "abc", Ok(true)),
            ("[a-c]x", "bx", Ok(true)),
            ("[^a-c]x", "bx", Ok(false)),
            ("a\\*", "a*", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("a[", "x", Err(BadPattern)),
            ("[\\]a]", "]", Ok(true)),
            ("[a-]", "a", Err(BadPattern)),
            ("\\", "a", Err(BadPattern)),
            ("*b*", "abc", Ok(true)),
            ("a", "ab", Ok(false)),
            ("?", "\u{fc}", Ok(true)),
            ("", "", Ok(true)),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
