//! Which guides the cache keeps and which it drops.

use super::*;
use crate::options::Order;

fn compiler(cache_bytes: usize) -> Compiler {
    let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain([None]).collect();
    let vocabulary = Arc::new(Vocabulary::new(tokens, vec![256]).expect("a vocabulary"));
    Compiler::new(vocabulary, Limits { cache_bytes, ..Limits::default() })
}

/// Regexes of the same size.
fn regex(letter: char) -> Source {
    Source::Regex(format!("{letter}{{3}}"))
}

fn compile(compiler: &Compiler, source: &Source) -> Guide {
    compiler.compile(source, &Options::default()).expect("a guide")
}

fn is_remembered(compiler: &Compiler, source: &Source) -> bool {
    compiler.cache().entries.get(&Options::default()).is_some_and(|entries| entries.contains_key(source))
}

/// Bytes of the entry of one such regex before any mask was made.
fn bytes_of_one() -> usize {
    let compiler = compiler(usize::MAX);
    compile(&compiler, &regex('a'));
    compiler.cache().bytes
}

#[test]
fn a_full_cache_drops_the_guide_that_was_used_longest_ago() {
    let compiler = compiler(2 * bytes_of_one());
    let [a, b, c] = ['a', 'b', 'c'].map(regex);
    compile(&compiler, &a);
    compile(&compiler, &b);
    assert!(is_remembered(&compiler, &a) && is_remembered(&compiler, &b));
    compile(&compiler, &a);
    compile(&compiler, &c);
    assert!(is_remembered(&compiler, &a) && !is_remembered(&compiler, &b) && is_remembered(&compiler, &c));
    let cache = compiler.cache();
    assert_eq!(cache.bytes, 2 * bytes_of_one());
    assert_eq!(cache.bytes, cache.entries.values().flat_map(HashMap::values).map(|entry| entry.bytes).sum::<usize>());
}

#[test]
fn a_cached_guide_is_the_same_one_with_its_masks() {
    let compiler = compiler(usize::MAX);
    let first = compile(&compiler, &regex('a'));
    first.start().mask(None);
    assert_eq!(compile(&compiler, &regex('a')).known_masks(), 1);
    let other = Options { order: Order::Any, ..Options::default() };
    assert_eq!(compiler.compile(&regex('a'), &other).expect("a guide").known_masks(), 0);
}

#[test]
fn a_guide_larger_than_the_cache_is_returned_and_not_kept() {
    let compiler = compiler(bytes_of_one() - 1);
    let guide = compile(&compiler, &regex('a'));
    assert!(guide.start().mask(None).contains(u32::from(b'a')));
    assert!(!is_remembered(&compiler, &regex('a')) && compiler.cache().bytes == 0);
}

#[test]
fn guides_that_grew_with_their_masks_are_measured_again_after_eight_uses() {
    let letters: Vec<char> = ('a'..='z').collect();
    let compiler = compiler(usize::MAX);
    let grown = compile(&compiler, &regex('a'));
    let before = grown.bytes();
    grown.start().mask(None);
    let growth = grown.bytes() - before;
    assert!(growth > 0);
    // Uses 1 to 7 count the new entry only, use 8 looks at all.
    for (used, letter) in (1..).zip(&letters[1..=LOOK_AGAIN as usize]) {
        compile(&compiler, &regex(*letter));
        let counted = compiler.cache().bytes - (used + 1) * bytes_of_one();
        assert_eq!(counted, if used == LOOK_AGAIN as usize { growth } else { 0 }, "use {used}");
    }
}

#[test]
fn a_refusal_is_cached_with_the_size_of_its_source() {
    let compiler = compiler(usize::MAX);
    let broken = Source::Regex("(a".into());
    let error = compiler.compile(&broken, &Options::default()).expect_err("broken");
    assert_eq!(compiler.compile(&broken, &Options::default()).expect_err("broken"), error);
    assert_eq!(compiler.cache().bytes, 2 + 256);
}

#[test]
fn a_source_that_many_threads_ask_for_is_compiled_once() {
    let compiler = compiler(usize::MAX);
    std::thread::scope(|scope| {
        for letter in ['a', 'b', 'a', 'b', 'a', 'b'] {
            let compiler = &compiler;
            scope.spawn(move || compile(compiler, &regex(letter)));
        }
    });
    compile(&compiler, &regex('a')).start().mask(None);
    assert_eq!(compile(&compiler, &regex('a')).known_masks(), 1);
    let cache = compiler.cache();
    assert_eq!((cache.entries.values().map(HashMap::len).sum::<usize>(), cache.bytes), (2, 2 * bytes_of_one()));
}
