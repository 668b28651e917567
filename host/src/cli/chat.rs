//! `jig chat`: a conversation on the terminal, without a server.

use std::io::IsTerminal;

use clap::Args;
use serde_json::{Value, json};

use super::answer::{AnswerArgs, Question};
use super::load::{LoadArgs, Loaded};
use super::out::say;
use super::{CommandResult, MODEL_FREED_WITHIN, out};
use crate::engine::RequestStream;
use crate::measure::Startup;
use crate::prompt::{Conversation, PromptError};
use crate::request::{Event, FinishReason};

#[derive(Args, Clone, Debug)]
pub(super) struct ChatArgs {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    /// A message of the system at the beginning
    #[arg(long, value_name = "TEXT", help_heading = "Chat")]
    system: Option<String>,
}

const HELP: &str = "/reset begins anew, /exit or the end of input ends; ctrl-c stops an answer";

pub(super) fn run(args: &ChatArgs) -> CommandResult {
    let answer = args.answer.clone().checked()?;
    let loaded = args.load.load(&Startup::default())?;
    if loaded.chat_template.is_none() {
        return Err(PromptError::NoTemplate.into());
    }
    let engine = loaded.engine.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let chat = Chat { answer, loaded, first: args.system.clone(), messages: Vec::new() };
    let result = runtime.block_on(chat.run());
    // A thread may still wait for a line.
    runtime.shutdown_background();
    engine.finish(MODEL_FREED_WITHIN);
    result
}

/// A conversation under way.
struct Chat {
    answer: AnswerArgs,
    loaded: Loaded,
    /// The message of the system.
    first: Option<String>,
    /// What was said after it.
    messages: Vec<Value>,
}

impl Chat {
    async fn run(mut self) -> CommandResult {
        if std::io::stdin().is_terminal() {
            say!("{HELP}");
        }
        while let Some(line) = next_line().await? {
            match line.trim() {
                "" => {}
                "/exit" | "/quit" => break,
                "/reset" => self.messages.clear(),
                command if command.starts_with('/') && !command.contains(' ') => {
                    say!("{command}: unknown; {HELP}");
                }
                _ => self.turn(line.trim_end_matches(['\n', '\r'])).await?,
            }
        }
        Ok(())
    }

    /// Says something, and prints the answer. What can't be answered is taken back.
    async fn turn(&mut self, said: &str) -> CommandResult {
        self.messages.push(json!({"role": "user", "content": said}));
        let system = self.first.iter().map(|text| json!({"role": "system", "content": text}));
        let messages = system.chain(self.messages.iter().cloned()).collect();
        let conversation = Conversation { messages, add_generation_prompt: true, ..Conversation::default() };
        let stream = match self.answer.ask(Question::Conversation(conversation), &self.loaded) {
            Ok(stream) => stream,
            Err(error) => {
                self.messages.pop();
                say!("error: {error}");
                return Ok(());
            }
        };
        let answer = print(stream).await?;
        self.messages.push(json!({"role": "assistant", "content": answer.trim()}));
        Ok(())
    }
}

/// Prints an answer as it comes, without the blanks at its beginning, until it ends or is stopped. Returns its text.
async fn print(mut stream: RequestStream) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut answer = String::new();
    loop {
        let event = tokio::select! {
            event = stream.recv() => event,
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                None
            }
        };
        match event {
            Some(Event::Delta(delta)) => {
                let text = if answer.is_empty() { delta.text.trim_start() } else { &delta.text };
                answer.push_str(text);
                out::print(format_args!("{text}"))?;
            }
            Some(Event::Finished { reason: FinishReason::Length, .. }) => {
                out::print(format_args!(" [cut off: the limit of tokens]"))?
            }
            Some(Event::Finished { .. } | Event::Prompt(_)) => {}
            Some(Event::Failed(error)) => return Err(error.into()),
            None => {
                say!("");
                return Ok(answer);
            }
        }
    }
}

/// The next line; `None` at the end of input and where ctrl-c is pressed.
async fn next_line() -> std::io::Result<Option<String>> {
    if std::io::stdin().is_terminal() {
        out::print(format_args!("> "))?;
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line)?;
        Ok((read > 0).then_some(line))
    });
    tokio::select! {
        line = read => line.map_err(std::io::Error::other)?,
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            say!("");
            Ok(None)
        }
    }
}
