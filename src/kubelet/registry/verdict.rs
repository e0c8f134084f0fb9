//! The verdict of a probe: a function of three answers and the registry's host, never of one status.
//!
//! | probe | request |
//! |---|---|
//! | `anonymous` | `HEAD` of the manifest without a credential: if it succeeds, the image is public |
//! | `pull` | `HEAD` of the manifest with the credential |
//! | `login` | a login without a scope, only after a refused `pull`: tells a bad credential from a missing right |
//!
//! No answer of a token endpoint proves a credential: Harbor answers a wrong password with 200 and a token without
//! rights. Registries hide images behind 401 and 403 in many ways, so "no right" and "no such image" are one verdict.

use serde::Serialize;

/// The result of the probes of one image with one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The credential pulls the image.
    Good,
    /// The image can be pulled without a credential, so that it proves nothing about one.
    Public,
    /// The registry refuses the credential: it is wrong, expired or disabled.
    BadCredential,
    /// The credential logs in, but the account has no right to the repository, or there is no such image: the registry
    /// does not say which.
    NoRightOrMissing,
    /// The registry refuses, and does not say whether the credential is bad or missing, a right is missing, or there is
    /// no such image. Asking again changes nothing.
    Refused,
    /// The registry has no such repository, tag or digest.
    Missing,
    /// The registry limits the rate of requests (429).
    Limited,
    /// The probe came to no result: network, TLS, time, an unknown answer.
    Unknown,
}

/// The answers to the probes; `None` for a probe that was not made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Probes {
    /// The answer without a credential.
    pub anonymous: Option<Answer>,
    /// The answer with the credential. A registry that never asks for a credential is not sent one.
    pub pull: Option<Answer>,
    /// The answer to a login with the credential.
    pub login: Option<Answer>,
}

/// The end of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The request at which the probe ended.
    pub step: Step,
    /// The end itself.
    #[serde(flatten)]
    pub ending: Ending,
    /// The URL of that request, without its query.
    pub url: String,
    /// The reason that the registry gave, fit to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The seconds after which the registry wants to be asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// The requests of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The manifest, at the registry.
    Manifest,
    /// A token for the manifest, at the token endpoint.
    Token,
    /// The login: a token without a scope, or `GET /v2/`.
    Login,
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The request was answered with this HTTP status.
    Status(u16),
    /// The request got no usable answer.
    Failure(Failure),
}

/// The reasons why a request got no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The name of the host does not resolve.
    Dns,
    /// The host resolves to an address that probes refuse.
    RefusedAddress,
    /// No connection could be opened.
    Connect,
    /// The TLS handshake failed, for example because of an unknown CA.
    Tls,
    /// The deadline of the whole probe passed.
    Timeout,
    /// The answer is not HTTP, or broke off.
    Protocol,
    /// The token endpoint granted a token, but sent none.
    NoToken,
    /// The registry names a token endpoint that may not get its credentials.
    ForeignRealm,
    /// The registry offers no authentication scheme that nodes know.
    NoScheme,
}

impl Probes {
    /// Returns the verdict on these answers of the registry at `host`.
    #[must_use]
    pub fn verdict(&self, host: &str) -> Verdict {
        let Some(pull) = self.pull.as_ref().map(Answer::outcome) else {
            return self.anonymous_verdict();
        };
        match pull {
            (Step::Manifest, Ending::Status(200..=299)) => self.is_proof(),
            (Step::Manifest, Ending::Status(404)) => Verdict::Missing,
            (_, Ending::Status(429)) => Verdict::Limited,
            pull if is_refusal(host, pull) => self.refused(host, pull),
            _ => Verdict::Unknown,
        }
    }

    /// Returns the verdict if no credential was sent: there is none, or the registry never asked for one.
    fn anonymous_verdict(&self) -> Verdict {
        match self.anonymous.as_ref().map(Answer::outcome) {
            Some((Step::Manifest, Ending::Status(200..=299))) => Verdict::Public,
            Some((Step::Manifest, Ending::Status(404))) => Verdict::Missing,
            Some((_, Ending::Status(429))) => Verdict::Limited,
            Some((_, Ending::Status(401 | 403) | Ending::Failure(Failure::NoToken))) => {
                Verdict::Refused
            }
            _ => Verdict::Unknown,
        }
    }

    /// Returns the verdict on a pull that succeeded: it proves the credential only if the image is not public.
    fn is_proof(&self) -> Verdict {
        match self.anonymous.as_ref().map(Answer::outcome) {
            Some((Step::Manifest, Ending::Status(200..=299))) => Verdict::Public,
            Some((_, Ending::Status(429))) => Verdict::Limited,
            Some((_, Ending::Status(400..=499) | Ending::Failure(Failure::NoToken))) => {
                Verdict::Good
            }
            _ => Verdict::Unknown,
        }
    }

    fn refused(&self, host: &str, pull: (Step, Ending)) -> Verdict {
        let is_public = self.anonymous_verdict() == Verdict::Public;
        let login = self.login.as_ref().map(|login| login.ending);
        match (Host::of(host), pull, login) {
            // GHCR answers every bad credential with 403, for public images too, and a missing right with the same.
            (Host::Ghcr, (_, Ending::Status(403)), _) if is_public => Verdict::BadCredential,
            (Host::Ghcr, (_, Ending::Status(403)), _)
            // The firewall of ACR answers 403 to any login.
            | (Host::Acr, _, Some(Ending::Status(403))) => Verdict::Refused,
            // Google's token endpoint refuses a right with 403 and a credential with 401.
            (Host::Google, (Step::Token, Ending::Status(403)), login)
                if login != Some(Ending::Status(401)) =>
            {
                Verdict::NoRightOrMissing
            }
            (_, _, Some(Ending::Status(200..=299))) => Verdict::NoRightOrMissing,
            (_, _, Some(Ending::Status(401 | 403)))
            | (Host::EcrPublic, (_, Ending::Status(400)), _)
            | (Host::EcrPublic, _, Some(Ending::Status(400))) => Verdict::BadCredential,
            _ => Verdict::Refused,
        }
    }
}

impl Answer {
    /// Returns whether the registry refused a request with a credential, so that a login tells more.
    #[must_use]
    pub fn is_refusal(&self, host: &str) -> bool {
        is_refusal(host, self.outcome())
    }

    fn outcome(&self) -> (Step, Ending) {
        (self.step, self.ending)
    }
}

fn is_refusal(host: &str, (_, ending): (Step, Ending)) -> bool {
    match ending {
        Ending::Status(401 | 403) | Ending::Failure(Failure::NoToken) => true,
        Ending::Status(400) => Host::of(host) == Host::EcrPublic,
        Ending::Status(_) | Ending::Failure(_) => false,
    }
}

/// Registries that answer in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Ghcr,
    Google,
    Acr,
    EcrPublic,
    Other,
}

impl Host {
    fn of(host: &str) -> Self {
        let has_suffix = |suffix: &str| host.ends_with(suffix);
        match host {
            "ghcr.io" => Self::Ghcr,
            "public.ecr.aws" => Self::EcrPublic,
            "gcr.io" => Self::Google,
            _ if has_suffix(".gcr.io") || has_suffix("-docker.pkg.dev") => Self::Google,
            _ if has_suffix(".azurecr.io") => Self::Acr,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type End = (Step, Ending);

    /// Returns the verdict on these ends of the probes, in their order.
    fn verdict(host: &str, ends: &[End]) -> Verdict {
        let answer = |(step, ending): &End| Answer {
            step: *step,
            ending: *ending,
            url: String::new(),
            text: None,
            retry_after: None,
        };
        let mut answers = ends.iter().map(answer);
        let probes = Probes {
            anonymous: answers.next(),
            pull: answers.next(),
            login: answers.next(),
        };
        probes.verdict(host)
    }

    fn manifest(status: u16) -> End {
        (Step::Manifest, Ending::Status(status))
    }

    fn token(status: u16) -> End {
        (Step::Token, Ending::Status(status))
    }

    fn login(status: u16) -> End {
        (Step::Login, Ending::Status(status))
    }

    fn failed(step: Step, failure: Failure) -> End {
        (step, Ending::Failure(failure))
    }

    /// The registry refused the pull, so asking again changes nothing, even if the login came to no result.
    #[test]
    fn a_refused_pull_without_a_result_of_the_login_is_refused() {
        for pull in [manifest(401), manifest(403), token(401), token(403)] {
            for login in [
                login(400),
                login(404),
                login(429),
                login(503),
                failed(Step::Login, Failure::Timeout),
                failed(Step::Login, Failure::NoToken),
            ] {
                let ends = [manifest(401), pull, login];
                assert_eq!(verdict("reg.io", &ends), Verdict::Refused, "{ends:?}");
            }
            assert_eq!(verdict("reg.io", &[manifest(401), pull]), Verdict::Refused);
        }
        let ends = [manifest(401), token(403), login(503)];
        assert_eq!(verdict("gcr.io", &ends), Verdict::NoRightOrMissing);
        let ends = [manifest(401), token(403), login(401)];
        assert_eq!(verdict("eu.gcr.io", &ends), Verdict::BadCredential);
    }

    #[test]
    fn a_pull_proves_a_credential_only_beside_a_refused_control() {
        for (control, expected) in [
            (manifest(200), Verdict::Public),
            (manifest(401), Verdict::Good),
            (token(403), Verdict::Good),
            (manifest(404), Verdict::Good),
            (failed(Step::Token, Failure::NoToken), Verdict::Good),
            (token(429), Verdict::Limited),
            (token(500), Verdict::Unknown),
            (failed(Step::Token, Failure::Timeout), Verdict::Unknown),
        ] {
            assert_eq!(verdict("reg.io", &[control, manifest(200)]), expected);
        }
        assert_eq!(verdict("reg.io", &[]), Verdict::Unknown);
    }

    #[test]
    fn a_status_of_the_token_endpoint_says_nothing_of_the_manifest() {
        for (end, expected) in [
            (token(200), Verdict::Unknown),
            (token(404), Verdict::Unknown),
            (token(429), Verdict::Limited),
            (manifest(302), Verdict::Unknown),
        ] {
            assert_eq!(verdict("reg.io", &[manifest(401), end]), expected);
            assert_eq!(verdict("reg.io", &[end]), expected);
        }
    }
}
