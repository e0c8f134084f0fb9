//! Where a text or a list ends, found 64 bytes at a time.

use wide::u8x16;

/// How many bytes are looked at together.
const BLOCK: usize = 64;
const LANE: usize = 16;

/// Where something is among 64 bytes: bit n stands for byte n.
type Bits = u64;

/// 64 bytes.
struct Block([u8x16; BLOCK / LANE]);

/// The end of a text that begins at its first character: the place of its closing quote, and whether it has escapes.
/// `None` where it does not end, or where a character stands in it that JSON wants escaped.
pub(super) fn of_text(bytes: &[u8], begin: usize) -> Option<(usize, bool)> {
    let (mut at, mut has_escapes) = (begin, false);
    loop {
        at = next_special(bytes, at)?;
        match bytes[at] {
            b'"' => return Some((at, has_escapes)),
            b'\\' => has_escapes = true,
            _ => return None,
        }
        // Whatever is escaped is one character, or begins with one.
        at += 2;
    }
}

/// The next quote, backslash or control character.
fn next_special(bytes: &[u8], mut at: usize) -> Option<usize> {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    loop {
        let rest = bytes.get(at..)?;
        let Some(lane) = rest.first_chunk::<LANE>() else {
            return rest.iter().position(is_special).map(|place| at + place);
        };
        let lane = u8x16::new(*lane);
        let control = lane.simd_lt(u8x16::splat(b' '));
        let special = places(lane, b'"') | places(lane, b'\\') | control.to_bitmask();
        if special != 0 {
            return Some(at + special.trailing_zeros() as usize);
        }
        at += LANE;
    }
}

/// The place behind a text that nobody asks for and that begins at its first character.
pub(super) fn behind_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    if let Some(end) = end_of_short(bytes, at) {
        return Some(end + 1);
    }
    let mut escaped = false;
    while at < bytes.len() {
        let block = Block::at(bytes, at);
        let quotes = block.places(b'"') & !block.escaped(&mut escaped);
        if quotes != 0 {
            return Some(at + quotes.trailing_zeros() as usize + 1);
        }
        at += BLOCK;
    }
    None
}

/// The end of a text that is short and has no escapes, as most are.
fn end_of_short(bytes: &[u8], at: usize) -> Option<usize> {
    let lane = u8x16::new(*bytes.get(at..)?.first_chunk()?);
    let quotes = places(lane, b'"');
    let is_plain = quotes != 0 && places(lane, b'\\') == 0;
    is_plain.then(|| at + quotes.trailing_zeros() as usize)
}

/// The place behind an object or array that begins here.
pub(super) fn behind_nested(bytes: &[u8], mut at: usize) -> Option<usize> {
    let (mut depth, mut escaped, mut in_text) = (0_u32, false, false);
    while at < bytes.len() {
        let block = Block::at(bytes, at);
        let quotes = block.places(b'"') & !block.escaped(&mut escaped);
        let outside = !within_quotes(quotes, &mut in_text);
        let opened = block.opening() & outside;
        let mut brackets = opened | block.closing() & outside;
        // One by one: to count them at once needs an instruction that not every x86-64 has.
        while brackets != 0 {
            let bracket = brackets & brackets.wrapping_neg();
            brackets ^= bracket;
            if opened & bracket != 0 {
                depth += 1;
                continue;
            }
            depth -= 1;
            if depth == 0 {
                return Some(at + bracket.trailing_zeros() as usize + 1);
            }
        }
        at += BLOCK;
    }
    None
}

/// From each opening quote to the byte before its closing one. `in_text` says so of what is before the block, and after.
fn within_quotes(quotes: Bits, in_text: &mut bool) -> Bits {
    // Bit n becomes the parity of all bits up to n.
    let mut within = quotes;
    for shift in [1, 2, 4, 8, 16, 32] {
        within ^= within << shift;
    }
    if *in_text {
        within = !within;
    }
    *in_text = within >> (BLOCK - 1) == 1;
    within
}

impl Block {
    /// The bytes from a place on; behind the end there are spaces.
    #[inline]
    fn at(bytes: &[u8], at: usize) -> Self {
        let rest = bytes.get(at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(block) => Self::of(block),
            None => Self::of(&padded(rest)),
        }
    }

    #[inline]
    fn of(bytes: &[u8; BLOCK]) -> Self {
        let lane = |lane: usize| std::array::from_fn(|byte| bytes[lane * LANE + byte]);
        Self(std::array::from_fn(|number| u8x16::new(lane(number))))
    }

    fn places(&self, byte: u8) -> Bits {
        self.bits(|lane| places(lane, byte))
    }

    /// `{` and `[` differ in one bit, as `}` and `]` do.
    fn opening(&self) -> Bits {
        self.bits(|lane| places(lane | u8x16::splat(0x20), b'{'))
    }

    fn closing(&self) -> Bits {
        self.bits(|lane| places(lane | u8x16::splat(0x20), b'}'))
    }

    fn bits(&self, find: impl Fn(u8x16) -> u32) -> Bits {
        let lanes = self.0.iter().rev();
        lanes.fold(0, |bits, lane| bits << LANE | Bits::from(find(*lane)))
    }

    /// What a backslash stands before that is not escaped itself. `escaped` says so of the first byte of the block, and of
    /// what is behind it.
    fn escaped(&self, escaped: &mut bool) -> Bits {
        let first = Bits::from(*escaped);
        let mut slashes = self.places(b'\\') & !first;
        if slashes & slashes << 1 == 0 {
            *escaped = slashes >> (BLOCK - 1) == 1;
            return slashes << 1 | first;
        }
        let mut bits = first;
        *escaped = false;
        while slashes != 0 {
            let place = slashes.trailing_zeros();
            slashes &= slashes - 1;
            let next = 1_u64.checked_shl(place + 1).unwrap_or_default();
            bits |= next;
            slashes &= !next;
            *escaped |= next == 0;
        }
        bits
    }
}

/// The last bytes, and spaces.
#[cold]
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

fn places(lane: u8x16, byte: u8) -> u32 {
    lane.simd_eq(u8x16::splat(byte)).to_bitmask()
}
