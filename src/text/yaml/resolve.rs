//! The value that kubectl gives to a scalar: its reader follows YAML 1.1, where `on` is a boolean and `0b11` is three.

/// The value of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Resolved {
    Text,
    Null,
    Bool(bool),
    /// From the least `i64` to the greatest `u64`.
    Int(i128),
    Float(f64),
}

/// Resolves a scalar without quotes.
pub(super) fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'.' => float(text),
            b'0'..=b'9' | b'+' | b'-' => number(&text.replace('_', "")),
            _ => Resolved::Text,
        },
    }
}

fn number(text: &str) -> Resolved {
    if let Some(int) = int(text) {
        return Resolved::Int(int);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let resolved @ Resolved::Float(_) = float(text)
        // Rust also reads `+inf`.
        && unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
    {
        return resolved;
    }
    // Go reads the rest with a sign of its own.
    let binary = match (text.strip_prefix("0b"), text.strip_prefix("-0b")) {
        (Some(digits), _) => i64::from_str_radix(digits, 2).ok(),
        (_, Some(digits)) if !digits.starts_with(['+', '-']) => {
            i64::from_str_radix(&format!("-{digits}"), 2).ok()
        }
        _ => None,
    };
    binary.map_or(Resolved::Text, |int| Resolved::Int(int.into()))
}

/// Parses an integer in base 10, or in base 2, 8 or 16 by its prefix; `0` alone is a prefix too.
fn int(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefix = unsigned.get(..2).unwrap_or_default();
    let (digits, radix) = match prefix {
        "0x" | "0X" => (&unsigned[2..], 16),
        "0b" | "0B" => (&unsigned[2..], 2),
        "0o" | "0O" => (&unsigned[2..], 8),
        _ if unsigned.len() > 1 && unsigned.starts_with('0') => (&unsigned[1..], 8),
        _ => (unsigned, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let int = i128::from_str_radix(digits, radix).ok()?;
    let int = if text.starts_with('-') { -int } else { int };
    let greatest = if unsigned.len() < text.len() {
        i128::from(i64::MAX)
    } else {
        i128::from(u64::MAX)
    };
    (i128::from(i64::MIN)..=greatest)
        .contains(&int)
        .then_some(int)
}

fn float(text: &str) -> Resolved {
    // Go refuses what is out of range.
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Resolved::Float(float),
        Ok(_) | Err(_) => Resolved::Text,
    }
}

/// Returns the text of a key that is not a text; `None` if kubectl refuses the key.
pub(super) fn key_text(resolved: Resolved) -> Option<String> {
    match resolved {
        Resolved::Bool(value) => Some(value.to_string()),
        Resolved::Int(int) => i64::try_from(int).ok().map(|int| int.to_string()),
        Resolved::Float(float) => Some(float_key(float)),
        Resolved::Text | Resolved::Null => None,
    }
}

/// Writes a float as Go's `strconv.FormatFloat(float, 'g', -1, 32)` does.
fn float_key(float: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "kubectl does so")]
    let float = float as f32;
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
