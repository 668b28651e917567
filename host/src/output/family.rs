//! The ways in which models write tool calls, as data.

/// One way of writing tool calls: that of a family of models that were trained on it.
#[derive(Debug)]
pub struct Family {
    /// Its name on the command line, by which answers and logs speak of it.
    pub name: &'static str,
    /// Further names, those of vLLM's parsers. Several families may share one: the template says which of them it is.
    pub aliases: &'static [&'static str],
    /// What a chat template of the family contains: all texts of one of these lists.
    pub markers: &'static [&'static [&'static str]],
    /// Where calls stand in a message, and what stands around all of them.
    pub section: Section,
    /// How one call is written.
    pub call: Call,
    /// What the ids of calls look like.
    pub ids: Ids,
    /// Names of tokens that end a turn of the family, beside those that the model's files name.
    pub end_of_turn: &'static [&'static str],
}

/// What stands around and between the calls of a message. White space at the ends of these texts is preferred, not demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where calls may begin.
    pub place: Place,
    /// Before the first call; empty where each call has its own beginning.
    pub begin: &'static str,
    /// Between two calls.
    pub between: &'static str,
    /// After the last call.
    pub end: &'static str,
}

/// Where in a message calls may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// After any text.
    Anywhere,
    /// Where the message begins: later the same text is prose.
    Start,
}

/// How one call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `begin{"NAME_KEY": "N", "ARGUMENTS_KEY": {…}}end`. Other members are skipped.
    Object {
        /// Before the object.
        begin: &'static str,
        /// The key of the function's name.
        name: &'static str,
        /// The key of the arguments.
        arguments: &'static str,
        /// After the object.
        end: &'static str,
    },
    /// `begin N after_name {…} end`, the arguments being a JSON object.
    Named {
        /// Before the name.
        begin: &'static str,
        /// Whether a colon and the number of the call follow the name.
        is_numbered: bool,
        /// Between the name and the arguments; empty where the arguments' brace ends the name.
        after_name: &'static str,
        /// After the arguments.
        end: &'static str,
    },
    /// A text of tags, each argument in a pair of its own.
    Tagged(Tags),
    /// `N(key=value, …)` with Python's literals.
    Python,
    /// `call:N{key:value, …}` with bare keys, and strings between quotes of the family's own.
    Bare {
        /// Before the name.
        begin: &'static str,
        /// What stands before and after a string.
        quote: &'static str,
        /// After the closing brace.
        end: &'static str,
    },
    /// A message of a channel of its own, with the arguments as a JSON object.
    Channel,
}

/// The tags of a call whose arguments each stand in a pair of tags. Strings stand there as they are, all else as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags {
    /// Before the function's name.
    pub begin: &'static str,
    /// After the function's name.
    pub after_name: &'static str,
    /// Before the name of an argument.
    pub open: &'static str,
    /// After the name of an argument.
    pub after_key: &'static str,
    /// Whether the tag says if the value is a string: `string="true">` or `string="false">` stands before `after_key`'s end.
    pub says_string: bool,
    /// After the value of an argument.
    pub close: &'static str,
    /// After the last argument.
    pub end: &'static str,
}

/// What the ids of calls look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// `call_` and 24 letters and digits.
    Call,
    /// Nine letters and digits.
    Nine,
    /// `functions.N:I`, the call being the I-th of the conversation.
    Numbered,
}

impl Call {
    /// What a call begins with.
    #[must_use]
    pub fn begin(&self) -> &'static str {
        match self {
            Self::Object { begin, .. } | Self::Named { begin, .. } | Self::Bare { begin, .. } => begin,
            Self::Tagged(tags) => tags.begin,
            Self::Python | Self::Channel => "",
        }
    }
}

impl Family {
    /// All texts that stand in its calls.
    pub(super) fn texts(&self) -> Vec<&'static str> {
        let Section { begin, between, end, .. } = self.section;
        let mut texts = vec![begin, between, end];
        match self.call {
            Call::Object { begin, end, .. } => texts.extend([begin, end]),
            Call::Named { begin, after_name, end, .. } => texts.extend([begin, after_name, end]),
            Call::Tagged(tags) => {
                texts.extend([tags.begin, tags.after_name, tags.open, tags.after_key, tags.close, tags.end]);
            }
            Call::Python => {}
            Call::Channel => texts.extend(super::channels::texts()),
            Call::Bare { begin, quote, end } => texts.extend([begin, quote, end]),
        }
        texts
    }

    /// Whether a guide can hold a model to this way of writing. What it can't, is described to the model in another way.
    #[must_use]
    pub fn is_guidable(&self) -> bool {
        !matches!(self.call, Call::Bare { .. })
    }

    /// The text by which a call is recognised, without the white space around it. What follows it belongs to a call.
    #[must_use]
    pub fn trigger(&self) -> &'static str {
        let text = if self.section.begin.is_empty() { self.call.begin() } else { self.section.begin };
        text.trim()
    }

    /// The family of this name, or the first of those that have it as a further name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        let exact = super::families::FAMILIES.iter().find(|family| family.name == name);
        exact.or_else(|| Self::all_named(name).next())
    }

    /// All families that share a name.
    pub fn all_named(name: &str) -> impl Iterator<Item = &'static Self> {
        super::families::FAMILIES.iter().filter(move |family| family.name == name || family.aliases.contains(&name))
    }
}
