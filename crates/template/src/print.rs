//! `printf`: verbs, flags, widths and what Go writes in place of a wrong argument.

use streamflow_gotext::{exponential, fixed, general, hexadecimal, quote, quote_char, shortest};

use super::value::Value;

/// Go refuses larger widths and precisions too.
const WIDTH_MAX: usize = 1_000_000;
/// Of one whole text, so that no format fills the memory.
const LENGTH_MAX: usize = 10_000_000;

#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The arguments in the places of the verbs.
pub fn printf(format: &str, arguments: &[Value]) -> String {
    let mut text = String::with_capacity(format.len());
    let mut printer = Printer { arguments, next: 0, reordered: false };
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = printer.verb(&rest[at + 1..], &mut text);
        if text.len() > LENGTH_MAX {
            return text;
        }
    }
    text.push_str(rest);
    if !printer.reordered && printer.next < arguments.len() {
        let extra: Vec<String> = arguments[printer.next..].iter().map(typed).collect();
        text.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    text
}

fn typed(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".to_owned(),
        value => format!("{}={}", value.type_name(), value.text()),
    }
}

struct Printer<'a> {
    arguments: &'a [Value],
    next: usize,
    reordered: bool,
}

impl Printer<'_> {
    /// Writes the verb that `rest` begins with, after its `%`; what follows it.
    fn verb<'f>(&mut self, rest: &'f str, text: &mut String) -> &'f str {
        let mut verb = Verb::default();
        let mut rest = flags(rest, &mut verb);
        let mut good_index = true;
        rest = self.index(rest, &mut good_index);
        rest = self.size(rest, &mut verb.width, "%!(BADWIDTH)", text);
        if let Some(after) = rest.strip_prefix('.') {
            verb.precision = Some(0);
            rest = self.index(after, &mut good_index);
            rest = self.size(rest, &mut verb.precision, "%!(BADPREC)", text);
        }
        rest = self.index(rest, &mut good_index);
        let Some(letter) = rest.chars().next() else {
            text.push_str("%!(NOVERB)");
            return rest;
        };
        if letter == '%' {
            text.push('%');
        } else if !good_index {
            text.push_str(&format!("%!{letter}(BADINDEX)"));
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            text.push_str(&verb.write(letter, argument));
        } else {
            text.push_str(&format!("%!{letter}(MISSING)"));
        }
        &rest[letter.len_utf8()..]
    }

    /// `[2]`: the argument to take next.
    fn index<'f>(&mut self, rest: &'f str, good: &mut bool) -> &'f str {
        let Some(inner) = rest.strip_prefix('[') else { return rest };
        self.reordered = true;
        let Some((number, after)) = inner.split_once(']') else {
            *good = false;
            return &rest[1..];
        };
        match number.parse::<usize>() {
            Ok(number) if number >= 1 && number <= self.arguments.len() => self.next = number - 1,
            _ => *good = false,
        }
        after
    }

    /// A width or precision, from the text or for `*` from an argument.
    fn size<'f>(&mut self, rest: &'f str, size: &mut Option<usize>, bad: &str, text: &mut String) -> &'f str {
        if let Some(after) = rest.strip_prefix('*') {
            let argument = self.arguments.get(self.next);
            self.next += 1;
            match argument {
                Some(Value::Int(value)) => match usize::try_from(*value) {
                    Ok(value) if value <= WIDTH_MAX => *size = Some(value),
                    _ => text.push_str(bad),
                },
                _ => text.push_str(bad),
            }
            return after;
        }
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            match rest[..digits].parse() {
                Ok(value) if value <= WIDTH_MAX => *size = Some(value),
                _ => text.push_str(bad),
            }
        }
        &rest[digits..]
    }
}

fn flags<'f>(mut rest: &'f str, verb: &mut Verb) -> &'f str {
    while let Some(c) = rest.chars().next() {
        match c {
            '-' => (verb.minus, verb.zero) = (true, false),
            '+' => verb.plus = true,
            '#' => verb.sharp = true,
            ' ' => verb.space = true,
            '0' => verb.zero = !verb.minus,
            _ => break,
        }
        rest = &rest[1..];
    }
    rest
}

impl Verb {
    fn write(&self, letter: char, value: &Value) -> String {
        if letter == 'T' {
            return self.pad(value.type_name().to_owned(), false);
        }
        let (text, is_number) = match value {
            Value::Bool(value) if matches!(letter, 't' | 'v') => (Some(value.to_string()), false),
            Value::Int(value) => (self.int(letter, *value), !matches!(letter, 'c' | 'q' | 'U')),
            Value::Float(value) => (self.float(letter, *value), value.is_finite()),
            Value::String(text) | Value::Html(text) => (self.string(letter, text), false),
            Value::Nil if letter == 'v' => (Some("<nil>".to_owned()), false),
            Value::Nil => return format!("%!{letter}(<nil>)"),
            other if matches!(letter, 'v' | 's') => (Some(other.text()), false),
            _ => (None, false),
        };
        match text {
            Some(text) => self.pad(text, is_number),
            None => format!("%!{letter}({})", typed(value)),
        }
    }

    fn int(&self, letter: char, value: i64) -> Option<String> {
        let digits = value.unsigned_abs();
        let (prefix, digits) = match letter {
            'd' | 'v' => ("", digits.to_string()),
            'b' => ("0b", format!("{digits:b}")),
            'o' => ("0", format!("{digits:o}")),
            'O' => ("0o", format!("{digits:o}")),
            'x' => ("0x", format!("{digits:x}")),
            'X' => ("0X", format!("{digits:X}")),
            'c' | 'q' => {
                let c =
                    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                return Some(if letter == 'c' { c.to_string() } else { quote_char(c) });
            }
            'U' => return Some(format!("U+{digits:04X}")),
            _ => return None,
        };
        let prefix = if self.sharp || letter == 'O' { prefix } else { "" };
        let zeros = self.precision.unwrap_or(0).saturating_sub(digits.len());
        Some(format!("{}{prefix}{}{digits}", self.sign(value < 0), "0".repeat(zeros)))
    }

    fn float(&self, letter: char, value: f64) -> Option<String> {
        let text = match letter {
            'v' | 'g' => self.general(value),
            'G' => self.general(value).to_uppercase(),
            'e' => exponential(value, Some(self.precision.unwrap_or(6))),
            'E' => exponential(value, Some(self.precision.unwrap_or(6))).to_uppercase(),
            'f' | 'F' => fixed(value, Some(self.precision.unwrap_or(6))),
            'x' => hexadecimal(value),
            'X' => hexadecimal(value).to_uppercase(),
            _ => return None,
        };
        // Names of infinity keep their case and a sign only where it is asked for.
        Some(match (value.is_nan(), value.is_infinite()) {
            (true, _) if self.plus => "+NaN".to_owned(),
            (true, _) => "NaN".to_owned(),
            (_, true) if value < 0.0 => "-Inf".to_owned(),
            (_, true) => "+Inf".to_owned(),
            _ if text.starts_with('-') => text,
            _ => format!("{}{text}", self.sign(false)),
        })
    }

    fn general(&self, value: f64) -> String {
        self.precision.map_or_else(|| shortest(value).to_string(), |digits| general(value, digits))
    }

    fn string(&self, letter: char, text: &str) -> Option<String> {
        let cut: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        Some(match letter {
            's' | 'v' => cut,
            'q' if self.sharp && !cut.contains('`') => format!("`{cut}`"),
            'q' => quote(&cut),
            'x' => cut.bytes().map(|byte| format!("{byte:02x}")).collect(),
            'X' => cut.bytes().map(|byte| format!("{byte:02X}")).collect(),
            _ => return None,
        })
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    /// To the width: blanks, or for numbers zeros after the sign.
    fn pad(&self, text: String, is_number: bool) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if missing == 0 {
            return text;
        }
        if self.minus {
            return text + &" ".repeat(missing);
        }
        if self.zero && is_number {
            let sign = usize::from(text.starts_with(['-', '+', ' ']));
            return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
        }
        " ".repeat(missing) + &text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints() {
        let (one, half, text) = (Value::Int(1), Value::Float(0.5), Value::String("a\"b".to_owned()));
        for (format, arguments, expected) in [
            ("%d", vec![one.clone()], "1"),
            (
                "%05d|%-5d|%+d|%x",
                vec![one.clone(), one.clone(), one.clone(), Value::Int(255)],
                "00001|1    |+1|ff",
            ),
            (
                "%.2f %e %g %v",
                vec![half.clone(), half.clone(), half.clone(), half.clone()],
                "0.50 5.000000e-01 0.5 0.5",
            ),
            (
                "%s %q %.1s %x",
                vec![text.clone(), text.clone(), text.clone(), text.clone()],
                "a\"b \"a\\\"b\" a 612262",
            ),
            ("%t %%", vec![Value::Bool(true)], "true %"),
            ("%d", vec![half.clone()], "%!d(float64=0.5)"),
            ("%s", vec![half.clone()], "%!s(float64=0.5)"),
            ("%d", vec![], "%!d(MISSING)"),
            ("%", vec![], "%!(NOVERB)"),
            ("x", vec![one.clone()], "x%!(EXTRA int=1)"),
            ("%[2]d %[1]d", vec![one.clone(), Value::Int(2)], "2 1"),
            ("%[3]d", vec![one.clone()], "%!d(BADINDEX)"),
            ("%*d", vec![Value::Int(3), one.clone()], "  1"),
            ("%99999999d", vec![one.clone()], "%!(BADWIDTH)1"),
            ("%06.2f", vec![Value::Float(-1.5)], "-01.50"),
            ("%T", vec![half], "float64"),
            ("%+.3g", vec![Value::Float(1234.5)], "+1.23e+03"),
        ] {
            assert_eq!(printf(format, &arguments), expected, "{format}");
        }
    }
}
