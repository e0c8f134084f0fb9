//! `AdmissionReview` v1 on the wire: bytes in, a [`Subject`] to judge, bytes out.
//!
//! Only the fields that matter are read, borrowed from the bytes where JSON allows it; the rest is skipped. The answer
//! is made from the request, so that its uid cannot be forgotten, and from a [`Mutation`], which cannot deny and patch.

pub mod endpoint;
mod request;

use crate::objects::names::MAX_SUBDOMAIN;
use crate::objects::read::Text;
use crate::objects::subject::{ObjectSource, Operation, Subject};
use crate::text::excerpt::beginning;
use crate::text::scan;
use crate::verdict::finding::Denial;
use crate::verdict::{Mutation, Outcome};
use base64::prelude::{BASE64_STANDARD, Engine};
use request::Request;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use std::borrow::Cow;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// More than a UUID needs, and more than is repeated of what should be a short word.
const MAX_UID: usize = 128;

/// What an answer with a patch of one secret takes.
const ANSWER: usize = 768;

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

impl Review<'_> {
    /// The answer to this review.
    #[must_use]
    pub fn answer(&self, mutation: &Mutation<'_>) -> Vec<u8> {
        let Mutation { outcome, notes, .. } = mutation;
        let mut answer = AnswerWriter(Vec::with_capacity(ANSWER));
        answer.raw(r#"{"apiVersion":""#);
        answer.raw(API_VERSION);
        answer.raw(r#"","kind":""#);
        answer.raw(KIND);
        answer.raw(r#"","response":{"uid":"#);
        answer.json(&self.uid);
        match outcome {
            Outcome::Admit => answer.raw(r#","allowed":true"#),
            Outcome::Inject(patch) => {
                answer.raw(r#","allowed":true,"patchType":"JSONPatch","patch":""#);
                answer.base64(patch.as_json());
                answer.raw("\"");
            }
            Outcome::Reject(denial) => {
                answer.raw(r#","allowed":false,"status":"#);
                answer.json(&status(denial, &self.subject));
            }
        }
        if !notes.audit.is_empty() {
            answer.raw(r#","auditAnnotations":"#);
            answer.json(&notes.audit);
        }
        if !notes.warnings.is_empty() {
            answer.raw(r#","warnings":"#);
            answer.json(&notes.warnings);
        }
        answer.raw("}}");
        answer.0
    }
}

/// The bytes of an answer as they are written.
struct AnswerWriter(Vec<u8>);

impl AnswerWriter {
    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        // Texts and maps of texts are all there is, and they always serialise into memory.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    fn base64(&mut self, text: &str) {
        let begin = self.0.len();
        let length = base64::encoded_len(text.len(), true).unwrap_or_default();
        self.0.resize(begin + length, 0);
        // There is as much room as it takes.
        let _ = BASE64_STANDARD.encode_slice(text, &mut self.0[begin..]);
    }
}

fn text(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map(|text| text.0).unwrap_or_default()
}

/// 403 `Forbidden`: with `Invalid`, kubectl would throw the message away.
fn status<'d>(denial: &'d Denial, subject: &'d Subject<'_>) -> Status<'d> {
    let cause = |(field, message): &'d (String, String)| Cause {
        reason: "FieldValueForbidden",
        message,
        field,
    };
    let details = Details {
        name: beginning(&subject.name, MAX_SUBDOMAIN),
        group: subject.kind.group(),
        kind: subject.kind.name(),
        causes: denial.causes.iter().map(cause).collect(),
    };
    Status {
        outcome: "Failure",
        code: 403,
        reason: "Forbidden",
        message: &denial.message,
        details,
    }
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

#[derive(Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    outcome: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'static str,
    kind: &'static str,
    causes: Vec<Cause<'a>>,
}

#[derive(Serialize)]
struct Cause<'a> {
    reason: &'static str,
    message: &'a str,
    field: &'a str,
}
