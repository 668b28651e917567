//! The data of the boundary: C layouts of the native types, and the ways between them.
//!
//! None of these structs ever changes within a major version; see the module above for how they grow.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};

use super::extension::{Extension, OwnedExtension, refuse_unknown};
use crate::{
    BackendInfo, Chunk, DeviceInfo, Error, ErrorCode, LogitsWanted, MemoryUse, ModelInfo, ModelSpec, OptionInfo,
    Result, SampleRow, Sampled, SamplingParams, SequenceId,
};

/// A result that crosses the boundary.
pub type FfiResult<T> = RResult<T, FfiError>;

/// [`Error`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiError {
    /// [`ErrorCode::as_u32`].
    pub code: u32,
    /// The message.
    pub message: RString,
    /// What later versions added.
    pub extensions: RVec<OwnedExtension>,
}

impl From<Error> for FfiError {
    fn from(error: Error) -> Self {
        Self { code: error.code.as_u32(), message: error.message.into(), extensions: RVec::new() }
    }
}

impl From<FfiError> for Error {
    fn from(error: FfiError) -> Self {
        Self { code: ErrorCode::from_u32(error.code), message: error.message.into_string() }
    }
}

/// [`BackendInfo`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiBackendInfo {
    name: RString,
    version: RString,
    description: RString,
    devices: RVec<FfiDeviceInfo>,
    problem: ROption<RString>,
    options: RVec<FfiOptionInfo>,
    extensions: RVec<OwnedExtension>,
}

impl From<BackendInfo> for FfiBackendInfo {
    fn from(info: BackendInfo) -> Self {
        Self {
            name: info.name.into(),
            version: info.version.into(),
            description: info.description.into(),
            devices: info.devices.into_iter().map(Into::into).collect(),
            problem: info.problem.map(Into::into).into(),
            options: info.options.into_iter().map(Into::into).collect(),
            extensions: RVec::new(),
        }
    }
}

impl From<FfiBackendInfo> for BackendInfo {
    fn from(info: FfiBackendInfo) -> Self {
        Self {
            name: info.name.into(),
            version: info.version.into(),
            description: info.description.into(),
            devices: info.devices.into_iter().map(Into::into).collect(),
            problem: info.problem.into_option().map(Into::into),
            options: info.options.into_iter().map(Into::into).collect(),
        }
    }
}

/// [`DeviceInfo`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiDeviceInfo {
    id: RString,
    name: RString,
    memory_bytes: u64,
    extensions: RVec<OwnedExtension>,
}

impl From<DeviceInfo> for FfiDeviceInfo {
    fn from(device: DeviceInfo) -> Self {
        let DeviceInfo { id, name, memory_bytes } = device;
        Self { id: id.into(), name: name.into(), memory_bytes, extensions: RVec::new() }
    }
}

impl From<FfiDeviceInfo> for DeviceInfo {
    fn from(device: FfiDeviceInfo) -> Self {
        Self { id: device.id.into(), name: device.name.into(), memory_bytes: device.memory_bytes }
    }
}

/// [`OptionInfo`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiOptionInfo {
    key: RString,
    default: RString,
    help: RString,
    extensions: RVec<OwnedExtension>,
}

impl From<OptionInfo> for FfiOptionInfo {
    fn from(option: OptionInfo) -> Self {
        let OptionInfo { key, default, help } = option;
        Self { key: key.into(), default: default.into(), help: help.into(), extensions: RVec::new() }
    }
}

impl From<FfiOptionInfo> for OptionInfo {
    fn from(option: FfiOptionInfo) -> Self {
        Self { key: option.key.into(), default: option.default.into(), help: option.help.into() }
    }
}

/// A pair of [`ModelSpec::options`].
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct FfiOption<'a> {
    key: RStr<'a>,
    value: RStr<'a>,
}

impl<'a> From<&'a (String, String)> for FfiOption<'a> {
    fn from((key, value): &'a (String, String)) -> Self {
        Self { key: key.as_str().into(), value: value.as_str().into() }
    }
}

/// [`ModelSpec`].
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct FfiModelSpec<'a> {
    directory: RSlice<'a, u8>,
    device: RStr<'a>,
    dtype: RStr<'a>,
    max_model_len: ROption<u32>,
    max_sequences: u32,
    max_batch_tokens: u32,
    kv_cache_bytes: ROption<u64>,
    options: RSlice<'a, FfiOption<'a>>,
    extensions: RSlice<'a, Extension<'a>>,
}

impl<'a> FfiModelSpec<'a> {
    pub(super) fn new(spec: &'a ModelSpec, options: &'a [FfiOption<'a>]) -> Self {
        Self {
            directory: spec.directory.as_os_str().as_bytes().into(),
            device: spec.device.as_str().into(),
            dtype: spec.dtype.as_str().into(),
            max_model_len: spec.max_model_len.into(),
            max_sequences: spec.max_sequences,
            max_batch_tokens: spec.max_batch_tokens,
            kv_cache_bytes: spec.kv_cache_bytes.into(),
            options: options.into(),
            extensions: RSlice::EMPTY,
        }
    }

    pub(super) fn to_native(self) -> Result<ModelSpec> {
        refuse_unknown("model setting", self.extensions.as_slice(), &[])?;
        Ok(ModelSpec {
            directory: Path::new(OsStr::from_bytes(self.directory.as_slice())).to_owned(),
            device: self.device.into(),
            dtype: self.dtype.into(),
            max_model_len: self.max_model_len.into(),
            max_sequences: self.max_sequences,
            max_batch_tokens: self.max_batch_tokens,
            kv_cache_bytes: self.kv_cache_bytes.into(),
            options: self.options.iter().map(|option| (option.key.into(), option.value.into())).collect(),
        })
    }
}

/// [`ModelInfo`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiModelInfo {
    architecture: RString,
    vocab_size: u32,
    max_model_len: u32,
    dtype: RString,
    device: RString,
    parameters: u64,
    extensions: RVec<OwnedExtension>,
}

impl From<ModelInfo> for FfiModelInfo {
    fn from(info: ModelInfo) -> Self {
        Self {
            architecture: info.architecture.into(),
            vocab_size: info.vocab_size,
            max_model_len: info.max_model_len,
            dtype: info.dtype.into(),
            device: info.device.into(),
            parameters: info.parameters,
            extensions: RVec::new(),
        }
    }
}

impl From<FfiModelInfo> for ModelInfo {
    fn from(info: FfiModelInfo) -> Self {
        Self {
            architecture: info.architecture.into(),
            vocab_size: info.vocab_size,
            max_model_len: info.max_model_len,
            dtype: info.dtype.into(),
            device: info.device.into(),
            parameters: info.parameters,
        }
    }
}

/// [`MemoryUse`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiMemoryUse {
    weight_bytes: u64,
    kv_used_bytes: u64,
    kv_capacity_bytes: u64,
    block_tokens: u32,
    used_blocks: u32,
    total_blocks: u32,
    open_sequences: u32,
    extensions: RVec<OwnedExtension>,
}

impl From<MemoryUse> for FfiMemoryUse {
    fn from(memory: MemoryUse) -> Self {
        let MemoryUse { weight_bytes, kv_used_bytes, kv_capacity_bytes, .. } = memory;
        let MemoryUse { block_tokens, used_blocks, total_blocks, open_sequences, .. } = memory;
        Self {
            weight_bytes,
            kv_used_bytes,
            kv_capacity_bytes,
            block_tokens,
            used_blocks,
            total_blocks,
            open_sequences,
            extensions: RVec::new(),
        }
    }
}

impl From<FfiMemoryUse> for MemoryUse {
    fn from(memory: FfiMemoryUse) -> Self {
        Self {
            weight_bytes: memory.weight_bytes,
            kv_used_bytes: memory.kv_used_bytes,
            kv_capacity_bytes: memory.kv_capacity_bytes,
            block_tokens: memory.block_tokens,
            used_blocks: memory.used_blocks,
            total_blocks: memory.total_blocks,
            open_sequences: memory.open_sequences,
        }
    }
}

/// [`Chunk`].
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct FfiChunk<'a> {
    sequence: u64,
    tokens: RSlice<'a, u32>,
    /// 0 none, 1 last, 2 all.
    logits: u32,
    extensions: RSlice<'a, Extension<'a>>,
}

impl<'a> FfiChunk<'a> {
    pub(super) fn new(chunk: &Chunk<'a>) -> Self {
        let logits = match chunk.logits {
            LogitsWanted::None => 0,
            LogitsWanted::Last => 1,
            LogitsWanted::All => 2,
        };
        Self { sequence: chunk.sequence.0, tokens: chunk.tokens.into(), logits, extensions: RSlice::EMPTY }
    }

    pub(super) fn to_native(self) -> Result<Chunk<'a>> {
        refuse_unknown("field of a chunk", self.extensions.as_slice(), &[])?;
        let logits = match self.logits {
            0 => LogitsWanted::None,
            1 => LogitsWanted::Last,
            2 => LogitsWanted::All,
            code => {
                let message = format!("this plugin is too old for the kind of logits with code {code}: update it");
                return Err(Error::unsupported(message));
            }
        };
        Ok(Chunk { sequence: SequenceId(self.sequence), tokens: self.tokens.as_slice(), logits })
    }
}

/// A token and a number: a bias of its logit, or its log-probability.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct TokenValue {
    /// The token.
    pub token: u32,
    /// The number.
    pub value: f32,
}

/// [`SamplingParams`].
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct FfiParams<'a> {
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    logprobs: ROption<u32>,
    logit_bias: RSlice<'a, TokenValue>,
    extensions: RSlice<'a, Extension<'a>>,
}

impl<'a> FfiParams<'a> {
    /// The parameters of later minor versions that differ from their defaults.
    pub(super) fn extensions(_params: &SamplingParams) -> Vec<Extension<'_>> {
        Vec::new()
    }

    /// `logit_bias` and `extensions` are those of `params` in the layout of the boundary.
    pub(super) fn new(
        params: &'a SamplingParams,
        logit_bias: &'a [TokenValue],
        extensions: &'a [Extension<'a>],
    ) -> Self {
        Self {
            temperature: params.temperature,
            top_k: params.top_k,
            top_p: params.top_p,
            min_p: params.min_p,
            repetition_penalty: params.repetition_penalty,
            presence_penalty: params.presence_penalty,
            frequency_penalty: params.frequency_penalty,
            logprobs: params.logprobs.into(),
            logit_bias: logit_bias.into(),
            extensions: extensions.into(),
        }
    }

    pub(super) fn to_native(self) -> Result<SamplingParams> {
        refuse_unknown("sampling parameter", self.extensions.as_slice(), &[])?;
        Ok(SamplingParams {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            logit_bias: self.logit_bias.iter().map(|bias| (bias.token, bias.value)).collect(),
            logprobs: self.logprobs.into(),
        })
    }
}

/// [`SampleRow`].
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct FfiSampleRow<'a> {
    row: u32,
    uniform: f32,
    mask: RSlice<'a, u32>,
    banned: RSlice<'a, u32>,
    prompt: RSlice<'a, u32>,
    output: RSlice<'a, u32>,
    pub(super) params: FfiParams<'a>,
    pub(super) extensions: RSlice<'a, Extension<'a>>,
}

impl<'a> FfiSampleRow<'a> {
    pub(super) fn new(row: &SampleRow<'a>, params: FfiParams<'a>) -> Self {
        Self {
            row: row.row,
            uniform: row.uniform,
            mask: row.mask.into(),
            banned: row.banned.into(),
            prompt: row.prompt.into(),
            output: row.output.into(),
            params,
            extensions: RSlice::EMPTY,
        }
    }

    pub(super) fn to_native(self, params: &'a SamplingParams) -> SampleRow<'a> {
        SampleRow {
            row: self.row,
            mask: self.mask.as_slice(),
            banned: self.banned.as_slice(),
            params,
            uniform: self.uniform,
            prompt: self.prompt.as_slice(),
            output: self.output.as_slice(),
        }
    }
}

/// [`Sampled`].
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct FfiSampled {
    token: u32,
    logprob: f32,
    top_logprobs: RVec<TokenValue>,
    extensions: RVec<OwnedExtension>,
}

impl From<Sampled> for FfiSampled {
    fn from(sampled: Sampled) -> Self {
        let top = sampled.top_logprobs.into_iter().map(|(token, value)| TokenValue { token, value });
        let (token, logprob) = (sampled.token, sampled.logprob);
        Self { token, logprob, top_logprobs: top.collect(), extensions: RVec::new() }
    }
}

impl From<FfiSampled> for Sampled {
    fn from(sampled: FfiSampled) -> Self {
        let top = sampled.top_logprobs.into_iter().map(|top| (top.token, top.value));
        Self { token: sampled.token, logprob: sampled.logprob, top_logprobs: top.collect() }
    }
}
