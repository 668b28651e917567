//! The table of families. Each row is as the model's own chat template renders the calls of a conversation, or where the template renders
//! none, as the model's card shows them.

use super::family::{Call, Family, Ids, Place, Section, Tags};

/// Calls that follow each other, each with its own beginning.
const fn separate(between: &'static str) -> Section {
    Section { place: Place::Anywhere, begin: "", between, end: "" }
}

/// Calls within a pair of texts.
const fn within(begin: &'static str, between: &'static str, end: &'static str) -> Section {
    Section { place: Place::Anywhere, begin, between, end }
}

/// A call that is an object of name and arguments.
const fn object(begin: &'static str, end: &'static str) -> Call {
    Call::Object { begin, name: "name", arguments: "arguments", end }
}

/// A call that is an item of a list.
const ITEM: Call = object("", "");

/// Tags within `<invoke name="N">`.
const fn invoke(begin: &'static str, open: &'static str, close: &'static str, end: &'static str) -> Tags {
    Tags { begin, after_name: "\">\n", open, after_key: "\">", says_string: false, close, end }
}

const IM_END: &[&str] = &["<|im_end|>"];
const NONE: &[&str] = &[];

/// All families. Of those whose markers a template contains the first one is the template's, so that a marker that others contain, too,
/// stands below them.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "qwen3_coder",
        aliases: &["qwen3_xml", "step3p5", "nemotron_v3"],
        markers: &[&["<tool_call>", "<function="]],
        section: separate("\n"),
        call: Call::Tagged(Tags {
            begin: "<tool_call>\n<function=",
            after_name: ">\n",
            open: "<parameter=",
            after_key: ">\n",
            says_string: false,
            close: "\n</parameter>\n",
            end: "</function>\n</tool_call>",
        }),
        ids: Ids::Call,
        end_of_turn: IM_END,
    },
    Family {
        name: "seed_oss",
        aliases: NONE,
        markers: &[&["seed:tool_call", "<function="]],
        section: separate("\n"),
        call: Call::Tagged(Tags {
            begin: "<seed:tool_call>\n<function=",
            after_name: ">\n",
            open: "<parameter=",
            after_key: ">",
            says_string: false,
            close: "</parameter>\n",
            end: "</function>\n</seed:tool_call>",
        }),
        ids: Ids::Call,
        end_of_turn: &["<seed:eos>"],
    },
    Family {
        name: "glm45",
        aliases: NONE,
        markers: &[&["<tool_call>", "</arg_key>\\n<arg_value>"], &["<tool_call>", "</arg_key>\n<arg_value>"]],
        section: separate("\n"),
        call: Call::Tagged(Tags {
            begin: "<tool_call>",
            after_name: "\n",
            open: "<arg_key>",
            after_key: "</arg_key>\n<arg_value>",
            says_string: false,
            close: "</arg_value>\n",
            end: "</tool_call>",
        }),
        ids: Ids::Call,
        end_of_turn: &["<|observation|>", "<|user|>"],
    },
    Family {
        name: "glm47",
        aliases: &["glm5"],
        markers: &[&["<tool_call>", "<arg_key>"]],
        section: separate(""),
        call: Call::Tagged(Tags {
            begin: "<tool_call>",
            after_name: "",
            open: "<arg_key>",
            after_key: "</arg_key><arg_value>",
            says_string: false,
            close: "</arg_value>",
            end: "</tool_call>",
        }),
        ids: Ids::Call,
        end_of_turn: &["<|observation|>", "<|user|>"],
    },
    Family {
        name: "hermes",
        aliases: &["qwen", "qwen25", "granite4"],
        markers: &[&["<tool_call>", "\"arguments\""], &["<tool_call>", "\\\"arguments\\\""]],
        section: separate("\n"),
        call: object("<tool_call>\n", "\n</tool_call>"),
        ids: Ids::Call,
        end_of_turn: IM_END,
    },
    Family {
        name: "mistral_args",
        aliases: &["mistral"],
        markers: &[&["[TOOL_CALLS]", "[ARGS]"]],
        section: separate(""),
        call: Call::Named { begin: "[TOOL_CALLS]", is_numbered: false, after_name: "[ARGS]", end: "" },
        ids: Ids::Nine,
        end_of_turn: NONE,
    },
    Family {
        name: "mistral",
        aliases: &["mistral_list"],
        markers: &[&["[TOOL_CALLS]"]],
        section: within("[TOOL_CALLS][", ", ", "]"),
        call: ITEM,
        ids: Ids::Nine,
        end_of_turn: NONE,
    },
    Family {
        name: "deepseek_v3",
        aliases: NONE,
        markers: &[&["<｜tool▁calls▁begin｜>", "```json"]],
        section: within("<｜tool▁calls▁begin｜>", "\n", "<｜tool▁calls▁end｜>"),
        call: Call::Named {
            begin: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
            is_numbered: false,
            after_name: "\n```json\n",
            end: "\n```<｜tool▁call▁end｜>",
        },
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "deepseek_v31",
        aliases: NONE,
        markers: &[&["<｜tool▁calls▁begin｜>"]],
        section: within("<｜tool▁calls▁begin｜>", "", "<｜tool▁calls▁end｜>"),
        call: Call::Named {
            begin: "<｜tool▁call▁begin｜>",
            is_numbered: false,
            after_name: "<｜tool▁sep｜>",
            end: "<｜tool▁call▁end｜>",
        },
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "deepseek_v32",
        aliases: NONE,
        markers: &[&["｜DSML｜", "function_calls"]],
        section: within("<｜DSML｜function_calls>\n", "\n", "\n</｜DSML｜function_calls>"),
        call: Call::Tagged(DSML),
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "deepseek_v4",
        aliases: NONE,
        markers: &[&["｜DSML｜"]],
        section: within("<｜DSML｜tool_calls>\n", "\n", "\n</｜DSML｜tool_calls>"),
        call: Call::Tagged(DSML),
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "kimi_k2",
        aliases: NONE,
        markers: &[&["<|tool_calls_section_begin|>"]],
        section: within("<|tool_calls_section_begin|>", "", "<|tool_calls_section_end|>"),
        call: Call::Named {
            begin: "<|tool_call_begin|>functions.",
            is_numbered: true,
            after_name: "<|tool_call_argument_begin|>",
            end: "<|tool_call_end|>",
        },
        ids: Ids::Numbered,
        end_of_turn: IM_END,
    },
    Family {
        name: "minimax_m2",
        aliases: NONE,
        markers: &[&["<minimax:tool_call>"]],
        section: within("<minimax:tool_call>\n", "\n", "\n</minimax:tool_call>"),
        call: Call::Tagged(invoke("<invoke name=\"", "<parameter name=\"", "</parameter>\n", "</invoke>")),
        ids: Ids::Call,
        end_of_turn: &["[e~["],
    },
    Family {
        name: "gemma4",
        aliases: NONE,
        markers: &[&["<|tool_call>", "<tool_call|>"]],
        section: separate(""),
        call: Call::Bare { begin: "<|tool_call>call:", quote: "<|\"|>", end: "<tool_call|>" },
        ids: Ids::Call,
        end_of_turn: &["<turn|>"],
    },
    Family {
        name: "functiongemma",
        aliases: NONE,
        markers: &[&["<start_function_call>"]],
        section: separate(""),
        call: Call::Bare { begin: "<start_function_call>call:", quote: "<escape>", end: "<end_function_call>" },
        ids: Ids::Call,
        end_of_turn: &["<end_of_turn>", "<start_function_response>"],
    },
    Family {
        name: "granite",
        aliases: NONE,
        markers: &[&["<|tool_call|>"]],
        section: within("<|tool_call|>[", ", ", "]"),
        call: ITEM,
        ids: Ids::Call,
        end_of_turn: &["<|end_of_text|>"],
    },
    Family {
        name: "granite_20b_fc",
        aliases: &["granite-20b-fc"],
        markers: &[&["<function_call>"]],
        section: separate("\n"),
        call: object("<function_call> ", ""),
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "phi4_mini",
        aliases: &["phi4_mini_json"],
        markers: &[&["functools["], &["<|tool|>", "<|/tool|>"]],
        section: within("functools[", ", ", "]"),
        call: ITEM,
        ids: Ids::Call,
        end_of_turn: &["<|end|>"],
    },
    Family {
        name: "jamba",
        aliases: &["hunyuan_a13b", "apriel"],
        markers: &[&["<tool_calls>["]],
        section: within("<tool_calls>[", ", ", "]</tool_calls>"),
        call: ITEM,
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "minimax",
        aliases: &["minimax_m1"],
        markers: &[&["<tool_calls>\\n{\"name\""]],
        section: within("<tool_calls>\n", "\n", "\n</tool_calls>"),
        call: ITEM,
        ids: Ids::Call,
        end_of_turn: NONE,
    },
    Family {
        name: "cohere",
        aliases: &["cohere_command3"],
        markers: &[&["<|START_ACTION|>"]],
        section: within("<|START_ACTION|>[", ", ", "]<|END_ACTION|>"),
        call: Call::Object { begin: "", name: "tool_name", arguments: "parameters", end: "" },
        ids: Ids::Call,
        end_of_turn: &["<|END_OF_TURN_TOKEN|>"],
    },
    Family {
        name: "lfm2",
        aliases: NONE,
        markers: &[&["<|tool_call_start|>["], &["<|tool_list_start|>"]],
        section: within("<|tool_call_start|>[", ", ", "]<|tool_call_end|>"),
        call: Call::Python,
        ids: Ids::Call,
        end_of_turn: IM_END,
    },
    Family {
        name: "harmony",
        aliases: &["openai", "gpt_oss"],
        markers: &[&["<|channel|>analysis", "to=functions."], &["<|channel|>analysis", "<|channel|>commentary"]],
        section: separate(""),
        call: Call::Channel,
        ids: Ids::Call,
        end_of_turn: &["<|call|>", "<|return|>"],
    },
    Family {
        name: "pythonic",
        aliases: &["llama4_pythonic", "olmo3"],
        markers: &[&["[func_name1("], &["<|header_start|>", "tools"]],
        section: Section { place: Place::Start, begin: "[", between: ", ", end: "]" },
        call: Call::Python,
        ids: Ids::Call,
        end_of_turn: &["<|eom_id|>", "<|eot_id|>", "<|eom|>", "<|eot|>"],
    },
    Family {
        name: "llama3_json",
        aliases: &["llama4_json"],
        markers: &[&["<|start_header_id|>", "\"parameters\""]],
        section: Section { place: Place::Start, begin: "", between: "; ", end: "" },
        call: Call::Object { begin: "", name: "name", arguments: "parameters", end: "" },
        ids: Ids::Call,
        end_of_turn: &["<|eom_id|>", "<|eot_id|>"],
    },
];

/// The tags of DeepSeek's markup language.
const DSML: Tags = Tags {
    begin: "<｜DSML｜invoke name=\"",
    after_name: "\">\n",
    open: "<｜DSML｜parameter name=\"",
    after_key: "\"",
    says_string: true,
    close: "</｜DSML｜parameter>\n",
    end: "</｜DSML｜invoke>",
};
