//! `POST /tokenize` and `POST /detokenize`, in vLLM's form.

use serde_json::{Value, json};

use super::chat::conversation;
use super::failure::{Names, check_model, refused};
use crate::protocol::fields::{self, Field, Refusal};
use crate::protocol::{ApiError, Service};
use crate::request::Rendered;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// The longest text, in bytes: no model's context holds more, and longer ones take long.
const MOST_BYTES: usize = 8 << 20;
/// The most tokens that are put together to a text.
const MOST_TOKENS: usize = 4 << 20;

/// What to tokenize.
#[derive(Debug, PartialEq)]
struct Tokenize {
    model: Option<String>,
    what: What,
    with_strings: bool,
}

#[derive(Debug, PartialEq)]
enum What {
    Text { text: String, add_special_tokens: bool },
    Conversation(Box<conversation::Asked>),
}

/// The tokens of a text: `{"count", "max_model_len", "tokens", "token_strs"}`.
///
/// # Errors
/// A body that is wrong, a text that can't be tokenized.
pub async fn tokenize(service: &Service, body: impl AsRef<[u8]> + Send + 'static) -> Result<Value, ApiError> {
    let max_model_len = service.engine().info().max_model_len;
    let names = Names::new("prompt", max_model_len);
    let parsed = service.stages().read(move || read_tokenize(body.as_ref())).await;
    let asked = parsed.map_err(|error| names.unprepared(error))?.map_err(refused)?;
    check_model(service, asked.model.as_deref())?;
    let with_strings = asked.with_strings;
    let (text, literal, add_special_tokens) = match asked.what {
        What::Text { text, add_special_tokens } => (text, Vec::new(), add_special_tokens),
        What::Conversation(conversation) => {
            let Rendered { text, literal } = conversation.prompt(service, &names).await?;
            (text, literal, false)
        }
    };
    let work = move |tokenizer: &Tokenizer| {
        let tokens = match add_special_tokens {
            true => tokenizer.encode(&text, true)?,
            false => tokenizer.encode_rendered(&text, &literal)?,
        };
        let name = |token: &u32| String::from_utf8_lossy(&tokenizer.token_bytes(*token)).into_owned();
        let strings = with_strings.then(|| tokens.iter().map(name).collect::<Vec<_>>());
        let answer =
            json!({"count": tokens.len(), "max_model_len": max_model_len, "tokens": tokens, "token_strs": strings});
        Ok::<_, TokenizerError>(answer)
    };
    let tokenized = service.stages().tokenizing(work).await.map_err(|error| names.unprepared(error))?;
    tokenized.map_err(|error| {
        ApiError::new(400, "invalid_value", format!("`prompt` can't be tokenized: {error}")).with_param("prompt")
    })
}

/// The text of tokens: `{"prompt"}`.
///
/// # Errors
/// A body that is wrong.
pub async fn detokenize(service: &Service, body: impl AsRef<[u8]> + Send + 'static) -> Result<Value, ApiError> {
    let info = service.engine().info();
    let names = Names::new("tokens", info.max_model_len);
    let vocab_size = info.vocab_size;
    let parsed = service.stages().read(move || read_detokenize(body.as_ref(), vocab_size)).await;
    let (model, tokens) = parsed.map_err(|error| names.unprepared(error))?.map_err(refused)?;
    check_model(service, model.as_deref())?;
    let text = service.stages().tokenizing(move |tokenizer| tokenizer.decode(&tokens, false)).await;
    Ok(json!({"prompt": text.map_err(|error| names.unprepared(error))?}))
}

fn read_tokenize(body: &[u8]) -> Result<Tokenize, Refusal> {
    let (mut model, mut prompt, mut add_special_tokens, mut with_strings, mut tools) = (None, None, true, false, None);
    let (mut conversation, mut has_messages) = (conversation::Draft::default(), false);
    for field in fields::read(body)? {
        match field.name.as_str() {
            _ if field.is_null() => {}
            "model" => model = Some(field.string()?),
            "prompt" => prompt = Some(field.string()?),
            "add_special_tokens" => add_special_tokens = field.boolean()?,
            "return_token_strs" => with_strings = field.boolean()?,
            "tools" => {
                let entries = field.list("a list of tools")?;
                let entries = entries.iter().map(Field::json).collect::<Result<Vec<_>, _>>()?;
                tools = Some(entries).filter(|entries| !entries.is_empty());
            }
            name => {
                has_messages |= name == "messages";
                if !conversation.take(&field)? {
                    let remedy = "the fields are those of a prompt or a conversation, and `return_token_strs`";
                    return Err(Refusal::unknown(name, remedy));
                }
            }
        }
    }
    let what = match prompt {
        Some(_) if has_messages => {
            return Err(Refusal::value("prompt", "is given together with `messages`; give one of the two"));
        }
        None if has_messages => What::Conversation(Box::new(conversation.finish(tools)?)),
        Some(text) if text.len() <= MOST_BYTES => What::Text { text, add_special_tokens },
        Some(text) => {
            let rest = format_args!("has {} bytes, and at most {MOST_BYTES} are tokenized at a time", text.len());
            return Err(Refusal::value("prompt", rest));
        }
        None => return Err(Refusal::missing("prompt", "give the text to tokenize, or `messages`")),
    };
    Ok(Tokenize { model, what, with_strings })
}

fn read_detokenize(body: &[u8], vocab_size: u32) -> Result<(Option<String>, Vec<u32>), Refusal> {
    let (mut model, mut tokens) = (None, None);
    for field in fields::read(body)? {
        match field.name.as_str() {
            _ if field.is_null() => {}
            "model" => model = Some(field.string()?),
            "tokens" => tokens = Some(field.token_ids(vocab_size, "a list of token ids")?),
            name => return Err(Refusal::unknown(name, "the fields are model and tokens")),
        }
    }
    let tokens = tokens.ok_or_else(|| Refusal::missing("tokens", "give a list of token ids"))?;
    if tokens.len() > MOST_TOKENS {
        let rest = format_args!("has {} entries, and at most {MOST_TOKENS} are allowed", tokens.len());
        return Err(Refusal::value("tokens", rest));
    }
    Ok((model, tokens))
}
