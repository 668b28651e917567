//! Where one character more makes a label of a host's name one that is valid.
//!
//! What is read of a label in Punycode is completed by a character that its next integer inserts. There are tens of thousands of
//! characters, but the automata of labels tell hardly more than a dozen kinds of them apart: for each of these it is worked out once
//! for a text at which places of it one more is valid.

use crate::automaton::dfa::{Dfa, TooManyStates};
use foldhash::HashMap;

/// Labels of two kinds, of which a place in a name may allow one, and what completes them.
#[derive(Debug)]
pub(super) struct Fitting {
    kinds: [Kind; 2],
    /// Characters beyond ASCII, in order, and the class of each range.
    ranges: Vec<(u32, u32, usize)>,
    classes: usize,
}

/// What the automata tell apart of a character.
#[derive(Debug, Clone, Copy)]
pub(super) enum Symbol {
    Byte(u8),
    Class(usize),
}

#[derive(Debug)]
struct Kind {
    dfa: Dfa,
    /// The state after a character of a class: at `state * classes + class`.
    after: Vec<u32>,
    /// Texts of ASCII that one character beyond it makes a label.
    basic: Dfa,
}

/// Where one more character makes a text a label: for each class the places of its characters for each kind of label, a bit for each
/// place.
#[derive(Debug)]
pub(super) struct Places(Vec<[u64; 2]>);

impl Places {
    /// The kind of the label with one more character of a class at a place.
    fn kind(&self, class: usize, place: usize) -> Option<usize> {
        self.0[class].iter().position(|places| places >> place & 1 == 1)
    }

    fn has(&self, class: usize) -> bool {
        self.0[class] != [0, 0]
    }
}

impl Fitting {
    /// Of labels of two kinds, with the characters beyond ASCII that they have, in ranges of which they tell none apart.
    pub(super) fn new(kinds: [Dfa; 2], ranges: &[(u32, u32)], limit: usize) -> Result<Fitting, TooManyStates> {
        let mut known: HashMap<Vec<u32>, usize> = HashMap::default();
        let (mut classed, mut targets) = (Vec::new(), Vec::new());
        for &(low, high) in ranges {
            let Some(character) = char::from_u32(low) else { continue };
            let of = |dfa: &Dfa| -> Vec<u32> {
                (0..dfa.len() as u32).map(|state| dfa.after_character(state, character)).collect()
            };
            let after = kinds.each_ref().map(of);
            let class = *known.entry(after.concat()).or_insert(targets.len());
            if class == targets.len() {
                targets.push(after);
            }
            classed.push((low, high, class));
        }
        let classes = targets.len();
        let [left, right] = kinds;
        let kind = |number: usize, dfa: Dfa| {
            let states = (0..dfa.len()).flat_map(|state| targets.iter().map(move |after| after[number][state]));
            Kind::new(states.collect(), classes, dfa, limit)
        };
        Ok(Fitting { kinds: [kind(0, left)?, kind(1, right)?], ranges: classed, classes })
    }

    /// The automaton of the texts of ASCII that one character beyond it makes a label.
    pub(super) fn basic(&self, kind: usize) -> &Dfa {
        &self.kinds[kind].basic
    }

    /// The greatest character.
    pub(super) fn greatest(&self) -> u32 {
        self.ranges.last().map_or(0, |(_, high, _)| *high)
    }

    /// The most characters of a label.
    pub(super) fn longest(&self) -> u32 {
        let longest = self.kinds.iter().map(|kind| kind.dfa.longest(|byte| u32::from(byte & 0xC0 != 0x80)));
        longest.flatten().max().unwrap_or(0)
    }

    fn symbol(&self, character: char) -> Option<Symbol> {
        if character.is_ascii() {
            return Some(Symbol::Byte(character as u8));
        }
        let character = u32::from(character);
        let place = self.ranges.partition_point(|&(_, high, _)| high < character);
        self.ranges.get(place).filter(|(low, ..)| *low <= character).map(|(.., class)| Symbol::Class(*class))
    }

    /// What the automata tell apart of a text; `None` if no label has all of its characters.
    pub(super) fn symbols(&self, text: &[char]) -> Option<Vec<Symbol>> {
        text.iter().map(|&character| self.symbol(character)).collect()
    }

    fn step(&self, kind: &Kind, state: u32, symbol: Symbol) -> Option<u32> {
        let next = match symbol {
            Symbol::Byte(byte) => kind.dfa.next(state, byte),
            Symbol::Class(class) => kind.after[state as usize * self.classes + class],
        };
        (next != 0).then_some(next)
    }

    fn accepts(&self, kind: &Kind, state: u32, symbols: &[Symbol]) -> bool {
        let end = symbols.iter().try_fold(state, |state, &symbol| self.step(kind, state, symbol));
        end.is_some_and(|state| kind.dfa.accepts_at(state))
    }

    /// The kind of the label that a text is, among those that are allowed.
    pub(super) fn kind(&self, allowed: [bool; 2], text: &[Symbol]) -> Option<usize> {
        let mut kinds = self.kinds.iter().zip(allowed);
        kinds.position(|(kind, allowed)| allowed && self.accepts(kind, kind.dfa.start(), text))
    }

    /// Where one more character makes a text a label of a kind that is allowed.
    pub(super) fn places(&self, allowed: [bool; 2], text: &[Symbol]) -> Places {
        let mut places = Places(vec![[0, 0]; self.classes]);
        for (number, kind) in self.kinds.iter().enumerate().filter(|(number, _)| allowed[*number]) {
            let mut state = kind.dfa.start();
            for place in 0..=text.len() {
                let row = state as usize * self.classes;
                // Many classes lead to one state.
                let mut last = (0, false);
                for (of_class, &next) in places.0.iter_mut().zip(&kind.after[row..row + self.classes]) {
                    if next != last.0 {
                        last = (next, next != 0 && self.accepts(kind, next, &text[place..]));
                    }
                    of_class[number] |= u64::from(last.1) << place;
                }
                match text.get(place).and_then(|&symbol| self.step(kind, state, symbol)) {
                    Some(next) => state = next,
                    None => break,
                }
            }
        }
        places
    }

    /// What is found for the first range from a character on in which anything is, whose characters fit somewhere. It gets the least
    /// character, the greatest, and the kind of the label with one of these at a place.
    pub(super) fn find<T>(
        &self,
        places: &Places,
        from: u32,
        mut find: impl FnMut(u32, u32, &dyn Fn(usize) -> Option<usize>) -> Option<T>,
    ) -> Option<T> {
        let first = self.ranges.partition_point(|&(_, high, _)| high < from);
        let mut ranges = self.ranges[first..].iter().filter(|(.., class)| places.has(*class));
        ranges.find_map(|&(low, high, class)| find(low, high, &|place| places.kind(class, place)))
    }

    /// The same for all ranges, whether their characters fit or not.
    pub(super) fn find_any<T>(&self, from: u32, mut find: impl FnMut(u32, u32) -> Option<T>) -> Option<T> {
        let first = self.ranges.partition_point(|&(_, high, _)| high < from);
        self.ranges[first..].iter().find_map(|&(low, high, _)| find(low, high))
    }
}

impl Kind {
    fn new(after: Vec<u32>, classes: usize, dfa: Dfa, limit: usize) -> Result<Kind, TooManyStates> {
        let with_one = |state: u32| {
            let row = state as usize * classes;
            after[row..row + classes].iter().copied().filter(|&next| next != 0)
        };
        let sorted = |mut states: Vec<u32>| {
            states.sort_unstable();
            states.dedup();
            states
        };
        // The state without a character more, and those with one.
        let start = (dfa.start(), sorted(with_one(dfa.start()).collect()));
        let (class_of, bytes) = dfa.classes_with(|byte| byte.is_ascii());
        let step = |(without, with): &(u32, Vec<u32>), class: usize| {
            let byte = bytes[class];
            if !byte.is_ascii() {
                return None;
            }
            let without = dfa.next(*without, byte);
            let with = with.iter().map(|&state| dfa.next(state, byte)).filter(|&state| state != 0);
            let with = sorted(with.chain(with_one(without)).collect());
            (without != 0 || !with.is_empty()).then_some((without, with))
        };
        let accepts = |(_, with): &(u32, Vec<u32>)| with.iter().any(|&state| dfa.accepts_at(state));
        let basic = Dfa::build(|byte| class_of[usize::from(byte)], bytes.len(), start, limit, step, accepts)?;
        Ok(Kind { dfa, after, basic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex::{self, Dialect};

    #[test]
    fn a_character_fits_where_the_text_with_it_is_a_label() {
        let limits = DfaLimits { states: 1000, bytes: 1 << 20 };
        let regexes = ["[a-z](-?[a-zä-æè-ü]){0,3}|l·l|[あ-ん]*・[あ-ん]*", "א(-?[א-ת0-9]){0,2}"];
        let whole = |regex: &str| regex::whole(&format!("({regex})"), Dialect::Ecma, limits).expect("small");
        let ranges = regex::ranges_beyond_ascii(&regexes.join("|"), Dialect::Ecma).expect("a regex");
        let (kinds, others) = (regexes.map(whole), regexes.map(whole));
        let fitting = Fitting::new(kinds, &ranges, 1000).expect("small");
        assert!(fitting.classes < ranges.len());
        assert!(fitting.greatest() == u32::from('・') && fitting.symbols(&['ß']).is_none());
        let characters = ['a', 'l', '-', '0', 'ä', '·', 'א', 'ב', 'あ', '・'];
        let mut texts: Vec<Vec<char>> = vec![Vec::new()];
        for length in 0..3 {
            let longest: Vec<_> = texts.iter().filter(|text| text.len() == length).cloned().collect();
            texts.extend(longest.iter().flat_map(|text| characters.map(|other| [&**text, &[other]].concat())));
        }
        for text in texts {
            let is_of = |kind: usize, text: &[char]| others[kind].accepts(text.iter().collect::<String>().as_bytes());
            let symbols = fitting.symbols(&text).expect("known");
            let places = fitting.places([true, true], &symbols);
            assert_eq!(fitting.kind([true, true], &symbols), (0..2).find(|&kind| is_of(kind, &text)), "{text:?}");
            let mut fits = [false; 2];
            for character in characters.into_iter().filter(|character| !character.is_ascii()) {
                let Some(Symbol::Class(class)) = fitting.symbol(character) else { unreachable!("of a class") };
                for place in 0..=text.len() {
                    let longer = [&text[..place], &[character], &text[place..]].concat();
                    let kind = (0..2).find(|&kind| is_of(kind, &longer));
                    assert_eq!(places.kind(class, place), kind, "{longer:?}");
                    kind.into_iter().for_each(|kind| fits[kind] = true);
                }
            }
            if text.iter().all(char::is_ascii) {
                let basic: Vec<u8> = text.iter().map(|&character| character as u8).collect();
                assert_eq!([0, 1].map(|kind| fitting.basic(kind).accepts(&basic)), fits, "{text:?}");
            }
        }
    }
}
