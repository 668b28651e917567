//! `jig generate`: one answer on the terminal, without a server.

use std::io::{IsTerminal, Read};

use clap::Args;
use serde_json::json;

use super::answer::{AnswerArgs, Question};
use super::load::{LoadArgs, Loaded};
use super::{CommandResult, MODEL_FREED_WITHIN, out};
use crate::measure::Startup;
use crate::prompt::Conversation;
use crate::request::Event;

#[derive(Args, Clone, Debug)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// The prompt; standard input if it is absent or `-`
    prompt: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
    /// Put the prompt into the model's chat template, as a message of a user
    #[arg(long, help_heading = "Chat")]
    chat: bool,
    /// With --chat: a message of the system, before that of the user
    #[arg(long, value_name = "TEXT", requires = "chat", help_heading = "Chat")]
    system: Option<String>,
}

pub(super) fn run(args: &GenerateArgs) -> CommandResult {
    let answer = args.answer.clone().checked()?;
    let question = args.question()?;
    let loaded = args.load.load(&Startup::default())?;
    let answered = print(&answer, question, &loaded);
    loaded.engine.finish(MODEL_FREED_WITHIN);
    answered
}

/// Prints an answer as it is generated.
fn print(answer: &AnswerArgs, question: Question, loaded: &Loaded) -> CommandResult {
    let mut stream = answer.ask(question, loaded)?;
    while let Some(event) = stream.blocking_recv() {
        match event {
            Event::Delta(delta) => {
                out::print(format_args!("{}", delta.text))?;
            }
            Event::Finished { .. } | Event::Prompt(_) => {}
            Event::Failed(error) => return Err(error.into()),
        }
    }
    if std::io::stdout().is_terminal() {
        out::print(format_args!("\n"))?;
    }
    Ok(())
}

impl GenerateArgs {
    fn question(&self) -> std::io::Result<Question> {
        let prompt = match self.prompt.as_deref() {
            Some(prompt) if prompt != "-" => prompt.to_owned(),
            _ => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned)
            }
        };
        if !self.chat {
            return Ok(Question::Text(prompt));
        }
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        let messages = system.chain([json!({"role": "user", "content": prompt})]).collect();
        Ok(Question::Conversation(Conversation { messages, add_generation_prompt: true, ..Conversation::default() }))
    }
}
