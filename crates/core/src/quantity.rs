//! Quantities, such as `250m` and `1.5Gi`, as numbers that can be compared.
//!
//! The crate kube_quantity would do it, but brings a decimal library and a dozen other crates for one comparison.

/// The quantity in thousandths, rounded up as Kubernetes does; `None` if it is not a quantity.
pub fn thousandths(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (times, by) = multiplier(suffix)?;
    let by = by.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let scaled = mantissa.checked_mul(times)?;
    let value = scaled / by + i128::from(scaled % by != 0);
    Some(if negative { -value } else { value })
}

/// Factor and divisor that convert a number with this suffix to thousandths.
fn multiplier(suffix: &str) -> Option<(i128, i128)> {
    const THOUSAND: i128 = 1000;
    let decimal = |power: u32| Some((THOUSAND.pow(power + 1), 1));
    let binary = |power: u32| Some((1024_i128.pow(power) * THOUSAND, 1));
    match suffix {
        "n" => Some((1, THOUSAND * THOUSAND)),
        "u" => Some((1, THOUSAND)),
        "m" => Some((1, 1)),
        "" => decimal(0),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            Some(if exponent < 0 {
                (THOUSAND, power)
            } else {
                (power.checked_mul(THOUSAND)?, 1)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::thousandths;

    #[test]
    fn quantities_are_read_as_kubernetes_does() {
        for (text, expected) in [
            ("250m", Some(250)),
            ("0.5", Some(500)),
            (".5", Some(500)),
            ("1.", Some(1000)),
            ("2", Some(2000)),
            ("1Ki", Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("1k", Some(1_000_000)),
            ("1e3", Some(1_000_000)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("5e-1", Some(500)),
            ("0.1m", Some(1)),
            ("-1", Some(-1000)),
            ("0", Some(0)),
            ("", None),
            (".", None),
            ("1.2.3", None),
            ("1 Gi", None),
            ("1gb", None),
            ("1KI", None),
            ("one", None),
            ("1e999", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text:?}");
        }
    }
}
