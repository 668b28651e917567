//! `jig-bench masks`: a mask must have exactly the tokens that the guide accepts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jig_guides::{Compiler, Guide, GuideState, Limits, Mask, Options, Order, Source};

use crate::Outcome;
use crate::cases::{Case, Selection, respace};
use crate::engines::Whitespace;
use crate::random::Random;
use crate::samples;
use crate::tokens::Splitter;
use crate::walk::{Manner, draw};

/// Number of tokens of a mask with a budget that are checked.
const FOLLOWED: usize = 20;

/// Compare masks at random positions of instances with every token of the vocabulary
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or its directory
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Folder of grammars with documents: check masks of these, and of trees of parts
    #[arg(long, value_name = "DIR")]
    grammars: Option<PathBuf>,
    /// Number of masks to check per instance
    #[arg(long, value_name = "N", default_value_t = 2)]
    masks: usize,
    /// Seed of the choice of masks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Default)]
struct Count {
    masks: u64,
    /// Masks that differ from the tokens that the guide accepts.
    wrong: u64,
    /// Masks with a budget that are empty, or that have a token after which the rest does not fit.
    short: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let splitter = Splitter::load(&args.tokenizer)?;
    let mut limits = Limits::default();
    limits.cache_bytes = 0;
    let compiler = Compiler::new(splitter.tokens().clone().vocabulary()?, limits);
    let (begun, mut count) = (Instant::now(), Count::default());
    for case in args.selection.read(args.grammars.is_some())? {
        check_case(args, &compiler, &splitter, &case?, &mut count)?;
    }
    if let Some(folder) = &args.grammars {
        check_samples(args, folder, &compiler, &splitter, &mut count)?;
    }
    let Count { masks, wrong, short } = count;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{masks} masks in {seconds:.0} s: {wrong} differ from the guide, {short} exceed their budget");
    if wrong + short > 0 { Err("some masks are wrong".into()) } else { Ok(()) }
}

fn check_case(args: &Args, compiler: &Compiler, splitter: &Splitter, case: &Case, count: &mut Count) -> Outcome {
    let mut random = seed(args, &case.id);
    let mut options = Options::default();
    options.order = if random.below(4) == 0 { Order::Schema } else { Order::Any };
    let Ok(guide) = compiler.compile(&Source::JsonSchema(case.schema.get().to_owned()), &options) else {
        return Ok(());
    };
    for test in &case.tests {
        let whitespace = if random.below(2) == 0 { Whitespace::Compact } else { Whitespace::Spaces };
        let tokens = splitter.split(&respace(test.data.get(), whitespace))?;
        check_states(args, &case.id, &followed(&guide, &tokens), &mut random, count);
    }
    Ok(())
}

fn seed(args: &Args, id: &str) -> Random {
    Random::new(id.bytes().fold(args.seed, |seed, byte| seed.wrapping_mul(31) ^ u64::from(byte)))
}

/// Checks masks after the beginnings of documents, and on random ways.
fn check_samples(args: &Args, folder: &Path, compiler: &Compiler, splitter: &Splitter, count: &mut Count) -> Outcome {
    for sample in samples::samples(folder)? {
        let mut random = seed(args, &sample.id);
        let guide = compiler.compile(&sample.source, &Options::default());
        let guide = guide.map_err(|error| format!("{}: {error}", sample.id))?;
        for document in &sample.documents {
            let tokens = splitter.split(document)?;
            let states = followed(&guide, &tokens);
            if states.len() <= tokens.len() || !states[tokens.len()].may_end() {
                return Err(format!("{}: its document is refused after {} tokens", sample.id, states.len() - 1).into());
            }
            check_states(args, &sample.id, &states, &mut random, count);
        }
        let mut states = vec![guide.start()];
        while states.len() < 40 * args.masks {
            let manner = if random.below(3) == 0 { Manner::Even } else { Manner::Short };
            let mut state = guide.start();
            for _ in 0..random.below(60) {
                let token = draw(&state.mask(None), guide.vocabulary(), manner, &mut random);
                let Some(token) = token.filter(|token| !guide.vocabulary().end_tokens().contains(token)) else { break };
                state.advance(token)?;
                states.push(state.clone());
            }
            states.push(state);
        }
        check_states(args, &sample.id, &states, &mut random, count);
    }
    Ok(())
}

/// The states before each token and behind the last, up to the first token that is refused.
fn followed(guide: &Guide, tokens: &[u32]) -> Vec<GuideState> {
    let mut states = vec![guide.start()];
    for &token in tokens {
        let mut next = states[states.len() - 1].clone();
        if next.advance(token).is_err() {
            break;
        }
        states.push(next);
    }
    states
}

fn check_states(args: &Args, id: &str, states: &[GuideState], random: &mut Random, count: &mut Count) {
    for _ in 0..args.masks {
        let at = random.below(states.len());
        if let Some(problem) = check_mask(&states[at], random, count) {
            println!("{id}: at state {at}: {problem}");
        }
    }
}

/// Describes the first wrong mask of a state.
fn check_mask(state: &GuideState, random: &mut Random, count: &mut Count) -> Option<String> {
    let vocabulary = state.guide().vocabulary().clone();
    let accepts = |token: u32| state.clone().advance(token).is_ok();
    let shown = |token: u32| String::from_utf8_lossy(vocabulary.bytes(token).unwrap_or_default()).into_owned();
    let mask = state.mask(None);
    count.masks += 1;
    if let Some(token) = (0..vocabulary.len() as u32).find(|&token| mask.contains(token) != accepts(token)) {
        count.wrong += 1;
        let allows = if mask.contains(token) { "allows" } else { "does not allow" };
        return Some(format!("the mask {allows} {:?} (token {token}), but the guide does not agree", shown(token)));
    }
    let least = state.min_tokens_left();
    for budget in [least, least + 1 + random.below(6) as u32, least + 10 + random.below(100) as u32] {
        let mask = state.mask(Some(budget));
        if let Some(problem) = beyond(state, &mask, budget, random) {
            count.short += 1;
            return Some(format!("{problem} with {budget} tokens left; at least {least} are needed"));
        }
    }
    None
}

/// Describes how a mask exceeds its budget, if it does.
fn beyond(state: &GuideState, mask: &Mask, budget: u32, random: &mut Random) -> Option<String> {
    let vocabulary = state.guide().vocabulary();
    let allowed = mask.tokens(vocabulary.len());
    if allowed.is_empty() {
        return Some("no token is allowed".to_owned());
    }
    (0..FOLLOWED).map(|_| allowed[random.below(allowed.len())]).find_map(|token| {
        let mut next = state.clone();
        let ends = vocabulary.end_tokens().contains(&token);
        let fits = next.advance(token).is_ok() && (ends || budget > 0 && next.completes_within(budget - 1));
        (!fits).then(|| format!("token {token} is allowed"))
    })
}
