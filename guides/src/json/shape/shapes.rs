//! All that the analysis leaves for the machine.

use crate::json::shape::array::Array;
use crate::json::shape::object::Object;
use crate::json::shape::{Schema, SchemaId};

/// The schemas that an output can come to, and the objects and arrays that they name by index.
#[derive(Debug)]
pub(crate) struct Analysis {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) objects: Vec<Object>,
    pub(crate) arrays: Vec<Array>,
    pub(crate) root: SchemaId,
}
