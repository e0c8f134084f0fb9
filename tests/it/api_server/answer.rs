//! Answers of the scripted API server: the semantics of the verbs, and bodies that are cut off.

use super::ApiServer;
use super::request::{ApiRequest, Verb};
use super::scenarios::Fault;
use super::store::{Store, key};
use futures::stream::{self, Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use std::future::pending;
use std::io;
use std::sync::atomic::Ordering;

/// The body of an answer.
pub(super) type Answer = UnsyncBoxBody<Bytes, io::Error>;
/// A part of a body, or the end of the connection.
pub(super) type Chunk = Result<Bytes, io::Error>;

/// The placeholder in a list for an item that is given as text.
const PLACE: &str = "@item@";

/// The length of a body part, in bytes.
const PART: usize = 16 * 1024;

/// The reason for a refusal: HTTP status, reason and message.
type Refusal = (u16, &'static str, String);

impl ApiServer {
    pub(super) async fn answer(&self, request: &ApiRequest) -> Response<Answer> {
        let fault = self.change(|store| {
            store.requests.push(request.clone());
            let fault = store.fault(request.verb, request.resource);
            if let Some(Fault::Overtaken(object)) = &fault {
                store.put(request.resource, object.clone());
            }
            fault
        });
        let is_stream = [Verb::List, Verb::Watch].contains(&request.verb);
        match &fault {
            // A real API server may quote the refused object.
            Some(Fault::Status(code)) => {
                return status(*code, &format!("scripted refusal of {}", request.body));
            }
            Some(Fault::Garbage) if !is_stream => {
                return body(stream::iter([Ok(Bytes::from_static(b"{\"metadata\": 1}"))]));
            }
            Some(Fault::Slow(time)) => tokio::time::sleep(*time).await,
            Some(Fault::Never) => pending().await,
            // The other faults change objects or the body.
            Some(
                Fault::Nothing
                | Fault::Overtaken(_)
                | Fault::CutOff
                | Fault::Garbage
                | Fault::Item(_),
            )
            | None => {}
        }
        if request.verb == Verb::Watch {
            return self.watch(request, fault.as_ref());
        }
        let (code, mut object) = match self.change(|store| store.perform(request)) {
            Ok(object) if request.verb == Verb::Create => (201, object),
            Ok(object) => (200, object),
            Err((code, reason, message)) => (code, status_object(code, reason, &message)),
        };
        let item = match &fault {
            Some(Fault::Garbage) => Some(garbage(1).to_string()),
            Some(Fault::Item(text)) => Some(text.clone()),
            _ => None,
        };
        let mut text = object.to_string();
        if let (Some(item), Some(items)) = (item, object["items"].as_array_mut()) {
            items.push(PLACE.into());
            text = object.to_string().replace(&format!("\"{PLACE}\""), &item);
        }
        let bytes = Bytes::from(text);
        let chunks = match fault {
            Some(Fault::CutOff) => half(&bytes),
            _ => parts(&bytes),
        };
        let sent = self.sent.clone();
        let chunks = stream::iter(chunks).inspect(move |chunk| {
            let length = chunk.as_ref().map_or(0, Bytes::len);
            sent.fetch_add(length, Ordering::Relaxed);
        });
        with_status(code, body(chunks))
    }
}

impl Store {
    fn perform(&mut self, request: &ApiRequest) -> Result<Value, Refusal> {
        match request.verb {
            Verb::Get => self.existing(request).map(|object| {
                if request.wants_metadata_only() {
                    metadata_only(object)
                } else {
                    object.clone()
                }
            }),
            Verb::List => self.listed(request),
            Verb::Create => self.create(request),
            Verb::Replace => self.replace(request),
            Verb::Patch => self.patch(request),
            Verb::Watch => unreachable!("a watch is a stream"),
        }
    }

    fn existing(&self, request: &ApiRequest) -> Result<&Value, Refusal> {
        let found = self.get(request.resource, &request.key());
        found.ok_or_else(|| (404, "NotFound", format!("{} not found", request.key())))
    }

    /// Returns a list, or a refusal if the request demands a resourceVersion that does not exist yet.
    fn listed(&self, request: &ApiRequest) -> Result<Value, Refusal> {
        let version = request.query.get("resourceVersion");
        let version: u64 = version.map_or(0, |version| version.parse().expect("a number"));
        if version > self.version {
            let message = format!("Too large resource version: {version}");
            return Err((504, "Timeout", message));
        }
        Ok(self.page(request))
    }

    /// Returns a page of a list. The continue token is the last name and the resourceVersion of the first page.
    fn page(&self, request: &ApiRequest) -> Value {
        let token = request
            .query
            .get("continue")
            .and_then(|token| token.split_once('@'));
        let (after, version) = match token {
            Some((after, version)) => (after, version.to_owned()),
            None => ("", self.version.to_string()),
        };
        let limit = request
            .query
            .get("limit")
            .and_then(|limit| limit.parse().ok());
        let limit: usize = limit.unwrap_or(usize::MAX);
        let mut objects = self
            .list(request.resource)
            .filter(|(key, object)| *key > after && request.selects(object));
        let page: Vec<_> = objects.by_ref().take(limit).collect();
        let mut metadata = json!({"resourceVersion": version});
        if let (Some((last, _)), Some(_)) = (page.last(), objects.next()) {
            metadata["continue"] = format!("{last}@{version}").into();
        }
        let is_partial = request.wants_metadata_only();
        let item = |(_, object): &(&str, &Value)| {
            if is_partial {
                return metadata_only(object);
            }
            // Items of a list do not repeat its apiVersion and kind, as in a real API server.
            let mut item = (*object).clone();
            let fields = item.as_object_mut().expect("an object");
            fields.remove("apiVersion");
            fields.remove("kind");
            item
        };
        let items: Vec<_> = page.iter().map(item).collect();
        let (api_version, kind) = if is_partial {
            ("meta.k8s.io/v1", "PartialObjectMetadata")
        } else {
            (request.resource.api_version(), request.resource.kind())
        };
        json!({
            "apiVersion": api_version, "kind": format!("{kind}List"), "metadata": metadata, "items": items,
        })
    }

    fn create(&mut self, request: &ApiRequest) -> Result<Value, Refusal> {
        let mut object = request.body.clone();
        if let Some(namespace) = &request.namespace {
            object["metadata"]["namespace"] = namespace.as_str().into();
        }
        let key = key(&object);
        if self.get(request.resource, &key).is_some() {
            return Err((409, "AlreadyExists", format!("{key} already exists")));
        }
        Ok(self.write(request, object))
    }

    fn replace(&mut self, request: &ApiRequest) -> Result<Value, Refusal> {
        let old = &self.existing(request)?["metadata"]["resourceVersion"];
        let new = &request.body["metadata"]["resourceVersion"];
        if !new.is_null() && new != old {
            let message = format!("{} has been modified", request.key());
            return Err((409, "Conflict", message));
        }
        Ok(self.write(request, request.body.clone()))
    }

    /// Applies a JSON Patch, the only kind of patch that is supported.
    fn patch(&mut self, request: &ApiRequest) -> Result<Value, Refusal> {
        let old = self.existing(request)?;
        if request.content_type != "application/json-patch+json" {
            let message = format!("{} is not known", request.content_type);
            return Err((415, "UnsupportedMediaType", message));
        }
        let patch: json_patch::Patch = serde_json::from_value(request.body.clone())
            .map_err(|error| (400, "BadRequest", error.to_string()))?;
        let mut object = old.clone();
        json_patch::patch(&mut object, &patch)
            .map_err(|error| (422, "Invalid", error.to_string()))?;
        // A patch without changes creates no new version.
        if object == *old {
            return Ok(object);
        }
        Ok(self.write(request, object))
    }

    fn write(&mut self, request: &ApiRequest, object: Value) -> Value {
        if request.is_dry_run() {
            return self.completed(request.resource, object);
        }
        self.put(request.resource, object)
    }
}

/// Returns an object without its content.
pub(super) fn metadata_only(object: &Value) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
    })
}

/// Returns an object that cannot be decoded: its labels and annotations are not maps.
pub(super) fn garbage(version: u64) -> Value {
    json!({
        "metadata": {
            "name": "garbage", "namespace": "garbage", "resourceVersion": version.to_string(),
            "labels": 1, "annotations": 1,
        },
    })
}

/// Returns an answer with a `Status` object.
pub(super) fn status(code: u16, message: &str) -> Response<Answer> {
    let reason = match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    };
    let object = status_object(code, reason, message);
    with_status(code, body(stream::iter([Ok(object.to_string().into())])))
}

pub(super) fn status_object(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

fn with_status(code: u16, mut response: Response<Answer>) -> Response<Answer> {
    *response.status_mut() = code.try_into().expect("an HTTP status");
    response
}

/// Returns an answer 200 with this body.
pub(super) fn body(chunks: impl Stream<Item = Chunk> + Send + 'static) -> Response<Answer> {
    let frames = chunks.map(|chunk| chunk.map(Frame::data));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

/// Splits a body into parts, as a socket delivers them.
fn parts(bytes: &Bytes) -> Vec<Chunk> {
    let starts = (0..bytes.len()).step_by(PART);
    starts
        .map(|start| Ok(bytes.slice(start..bytes.len().min(start + PART))))
        .collect()
}

/// Returns the first half of a body, followed by the end of the connection.
pub(super) fn half(bytes: &Bytes) -> Vec<Chunk> {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    vec![Ok(bytes.slice(..bytes.len() / 2)), Err(reset)]
}
