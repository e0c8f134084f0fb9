//! The answer to a review: the `response` of an AdmissionReview v1.

use super::{API_VERSION, KIND, Review};
use crate::objects::names::MAX_SUBDOMAIN;
use crate::objects::subject::Subject;
use crate::text::excerpt::beginning;
use crate::verdict::finding::Denial;
use crate::verdict::{Mutation, Outcome};
use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderWriter;
use json_patch::Patch;
use serde::Serialize;
use serde::ser::Error;
use serde_json::ser::{Formatter, Serializer};
use std::collections::BTreeMap;
use std::io::Write;

/// The bytes that are set aside for an answer: those of one with a patch of one secret.
const USUAL: usize = 768;

impl Review<'_> {
    /// Returns the answer to this review as JSON.
    ///
    /// # Errors
    /// None is known: every part of an answer is a text, a number, or a list or map of texts.
    pub fn answer(&self, mutation: &Mutation<'_>) -> Result<Vec<u8>, serde_json::Error> {
        let (patch, status) = match &mutation.outcome {
            Outcome::Admit => (None, None),
            Outcome::Inject(patch) => (Some(patch), None),
            Outcome::Reject(denial) => (None, Some(Status::new(denial, &self.subject))),
        };
        let answer = AnsweredReview {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid: &self.uid,
                allowed: status.is_none(),
                patch_type: patch.map(|_| "JSONPatch"),
                patch: patch.map(Base64Json),
                status,
                audit_annotations: &mutation.notes.audit,
                warnings: &mutation.notes.warnings,
            },
        };
        let mut json = Vec::with_capacity(USUAL);
        answer.serialize(&mut Serializer::with_formatter(&mut json, BytesAsBase64))?;
        Ok(json)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnsweredReview<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Base64Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// A patch as the API takes it: its JSON in base64.
struct Base64Json<'a>(&'a Patch);

impl Serialize for Base64Json<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = Vec::with_capacity(USUAL / 2);
        serde_json::to_writer(&mut json, self.0).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&json)
    }
}

/// Compact JSON with bytes as texts in base64, as Go writes a `[]byte`. The patch is one: as a text of its own it would be
/// copied once more and searched for characters to escape, of which base64 has none.
struct BytesAsBase64;

impl Formatter for BytesAsBase64 {
    fn write_byte_array<W: Write + ?Sized>(
        &mut self,
        mut to: &mut W,
        bytes: &[u8],
    ) -> std::io::Result<()> {
        self.begin_string(to)?;
        EncoderWriter::new(&mut to, &BASE64_STANDARD).write_all(bytes)?;
        self.end_string(to)
    }
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

impl<'a> Status<'a> {
    /// 403 `Forbidden`: with `Invalid`, kubectl would throw the message away.
    fn new(denial: &'a Denial, subject: &'a Subject<'_>) -> Self {
        let cause = |(field, message): &'a (String, String)| Cause {
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
        Self {
            outcome: "Failure",
            code: 403,
            reason: "Forbidden",
            message: &denial.message,
            details,
        }
    }
}
