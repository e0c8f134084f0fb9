//! `AdmissionReview` v1 on the wire: bytes in, a [`Subject`] to judge, bytes out.
//!
//! Only the fields that matter are read, borrowed from the bytes where JSON allows it; the rest is skipped. The answer
//! is made from the request, so that its uid cannot be forgotten, and from a [`Mutation`], which cannot deny and patch.

mod answer;
pub mod endpoint;
mod request;

use crate::objects::read::Text;
use crate::objects::subject::{ObjectSource, Operation, Subject};
use crate::text::excerpt::beginning;
use crate::text::scan;
use request::Request;
use serde::Deserialize;
use serde_json::error::Category;
use std::borrow::Cow;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// More than a UUID needs, and more than is repeated of what should be a short word.
const MAX_UID: usize = 128;

/// A request that was read.
#[derive(Debug)]
pub struct Review<'a> {
    uid: Cow<'a, str>,
    /// What is asked.
    pub subject: Subject<'a>,
    /// Whether nothing will come of it.
    pub dry_run: bool,
}

/// Why bytes are no review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No JSON, or JSON of another shape. What stands there is not repeated: it could be the content of a Secret.
    #[error("not an AdmissionReview: {what} at line {line}, column {column}")]
    Json {
        /// What is wrong.
        what: &'static str,
        /// Where, in the body or in the object that it holds.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// Another type than the only one that is spoken here.
    #[error(
        "expected {KIND} of {API_VERSION}, got {kind:?} of {api_version:?}: register the webhook with admissionReviewVersions: [v1]"
    )]
    Type {
        /// The `apiVersion` that came.
        api_version: String,
        /// The `kind` that came.
        kind: String,
    },
    /// A review that asks nothing.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// A request that cannot be answered.
    #[error("the request has no uid, or one that is no UUID")]
    NoUid,
    /// An operation that Kubernetes does not know.
    #[error("the operation {0:?} is none of CREATE, UPDATE, DELETE, CONNECT")]
    Operation(String),
}

/// Reads a review. Objects of kinds that are not judged are not looked into.
///
/// # Errors
/// What makes the bytes no v1 `AdmissionReview` with a request.
pub fn parse(bytes: &[u8]) -> Result<Review<'_>, ReviewError> {
    let envelope: Envelope<'_> = scan::from_slice(bytes)?;
    if (&*envelope.api_version.0, &*envelope.kind.0) != (API_VERSION, KIND) {
        let [api_version, kind] = [envelope.api_version, envelope.kind]
            .map(|text| beginning(&text.0, MAX_UID).to_owned());
        return Err(ReviewError::Type { api_version, kind });
    }
    let request = envelope.request.ok_or(ReviewError::NoRequest)?;
    let uid = request
        .uid
        .map(|uid| uid.0)
        .filter(|uid| (1..=MAX_UID).contains(&uid.len()))
        .ok_or(ReviewError::NoUid)?;
    let operation = match &*request.operation.0 {
        "CREATE" => Operation::Create,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        "CONNECT" => Operation::Connect,
        other => return Err(ReviewError::Operation(beginning(other, MAX_UID).to_owned())),
    };
    let kind = request.kind;
    let subject = Subject {
        kind,
        operation,
        source: ObjectSource::Request,
        namespace: text(request.namespace),
        name: text(request.name),
        user: text(request.user),
        object: request.object.read(kind)?.unwrap_or_default(),
        old: request.old_object.read(kind)?,
    };
    Ok(Review {
        uid,
        subject,
        dry_run: request.dry_run,
    })
}

impl From<serde_json::Error> for ReviewError {
    fn from(error: serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Data => "a value of the wrong type, or a field that is missing",
            Category::Eof => "the JSON ends too early",
            Category::Io | Category::Syntax => "no JSON",
        };
        Self::Json {
            what,
            line: error.line(),
            column: error.column(),
        }
    }
}

fn text(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map(|text| text.0).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    api_version: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}
