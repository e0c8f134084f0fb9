//! The challenges of a registry: the header `WWW-Authenticate` (RFC 9110 section 11.6.1, before that RFC 7235).
//!
//! ```text
//! WWW-Authenticate := challenge *( "," challenge )                     in one header or in several
//! challenge        := scheme [ " " ( token68 | auth-param *( "," auth-param ) ) ]
//! auth-param       := token "=" ( token | quoted-string )               blanks may surround "="
//! quoted-string    := <"> *( character | "\" character ) <">
//! ```
//!
//! A comma separates challenges as well as parameters. So the reader looks at what follows a token: `=` makes it the
//! name of a parameter, anything else makes it a scheme. The reader takes any text in one pass, and skips the parts
//! that do not follow the grammar. It is laxer in one point, because registries are: an unquoted value ends at a blank
//! or a comma.

/// The most bytes that are read of all headers of one answer. A challenge of a registry has about 200.
const MAX_BYTES: usize = 16 * 1024;
/// The most challenges that are kept of one answer.
const MAX_CHALLENGES: usize = 16;

/// A challenge of a scheme that nodes know. It keeps only the parameters that a registry's token flow uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The authentication scheme.
    pub scheme: Scheme,
    /// The token endpoint of `Bearer`; a title for users of `Basic`.
    pub realm: Option<String>,
    /// The name of the registry at its token endpoint.
    pub service: Option<String>,
    /// The rights that the request needs, for example `repository:team/app:pull`.
    pub scope: Option<String>,
    /// The code of the error that the last token caused, for example `insufficient_scope`.
    pub error: Option<String>,
    /// The words for that error.
    pub error_description: Option<String>,
}

/// An authentication scheme that nodes know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// User name and password (RFC 7617).
    Basic,
    /// A token of the token endpoint (RFC 6750).
    Bearer,
}

/// Reads the values of all `WWW-Authenticate` headers of one answer. Challenges of other schemes are left out.
pub fn parse<'h>(headers: impl IntoIterator<Item = &'h str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut budget = MAX_BYTES;
    for header in headers {
        let header = &header[..header.floor_char_boundary(budget)];
        budget -= header.len();
        read(header, &mut found);
    }
    found.truncate(MAX_CHALLENGES);
    found
}

/// Returns the challenge that a node answers. containerd prefers `Bearer` to `Basic` in any order.
#[must_use]
pub fn choose(challenges: &[Challenge]) -> Option<&Challenge> {
    let first = |scheme| {
        challenges
            .iter()
            .find(|challenge| challenge.scheme == scheme)
    };
    first(Scheme::Bearer).or_else(|| first(Scheme::Basic))
}

fn read(header: &str, found: &mut Vec<Challenge>) {
    let mut rest = header;
    // Parameters before the first scheme, or after an unknown scheme, belong to no challenge that is kept.
    let mut is_known = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (token, behind) = split_token(rest);
        if token.is_empty() {
            match rest.chars().next() {
                None => return,
                Some('"') => rest = quoted(rest).1,
                Some(other) => rest = &rest[other.len_utf8()..],
            }
            continue;
        }
        if let Some(value) = trim(behind).strip_prefix('=') {
            let (value, behind) = value_of(trim(value));
            if let (true, Some(challenge)) = (is_known, found.last_mut()) {
                challenge.set(token, value);
            }
            rest = behind;
        } else {
            let scheme = Scheme::of(token);
            found.extend(scheme.map(Challenge::new));
            is_known = scheme.is_some();
            rest = behind;
        }
    }
}

impl Scheme {
    fn of(token: &str) -> Option<Self> {
        let known = [("basic", Self::Basic), ("bearer", Self::Bearer)];
        let mut known = known.into_iter();
        known
            .find(|(name, _)| token.eq_ignore_ascii_case(name))
            .map(|(_, scheme)| scheme)
    }
}

impl Challenge {
    fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            realm: None,
            service: None,
            scope: None,
            error: None,
            error_description: None,
        }
    }

    /// Sets a parameter. If two have the same name, the last one holds, as in containerd.
    fn set(&mut self, name: &str, value: Option<String>) {
        let fields = [
            ("realm", &mut self.realm),
            ("service", &mut self.service),
            ("scope", &mut self.scope),
            ("error", &mut self.error),
            ("error_description", &mut self.error_description),
        ];
        for (field, slot) in fields {
            if name.eq_ignore_ascii_case(field) {
                *slot = value;
                return;
            }
        }
    }
}

/// Reads the value of a parameter; `None` if it is a quoted string without an end.
fn value_of(text: &str) -> (Option<String>, &str) {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
    (Some(text[..end].to_owned()), &text[end..])
}

/// Reads the quoted string at the beginning of a text. A string without an end takes all of the text.
fn quoted(text: &str) -> (Option<String>, &str) {
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => {
                value.push(character);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return (Some(value), &text[at + 1..]),
            _ => value.push(character),
        }
    }
    (None, "")
}

fn split_token(text: &str) -> (&str, &str) {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let end = text.bytes().position(|byte| !is_token(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(header: &str) -> Challenge {
        let mut found = parse([header]);
        assert_eq!(found.len(), 1, "{header}: {found:?}");
        found.remove(0)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge {
            realm: Some(realm.to_owned()),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
            ..Challenge::new(Scheme::Bearer)
        }
    }

    #[test]
    fn headers_of_registries_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull,push""#;
        let scope = Some("repository:library/nginx:pull,push");
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            scope,
        );
        assert_eq!(one(hub), expected);
        // gcr.io writes its service without quotes, Artifact Registry has none.
        let expected = bearer("https://gcr.io/v2/token", Some("gcr.io"), None);
        assert_eq!(
            one(r#"Bearer realm="https://gcr.io/v2/token",service=gcr.io"#),
            expected
        );
        let expected = bearer("https://us-docker.pkg.dev/v2/token", None, None);
        assert_eq!(
            one(r#"bearer  realm = "https://us-docker.pkg.dev/v2/token""#),
            expected
        );
        let basic = one(r#"Basic realm="Registry Realm""#);
        assert_eq!(basic.scheme, Scheme::Basic);
        assert_eq!(basic.realm.as_deref(), Some("Registry Realm"));
        assert_eq!(one("Basic").realm, None);
    }

    #[test]
    fn errors_of_a_token_are_read() {
        let found = one(
            r#"Bearer realm="https://r/t",error="insufficient_scope",error_description="say \"please\"""#,
        );
        assert_eq!(found.error.as_deref(), Some("insufficient_scope"));
        assert_eq!(found.error_description.as_deref(), Some("say \"please\""));
    }

    #[test]
    fn several_challenges_stand_in_one_header_or_in_several() {
        let both =
            [r#"Basic realm="a, Bearer b", charset="UTF-8", Bearer realm="https://r/t",scope="x""#];
        let apart = [
            r#"Basic realm="a, Bearer b""#,
            r#"Bearer realm="https://r/t",scope="x""#,
        ];
        for found in [parse(both), parse(apart)] {
            assert_eq!(found.len(), 2);
            assert_eq!(found[0].realm.as_deref(), Some("a, Bearer b"));
            assert_eq!(found[1], bearer("https://r/t", None, Some("x")));
            assert_eq!(choose(&found), Some(&found[1]));
        }
    }

    #[test]
    fn parameters_of_other_schemes_are_not_those_of_their_neighbours() {
        let found = parse([
            r#"realm="lost", Negotiate YWJj/+==, Digest realm="d",nonce="n", Basic realm="b", Custom realm="c""#,
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].realm.as_deref(), Some("b"));
        assert_eq!(choose(&parse(["Negotiate", "Digest realm=\"d\""])), None);
    }

    #[test]
    fn faults_cost_a_parameter_and_no_more() {
        assert_eq!(one(r#"Bearer realm="https://r/t"#).realm, None);
        assert_eq!(one("Bearer realm=").realm.as_deref(), Some(""));
        assert_eq!(
            one(r#"Bearer realm="a",realm="b""#).realm.as_deref(),
            Some("b")
        );
        assert_eq!(
            one(r#"Bearer (;) "lost" realm="a";x"#).realm.as_deref(),
            Some("a")
        );
        assert!(parse([""]).is_empty());
        assert!(parse([",,, \t \"\" ="]).is_empty());
    }

    #[test]
    fn long_headers_are_cut() {
        let many = "Basic,".repeat(100_000);
        assert_eq!(parse([many.as_str(); 3]).len(), MAX_CHALLENGES);
        let padding = "ä".repeat(MAX_BYTES);
        assert!(parse([padding.as_str(), "Basic"]).is_empty());
    }

    proptest! {
        /// Any text is read, and values that are written by the grammar come back.
        #[test]
        fn written_values_come_back(realm in "\\PC{0,20}", scope in "\\PC{0,20}", before in "\\PC{0,20}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{}\" , scope=\"{}\"", quote(&realm), quote(&scope));
            prop_assert_eq!(one(&header), bearer(&realm, None, Some(&scope)));
            parse([before.as_str(), header.as_str()]);
            parse([format!("{before}{header}").as_str()]);
        }
    }
}
