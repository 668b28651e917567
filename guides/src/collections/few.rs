//! [`Few`]: a list that is nearly always of length one, which then needs no allocation.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// At least one item; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Few<T> {
    One(T),
    Many(Arc<[T]>),
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Few<T>) -> bool {
        match (self, other) {
            (Few::One(a), Few::One(b)) => a == b,
            (Few::Many(a), Few::Many(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: Hash> Hash for Few<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Few::One(item) => std::slice::from_ref(item).hash(state),
            Few::Many(items) => items.hash(state),
        }
    }
}

impl<T: Clone> Few<T> {
    /// `None` if the list is empty.
    pub(crate) fn from_vec(mut list: Vec<T>) -> Option<Few<T>> {
        match list.len() {
            0 => None,
            1 => list.pop().map(Few::One),
            _ => Some(Few::Many(list.into())),
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Few::One(item) => std::slice::from_ref(item),
            Few::Many(items) => items,
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    /// The results of `map`, without allocation for a list of one; `None` if there are none.
    pub(crate) fn filter_map<U: Clone>(&self, mut map: impl FnMut(&T) -> Option<U>) -> Option<Few<U>> {
        match self {
            Few::One(item) => map(item).map(Few::One),
            Few::Many(items) => Few::from_vec(items.iter().filter_map(map).collect()),
        }
    }
}
