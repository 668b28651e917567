//! What routers, scalers and dashboards read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jig_tests::{Server, jig};
use serde_json::json;

/// The families of a page, with their types, and the samples by name and labels.
fn parsed(text: &str) -> (BTreeMap<String, String>, BTreeMap<String, f64>) {
    let (mut families, mut samples) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} is there twice");
        }
    }
    (families, samples)
}

#[test]
fn every_metric_of_vllm_that_others_read_is_there_with_its_type_labels_and_buckets() {
    let server = Server::demo_with(&["--served-model-name", "m"]);
    let client = server.client();
    let body = json!({"prompt": "What is the capital of France?", "n": 3, "max_tokens": 8, "ignore_eos": true});
    assert_eq!(client.generate(&body).status, 200);
    let guided = json!({"prompt": "x", "schema": {"type": "string", "maxLength": 5}});
    for _ in 0..2 {
        assert_eq!(client.generate(&guided).status, 200);
    }
    assert_eq!(client.generate(&json!({"prompt": 5})).status, 400);
    let page = client.get("/metrics").body;
    let page = page.as_str().unwrap();
    let (families, samples) = parsed(page);
    let gauges = ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "gpu_cache_usage_perc"];
    for name in gauges {
        assert_eq!(families[&format!("vllm:{name}")], "gauge");
        // One series, whatever its labels: routers take the first.
        let begins = format!("vllm:{name}{{");
        assert_eq!(samples.keys().filter(|series| series.starts_with(&begins)).count(), 1, "{name}");
        assert!(samples.contains_key(&format!("vllm:{name}{{model_name=\"m\",engine=\"0\"}}")), "{page}");
    }
    for name in ["num_preemptions_total", "prompt_tokens_total", "generation_tokens_total", "request_success_total"] {
        assert_eq!(families[&format!("vllm:{name}")], "counter");
    }
    let cache = samples.iter().find(|(series, _)| series.starts_with("vllm:cache_config_info{")).unwrap();
    assert!(cache.0.contains("block_size=\"") && cache.0.contains("num_gpu_blocks=\"") && *cache.1 == 1.0, "{cache:?}");
    for (name, count, buckets) in [
        ("time_to_first_token_seconds", Some(3.0), 22),
        ("inter_token_latency_seconds", None, 19),
        ("time_per_output_token_seconds", None, 19),
        ("request_time_per_output_token_seconds", None, 19),
        ("e2e_request_latency_seconds", Some(3.0), 21),
        ("request_queue_time_seconds", Some(3.0), 21),
        ("request_prefill_time_seconds", Some(3.0), 21),
        ("request_decode_time_seconds", Some(3.0), 21),
        ("request_inference_time_seconds", Some(3.0), 21),
        ("request_prompt_tokens", Some(3.0), 9),
        ("request_generation_tokens", Some(3.0), 9),
        ("request_params_n", Some(3.0), 5),
        ("request_params_max_tokens", Some(3.0), 9),
        ("iteration_tokens_total", None, 13),
    ] {
        assert_eq!(families[&format!("vllm:{name}")], "histogram", "{name}");
        let labels = "model_name=\"m\",engine=\"0\"";
        let all = samples[&format!("vllm:{name}_count{{{labels}}}")];
        assert!(count.is_none_or(|count| count == all) && all > 0.0, "{name}: {all}");
        let begins = format!("vllm:{name}_bucket{{{labels},le=\"");
        assert_eq!(samples.keys().filter(|series| series.starts_with(&begins)).count(), buckets + 1, "{name}");
        assert_eq!(samples[&format!("{begins}+Inf\"}}")], all, "{name}");
        assert!(samples.contains_key(&format!("vllm:{name}_sum{{{labels}}}")), "{name}");
    }
    let ended = |reason: &str| {
        samples[&format!("vllm:request_success_total{{model_name=\"m\",engine=\"0\",finished_reason=\"{reason}\"}}")]
    };
    assert_eq!((ended("length"), ended("stop"), ended("abort"), ended("error")), (3.0, 2.0, 0.0, 0.0));
    let of = |name: &str| samples[&format!("{name}{{model_name=\"m\",engine=\"0\"}}")];
    assert_eq!((of("jig:guide_cache_misses_total"), of("jig:guide_cache_hits_total")), (1.0, 1.0));
    assert_eq!(of("jig:guide_compile_seconds_count"), 1.0);
    assert_eq!(of("jig:step_age_seconds"), 0.0);
    assert_eq!(samples["jig:http_requests_total{route=\"/generate\",code=\"400\"}"], 1.0);
    assert_eq!(samples["jig:http_requests_total{route=\"/generate\",code=\"200\"}"], 3.0);
    assert!(samples["process_resident_memory_bytes"] > 1e6 && samples["process_open_fds"] > 3.0);
    let stages: BTreeSet<&str> =
        samples.keys().filter_map(|series| series.strip_prefix("jig:load_stage_seconds")).collect();
    assert!(stages.contains("{stage=\"tokenizer\"}") && stages.len() >= 4, "{stages:?}");
    assert!(page.contains("jig:build_info{version=\"") && page.contains("backend=\"cpu\""));
    assert!(page.len() < 32 << 10, "{} bytes", page.len());
}

#[test]
fn metrics_are_answered_while_the_engine_works_and_have_a_port_of_their_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let server =
        Server::spawn(jig().args(["--model", "demo", "--port", "0", "--api-key", "k", "--metrics-port", &port]));
    let client = server.client();
    let own = server.client_at(&format!("http://127.0.0.1:{port}"));
    for path in ["/metrics", "/health", "/health/live", "/version"] {
        assert_eq!((own.get(path).status, client.get(path).status), (200, 200), "{path}");
    }
    for (path, status) in [("/v1/models", 404), ("/generate", 404)] {
        assert_eq!((own.get(path).status, path), (status, path));
    }
    assert_eq!(client.get("/v1/models").status, 401);
    let body = json!({"prompt": "x", "n": 60, "regex": "[a-z]{480}"}).to_string();
    let answered = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.request("POST", "/generate", &[("x-api-key", "k")], &body).status);
        let mut answered = 0;
        let end = Instant::now() + Duration::from_secs(120);
        while !running.is_finished() && Instant::now() < end {
            answered += i32::from(own.metric("jig:steps_total") >= 0.0);
        }
        assert_eq!(running.join().unwrap(), 200);
        answered
    });
    assert!(answered > 10, "{answered}");
}
