//! A last message that is to be continued: the text ends where its content does.
//!
//! As in transformers, a tag is put behind the content, and the text is cut where the tag comes out. If the template cuts blanks off the
//! content, it cuts off the tag's blank too, and the text ends without blanks.

use serde_json::Value;

use super::{Conversation, RenderError};

const TAG: &str = "CONTINUE_FINAL_MESSAGE_TAG";

/// Puts the tag behind the last message's content. Gives the content back as it was.
pub(super) fn open(conversation: &mut Conversation) -> Result<String, RenderError> {
    let refused = |problem: &str| RenderError::NotContinued(problem.to_owned());
    let message = conversation.messages.last_mut().ok_or_else(|| refused("there is none"))?;
    let content = match message.get_mut("content") {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            let text = parts.iter_mut().rev().find_map(|part| part.get_mut("text"));
            match text {
                Some(Value::String(text)) => text,
                _ => return Err(refused("no part of its content is text")),
            }
        }
        _ => return Err(refused("it has no content")),
    };
    let before = content.clone();
    content.push_str(TAG);
    content.push(' ');
    Ok(before)
}

/// Cuts the text where the content of the last message ends.
pub(super) fn close(text: &mut String, content: &str, is_blank: fn(char) -> bool) -> Result<(), RenderError> {
    let refused = |problem: &str| RenderError::NotContinued(problem.to_owned());
    let Some(end) = text.rfind(TAG) else {
        return Err(refused("the chat template leaves out how its content ends"));
    };
    if !text.contains(content.trim_matches(is_blank)) {
        return Err(refused("the chat template does not write its content as it is"));
    }
    let keeps_blanks = text[end + TAG.len()..].starts_with(' ');
    text.truncate(end);
    if !keeps_blanks {
        text.truncate(text.trim_end_matches(is_blank).len());
    }
    Ok(())
}
