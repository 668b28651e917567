//! Flags of the OpenAI-compatible API, and of the way to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::http::{CorsOptions, Hosts, HttpOptions, Keys};
use crate::output::Forms;
use crate::protocol::openai::{Defaults, ReasoningField, Settings};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "API")]
pub(super) struct ApiArgs {
    /// Names by which requests may call the model; the first one stands in answers [default: the model as it was named]
    #[arg(long, env = "JIG_SERVED_MODEL_NAME", value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    served_model_name: Vec<String>,
    /// A key that requests must send; may be given more than once, in the variable (or VLLM_API_KEY) separated by commas.
    /// /health..., /ping, /version and /metrics need none
    #[arg(long, env = "JIG_API_KEY", value_name = "KEY", value_delimiter = ',', hide_env_values = true)]
    api_key: Vec<String>,
    /// A file of keys, one in a line, as it is or as NAME:SHA256; it is read again when it changes
    #[arg(long, env = "JIG_API_KEY_FILE", value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Hosts for which requests may be meant, beside addresses and localhost, where the server listens on a loopback address without keys: a
    /// JSON list, or separated by commas; * for all
    #[arg(long, env = "JIG_ALLOWED_HOSTS", value_name = "LIST", default_value = "")]
    allowed_hosts: String,
    /// A path under which all routes are, too, for a proxy that does not take it away
    #[arg(long, env = "JIG_ROOT_PATH", value_name = "/PATH")]
    root_path: Option<String>,
    /// Origins whose pages may ask: a JSON list, or separated by commas
    #[arg(long, env = "JIG_ALLOWED_ORIGINS", value_name = "LIST", default_value = "*")]
    allowed_origins: String,
    /// Methods that pages of other origins may use
    #[arg(long, env = "JIG_ALLOWED_METHODS", value_name = "LIST", default_value = "*")]
    allowed_methods: String,
    /// Headers that pages of other origins may send
    #[arg(long, env = "JIG_ALLOWED_HEADERS", value_name = "LIST", default_value = "*")]
    allowed_headers: String,
    /// Let pages of other origins send the browser's credentials
    #[arg(long, env = "JIG_ALLOW_CREDENTIALS", action = ArgAction::SetTrue)]
    allow_credentials: bool,
    /// The largest body of a request, in MiB
    #[arg(long, env = "JIG_MAX_BODY_SIZE", value_name = "MIB", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_body_size: u32,
    /// Memory that the bodies of all requests may take, from when they are read until they are answered, in MiB; 64 KiB of each do not
    /// count. One more is answered with 503
    #[arg(long, env = "JIG_MAX_BODY_MEMORY", value_name = "MIB", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    max_body_memory: u32,
    /// Refuse fields that are not known, which else are ignored and named in the header x-jig-ignored
    #[arg(long, env = "JIG_STRICT_FIELDS", action = ArgAction::SetTrue)]
    strict_fields: bool,
    /// The most log-probabilities that a request may ask for with each token
    #[arg(long, env = "JIG_MAX_LOGPROBS", value_name = "N", default_value_t = 20)]
    max_logprobs: u32,
    /// Let requests bring chat templates of their own
    #[arg(long, env = "JIG_TRUST_REQUEST_CHAT_TEMPLATE", action = ArgAction::SetTrue)]
    trust_request_chat_template: bool,
    /// Where the sampling parameters that a request leaves out come from: auto (the model's generation_config.json), vllm
    /// (none), or a directory with such a file. POST /generate does not use them
    #[arg(long, env = "JIG_GENERATION_CONFIG", value_name = "auto|vllm|DIR", default_value = "auto")]
    generation_config: String,
    /// Sampling parameters that win over those of --generation-config, as a JSON object
    #[arg(long, env = "JIG_OVERRIDE_GENERATION_CONFIG", value_name = "JSON")]
    override_generation_config: Option<String>,
    /// The longest silence of a stream in seconds; then a comment goes out, which clients skip. 0 for any
    #[arg(long, env = "JIG_SSE_KEEP_ALIVE_INTERVAL", value_name = "SECONDS", default_value_t = 15)]
    sse_keep_alive_interval: u64,
    /// End every stream with its usage, as if the request had asked for it
    #[arg(long, env = "JIG_ENABLE_FORCE_INCLUDE_USAGE", action = ArgAction::SetTrue)]
    enable_force_include_usage: bool,
    /// How the model writes tool calls: auto (by its chat template), none (calls are text), or a name as hermes, llama3_json, mistral
    #[arg(long, env = "JIG_TOOL_CALL_PARSER", value_name = "NAME", default_value = "auto")]
    tool_call_parser: String,
    /// How the model marks its reasoning: auto (by its chat template), none (it is text), or a name as qwen3, deepseek_r1, mistral
    #[arg(long, env = "JIG_REASONING_PARSER", value_name = "NAME", default_value = "auto")]
    reasoning_parser: String,
    /// Under which names reasoning stands in answers; with none it stays in the content
    #[arg(long, env = "JIG_REASONING_FIELD", value_enum, default_value_t = FieldOfReasoning::Both)]
    reasoning_field: FieldOfReasoning,
    /// The role of messages in answers
    #[arg(long, env = "JIG_RESPONSE_ROLE", value_name = "ROLE", default_value = "assistant")]
    response_role: String,
    /// Does nothing: tools may always be called. For command lines of vLLM
    #[arg(long, env = "JIG_ENABLE_AUTO_TOOL_CHOICE", action = ArgAction::SetTrue)]
    enable_auto_tool_choice: bool,
    /// Do not tell the model of tools that a request forbids to call (tool_choice none)
    #[arg(long, env = "JIG_EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE", action = ArgAction::SetTrue)]
    exclude_tools_when_tool_choice_none: bool,
    /// Name the tokens of log-probabilities by their ids: token_id:42
    #[arg(long, env = "JIG_RETURN_TOKENS_AS_TOKEN_IDS", action = ArgAction::SetTrue)]
    return_tokens_as_token_ids: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum FieldOfReasoning {
    Both,
    ReasoningContent,
    Reasoning,
    None,
}

impl ApiArgs {
    /// For whom requests may be meant, where the server listens on a loopback address without keys.
    pub(super) fn hosts(&self) -> Result<Hosts> {
        let hosts = list(&self.allowed_hosts, "--allowed-hosts")?;
        Ok(if hosts.iter().any(|host| host == "*") { Hosts::Any } else { Hosts::Local(hosts) })
    }

    /// What they say of the way in.
    pub(super) fn http(&self) -> Result<HttpOptions> {
        let vllm = std::env::var("VLLM_API_KEY").unwrap_or_default();
        let keys = self.api_key.iter().map(String::as_str).chain(vllm.split(','));
        let mut keys = Keys::new(keys.filter(|key| !key.is_empty()));
        if let Some(file) = &self.api_key_file {
            keys = keys.with_file(file.clone())?;
        }
        let options = HttpOptions {
            max_body_bytes: (self.max_body_size as usize) << 20,
            max_bodies_bytes: (self.max_body_memory as usize) << 20,
            keys,
            root_path: self.root_path.clone().unwrap_or_default(),
            cors: CorsOptions {
                origins: list(&self.allowed_origins, "--allowed-origins")?,
                methods: list(&self.allowed_methods, "--allowed-methods")?,
                headers: list(&self.allowed_headers, "--allowed-headers")?,
                credentials: self.allow_credentials,
            },
            ..HttpOptions::default()
        };
        options.check()?;
        Ok(options)
    }

    /// What they say of the API, for a model of this name in this directory.
    pub(super) fn settings(&self, model: &str, directory: &Path) -> Result<Settings> {
        let names = self.served_model_name.iter().filter(|name| !name.is_empty()).cloned().collect();
        let mut settings = Settings::with_names(model, names);
        settings.strict_fields = self.strict_fields;
        settings.max_logprobs = self.max_logprobs;
        settings.trust_request_chat_template = self.trust_request_chat_template;
        settings.always_usage = self.enable_force_include_usage;
        settings.tokens_as_ids = self.return_tokens_as_token_ids;
        let seconds = self.sse_keep_alive_interval;
        settings.keep_alive = (seconds > 0).then(|| Duration::from_secs(seconds));
        settings.defaults = self.defaults(directory)?;
        Forms::check_names(&self.tool_call_parser, &self.reasoning_parser)?;
        settings.tool_call_parser.clone_from(&self.tool_call_parser);
        settings.reasoning_parser.clone_from(&self.reasoning_parser);
        settings.excludes_unused_tools = self.exclude_tools_when_tool_choice_none;
        settings.response_role.clone_from(&self.response_role);
        settings.reasoning_field = match self.reasoning_field {
            FieldOfReasoning::Both => ReasoningField::Both,
            FieldOfReasoning::ReasoningContent => ReasoningField::ReasoningContent,
            FieldOfReasoning::Reasoning => ReasoningField::Reasoning,
            FieldOfReasoning::None => ReasoningField::None,
        };
        Ok(settings)
    }

    fn defaults(&self, directory: &Path) -> Result<Defaults> {
        let file = match self.generation_config.as_str() {
            "vllm" => None,
            "auto" => Some(directory.join("generation_config.json")).filter(|file| file.exists()),
            other => Some(Path::new(other).join("generation_config.json")),
        };
        let mut defaults = Defaults::default();
        if let Some(file) = file {
            let wrong = |why: String| format!("{}: {why}; --generation-config vllm ignores it", file.display());
            let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
            let config = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            defaults = Defaults::read(&config).map_err(wrong)?;
        }
        if let Some(text) = &self.override_generation_config {
            let wrong = |why: String| format!("--override-generation-config {text}: {why}");
            let config = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            defaults = defaults.overridden_by(Defaults::read(&config).map_err(wrong)?);
        }
        Ok(defaults)
    }
}

/// `["a", "b"]`, or `a,b`.
fn list(text: &str, flag: &str) -> Result<Vec<String>> {
    if text.trim_start().starts_with('[') {
        let read = serde_json::from_str(text);
        return Ok(read.map_err(|error| format!("{flag} {text}: not a JSON list of strings: {error}"))?);
    }
    Ok(text.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_json_or_separated_by_commas() {
        for text in [r#"["a", "b"]"#, "a,b", "a, b,"] {
            assert_eq!(list(text, "--x").unwrap(), ["a", "b"], "{text}");
        }
        assert!(list("[1]", "--x").unwrap_err().to_string().contains("--x"));
    }
}
