//! The endpoints of the webhook, and the judgement that each one calls.

use crate::objects::kind::Kind;
use crate::objects::subject::Subject;
use crate::verdict::world::World;
use crate::verdict::{self, Mutation, policy_edit};

/// The two endpoints that the API server calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /mutate`.
    Mutate,
    /// `POST /validate`.
    Validate,
}

impl Endpoint {
    /// Returns the endpoint at a URL path.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/mutate" => Some(Self::Mutate),
            "/validate" => Some(Self::Validate),
            _ => None,
        }
    }

    /// Returns the name of the endpoint in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }

    /// Judges a request by endpoint and kind: an edit of the policy, or anything else.
    #[must_use]
    pub fn judge<'a>(self, world: &World<'a>, subject: &'a Subject<'_>) -> Mutation<'a> {
        match (self, subject.kind) {
            (Self::Mutate, _) => verdict::mutate(world, subject),
            (Self::Validate, Kind::ConfigMap) => policy_edit::judge(world, subject, None).into(),
            (Self::Validate, _) => verdict::validate(world, subject).into(),
        }
    }
}
