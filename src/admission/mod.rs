//! `AdmissionReview` v1 on the wire: bytes in, a [`Subject`] to judge, bytes out.
//!
//! The reader takes only the declared fields, borrowed from the bytes where JSON allows it, and skips the rest. The
//! answer is built from the request, so it cannot lack the uid, and from a [`Mutation`], which cannot both deny and
//! patch.

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
/// The longest uid, and the longest unexpected word that an error repeats, in bytes. A UUID is shorter.
const MAX_UID: usize = 128;

/// A request that was parsed.
#[derive(Debug)]
pub struct Review<'a> {
    uid: Cow<'a, str>,
    /// The object under review, and the request around it.
    pub subject: Subject<'a>,
    /// Whether this is a dry run: the API server stores nothing.
    pub dry_run: bool,
}

/// The reasons why bytes are not a review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Not JSON, or JSON of another shape. The error does not repeat the input, which could be the content of a Secret.
    #[error("not an AdmissionReview: {what} at line {line}, column {column}")]
    Json {
        /// The fault.
        what: &'static str,
        /// The line, counted in the body or in the object inside it.
        line: usize,
        /// The column in that line.
        column: usize,
    },
    /// A type other than `AdmissionReview` v1, the only one that is supported.
    #[error(
        "expected {KIND} of {API_VERSION}, got {kind:?} of {api_version:?}: register the webhook with admissionReviewVersions: [v1]"
    )]
    Type {
        /// The `apiVersion` of the body.
        api_version: String,
        /// The `kind` of the body.
        kind: String,
    },
    /// A review without a request.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// A request without a usable uid. Without it, no answer is possible.
    #[error("the request has no uid, or one that is too long")]
    NoUid,
    /// An operation that Kubernetes does not know.
    #[error("the operation {0:?} is not one of CREATE, UPDATE, DELETE, CONNECT")]
    Operation(String),
}

/// Parses a review. Skips objects of kinds that are not judged.
///
/// # Errors
/// Fails if the bytes are not a v1 `AdmissionReview` with a request.
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
            Category::Io | Category::Syntax => "not valid JSON",
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
