//! One request and its answer, on a connection of its own: no connection is kept, no request is sent twice.

use crate::kubelet::registry::challenge::{self, Challenge};
use crate::kubelet::registry::url::HttpsUrl;
use crate::kubelet::registry::verdict::Failure;
use crate::registry::connection::{Broken, Connector};
use futures::future::{Either, select};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    USER_AGENT, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::pin::pin;
use zeroize::Zeroizing;

/// The most bytes of a body that are read. The reader does not wait for the rest.
const MAX_BODY: usize = 64 * 1024;
/// The most bytes of a head.
const MAX_HEAD: usize = 64 * 1024;
const AGENT: &str = concat!("pullgate/", env!("CARGO_PKG_VERSION"));

/// An answer to a request.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) challenges: Vec<Challenge>,
    /// The URL of a redirect. It is not followed.
    pub(super) location: Option<String>,
    /// The seconds after which the registry wants to be asked again.
    pub(super) retry_after: Option<u32>,
    /// The body, or its first 64 KiB.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Connector {
    /// Sends a request and reads the answer.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: &HttpsUrl,
        accept: &'static str,
        authorization: Option<HeaderValue>,
    ) -> Result<Reply, Broken> {
        let broken = |error: hyper::Error| Broken::by(Failure::Protocol, &error);
        let request = request(method, url, accept, authorization)?;
        let stream = TokioIo::new(self.connect(url).await?);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD);
        let (mut sender, connection) = builder.handshake(stream).await.map_err(broken)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            read(response).await.map_err(broken)
        };
        // The connection ends with this function, even if the server keeps it open.
        match select(pin!(answer), pin!(connection)).await {
            Either::Left((reply, _)) => reply,
            Either::Right((_, answer)) => answer.await,
        }
    }
}

fn request(
    method: Method,
    url: &HttpsUrl,
    accept: &'static str,
    authorization: Option<HeaderValue>,
) -> Result<Request<Empty<Bytes>>, Broken> {
    let mut request = Request::builder()
        .method(method)
        .uri(url.target())
        .header(HOST, url.authority())
        .header(ACCEPT, accept)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close");
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let request = request.body(Empty::new());
    request.map_err(|error| Broken::by(Failure::Protocol, &error))
}

async fn read(response: Response<Incoming>) -> Result<Reply, hyper::Error> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let header = |name: HeaderName| response.headers().get(name).map(text);
    let challenges = response.headers().get_all(WWW_AUTHENTICATE);
    let challenges: Vec<_> = challenges.iter().map(text).collect();
    let mut reply = Reply {
        status: response.status().as_u16(),
        challenges: challenge::parse(challenges.iter().map(String::as_str)),
        location: header(LOCATION),
        retry_after: header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
        body: Zeroizing::new(Vec::new()),
    };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        let room = MAX_BODY - reply.body.len();
        reply.body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() >= room {
            break;
        }
    }
    Ok(reply)
}
