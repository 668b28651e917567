//! [`Model`] across the boundary.

use std::sync::Arc;

use abi_stable::sabi_trait;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, RSlice, RVec};

use super::extension::refuse_unknown;
use super::guard;
use super::types::{FfiChunk, FfiMemoryUse, FfiModelInfo, FfiParams, FfiResult, FfiSampleRow, FfiSampled, TokenValue};
use crate::{
    Chunk, Error, HostServices, LogLevel, MemoryUse, Model, ModelInfo, Result, SampleRow, Sampled, SequenceId,
};

/// [`Model`] as it crosses the boundary.
#[sabi_trait]
pub trait FfiModel: Send {
    /// [`Model::info`].
    fn info(&self) -> FfiResult<FfiModelInfo>;

    /// [`Model::open`].
    fn open(&mut self) -> FfiResult<u64>;

    /// [`Model::fork`].
    fn fork(&mut self, parent: u64, length: u32) -> FfiResult<u64>;

    /// [`Model::truncate`].
    fn truncate(&mut self, sequence: u64, length: u32) -> FfiResult<()>;

    /// [`Model::close`].
    fn close(&mut self, sequence: u64) -> FfiResult<()>;

    /// [`Model::memory`].
    fn memory(&self) -> FfiResult<FfiMemoryUse>;

    /// [`Model::forward`].
    fn forward(&mut self, batch: RSlice<'_, FfiChunk<'_>>) -> FfiResult<()>;

    /// [`Model::sample`].
    fn sample(&mut self, rows: RSlice<'_, FfiSampleRow<'_>>) -> FfiResult<RVec<FfiSampled>>;

    /// [`Model::logits`].
    #[sabi(last_prefix_field)]
    fn logits(&mut self, row: u32) -> FfiResult<RVec<f32>>;

    // Methods of later minor versions go here, each with a default.
}

/// A model as a host holds it.
pub type ModelObject = FfiModel_TO<'static, RBox<()>>;

/// The plugin's side. `None` only while it is dropped.
pub(super) struct ExportedModel(Option<Box<dyn Model>>);

impl ExportedModel {
    pub(super) fn object(model: Box<dyn Model>) -> ModelObject {
        FfiModel_TO::from_value(Self(Some(model)), TD_Opaque)
    }

    fn shared(&self) -> Result<&dyn Model> {
        self.0.as_deref().ok_or_else(gone)
    }

    fn model(&mut self) -> Result<&mut (dyn Model + 'static)> {
        self.0.as_deref_mut().ok_or_else(gone)
    }
}

fn gone() -> Error {
    Error::internal("the model is gone")
}

impl FfiModel for ExportedModel {
    fn info(&self) -> FfiResult<FfiModelInfo> {
        guard::guard("info", || Ok(self.shared()?.info().into()))
    }

    fn open(&mut self) -> FfiResult<u64> {
        guard::guard("open", || Ok(self.model()?.open()?.0))
    }

    fn fork(&mut self, parent: u64, length: u32) -> FfiResult<u64> {
        guard::guard("fork", || Ok(self.model()?.fork(SequenceId(parent), length)?.0))
    }

    fn truncate(&mut self, sequence: u64, length: u32) -> FfiResult<()> {
        guard::guard("truncate", || self.model()?.truncate(SequenceId(sequence), length))
    }

    fn close(&mut self, sequence: u64) -> FfiResult<()> {
        guard::guard("close", || self.model()?.close(SequenceId(sequence)))
    }

    fn memory(&self) -> FfiResult<FfiMemoryUse> {
        guard::guard("memory", || Ok(self.shared()?.memory().into()))
    }

    fn forward(&mut self, batch: RSlice<'_, FfiChunk<'_>>) -> FfiResult<()> {
        guard::guard("forward", || {
            let chunks = batch.iter().map(|chunk| chunk.to_native()).collect::<Result<Vec<_>>>()?;
            self.model()?.forward(&chunks)
        })
    }

    fn sample(&mut self, rows: RSlice<'_, FfiSampleRow<'_>>) -> FfiResult<RVec<FfiSampled>> {
        guard::guard("sample", || {
            let params = rows.iter().map(|row| row.params.to_native()).collect::<Result<Vec<_>>>()?;
            let mut native = Vec::with_capacity(rows.len());
            for (row, params) in rows.iter().zip(&params) {
                refuse_unknown("field of a sampled row", row.extensions.as_slice(), &[])?;
                native.push(row.to_native(params));
            }
            Ok(self.model()?.sample(&native)?.into_iter().map(Into::into).collect())
        })
    }

    fn logits(&mut self, row: u32) -> FfiResult<RVec<f32>> {
        guard::guard("logits", || Ok(self.model()?.logits(row)?.into()))
    }
}

impl Drop for ExportedModel {
    fn drop(&mut self) {
        guard::silent(|| drop(self.0.take()));
    }
}

/// The host's side: looks like the model.
pub(super) struct LoadedModel {
    model: ModelObject,
    /// Asked once: it does not change.
    info: ModelInfo,
    host: Arc<dyn HostServices>,
}

impl LoadedModel {
    pub(super) fn new(model: ModelObject, host: Arc<dyn HostServices>) -> Result<Self> {
        let info = model.info().into_result()?.into();
        Ok(Self { model, info, host })
    }
}

impl Model for LoadedModel {
    fn info(&self) -> ModelInfo {
        self.info.clone()
    }

    fn open(&mut self) -> Result<SequenceId> {
        Ok(SequenceId(self.model.open().into_result()?))
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        Ok(SequenceId(self.model.fork(parent.0, length).into_result()?))
    }

    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()> {
        Ok(self.model.truncate(sequence.0, length).into_result()?)
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        Ok(self.model.close(sequence.0).into_result()?)
    }

    /// A plugin that panics here has no memory to give: the host sees no capacity, and the reason in its log.
    fn memory(&self) -> MemoryUse {
        match self.model.memory().into_result() {
            Ok(memory) => memory.into(),
            Err(error) => {
                self.host.log(LogLevel::Error, &error.message);
                MemoryUse { block_tokens: 1, ..MemoryUse::default() }
            }
        }
    }

    fn forward(&mut self, batch: &[Chunk<'_>]) -> Result<()> {
        let chunks = batch.iter().map(FfiChunk::new).collect::<Vec<_>>();
        Ok(self.model.forward(RSlice::from_slice(&chunks)).into_result()?)
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        // The pairs of `logit_bias` have no stable layout: those of all rows are laid out here, mostly none.
        let biases = rows.iter().flat_map(|row| &row.params.logit_bias);
        let biases = biases.map(|&(token, value)| TokenValue { token, value }).collect::<Vec<_>>();
        let extensions = rows.iter().map(|row| FfiParams::extensions(row.params)).collect::<Vec<_>>();
        let mut rest = biases.as_slice();
        let mut ffi = Vec::with_capacity(rows.len());
        for (row, extensions) in rows.iter().zip(&extensions) {
            let (own, others) = rest.split_at(row.params.logit_bias.len());
            rest = others;
            ffi.push(FfiSampleRow::new(row, FfiParams::new(row.params, own, extensions)));
        }
        let sampled = self.model.sample(RSlice::from_slice(&ffi)).into_result()?;
        if sampled.len() != rows.len() {
            let (found, expected) = (sampled.len(), rows.len());
            return Err(Error::internal(format!("the plugin sampled {found} tokens for {expected} rows")));
        }
        Ok(sampled.into_iter().map(Into::into).collect())
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        Ok(self.model.logits(row).into_result()?.into_vec())
    }
}
