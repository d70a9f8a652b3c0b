//! One field of a cron expression as a set of numbers.

/// What may stand in a field.
pub(crate) struct Kind {
    name: &'static str,
    first: u8,
    last: u8,
    /// Names of the numbers from [`Kind::first`] on.
    names: &'static [&'static str],
}

/// The fields in their order.
pub(crate) const KINDS: [Kind; 5] = [
    Kind { name: "minute", first: 0, last: 59, names: &[] },
    Kind { name: "hour", first: 0, last: 23, names: &[] },
    Kind { name: DAY_OF_MONTH, first: 1, last: 31, names: &[] },
    Kind {
        name: "month",
        first: 1,
        last: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    // Sunday is 0 and 7.
    Kind { name: DAY_OF_WEEK, first: 0, last: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];
const DAY_OF_MONTH: &str = "day-of-month";
const DAY_OF_WEEK: &str = "day-of-week";

/// The numbers of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    /// A bit for each number.
    pub(crate) bits: u64,
    /// Its text begins with `*`.
    pub(crate) starred: bool,
    /// It names the last day of a month.
    pub(crate) last_day: bool,
}

impl Field {
    /// The error says where, what was expected and what to write instead.
    pub(crate) fn parse(kind: &Kind, text: &str) -> Result<Self, String> {
        let mut field = Self { bits: 0, starred: text.starts_with('*'), last_day: false };
        for item in text.split(',') {
            if kind.name == DAY_OF_MONTH && item.eq_ignore_ascii_case("L") {
                field.last_day = true;
            } else {
                field.bits |= numbers(kind, item)
                    .map_err(|reason| format!("{item:?} in the {} field: {reason}", kind.name))?;
            }
        }
        if kind.name == DAY_OF_WEEK {
            field.bits = (field.bits | field.bits >> 7) & 0x7f;
        }
        Ok(field)
    }
}

/// The numbers of `*`, `5`, `1-5`, `*/15` or `0-30/10`.
fn numbers(kind: &Kind, item: &str) -> Result<u64, String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let (low, high) = match (range, range.split_once('-')) {
        ("*", _) => (kind.first, kind.last),
        (_, Some((low, high))) => {
            let (low, high) = (number(kind, low)?, number(kind, high)?);
            // A week may end with its Sunday, as in `FRI-SUN`.
            let ends_week = kind.name == DAY_OF_WEEK && high == 0 && low > 0;
            (low, if ends_week { kind.last } else { high })
        }
        (single, None) => {
            let low = number(kind, single)?;
            if let Some(step) = step {
                return Err(format!("a step needs a range; write `{low}-{}/{step}`", kind.last));
            }
            (low, low)
        }
    };
    if low > high {
        return Err(format!(
            "the range runs backwards; write it in two, `{low}-{},{}-{high}`",
            kind.last, kind.first
        ));
    }
    let step = step.map_or(Ok(1), |step| step_width(kind, step))?;
    Ok((low..=high).step_by(step.into()).fold(0, |bits, number| bits | 1 << number))
}

fn number(kind: &Kind, text: &str) -> Result<u8, String> {
    if let Some(place) = kind.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(kind.first + u8::try_from(place).expect("twelve names at most"));
    }
    match whole(text) {
        Some(number) if (kind.first..=kind.last).contains(&number) => Ok(number),
        Some(_) => Err(expected(kind)),
        None => Err(foreign(text).map_or_else(|| expected(kind), str::to_owned)),
    }
}

fn step_width(kind: &Kind, text: &str) -> Result<u8, String> {
    let span = kind.last - kind.first + 1;
    whole(text).filter(|step| (1..=span).contains(step)).ok_or_else(|| {
        format!("expected a step from 1 to {span}; longer steps than the field has are intervals (`every`)")
    })
}

fn whole(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn expected(kind: &Kind) -> String {
    let Kind { first, last, .. } = kind;
    let names = match kind.names {
        [first, .., last] => format!(" or {first}-{last}"),
        _ => String::new(),
    };
    let last_day = if kind.name == DAY_OF_MONTH { " or `L` for the last day" } else { "" };
    format!(
        "expected {first}-{last}{names}{last_day}, as `*`, a number, a range `a-b`, a step `*/n` or a list `a,b`"
    )
}

/// What other systems read here, with what to write instead.
fn foreign(text: &str) -> Option<&'static str> {
    if text.contains('?') {
        return Some("`?` is not read; write `*`");
    }
    if text.contains('#') {
        return Some("`#` (the nth weekday of a month) is not read; name days of the month or of the week");
    }
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    match letters.to_ascii_uppercase().as_str() {
        "H" | "R" => Some("`H` and `R` (any number) are not read; write the number"),
        "W" | "LW" => Some("`W` (the nearest working day) is not read; write the day itself"),
        "L" => {
            Some("`L` (the last day of a month) stands for itself in the day-of-month field; write `L` there")
        }
        _ => None,
    }
}
