//! [`Backend`] across the boundary.

use std::sync::Arc;

use abi_stable::sabi_trait;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, ROption, RSlice, RStr, RString, RVec};

use super::guard;
use super::host::{ExportedHost, HostObject, LoadedHost};
use super::model::{ExportedModel, LoadedModel, ModelObject};
use super::types::{FfiBackendInfo, FfiModelSpec, FfiResult};
use crate::{Backend, BackendInfo, Error, HostServices, Model, ModelSpec, Result};

/// [`Backend`] as it crosses the boundary.
#[sabi_trait]
pub trait FfiBackend: Send + Sync {
    /// [`Backend::describe`].
    fn describe(&self) -> FfiResult<FfiBackendInfo>;

    /// [`Backend::load`].
    #[sabi(last_prefix_field)]
    fn load(&self, spec: FfiModelSpec<'_>, host: HostObject) -> FfiResult<ModelObject>;

    /// [`Backend::model_files`].
    fn model_files(&self, names: RSlice<'_, RString>, dtype: RStr<'_>) -> FfiResult<ROption<RVec<RString>>> {
        let _ = (names, dtype);
        FfiResult::ROk(ROption::RNone)
    }

    // Methods of later minor versions go here, each with a default.
}

/// A backend as a host holds it.
pub type BackendObject = FfiBackend_TO<'static, RBox<()>>;

/// The plugin's side. `None` only while it is dropped.
pub(super) struct ExportedBackend(Option<Box<dyn Backend>>);

impl ExportedBackend {
    pub(super) fn object(backend: Box<dyn Backend>) -> BackendObject {
        FfiBackend_TO::from_value(Self(Some(backend)), TD_Opaque)
    }

    fn backend(&self) -> Result<&dyn Backend> {
        self.0.as_deref().ok_or_else(|| Error::internal("the backend is gone"))
    }
}

impl FfiBackend for ExportedBackend {
    fn describe(&self) -> FfiResult<FfiBackendInfo> {
        guard::guard("describe", || Ok(self.backend()?.describe().into()))
    }

    fn load(&self, spec: FfiModelSpec<'_>, host: HostObject) -> FfiResult<ModelObject> {
        guard::guard("load", || {
            let model = self.backend()?.load(&spec.to_native()?, Arc::new(LoadedHost(host)))?;
            Ok(ExportedModel::object(model))
        })
    }

    fn model_files(&self, names: RSlice<'_, RString>, dtype: RStr<'_>) -> FfiResult<ROption<RVec<RString>>> {
        guard::guard("model_files", || {
            let names: Vec<String> = names.iter().map(|name| name.as_str().to_owned()).collect();
            let files = self.backend()?.model_files(&names, dtype.as_str())?;
            Ok(files.map(|files| files.into_iter().map(Into::into).collect()).into())
        })
    }
}

impl Drop for ExportedBackend {
    fn drop(&mut self) {
        guard::silent(|| drop(self.0.take()));
    }
}

/// The host's side: looks like the backend.
pub(crate) struct LoadedBackendObject(pub(crate) BackendObject);

impl Backend for LoadedBackendObject {
    fn describe(&self) -> BackendInfo {
        match self.0.describe().into_result() {
            Ok(info) => info.into(),
            Err(error) => BackendInfo { problem: Some(error.message.into_string()), ..BackendInfo::default() },
        }
    }

    fn model_files(&self, names: &[String], dtype: &str) -> Result<Option<Vec<String>>> {
        let names: Vec<RString> = names.iter().map(|name| name.as_str().into()).collect();
        let files = self.0.model_files(names.as_slice().into(), dtype.into()).into_result()?.into_option();
        Ok(files.map(|files| files.into_iter().map(Into::into).collect()))
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        let options = spec.options.iter().map(Into::into).collect::<Vec<_>>();
        let model = self.0.load(FfiModelSpec::new(spec, &options), ExportedHost::object(Arc::clone(&host)));
        Ok(Box::new(LoadedModel::new(model.into_result()?, host)?))
    }
}
