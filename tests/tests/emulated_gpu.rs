//! The unchanged CUDA plugin on an emulated driver, compiler and cuBLASLt.
//!
//! Without a C++ compiler, the tests print that they are skipped, and pass.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jig_cuda_emulator::compiler;
use jig_tests::{Server, artifacts, jig};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An emulated GPU, and a directory for the plugin's kernel cache.
struct Machine(TempDir);

impl Machine {
    /// `None` if this machine can't emulate it; prints the reason.
    fn new() -> Option<Self> {
        if let Err(why) = compiler::find() {
            println!("skipped: {why}");
            return None;
        }
        let machine = Self(tempfile::tempdir_in(&artifacts().scratch).unwrap());
        for name in ["libcuda.so", "libcuda.so.1", "libnvrtc.so", "libcublasLt.so"] {
            std::os::unix::fs::symlink(&artifacts().cuda_emulator, machine.0.path().join(name)).unwrap();
        }
        Some(machine)
    }

    /// `jig COMMAND` with the demo model on the emulated GPU.
    fn jig(&self, command: &str, arguments: &[&str]) -> Command {
        let mut jig = jig();
        jig.env("LD_LIBRARY_PATH", self.0.path());
        jig.env("XDG_CACHE_HOME", self.0.path());
        // The tests of single kernels compile the same sources, so this cache is shared with them.
        jig.env("JIG_EMULATED_KERNELS", Path::new(env!("CARGO_TARGET_TMPDIR")));
        jig.args([command, "--model", "demo", "--backend"]).arg(&artifacts().cuda_plugin).args(arguments);
        jig
    }

    /// The error message of a `jig generate` that fails.
    fn refusal(&self, variable: (&str, &str), arguments: &[&str]) -> String {
        let all = [arguments, &["Hello"]].concat();
        let output = self.jig("generate", &all).env(variable.0, variable.1).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains("error: ") && !said.contains("panicked"), "{said}");
        said
    }
}

/// Requests whose answers don't depend on the last bits of logits: a short prompt, a prompt long enough for cuBLASLt, and guides.
fn requests() -> Vec<Value> {
    let story = "Tell me a long story about how the quick brown fox jumped over the lazy dog, and what they did then. ";
    vec![
        json!({"prompt": "Hello", "max_tokens": 6, "temperature": 0}),
        json!({"prompt": story, "max_tokens": 4, "temperature": 0}),
        json!({"prompt": "What is the capital of France?", "schema": {"type": "string", "maxLength": 5}, "temperature": 0}),
        json!({"prompt": "What is Pi? ", "regex": r"3\.[0-9]{3}", "temperature": 0, "logprobs": 2}),
    ]
}

#[test]
fn the_plugin_on_an_emulated_gpu_answers_as_the_cpu_and_frees_all_memory() {
    let Some(machine) = Machine::new() else { return };
    let mut server = Server::spawn(&mut machine.jig("serve", &["--port", "0"]));
    let texts = |client: jig_tests::Client| -> Vec<_> {
        // Concurrently, so that sequences of different lengths share steps.
        let requests = requests();
        std::thread::scope(|scope| {
            let asked = requests.iter().map(|body| scope.spawn(|| client.generate(body).texts()));
            let asked: Vec<_> = asked.collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    assert_eq!(texts(server.client()), texts(Server::demo().client()));
    // With `n`, sequences share the pages of the prompt.
    let forked = json!({"prompt": "Is the sky blue? ", "regex": "(yes|no), (yes|no)", "n": 3, "seed": 1});
    let forked = server.client().generate(&forked).texts();
    let fits = |text: &String| text.ends_with("yes, yes") || text.ends_with("no") || text.ends_with("no, yes");
    assert!(forked.len() == 3 && forked.iter().all(fits), "{forked:?}");
    server.terminate();
    assert!(server.wait(Duration::from_secs(60)).success(), "{}", server.log());
    let summary = server.line("emulated GPU: ", Duration::from_secs(10));
    assert!(!server.log().contains("refused"), "{}", server.log());
    let count = |what: &str| -> usize {
        let before = summary.split(", ").find_map(|part| part.strip_suffix(what));
        let number = before.and_then(|before| before.rsplit(' ').find(|word| !word.is_empty()));
        number.unwrap_or_else(|| panic!("{what}: {summary}")).parse().unwrap()
    };
    let happened = [" launches", " begun early", " products", " graphs launched"];
    assert!(happened.into_iter().all(|what| count(what) > 0), "{summary}");
    assert_eq!(count(" things left behind"), 0, "{summary}");
}

#[test]
fn kernels_are_compiled_once_and_an_error_of_the_compiler_is_quoted() {
    let Some(machine) = Machine::new() else { return };
    let hello = ["--max-tokens", "1", "Hello"];
    let first = machine.jig("generate", &hello).output().unwrap();
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(first.status.success() && said.contains("NVRTC 13.0 compiles the kernels"), "{said}");
    // The compiler is gone, so kernels come from the cache. Kernels that do not overlap give the same text.
    let apart = ["--backend-option", "overlap=off", "--max-tokens", "1", "Hello"];
    let second = machine.jig("generate", &apart).env("CXX", "/no/compiler").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(second.status.success() && first.stdout == second.stdout, "{said}");
    assert!(said.contains(" 0 begun early") && !said.contains("compiles the kernels"), "{said}");
    let message = machine.refusal(("CXX", "/no/compiler"), &["--backend-option", "kernel-cache=none"]);
    assert!(message.contains(".cu for 9.0") && message.contains("no C++ compiler"), "{message}");
}

#[test]
fn a_gpu_with_too_little_memory_is_an_error_with_the_memory_and_its_users() {
    let Some(machine) = Machine::new() else { return };
    let cases: [(&str, &[&str]); 4] = [
        ("8", &["cuBLASLt's workspace", "8388608 of 8388608 bytes are free"]),
        ("34", &["cuda:0: the model's weights, 6 MB as stored, don't fit", "of 35651584 bytes are free", "quantized"]),
        ("48", &["no room for steps of 2048 tokens beside weights of 6 MB", "--max-num-batched-tokens"]),
        ("64", &["no room for the KV cache", "gpu-memory-utilization 0.9 allows", "of 67108864 bytes"]),
    ];
    for (mebibytes, says) in cases {
        let message = machine.refusal(("JIG_EMULATED_GPU_MEMORY", mebibytes), &[]);
        for part in says {
            assert!(message.contains(part), "{mebibytes} MiB: {part}: {message}");
        }
        assert!(message.contains(" 0 things left behind"), "{mebibytes} MiB: {message}");
    }
}
