//! Finds the ends of texts, objects and arrays, 64 bytes at a time, with the vector instructions of the processor.
//!
//! A reader must know which quotes and brackets count: a bracket inside a text does not, nor does a quote after a
//! backslash. Deciding that byte by byte takes a branch for each byte. Here each block of 64 bytes becomes a few 64-bit
//! masks, one bit for each byte, and the end of a value is found with bit operations on these masks.

#![expect(
    clippy::inline_always,
    reason = "only an inlined function is compiled for the processor at hand"
)]

use fearless_simd::{Level, Simd, SimdBase, SimdMask, dispatch, u8x64};

/// The number of bytes that are marked together.
const BLOCK: usize = 64;
/// The number of blocks that are marked ahead. The choice of the instructions happens once for all of them, so that its
/// cost does not count.
const AHEAD: usize = 16;

/// A mask of 64 bytes: bit n stands for byte n.
type Bits = u64;

/// The quotes and brackets around the reading position. It only moves forward, so each block is marked once.
pub(super) struct Marks<'a> {
    bytes: &'a [u8],
    level: Level,
    /// The offset of the first block, and the offset after the last one.
    base: usize,
    end: usize,
    blocks: [Block; AHEAD],
    /// The state after the last block.
    next: Next,
}

/// The masks of 64 bytes.
#[derive(Clone, Copy, Default)]
struct Block {
    /// Quotes without a backslash before them.
    quotes: Bits,
    slashes: Bits,
    /// Brackets of both kinds outside of texts, and their numbers.
    opened: Bits,
    closed: Bits,
    opens: u32,
    closes: u32,
}

/// The state that one block hands to the next.
#[derive(Clone, Copy, Default)]
struct Next {
    is_in_text: bool,
    is_escaped: bool,
}

impl<'a> Marks<'a> {
    /// Starts at the beginning of `bytes`. After a control character inside a text, which JSON does not allow, nothing
    /// more is found.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            level: Level::new(),
            base: 0,
            end: 0,
            blocks: [Block::default(); AHEAD],
            next: Next::default(),
        }
    }

    /// Returns the offset of the closing quote of a text, and whether the text has escapes. `begin` is the offset of
    /// its first character.
    #[inline]
    pub(super) fn end_of_text(&mut self, begin: usize) -> Option<(usize, bool)> {
        // Most texts end in the block in which they begin.
        let at = begin - self.base;
        if let Some(block) = self.blocks.get(at / BLOCK) {
            let quotes = block.quotes >> (at % BLOCK);
            if quotes != 0 {
                let slashes = block.slashes >> (at % BLOCK);
                let end = begin + quotes.trailing_zeros() as usize;
                return Some((end, slashes & before_first(quotes) != 0));
            }
        }
        self.end_of_long_text(begin)
    }

    fn end_of_long_text(&mut self, begin: usize) -> Option<(usize, bool)> {
        let (mut at, mut behind) = self.seek(begin)?;
        let mut has_escapes = false;
        loop {
            let block = &self.blocks[at];
            let quotes = block.quotes & behind;
            has_escapes |= block.slashes & before_first(quotes) & behind != 0;
            if quotes != 0 {
                return Some((self.place(at, quotes), has_escapes));
            }
            at = self.following(at)?;
            behind = !0;
        }
    }

    /// Returns the offset after an object that begins at `begin` and holds no object or array. Looks no further than
    /// the blocks that are marked already.
    #[inline]
    pub(super) fn behind_flat(&self, begin: usize) -> Option<usize> {
        let inside = begin + 1 - self.base;
        let mut behind = !0 << (inside % BLOCK);
        for (at, block) in self.blocks.iter().enumerate().skip(inside / BLOCK) {
            let brackets = (block.opened | block.closed) & behind;
            if brackets != 0 {
                let first = brackets & brackets.wrapping_neg();
                return (block.closed & first != 0).then(|| self.place(at, first) + 1);
            }
            behind = !0;
        }
        None
    }

    /// Returns the offset after an object or array that begins at `begin`.
    pub(super) fn behind_nested(&mut self, begin: usize) -> Option<usize> {
        let (mut at, behind) = self.seek(begin)?;
        let mut depth = 0;
        let block = &self.blocks[at];
        let (mut opened, mut closed) = (block.opened & behind, block.closed & behind);
        loop {
            let bracket = closing(opened, closed, &mut depth)?;
            if bracket != 0 {
                return Some(self.place(at, bracket) + 1);
            }
            loop {
                at = self.following(at)?;
                let block = &self.blocks[at];
                if block.closes >= depth {
                    break;
                }
                depth = depth + block.opens - block.closes;
            }
            (opened, closed) = (self.blocks[at].opened, self.blocks[at].closed);
        }
    }

    /// Returns the offset of the lowest of these bits of a block.
    #[inline]
    fn place(&self, block: usize, bits: Bits) -> usize {
        self.base + block * BLOCK + bits.trailing_zeros() as usize
    }

    /// Returns the block of an offset, and a mask of its bits from that offset on.
    #[inline]
    fn seek(&mut self, at: usize) -> Option<(usize, Bits)> {
        while at >= self.end {
            self.advance()?;
        }
        let at = at - self.base;
        Some((at / BLOCK, !0 << (at % BLOCK)))
    }

    #[inline]
    fn following(&mut self, block: usize) -> Option<usize> {
        if block + 1 < AHEAD {
            return Some(block + 1);
        }
        self.advance()?;
        Some(0)
    }

    #[cold]
    fn advance(&mut self) -> Option<()> {
        self.base = self.end;
        self.end += AHEAD * BLOCK;
        let bytes = self
            .bytes
            .get(self.base..)
            .filter(|rest| !rest.is_empty())?;
        let (blocks, next) = (&mut self.blocks, &mut self.next);
        dispatch!(self.level, simd => mark(simd, bytes, blocks, next))
    }
}

/// Marks blocks. Bytes after the end of the text count as spaces.
#[inline(always)]
fn mark<S: Simd>(simd: S, mut bytes: &[u8], blocks: &mut [Block], next: &mut Next) -> Option<()> {
    // A local copy stays in registers: each block waits for the state of the one before it.
    let mut state = *next;
    for block in blocks {
        let padded;
        let (head, rest) = if let Some(split) = bytes.split_first_chunk() {
            split
        } else {
            padded = last(bytes);
            (&padded, &[][..])
        };
        *block = Block::of(simd, head, &mut state)?;
        bytes = rest;
    }
    *next = state;
    Some(())
}

impl Block {
    #[inline(always)]
    fn of<S: Simd>(simd: S, bytes: &[u8; BLOCK], next: &mut Next) -> Option<Self> {
        let bytes = u8x64::from_slice(simd, bytes);
        let places = |bytes: u8x64<S>, byte| bytes.simd_eq(u8x64::splat(simd, byte)).to_bitmask();
        let slashes = places(bytes, b'\\');
        let mut quotes = places(bytes, b'"');
        if slashes != 0 || next.is_escaped {
            let (escaped, is_next) = escaped(slashes, next.is_escaped);
            quotes &= !escaped;
            next.is_escaped = is_next;
        }
        let within = within_quotes(quotes, next.is_in_text);
        next.is_in_text ^= quotes.count_ones() % 2 == 1;
        let control = bytes.simd_lt(u8x64::splat(simd, b' ')).to_bitmask();
        if control & within != 0 {
            return None;
        }
        // `{` and `[` differ in one bit, and so do `}` and `]`. Setting that bit makes one comparison find both.
        let lower = bytes | u8x64::splat(simd, 0x20);
        let opened = places(lower, b'{') & !within;
        let closed = places(lower, b'}') & !within;
        Some(Self {
            quotes,
            slashes,
            opened,
            closed,
            opens: opened.count_ones(),
            closes: closed.count_ones(),
        })
    }
}

/// Follows the depth bracket by bracket. Returns the bit of the bracket that brings the depth to zero, or no bit if
/// this block holds no such bracket; `depth` is then the depth at its end. Returns `None` if more brackets close than
/// open.
#[inline]
fn closing(opened: Bits, closed: Bits, depth: &mut u32) -> Option<Bits> {
    let mut brackets = opened | closed;
    while brackets != 0 {
        let bracket = brackets & brackets.wrapping_neg();
        brackets ^= bracket;
        if opened & bracket != 0 {
            *depth += 1;
            continue;
        }
        *depth = depth.checked_sub(1)?;
        if *depth == 0 {
            return Some(bracket);
        }
    }
    Some(0)
}

/// Returns the bits below the lowest one, or all bits if there is none.
#[inline]
fn before_first(bits: Bits) -> Bits {
    !bits & bits.wrapping_sub(1)
}

/// Returns the bits from each opening quote to the byte before its closing quote. `is_in_text` tells whether the block
/// begins inside a text.
#[inline(always)]
fn within_quotes(quotes: Bits, is_in_text: bool) -> Bits {
    // Each shift doubles the reach: in the end, bit n is the parity of the bits 0 to n.
    let mut within = quotes;
    for shift in [1, 2, 4, 8, 16, 32] {
        within ^= within << shift;
    }
    if is_in_text { !within } else { within }
}

/// Returns the bytes that a backslash escapes, and whether the first byte of the next block is escaped. An escaped
/// backslash escapes nothing. `is_escaped` tells whether the first byte of this block is escaped.
#[cold]
fn escaped(slashes: Bits, is_escaped: bool) -> (Bits, bool) {
    let first = Bits::from(is_escaped);
    let mut slashes = slashes & !first;
    if slashes & slashes << 1 == 0 {
        return (slashes << 1 | first, slashes >> (BLOCK - 1) == 1);
    }
    let mut bits = first;
    let mut is_next = false;
    while slashes != 0 {
        let place = slashes.trailing_zeros();
        slashes &= slashes - 1;
        let next = 1_u64.checked_shl(place + 1).unwrap_or_default();
        bits |= next;
        slashes &= !next;
        is_next |= next == 0;
    }
    (bits, is_next)
}

/// Fills the last bytes up with spaces.
#[cold]
fn last(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The instruction sets that a processor of this kind may have, as far as this machine has them.
    fn levels() -> Vec<Level> {
        let this = Level::new();
        #[cfg(target_arch = "x86_64")]
        let less = [
            this.as_sse2().map(Level::Sse2),
            this.as_sse4_2().map(Level::Sse4_2),
            this.as_avx2().map(Level::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let less = [Some(Level::baseline())];
        less.into_iter().flatten().chain([this]).collect()
    }

    /// Finds the places of quotes and brackets, byte by byte.
    fn places(bytes: &[u8]) -> (Vec<usize>, Vec<usize>) {
        let (mut quotes, mut brackets) = (Vec::new(), Vec::new());
        let (mut is_in_text, mut is_escaped) = (false, false);
        for (place, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' if !is_escaped => {
                    quotes.push(place);
                    is_in_text = !is_in_text;
                }
                b'{' | b'[' | b'}' | b']' if !is_in_text => brackets.push(place),
                _ => {}
            }
            is_escaped = *byte == b'\\' && !is_escaped;
        }
        (quotes, brackets)
    }

    fn marked(level: Level, bytes: &[u8]) -> (Vec<usize>, Vec<usize>) {
        let mut blocks = [Block::default(); AHEAD];
        let mut next = Next::default();
        let all = dispatch!(level, simd => mark(simd, bytes, &mut blocks, &mut next));
        all.expect("no control characters");
        let of = |bits: fn(&Block) -> Bits| {
            let is_set = |place: &usize| bits(&blocks[place / BLOCK]) >> (place % BLOCK) & 1 == 1;
            (0..AHEAD * BLOCK).filter(is_set).collect()
        };
        (
            of(|block| block.quotes),
            of(|block| block.opened | block.closed),
        )
    }

    proptest! {
        #[test]
        fn every_processor_finds_the_same(
            text in prop::collection::vec(prop::sample::select(&br#""\\{}[]a: ~"#[..]), 0..AHEAD * BLOCK)
        ) {
            for level in levels() {
                prop_assert_eq!(marked(level, &text), places(&text), "{:?}", level);
            }
        }
    }
}
