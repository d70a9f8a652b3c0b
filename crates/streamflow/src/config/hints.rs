//! What is said beside an error of TOML or serde, so that it tells what to write.

use super::nearest;

/// A remedy for the error, where one is known.
pub fn of(error: &toml::de::Error, text: &str) -> Option<String> {
    suggestion(error.message()).or_else(|| example(error, text)).or_else(|| first_place(error, text))
}

/// Where a table or key that stands twice stands for the first time: the file that `init` writes names every table, and
/// lines of the docs that are put behind it name one again.
fn first_place(error: &toml::de::Error, text: &str) -> Option<String> {
    if !error.message().starts_with("duplicate key") {
        return None;
    }
    let above = text.get(..error.span()?.start)?.matches('\n').count();
    let (again, meant) = (above + 1, text.lines().nth(above)?);
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let first = text.lines().position(|line| key(line) == key(meant))? + 1;
    let what = key(meant);
    (first < again)
        .then(|| format!("{what} stands in line {first}; put it there, and leave line {again} out"))
}

/// `did you mean …` for serde's "unknown field `x`, expected one of `a`, `b`".
pub fn suggestion(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, known) = quoted.split_first()?;
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    nearest(unknown, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
}

/// What a key takes whose value is of another kind, with an example.
fn example(error: &toml::de::Error, text: &str) -> Option<String> {
    const EXAMPLES: [(&[&str], &str); 2] = [
        (&["listen"], "an address with a port up to 65535, such as \"127.0.0.1:8000\""),
        (
            &["timeout", "cache_for", "max_age_of_success", "retry_delays"],
            "a length of time in quotes, such as \"30s\", \"2h\" or \"35d\"",
        ),
    ];
    let before = text.get(..error.span()?.start)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let key = text[start..].lines().next()?.split_once('=')?.0.trim();
    let (_, expected) = EXAMPLES.iter().find(|(keys, _)| keys.contains(&key))?;
    Some(format!("{key} takes {expected}"))
}
