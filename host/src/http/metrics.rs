//! `GET /metrics`: the state of the server in the text format of Prometheus. What vLLM has a name for has that name, its type, its labels and
//! its buckets, so that routers, scalers and dashboards that know vLLM know this server; where others still read an older name, that one is
//! there, too.
//!
//! Every number is read from what the engine writes in passing: the engine is never waited for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::AppState;
use crate::engine::EngineHandle;
use crate::measure::{Histogram, Process};
use crate::prepare::Stages;

/// Answers by route and status.
#[derive(Debug, Default)]
pub(super) struct RequestCounts(Mutex<BTreeMap<(String, u16), u64>>);

impl RequestCounts {
    pub(super) fn add(&self, route: String, status: u16) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((route, status)).or_default() += 1;
    }

    fn all(&self) -> Vec<((String, u16), u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(key, count)| (key.clone(), *count)).collect()
    }
}

pub(super) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&state))
}

fn text(state: &AppState) -> String {
    let mut page = Page::default();
    if let Some(service) = state.service() {
        page.labels = labels(&[("model_name", service.settings().name()), ("engine", "0")]);
        of_engine(&mut page, service.engine());
        of_requests(&mut page, service.engine());
        of_guides(&mut page, service.stages());
        page.family("jig:ignored_fields_total", "counter", "Fields of requests that are not known and were ignored.");
        for (field, count) in service.ignored_fields().all() {
            page.sample("jig:ignored_fields_total", &[("field", &field)], count as f64);
        }
    }
    page.labels.clear();
    of_server(&mut page, state);
    page.text
}

/// What routers and scalers decide by.
fn of_engine(page: &mut Page, engine: &EngineHandle) {
    let stats = engine.stats();
    let memory = &stats.memory;
    let share = memory.kv_used_bytes as f64 / (memory.kv_capacity_bytes as f64).max(1.0);
    let waiting = stats.requests_waiting as f64;
    page.gauge("vllm:num_requests_running", "Requests being generated.", stats.requests_running as f64);
    page.gauge("vllm:num_requests_waiting", "Requests waiting to start, or for memory.", waiting);
    page.family("vllm:num_requests_waiting_by_reason", "gauge", "Requests waiting, by reason.");
    page.sample("vllm:num_requests_waiting_by_reason", &[("reason", "capacity")], waiting);
    page.sample("vllm:num_requests_waiting_by_reason", &[("reason", "deferred")], 0.0);
    for name in ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"] {
        page.gauge(name, "Fraction of the KV cache in use.", share);
    }
    let (block, blocks) = (memory.block_tokens.to_string(), memory.total_blocks.to_string());
    page.family("vllm:cache_config_info", "gauge", "The KV cache: tokens of a block, and blocks.");
    let cache = [("block_size", &*block), ("num_gpu_blocks", &blocks), ("enable_prefix_caching", "False")];
    page.sample("vllm:cache_config_info", &cache, 1.0);
    let preemptions = "Preemptions: outputs that gave up their KV cache to others.";
    page.counter("vllm:num_preemptions_total", preemptions, stats.preemptions as f64);
    page.counter("vllm:prompt_tokens_total", "Prompt tokens of started requests.", stats.prompt_tokens as f64);
    page.counter("vllm:generation_tokens_total", "Output tokens generated.", stats.generation_tokens as f64);
    page.family("vllm:prompt_tokens_by_source_total", "counter", "Prompt tokens, by where they came from.");
    let local = [("source", "local_compute")];
    page.sample("vllm:prompt_tokens_by_source_total", &local, stats.prompt_tokens as f64);
    page.gauge("jig:outputs_running", "Outputs being generated.", stats.outputs_running as f64);
    page.gauge("jig:outputs_suspended", "Outputs waiting for KV cache.", stats.outputs_suspended as f64);
    page.gauge("jig:sequences_open", "Sequences open in the model.", f64::from(memory.open_sequences));
    page.gauge("jig:kv_cache_used_bytes", "KV cache in use, in bytes.", memory.kv_used_bytes as f64);
    page.gauge("jig:kv_cache_capacity_bytes", "KV cache capacity, in bytes.", memory.kv_capacity_bytes as f64);
    page.gauge("jig:weight_bytes", "Size of the model's weights, in bytes.", memory.weight_bytes as f64);
    page.gauge("jig:answer_bytes", "Memory of answers until their clients have them.", stats.answer_bytes as f64);
    page.counter("jig:steps_total", "Engine steps.", stats.steps as f64);
    page.counter("jig:step_seconds_total", "Time spent in engine steps.", stats.step_time.as_secs_f64());
    let masks = "Time spent computing masks, while the device may have been working.";
    page.counter("jig:mask_seconds_total", masks, stats.mask_time.as_secs_f64());
    let age = "How long ago the last step ended where there is work, else 0.";
    page.gauge("jig:step_age_seconds", age, engine.step_age().as_secs_f64());
}

/// How requests fared.
fn of_requests(page: &mut Page, engine: &EngineHandle) {
    let (metrics, stats) = (engine.metrics(), engine.stats());
    page.family("vllm:request_success_total", "counter", "Outputs that ended, by reason.");
    for (reason, count) in [
        ("stop", &metrics.stopped),
        ("length", &metrics.reached_limit),
        ("abort", &metrics.aborted),
        ("error", &metrics.failed),
    ] {
        page.sample("vllm:request_success_total", &[("finished_reason", reason)], load(count));
    }
    page.counter("jig:requests_finished_total", "Requests finished.", stats.requests_finished as f64);
    page.counter("jig:requests_failed_total", "Requests failed.", stats.requests_failed as f64);
    let cancelled = "Requests cancelled because their client left.";
    page.counter("jig:requests_cancelled_total", cancelled, stats.requests_cancelled as f64);
    for (name, help, histogram) in [
        ("vllm:time_to_first_token_seconds", "From arrival to the first token.", &metrics.first_token),
        ("vllm:inter_token_latency_seconds", "Between tokens of an output.", &metrics.between_tokens),
        ("vllm:time_per_output_token_seconds", "Between tokens of an output (older name).", &metrics.between_tokens),
        ("vllm:request_time_per_output_token_seconds", "Mean time of a token of an output.", &metrics.time_per_token),
        ("vllm:e2e_request_latency_seconds", "From arrival to the end.", &metrics.whole),
        ("vllm:request_queue_time_seconds", "From arrival until a request is begun.", &metrics.queued),
        ("vllm:request_prefill_time_seconds", "From there to the first token.", &metrics.prefill),
        ("vllm:request_decode_time_seconds", "From the first token to the last.", &metrics.decode),
        ("vllm:request_inference_time_seconds", "From the beginning to the last token.", &metrics.inference),
        ("vllm:request_prompt_tokens", "Prompt tokens of a request.", &metrics.prompt_tokens),
        ("vllm:request_generation_tokens", "Output tokens of a request.", &metrics.generation_tokens),
        ("vllm:request_params_n", "The parameter n.", &metrics.n),
        ("vllm:request_params_max_tokens", "The most tokens of an output.", &metrics.max_tokens),
        ("vllm:iteration_tokens_total", "Tokens computed in a step.", &metrics.step_tokens),
    ] {
        page.histogram(name, help, histogram);
    }
}

/// What structure costs.
fn of_guides(page: &mut Page, stages: &Stages) {
    let metrics = stages.guide_metrics();
    page.histogram("jig:guide_compile_seconds", "Compiling a schema or regex.", &metrics.compile);
    page.counter("jig:guide_cache_hits_total", "Schemas and regexes that were compiled before.", load(&metrics.hits));
    page.counter("jig:guide_cache_misses_total", "Schemas and regexes that were not.", load(&metrics.misses));
    let running = stages.compilations_running() as f64;
    page.gauge("jig:compilations_running", "Schemas and regexes being compiled.", running);
}

/// What does not need the model.
fn of_server(page: &mut Page, state: &AppState) {
    let (backend, device) = match (state.backend(), state.service()) {
        (Some(backend), Some(service)) => (backend, &*service.engine().info().device),
        _ => ("", ""),
    };
    page.family("jig:build_info", "gauge", "This program.");
    let build = [("version", env!("CARGO_PKG_VERSION")), ("backend", backend), ("device", device)];
    page.sample("jig:build_info", &build, 1.0);
    let startup = state.startup();
    let stage = startup.stage();
    page.family("jig:load_stage_info", "gauge", "What the start is at.");
    let name = stage.as_ref().map_or("ready", |stage| &stage.name);
    page.sample("jig:load_stage_info", &[("stage", name)], 1.0);
    page.family("jig:load_stage_seconds", "gauge", "How long each stage of the start took.");
    for (name, time) in startup.past() {
        page.sample("jig:load_stage_seconds", &[("stage", &name)], time.as_secs_f64());
    }
    let stage = stage.unwrap_or_default();
    page.gauge("jig:load_done_bytes", "Bytes of the stage that are done.", stage.done as f64);
    page.gauge("jig:load_total_bytes", "Bytes of the stage.", stage.total as f64);

    page.family("jig:http_requests_total", "counter", "Answers, by route and status.");
    for ((route, status), count) in state.counts().all() {
        let code = status.to_string();
        page.sample("jig:http_requests_total", &[("route", &route), ("code", &code)], count as f64);
    }
    let connections = state.connections();
    page.gauge("jig:http_connections", "Open connections.", connections.open() as f64);
    let idle = "Idle connections closed for new ones.";
    page.counter("jig:http_connections_closed_idle_total", idle, connections.closed_idle() as f64);
    let refused = "Connections and requests refused since there were too many connections.";
    page.counter("jig:http_connections_refused_total", refused, connections.refused() as f64);
    page.gauge("jig:http_body_bytes", "Memory of large bodies of requests.", state.bodies().taken() as f64);
    page.gauge("jig:http_answer_bytes", "Memory of large answers being sent.", state.answers().taken() as f64);

    let process = Process::of_this();
    page.gauge("process_resident_memory_bytes", "Resident memory, in bytes.", process.resident_bytes as f64);
    page.gauge("process_open_fds", "Open file descriptors.", process.open_files as f64);
    page.gauge("process_threads", "Threads.", process.threads as f64);
    page.counter("process_cpu_seconds_total", "Processor time, in seconds.", process.cpu_seconds);
    page.gauge("process_start_time_seconds", "Start, in seconds since 1970.", process.start_time);
}

fn load(count: &AtomicU64) -> f64 {
    count.load(Relaxed) as f64
}

/// The text, as far as it is written.
#[derive(Default)]
struct Page {
    text: String,
    /// The labels of all samples to come, each with a comma behind it.
    labels: String,
}

// Writing to a string can't fail.
impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, own: &[(&str, &str)], value: f64) {
        let own = labels(own);
        let all = [&*self.labels, &*own].concat();
        let all = all.strip_suffix(',').unwrap_or_default();
        let _ = match all {
            "" => writeln!(self.text, "{name} {value}"),
            all => writeln!(self.text, "{name}{{{all}}} {value}"),
        };
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let snapshot = histogram.snapshot();
        let labels = &self.labels;
        for (bound, count) in snapshot.buckets {
            let _ = writeln!(self.text, "{name}_bucket{{{labels}le=\"{bound:?}\"}} {count}");
        }
        let count = snapshot.count;
        let _ = writeln!(self.text, "{name}_bucket{{{labels}le=\"+Inf\"}} {count}");
        let labels = labels.strip_suffix(',').unwrap_or_default();
        let _ = writeln!(self.text, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {count}", snapshot.sum);
    }
}

/// `name="value",`, for each.
fn labels(all: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    all.iter().map(|(name, value)| format!("{name}=\"{}\",", escaped(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_can_not_break_the_format() {
        let mut page = Page { labels: labels(&[("model_name", "a \"model\"\\\n")]), ..Page::default() };
        page.gauge("x", "Help.", 3.0);
        assert_eq!(page.text, "# HELP x Help.\n# TYPE x gauge\nx{model_name=\"a \\\"model\\\"\\\\\\n\"} 3\n");
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let histogram = Histogram::new([1.0, 2.5]);
        [0.5, 2.0, 9.0].into_iter().for_each(|value| histogram.observe(value));
        let mut page = Page { labels: labels(&[("engine", "0")]), ..Page::default() };
        page.histogram("h", "Help.", &histogram);
        let expected = "# HELP h Help.\n# TYPE h histogram\nh_bucket{engine=\"0\",le=\"1.0\"} 1\nh_bucket{engine=\"0\",le=\"2.5\"} 2\n\
                        h_bucket{engine=\"0\",le=\"+Inf\"} 3\nh_sum{engine=\"0\"} 11.5\nh_count{engine=\"0\"} 3\n";
        assert_eq!(page.text, expected);
    }
}
