//! `GET /metrics`: the engine's state in the text format of Prometheus. What vLLM has a name for has that name.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::AppState;
use crate::engine::EngineStats;

pub(super) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    let service = state.service();
    let text = text(&service.engine().stats(), service.stages().compilations_running(), service.settings().name());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn text(stats: &EngineStats, compiling: usize, model: &str) -> String {
    let memory = &stats.memory;
    let share = memory.kv_used_bytes as f64 / (memory.kv_capacity_bytes as f64).max(1.0);
    let metrics: [(&str, &str, &str, f64); 19] = [
        ("vllm:num_requests_running", "gauge", "Requests being generated.", stats.requests_running as f64),
        ("vllm:num_requests_waiting", "gauge", "Requests waiting to start.", stats.requests_waiting as f64),
        ("vllm:kv_cache_usage_perc", "gauge", "Fraction of the KV cache in use.", share),
        (
            "vllm:num_preemptions_total",
            "counter",
            "Preemptions: outputs that gave up their KV cache to others.",
            stats.preemptions as f64,
        ),
        ("vllm:prompt_tokens_total", "counter", "Prompt tokens of started requests.", stats.prompt_tokens as f64),
        ("vllm:generation_tokens_total", "counter", "Output tokens generated.", stats.generation_tokens as f64),
        ("jig:requests_finished_total", "counter", "Requests finished.", stats.requests_finished as f64),
        ("jig:requests_failed_total", "counter", "Requests failed.", stats.requests_failed as f64),
        (
            "jig:requests_cancelled_total",
            "counter",
            "Requests cancelled because their client left.",
            stats.requests_cancelled as f64,
        ),
        ("jig:compilations_running", "gauge", "Schemas and regexes being compiled.", compiling as f64),
        ("jig:steps_total", "counter", "Engine steps.", stats.steps as f64),
        ("jig:step_seconds_total", "counter", "Time spent in engine steps.", stats.step_time.as_secs_f64()),
        (
            "jig:mask_seconds_total",
            "counter",
            "Time spent computing masks, while the device may have been working.",
            stats.mask_time.as_secs_f64(),
        ),
        ("jig:outputs_running", "gauge", "Outputs being generated.", stats.outputs_running as f64),
        ("jig:outputs_suspended", "gauge", "Outputs waiting for KV cache.", stats.outputs_suspended as f64),
        ("jig:sequences_open", "gauge", "Sequences open in the model.", f64::from(memory.open_sequences)),
        ("jig:kv_cache_used_bytes", "gauge", "KV cache in use, in bytes.", memory.kv_used_bytes as f64),
        ("jig:kv_cache_capacity_bytes", "gauge", "KV cache capacity, in bytes.", memory.kv_capacity_bytes as f64),
        ("jig:weight_bytes", "gauge", "Size of the model's weights, in bytes.", memory.weight_bytes as f64),
    ];
    let label = model.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let mut text = String::new();
    for (name, kind, help, value) in metrics {
        // Writing to a string can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{model_name=\"{label}\"}} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_its_kind_and_a_value_and_a_model_name_can_not_break_the_format() {
        let stats = EngineStats { requests_running: 3, ..EngineStats::default() };
        let text = text(&stats, 0, "a \"model\"\n");
        assert!(text.contains("vllm:num_requests_running{model_name=\"a \\\"model\\\"\\n\"} 3\n"), "{text}");
        assert_eq!(text.lines().count() % 3, 0);
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE ")).count(), text.lines().count() / 3);
    }
}
