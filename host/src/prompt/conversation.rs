//! What a template is given.

use serde_json::{Map, Value};

/// What a template is given. Messages, tools and documents are JSON as templates know it: that of chat protocols, keys in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// Objects with `role` and, mostly, `content`.
    pub messages: Vec<Value>,
    /// Descriptions of tools; `None` where there are none.
    pub tools: Option<Vec<Value>>,
    /// Documents to answer from; `None` where there are none.
    pub documents: Option<Vec<Value>>,
    /// Further variables of the template (`enable_thinking`); they win over all that is said elsewhere.
    pub variables: Map<String, Value>,
    /// Whether the text ends with the beginning of an answer.
    pub add_generation_prompt: bool,
    /// Whether the text ends within the last message, which the answer continues.
    pub continue_final_message: bool,
}
