//! Texts in which the versions of YAML differ, and its readers.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// Scalars that YAML 1.1 or its readers take for something else than a text, and their neighbours.
const PLAIN: &str = "a¦on¦Off¦oFF¦yes¦No¦y¦N¦true¦FALSE¦True¦tRue¦null¦Null¦~¦NULL¦nULL¦1¦-1¦+1¦0¦-0¦1_000¦_1¦1_¦0b11¦0B11¦\
        -0b11¦0b-1¦+0b1¦0b2¦0b¦0x1F¦0X1f¦-0x1¦0x¦0xG¦0x_1¦0o17¦0O17¦0o8¦017¦08¦09.5¦-017¦00¦1.5¦.5¦5.¦-.5¦+.5¦\
        1e3¦1E+3¦1e-3¦.5e1¦1e¦e1¦1e400¦.¦..¦...a¦-¦--¦---a¦+¦++1¦.inf¦-.Inf¦+.INF¦.nan¦.NaN¦inf¦nan¦NaN¦Infinity¦\
        +inf¦190:20:30¦1:2¦2027-01-31¦2027-1-1¦2001-12-14t21:59:43.10-05:00¦2001-12-14 21:59:43¦1.2.3¦1,000¦\
        9223372036854775807¦9223372036854775808¦-9223372036854775808¦-9223372036854775809¦18446744073709551615¦\
        18446744073709551616¦0b111_0¦1__2¦é¦a b¦a:b¦a#b¦a #b¦a?b¦?a¦:a¦-a¦@a¦`a¦%a¦!¦<<¦=¦a\tb¦a'b¦a\"b¦\\n¦\
        {{ x }}¦{{x}}¦{{- if x }}¦${X}¦<X>¦[a¦a]¦a}¦a, b¦0777¦1e5¦123456.5¦1234567.5¦0.0001¦0.00001¦16777217¦\
        1e21¦-1e-7¦3.0¦a\u{85}b¦a\u{2028}b¦\u{feff}a¦a\u{a0}b¦🐙¦a\rb";

const KEYS: &str = "a¦b¦c¦name¦spec¦on¦y¦2¦0x10¦1.5¦1e6¦true¦null¦~¦\"q\"¦'s'¦<<¦a b¦{{ x }}¦{{x}}¦[l]¦{m: 1}¦!!str 1¦&k k¦\
        *x¦2027-01-31¦1_0¦? e¦-¦a-b/c.d¦\"\\x41\"¦¦18446744073709551615¦.inf¦=";

const DOUBLE: &str = "¦a¦a b¦ a ¦\\n¦\\t\\\t¦\\x41\\u00e9\\U0001F419¦\\'¦\\/¦\\\"¦\\\\¦\\0¦\\a\\b\\e\\f\\v\\r¦\\N\\_\\L\\P¦\\z¦\
        \\x4¦\\ud83d\\ude00¦\\uD800¦a\\\n  b¦a\n  b¦a\nb¦a\n\n  b¦a \n\n b¦a\\\nb¦a\n\tb¦a\n--- b¦a\n---¦\
        a\n... b¦on¦1¦{{ x }}¦# a¦a\t¦\\ a¦a \\\n \\ b¦\n a¦a\n¦é";

const SINGLE: &str = "¦a¦it''s¦a\n  b¦a\nb¦a\n\n\n  b¦\\n¦\"¦ ¦''¦on¦a\n\tb¦# x¦a'";

const TAGS: &str = "!!str¦!!int¦!!float¦!!bool¦!!null¦!!binary¦!x¦!¦!!map¦!!seq¦!<tag:yaml.org,2002:str>¦!e!x¦!!¦!a%20b¦\
        !a%zz¦!Ref¦!!set¦!!omap¦!a%C3%A9¦!<x¦!!merge";

const NOISE: &str = "\t¦ ¦\n¦\r¦\r\n¦#¦ # x¦:¦: ¦- ¦-¦? ¦{¦}¦[¦]¦,¦\"¦'¦|¦>¦&x ¦*x¦!!str ¦---\n¦\n---\n¦...\n¦\n...\n¦\
        \u{feff}¦%YAML 1.1\n¦%¦@¦`¦\\¦\u{7f}¦\u{0}¦\u{1b}¦é¦\u{85}¦\u{2028}¦<<: ¦  ¦\n\n¦0¦=¦~¦\n\t¦--- x\n¦\
        --- # x\n";

/// Draws texts.
pub(super) struct Generator(TestRng);

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u32()).expect("32 bits") % end
    }

    /// True once in so many times.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of the texts between the bars.
    fn pick<'t>(&mut self, texts: &'t str) -> &'t str {
        let at = self.below(texts.split('¦').count());
        texts.split('¦').nth(at).expect("so many")
    }

    /// A file of one to three documents, made new or from one of the samples.
    pub(super) fn text(&mut self, samples: &[String]) -> String {
        let mut text = String::new();
        let documents = 1 + self.below(3);
        for i in 0..documents {
            if i > 0 {
                text +=
                    self.pick("---\n¦---\n¦---\n¦--- # x\n¦---  \n¦...\n---\n¦...\n¦--- ¦---\r\n");
            } else if self.one_in(4) {
                text += self.pick("---\n¦\u{feff}¦%YAML 1.1\n---\n¦%TAG !e! tag:e,1:\n---\n¦# x\n¦\n¦--- ¦%YAML 1.2\n");
            }
            if self.one_in(8) {
                text += self.pick("\u{feff}¦# comment\n¦\n\n¦--- # x\n¦\t\n¦ ");
            }
            if self.one_in(5) && !samples.is_empty() {
                let sample = &samples[self.below(samples.len())];
                text += &self.lines_of(sample);
            } else if self.one_in(6) {
                text += &self.pod();
            } else {
                let indent = usize::from(self.one_in(12));
                text += &" ".repeat(indent);
                text += &self.block(3, indent);
            }
            if !text.ends_with('\n') && !self.one_in(3) {
                text.push('\n');
            }
        }
        for _ in 0..self.below(4).saturating_sub(1) {
            self.disturb(&mut text);
        }
        if self.one_in(8) {
            text = text.replace('\n', "\r\n");
        }
        text
    }

    /// Some lines of a sample that follow each other.
    fn lines_of(&mut self, sample: &str) -> String {
        let lines: Vec<_> = sample.split_inclusive('\n').collect();
        if lines.is_empty() {
            return String::new();
        }
        let from = if self.one_in(4) {
            self.below(lines.len())
        } else {
            0
        };
        let count = 1 + self.below(40);
        lines[from..].iter().take(count).copied().collect()
    }

    /// Adds or removes something anywhere.
    fn disturb(&mut self, text: &mut String) {
        let at = text.floor_char_boundary(self.below(text.len() + 1));
        if self.one_in(3) {
            let end = text.floor_char_boundary(at + 1 + self.below(3)).max(at);
            text.replace_range(at..end.min(text.len()), "");
        } else {
            text.insert_str(at, self.pick(NOISE));
        }
    }

    /// A Pod with a scalar of any type in a place for a text.
    fn pod(&mut self) -> String {
        let mut at = |text: &str| {
            if self.one_in(4) {
                self.pick(PLAIN).to_owned()
            } else {
                text.to_owned()
            }
        };
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {}\n  annotations: {{pullgate.dev/inject: {}}}\nspec:\n  serviceAccountName: {}\n  \
             imagePullSecrets:\n  - name: {}\n  - {}\n  containers:\n  - name: a\n    image: {}\n    envFrom: [{{secretRef: {{name: {}}}}}]\n  \
             volumes:\n  - name: v\n    secret: {{secretName: {}}}\n",
            at("p"),
            at("disabled"),
            at("s"),
            at("regcred"),
            at("null"),
            at("x:1"),
            at("s"),
            at("t"),
        )
    }

    /// A value in a block. Its further lines begin at a column; it begins behind a key, or at that column.
    fn block(&mut self, depth: usize, indent: usize) -> String {
        let margin = " ".repeat(indent);
        match self.below(if depth == 0 { 3 } else { 8 }) {
            0 | 1 => self.scalar(indent) + self.pick("\n¦\n¦\n¦ # x\n¦#x\n¦ \n¦\t\n"),
            2 => self.flow(depth) + "\n",
            3 | 4 => {
                let mut text = String::new();
                for i in 0..=self.below(4) {
                    let margin = if i == 0 { "" } else { &margin };
                    let dash = self.pick("- ¦- ¦- ¦- ¦- ¦- ¦- ¦- ¦-   ¦-   ¦-\t");
                    text += margin;
                    text += dash;
                    text += &self.block(depth - 1, indent + dash.len());
                }
                text
            }
            _ => {
                let mut text = String::new();
                for i in 0..=self.below(4) {
                    let margin = if i == 0 { "" } else { &margin };
                    text += margin;
                    text += &self.entry(depth, indent);
                }
                text
            }
        }
    }

    fn entry(&mut self, depth: usize, indent: usize) -> String {
        let key = if self.one_in(6) {
            self.pick(KEYS)
        } else {
            self.pick("a¦b¦c¦d¦e¦f")
        };
        let colon = self.pick(":¦:¦:¦:¦ :¦:\t");
        let margin = " ".repeat(indent);
        let property = self.property();
        if key == "<<" && !self.one_in(3) {
            let merged = self.pick(
                "{a: 1, z: 2}¦*x¦[{a: 1}, {a: 2, b: 3}]¦[*x, {c: 1}]¦null¦x¦[]¦[x]¦!!map {q: 1}",
            );
            return format!("<<: {merged}\n");
        }
        match self.below(7) {
            0..=2 => format!(
                "{key}{colon} {property}{}",
                self.value_in_line(depth, indent)
            ),
            // A list at the column of its key.
            3 => format!(
                "{key}{colon}\n{margin}- {}",
                self.block(depth - 1, indent + 2)
            ),
            4 => format!(
                "? {key}\n{margin}{colon} {property}{}",
                self.value_in_line(depth, indent)
            ),
            5 => format!("{key}{colon}{property}\n"),
            _ => {
                let deeper = indent + 1 + self.below(3);
                let comment = self.pick("¦¦ # x¦\n# x¦\n¦ &z¦ !!map");
                format!(
                    "{key}{colon}{comment}\n{}{}",
                    " ".repeat(deeper),
                    self.block(depth - 1, deeper)
                )
            }
        }
    }

    fn value_in_line(&mut self, depth: usize, indent: usize) -> String {
        if self.one_in(4) {
            self.flow(depth) + "\n"
        } else {
            self.scalar(indent) + "\n"
        }
    }

    /// An anchor, an alias or a tag.
    fn property(&mut self) -> String {
        match self.below(30) {
            0 => "&x ".to_owned(),
            1 => format!("{} ", self.pick(TAGS)),
            2 => format!("&x {} ", self.pick(TAGS)),
            3 => format!("{} &x ", self.pick(TAGS)),
            _ => String::new(),
        }
    }

    fn scalar(&mut self, indent: usize) -> String {
        match self.below(10) {
            0 => format!("\"{}\"", self.pick(DOUBLE)),
            1 => format!("'{}'", self.pick(SINGLE)),
            2 | 3 => self.block_scalar(indent),
            4 => {
                let gap = self.pick("\n¦\n\n¦\n \t¦\n\t¦ \n");
                let margin = " ".repeat(indent + self.below(3));
                format!("{}{gap}{margin}{}", self.pick(PLAIN), self.pick(PLAIN))
            }
            5 => self
                .pick("*x¦*x ¦*none¦!!binary aGk=¦!!binary aGl=¦!!binary |\n   aG\n   k=\n¦!!str¦&x¦!!int 5¦!!float 1")
                .to_owned(),
            _ => self.pick(PLAIN).to_owned(),
        }
    }

    fn block_scalar(&mut self, indent: usize) -> String {
        let mut text = self
            .pick("|¦>¦|-¦>-¦|+¦>+¦|2¦>1-¦|-1¦|+3¦| # x¦|x¦|0¦>9¦|\t¦|#x")
            .to_owned();
        for _ in 0..self.below(5) {
            text.push('\n');
            let least = self.below(4);
            text += &" ".repeat((indent + least).saturating_sub(1));
            text += self.pick("a¦a b¦¦# x¦  deeper¦\ttab¦a: b¦- x¦é ¦\"¦ ¦---¦on");
        }
        text
    }

    /// A value in brackets, or a scalar that may stand there.
    fn flow(&mut self, depth: usize) -> String {
        if depth == 0 || self.one_in(3) {
            return match self.below(5) {
                0 => format!("\"{}\"", self.pick(DOUBLE)),
                1 => format!("'{}'", self.pick(SINGLE)),
                _ => self.property() + self.pick(PLAIN),
            };
        }
        let is_list = self.one_in(2);
        let mut text = String::from(if is_list { "[" } else { "{" });
        for i in 0..self.below(4) {
            if i > 0 {
                text += self.pick(", ¦, ¦,¦ ,¦,\n  ¦,\n¦, # x\n ¦,\t¦,\n\t");
            }
            let value = self.flow(depth - 1);
            let entry = match self.below(8) {
                0 => value,
                1 if is_list => format!("{}: {value}", self.pick(KEYS)),
                2 => format!("? {} : {value}", self.pick(KEYS)),
                3 => format!("\"{}\":{value}", self.pick("j¦k")),
                4 => format!("{}:", self.pick(KEYS)),
                _ if is_list => value,
                _ => format!("{}: {value}", self.pick("f¦g¦h¦i")),
            };
            text += &entry;
        }
        text += self.pick("¦¦,¦ ¦\n¦\n ¦\t¦ # x\n");
        text += if is_list { "]" } else { "}" };
        text
    }
}
