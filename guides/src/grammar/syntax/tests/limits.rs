use super::assert_refused;
use crate::grammar::syntax::read;
use crate::grammar::syntax::show::show;

/// The message about a text that is too big.
fn refusal(text: &str) -> String {
    read(text).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn nesting_is_read_up_to_its_limit() {
    let remedy = "make rules of inner groups";
    let gbnf = |depth: usize| format!("root ::= {}\"a\"{}", "(".repeat(depth), ")?".repeat(depth));
    assert!(read(&gbnf(199)).is_ok());
    let too_deep = |column: usize| {
        format!(
            "grammar at line 1, column {column}: too big: levels of groups and repetitions in each other (limit 200); {remedy}"
        )
    };
    assert_refused(&[(&gbnf(200), &too_deep(209)), (&gbnf(1_000_000), &too_deep(209))]);
    let operators = |count: usize| format!("root ::= \"a\"{}", "*".repeat(count));
    assert!(read(&operators(199)).is_ok());
    assert_refused(&[(&operators(1_000_000), &too_deep(212))]);
    let lark = |depth: usize| format!("start: {}\"a\"{}", "[".repeat(depth), "]*".repeat(depth));
    assert!(read(&lark(199)).is_ok());
    assert_refused(&[(&lark(200), &too_deep(207)), (&lark(1_000_000), &too_deep(207))]);
    let arguments = |depth: usize| format!("t{{x}}: x\nstart: {}\"a\"{}", "t{".repeat(depth), "}".repeat(depth));
    assert!(read(&arguments(199)).is_ok());
    assert!(refusal(&arguments(1_000_000)).contains("(limit 200)"));
}

#[test]
fn sizes_are_read_up_to_their_limits() {
    let counts = "too big: count of repetitions (limit 1000000); leave the greatest count out, or repeat a longer part fewer times";
    assert!(read("root ::= \"a\"{1000000}").is_ok());
    assert_refused(&[
        ("root ::= \"a\"{1000001}", &format!("grammar at line 1, column 13: {counts}")),
        ("root ::= \"a\"{2,4294967295}", &format!("grammar at line 1, column 13: {counts}")),
        ("start: \"a\"~1000001", &format!("grammar at line 1, column 11: {counts}")),
    ]);
    assert_eq!(
        refusal(&" ".repeat((4 << 20) + 1)),
        "guide: too big: bytes of the grammar (limit 4194304); give a smaller grammar"
    );
    let smaller = "give a smaller grammar, with fewer uses of large templates";
    let rules = |count: usize| (0..count).map(|n| format!("r{n} ::= \"a\"\n")).collect::<String>();
    assert!(read(&format!("{}root ::= \"a\"", rules(99_999))).is_ok());
    let message = format!("grammar at line 100001, column 1: too big: rules (limit 100000); {smaller}");
    assert_refused(&[(&format!("{}root ::= \"a\"", rules(100_000)), &message)]);
    assert!(read(&format!("root ::= {}", " .".repeat(1_048_576))).is_ok());
    let parts = refusal(&format!("root ::= {}", " .".repeat(1_048_577)));
    assert_eq!(
        parts,
        format!("grammar at line 1, column 2097163: too big: parts of all rules (limit 1048576); {smaller}")
    );
}

#[test]
fn templates_are_expanded_up_to_a_limit() {
    assert!(refusal("start: t{\"a\"}\nt{x}: x t{u{x}}\nu{x}: x").contains("too big: characters of all literals"));
    // Each level uses the one below twice, but instances with equal arguments are one.
    let levels: String = (1..60).map(|n| format!("t{n}{{x}}: t{}{{x}} t{}{{x}}\n", n - 1, n - 1)).collect();
    let text = format!("start: t59{{\"a\"}}\nt0{{x}}: x\n{levels}");
    assert_eq!(read(&text).map(|grammar| grammar.rules.len()), Ok(61));
    let copies = format!("start: t{{\"{}\"}}\nt{{x}}: {}", "a".repeat(100_000), "x ".repeat(100));
    assert!(refusal(&copies).contains("too big: characters of all literals (limit 4194304)"));
}

#[test]
fn a_large_grammar_of_each_kind_is_read() {
    let literal = "é".repeat(2_000_000);
    for text in [
        format!("root ::= \"{literal}\""),
        format!("start: \"{literal}\""),
        format!("start: /{literal}/"),
        format!("start: \"a\"\n{}", "// comment\n\n".repeat(340_000)),
        format!("root ::= \"a\"{}", "\n# comment".repeat(400_000)),
        format!("root ::= a\na ::= \"a\"{}", "\na\n\n".repeat(500_000)),
        format!("start: {}\nB: \"b\"", "B ".repeat(1_000_000)),
        format!("start: \"a\"{}", "\n|".repeat(1_000_000)),
        format!("start: \"a\" {}", "\\\n".repeat(1_000_000)),
        format!("start: %json {{\"const\": \"{literal}\"}}"),
        format!("root ::= [{literal}]"),
        format!("A0: \"a\"\n{}start: A50000", (1..=50_000).map(|n| format!("A{n}: A{}\n", n - 1)).collect::<String>()),
    ] {
        assert_eq!(refusal(&text), "", "{}", text.chars().take(40).collect::<String>());
    }
    let chunks = vec!["\"a\""; 10_000].join(",");
    let grammar = read(&format!("start: %regex {{\"substring_chunks\": [{chunks}]}}")).expect("a grammar");
    assert_eq!((grammar.rules.len(), show(&grammar).lines().count()), (10_001, 10_001));
}
