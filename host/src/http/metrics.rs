//! `GET /metrics`: the engine's state in the text format of Prometheus. What vLLM has a name for has that name.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::AppState;
use crate::engine::EngineStats;

pub(super) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    let compiling = state.0.permits.compiling.held() + state.0.permits.compiling_long.held();
    let text = text(&state.0.engine.stats(), compiling, &state.0.model);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn text(stats: &EngineStats, compiling: usize, model: &str) -> String {
    let memory = &stats.memory;
    let share = memory.kv_used_bytes as f64 / (memory.kv_capacity_bytes as f64).max(1.0);
    let metrics: [(&str, &str, &str, f64); 19] = [
        ("vllm:num_requests_running", "gauge", "Requests that are worked on.", stats.requests_running as f64),
        ("vllm:num_requests_waiting", "gauge", "Requests that wait.", stats.requests_waiting as f64),
        ("vllm:kv_cache_usage_perc", "gauge", "Share of the KV cache in use, 1 for all.", share),
        (
            "vllm:num_preemptions_total",
            "counter",
            "Outputs that lost their memory to others.",
            stats.preemptions as f64,
        ),
        ("vllm:prompt_tokens_total", "counter", "Tokens of prompts.", stats.prompt_tokens as f64),
        ("vllm:generation_tokens_total", "counter", "Tokens drawn.", stats.generation_tokens as f64),
        ("jig:requests_finished_total", "counter", "Requests that ended well.", stats.requests_finished as f64),
        ("jig:requests_failed_total", "counter", "Requests that failed.", stats.requests_failed as f64),
        ("jig:requests_cancelled_total", "counter", "Requests whose client left.", stats.requests_cancelled as f64),
        ("jig:compilations_running", "gauge", "Schemas and regexes that are being compiled.", compiling as f64),
        ("jig:steps_total", "counter", "Steps of the engine.", stats.steps as f64),
        ("jig:step_seconds_total", "counter", "Time of the steps.", stats.step_time.as_secs_f64()),
        (
            "jig:mask_seconds_total",
            "counter",
            "Time of the steps in which masks were chosen, beside the device.",
            stats.mask_time.as_secs_f64(),
        ),
        ("jig:outputs_running", "gauge", "Outputs that are worked on.", stats.outputs_running as f64),
        ("jig:outputs_suspended", "gauge", "Outputs that wait for memory.", stats.outputs_suspended as f64),
        ("jig:sequences_open", "gauge", "Sequences that the model holds.", f64::from(memory.open_sequences)),
        ("jig:kv_cache_used_bytes", "gauge", "KV cache in use.", memory.kv_used_bytes as f64),
        ("jig:kv_cache_capacity_bytes", "gauge", "KV cache that can be used.", memory.kv_capacity_bytes as f64),
        ("jig:weight_bytes", "gauge", "Weights of the model.", memory.weight_bytes as f64),
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
