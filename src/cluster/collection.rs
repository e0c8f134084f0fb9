//! Reads and writes single objects as JSON.
//!
//! No object is decoded into a type of Kubernetes. An irrelevant field, such as a time in the year 9999, must not
//! prevent reading it, and a replaced object keeps the fields that other clients wrote.

use super::answer;
use anyhow::{Context, Result};
use kube::api::{GetParams, ListParams, Patch, PatchParams, PostParams, Request};
use kube::core::{ClusterResourceScope, NamespaceResourceScope};
use kube::{Client, Resource};
use serde_json::{Value, json};

/// The field manager of every change by Pullgate, and the value of `app.kubernetes.io/managed-by`.
const FIELD_MANAGER: &str = "pullgate";

/// The objects of a page of a list: 400 KB of the usual ones, and 75 MB of the largest that there can be.
const PAGE: u32 = 50;

/// The objects of one type, in a namespace or of the cluster.
#[derive(Clone)]
pub(super) struct Collection {
    client: Client,
    path: Request,
    api_version: String,
    kind: String,
}

impl Collection {
    /// Returns the objects of a namespace.
    pub(super) fn of<K>(client: Client, namespace: &str) -> Self
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Self::at::<K>(client, Some(namespace))
    }

    /// Returns the objects of all namespaces.
    pub(super) fn of_all<K>(client: Client) -> Self
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Self::at::<K>(client, None)
    }

    /// Returns the objects of the cluster.
    pub(super) fn of_cluster<K>(client: Client) -> Self
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope>,
    {
        Self::at::<K>(client, None)
    }

    fn at<K: Resource<DynamicType = ()>>(client: Client, namespace: Option<&str>) -> Self {
        Self {
            client,
            path: Request::new(K::url_path(&(), namespace)),
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
        }
    }

    /// Returns an object as JSON, or `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if the API server refuses, or does not answer.
    pub(super) async fn get(&self, name: &str) -> Result<Option<String>> {
        let request = self.path.get(name, &GetParams::default())?;
        let answered = answer(self.client.request_text(request)).await;
        match answered {
            Ok(json) => Ok(Some(json)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns an object, or `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if the API server refuses, or does not answer with an object.
    pub(super) async fn get_value(&self, name: &str) -> Result<Option<Value>> {
        let json = self.get(name).await?;
        json.as_deref().map(value).transpose()
    }

    /// Gives each object of a list to `see`, a page at a time.
    ///
    /// # Errors
    /// The API server refuses, or does not answer with a list.
    pub(super) async fn each(
        &self,
        mut params: ListParams,
        mut see: impl FnMut(Value),
    ) -> Result<()> {
        params = params.limit(PAGE);
        loop {
            let request = self.path.list(&params)?;
            let mut page = value(&answer(self.client.request_text(request)).await?)?;
            if let Some(items) = page["items"].as_array_mut() {
                items.drain(..).for_each(&mut see);
            }
            match page["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => params = params.continue_token(token),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Creates an object. Returns it as the API server stored it.
    ///
    /// # Errors
    /// Fails if the object exists already, or as for [`Collection::get_value`].
    pub(super) async fn create(&self, object: &Value) -> Result<Value> {
        let request = self.path.create(&post_params(), self.body(object)?)?;
        value(&answer(self.client.request_text(request)).await?)
    }

    /// Replaces an object. It must carry the resourceVersion that was read. Returns it as the API server stored it.
    ///
    /// # Errors
    /// Fails if the object was changed in the meantime, or as for [`Collection::get_value`].
    pub(super) async fn replace(&self, name: &str, object: &Value) -> Result<Value> {
        let request = self
            .path
            .replace(name, &post_params(), self.body(object)?)?;
        value(&answer(self.client.request_text(request)).await?)
    }

    /// Changes an object by a JSON Patch. Returns it as JSON.
    ///
    /// # Errors
    /// Fails if the API server refuses, or does not answer.
    pub(super) async fn patch(&self, name: &str, operations: Vec<Value>) -> Result<String> {
        let patch = Patch::Json::<()>(serde_json::from_value(operations.into())?);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let request = self.path.patch(name, &params, &patch)?;
        answer(self.client.request_text(request)).await
    }

    /// Adds the version and the kind, which items of lists lack.
    fn body(&self, object: &Value) -> Result<Vec<u8>> {
        let mut object = object.clone();
        object["apiVersion"] = self.api_version.as_str().into();
        object["kind"] = self.kind.as_str().into();
        Ok(serde_json::to_vec(&object)?)
    }
}

/// Returns the metadata of an object that Pullgate creates.
pub(super) fn own_metadata(name: &str) -> Value {
    json!({"name": name, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}})
}

/// Returns whether another client changed or created the object in the meantime.
pub(super) fn is_conflict(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status))
        if status.is_conflict() || status.is_already_exists())
}

/// Returns whether the API server says that the caller lacks a right.
pub(super) fn is_forbidden(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 403)
}

fn is_not_found(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.is_not_found())
}

fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// Decodes an object. The error does not quote it: it may be a Secret.
fn value(json: &str) -> Result<Value> {
    let value = serde_json::from_str(json).ok().filter(Value::is_object);
    value.context("the API server does not answer with an object")
}
