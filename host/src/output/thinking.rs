//! The ways in which models set their reasoning apart from the answer.

use super::channels;

/// How a family of models marks its reasoning: `begin`, thoughts, `end`, and then the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Thinking {
    /// Its name on the command line.
    pub name: &'static str,
    /// Further names, those of vLLM's reasoning parsers.
    pub aliases: &'static [&'static str],
    /// What a chat template of such a model contains: one of these texts.
    pub markers: &'static [&'static str],
    /// Before the thoughts.
    pub begin: &'static str,
    /// After the thoughts.
    pub end: &'static str,
    /// What the model writes between `end` and its answer.
    pub separator: &'static str,
}

/// What is known of an output before its first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The prompt has opened the thoughts: the output begins within them.
    Inside,
    /// The prompt has closed the thoughts: the output is an answer.
    Answer,
    /// The model decides by its first words.
    Open,
}

/// All ways that are known. Of those whose markers a template contains, the first one is the template's.
pub const THINKING: &[Thinking] = &[
    Thinking {
        name: "seed_oss",
        aliases: &[],
        markers: &["<seed:think>"],
        begin: "<seed:think>",
        end: "</seed:think>",
        separator: "",
    },
    Thinking { name: "mistral", aliases: &[], markers: &["[THINK]"], begin: "[THINK]", end: "[/THINK]", separator: "" },
    Thinking {
        name: "cohere",
        aliases: &["cohere_command3"],
        markers: &["<|START_THINKING|>"],
        begin: "<|START_THINKING|>",
        end: "<|END_THINKING|>",
        separator: "",
    },
    Thinking {
        name: "gemma4",
        aliases: &[],
        markers: &["<|channel>thought"],
        begin: "<|channel>thought\n",
        end: "<channel|>",
        separator: "",
    },
    Thinking {
        name: "harmony",
        aliases: &["openai_gptoss", "gpt_oss"],
        markers: &["<|channel|>analysis"],
        begin: channels::THOUGHTS,
        end: channels::END,
        separator: "",
    },
    Thinking {
        name: "qwen3",
        aliases: &[
            "deepseek_r1",
            "deepseek_v3",
            "deepseek_v31",
            "glm45",
            "hunyuan_a13b",
            "kimi_k2",
            "minimax_m2",
            "nemotron_v3",
            "olmo3",
            "ernie45",
            "step3",
            "step3p5",
            "granite",
            "holo2",
        ],
        markers: &["<think>", "</think>"],
        begin: "<think>",
        end: "</think>",
        separator: "\n\n",
    },
];

impl Thinking {
    /// The way of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        THINKING.iter().find(|thinking| thinking.name == name || thinking.aliases.contains(&name))
    }

    /// Whether thoughts and answer are messages in channels: then the answer has a header, too.
    #[must_use]
    pub fn is_channel(&self) -> bool {
        self.begin == channels::THOUGHTS
    }

    /// Where an output begins that follows this prompt: the last marker in the prompt says so, whatever made the prompt.
    #[must_use]
    pub fn start(&self, prompt: &str) -> Start {
        if self.is_channel() {
            return channels::start(prompt);
        }
        let begin = prompt.rfind(self.begin.trim_end());
        let end = prompt.rfind(self.end);
        match (begin, end) {
            (Some(begin), end) if end.is_none_or(|end| end < begin) => {
                // An example in the instructions is no thought that was opened: only white space follows an opened one.
                let rest = &prompt[begin + self.begin.trim_end().len()..];
                if rest.trim().is_empty() { Start::Inside } else { Start::Open }
            }
            (_, Some(end)) if prompt[end + self.end.len()..].trim().is_empty() => Start::Answer,
            _ => Start::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(prompt: &str) -> Start {
        Thinking::named("deepseek_r1").unwrap().start(prompt)
    }

    #[test]
    fn the_last_marker_of_the_prompt_says_where_the_output_begins() {
        assert_eq!(start("<|im_start|>assistant\n<think>\n"), Start::Inside);
        assert_eq!(start("<|im_start|>assistant\n<think>\n\n</think>\n\n"), Start::Answer);
        assert_eq!(start("<|im_start|>assistant\n"), Start::Open);
        assert_eq!(start("<｜Assistant｜></think>"), Start::Answer);
    }

    #[test]
    fn markers_of_earlier_turns_and_of_instructions_say_nothing_of_the_next_one() {
        let earlier = "assistant\n<think>\nhm\n</think>\n\nYes.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(start(earlier), Start::Open);
        assert_eq!(start("system\nPut thoughts into <think> tags.<|im_end|>\n<|im_start|>assistant\n"), Start::Open);
        assert_eq!(start(&format!("{earlier}<think>\n")), Start::Inside);
    }

    #[test]
    fn names_of_vllm_lead_to_the_same_tags() {
        for name in ["qwen3", "glm45", "minimax_m2", "hunyuan_a13b"] {
            assert_eq!(Thinking::named(name).unwrap().end, "</think>");
        }
        assert_eq!(Thinking::named("mistral").unwrap().begin, "[THINK]");
        assert_eq!(Thinking::named("none"), None);
    }
}
