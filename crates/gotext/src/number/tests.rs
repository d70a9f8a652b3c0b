//! What Go gives, chosen for the reader; `tests/golden.rs` has more of it.

use super::*;

const INF: f64 = f64::INFINITY;

#[test]
fn integers_are_read() {
    let syntax = |text: &str| format!("strconv.ParseInt: parsing \"{text}\": invalid syntax");
    let range = |text: &str| format!("strconv.ParseInt: parsing \"{text}\": value out of range");
    for (text, expected) in [
        ("0", 0),
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0X_1f", 31),
        ("017", 15),
        ("0_17", 15),
        ("0o17", 15),
        ("0b101", 5),
        ("-0b1", -1),
        ("1_000", 1000),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(parse_int(text), Ok(expected), "{text}");
    }
    for text in ["", "-", "+-1", "0x", "08", "0b2", "1_", "_1", "1__0", "1.0", "1e3", "x", "é"] {
        assert_eq!(parse_int(text).unwrap_err().to_string(), syntax(text));
    }
    for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999999"] {
        assert_eq!(parse_int(text).unwrap_err().to_string(), range(text));
    }
}

#[test]
fn floats_are_read() {
    for (text, expected) in [
        ("1", 1.0),
        ("+1.", 1.0),
        ("-.5e3", -500.0),
        ("1E5", 1e5),
        ("Inf", INF),
        ("-infINITY", -INF),
        ("4.9e-324", 5e-324),
        ("1e-400", 0.0),
    ] {
        assert_eq!(parse_float(text), Ok(expected), "{text}");
        assert_eq!(parse_decimal(text), Some(expected), "{text}");
    }
    for text in ["nan", "NaN", "NAN"] {
        assert_eq!(parse_float(text).unwrap().to_bits(), NAN, "{text}");
        assert_eq!(parse_decimal(text).unwrap().to_bits(), NAN, "{text}");
    }
    // Underscores separate digits, but not in expositions.
    for (text, expected) in [("1_000", 1000.0), ("1_23.50_0_0e+1_2", 1.235e14)] {
        assert_eq!((parse_float(text), parse_decimal(text)), (Ok(expected), None), "{text}");
    }
    for text in ["", "+NaN", "-nan", "e5", ".", "1 ", "infinit", "1_", "_1", "1_e5", "1_.5", "1__0", "é"] {
        let message = format!("strconv.ParseFloat: parsing \"{text}\": invalid syntax");
        assert_eq!(parse_float(text).unwrap_err().to_string(), message);
        assert_eq!(parse_decimal(text), None, "{text}");
    }
    for text in ["1e400", "-1e400"] {
        let message = format!("strconv.ParseFloat: parsing \"{text}\": value out of range");
        assert_eq!(parse_float(text).unwrap_err().to_string(), message);
        assert_eq!(parse_decimal(text), None, "{text}");
    }
    assert_eq!(parse_decimal("0x10"), None);
}

#[test]
fn the_shortest_digits() {
    // strconv.FormatFloat(value, 'g', -1, 64) and encoding/json, with NaN and the infinities as Prometheus has them.
    for (value, general, json) in [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (1.0, "1", "1"),
        (21.5, "21.5", "21.5"),
        (-1.1, "-1.1", "-1.1"),
        (0.1, "0.1", "0.1"),
        (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
        (1e-4, "0.0001", "0.0001"),
        (1e-5, "1e-05", "0.00001"),
        (9.999_999_999_999_999e-5, "9.999999999999999e-05", "0.00009999999999999999"),
        (1e-6, "1e-06", "0.000001"),
        (1e-7, "1e-07", "1e-07"),
        (1.5e-10, "1.5e-10", "1.5e-10"),
        (123_456.0, "123456", "123456"),
        (999_999.999_999_999_9, "999999.9999999999", "999999.9999999999"),
        (1e6, "1e+06", "1000000"),
        (123_456_789.0, "1.23456789e+08", "123456789"),
        (1e20, "1e+20", "100000000000000000000"),
        (1e21, "1e+21", "1e+21"),
        (-1.25e100, "-1.25e+100", "-1.25e+100"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308", "2.2250738585072014e-308"),
        (5e-324, "5e-324", "5e-324"),
        (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (f64::NAN, "NaN", "NaN"),
        (INF, "+Inf", "+Inf"),
        (-INF, "-Inf", "-Inf"),
    ] {
        assert_eq!(shortest(value).to_string(), general);
        assert_eq!(shortest_json(value).to_string(), json);
    }
}

/// Prometheus 3.5.3's answers to `vector(…)`.
#[test]
fn of_two_texts_that_are_as_near_the_even_one_is_written() {
    for (value, expected) in [
        (465_324_192_579_521.0 / 16.0, "29082762036220.062"),
        (465_324_192_579_523.0 / 16.0, "29082762036220.188"),
        (5_629_499_534_213.437_5, "5629499534213.4375"),
    ] {
        assert_eq!(shortest_json(value).to_string(), expected);
    }
}

#[test]
fn other_forms() {
    for (text, expected) in [
        (exponential(1.0, None), "1e+00"),
        (exponential(12345.678, Some(2)), "1.23e+04"),
        (fixed(1e6, Some(2)), "1000000.00"),
        (fixed(0.1, None), "0.1"),
        (fixed(-0.0, None), "-0"),
        (fixed(1e21, None), "1000000000000000000000"),
        (fixed(1e-7, None), "0.0000001"),
        (fixed(INF, None), "+Inf"),
        (fixed(-INF, Some(2)), "-Inf"),
        (fixed(f64::NAN, None), "NaN"),
        (general(1234.5678, 4), "1235"),
        (general(0.123_456, 4), "0.1235"),
        (general(999.99, 4), "1000"),
        (general(99999.0, 4), "1e+05"),
        (general(0.0, 4), "0"),
        (general(123.0, 2), "1.2e+02"),
        (general(10.126, 2), "10"),
        (general(0.0, 2), "0"),
        (general(-INF, 4), "-Inf"),
        (open_metrics(1.0), "1.0"),
        (open_metrics(0.99), "0.99"),
        (open_metrics(-0.0), "-0.0"),
        (open_metrics(1e6), "1e+06"),
        (open_metrics(INF), "+Inf"),
        (hexadecimal(1.0), "0x1p+00"),
        (hexadecimal(-255.5), "-0x1.ffp+07"),
        (hexadecimal(5e-324), "0x1p-1074"),
        (hexadecimal(0.0), "0x0p+00"),
        (hexadecimal(f64::NAN), "NaN"),
    ] {
        assert_eq!(text, expected);
    }
}

#[test]
fn digits_without_end() {
    let general = |value: f64, digits: Option<usize>| general(value, digits.unwrap());
    for write in [exponential, fixed, general] {
        let text = write(0.1, Some(1_000_000));
        assert!(text.starts_with("0.1") || text.starts_with("1."), "{}", &text[..10]);
    }
    assert_eq!(fixed(0.5, Some(100_000)).len(), 100_002);
    assert!(general(5e-324, Some(2_000)).ends_with("e-324"));
}

proptest::proptest! {
    #[test]
    fn bytes_are_those_of_the_text(bits: u64, exponent in -20_i32..25, digits in 0_i64..1_000_000_000_000) {
        let near = (bits % (1 << 52)) as f64 / 10_f64.powi(exponent);
        let decimal = digits as f64 / 10_f64.powi(exponent);
        for value in [f64::from_bits(bits), near, -near, decimal, f64::from_bits(near.to_bits() + 1)] {
            for shortest in [shortest(value), shortest_json(value)] {
                let (mut bytes, text) = (Vec::new(), shortest.to_string());
                shortest.write(&mut bytes);
                proptest::prop_assert_eq!(std::str::from_utf8(&bytes).unwrap(), &text);
                if value.is_finite() {
                    // As short as any, and the value again.
                    let standard = format!("{value:e}");
                    let digits = |text: &str| text.split('e').next().unwrap().replace(['.', '-'], "").trim_matches('0').len();
                    proptest::prop_assert_eq!(digits(&text), digits(&standard), "{} {}", text, standard);
                    proptest::prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(bits: u64) {
        let value = f64::from_bits(bits);
        for text in [
            shortest(value).to_string(),
            shortest_json(value).to_string(),
            exponential(value, None),
            fixed(value, None),
        ] {
            let read = parse_decimal(&text).unwrap();
            proptest::prop_assert!(read.to_bits() == bits || (read.is_nan() && value.is_nan()), "{}", text);
        }
    }
}
