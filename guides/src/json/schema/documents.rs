//! Documents of the server that schemas may refer to, beside the meta-schemas. Nothing is fetched: a reference to any other document is
//! refused.

use crate::error::{CompileError, Place};
use crate::json::schema::meta_schemas::meta_schema;
use crate::json::schema::pointer::lookup;
use crate::json::schema::references::normal_uri;
use crate::json::text::value::{self, Value};
use std::collections::BTreeMap;

/// Nesting of the JSON text of a document.
const MAX_DEPTH: usize = 256;

/// Schemas that others may refer to by their URIs.
#[derive(Debug, Default)]
pub struct Documents {
    by_uri: BTreeMap<String, Value>,
}

/// The outcome of [`Documents::add`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The URI of the document, absolute and in normal form.
    pub uri: String,
    /// Whether no document had the URI before. The document is left out otherwise.
    pub is_new: bool,
}

impl Documents {
    /// Adds a document under a URI, or under its own `$id`, and returns the URI. Of two documents with one URI the first is kept.
    ///
    /// # Errors
    /// If the text is no JSON, or if there is neither a URI nor an absolute `$id`.
    pub fn add(&mut self, uri: Option<&str>, text: &str) -> Result<Added, CompileError> {
        let value = value::parse(text, MAX_DEPTH)?;
        let error = |at: &str, reason: String| CompileError::Syntax { at: Place::Pointer(at.to_owned()), reason };
        let id = match (uri, value.get("$id").or_else(|| value.get("id"))) {
            (Some(uri), _) => uri,
            (None, Some(Value::String(id))) => id,
            (None, _) => return Err(error("", "has no $id, so that no schema could refer to it".into())),
        };
        let Some(uri) = normal_uri(id) else {
            return Err(error("/$id", format!("{id:?} is no absolute URI, so that no schema could refer to it")));
        };
        let is_new = !self.by_uri.contains_key(&uri);
        if is_new {
            self.by_uri.insert(uri.clone(), value);
        }
        Ok(Added { uri, is_new })
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.by_uri.len()
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.by_uri.is_empty()
    }

    pub(super) fn get(&self, uri: &str) -> Option<&Value> {
        self.by_uri.get(uri).or_else(|| meta_schema(uri))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.by_uri.values()
    }

    /// The value at a place: in the schema `root` at a JSON pointer, in a document at its URI, `#` and a JSON pointer.
    pub(crate) fn at<'a>(&'a self, root: &'a Value, place: &str) -> Option<&'a Value> {
        if place.is_empty() || place.starts_with('/') {
            return lookup(root, place);
        }
        let (uri, pointer) = place.split_once('#')?;
        lookup(self.get(uri)?, pointer)
    }
}

/// The place of a whole document ([`Documents::at`]).
pub(super) fn place_of(uri: &str) -> String {
    format!("{uri}#")
}
