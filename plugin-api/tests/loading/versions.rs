//! The promise of versions, kept by real libraries: minors fit together in both directions, anything else is
//! refused with the reason.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::build::{Change, Variant, model_directory};
use jig_plugin_api::load::{self, Problem};
use jig_plugin_api::{Chunk, LogitsWanted, Model, ModelSpec, SampleRow, SamplingParams, host};

/// The next minor version: a method of the model, a method of the host, a field of the root module and a sampling
/// parameter more.
const NEXT_MINOR: &[Change] = &[
    ("Cargo.toml", "version = \"1.0.0\"", "version = \"1.1.0\""),
    (
        "src/model.rs",
        "    fn logits(&mut self, row: u32) -> Result<Vec<f32>>;\n",
        "    fn logits(&mut self, row: u32) -> Result<Vec<f32>>;\n    /// New.\n    fn pending(&self) -> u32 { 17 }\n",
    ),
    (
        "src/model.rs",
        "    pub logprobs: Option<u32>,\n",
        "    pub logprobs: Option<u32>,\n    /// New.\n    pub mirostat: f32,\n",
    ),
    ("src/model.rs", "            logprobs: None,\n", "            logprobs: None,\n            mirostat: 0.0,\n"),
    (
        "src/host.rs",
        "    fn progress(&self, stage: &str, done: u64, total: u64);\n",
        "    fn progress(&self, stage: &str, done: u64, total: u64);\n    /// New.\n    fn hurry(&self) -> bool { true }\n",
    ),
    (
        "src/abi/plugin.rs",
        "    // Fields of later minor versions go here.\n",
        "    /// New.\n    #[sabi(missing_field(default))]\n    pub capabilities: u64,\n",
    ),
    (
        "src/abi/plugin.rs",
        "new_backend: new_backend::<P> }",
        "new_backend: new_backend::<P>, capabilities: 5 }",
    ),
    (
        "src/abi/host.rs",
        "    // Methods of later minor versions go here, each with a default.\n",
        "    /// New.\n    fn hurry(&self) -> bool { false }\n",
    ),
    (
        "src/abi/host.rs",
        "        guard::silent(|| self.0.progress(stage.as_str(), done, total));\n    }\n",
        "        guard::silent(|| self.0.progress(stage.as_str(), done, total));\n    }\n    fn hurry(&self) -> bool { self.0.hurry() }\n",
    ),
    (
        "src/abi/host.rs",
        "        self.0.progress(stage.into(), done, total);\n    }\n",
        "        self.0.progress(stage.into(), done, total);\n    }\n    fn hurry(&self) -> bool { self.0.hurry() }\n",
    ),
    (
        "src/abi/model.rs",
        "    // Methods of later minor versions go here, each with a default.\n",
        "    /// New.\n    fn pending(&self) -> FfiResult<u32> { FfiResult::ROk(17) }\n",
    ),
    (
        "src/abi/model.rs",
        "        guard::guard(\"logits\", || Ok(self.model()?.logits(row)?.into()))\n    }\n",
        "        guard::guard(\"logits\", || Ok(self.model()?.logits(row)?.into()))\n    }\n    fn pending(&self) -> FfiResult<u32> { guard::guard(\"pending\", || Ok(self.shared()?.pending())) }\n",
    ),
    (
        "src/abi/model.rs",
        "        Ok(self.model.logits(row).into_result()?.into_vec())\n    }\n",
        "        Ok(self.model.logits(row).into_result()?.into_vec())\n    }\n    fn pending(&self) -> u32 { self.model.pending().unwrap() }\n",
    ),
    (
        "src/abi/types.rs",
        "extensions(_params: &SamplingParams) -> Vec<Extension<'_>> {\n        Vec::new()\n",
        "extensions(params: &SamplingParams) -> Vec<Extension<'_>> {\n        let number = params.mirostat.into();\n        let mirostat = Extension { name: \"mirostat\".into(), number, bytes: RSlice::EMPTY };\n        if number == 0.0 { Vec::new() } else { vec![mirostat] }\n",
    ),
    (
        "src/abi/types.rs",
        "refuse_unknown(\"sampling parameter\", self.extensions.as_slice(), &[])?;",
        "refuse_unknown(\"sampling parameter\", self.extensions.as_slice(), &[\"mirostat\"])?;",
    ),
    (
        "src/abi/types.rs",
        "            logprobs: self.logprobs.into(),\n",
        "            logprobs: self.logprobs.into(),\n            mirostat: self.extensions.iter().map(|e| e.number as f32).sum(),\n",
    ),
    (
        "examples/echo.rs",
        "impl Model for EchoModel {\n",
        "impl Model for EchoModel {\n    fn pending(&self) -> u32 { 23 }\n",
    ),
    (
        "examples/echo.rs",
        "        host.progress(\"weights\", 1, 1);\n",
        "        host.progress(\"weights\", 1, 1);\n        model.blocks = if host.hurry() { 77 } else { 78 };\n",
    ),
    (
        "examples/probe.rs",
        "    // The newer version asks for more here.\n",
        "    println!(\"pending: {}\", model.pending());
    println!(\"blocks: {}\", model.memory().total_blocks);
    let params = SamplingParams { mirostat: 2.0, ..SamplingParams::greedy() };
    println!(\"mirostat: {:?}\", model.sample(&[SampleRow { params: &params, ..row }]).map(|_| ()).map_err(|e| e.message));\n",
    ),
];

/// A version as a plugin and as a host.
struct Version {
    plugin: PathBuf,
    host: PathBuf,
}

fn now() -> Version {
    let variant = Variant::new("now", &[]);
    Version { plugin: variant.plugin("now", &[]), host: variant.probe() }
}

fn next() -> Version {
    let variant = Variant::new("next", NEXT_MINOR);
    Version { plugin: variant.plugin("next", &[]), host: variant.probe() }
}

/// What a host says of a plugin.
fn probe(host: &Version, plugin: &Version) -> String {
    let output = Command::new(&host.host).arg(&plugin.plugin).arg(model_directory()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn problem(plugin: &Path) -> (Problem, String) {
    let error = load::backend(plugin).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&plugin.display().to_string()), "does not name the file: {text}");
    assert!(text.len() < 1000, "{} bytes: {text}", text.len());
    (error.problem, text)
}

fn first_token(model: &mut dyn Model) -> u32 {
    let sequence = model.open().unwrap();
    model.forward(&[Chunk { sequence, tokens: &[1, 2, 3], logits: LogitsWanted::Last }]).unwrap();
    let params = SamplingParams::greedy();
    let row = SampleRow { row: 0, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    model.sample(&[row]).unwrap()[0].token
}

#[test]
fn plugins_of_the_same_version_and_of_a_newer_minor_load_here() {
    let (now, next) = (now(), next());
    for (plugin, version) in [(&now.plugin, "1.0"), (&next.plugin, "1.1")] {
        let backend = load::backend(plugin).unwrap();
        assert_eq!(backend.abi_version().to_string(), version);
        assert_eq!(backend.file(), plugin);
        let mut model = backend.load(&ModelSpec::new(model_directory()), Arc::new(host::Silent)).unwrap();
        assert_eq!(first_token(&mut *model), 3);
        if version == "1.1" {
            // It asked the host for something that this host does not have, and got the default.
            assert_eq!(model.memory().total_blocks, 78);
        }
    }
    let here = probe(&now, &next);
    assert!(here.starts_with("abi: 1.1\nname: echo\ntoken: 3\n"), "{here}");
}

#[test]
fn an_older_plugin_gets_defaults_for_what_it_lacks() {
    let (now, next) = (now(), next());
    let both_new = probe(&next, &next);
    assert_eq!(both_new, "abi: 1.1\nname: echo\ntoken: 3\npending: 23\nblocks: 77\nmirostat: Ok(())\n");

    let older = probe(&next, &now);
    let (defaults, refusal) = older.split_at(older.find("mirostat").unwrap());
    assert_eq!(defaults, "abi: 1.0\nname: echo\ntoken: 3\npending: 17\nblocks: 1024\n");
    assert!(refusal.contains("Err(\"sampling parameter `mirostat` is not known to this plugin"), "{refusal}");
    assert!(refusal.contains("built for plugin ABI 1.0"), "{refusal}");
}

#[test]
fn another_major_is_refused() {
    let major = Variant::new("major", &[("Cargo.toml", "version = \"1.0.0\"", "version = \"2.0.0\"")]);
    let (problem, text) = problem(&major.plugin("major", &[]));
    assert_eq!(problem, Problem::OtherVersion("2.0.0".to_owned()));
    assert!(text.contains("built for plugin ABI 2.0.0, and this host has 1.0"), "{text}");
    assert!(text.contains("jig-plugin-api 1.x"), "{text}");
}

#[test]
fn another_layout_is_refused_in_a_few_lines() {
    let swap: Change = (
        "src/abi/types.rs",
        "    block_tokens: u32,\n    used_blocks: u32,\n    total_blocks: u32,\n    open_sequences: u32,\n    extensions",
        "    used_blocks: u32,\n    block_tokens: u32,\n    total_blocks: u32,\n    open_sequences: u32,\n    extensions",
    );
    let other = Variant::new("layout", &[swap]);
    let (problem, text) = problem(&other.plugin("layout", &[]));
    assert!(matches!(problem, Problem::OtherLayout { .. }), "{text}");
    for part in ["FfiMemoryUse", "block_tokens", "used_blocks", "build the plugin again"] {
        assert!(text.contains(part), "no {part} in: {text}");
    }
}

#[test]
fn a_plugin_that_aborts_on_panic_is_refused() {
    let now = Variant::new("now", &[]);
    let (problem, text) = problem(&now.plugin("abort", &["-C", "panic=abort"]));
    assert_eq!(problem, Problem::AbortsOnPanic);
    assert!(text.contains("panic = \"unwind\""), "{text}");
}
