//! Tests of the account that a credential belongs to.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use pullgate::secrets::account::Product;
use pullgate::secrets::account::{AccountClass, Confidence, Life, Shape, classify, expiry};

/// A host, a user name and a password, the product by the policy, and the expected account.
type Row<'a> = (
    &'a str,
    &'a str,
    &'a str,
    Option<Product>,
    AccountClass,
    Confidence,
);

fn jwt(payload: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(payload))
}

#[test]
fn accounts_are_told_by_host_user_and_password() {
    use AccountClass::{Admin, NodeIdentity, Personal, Robot, ServicePrincipal, Token, Unknown};
    use Confidence::{High, Low, Medium};
    let guid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    let nobody = "00000000-0000-0000-0000-000000000000";
    let random =
        |prefix: &str, length: usize| format!("{prefix}{}", "aB3".repeat(40)[..length].to_owned());
    let admin_token = jwt(r#"{"scp":"applied-permissions/admin api:*","exp":1}"#);
    let user_token = jwt(r#"{"scope":["a"],"scp":"applied-permissions/user"}"#);
    let azure = format!("abc8Q~{}", "x".repeat(34));
    let ghp = random("ghp_", 36);
    let glpat = random("glpat-", 20);
    let dop = random("dop_v1_", 64);
    let rows: &[Row<'_>] = &[
        ("contoso.azurecr.io", "contoso", "x", None, Admin, High),
        ("Contoso.azurecr.io", "CONTOSO", "x", None, Admin, High),
        ("contoso.azurecr.cn:443", "contoso", "x", None, Admin, High),
        (
            "contoso-e4fbc.azurecr.us",
            "contoso",
            "x",
            None,
            Admin,
            Medium,
        ),
        (
            "contoso-e4fbc.azurecr.io",
            "contoso-e4fbc",
            "x",
            None,
            Admin,
            High,
        ),
        ("*.azurecr.io", "*", "x", None, Token, Low),
        ("contoso.azurecr.io", nobody, "x", None, NodeIdentity, High),
        (
            "contoso.azurecr.io",
            guid,
            "x",
            None,
            ServicePrincipal,
            Medium,
        ),
        ("contoso.azurecr.io", "ci-pull", "x", None, Token, Medium),
        (
            "images.contoso.com",
            guid,
            "x",
            Some(Product::Acr),
            ServicePrincipal,
            Medium,
        ),
        (
            "images.contoso.com",
            "contoso",
            "x",
            Some(Product::Acr),
            Unknown,
            Medium,
        ),
        ("azurecr.io.evil.com", "azurecr", "x", None, Unknown, Medium),
        (
            "hub.corp",
            "admin",
            "Harbor12345",
            Some(Product::Harbor),
            Admin,
            High,
        ),
        ("hub.corp", "admin", "x", None, Admin, Medium),
        (
            "hub.corp",
            "robot$shop+pull",
            "x",
            Some(Product::Harbor),
            Robot,
            High,
        ),
        ("hub.corp", "robot$shop+pull", "x", None, Robot, High),
        (
            "hub.corp",
            "robot$all",
            "x",
            Some(Product::Harbor),
            Robot,
            Medium,
        ),
        (
            "hub.corp",
            "jane",
            "x",
            Some(Product::Harbor),
            Unknown,
            Medium,
        ),
        (
            "nexus.corp",
            "admin",
            "admin123",
            Some(Product::Nexus),
            Admin,
            Medium,
        ),
        ("contoso.jfrog.io", "admin", "x", None, Admin, High),
        (
            "art.corp",
            "admin",
            "x",
            Some(Product::Artifactory),
            Admin,
            High,
        ),
        (
            "art.corp",
            "ci",
            &random("AKCp", 69),
            Some(Product::Artifactory),
            Token,
            High,
        ),
        ("art.corp", "ci", &random("cmVmdGtu", 56), None, Token, High),
        ("contoso.jfrog.io", "ci", &admin_token, None, Admin, Medium),
        ("contoso.jfrog.io", "ci", &user_token, None, Unknown, Medium),
        ("quay.io", "$oauthtoken", "x", None, Token, High),
        ("quay.io", "$app", "x", None, Personal, High),
        ("quay.io", "$token", "x", None, Token, High),
        ("quay.io", "team+ci", "x", None, Robot, High),
        (
            "quay.corp",
            "team+ci",
            "x",
            Some(Product::Quay),
            Robot,
            High,
        ),
        ("quay.corp", "team+ci", "x", None, Unknown, Medium),
        ("quay.io", "jane", "x", None, Personal, Medium),
        ("git.corp", "gitlab+deploy-token-12", "x", None, Token, High),
        (
            "git.corp",
            "gitlab+deploy-token-x",
            "x",
            None,
            Unknown,
            Medium,
        ),
        ("git.corp", "x", &random("gldt-", 20), None, Token, High),
        ("git.corp", "jane", &glpat, None, Personal, Medium),
        (
            "registry.gitlab.com",
            "jane",
            &glpat,
            None,
            Personal,
            Medium,
        ),
        ("git.corp", "gitlab-ci-token", "x", None, Token, High),
        (
            "git.corp",
            "root",
            "x",
            Some(Product::Gitlab),
            Admin,
            Medium,
        ),
        ("git.corp", "root", "x", None, Admin, Low),
        ("ghcr.io", "jane", &ghp, None, Personal, Medium),
        ("ghcr.io", "x", &random("ghs_", 36), None, Token, High),
        ("ghcr.io", "x", &random("gho_", 36), None, Personal, Medium),
        (
            "ghcr.io",
            "x",
            &random("github_pat_", 82),
            None,
            Personal,
            Medium,
        ),
        ("ghcr.io", "jane", "x", None, Unknown, Medium),
        (
            "index.docker.io",
            "jane",
            &random("dckr_pat_", 27),
            None,
            Personal,
            High,
        ),
        (
            "docker.io",
            "contoso",
            &random("dckr_oat_", 32),
            None,
            Token,
            High,
        ),
        ("docker.io", "jane", guid, None, Personal, Medium),
        ("docker.io", "jane", "hunter2", None, Personal, Medium),
        ("docker.io", "", "", None, Unknown, Medium),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "AWS",
            "x",
            None,
            NodeIdentity,
            High,
        ),
        (
            "123456789012.dkr-ecr-fips.us-east-1.on.aws",
            "AWS",
            "x",
            None,
            NodeIdentity,
            High,
        ),
        (
            "12345.dkr.ecr.eu-west-1.amazonaws.com",
            "AWS",
            "x",
            None,
            Unknown,
            Medium,
        ),
        ("public.ecr.aws", "AWS", "x", None, NodeIdentity, High),
        (
            "europe-docker.pkg.dev",
            "_json_key",
            "{}",
            None,
            ServicePrincipal,
            High,
        ),
        (
            "eu.gcr.io",
            "_json_key_base64",
            "e30=",
            None,
            ServicePrincipal,
            High,
        ),
        (
            "gcr.io",
            "oauth2accesstoken",
            "ya29.x",
            None,
            NodeIdentity,
            High,
        ),
        ("gcr.io", "_dcgcr_2_token", "x", None, NodeIdentity, High),
        (
            "registry.digitalocean.com",
            "jane@x.com",
            &dop,
            None,
            Personal,
            High,
        ),
        ("reg.corp", "app", &azure, None, ServicePrincipal, Medium),
        ("reg.corp", "jane", "x", None, Unknown, Medium),
    ];
    for (host, user, password, product, class, confidence) in rows {
        let account = classify(host, user, Shape::of(password.as_bytes()), *product);
        assert_eq!(
            (account.class, account.confidence),
            (*class, *confidence),
            "{host} {user} {password} {product:?}: {}",
            account.reason
        );
    }
}

#[test]
fn what_lasts_for_ever_and_what_for_hours_is_known() {
    for (host, user, life) in [
        ("contoso.azurecr.io", "contoso", Life::Endless),
        ("gcr.io", "_json_key", Life::Endless),
        ("gcr.io", "oauth2accesstoken", Life::Hours),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "AWS",
            Life::Hours,
        ),
        ("git.corp", "gitlab-ci-token", Life::Hours),
        ("reg.corp", "jane", Life::Unknown),
    ] {
        let account = classify(host, user, Shape::Other, None);
        assert_eq!(account.life, life, "{host} {user}");
    }
}

#[test]
fn tokens_say_when_they_expire() {
    let ecr = |payload: &str| BASE64_STANDARD.encode(payload);
    for (password, expected) in [
        (jwt(r#"{"exp":1800000000}"#), Some(1_800_000_000)),
        (
            jwt(r#"{"exp":1800000000.75,"scope":{}}"#),
            Some(1_800_000_000),
        ),
        (jwt(r#"{"exp":1e400}"#), None),
        (jwt(r#"{"exp":"tomorrow"}"#), None),
        (jwt(r#"{"iat":1}"#), None),
        (jwt("no json"), None),
        (format!("{}.x", jwt(r#"{"exp":1}"#)), None),
        ("eyJ".to_owned(), None),
        (
            ecr(r#"{"payload":"x","version":"2","expiration":1700000000}"#),
            Some(1_700_000_000),
        ),
        (ecr(r#"{"payload":"x"}"#), None),
        ("hunter2".to_owned(), None),
        (String::new(), None),
        ("A".repeat(1_000_000), None),
    ] {
        assert_eq!(expiry(password.as_bytes()), expected, "{password:.60}");
    }
}
