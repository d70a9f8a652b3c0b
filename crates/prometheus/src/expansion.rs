//! Variables in texts, as Go's `os.Expand` finds them.

/// The text with every `$name` and `${name}` replaced by its value; `$$` is a dollar. A dollar before anything else stands
/// for itself, and what is no variable in braces is left out, as Go does.
pub fn expand(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, length) = variable(after);
        match name {
            "$" => expanded.push('$'),
            "" if length == 0 => expanded.push('$'),
            "" => {}
            name => expanded.push_str(&value(name)),
        }
        rest = &after[length..];
    }
    expanded.push_str(rest);
    expanded
}

/// The name of the variable that the text begins with, and how many bytes it takes with its braces.
fn variable(text: &str) -> (&str, usize) {
    if let Some(inner) = text.strip_prefix('{') {
        return match inner.find('}') {
            Some(0) => ("", 2),
            Some(end) => (&inner[..end], end + 2),
            // The brace is left out, and what it was to hold is text.
            None => ("", 1),
        };
    }
    if text.starts_with(|c: char| "*#$@!?-0123456789".contains(c)) {
        return (&text[..1], 1);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (&text[..end], end)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn texts_are_expanded() {
        for (text, expected) in [
            ("plain é", "plain é"),
            ("${A}", "<A>"),
            ("x${A}y$B_1-z", "x<A>y<B_1>-z"),
            ("$$x", "$x"),
            ("${$}", "$"),
            ("a$", "a$"),
            ("a$ b", "a$ b"),
            ("$é", "$é"),
            ("${}", ""),
            ("${A", "A"),
            ("$1x", "<1>x"),
            ("${a b}", "<a b>"),
        ] {
            assert_eq!(expand(text, |name| format!("<{name}>")), expected, "{text}");
        }
    }
}
