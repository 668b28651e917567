//! The ONNX Runtime backend: the plugin's `.so`, models converted from safetensors, and a real server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use jig_tests::{Server, artifacts, jig};
use serde_json::json;
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// ONNX models, converted from `demo` and from a golden model.
struct Models {
    directory: TempDir,
}

impl Models {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// `None` if this machine can't convert or run them; prints the reason.
fn models() -> Option<&'static Models> {
    static MADE: OnceLock<Result<Models, String>> = OnceLock::new();
    match MADE.get_or_init(make) {
        Ok(models) => Some(models),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

fn make() -> Result<Models, String> {
    let listed = jig().args(["backends", "--json", "--backend-dir"]).arg(plugin().parent().unwrap()).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let ort = listed.as_array().unwrap().iter().find(|found| found["name"] == "ort").expect("ort is listed");
    if let Some(problem) = ort["problem"].as_str() {
        return Err(format!("the tests of the ONNX Runtime backend need ONNX Runtime: {problem}"));
    }
    let has = Command::new("python3").args(["-c", "import onnx, ml_dtypes, safetensors"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return Err("needs python3 with the packages of backends/ort/models/requirements.txt".to_owned());
    }
    let models = Models { directory: tempfile::tempdir_in(&artifacts().scratch).unwrap() };
    let demo = format!("{ROOT}/host/demo");
    let mut list = Vec::new();
    for (name, arguments) in [
        ("plain", &[][..]),
        ("merged", &["--layout", "merged", "--external"]),
        ("genai", &["--layout", "genai"]),
        ("q4", &["--layout", "genai", "--dtype", "q4"]),
    ] {
        let paths = [demo.clone(), models.path(name).to_str().unwrap().to_owned()];
        list.push(paths.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())).collect::<Vec<_>>());
    }
    let program = format!("{ROOT}/backends/ort/models/make.py");
    let output = Command::new("python3").args([&program, "--many", &json!(list).to_string()]).output().unwrap();
    assert!(output.status.success(), "make.py: {}", String::from_utf8_lossy(&output.stderr));
    Ok(models)
}

/// The plugin, under the name that `--backend ort` looks for.
fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = PLUGIN.get_or_init(|| {
        let directory = tempfile::tempdir_in(&artifacts().scratch).unwrap();
        let file = directory.path().join("libjig_backend_ort.so");
        std::os::unix::fs::symlink(&artifacts().ort_plugin, &file).unwrap();
        (directory, file)
    });
    file
}

fn serve(model: &Path) -> Server {
    let directory = plugin().parent().unwrap();
    let arguments = ["--backend", "ort", "--port", "0", "--backend-dir"].map(Path::new);
    Server::start(&[&arguments[..], &[directory, Path::new("--model"), model]].concat())
}

#[test]
fn the_same_weights_give_the_same_text_on_both_backends() {
    let Some(models) = models() else { return };
    let bodies = [
        json!({"prompt": "What is the capital of France?", "schema": {"type": "string", "maxLength": 5}, "temperature": 0}),
        json!({"prompt": "Give me a JSON record of Japan: ", "seed": 7, "n": 3, "temperature": 0.8, "schema": {"type": "object",
            "properties": {"capital": {"type": "string", "maxLength": 20}, "currency": {"type": "string", "maxLength": 20}},
            "required": ["capital", "currency"]}}),
        json!({"prompt": "What is Pi? ", "regex": "(0|[1-9][0-9]*)\\.[0-9]{9}", "seed": 3}),
        json!({"prompt": "Iron", "max_tokens": 24, "seed": 11, "n": 4}),
    ];
    let cpu = Server::demo();
    let expected: Vec<_> = bodies.iter().map(|body| cpu.client().generate(body).texts()).collect();
    for layout in ["plain", "merged", "genai"] {
        let server = serve(&models.path(layout));
        // Concurrently, so that sequences of different lengths share a batch.
        let found: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> =
                bodies.iter().map(|body| scope.spawn(|| server.client().generate(body).texts())).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert_eq!(found, expected, "{layout}: {}", server.log());
    }
}

#[test]
fn check_plugin_passes_on_each_layout() {
    let Some(models) = models() else { return };
    for layout in ["plain", "merged", "genai", "q4"] {
        let output = jig().arg("check-plugin").arg(plugin()).arg("--model").arg(models.path(layout)).output().unwrap();
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{layout}:\n{table}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(table.contains(" 0 failed, 0 skipped"), "{layout}:\n{table}");
    }
}

/// Runs `jig` with an invalid argument and returns the error message.
fn refusal(model: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = jig();
    command.args(["generate", "--backend"]).arg(plugin()).arg("--model").arg(model).args(arguments).arg("Hello");
    let Output { status, stderr, .. } = command.envs(variables.iter().copied()).output().unwrap();
    let message = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{message}");
    assert!(message.contains("error: ") && !message.contains("panicked"), "{message}");
    message
}

#[test]
fn a_missing_onnx_runtime_is_an_error_with_the_searched_places_and_the_install_command() {
    let scratch = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let model = Path::new(ROOT).join("host/demo");
    let nowhere = scratch.path().to_str().unwrap();
    let variables = [("PATH", nowhere), ("HOME", nowhere), ("VIRTUAL_ENV", nowhere), ("CONDA_PREFIX", nowhere)];
    if !Path::new("/usr/lib/libonnxruntime.so").exists() && !Path::new("/usr/local/lib/libonnxruntime.so").exists() {
        let message = refusal(&model, &[], &variables);
        for part in ["pip install onnxruntime", "ORT_DYLIB_PATH", "LD_LIBRARY_PATH", "Python"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    let text = scratch.path().join("libonnxruntime.so.1.32.0");
    std::fs::write(&text, "no library").unwrap();
    let text = text.to_str().unwrap();
    assert!(refusal(&model, &[], &[("ORT_DYLIB_PATH", text)]).contains(text));
}

#[test]
fn an_onnx_runtime_that_is_too_old_is_refused_with_its_version() {
    let scratch = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let (source, library) = (scratch.path().join("old.c"), scratch.path().join("libonnxruntime.so"));
    std::fs::write(
        &source,
        "static const void *api(unsigned v) { (void)v; return 0; }\n\
         static const char *version(void) { return \"1.16.3\"; }\n\
         static const struct { const void *(*a)(unsigned); const char *(*b)(void); } base = {api, version};\n\
         const void *OrtGetApiBase(void) { return &base; }\n",
    )
    .unwrap();
    let built = Command::new("cc").arg("-shared").arg("-fPIC").arg("-o").args([&library, &source]).status();
    if !built.is_ok_and(|status| status.success()) {
        println!("skipped: needs a C compiler");
        return;
    }
    let variables = [("ORT_DYLIB_PATH", library.to_str().unwrap())];
    let message = refusal(&Path::new(ROOT).join("host/demo"), &[], &variables);
    assert!(message.contains("1.16.3") && message.contains("or newer is needed"), "{message}");
}

#[test]
fn an_invalid_model_is_refused_with_the_name_of_the_file_or_tensor() {
    let Some(models) = models() else { return };
    let scratch = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let copy = |layout: &str, name: &str| {
        let to = scratch.path().join(name);
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(models.path(layout)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        to
    };
    // A directory with safetensors only.
    let message = refusal(&Path::new(ROOT).join("host/demo"), &[], &[]);
    assert!(message.contains("no ONNX model") && message.contains("optimum-cli"), "{message}");
    // A truncated graph.
    let cut = copy("plain", "cut");
    let bytes = std::fs::read(cut.join("model.onnx")).unwrap();
    std::fs::write(cut.join("model.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    assert!(refusal(&cut, &[], &[]).contains("model.onnx: is not an ONNX model, or is damaged"));
    // A missing and a truncated file of weights.
    let external = copy("merged", "external");
    let data = external.join("decoder_model_merged.onnx_data");
    let bytes = std::fs::read(&data).unwrap();
    std::fs::write(&data, &bytes[..bytes.len() / 2]).unwrap();
    let message = refusal(&external, &[], &[]);
    assert!(message.contains("decoder_model_merged.onnx_data") && message.contains("cut short"), "{message}");
    std::fs::remove_file(&data).unwrap();
    assert!(refusal(&external, &[], &[]).contains("decoder_model_merged.onnx_data"));
    // A type that the model has no file for.
    let message = refusal(&models.path("plain"), &["--dtype", "q4"], &[]);
    assert!(message.contains("`q4`") && message.contains("model.onnx"), "{message}");
    // A graph that is not a decoder.
    let other = copy("plain", "other");
    let program = "import sys, onnx\nfrom onnx import helper as h, TensorProto as t\n\
                   v = h.make_tensor_value_info\n\
                   g = h.make_graph([h.make_node('Relu', ['pixels'], ['features'])], 'g', [v('pixels', t.FLOAT, [1, 3])], \
                   [v('features', t.FLOAT, [1, 3])])\n\
                   onnx.save(h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8), sys.argv[1])";
    let made = Command::new("python3").args(["-c", program]).arg(other.join("model.onnx")).status().unwrap();
    assert!(made.success());
    assert!(refusal(&other, &[], &[]).contains("`pixels`"));
    // An unknown option, an unknown device, and a length that the model does not have.
    let plain = models.path("plain");
    assert!(refusal(&plain, &["--backend-option", "speed=1"], &[]).contains("`speed`"));
    assert!(refusal(&plain, &["--device", "cuda:0"], &[]).contains("cuda:0"));
    assert!(refusal(&plain, &["--max-model-len", "1000000"], &[]).contains("max_model_len"));
}

/// Adds a gigabyte of zeros to the logits of a model. The zeros are a sparse file, so that they take no disk space.
const ENLARGE: &str = r#"
import os, sys, onnx
from onnx import helper as h, TensorProto as t
directory = sys.argv[1]
path = os.path.join(directory, "model.onnx")
model = onnx.load(path)
graph, size = model.graph, 1 << 30
with open(os.path.join(directory, "table.bin"), "wb") as file:
    file.truncate(size)
table = t(name="table", data_type=t.FLOAT, dims=[size // 4], data_location=t.EXTERNAL)
table.external_data.add(key="location", value="table.bin")
graph.initializer.extend([table, h.make_tensor("place", t.INT64, [1], [12345])])
for node in graph.node:
    node.output[:] = ["few" if name == "logits" else name for name in node.output]
graph.node.append(h.make_node("Gather", ["table", "place"], ["nothing"]))
graph.node.append(h.make_node("Add", ["few", "nothing"], ["logits"]))
onnx.save(model, path)
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_model_too_large_for_memory_is_an_error_and_not_a_crash() {
    let Some(models) = models() else { return };
    let scratch = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let large = scratch.path().join("large");
    std::fs::create_dir(&large).unwrap();
    for entry in std::fs::read_dir(models.path("plain")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), large.join(entry.file_name())).unwrap();
    }
    let enlarged = Command::new("python3").args(["-c", ENLARGE]).arg(&large).status().unwrap();
    assert!(enlarged.success());
    let start = |kibibytes: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {kibibytes}; exec \"$@\""), "sh"]).arg(&artifacts().jig);
        command.args(["generate", "--backend"]).arg(plugin()).arg("--model").arg(&large);
        command.args(["--backend-option", "threads=1", "Hello"]).output().unwrap()
    };
    // This address space suffices for the program and its threads, but not for the weights in ONNX Runtime.
    let output = start("800000");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("error: ") && !message.contains("panicked"), "{message}");
    let output = start("unlimited");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_optimized_graph_is_saved_and_reused() {
    let Some(models) = models() else { return };
    let kept = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let option = format!("optimized-models={}", kept.path().display());
    let ask = || {
        let mut command = jig();
        command.args(["generate", "--backend"]).arg(plugin()).arg("--model").arg(models.path("plain"));
        command.args([
            "--backend-option",
            &option,
            "--temperature",
            "0",
            "--regex",
            "[A-Z][a-z]{4}",
            "The capital of France is ",
        ]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let names = || std::fs::read_dir(kept.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let first = ask();
    let there = names();
    assert_eq!(there.len(), 1);
    assert_eq!((ask(), names()), (first, there));
}
