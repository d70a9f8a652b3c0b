//! From when until when a certificate holds, read out of its DER (RFC 5280, section 4.1).

const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first and the last second, counted from 1970; `None` where the bytes are no certificate. A time before 1970 is
/// its first second.
pub(crate) fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&EXPLICIT_0) {
        (_, _, fields) = element(fields)?;
    }
    // Serial number, signature, issuer.
    for _ in 0..3 {
        (_, _, fields) = element(fields)?;
    }
    let (tag, validity, _) = element(fields)?;
    let (first_tag, first, rest) = element(validity)?;
    let (last_tag, last, _) = element(rest)?;
    if tag != SEQUENCE {
        return None;
    }
    Some((time(first_tag, first)?, time(last_tag, last)?))
}

/// The tag and the content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` with years from 1950 on, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, content: &[u8]) -> Option<u64> {
    let text = str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => (text.get(..2)?.parse::<i64>().ok()?, text.get(2..)?),
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let year = if tag == GENERALIZED_TIME { year } else { year + if year < 50 { 2000 } else { 1900 } };
    let field = |at: usize| rest.get(2 * at..2 * at + 2)?.parse::<i64>().ok();
    let (month, day) = (field(0)?, field(1)?);
    let seconds = field(2)? * 3600 + field(3)? * 60 + field(4)?;
    if !(1..=12).contains(&month) {
        return None;
    }
    u64::try_from((days_since_1970(year, month, day) * 86_400 + seconds).max(0)).ok()
}

/// By the calendar that begins its years in March, so that a leap day is the last day of one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "000229120000Z", Some(951_825_600)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(0)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000", None),
            (0x04, "700101000000Z", None),
        ] {
            assert_eq!(time(tag, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn damaged_certificates_are_read_or_none() {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject as _;

        let pem = include_str!("verifier/certificates/itself.pem");
        let whole = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
        let (first, last) = validity(&whole).unwrap();
        assert_eq!(last - first, 36_500 * 86_400);
        for at in 0..whole.len() {
            assert_eq!(validity(&whole[..at]), None, "{at}");
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = validity(&damaged);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_certificate() {
        for bytes in
            [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0], &[0x30, 2, 0x30, 0]]
        {
            assert_eq!(validity(bytes), None, "{bytes:?}");
        }
    }
}
