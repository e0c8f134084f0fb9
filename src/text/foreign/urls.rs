//! URLs in a text.

/// Cuts user info and queries of URLs, and other parts that look like a query.
pub(super) fn without_queries(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`');
    let mut shown = String::new();
    for word in text.split_inclusive(is_end) {
        let end = word.find(is_end).unwrap_or(word.len());
        let bare = word[..end].trim_end_matches([':', ',', ';', '.', ')', '\'']);
        shown.push_str(&cut_url(bare));
        shown.push_str(&word[bare.len()..]);
    }
    shown
}

fn cut_url(word: &str) -> String {
    let query = match word.find("://") {
        Some(_) => word.find(['?', '#']),
        None => word.find(['?', '&']).filter(|at| word[*at..].contains('=')),
    };
    let mut rest = &word[..query.unwrap_or(word.len())];
    let mut shown = String::new();
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        shown.push_str(before);
        rest = &behind[user_info(behind)..];
    }
    shown + rest
}

/// Returns the length of the user info at the beginning of an authority. A password with a `/`, `?` or `#` ends the
/// authority too early: then the text behind its colon is not a port, and if the user info has no end, all of it is
/// cut.
fn user_info(text: &str) -> usize {
    let authority = &text[..text.find('/').unwrap_or(text.len())];
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    let behind = |at| at + 1;
    if is_port || authority.contains('@') {
        return authority.rfind('@').map_or(0, behind);
    }
    text.rfind('@').map_or(authority.len(), behind)
}
